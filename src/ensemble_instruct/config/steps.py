"""The part of a config that says how step 5 decides."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from ensemble_instruct.config.section import Section
from ensemble_instruct.records import KINDS, Kind, Strategy, Utility

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
