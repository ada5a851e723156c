"""The five steps, each an async generator from records to records, in order, drops among them; and what they share.

    seed_tasks      seed tasks and demonstrations, bundled or a user's own
    own_tasks       tasks of a user's own, with which a run begins at step 2 or step 4
    usable          which instructions are usable at all
    text_only       whether a task can be answered by text alone
    plans           what the steps need besides the models, made of a config before anything is asked
    first_replies   the first replies of a kind: where none is of use, the run stops
    instructions    step 1, a model writes more instructions like those it is shown
    instances       step 2, it completes each instruction
    parse           step 3, instances are read out of completions
    outputs         step 4, other models answer each instance
    candidates      the output that an answer of step 4 holds, or its drop
    ensemble        step 5, the output that the models agree on stays; why each example is decided twice
    fusion          after step 4, one more output made out of the others
    judging         after step 4, what a model is asked about the outputs
    judge           whether two outputs say the same, for the utility `judge`
    rating          how good an output is beside another one, for the strategy `judged`
    toxicity        whether an output is harmful, for the filter `toxicity`

Public: `make_instructions`, `make_instances`, `parse_completions`, `make_outputs`, `examples_so_far`, `select`,
`prepare`.
"""
