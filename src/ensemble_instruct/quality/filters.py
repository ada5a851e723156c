"""The quality filters that a config switches on, as step 5 asks them: of a task, and of each of its outputs.

A task that is hit is dropped. An output that is hit votes, but is not chosen while another one can be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.invisible import is_blank
from ensemble_instruct.quality.decontamination import CONTAMINATED, Benchmarks, require_benchmarks
from ensemble_instruct.quality.hit import Hit
from ensemble_instruct.quality.language import LANGUAGE, language_hit, require_languages
from ensemble_instruct.quality.personal_data import PERSONAL_DATA, personal_data_hit
from ensemble_instruct.quality.refusals import REFUSAL, refusal_hit
from ensemble_instruct.records import Instance

CODE_FENCES = "code_fences"
"""The reason of drops for a code block that is not closed."""
REPETITION = "repetition"
"""The reason of drops for a text that repeats itself."""
TOXIC = "toxic"
"""The reason of drops for an output that a model finds harmful."""
TOXICITY_UNKNOWN = "toxicity_unknown"
"""The reason of drops for an output of which that model said nothing that can be read."""
QUALITY_REASONS = (
    CONTAMINATED, LANGUAGE, PERSONAL_DATA, REPETITION, REFUSAL, CODE_FENCES, TOXIC, TOXICITY_UNKNOWN
)  # fmt: skip
"""The reasons of the drops that quality filters make."""
_FENCE = re.compile(r"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*(`{3,}|~{3,})(.*)")
"""A line that opens or closes a code block in Markdown, also in quotations and lists."""
_AFTER_WORDS = re.compile(r"[^`]*(?::[ \t]*(`{3,})[\w+#-]*|[ \t](`{3,})[\w+#-]+)[ \t]*")
"""A fence that begins at the end of a line of words: Markdown does not count it, but it is meant as one."""
ToxicityOf = Callable[[Instance, str], Hit | None]
"""What a model has said of an instance's output: a hit, or None."""


def code_fences_hit(text: str) -> Hit | None:
    """A hit where a fenced code block (``` or ~~~, as Markdown has it) is not closed."""
    opened, at = "", 0
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        fence = _FENCE.fullmatch(line)
        if not opened:
            if fence and not (fence[1][0] == "`" and "`" in fence[2]):
                opened, at = fence[1], number
            elif not fence and (late := _AFTER_WORDS.fullmatch(line)):
                opened, at = late[1] or late[2], number
        elif fence and fence[1].startswith(opened) and not fence[2].strip():
            opened = ""  # as CommonMark has it: the same character, at least as many, and nothing after them
    return Hit(CODE_FENCES, f"line {at} opens a code block that is not closed") if opened else None


def require_quality(section: QualitySection) -> None:
    """Raise where a filter could not do its work, before any model is asked.

    `InputFileError` for a benchmark that cannot be read, `ConfigError` for a missing detector or an unknown language.
    """
    require_benchmarks(section.decontaminate)
    if section.languages:
        require_languages(section.languages)


class Filters:
    """The filters of a config; `toxicity` looks up what a model has said of an output, where the config names one."""

    def __init__(self, section: QualitySection, toxicity: ToxicityOf | None = None) -> None:
        """Read the benchmarks; raises as `require_quality` does."""
        self._section, self._toxicity = section, toxicity
        self._benchmarks = Benchmarks(section.decontaminate) if section.decontaminate else None
        if section.languages:
            require_languages(section.languages)

    @property
    def are_on(self) -> bool:
        """Whether there is any filter."""
        return self._section.is_on

    def task_hit(self, instance: Instance) -> Hit | None:
        """What speaks against instruction or input: the row is then dropped, whatever was answered."""
        return next(filter(None, self._task_hits(instance)), None)

    def output_hits(
        self, instance: Instance, outputs: Sequence[str], repetition: Sequence[float]
    ) -> tuple[Hit | None, ...]:
        """What speaks against each output, in their order; equal ones are looked at once.

        `repetition` has for each output the share of its runs of four words that are repeats.
        """
        known: dict[str, Hit | None] = {}
        for text, share in zip(outputs, repetition, strict=True):
            if text not in known:
                hits = self._output_hits(instance, text, share)
                known[text] = next(filter(None, hits), None) if not is_blank(text) else None
        return tuple(known[text] for text in outputs)

    def _task_hits(self, instance: Instance) -> Iterator[Hit | None]:
        section = self._section
        if self._benchmarks is not None:
            yield self._benchmarks.task_hit(instance.instruction, instance.input)
        if section.personal_data:
            yield personal_data_hit(instance.instruction) or personal_data_hit(instance.input)
        if section.languages:
            yield language_hit(instance.instruction, section.languages)

    def _output_hits(self, instance: Instance, text: str, repetition: float) -> Iterator[Hit | None]:
        section = self._section
        if section.refusals:
            yield refusal_hit(text, f"{instance.instruction}\n{instance.input}")
        if section.code_fences:
            yield code_fences_hit(text)
        if section.repetition is not None and repetition > section.repetition:
            yield Hit(REPETITION, f"{repetition:.3f} of its runs of four words stood before, > {section.repetition:g}")
        if section.personal_data:
            yield personal_data_hit(text)
        if section.languages:
            yield language_hit(text, section.languages)
        if self._benchmarks is not None:
            yield self._benchmarks.output_hit(text)
        if self._toxicity is not None:
            yield self._toxicity(instance, text)


NO_FILTERS = Filters(QualitySection())
"""For steps that are run without a config: it finds nothing."""
