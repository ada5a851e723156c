"""What a model's reply says: text in, values out. No model is asked here, and nothing is stored.

    reader            what a model answered: its answer, its thought, or why there is no answer
    thoughts          what a model thinks before it answers, parted from the answer
    channels          the same for the channels of harmony (gpt-oss)
    control_tokens    the control tokens of chat templates, at which a text ends
    quoted            what a text quotes, in code or between quotation marks
    verdicts          the verdict that a model gives on outputs: the same or not, harmful or not
    ratings           the rating that a model gives an output, from 1 to 5
    answers/          what of an answer to a task is not the answer
    lists/            the list of tasks that a reply is, or goes on
    worked_tasks/     worked examples: the task that was asked for, and further ones
    end_marker        the end marker of the original, taken out of what models say

Public: `read_reply`, `read_answer` (in `reader`); `part_thought`, `Parted` (in `thoughts`); `before_control_token` (in
`control_tokens`); `verdict_of`, `is_toxic` (in `verdicts`); `rating_of` (in `ratings`); `CleanAnswer`, `clean_answer`
(in `answers`); `Item`, `read_list` (in `lists`);
`WorkedTask`, `read_worked_tasks` (in `worked_tasks`); `squeezed`, `before_marker`, `without_marker` (in `end_marker`).
"""
