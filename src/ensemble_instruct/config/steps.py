"""The sections of steps 1, 2, 4 and 5; step 3 asks nobody and has no settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from ensemble_instruct.config.section import PerKind, SamplingOverrides, Section
from ensemble_instruct.records import KINDS, Kind, Strategy, Utility

MOST_VOTERS = 16
"""Most voters that can answer one instance, each sample of a model counted."""


def _word(value: str) -> str:
    if not value.strip():
        raise ValueError("is blank; write a word or a phrase")
    return value


def _pattern(value: str) -> str:
    if not value:
        raise ValueError("is blank, which is in every text; write a regular expression")
    try:
        re.compile(value)
    except re.error as error:
        at = "" if error.pos is None else f" at position {error.pos}"
        raise ValueError(f"'{value}' is no regular expression: {error.msg}{at}") from error
    except (OverflowError, RecursionError) as error:
        raise ValueError(f"'{value}' is no regular expression that can be used: {error}") from error
    return value


class FiltersSection(Section):
    """Which instructions are dropped at once: in step 1, and the further tasks of step 3."""

    min_words: int = Field(default=3, ge=1)
    """Fewest words. Where a script has no spaces between words, a few characters make one: how many, by the script."""
    max_words: int = Field(default=150, ge=1)
    """Most words, counted in the same way."""
    clean_start: bool = True
    """Drop what begins with a punctuation mark, unless it opens a word or a quotation, as in `"`, `¿`, `$5`, `#if`."""
    text_only: bool = True
    """Drop what text alone cannot answer: to look at an image, to draw, to record a video, to click a link."""
    blocked_words: list[Annotated[str, AfterValidator(_word)]] = Field(default_factory=list)
    """Your own words and phrases: what holds one is dropped. Whole words, in any case."""
    blocked_patterns: list[Annotated[str, AfterValidator(_pattern)]] = Field(default_factory=list)
    """Your own regular expressions (Python's): where one is found, the text is dropped. `(?i)` first: in any case."""

    @model_validator(mode="after")
    def _some_length(self) -> FiltersSection:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}; nothing is left between")
        return self


class InstructionsSection(Section):
    """Step 1: how many instructions are made, and how new each must be."""

    target: PerKind = Field(default_factory=lambda: PerKind(input_output=100, output_only=100))
    """Instructions wanted of each kind; 0 leaves a kind out."""
    demonstrations: PerKind = Field(default_factory=lambda: PerKind(input_output=24, output_only=10))
    """Instructions that a prompt shows as demonstrations, by kind."""
    machine_demonstrations: int = Field(default=4, ge=0)
    """Of these, at most this many that the model made itself; the others are seed tasks."""
    novelty_threshold: float = Field(default=0.7, gt=0, le=1)
    """An instruction is dropped whose ROUGE-L F1 to any earlier one is above this; the value itself is allowed."""
    against: list[Annotated[Path, Field(strict=False)]] = Field(default_factory=list)
    """Datasets (JSONL or Parquet) whose texts instructions must differ from too, by the same threshold."""
    filters: FiltersSection | None = None
    """Which instructions are dropped at once; null: the defaults below, or the original's in profile `published`."""
    mean_similarity: bool = False
    """Whether each instruction records its mean ROUGE-L F1 to all others (slower); profile `published` always does."""
    window: int = Field(default=64, ge=1)
    """Most requests in flight for each kind: more is faster, fewer let a prompt show newer instructions.

    Part of the result: another window gives other instructions. Profile `published` works in rounds of five instead.
    """
    patience: int = Field(default=500, ge=1)
    """Step 1 ends early when this many replies in a row gave no new instruction."""
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)
    """How the model samples; left out: as in the paper (temperature 0.7, top_k 50, 15 to 256 tokens)."""

    @field_validator("target", "demonstrations", mode="before")
    @classmethod
    def _fill(cls, value: Any, info: ValidationInfo) -> Any:
        default = cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)
        return {**default.model_dump(), **value} if isinstance(value, dict) else value


class DemonstrationFiles(Section):
    """Files with a user's own demonstrations for step 2."""

    input_output: Path | None = Field(default=None, strict=False)
    """JSONL file of `{instruction, input, output}`; null: the bundled ones."""
    output_only: Path | None = Field(default=None, strict=False)
    """JSONL file of `{instruction, output}`; null: the bundled ones."""

    def of(self, kind: Kind) -> Path | None:
        """The file for one kind, or None for the bundled demonstrations."""
        return self.input_output if kind == "input_output" else self.output_only


class InstancesSection(Section):
    """Step 2: how instances are asked for."""

    demonstrations: DemonstrationFiles = Field(default_factory=DemonstrationFiles)
    """The worked examples that a prompt shows, by kind."""
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)
    """How the model samples; left out: as in the paper (temperature 0.7, top_k 50, 50 to 512 tokens)."""


