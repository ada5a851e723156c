"""The part of a config that says how step 5 decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ensemble_instruct.config.section import PerKind, SamplingOverrides, Section
from ensemble_instruct.records import KINDS, Kind, Strategy, Utility

MOST_VOTERS = 16
"""That can answer one instance, samples and all."""


class InstructionsSection(Section):
    """Step 1."""

    target: PerKind = Field(default_factory=lambda: PerKind(input_output=100, output_only=100))
    demonstrations: PerKind = Field(default_factory=lambda: PerKind(input_output=24, output_only=10))
    machine_demonstrations: int = Field(default=4, ge=0)
    novelty_threshold: float = Field(default=0.7, gt=0, le=1)
    against: list[Annotated[Path, Field(strict=False)]] = Field(default_factory=list)
    """Datasets (JSONL or Parquet) that instructions must differ from too."""
    mean_similarity: bool = False
    """Record each instruction's mean score to the pool: a comparison with every one. `published` always does."""
    window: int = Field(default=64, ge=1)
    patience: int = Field(default=500, ge=1)
    """Step 1 ends early when so many replies in a row gave nothing new."""
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)

    @field_validator("target", "demonstrations", mode="before")
    @classmethod
    def _fill(cls, value: Any, info: ValidationInfo) -> Any:
        default = cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)
        return {**default.model_dump(), **value} if isinstance(value, dict) else value


class DemonstrationFiles(Section):
    """Files with a user's own demonstrations for step 2."""

    input_output: Path | None = Field(default=None, strict=False)
    output_only: Path | None = Field(default=None, strict=False)

    def of(self, kind: Kind) -> Path | None:
        """The file for one kind, or None for the bundled demonstrations."""
        return self.input_output if kind == "input_output" else self.output_only


class InstancesSection(Section):
    """Step 2."""

    demonstrations: DemonstrationFiles = Field(default_factory=DemonstrationFiles)
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)


class OutputsSection(Section):
    """Step 4."""

    samples: int | dict[str, int] = 1
    """Outputs of a model for an instance, each a voter; or so many of each model that is named."""
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)

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
UtilityWeights = dict[Utility, Annotated[float, Field(gt=0, allow_inf_nan=False)]]


class PerKindUtility(Section):
    """What agreement means for each kind of task: utilities and their weights."""

    input_output: UtilityWeights = Field(min_length=1)
    output_only: UtilityWeights = Field(min_length=1)

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
    """Step 5."""

    strategy: Strategy | None = None
    utility: PerKindUtility = Field(default_factory=lambda: PerKindUtility.model_validate(_ROUGE_L))
    embedding_model: Path | None = Field(default=None, strict=False)
    """Folder of a sentence encoder, for the utility `embedding`."""
    fusion: bool = False
    """Whether a model makes a further output out of those that there are; it votes like any other."""
    threshold: float = Field(default=0.01, ge=0, le=1)
    """What the lowest of three scores must exceed (strategies released, published, algorithm1)."""
    min_agreement: float | None = Field(default=None, ge=0, le=1)
    keep: float | None = Field(default=None, gt=0, le=1)

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
        if self.min_agreement is not None and self.keep is not None:
            raise ValueError("give either 'min_agreement' or 'keep', not both")
        return self
