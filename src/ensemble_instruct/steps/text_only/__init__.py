"""Whether a task can be answered by text alone: nothing to look at, to hear, to draw, to record or to visit.

What a task speaks of is not what it needs: a program that opens a file, a book of pictures, a map of a continent, a
conclusion that is drawn. So a thing counts where the task points at it ("the image below", "look at the graph") or
orders it ("draw a cat", "take a photo"), and not where it is only named.

    needs              the decision
    english            how tasks ask for more than text, and what speaks against it
    other_languages    the usual phrases of ten other languages

Public: `needs_more_than_text` in `needs`.
"""
