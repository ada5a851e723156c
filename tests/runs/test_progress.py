"""The line that a run writes while it goes."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from ensemble_instruct.models.model import Model, Usage
from ensemble_instruct.runs.progress import Watch


def watch(usage: Usage, seconds: float, kept: int) -> Watch:
    """What is seen of a run after some seconds, whose target is 10 instructions of one kind."""
    watch = Watch()
    model: Any = SimpleNamespace(usage=usage, in_flight=2, oldest=None)
    watch.started({"m": cast(Model, model)}, {"output_only": 10})
    watch.began = time.monotonic() - seconds
    for _ in range(kept):
        watch.counted("output_only", "instructions", "")
        watch.counted("output_only", "instances", "")
    return watch


def test_before_the_first_answer_the_line_says_that_nothing_is_answered_yet() -> None:
    assert watch(Usage(), 60, 0).totals() == "0 requests, nothing answered yet, 0 tokens, 2 in flight"


def test_a_slow_server_is_told_by_the_minute_with_what_is_left() -> None:
    line = watch(Usage(asked=5, prompt_tokens=100, completion_tokens=400), 100, 5).totals()
    assert line == "about 1 min 40 s left; 5 requests, 3.0 a minute, 500 tokens, 2 in flight"


def test_where_nothing_is_left_of_the_first_steps_no_time_is_told() -> None:
    assert watch(Usage(asked=30), 10, 10).totals() == "30 requests, 3.0/s, 0 tokens, 2 in flight"
