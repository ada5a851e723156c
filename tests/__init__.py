"""The tests, a room for each package that they test, and what the rooms share.

agreement   ballots, utilities and strategies; step 5 over many rows; evaluation
    answers     when short answers are the same; what is a result
    voters      what a run teaches of its voters
cli         what the commands say and refuse, logs, what a start loads
config      a config is read, completed, or refused by line and key
demo        the toy tasks, the tiny models, the simulated ones
export      every format, folders of splits and shards, the card and what it declares, the Hub
files       rows are read strictly; files and folders are written whole
licences    the table of licences, and what follows from those of the models
models      admission, replicas, budgets, telemetry, servers that are hostile or gone
    clients     each client alone: protocols, replies, models of this process
novelty     the pool against the plain definition, dedup
quality     each filter, decontamination, the filters of a run
report      the numbers of a report against the run's own files; the page
runs        a run is planned, passes, resumes its novelty, selects anew; whose outputs vote
    merging     runs made into one
steps       seed tasks, what is read out of completions
store       what is on disk and when, rows, runs of older versions
viewer      the server's queries; the page in a browser
promises    what the product guarantees, through the command line: fidelity, determinism, kill, resume, stop, secrets,
            the demo, the wheel; by other targets of the Makefile: trainers/ (`make test-trainers`), real_servers.py
            (`make test-servers`) and transformers_server.py (`make test-local`)
support     what tests share: servers, processes, finished runs, made runs, tiny and simulated models

A test that starts a command, or takes long, is `slow`: `pytest -m "not slow"` leaves it out and enters every room.
No test asserts seconds: what must not wait is counted, or runs on a simulated clock (benchmarks/ measures).
"""
