"""Exports of 10,000 examples in the programs that train on them: `datasets`, TRL, axolotl (`make test-trainers`).

It is no part of the test suite: it needs these programs, which are large. Trainers get a model with random weights and
take one step; what counts is that their own code reads, checks, formats and tokenizes every row.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.store.rows import example_row
from tests.conftest import COMMAND, rows
from tests.support.made_run import made_examples, make_run

SIZE = 10_000
SYSTEM = "Answer in one word."
SPLIT = "train=0.95,test=0.05"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
EXPORTS = {
    "original.jsonl": ["--format", "original"],
    "alpaca.jsonl": ["--format", "alpaca"],
    "alpaca.json": ["--format", "alpaca"],
    "messages.jsonl": ["--format", "messages"],
    "system.jsonl": ["--format", "messages", "--system", SYSTEM],
    "pairs.jsonl": ["--format", "prompt-completion"],
    "preference.jsonl": ["--format", "preference"],
    "preference.parquet": ["--format", "preference"],
    "examples.parquet": ["--format", "parquet"],
    "lines/": ["--format", "messages", "--split", SPLIT],
    "shards/": ["--format", "parquet", "--split", SPLIT, "--shard-size", "1MB", "--candidates"],
    "named/": ["--format", "messages", "--split", "fit=0.9,held_out=0.1"],
    "empty/": ["--format", "parquet", "--split", "train=0.99999999,test=0.00000001"],
    "hub-messages/": ["--format", "hub", "--dry-run", "--split", SPLIT],
    "hub-pairs/": ["--format", "hub", "--dry-run", "--split", SPLIT, "--rows", "prompt-completion"],
    "hub-preference/": ["--format", "hub", "--dry-run", "--split", SPLIT, "--rows", "preference"],
    "hub-alpaca/": ["--format", "hub", "--dry-run", "--rows", "alpaca"],
}


@pytest.fixture(autouse=True)
def _caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every export of a run."""
    folder = tmp_path_factory.mktemp("exports")
    make_run(folder / "run", made_examples(SIZE))
    for name, given in EXPORTS.items():
        subprocess.run([COMMAND, "export", "run", *given, "--to", name], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """A token for each byte, and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<|im_start|>", "<|im_end|>", "<|pad|>"]
    names = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *special]
    made = Tokenizer(models.BPE({name: number for number, name in enumerate(names)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special)
    found = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|pad|>")
    found.chat_template = CHAT_TEMPLATE
    return found


@pytest.fixture
def model(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=512, **size))


def loaded(path: Path, *more: str) -> Any:
    """A file or a folder as `datasets` loads it."""
    from datasets import load_dataset

    if path.is_dir():
        return load_dataset(str(path), *more)
    builder = "parquet" if path.suffix == ".parquet" else "json"
    return load_dataset(builder, data_files=str(path), split="train")


def task(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("instruction", "input", "output")}


@pytest.fixture(scope="module")
def made() -> list[dict[str, Any]]:
    """The examples of the run."""
    return [example_row(example) for example in made_examples(SIZE)]


@pytest.mark.parametrize("name", [name for name in EXPORTS if not name.endswith("/")])
def test_datasets_loads_a_file_with_all_its_rows(place: Path, name: str, made: list[dict[str, Any]]) -> None:
    found = loaded(place / name).to_list()
    assert len(found) == SIZE
    if name.endswith(".jsonl"):
        assert found == rows(place / name)
    elif name == "alpaca.json":
        assert found == [task(row) for row in made]


@pytest.mark.parametrize("name", [name for name in EXPORTS if name.endswith("/") and name != "empty/"])
def test_datasets_loads_a_folder_with_its_splits(place: Path, name: str, made: list[dict[str, Any]]) -> None:
    found = loaded(place / name)
    splits = {"hub-alpaca/": ["train"], "named/": ["fit", "held_out"]}
    assert list(found) == splits.get(name, ["train", "test"])
    assert sum(split.num_rows for split in found.values()) == SIZE
    if name not in ("lines/", "named/"):
        known = {row["id"] for row in made}
        assert {row_id for split in found.values() for row_id in split["id"]} == known


def test_datasets_loads_a_folder_of_which_a_split_got_nothing(place: Path) -> None:
    assert {name: split.num_rows for name, split in loaded(place / "empty").items()} == {"train": SIZE}


def test_datasets_loads_a_folder_anew_when_it_has_changed(tmp_path: Path) -> None:
    """And another one of the same name, which is what it keeps what was loaded by."""
    for size, name in ((20, "run-a"), (30, "run-b"), (30, "run-a")):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        make_run(tmp_path / name, made_examples(size))
        given = ["--format", "hub", "--dry-run"]
        subprocess.run([COMMAND, "export", name, *given], cwd=tmp_path, check=True, capture_output=True)
        assert loaded(tmp_path / name / "hub")["train"].num_rows == size


@pytest.mark.parametrize("name", ["hub-messages", "shards"])
def test_datasets_loads_the_config_of_candidates(place: Path, made: list[dict[str, Any]], name: str) -> None:
    from datasets import get_dataset_config_names, get_dataset_default_config_name

    folder = place / name
    assert sorted(get_dataset_config_names(str(folder))) == ["candidates", "default"]
    assert get_dataset_default_config_name(str(folder)) == "default"
    found = loaded(folder, "candidates")
    by_id = {row["id"]: row for split in found.values() for row in split}
    assert len(by_id) == SIZE
    for row in made[::97]:
        assert by_id[row["id"]]["candidates"] == [
            {"rank": None, "rating": None, "barred": None, "removed": None} | each for each in row["candidates"]
        ]
        assert by_id[row["id"]]["matrix"] == [list(scores) for scores in row["matrix"]]


def test_the_card_is_valid_for_the_hub(place: Path) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(place / "hub-messages" / "README.md")
    assert [config["config_name"] for config in card.data.to_dict()["configs"]] == ["default", "candidates"]


@pytest.mark.parametrize(
    "name", ["messages.jsonl", "system.jsonl", "pairs.jsonl", "lines", "hub-messages", "hub-pairs"]
)
def test_trl_trains_on_it(place: Path, tmp_path: Path, tokenizer: Any, model: Any, name: str) -> None:
    from trl import SFTConfig, SFTTrainer

    found = loaded(place / name)
    train = found["train"] if isinstance(found, dict) else found
    settings = SFTConfig(output_dir=str(tmp_path), max_length=200, **one_step())
    trainer = SFTTrainer(model, settings, train_dataset=train, processing_class=tokenizer)
    assert len(trainer.train_dataset) == len(train)
    text = tokenizer.decode(trainer.train_dataset[0]["input_ids"])
    if "pairs" in name:
        assert text.startswith(train[0]["prompt"])
    else:
        first = train[0]["messages"][0]
        assert text.startswith(f"<|im_start|>{first['role']}\n{first['content']}<|im_end|>\n")
        assert (first["role"] == "system") == (name == "system.jsonl")
    assert trainer.train().global_step == 1


@pytest.mark.parametrize("name", ["preference.jsonl", "preference.parquet", "hub-preference"])
def test_trl_trains_on_preferences(place: Path, tmp_path: Path, tokenizer: Any, model: Any, name: str) -> None:
    from trl import DPOConfig, DPOTrainer

    found = loaded(place / name)
    train = found["train"] if isinstance(found, dict) else found
    settings = DPOConfig(output_dir=str(tmp_path), max_length=200, **one_step())
    trainer = DPOTrainer(
        model, ref_model=deepcopy(model), args=settings, train_dataset=train, processing_class=tokenizer
    )
    assert len(trainer.train_dataset) == len(train)
    assert trainer.train().global_step == 1


def one_step() -> dict[str, Any]:
    """Settings of a trainer that takes one step on the processor."""
    return {
        "max_steps": 1, "per_device_train_batch_size": 2, "use_cpu": True, "bf16": False, "report_to": "none",
        "save_strategy": "no", "disable_tqdm": True, "gradient_checkpointing": False,
    }  # fmt: skip


AXOLOTL = {
    "alpaca": [("alpaca.jsonl", "alpaca_chat.load_no_prompt"), ("hub-alpaca", "alpaca_chat.load_no_prompt")],
    "chat": [("messages.jsonl", "chat_template"), ("system.jsonl", "chat_template"), ("hub-messages", "chat_template")],
}


def axolotl_settings() -> Any:
    axolotl = pytest.importorskip("axolotl.utils.dict")
    return axolotl.DictDefault({"train_on_inputs": False, "sequence_len": 512, "chat_template": "chatml"})


@pytest.mark.parametrize(("name", "strategy"), AXOLOTL["alpaca"] + AXOLOTL["chat"])
def test_axolotl_tokenizes_every_row(
    place: Path, tokenizer: Any, made: list[dict[str, Any]], name: str, strategy: str
) -> None:
    settings = axolotl_settings()
    from axolotl.prompt_strategies import load
    from axolotl.utils.schemas.datasets import SFTDataset

    kind = "chat_template" if strategy == "chat_template" else "alpaca"
    given = SFTDataset(path=str(place / name), type=kind).model_dump(exclude_none=True)
    reader = load(strategy, tokenizer, settings, given)
    found = loaded(place / name)
    train = found["train"] if isinstance(found, dict) else found
    for row, tokens in zip(train, tokenized(reader, train), strict=True):
        answer = row["output"] if kind == "alpaca" else row["messages"][-1]["content"]
        trained = [token for token, label in zip(tokens["input_ids"], tokens["labels"], strict=True) if label != -100]
        assert tokenizer.decode(trained).removesuffix("\n").removesuffix("<|im_end|>") == answer


def tokenized(reader: Any, table: Any) -> Iterator[dict[str, Any]]:
    """What a strategy of axolotl makes of each row, some at a time where it wants them so."""
    if not getattr(reader, "supports_batched", False):
        yield from map(reader.tokenize_prompt, table)
        return
    for batch in table.iter(500):
        made = reader.tokenize_prompt(batch)
        for place in range(len(made["input_ids"])):
            yield {name: made[name][place] for name in ("input_ids", "labels")}


@pytest.mark.parametrize("name", ["preference.jsonl", "hub-preference"])
def test_axolotl_reads_preferences(place: Path, name: str) -> None:
    settings = axolotl_settings()
    from axolotl.prompt_strategies.dpo import load
    from axolotl.utils.schemas.datasets import DPODataset

    assert DPODataset(path=str(place / name), type="chatml", split="train").type == "chatml"
    transform = load("chatml.default", settings)
    found = loaded(place / name)
    train = found["train"] if isinstance(found, dict) else found
    for before, after in zip(train, train.map(transform), strict=True):
        assert after["prompt"].startswith(f"<|im_start|>user\n{before['prompt']}<|im_end|>")
        assert after["chosen"] == before["chosen"] + "<|im_end|>"
        assert after["rejected"] == before["rejected"] + "<|im_end|>"
