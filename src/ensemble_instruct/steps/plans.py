"""What the steps of a run need besides the models, read from config and files before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from ensemble_instruct.agreement.embeddings import Embedder, require_encoder
from ensemble_instruct.agreement.ratings import Rater
from ensemble_instruct.agreement.rewards import RewardModel, require_reward_model
from ensemble_instruct.agreement.selection import Comparers
from ensemble_instruct.agreement.utilities import PURE, require_chrf
from ensemble_instruct.config.schema import Config
from ensemble_instruct.errors import InputFileError
from ensemble_instruct.files.dataset import open_dataset
from ensemble_instruct.models.known import AnswerOf, KnownAnswers
from ensemble_instruct.novelty.pool import NoveltyPool, tokens_of
from ensemble_instruct.prompts.folder import LABELS, load_prompts
from ensemble_instruct.prompts.forms import form_of
from ensemble_instruct.prompts.labels import Labels
from ensemble_instruct.quality.common_words import language_of
from ensemble_instruct.quality.filters import Filters, require_quality
from ensemble_instruct.records import KINDS, Demonstration, Kind, Profile
from ensemble_instruct.replies.worked_tasks.labels import Name
from ensemble_instruct.steps.instances import InstancesPlan
from ensemble_instruct.steps.instructions import InstructionsPlan
from ensemble_instruct.steps.judge import Verdicts
from ensemble_instruct.steps.outputs import OutputsPlan
from ensemble_instruct.steps.rating import Judge, JudgedRatings
from ensemble_instruct.steps.seed_tasks import load_demonstrations, load_seed_tasks, require_seed_tasks
from ensemble_instruct.steps.toxicity import ToxicityVerdicts
from ensemble_instruct.store.store import Store


@dataclass(frozen=True, slots=True)
class KindPlan:
    """All that the stream of one kind needs besides the models: read from the user's files before anything is asked."""

    instructions: InstructionsPlan
    instances: InstancesPlan
    labels: Mapping[str, Name] = field(default_factory=dict)
    """Words of the user's own before the parts of a worked example, for the reader of completions."""


def prepare(config: Config, kinds: Sequence[Kind] = KINDS) -> dict[Kind, KindPlan]:
    """The plans of those kinds that the config asks for; raises `InputFileError` for files that cannot be used.

    Raises `ConfigError` where an extra that the config needs is not installed.
    """
    require_quality(config.quality)
    if "chrf" in config.ensemble.utility.names:
        require_chrf()
    if "embedding" in config.ensemble.utility.names and config.ensemble.embedding_model is not None:
        require_encoder(config.ensemble.embedding_model)
    if config.strategy == "reward" and config.ensemble.reward_model is not None:
        require_reward_model(config.ensemble.reward_model)
    labels = load_prompts(config.prompts).labels.own_names
    tasks = load_seed_tasks(config.seed_tasks) if config.tasks is None else ()
    known = known_texts(config.instructions.against, config.profile, config.instructions.novelty_threshold)
    plans: dict[Kind, KindPlan] = {}
    for kind in kinds:
        if config.instructions.target.of(kind):
            needed = max(1, config.instructions.demonstrations.of(kind)) if config.tasks is None else 0
            seeds = require_seed_tasks(tasks, kind, needed, config.seed_tasks)
            plans[kind] = KindPlan(
                InstructionsPlan(
                    kind=kind,
                    seeds=tuple(seed.instruction for seed in seeds),
                    section=config.instructions,
                    profile=config.profile,
                    seed=config.seed,
                    known=known,
                ),
                instances_plan(config, kind),
                labels,
            )
    return plans


def foreign_examples(plans: Mapping[Kind, KindPlan]) -> list[str]:
    """What to say where the worked examples of step 2 are in another language than the seed tasks, a line each."""
    notes = []
    for kind, plan in plans.items():
        shown = (f"{each.instruction}\n{each.input}\n{each.output}" for each in plan.instances.demonstrations)
        theirs, ours = language_of(shown), language_of(plan.instructions.seeds)
        if ours and theirs and ours != theirs and plan.instructions.profile == "default":
            notes.append(
                f"the worked examples of step 2 for {kind} are in another language ({theirs}) than the seed tasks "
                f"({ours}); give some in that one with instances.demonstrations.{kind}"
            )
    return notes


def known_texts(paths: Sequence[Path], profile: Profile, threshold: float) -> NoveltyPool | None:
    """The texts of a user's datasets, from which instructions must differ; raises `InputFileError`."""
    if not paths:
        return None
    tables = [open_dataset(path) for path in paths]
    return NoveltyPool(chain.from_iterable(table.texts() for table in tables), threshold, tokens=tokens_of(profile))


def instances_plan(config: Config, kind: Kind) -> InstancesPlan:
    """What step 2 needs for a kind; raises `InputFileError` for demonstrations."""
    demonstrations = load_demonstrations(kind, config.instances.demonstrations.of(kind))
    labels = load_prompts(config.prompts).labels
    if labels.own_names:
        _require_unlike(demonstrations, labels, f"instances.demonstrations.{kind}")
    return InstancesPlan(kind, tuple(demonstrations), config.seed, config.instances.sampling)


def _require_unlike(demonstrations: Sequence[Demonstration], labels: Labels, where: str) -> None:
    """Raise `InputFileError` where a line of a worked example begins with a label, as which it would be read."""
    words = {label.lower(): label for label in labels.as_written.values()}
    for shown in demonstrations:
        for line in f"{shown.instruction}\n{shown.input}\n{shown.output}".lower().splitlines():
            if found := next(filter(line.lstrip().startswith, words), ""):
                raise InputFileError(
                    f"{where}: a line of a worked example begins with {words[found]!r}, a label in {LABELS}; change one"
                )


def outputs_plan(config: Config) -> OutputsPlan:
    """What step 4 needs besides the models."""
    return OutputsPlan(config.profile, config.seed, config.outputs.sampling)


def comparers_of(config: Config, store: Store) -> Comparers:
    """All utilities that the config has set up; a model of theirs is loaded when it is first needed.

    Raises `ConfigError` where the extra of `chrf` is wanted and not installed.
    """
    if "chrf" in config.ensemble.utility.names:
        require_chrf()
    comparers = dict(PURE)
    if config.ensemble.embedding_model is not None:
        comparers["embedding"] = Embedder(config.ensemble.embedding_model)
    if "judge" in config.ensemble.utility.names and config.roles.judge is not None:
        comparers["judge"] = Verdicts(known_answers(config, config.roles.judge, store.answer), store.path.parent)
    return comparers


def rater_of(config: Config, store: Store) -> Rater | None:
    """What rates outputs, where the strategy goes by ratings; a reward model is loaded when it is first needed."""
    if config.strategy == "reward" and config.ensemble.reward_model is not None:
        return RewardModel(config.ensemble.reward_model).of_rows
    judges = [Judge(name, known_answers(config, name, store.answer), config.voters_of(name)) for name in config.judges]
    return JudgedRatings(judges, store.path.parent) if judges else None


def filters_of(config: Config, answer_of: AnswerOf) -> Filters:
    """The quality filters that the config switches on; reads the benchmarks."""
    section = config.quality.toxicity
    return Filters(
        config.quality, None if section is None else ToxicityVerdicts(known_answers(config, section.model, answer_of))
    )


def known_answers(config: Config, name: str, answer_of: AnswerOf) -> KnownAnswers:
    """What a model of the config has answered."""
    section = config.models[name]
    form = form_of(section.endpoint, config.profile, load_prompts(config.prompts))
    return KnownAnswers(answer_of, section, config.profile, form)
