"""What the models are asked: the text of each step's request, and how it is sampled.

    completions    the prompts that a model continues: the paper's

Public: the functions of `completions`.
"""
