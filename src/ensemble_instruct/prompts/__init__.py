"""What the models are asked: the requests of each step, by the form that a model gets.

    forms          the requests of all steps, over completions and as conversations
    completions    the prompts that a model continues: the paper's
    folder         all prompts of a run: the bundled ones in the folder `templates`, or those of a user's folder
    templates      one prompt as a Jinja2 template: what it can say, and how much
    labels         the words before the parts of a worked example, and what ends a reply

Public: `Form`, `form_of` (in `forms`), `Prompts`, `load_prompts`, `write_prompts` (in `folder`).
"""
