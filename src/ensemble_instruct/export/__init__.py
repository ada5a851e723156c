"""Examples as datasets: files for trainers, Parquet, the Hub, and the card that says what a dataset is.

What is written is complete or untouched, and follows from the run alone: the same run gives the same bytes. A new
format is a function from an example to a row in `formats`, and a name in its list.

    options        what a user asks for, checked: `ExportOptions` become an `ExportPlan`
    formats        the row that an example becomes in each format, and the types of its columns
    reasoning      the thought before an output, out of the stored replies
    splits         which split a row belongs to, by a hash of its instruction
    writers        files that take rows some at a time: lines, an array, Parquet, shards
    exporter       the examples of a run into such files, whole or not at all
    unfinished     the examples so far of a run that goes on, without what its filters would leave out
    layout         the tables of a dataset in a folder, as the Hub has them: folders, splits, shards, columns
    facts          what is told of a run: read once from its database and its config
    card           `README.md` and `LICENSE.md`, out of the facts
    front_matter   the YAML at the head of `README.md`, by which `datasets` finds the files
    croissant      `croissant.json`: the same for programs
    hub            the upload, and what can go wrong there

Public: `ExportOptions`, `planned`, `export_run`, `dataset_card`, `upload`.
"""
