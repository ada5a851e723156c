"""The list of tasks in a reply of step 1, in every style that models write one.

    reading       what a reply holds, whether it answers or goes on a list
    pieces        the tasks of a list, and the remarks around them
    unmarked      tasks without a marker
    blocks        lines, parted into items and what stands around them
    lines         the lines of a reply, each with its marker
    markers       what an item begins with: a number, a letter, a bullet, a label, a row of a table
    json_texts    tasks as JSON
    texts         an item's text without label, title, bold and quotation marks around the whole
    phrases       how models begin and end a reply, and label a task

Public: `Item`, `read_list`.
"""

from __future__ import annotations

from ensemble_instruct.replies.lists.reading import Item, read_list

__all__ = ["Item", "read_list"]
