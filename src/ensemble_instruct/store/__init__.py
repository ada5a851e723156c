"""The run's SQLite file: every answer on disk before it is used, and the records made of the answers.

    database    the schema, its migrations, and how the file is opened
    faults      what goes wrong with the file, as a line
    owner       who owns a run, and how the others find out
    rows        records and answers as rows and back; an example as a row of `examples.jsonl` and back
    tables      records as rows of data frames and datasets
    reading     what is read of a run without holding it: while it runs, and after
    costs       what the tries of a run took, those that were paid for nothing too
    own_tasks   the tasks of a user's own that a run begins with
    salvage     what can still be read of a damaged run
    settings    what a run was set up with, as it is read today
    writer      many rows with one fsync, while the event loop goes on
    store       the file of a run that is being made: looked up, committed to, closed

Nobody else knows how a record is written. Public: `Store`, `opened_store` (in `store`); `reading`, `require_run`,
`read_examples`, `kept_counts`, `dropped_counts`, `read_meta` (in `reading`); `example_row`, `example_of` (in `rows`).
"""
