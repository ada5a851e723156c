"""A preview as text: what was seen, what that took, and what a whole run would take."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from ensemble_instruct.invisible import harmless
from ensemble_instruct.runs.estimate import Estimate
from ensemble_instruct.runs.preview.forecast import AT_ONCE
from ensemble_instruct.runs.preview.seen import KindSeen
from ensemble_instruct.runs.preview.text import Line, lines_of
from ensemble_instruct.runs.progress import duration
from ensemble_instruct.runs.status import Use
from ensemble_instruct.store.costs import Wasted, sum_of_costs

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A preview, ready to be shown, and what a whole run would need if it went as this did."""

    kinds: tuple[KindSeen, ...]
    uses: tuple[Use, ...]
    """What was asked, by model, step and kind."""
    wasted: tuple[Wasted, ...]
    """Tries that were paid, or may have been, and gave no answer; no whole run is reckoned with them."""
    whole: tuple[Estimate, ...]
    is_seen: bool
    """Whether all of `whole` follows from what was seen; else some is by the assumptions of `check`."""
    examples: int
    """That a whole run would have."""
    seconds: float
    """That the busiest model of it would need, if it answers 16 requests at a time as fast as one."""
    problem: str = ""
    """What ended it, if it did not come to its end."""

    def lines(self) -> Iterator[Text | Line]:
        """All of it, step by step, then what it took and what a whole run would take."""
        for kind in self.kinds:
            yield from lines_of(kind)
        yield from _costs(self)
        yield from _forecast(self)

    def __str__(self) -> str:
        return "\n".join(part.plain for line in self.lines() for part in barred(line))

    def _repr_html_(self) -> str:
        return f'<pre style="white-space: pre-wrap">{html.escape(str(self))}</pre>'


def barred(line: Text | Line, console: Console | None = None) -> Iterator[Text]:
    """A line with its label and its bar; in several parts where a console is not wide enough for it."""
    if isinstance(line, Text):
        yield line
        return
    text = Text(line.text, line.style)
    parts = [text] if console is None else list(text.wrap(console, max(20, console.width - line.width - 5)))
    for number, part in enumerate(parts or [Text()]):
        yield Text.assemble((f"  {line.label if number == 0 else '':<{line.width}} │ ", "blue"), part)


def _costs(seen: Preview) -> Iterator[Text | Line]:
    yield Text("══ what this preview took ══", style="bold")
    yield Text(f"{'step':<13}{'kind':<14}{'model':<24}{'requests':>9}{'tokens in':>12}{'tokens out':>12}{'USD':>9}")
    rows = [(use, use.answers, "") for use in seen.uses] + [(one, one.tries, one.cause) for one in seen.wasted]
    for spent, count, cause in rows:
        yield Text(
            f"{spent.step:<13}{spent.kind:<14}{harmless(spent.model):<24}{count:>9,}{spent.prompt_tokens:>12,}"
            f"{spent.completion_tokens:>12,}{_usd(spent.cost, 4):>9}{f'  for nothing: {cause}' if cause else ''}"
        )
    yield Text()


def _forecast(seen: Preview) -> Iterator[Text | Line]:
    targets = ", ".join(f"{each.target:,} {each.kind}" for each in seen.kinds)
    yield Text(f"══ a whole run ({targets}), if it goes on so ══", style="bold")
    yield Text(f"{'model':<51}{'requests':>9}{'tokens in':>12}{'tokens out':>12}{'USD':>9}")
    models = dict.fromkeys(row.model for row in seen.whole)
    for model in models:
        yield _sums(model, [row for row in seen.whole if row.model == model])
    yield _sums("all", seen.whole)
    if not seen.is_seen:
        yield Text("not all steps were seen: the others are estimated as `check` does", style="yellow")
    yield Text(
        f"about {seen.examples:,} examples; about {duration(seen.seconds)}, if a model answers {AT_ONCE} requests at a "
        f"time as fast as it answered here, and longer where it does not"
    )
    yield Text("A few tasks say little: shares and lengths of a whole run will differ.", style="dim")


def _sums(name: str, rows: Sequence[Estimate]) -> Text:
    requests = sum(row.requests for row in rows)
    tokens_in, tokens_out = sum(row.prompt_tokens for row in rows), sum(row.completion_tokens for row in rows)
    cost = sum_of_costs(row.cost for row in rows)
    return Text(f"{harmless(name):<51}{requests:>9,}{tokens_in:>12,}{tokens_out:>12,}{_usd(cost, 2):>9}")


def _usd(cost: float | None, digits: int) -> str:
    return "unknown" if cost is None else f"{cost:,.{digits}f}"
