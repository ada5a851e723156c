"""What all sections of a config have in common, and the values that several of them hold."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from ensemble_instruct.config.keys import IN_PLACE_OF_KEY, OF_RUN, place_of_key
from ensemble_instruct.records import Kind, Sampling

_MOST_COMPARED = 80
"""Letters of an unknown key by which the nearest known one is found."""


class Section(BaseModel):
    """Keys and values; a key that is not known is refused, with the nearest one that is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)
    """`defer_build`, and defaults by factories: pydantic compiles the whole config once, when one is read."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    near = difflib.get_close_matches(str(key)[:_MOST_COMPARED], cls.model_fields, n=1, cutoff=0.0)
                    raise PydanticCustomError(
                        "unknown_key", "unknown key; did you mean '{near}'?", {"key": str(key), "near": near[0]}
                    )
        return values

    @model_validator(mode="before")
    @classmethod
    def _without_keys(cls, values: Any, info: ValidationInfo) -> Any:
        if info.context != OF_RUN and (place := place_of_key(values)) is not None:
            raise PydanticCustomError("inner_key", "{problem}", {"keys": place, "problem": IN_PLACE_OF_KEY})
        return values


class PerKind(Section):
    """A number for each kind of task."""

    input_output: int = Field(ge=0)
    """The number for tasks with an input."""
    output_only: int = Field(ge=0)
    """The number for tasks without an input."""

    def of(self, kind: Kind) -> int:
        """The number for one kind."""
        return self.input_output if kind == "input_output" else self.output_only


class SamplingOverrides(Section):
    """Sampling settings of a step; what is null stays as the step has it."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of a reply."""
    min_tokens: int | None = Field(default=None, ge=0)
    """Tokens before which a reply does not end."""
    temperature: float | None = Field(default=None, ge=0)
    """0 is greedy: the likeliest token each time."""
    top_k: int | None = Field(default=None, ge=1)
    """A token is drawn from this many likeliest ones."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """A token is drawn from the likeliest ones that have this probability together."""

    def applied_to(self, sampling: Sampling) -> Sampling:
        """The sampling with the settings of this section that are not null."""
        return replace(sampling, **{name: value for name, value in self if value is not None})


class ModelSampling(SamplingOverrides):
    """Sampling settings of one model, laid over those of each step; what is null stays as the step has it."""

    min_p: float | None = Field(default=None, ge=0, le=1)
    """A token is not drawn whose probability is below this share of the likeliest one's."""
    presence_penalty: float | None = Field(default=None, allow_inf_nan=False)
    """How much less likely a token gets once it is in the reply; below 0, more likely."""
    frequency_penalty: float | None = Field(default=None, allow_inf_nan=False)
    """How much less likely a token gets with each time that it is in the reply; below 0, more likely."""
    repetition_penalty: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """By what factor a token gets less likely that is in the prompt or in the reply; 1 changes nothing."""
    reasoning_effort: str | None = Field(default=None, min_length=1)
    """How much the model shall think, in a word that its server knows, such as `low` or `none`."""
