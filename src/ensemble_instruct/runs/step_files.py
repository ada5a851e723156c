"""Each step alone, from JSONL file to JSONL file, in the original's formats.

What a step drops is written next to its file, to `FILE.rejected.jsonl`. A step that asks a model keeps the answers in
a store (`FILE.db`), so that the same command resumes. Input files are checked whole before anything is asked or
written, then read a second time as the step goes on; rows wait on disk until all are made. So memory does not grow with
their number, except for what a step must know of the earlier rows: steps 1 and 3 their pool, step 5 the outputs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

from ensemble_instruct.agreement.embeddings import comparers_for
from ensemble_instruct.agreement.rewards import rater_for
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.agreement.voters.kept import KeptCounts
from ensemble_instruct.agreement.voters.learned import Voters
from ensemble_instruct.agreement.voters.seen import notes_on
from ensemble_instruct.concurrency import closing
from ensemble_instruct.config.quality import QualitySection
from ensemble_instruct.config.schema import Config, voters_for
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.files.destination import is_stream
from ensemble_instruct.files.jsonl import JsonRow, RowSpool
from ensemble_instruct.files.own_rows import plain_row
from ensemble_instruct.files.places import require_writable
from ensemble_instruct.files.rows import NumberedRow, checked_rows, read_rows
from ensemble_instruct.licences.policy import require_declared_admitted
from ensemble_instruct.models.model import Model
from ensemble_instruct.models.opening import open_models
from ensemble_instruct.models.structured import settle_form
from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.prompts.folder import load_prompts
from ensemble_instruct.quality.filters import Filters
from ensemble_instruct.records import (
    INSTANCE_VOTER,
    OF_THREE,
    Answered,
    Candidate,
    Completion,
    Example,
    Failure,
    Instance,
    Instruction,
    Kind,
    Profile,
    Rejected,
    Step,
)
from ensemble_instruct.replies.end_marker import without_marker
from ensemble_instruct.runs.empty_kinds import SelectionCounts, missing_examples, missing_rows
from ensemble_instruct.runs.folder import require_no_run_file
from ensemble_instruct.runs.recorder import FileSummary, Monitor, rejected_row
from ensemble_instruct.runs.selecting import config_selecting, require_finished, selected
from ensemble_instruct.steps.ensemble import select
from ensemble_instruct.steps.first_replies import FirstReplies
from ensemble_instruct.steps.instances import make_instances
from ensemble_instruct.steps.instructions import make_instructions
from ensemble_instruct.steps.outputs import make_outputs
from ensemble_instruct.steps.parse import UNREADABLE, Parser, completion_in, parse_completions
from ensemble_instruct.steps.plans import instances_plan, known_texts, outputs_plan, prepare
from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from ensemble_instruct.store.rows import example_row
from ensemble_instruct.store.store import Store, opened_store

Record = TypeVar("Record")
_INSTANCE = {"instruction": str, "input": str, "output": str}
"""The fields of a row of steps 3 and 4."""


async def instructions_to_file(
    config: Config, kind: Kind, *, to: Path, store_path: Path | None, monitor: Monitor, allow_code: bool = False
) -> FileSummary:
    """Step 1 → `{instruction, most_similar, avg_similarity_score, metadata, request_idx}`."""
    plan = prepare(config, [kind]).get(kind)
    if plan is None:
        raise ConfigError(f"instructions.target.{kind}: is 0; set it to the number of instructions wanted")
    async with _opened(config, config.roles.instructions, to, store_path, allow_code) as (store, model):
        await settle_form(model, store)
        monitor.started({model.name: model}, {kind: config.instructions.target.of(kind)})

        def row(instruction: Instruction) -> JsonRow:
            answer = store.answer(instruction.request_key)
            reply = "" if answer is None or isinstance(answer.outcome, Failure) else answer.outcome.text
            return {
                "instruction": instruction.text,
                "most_similar": dict(instruction.most_similar),
                "avg_similarity_score": instruction.mean_similarity,
                "metadata": {
                    "prompt": store.prompt(instruction.request_key),
                    "response": reply,
                    "seed": store.seed(instruction.request_key),
                },
                "request_idx": instruction.round,
            }

        first = FirstReplies("instructions", kind, model, config.profile)
        made = make_instructions(model, plan.instructions, first=first)
        return await _write(made, row, to, monitor, "instructions", asked=model, ascii_only=True)


async def instances_to_file(
    config: Config,
    kind: Kind,
    instructions: Path,
    *,
    to: Path,
    store_path: Path | None,
    monitor: Monitor,
    retry_failed: bool = False,
    allow_code: bool = False,
) -> FileSummary:
    """Step 2 → `{instruction, raw_instances}`, and `finish_reason` where the token limit cut a completion off."""
    require_writable(to, instructions)
    with checked_rows(instructions, {}, read_as=plain_row) as rows:
        plan = instances_plan(config, kind)
        async with _opened(config, config.roles.instances, to, store_path, allow_code, retry_failed) as (store, model):
            await settle_form(model, store)
            monitor.started({model.name: model}, {})

            def row(completion: Completion) -> JsonRow:
                columns = {"instruction": completion.instruction, "raw_instances": completion.text}
                if config.profile == "default" and completion.finish_reason == "length":
                    columns["finish_reason"] = "length"
                return columns

            text_of = str if config.profile == "published" else without_marker
            wanted = _each(Instruction(kind=kind, text=text_of(row["instruction"])) for _, row, _ in rows)
            records = make_instances(wanted, model, plan, model.window)
            return await _write(records, row, to, monitor, "instances", asked=model)


async def parse_files(
    instances: Sequence[Path],
    *,
    to: Path,
    profile: Profile,
    seed_tasks: Path | None,
    novelty_threshold: float,
    monitor: Monitor,
    kind: Kind | None = None,
    against: Sequence[Path] = (),
) -> FileSummary:
    """Step 3 → `{instruction, input, output}`: the completions of one or more files, in their order.

    Without a kind, a task has an input where its completion states one.
    """
    require_writable(to, *instances, *against, *filter(None, [seed_tasks]))
    with ExitStack() as files:
        fields, optional = {"instruction": str, "raw_instances": str}, {"finish_reason": str}
        row_files = [files.enter_context(checked_rows(path, fields, optional)) for path in instances]
        completions = (
            completion_in(row["raw_instances"], row["instruction"], kind, row.get("finish_reason", "stop"), profile)
            for rows in row_files
            for _, row, _ in rows
        )
        tasks = load_seed_tasks(seed_tasks) if profile == "default" else ()
        seeds = [task.instruction for task in tasks if kind in (None, task.kind)]
        known = known_texts(against, profile, novelty_threshold)
        parser = Parser(profile, NoveltyPool(seeds, novelty_threshold, base=known), novelty_threshold)
        read: Counter[bool] = Counter()

        async def counted() -> AsyncGenerator[Instance | Rejected, None]:
            async with closing(parse_completions(_each(completions), parser)) as records:
                async for record in records:
                    if isinstance(record, Instance) or record.reason not in (*UNREADABLE, "further_example"):
                        read[record.follow_on > 0] += 1
                    yield record

        summary = await _write(counted(), _instance_row, to, monitor, "parse", ascii_only=True)
    total = sum(len(rows) for rows in row_files)
    summary.note = f"read {read[False]} first examples and {read[True]} follow-on tasks in {total} completions"
    return summary


async def outputs_to_file(
    config: Config,
    model_name: str,
    instances: Path,
    *,
    to: Path,
    store_path: Path | None,
    monitor: Monitor,
    retry_failed: bool = False,
    allow_code: bool = False,
    sample: int = 1,
) -> FileSummary:
    """Step 4 for one model, or one `sample` of it (from 1) → `{instruction, input, output}`, in their order."""
    require_writable(to, instances)
    voters = voters_for(model_name, config.outputs.samples_of(model_name))
    if sample > len(voters):
        raise UsageError(f"--sample {sample}: outputs.samples gives {len(voters)} of {model_name}; choose one of them")
    with checked_rows(instances, {}, read_as=plain_row) as rows:
        async with _opened(config, model_name, to, store_path, allow_code, retry_failed) as (_, model):
            monitor.started({model.name: model}, {})

            def row(answered: Answered) -> JsonRow:
                instance, (candidate,) = answered
                return {"instruction": instance.instruction, "input": instance.input, "output": candidate.text}

            async def with_candidate() -> AsyncGenerator[Answered | Rejected, None]:
                wanted = _each(_instances(rows))
                answered = make_outputs(wanted, [(voters[sample - 1], model)], outputs_plan(config), model.window)
                async with closing(answered) as records:
                    async for record in records:
                        if isinstance(record, Rejected) or record[1]:
                            yield record

            return await _write(with_candidate(), row, to, monitor, "outputs")


async def ensemble_files(
    instances: Path,
    outputs: Sequence[Path],
    *,
    to: Path,
    selection: Selection,
    monitor: Monitor,
    embedding_model: Path | None = None,
    reward_model: Path | None = None,
    quality: QualitySection | None = None,
) -> FileSummary:
    """Step 5 → `{instruction, input, output}`. Outputs are joined by instruction and input, not by line."""
    comparers, model = comparers_for(selection.weights, embedding_model), rater_for(selection.strategy, reward_model)
    section = quality or QualitySection()
    require_writable(to, instances, *outputs, *section.decontaminate)
    filters, rater = Filters(section), model.of_rows if model else None
    as_original = selection.strategy in OF_THREE  # it strips each text as it reads its files
    if as_original and len(outputs) != 2:
        raise UsageError(f"--strategy {selection.strategy}: needs exactly two --outputs; use balanced or consensus")
    with checked_rows(instances, _INSTANCE) as rows:
        voters = [(_voter_name(path, outputs), _read_outputs(path, as_original)) for path in outputs]
        places: Counter[str] = Counter()

        def answered() -> Iterator[Answered]:
            places.clear()
            for instance in _instances(rows, as_original):
                place = places[instance.id]
                places[instance.id] += 1
                # the same instance may be there several times: its n-th row goes with the n-th output of each voter
                outputs_of = ((name, texts.get(instance.id, [])) for name, texts in voters)
                there = (Candidate(instance.id, name, texts[place]) for name, texts in outputs_of if place < len(texts))
                yield Answered(instance, tuple(there))

        kept, learned = KeptCounts(), [Voters()]

        def counted() -> Iterator[Example | Rejected]:
            for record in select(answered, selection, comparers, filters, rater, learned.append):
                kept.add(record)
                yield record

        def row(example: Example) -> JsonRow:
            return {**_instance_row(example.instance), "output": example.output}

        summary = await _write(_each(counted()), row, to, monitor, "ensemble", ascii_only=True)
    unmatched = [(name, sum(len(rows[places[at] :]) for at, rows in texts.items())) for name, texts in voters]
    notes = [f"{name}: {count} rows belong to no instance" for name, count in unmatched if count]
    summary.note = "; ".join([*notes, *filter(None, [str(kept)])])
    summary.voter_notes = notes_on(learned[-1], kept.kept)
    return summary


async def select_to_file(
    folder: Path,
    to: Path,
    monitor: Monitor,
    selection: Selection,
    *,
    embedding_model: Path | None = None,
    reward_model: Path | None = None,
    overrides: Sequence[str] = (),
    decontaminate: Sequence[Path] = (),
) -> FileSummary:
    """Step 5 of a finished run → rows as in its `examples.jsonl`, which stays as it is, like the run's other files.

    The settings are those of `select_anew`; the run does not keep them.
    """
    config = config_selecting(folder, selection, embedding_model, reward_model, overrides, decontaminate)
    require_no_run_file(to, folder)
    require_writable(to, *config.quality.decontaminate)
    counts, kept, learned = SelectionCounts(), KeptCounts(), [Voters()]
    with opened_store(folder / "run.db") as store:
        require_finished(config, store, folder)

        def counted() -> Iterator[Example | Rejected]:
            for record in selected(config, store, learned.append):
                kept.add(record)
                kind, why = (record.instance.kind, "") if isinstance(record, Example) else (record.kind, record.reason)
                if kind is not None:
                    counts[kind, why] += 1
                yield record

        summary = await _write(_each(counted()), example_row, to, monitor, "ensemble")
    summary.missing = missing_examples(folder, counts, _rejected_path(to))
    summary.note = str(kept)
    summary.voter_notes = notes_on(learned[-1], kept.kept)
    return summary


def _instances(rows: Iterable[NumberedRow], is_stripped: bool = False) -> Iterator[Instance]:
    for _, row, _ in rows:
        instruction, task_input, output = (row[name].strip() if is_stripped else row[name] for name in _INSTANCE)
        kind: Kind = "input_output" if task_input.strip() else "output_only"
        yield Instance(kind=kind, instruction=instruction, input=task_input, output=output)


def _read_outputs(path: Path, is_stripped: bool) -> dict[str, list[str]]:
    """The outputs of one voter by instance id; the same instruction and input may be there several times."""
    texts: dict[str, list[str]] = defaultdict(list)
    for instance in _instances(read_rows(path, _INSTANCE), is_stripped):
        texts[instance.id].append(instance.output)
    return texts


def _voter_name(path: Path, paths: Sequence[Path]) -> str:
    if list(paths).count(path) > 1:
        raise UsageError(f"--outputs {path}: is named twice; each file is one voter")
    alone = [INSTANCE_VOTER, *(other.stem for other in paths)].count(path.stem) == 1
    return path.stem if alone else str(path)


def _instance_row(instance: Instance) -> JsonRow:
    return {"instruction": instance.instruction, "input": instance.input, "output": instance.output}


@asynccontextmanager
async def _opened(
    config: Config, name: str, to: Path, store_path: Path | None, allow_code: bool, retry_failed: bool = False
) -> AsyncIterator[tuple[Store, Model]]:
    """The store next to the file, and the one model that the step asks."""
    if name not in config.models:
        raise ConfigError(f"--model {name}: no such model in the config; there are {', '.join(config.models)}")
    require_declared_admitted(config, name)
    if store_path is None and is_stream(to):
        raise UsageError(f"--store: is missing; name where the answers are kept, as --to {to} is no file")
    path = store_path or to.with_name(f"{to.name}.db")
    demonstrations = config.instances.demonstrations
    named = (config.seed_tasks, demonstrations.input_output, demonstrations.output_only, config.models[name].replies)
    require_writable(to, path, *config.instructions.against, *filter(None, named))
    require_writable(path)
    prompts, new = load_prompts(config.prompts), not path.exists()
    with opened_store(path) as store:
        if retry_failed:
            store.forget_failures()
            await store.flush()
        sections = {name: config.models[name]}
        async with open_models(
            sections, store, check=new, allow_code=allow_code, profile=config.profile, prompts=prompts
        ) as models:
            yield store, models[name]


async def _each(values: Iterable[Record]) -> AsyncGenerator[Record, None]:
    for value in values:
        yield value


async def _write(
    records: AsyncIterable[Record | Rejected],
    row: Callable[[Record], JsonRow],
    to: Path,
    monitor: Monitor,
    step: Step,
    *,
    asked: Model | None = None,
    ascii_only: bool = False,
) -> FileSummary:
    """Write the kept records to `to` and the drops next to it, both whole; count them. Beside a stream are no drops."""
    summary = FileSummary()
    drops_path = _rejected_path(to)
    with RowSpool(to, ascii_only=ascii_only) as rows, RowSpool(drops_path) if drops_path else nullcontext() as drops:
        async with closing(records) as source:
            async for record in source:
                if isinstance(record, Rejected):
                    summary.dropped[record.reason] += 1
                    if drops is not None:
                        drops.add(rejected_row(record))
                    monitor.counted(None, record.step, record.reason)
                else:
                    rows.add(row(record))
                    monitor.counted(None, step, "")
        rows.save()
        if drops is not None and drops.count:
            drops.save()
        elif drops_path is not None:
            drops_path.unlink(missing_ok=True)
    summary.written = rows.count
    summary.missing = "" if rows.count else missing_rows(step, summary.dropped, drops_path, asked)
    return summary


def _rejected_path(to: Path) -> Path | None:
    """The file of what a step dropped that writes `to`; None where that is a stream."""
    return None if is_stream(to) else to.with_name(f"{to.name}.rejected.jsonl")
