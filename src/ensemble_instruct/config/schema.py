"""The config of a run: its sections, what each key means, and what makes a config valid."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import LiteralString

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from ensemble_instruct.config.licenses import LicensesSection
from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.config.section import Section
from ensemble_instruct.config.steps import (
    MOST_VOTERS,
    EnsembleSection,
    InstancesSection,
    InstructionsSection,
    OutputsSection,
)
from ensemble_instruct.records import (
    DEFAULT_STRATEGY,
    DEFAULT_STRATEGY_ELSE,
    FUSION_VOTER,
    INSTANCE_VOTER,
    KINDS,
    OF_THREE,
    Kind,
    OwnForm,
    Profile,
    Sampling,
    Strategy,
    Voter,
)


class Roles(Section):
    """Which model does which step; each is a name from `models`."""

    instructions: str = ""
    """The model of step 1, which writes instructions: a base model over completions, or a chat model over chat."""
    instances: str = ""
    """The model of step 2, which writes instances, usually the same one as in step 1."""
    outputs: list[str] = Field(min_length=1, max_length=MOST_VOTERS)
    """The models of step 4, one to sixteen: the voters; the instance's own output votes too."""
    judge: str | None = None
    """The model that compares outputs; the utility `judge` needs it."""
    judges: list[str] | None = Field(default=None, min_length=1)
    """The models that rate outputs (strategy `judged`); null: the one in `judge`, or else the models of `outputs`.

    None of them rates its own output.
    """
    fusion: str | None = None
    """The model that makes one more output out of the others; `ensemble.fusion` needs it."""
    merged: list[str] = Field(default_factory=list)
    """Models that did other steps of the runs that a merged run is made of; written by `merge`."""


