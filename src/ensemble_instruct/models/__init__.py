"""Asking language models: everything between a question and its committed answer.

A request goes down this list, and its answer comes back up; no module knows of those above it.

    opening      the models of a run, opened together and closed at the end
    probes       what `check` asks of servers: one word, and which settings they follow
    misplaced    which models follow instructions, but are asked over completions
    turns        questions to several models at once, or one after the other where only one fits
    known        what a model has answered already, looked up and read; nothing is asked
    structured   whether a server holds a chat model to JSON, found out once for a run
    model        replay from the store, or ask: admit, try again, commit, read
    asking       a request with the model's own settings, and its key
    servers      the servers of a model: opened, left out while they are away, closed
    server_notes what is to be known of what servers do to requests, said once
    admission/   which server a request goes to, and how many each gets at a time
    awake        a clock that stands still while the process does
    retries      what a failed try means: try again, a failure, or the end of the run
    budget       what a run may spend
    telemetry    OpenTelemetry spans and metrics of every try
    clients/     the backends

Public: `Model` (in `model`), `open_models` (in `opening`),
`settle_form` (in `structured`).
"""
