"""Files: read strictly, with the line named in every error; written whole or not at all.

    rows            the rows of a file in any form: JSON lines, a JSON array, Parquet, packed or not
    opening         a file opened for reading, unpacked on the way where it is packed
    jsonl           JSON Lines, read and written
    json_array      a JSON array of objects, read an object at a time
    conversations   chat rows as turns with their text
    own_rows        rows that are tasks, with an answer or without, by whichever names
    task_rows       tasks with their answers, as the step commands and `export` write them
    atomic          a file that is written whole or not at all
    atomic_folder   a folder that is written whole or not at all
    locks           locks that end with their process
    destination     where a file goes: a path at which nobody else has laid anything, or a stream
    places          whether something can be written at a place, asked before any work is done
    dataset         a user's own dataset: the texts of one column
    parquet         what needs pyarrow
    binary          what is no text, known by how it begins
    digest          digests by which a file or a folder is known

Public: `read_rows` in `rows`, `write_rows` in `jsonl`, `whole_file` in `atomic`, `whole_folder` in `atomic_folder`,
`open_dataset` in `dataset`, `read_task_rows` and `read_task_or_step_rows` in `task_rows`.
"""