class OutputsSection(Section):
    """Step 4: how the voters answer."""

    samples: int | dict[str, int] = 1
    """Outputs that each model gives for an instance, every one a voter; or a number for each model by name."""
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)
    """How the voters sample; left out: greedy, up to 512 tokens (profile `published`: 256)."""

    @field_validator("samples")
    @classmethod
    def _at_least_one(cls, value: int | dict[str, int]) -> int | dict[str, int]:
        if not all(1 <= count <= MOST_VOTERS for count in ([value] if isinstance(value, int) else value.values())):
            raise ValueError(f"must be from 1 to {MOST_VOTERS}")
        return value

    def samples_of(self, model: str) -> int:
        """How many outputs a model gives for an instance."""
        return self.samples if isinstance(self.samples, int) else self.samples.get(model, 1)


_ROUGE_L: dict[str, Any] = dict.fromkeys(KINDS, "rouge-l")
"""The default utility, for both kinds."""
UtilityWeights = dict[Utility, Annotated[float, Field(gt=0, allow_inf_nan=False)]]
"""Utilities with their weights, which need not add up to 1."""


class PerKindUtility(Section):
    """What agreement means for each kind of task: one utility, or several with weights."""

    input_output: UtilityWeights = Field(min_length=1)
    """A utility (`rouge-l`, `exact`, `chrf`, `embedding`, `judge`), or weights: `{rouge-l: 1, embedding: 2}`."""
    output_only: UtilityWeights = Field(min_length=1)
    """The same for tasks without an input."""

    @field_validator("input_output", "output_only", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {value: 1.0} if isinstance(value, str) else value

    def of(self, kind: Kind) -> UtilityWeights:
        """The weights for one kind."""
        return self.input_output if kind == "input_output" else self.output_only

    @property
    def names(self) -> set[Utility]:
        """The utilities of both kinds."""
        return {*self.input_output, *self.output_only}


class EnsembleSection(Section):
    """Step 5: which output of each instance is selected, and which examples are kept."""

    strategy: Strategy | None = None
    """How an output is selected; null: `vouched`, or `balanced` where the utility is another than `rouge-l`.

    In profile `published` null is `released`; a run begun before keeps its own. `vouched`, `balanced` and `consensus`
    take any number of voters, `released`, `published` and `algorithm1` are the original's rules for exactly two,
    `single` and `random` are there to compare with. `judged` and `reward` choose what models rate highest: those of
    `roles.judges`, or the one in `reward_model`.
    """
    utility: PerKindUtility = Field(default_factory=lambda: PerKindUtility.model_validate(_ROUGE_L))
    """What agreement means: a utility, weights of several, or one of these for each kind; default: `rouge-l`."""
    embedding_model: Path | None = Field(default=None, strict=False)
    """Folder of a sentence encoder; the utility `embedding` needs it."""
    reward_model: Path | None = Field(default=None, strict=False)
    """Folder of a sequence classifier; the strategy `reward` needs it."""
    fusion: bool = False
    """Whether the model in `roles.fusion` makes one more output out of the others; it votes like any other."""
    threshold: float = Field(default=0.01, ge=0, le=1)
    """What the lowest of the three scores must exceed (strategies `released`, `published` and `algorithm1`)."""
    min_confidence: float | None = Field(default=None, ge=0, le=1)
    """Least confidence of an example; null: 0.15 for `vouched` and `balanced`, 0.2 for `consensus`, with `rouge-l`.

    Other utilities have defaults of their own: `DEFAULT_MIN_CONFIDENCE` in `agreement/selection.py`.
    The other strategies have no bound.
    """
    keep: float | None = Field(default=None, gt=0, le=1)
    """Instead of `min_confidence`: the share of the examples to keep, those with the highest confidence."""
    results: bool = True
    """Whether outputs that end in a result, such as `The answer is 12`, agree by it more than by what is before it.

    The strategy `vouched` alone looks for results.
    """
    min_agreement: float | None = Field(default=None, ge=0, le=1, exclude=True)
    """The old name of `min_confidence`, which takes its value; give one of the two."""

    @field_validator("utility", mode="before")
    @classmethod
    def _both_kinds(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.keys() & set(KINDS):
            return {**_ROUGE_L, **value}
        return dict.fromkeys(KINDS, value)

    @model_validator(mode="after")
    def _one_selection(self) -> EnsembleSection:
        if "embedding" in self.utility.names and self.embedding_model is None:
            raise ValueError("utility: embedding needs 'embedding_model', the folder of a sentence encoder")
        if self.strategy == "reward" and self.reward_model is None:
            raise ValueError("strategy: reward needs 'reward_model', the folder of a sequence classifier")
        bounds = [name for name in ("min_confidence", "min_agreement", "keep") if getattr(self, name) is not None]
        if len(bounds) > 1:
            raise ValueError(f"give either '{bounds[0]}' or '{bounds[1]}', not both")
        if self.min_agreement is not None:  # from here on it has one name
            vars(self).update(min_confidence=self.min_agreement, min_agreement=None)
        return self
