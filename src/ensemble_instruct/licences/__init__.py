"""What may be used to train other models, and under which licence a dataset may stand. No legal advice.

    table         what each licence says of the outputs of a model: the bundled table, and SPDX expressions over it
    model_names   whether the name of a model says that it is one of a family and owner
    policy        what a config declares, whether its policy admits that, and what follows for the dataset

Public: `parts_of`, `derive`, `require_admitted` and `notes` in `policy`.
"""
