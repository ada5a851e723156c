"""What a user sets: sections, defaults, and what makes a config valid.

    schema        the whole config and the roles: what must fit together across sections
    steps         the sections of steps 1, 2, 4 and 5, where their defaults are
    models        the section of one model, and what of it goes into a request's key
    servers       what a user says of a server: address, additions to requests, keys, price
    keys          keys and passwords told by name and looks, wherever they stand
    access        the key of a server, and what its headers and query need of the environment
    quality       the section of the quality filters
    licenses      the section of licences
    section       what all sections have in common
    load          from YAML and `--set` to a config; every mistake with file, line and key
    spelling      what a YAML text says, with how each value is spelled; YAML's traps are refused
    mistakes      what is said of a config that cannot be, in one line
    bundled       what comes with the package: presets, and paths `bundled:NAME`
    known_tasks   seed tasks that are known by their content, with their licence

Public: `Config` in `schema`, `ModelSection` in `models`, `load_config` and `parse_config` in `load`, `preset_names` in
`bundled`.
"""
