"""What the models are asked: the requests of each step, by the form that a model gets.

    completions    the prompts that a model continues: the paper's
    templates      the wording of what chat models are asked, and of all ratings, in the folder `templates`
    forms          the requests of all steps, over completions and as conversations

Public: `Form`, `form_of` (in `forms`).
"""
