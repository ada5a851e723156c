"""A preview: a few tasks of each kind through all steps, before a whole run is paid for.

It is a run of its own, in a folder that is thrown away unless one is named.

    handle     `preview` for notebooks and programs
    making     its run: with a few tasks of each kind, in a folder that does not stay
    reading    what was seen in it, read out of its folder
    shown      all of a preview, what it took and what a whole run would take, as text
    text       what was seen, as lines to read
    forecast   what a whole run would take, if it went on so
    seen       what was asked, what came, and what was read out of it

Public: `preview`, `Preview`, `previewed`, `passing_folder`.
"""
