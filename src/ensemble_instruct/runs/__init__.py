"""Runs: a run folder from start to finish.

    lifecycle      a run is started or resumed, checked against its config, and finished
    pipeline       the five steps composed
    passes         which models must be done before others begin, where they share a memory
    recorder       between two steps, every record is stored and counted
    selecting      step 5 with all rows in view, at the end of a run or anew
    folder         the files of a run folder
    fingerprint    what a run remembers of its config, and what has changed in it
    replay         what would be asked anew, by the answers that are there
    estimate       requests, tokens and cost before anything is asked
    empty_kinds    an end with nothing in it: what dropped it, and what to try
    status         where a run is
    step_files     each step alone, from file to file
    handle         a run as an object, for notebooks and programs
    driver         work on an event loop, stopped so that nothing is lost
    progress       how a run is shown while it goes
    merging/       several finished runs become one
    preview/       a few tasks through all steps, and what they tell of a whole run

Public: `start_or_resume`, `select_anew`, `run_selection`, `merge_runs`, `read_status`, `estimate`, `Run`, `open_run`,
`Monitor`.
"""
