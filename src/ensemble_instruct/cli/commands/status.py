"""`status`: where a run is, in words."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ensemble_instruct.cli.options import PATH
from ensemble_instruct.records import KINDS, STEPS

if TYPE_CHECKING:
    from ensemble_instruct.models.admission import GateStatus
    from ensemble_instruct.runs.status import Status, Use


@click.command()
@click.argument("run_folder", metavar="RUN", type=PATH)
def status(run_folder: Path) -> None:
    """Show where a run stands; works while it runs."""
    from ensemble_instruct.runs.status import read_status

    click.echo("\n".join(status_lines(read_status(run_folder))))


def status_lines(status: Status) -> list[str]:
    """The status in words: a line for each step and kind, then for each model and server, then the whole."""
    from ensemble_instruct.agreement.selection import words_line

    lines = []
    for kind in KINDS:
        for step in STEPS:
            kept = status.kept[step, kind]
            reasons = {reason: count for (at, of, reason), count in status.dropped.items() if (at, of) == (step, kind)}
            if kept or reasons or kind in status.targets:
                wanted = f" of {status.targets[kind]}" if step == "instructions" and kind in status.targets else ""
                drops = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
                lines.append(f"{kind:<13} {step:<13} {kept:>7}{wanted} kept{f'; dropped {drops}' if drops else ''}")
    for model in dict.fromkeys(use.model for use in status.uses):
        uses = [use for use in status.uses if use.model == model]
        lines.append(f"model {model}: {_used(uses)}")
        if len(uses) > 1:
            lines += [f"  {use.step} {use.kind}: {_used([use])}" for use in uses]
        servers = [server for server in status.servers.get(model, ()) if "://" in server.server]
        lines += [_server_line(server, status.state) for server in servers]
    lines += [words_line(*status.words)] if status.words else []
    if status.barred:
        passed_over = ", ".join(f"{count} {reason}" for reason, count in sorted(status.barred.items()))
        lines.append(f"outputs passed over in the rows that were kept: {passed_over}")
    lines += [f"merged from {', '.join(status.merged)}"] if status.merged else []
    return [*lines, *_costs(status), _whole(status)]


def _used(uses: Iterable[Use]) -> str:
    given = list(uses)
    failures = sum(use.failures for use in given)
    cost = sum(use.cost for use in given)
    marks = ", estimated" if any(use.estimated for use in given) else ""
    return (
        f"{sum(use.answers for use in given)} answers{f', {failures} failed' if failures else ''}, "
        f"{sum(use.prompt_tokens for use in given):,} tokens in, {sum(use.completion_tokens for use in given):,} out"
        f"{marks}{f', {cost:.4f} USD' if cost else ''}"
    )


def _server_line(server: GateStatus, state: str) -> str:
    now = f"{server.state}, {server.in_flight} in flight of {server.limit}, " if state == "running" else ""
    retries = ", ".join(f"{count}x {cause}" for cause, count in sorted(server.retries.items()))
    return (
        f"  server {server.server}: {now}latency {server.p50:.2f} s (90 % {server.p90:.2f}, 99 % {server.p99:.2f})"
        f"{f'; tried again after {retries}' if retries else ''}"
    )


def _costs(status: Status) -> list[str]:
    tokens = sum(use.prompt_tokens + use.completion_tokens for use in status.uses)
    cost = sum(use.cost for use in status.uses)
    if not tokens or not status.examples:
        return []
    price = f" and {cost / status.examples:.6f} USD, {cost:.4f} USD in all" if cost else ""
    return [f"{tokens / status.examples:,.0f} tokens for each of {status.examples} examples{price}"]


def _whole(status: Status) -> str:
    whole = f"{status.state}; {status.requests_per_second:.1f} requests/s in the last minute"
    if status.seconds_left is not None:
        minutes, seconds = divmod(round(status.seconds_left), 60)
        whole += f", about {f'{minutes} min' if minutes else f'{seconds} s'} left"
    return whole
