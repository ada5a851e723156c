"""Merging: several finished runs become one, in a run folder of its own.

    merge      the way of it, from the folders to the report
    config     the config of the merged run, and what must be the same in all
    records    answers and records copied, those that an earlier run has left out

Public: `merge_runs`.
"""