class Config(Section):
    """A whole run."""

    seed: int = 42
    """Decides which demonstrations a prompt shows, and the sampling seed of each request."""
    tasks: OwnForm | None = None
    """What the run begins with: null, it makes its own; `instructions` or `instances`: yours, which the option of that
    name of `run` gives, and then `roles` needs no model for the steps before.
    """
    profile: Profile = "default"
    """`default`, or `published`: the original program's rules to the byte."""
    seed_tasks: Path | None = Field(default=None, strict=False)
    """Your own seed tasks (JSONL, Self-Instruct's schema); null: the 175 bundled ones."""
    prompts: Path | None = Field(default=None, strict=False)
    """Folder of your own prompts, as `init --prompts FOLDER` writes it; the bundled ones for files that it lacks."""
    instructions: InstructionsSection = Field(default_factory=InstructionsSection)
    """Step 1: how many instructions are made, and how new each must be."""
    instances: InstancesSection = Field(default_factory=InstancesSection)
    """Step 2: how instances are asked for."""
    outputs: OutputsSection = Field(default_factory=OutputsSection)
    """Step 4: how the voters answer."""
    models: dict[str, ModelSection] = Field(min_length=1)
    """The language models, by names of your choice, under which `roles` and the records know them."""
    roles: Roles
    """Which model does which step; each is a name from `models`."""
    ensemble: EnsembleSection = Field(default_factory=EnsembleSection)
    """Step 5: which output of each instance is selected, and which examples are kept."""
    quality: QualitySection = Field(default_factory=QualitySection)
    """Filters of step 5; all are off by default."""
    licenses: LicensesSection = Field(default_factory=LicensesSection)
    """Which licences may be used, and those of your own files."""

    @property
    def strategy(self) -> Strategy:
        """The strategy named; else `released` in profile `published`, `vouched` for `rouge-l`, `balanced` otherwise."""
        if self.ensemble.strategy is not None:
            return self.ensemble.strategy
        if self.profile == "published":
            return "released"
        return DEFAULT_STRATEGY if self.ensemble.utility.names == {"rouge-l"} else DEFAULT_STRATEGY_ELSE

    @property
    def twins(self) -> dict[str, str]:
        """Voters that are another one under a second name, which is asked the same: each with that one."""
        first: dict[tuple[object, ...], str] = {}
        step = self.outputs.sampling.applied_to(Sampling(max_tokens=0))  # 0: what the step has, whatever it is
        own = {
            voter.name: (model.identity, model.system, model.sampling.applied_to(step), voter.sample, voter.of)
            for voter in self.voters
            for model in [self.models[voter.model]]
        }
        return {name: first[asked] for name, asked in own.items() if first.setdefault(asked, name) != name}

    @property
    def twin_judges(self) -> dict[str, str]:
        """Judges that are another one under a second name: each with that one."""
        first: dict[tuple[str, ...], str] = {}
        own = {name: self.models[name].voice for name in self.judges}
        return {name: first[asked] for name, asked in own.items() if first.setdefault(asked, name) != name}

    @property
    def trust(self) -> dict[str, float]:
        """How much the user trusts each voter, for those whose model has another `weight` than 1."""
        models = {voter.name: voter.model for voter in self.voters} | self._writer
        if self.roles.fusion is not None:
            models[FUSION_VOTER] = self.roles.fusion
        return {voter: self.models[model].weight for voter, model in models.items() if self.models[model].weight != 1}

    def with_against(self, paths: Iterable[Path]) -> Config:
        """The same config, with further datasets that instructions must differ from."""
        known = dict.fromkeys([*self.instructions.against, *(path.absolute() for path in paths)])
        section = self.instructions.model_copy(update={"against": list(known)})
        return self.model_copy(update={"instructions": section})

    def with_decontaminate(self, paths: Iterable[Path]) -> Config:
        """The same config, with further benchmarks that examples must not hold."""
        return self.model_copy(update={"quality": self.quality.with_benchmarks(paths)})

    @property
    def used_models(self) -> tuple[str, ...]:
        """Names of the models that have a role, each once, generator first."""
        return tuple(dict.fromkeys(name for _, name in self._named()))

    @property
    def _writer(self) -> dict[str, str]:
        """The model that gives an instance its own output, under the name by which that votes, if there is one."""
        return {} if self.tasks == "instances" else {INSTANCE_VOTER: self.roles.instances}

    def with_tasks(self, tasks: OwnForm, counts: Mapping[Kind, int]) -> Config:
        """The same config for a run that begins with that number of the user's own tasks."""
        target = self.instructions.target.model_copy(update={kind: counts.get(kind, 0) for kind in KINDS})
        section = self.instructions.model_copy(update={"target": target})
        return self.model_copy(update={"tasks": tasks, "instructions": section})

    @property
    def voters(self) -> tuple[Voter, ...]:
        """Who answers each instance in step 4, in the order of the roles; samples of one model after each other."""
        return tuple(voter for name in self.roles.outputs for voter in voters_for(name, self.outputs.samples_of(name)))

    @property
    def voter_names(self) -> tuple[str, ...]:
        """The names of all whose outputs step 5 compares with the instance's own."""
        return (*(voter.name for voter in self.voters), *([FUSION_VOTER] if self.ensemble.fusion else []))

    @property
    def judges(self) -> tuple[str, ...]:
        """The models that rate outputs, each once; nobody where the strategy is another than `judged`."""
        if self.strategy != "judged":
            return ()
        alone = [self.roles.judge] if self.roles.judge is not None else None
        return tuple(dict.fromkeys(self.roles.judges or alone or self.roles.outputs))

    def voters_of(self, model: str) -> frozenset[str]:
        """The names under which a model votes: samples, the instance's own output and the fusion may be its own too.

        A model that the config has under several names is one.
        """
        written_by = {voter.name: voter.model for voter in self.voters} | self._writer
        if self.ensemble.fusion and self.roles.fusion is not None:
            written_by[FUSION_VOTER] = self.roles.fusion
        same = self.models[model].identity
        return frozenset(voter for voter, name in written_by.items() if self.models[name].identity == same)

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        for role, name in self._named(unused=True):
            if not name:
                raise PydanticCustomError(
                    "role", "is missing; name a model, or begin with {what} of your own: run --{what} FILE",
                    {"key": f"roles.{role}", "what": role},
                )  # fmt: skip
            if name not in self.models:
                near = difflib.get_close_matches(name, self.models, n=1, cutoff=0.0)[0]
                raise PydanticCustomError(
                    "role", "no model is called '{name}'; did you mean '{near}'?",
                    {"key": role if "." in role else f"roles.{role}", "name": name, "near": near},
                )  # fmt: skip
        self._require_free_names()
        self._require_default_profile()
        self._require_helpers()
        self._require_samples()
        self._require_each_once("roles.outputs", self.voter_names, "voter '{name}' is named twice; each votes once")
        self._require_each_once("roles.judges", self.roles.judges or (), "'{name}' is named twice; each rates once")
        if self.strategy in OF_THREE and len(self.voter_names) != 2:
            raise PydanticCustomError(
                "strategy", "strategy '{name}' needs exactly two voters beside the instance; use balanced or consensus",
                {"key": "roles.outputs", "name": self.strategy},
            )  # fmt: skip
        return self

    @staticmethod
    def _require_each_once(key: str, names: Sequence[str], problem: LiteralString) -> None:
        for name in names:
            if names.count(name) > 1:
                raise PydanticCustomError("role", problem, {"key": key, "name": name})

    def _require_free_names(self) -> None:
        taken = {INSTANCE_VOTER: "the instance's own output", FUSION_VOTER: "what is made out of the others"}
        for name in self.models:
            if name in taken:
                raise PydanticCustomError(
                    "role", "the name is taken: so {what} is called; choose another",
                    {"key": f"models.{name}", "what": taken[name]},
                )  # fmt: skip

    def _require_default_profile(self) -> None:
        """The default profile, where there is what the original did not have."""
        extras = {
            "ensemble.fusion": self.ensemble.fusion,
            "instructions.filters": self.instructions.filters is not None,
            "prompts": self.prompts is not None,
        }
        for key, is_set in extras.items():
            if is_set and self.profile == "published":
                name = "prompts of your own" if key == "prompts" else key.partition(".")[2]
                raise PydanticCustomError(
                    "published", "the profile 'published' has no {name}; take the default profile, or leave it out",
                    {"key": key, "name": name},
                )  # fmt: skip

    def _require_helpers(self) -> None:
        """A judge and a model for fusion, where they are needed, and judges that can rate."""
        needed = {"judge": "judge" in self.ensemble.utility.names, "fusion": self.ensemble.fusion}
        for role, is_needed in needed.items():
            if is_needed and getattr(self.roles, role) is None:
                raise PydanticCustomError(
                    "role", "'ensemble' needs a model for it; name one of {models}",
                    {"key": f"roles.{role}", "models": ", ".join(self.models)},
                )  # fmt: skip

        if list(self.judges) == self.roles.outputs == self.roles.outputs[:1] and not self.ensemble.fusion:
            raise PydanticCustomError(
                "role", "'{name}' is the only judge and the only voter, and rates nothing of its own; name others",
                {"key": "roles.judges", "name": self.judges[0]},
            )  # fmt: skip

    def _require_samples(self) -> None:
        samples = self.outputs.samples
        unknown = sorted(set(samples) - set(self.roles.outputs)) if isinstance(samples, dict) else []
        problem = ""
        if unknown:
            problem = f"'{unknown[0]}' is none of roles.outputs"
        elif len(self.voters) > MOST_VOTERS:
            problem = f"{len(self.voters)} voters in all; at most {MOST_VOTERS} can vote"
        elif greedy := self._greedy_samples():
            problem = f"samples at temperature 0 are all the same; set {greedy}.sampling.temperature above 0"
        if problem:
            raise PydanticCustomError("samples", "{problem}", {"key": "outputs.samples", "problem": problem})

    def _greedy_samples(self) -> str:
        """The section by which a model gives samples at temperature 0, or nothing."""
        for voter in self.voters:
            own, step = self.models[voter.model].sampling.temperature, self.outputs.sampling.temperature
            if voter.of > 1 and (step if own is None else own) == 0:
                return "outputs" if own is None else f"models.{voter.model}"
        return ""

    def _named(self, *, unused: bool = False) -> Iterator[tuple[str, str]]:
        """Roles and models, with `unused` also those that the settings of step 5 have no use for."""
        if self.tasks is None:
            yield "instructions", self.roles.instructions
        if self.tasks != "instances":
            yield "instances", self.roles.instances
        for name in self.roles.outputs:
            yield "outputs", name
        if (unused or self.ensemble.fusion) and self.roles.fusion is not None:
            yield "fusion", self.roles.fusion
        if (unused or "judge" in self.ensemble.utility.names) and self.roles.judge is not None:
            yield "judge", self.roles.judge
        for name in (self.roles.judges or ()) if unused else self.judges:
            yield "judges", name
        if self.quality.toxicity is not None:
            yield "quality.toxicity.model", self.quality.toxicity.model
        for name in self.roles.merged:
            yield "merged", name


def voters_for(model: str, samples: int) -> tuple[Voter, ...]:
    """The voters that a model is: itself, or each of its samples."""
    if samples == 1:
        return (Voter(model, model),)
    return tuple(Voter(f"{model}#{number + 1}", model, number, samples) for number in range(samples))
