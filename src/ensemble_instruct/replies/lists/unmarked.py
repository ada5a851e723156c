"""Tasks of a reply without a single marker: a line or a paragraph each."""

from __future__ import annotations

from ensemble_instruct.replies.lists.blocks import Block
from ensemble_instruct.replies.lists.phrases import COLONS, assent, is_closing, is_opening, is_refusal
from ensemble_instruct.replies.lists.pieces import Piece
from ensemble_instruct.replies.lists.texts import ends_sentence, is_bold, is_sentence, is_title

_SHORT = 4
"""Words of a heading such as `More tasks:`, at most."""


def unmarked_pieces(blocks: list[Block]) -> list[Piece]:
    """The tasks of a reply whose blocks are paragraphs and headings alone, and what is none."""
    paragraphs = [texts for block in blocks if (texts := _texts(block))]
    if paragraphs and is_refusal(paragraphs[0][0]):
        return [Piece(texts, is_task=False) for texts in paragraphs]
    pieces = [piece for texts in paragraphs for piece in _with_ends(texts)]
    together = [piece for piece in pieces if len(piece.lines) > 1]
    if len(together) == 1 and _are_sentences(together[0].lines):
        return [task for piece in pieces for task in _each_line(piece, is_task=piece is together[0])]
    return [task for piece in _with_remarks(pieces) for task in (_tasks(piece.lines) if piece.is_task else [piece])]


def _texts(block: Block) -> list[str]:
    texts = [line.text for line in block.paragraphs[0] if not line.is_fence]
    return [text for text in texts if any(letter.isalnum() for letter in text)]


def _with_ends(texts: list[str]) -> list[Piece]:
    """A paragraph, parted from the line that leads to it and the one that ends the reply."""
    announces = len(texts) > 1 and texts[0].endswith(COLONS) and is_sentence(texts[1])
    start = int(announces or (len(texts) > 1 and is_opening(texts[0])))
    end = len(texts) - int(len(texts) > start + 1 and is_closing(texts[-1]))
    parts = (texts[:start], False), (texts[start:end], True), (texts[end:], False)
    return [Piece(lines, is_task=is_task) for lines, is_task in parts if lines]


def _are_sentences(texts: list[str]) -> bool:
    """Whether each line is a sentence of its own: all begin as one, and all end as one, or none."""
    ends = sum(ends_sentence(text) for text in texts[:-1])
    return all(is_sentence(text) for text in texts) and ends in (0, len(texts) - 1)


def _each_line(piece: Piece, *, is_task: bool) -> list[Piece]:
    return [task for line in piece.lines for task in _tasks([line])] if is_task else [piece._replace(is_task=False)]


def _with_remarks(pieces: list[Piece]) -> list[Piece]:
    """Paragraphs, of which some only lead over, head or end others; headings are tasks where there is nothing else."""
    last = len(pieces) - 1
    remarks = [_is_remark(piece.lines, place, is_last=place == last) for place, piece in enumerate(pieces)]
    headings = [piece.lines[0].startswith("#") for piece in pieces]
    has_others = any(
        piece.is_task and not heading and not remark
        for piece, heading, remark in zip(pieces, headings, remarks, strict=True)
    )
    return [
        piece._replace(
            is_task=piece.is_task
            and not remark
            and not (heading and (has_others or is_title(piece.lines[0].strip("# "))))
        )
        for piece, heading, remark in zip(pieces, headings, remarks, strict=True)
    ]


def _is_remark(texts: list[str], place: int, *, is_last: bool) -> bool:
    if is_opening(texts[0]):
        return True
    if is_last:
        return is_closing(texts[0])
    text = texts[-1]
    return text.endswith(COLONS) and (place == 0 or len(text.split()) <= _SHORT or is_bold(text))


def _tasks(texts: list[str]) -> list[Piece]:
    """A task, without the assent or the announcement that its line may begin with."""
    first = texts[0].lstrip("# ")
    start = len(assent(first))
    colon = first.find(":", 0, start + 120)
    if colon > 0 and is_opening(first[: colon + 1]) and is_sentence(first[colon + 1 :]):
        start = colon + 1
    task = Piece([first[start:].strip(), *texts[1:]], is_task=True)
    return [Piece([first[:start].strip()], is_task=False), task] if start else [task]
