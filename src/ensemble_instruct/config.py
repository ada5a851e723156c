"""The config of a run: its sections, what each key means, and what makes a config valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ensemble_instruct.config_models import ModelSection
from ensemble_instruct.config_models import Section as _Section
from ensemble_instruct.records import DEFAULT_STRATEGY, INSTANCE_VOTER, OF_THREE, Kind, Profile, Sampling, Strategy


class PerKind(_Section):
    """A number for each kind of task."""

    input_output: int = Field(ge=0)
    output_only: int = Field(ge=0)

    def of(self, kind: Kind) -> int:
        """The number for one kind."""
        return self.input_output if kind == "input_output" else self.output_only


class SamplingOverrides(_Section):
    """Sampling settings of a step; what is left out stays as the paper has it."""

    max_tokens: int | None = Field(default=None, ge=1)
    min_tokens: int | None = Field(default=None, ge=0)
    temperature: float | None = Field(default=None, ge=0)
    top_k: int | None = Field(default=None, ge=1)
    top_p: float | None = Field(default=None, gt=0, le=1)

    def applied_to(self, sampling: Sampling) -> Sampling:
        """The sampling with the settings that are given here."""
        return replace(sampling, **{name: value for name, value in self if value is not None})


class InstructionsSection(_Section):
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


class DemonstrationFiles(_Section):
    """Files with a user's own demonstrations for step 2."""

    input_output: Path | None = Field(default=None, strict=False)
    output_only: Path | None = Field(default=None, strict=False)

    def of(self, kind: Kind) -> Path | None:
        """The file for one kind, or None for the bundled demonstrations."""
        return self.input_output if kind == "input_output" else self.output_only


class InstancesSection(_Section):
    """Step 2."""

    demonstrations: DemonstrationFiles = Field(default_factory=DemonstrationFiles)
    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)


class OutputsSection(_Section):
    """Step 4."""

    sampling: SamplingOverrides = Field(default_factory=SamplingOverrides)


class Roles(_Section):
    """Which model does which step."""

    instructions: str
    instances: str
    outputs: list[str] = Field(min_length=1, max_length=16)


class EnsembleSection(_Section):
    """Step 5."""

    strategy: Strategy | None = None
    threshold: float = Field(default=0.01, ge=0, le=1)
    """What the lowest of three scores must exceed (strategies released, published, algorithm1)."""
    min_agreement: float | None = Field(default=None, ge=0, le=1)
    keep: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _one_selection(self) -> EnsembleSection:
        if self.min_agreement is not None and self.keep is not None:
            raise ValueError("give either 'min_agreement' or 'keep', not both")
        return self


class Config(_Section):
    """A whole run."""

    seed: int = 42
    profile: Profile = "default"
    seed_tasks: Path | None = Field(default=None, strict=False)
    instructions: InstructionsSection = Field(default_factory=InstructionsSection)
    instances: InstancesSection = Field(default_factory=InstancesSection)
    outputs: OutputsSection = Field(default_factory=OutputsSection)
    models: dict[str, ModelSection] = Field(min_length=1)
    roles: Roles
    ensemble: EnsembleSection = Field(default_factory=EnsembleSection)

    @property
    def strategy(self) -> Strategy:
        """The strategy named, or the profile's own: `balanced`, and `released` for `published`."""
        return self.ensemble.strategy or ("released" if self.profile == "published" else DEFAULT_STRATEGY)

    def with_against(self, paths: Iterable[Path]) -> Config:
        """The same config, with further datasets that instructions must differ from."""
        known = dict.fromkeys([*self.instructions.against, *(path.absolute() for path in paths)])
        section = self.instructions.model_copy(update={"against": list(known)})
        return self.model_copy(update={"instructions": section})

    @property
    def used_models(self) -> tuple[str, ...]:
        """Names of the models that have a role, each once, generator first."""
        return tuple(dict.fromkeys([self.roles.instructions, self.roles.instances, *self.roles.outputs]))

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for role, name in self._named():
            if name not in self.models:
                near = difflib.get_close_matches(name, self.models, n=1, cutoff=0.0)[0]
                raise PydanticCustomError(
                    "role", "no model is called '{name}'; did you mean '{near}'?",
                    {"key": f"roles.{role}", "name": name, "near": near},
                )  # fmt: skip
        if INSTANCE_VOTER in self.models:
            raise PydanticCustomError(
                "role", "the name is taken: so the instance's own output is called; choose another",
                {"key": f"models.{INSTANCE_VOTER}"},
            )  # fmt: skip
        for name in self.roles.outputs:
            if self.roles.outputs.count(name) > 1:
                raise PydanticCustomError(
                    "role", "voter '{name}' is named twice; each votes once", {"key": "roles.outputs", "name": name}
                )
        if self.strategy in OF_THREE and len(self.roles.outputs) != 2:
            raise PydanticCustomError(
                "strategy", "strategy '{name}' needs exactly two voters beside the instance; use balanced or consensus",
                {"key": "roles.outputs", "name": self.strategy},
            )  # fmt: skip
        return self

    def _named(self) -> Iterator[tuple[str, str]]:
        yield "instructions", self.roles.instructions
        yield "instances", self.roles.instances
        for name in self.roles.outputs:
            yield "outputs", name
