"""`status`: where a run is, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ensemble_instruct.cli.options import PATH
from ensemble_instruct.records import FIRST_STEP, KINDS, STEPS, STEPS_BEFORE, Kind, Step

if TYPE_CHECKING:
    from ensemble_instruct.agreement.voters.kept import Kept
    from ensemble_instruct.agreement.voters.seen import SeenVoters
    from ensemble_instruct.models.admission.gate import GateStatus
    from ensemble_instruct.runs.status import Status, Use
    from ensemble_instruct.store.costs import Wasted

_UNITS: Mapping[Step, tuple[str, str]] = {
    "instructions": ("texts in replies", "instructions"),
    "instances": ("instructions", "completions"),
    "parse": ("tasks in completions", "instances"),
    "outputs": ("answers to instances", "candidates"),
    "ensemble": ("instances", "examples"),
}
"""What comes into each step, and what it makes: what the next one takes."""
_SHORTEST = 1.0
"""Seconds of a run that has a rate worth saying."""


@click.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
def status(run_folder: Path) -> None:
    """Show where a run stands; works while it runs."""
    from ensemble_instruct.runs.status import read_status

    click.echo("\n".join(status_lines(read_status(run_folder))))


def note_lines(notes: Iterable[str]) -> list[str]:
    """What is to be known of servers and voters, as lines."""
    return [f"note: {note}" for note in notes]


def status_lines(status: Status) -> list[str]:
    """The status in words: a line for each step and kind, for each model and server, for each voter, then the whole."""
    from ensemble_instruct.agreement.voters.kept import words_line
    from ensemble_instruct.runs.progress import oldest_in_words

    lines = [line for kind in KINDS for step in STEPS if (line := _step_line(status, step, kind))]
    for model in dict.fromkeys(one.model for one in status.spent):
        uses = [use for use in status.uses if use.model == model]
        looked_up = " (price looked up)" if _is_looked_up(status, model) else ""
        lines.append(f"model {model}: {_used(uses)}{looked_up}")
        if len(uses) > 1:
            lines += [f"  {use.step} {use.kind}: {_used([use])}" for use in uses]
        lines += _wasted_line([wasted for wasted in status.wasted if wasted.model == model])
        servers = [server for server in status.servers.get(model, ()) if "://" in server.server]
        lines += [_server_line(server, status.state) for server in servers]
    lines += [words_line(*status.words)] if status.words else []
    if status.barred:
        passed_over = ", ".join(f"{count} {reason}" for reason, count in sorted(status.barred.items()))
        lines.append(f"outputs passed over in the rows that were kept: {passed_over}")
    lines += [*_voters(status.voters), *_selected(status.selected)]
    lines += [f"merged from {', '.join(status.merged)}"] if status.merged else []
    notes = note_lines((*status.notes, *(status.voters.notes if status.voters else ())))
    return [*lines, *_costs(status), *notes, *oldest_in_words(status.oldest), _whole(status)]


def _step_line(status: Status, step: Step, kind: Kind) -> str:
    """What came into a step = what it kept + what it dropped, each with its unit; empty where there is nothing."""
    kept = status.candidates[kind] if step == "outputs" else status.kept[step, kind]
    unread = _reasons_of(status.verdicts, step, kind)
    reasons = _reasons_of(status.dropped, step, kind) - unread
    if not kept and not reasons and kind not in status.targets:
        return ""
    if step in STEPS_BEFORE[status.tasks]:
        return ""
    taken, made_of_them = _UNITS[step]
    parts = {
        "instructions": f" of {status.targets[kind]} wanted" if kind in status.targets else "",
        "parse": f" ({kept - status.follow_on[kind]} first, {status.follow_on[kind]} follow-on)",
        "outputs": f" for {status.kept['outputs', kind]} of {status.kept['parse', kind]} instances",
    }
    if status.tasks is not None and step == FIRST_STEP[status.tasks]:
        taken, parts = "tasks of your own", {}
    verdicts = f"; {unread.total()} verdicts on answers missing{_in_words(unread)}" if unread else ""
    return (
        f"{kind:<13} {step:<13}{kept + reasons.total():>7} {taken}: {kept} {made_of_them} kept{parts.get(step, '')}, "
        f"{reasons.total()} dropped{_in_words(reasons)}{verdicts}"
    )


def _in_words(reasons: Counter[str]) -> str:
    return f" ({', '.join(f'{count} {reason}' for reason, count in reasons.most_common())})" if reasons else ""


def _reasons_of(dropped: Counter[tuple[Step, Kind | None, str]], step: Step, kind: Kind) -> Counter[str]:
    """Why a step dropped records of a kind, and how often; in alphabetical order."""
    drops = sorted(dropped.items(), key=lambda item: item[0][2])
    return Counter({reason: count for (at, of, reason), count in drops if (at, of) == (step, kind)})


def _used(uses: Sequence[Use]) -> str:
    failures = sum(use.failures for use in uses)
    return f"{sum(use.answers for use in uses)} answers{f', {failures} failed' if failures else ''}, {_tokens_of(uses)}"


def _wasted_line(wasted: Sequence[Wasted]) -> list[str]:
    """The tries of a model that were paid for nothing; nothing where there are none."""
    if not wasted:
        return []
    causes: Counter[str] = Counter()
    for one in wasted:
        causes[one.cause] += one.tries
    return [f"  paid for nothing: {causes.total()} tries{_in_words(causes)}, {_tokens_of(wasted)}"]


def _tokens_of(spent: Sequence[Use | Wasted]) -> str:
    from ensemble_instruct.store.costs import sum_of_costs

    cost = sum_of_costs(one.cost for one in spent)
    marks = ", estimated" if any(one.estimated for one in spent) else ""
    usd = ", cost unknown" if cost is None else f", {cost:.4f} USD" if cost else ""
    tokens_in, tokens_out = sum(one.prompt_tokens for one in spent), sum(one.completion_tokens for one in spent)
    return f"{tokens_in:,} tokens in, {tokens_out:,} out{marks}{usd}"


def _is_looked_up(status: Status, model: str) -> bool:
    price = status.prices.get(model)
    return price is not None and price.origin == "looked up"


def _server_line(server: GateStatus, state: str) -> str:
    now = f"{server.state}, {server.in_flight} in flight of {server.limit}, " if state == "running" else ""
    retries = ", ".join(f"{count}x {cause}" for cause, count in sorted(server.retries.items()))
    return (
        f"  server {server.server}: {now}latency {server.p50:.2f} s (90 % {server.p90:.2f}, 99 % {server.p99:.2f})"
        f"{f'; tried again after {retries}' if retries else ''}"
    )


def _voters(seen: SeenVoters | None) -> list[str]:
    """A line for each voter; nothing where nothing was learned of them."""
    if seen is None or not seen.voters:
        return []
    width = max(len(voter.name) for voter in seen.voters)
    lines = [f"voters, by {seen.rows:,} rows (strength: 1 is the mean of those that are not set aside)"]
    for voter in seen.voters:
        weight = "" if voter.weight == 1 else f", weight {voter.weight:g}"
        aside = f"; set aside: {voter.why}" if voter.set_aside else ""
        lines.append(
            f"  {voter.name:<{width}}  strength {voter.strength:.2f}, agreement {voter.agreement:.2f}, "
            f"won {voter.won:,} examples ({100 * voter.share:.1f} %){weight}{aside}"
        )
    return lines


def _selected(kept: Kept | None) -> list[str]:
    """How much the examples agree by length, and by what; nothing where there are none."""
    from ensemble_instruct.agreement.voters.kept import BASES

    if kept is None or not kept.examples:
        return []
    lengths = (f"{band.words} {band.mean:.2f} ± {band.deviation:.2f} ({band.rows:,} rows)" for band in kept.lengths)
    bases = (f"{BASES[basis]} {count:,} rows" for basis, count in kept.bases.items())
    lines = [f"mean agreement by length of output: {', '.join(lengths)}", f"agreed by: {', '.join(bases)}"]
    return [*lines, kept.caution] if kept.caution else lines


def _costs(status: Status) -> list[str]:
    """What it took in all, with what was paid for nothing."""
    tokens = sum(one.prompt_tokens + one.completion_tokens for one in status.spent)
    cost = sum(one.cost or 0.0 for one in status.spent)
    wasted = sum(one.cost or 0.0 for one in status.wasted)
    if not tokens:
        return []
    each, for_nothing = status.examples, f", {wasted:.4f} of it for nothing" if wasted else ""
    line = f"{tokens / each:,.0f} tokens for each of {each} examples" if each else f"{tokens:,} tokens"
    names = status.unpriced
    if names and cost:
        line += f"; {cost:.4f} USD in all{for_nothing}, without the cost of {', '.join(names)}, which is unknown"
    elif names:
        line += f"; the cost of {', '.join(names)} is unknown (set models.{names[0]}.price)"
    elif cost:
        line += (f" and {cost / each:.6f} USD, " if each else " and ") + f"{cost:.4f} USD in all{for_nothing}"
    return [line]


def _whole(status: Status) -> str:
    from ensemble_instruct.runs.progress import duration

    if status.state != "running":
        return f"{status.state}; {_in_all(status)}"
    left = "" if status.seconds_left is None else f", about {duration(status.seconds_left)} left"
    return f"running; {status.requests_per_second:.1f} requests/s in the last minute{left}"


def _in_all(status: Status) -> str:
    """All requests and their mean rate, from the first answer to the last one."""
    from ensemble_instruct.runs.progress import duration

    if status.active_seconds < _SHORTEST:
        return f"{status.answers:,} requests in all"
    rate = status.answers / status.active_seconds
    return f"{status.answers:,} requests in {duration(status.active_seconds)}, {rate:.1f}/s on average"
