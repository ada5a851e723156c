"""The commands: each reads its arguments, calls one function of another room and prints what it did.

    run       `run`, and what comes before it: `init` writes a config, `check` tries one
    preview   a few tasks through all steps, shown
    steps     each step alone, on files: `instructions`, `instances`, `parse`, `outputs`, `ensemble`
    select    step 5 anew for a finished run
    status    where a run is; its lines are also what `run` says at its end
    export    a run, or a file of tasks, in the formats of trainers; also to the Hub
    card      what a dataset is, how it was made, and under which licences
    report    a run, or a file of tasks, on one page
    view      a run in the browser
    merge     one run out of several
    dedup     near-duplicates out of a dataset
    evaluate  how well each strategy and each voter does

Public: the commands, which `cli` puts into its group.
"""
