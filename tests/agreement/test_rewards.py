"""The strategy `reward`: a sequence classifier of a folder, with random weights, says how good each output is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ensemble_instruct.agreement.rewards import RewardModel, rater_for
from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.records import Answered, Candidate, Example, Instance
from ensemble_instruct.steps.ensemble import select
from tests.support.tiny_models import END, PAD, START, STRANGE

IS_INSTALLED = all(find_spec(name) for name in ("torch", "transformers"))
needs_the_extra = pytest.mark.skipif(not IS_INSTALLED, reason="the extra `reward` is not installed")
SORT = Instance(kind="input_output", instruction="Sort the letters.", input="b a", output="b a")
OUTPUTS = ("a b", "b a", "", "a, and then b, as far as I can see", "half a pair \ud800", "a b")
TURNS = "{% for turn in messages %}<s>{{ turn.role }}: {{ turn.content }}</s>{% endfor %}"
LENGTH = 96
Maker = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    """Makes the folder of a tiny model with random weights."""
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    from tests.support.tiny_models import tokenizer

    def make(kind: str, labels: int, *, template: str = "", pad: bool = True, head: bool = True) -> Path:
        torch.manual_seed(labels)
        special = {"bos_token": START, "eos_token": END, "unk_token": STRANGE} | ({"pad_token": PAD} if pad else {})
        reader = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer(), **special)
        reader.chat_template = template or None
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=len(reader), max_position_embeddings=LENGTH, num_labels=labels, initializer_range=0.3, **sizes
        )
        model = getattr(transformers, f"{kind}{'ForSequenceClassification' if head else 'ForCausalLM'}")(config)
        folder = tmp_path / f"{kind}-{labels}"
        model.save_pretrained(folder)
        reader.save_pretrained(folder)
        return folder

    return make


MODELS = [("Llama", 1, TURNS, True), ("Llama", 1, TURNS, False), ("Bert", 2, "", True), ("Bert", 1, "", True)]


@needs_the_extra
@pytest.mark.parametrize(("kind", "labels", "template", "pad"), MODELS)
def test_each_output_with_text_gets_a_number_that_no_other_output_changes(
    made: Maker, kind: str, labels: int, template: str, pad: bool
) -> None:
    model = RewardModel(made(kind, labels, template=template, pad=pad))
    ((*together,),) = model([(SORT, OUTPUTS)])
    assert together[2] is None
    assert together[0] == together[5]
    numbers = [number for number in together if number is not None]
    assert len({*numbers}) > 2
    assert all(0 < number < 1 for number in numbers)
    assert together == [model([(SORT, [output])])[0][0] for output in OUTPUTS]
    assert together[::-1] == [*model([(SORT, OUTPUTS[::-1])])[0]]


@needs_the_extra
@pytest.mark.parametrize(("kind", "labels", "template", "pad"), MODELS)
def test_the_number_is_what_the_model_itself_says(
    made: Maker, kind: str, labels: int, template: str, pad: bool
) -> None:
    folder = made(kind, labels, template=template, pad=pad)
    transformers: Any = import_module("transformers")
    reader = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    shown = ("<s>user: Sort the letters.\n\nb a</s><s>assistant: a b</s>",)
    texts = shown if template else ("Sort the letters.\n\nb a", "a b")
    logits = model(**reader(*texts, add_special_tokens=not template, return_tensors="pt")).logits[0].tolist()
    wanted = 1 / (1 + math.exp(-logits[0])) if labels == 1 else math.exp(logits[1]) / sum(map(math.exp, logits))
    assert RewardModel(folder)([(SORT, ["a b"])])[0][0] == pytest.approx(wanted, abs=1e-4)


@needs_the_extra
@pytest.mark.parametrize(("kind", "labels", "template", "pad"), MODELS)
def test_of_what_is_too_long_both_ends_of_task_and_output_are_read(
    made: Maker, kind: str, labels: int, template: str, pad: bool
) -> None:
    model = RewardModel(made(kind, labels, template=template, pad=pad))

    def found(task: str, output: str) -> float | None:
        return model([(Instance(kind="output_only", instruction=task, input="", output=""), [output])])[0][0]

    many = "x" * 1_000_000
    end = "abcdefghij"
    texts = [(many, many), (end + many, many), (many + end, many), (many, end + many), (many, many + end), (many, end)]
    assert None not in (numbers := [found(*pair) for pair in texts])
    assert len({*numbers}) == len(texts)


@needs_the_extra
def test_the_output_with_the_highest_number_is_chosen_and_it_is_the_confidence(made: Maker) -> None:
    model = RewardModel(made("Llama", 1, template=TURNS))
    row = Answered(SORT, tuple(Candidate(SORT.id, name, text) for name, text in zip("abc", OUTPUTS[1:4], strict=True)))
    (example,) = select(lambda: [row], Selection("reward"), rater=model.of_rows)
    assert isinstance(example, Example)
    best = max(number for number in model([(SORT, ["a, and then b, as far as I can see"])])[0] if number)
    assert (example.output, example.confidence) == ("a, and then b, as far as I can see", best)


@needs_the_extra
def test_a_model_whose_weights_are_not_whole_is_refused(made: Maker) -> None:
    folder = made("Llama", 1, head=False)
    config = json.loads((folder / "config.json").read_text())
    with pytest.raises(ConfigError, match="holds a LlamaForCausalLM, and no sequence classifier"):
        RewardModel(folder)([(SORT, ["a"])])
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["LlamaForSequenceClassification"]}))
    with pytest.raises(ConfigError, match=r"its weights lack score\.weight"):
        RewardModel(folder)([(SORT, ["a"])])
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        RewardModel(folder)([(SORT, ["a"])])


@needs_the_extra
def test_a_chat_template_that_fails_is_one_line(made: Maker) -> None:
    folder = made("Llama", 1, template="{{ raise_exception('no\nsystem turn') }}")
    with pytest.raises(ConfigError, match="its chat template fails: no system turn"):
        RewardModel(folder)([(SORT, ["a"])])


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (None, r"has no config\.json"),
        ("{", r"has no config\.json"),
        ("[]", r"has no config\.json"),
        ('{"architectures": ["InternLM2ForRewardModel"]}', "holds a InternLM2ForRewardModel"),
        ('{"architectures": ["BertForSequenceClassification"], "num_labels": 3}', "has 3 labels"),
        ('{"id2label": {"0": "a", "1": "b", "2": "c", "3": "d"}}', "has 4 labels"),
    ],
)
def test_a_folder_without_a_reward_model_is_refused(tmp_path: Path, config: str | None, problem: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ConfigError, match=problem) as caught:
        RewardModel(tmp_path)([(SORT, ["a"])])
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(IS_INSTALLED, reason="the extra `reward` is installed")
def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"ensemble-instruct\[reward\]"):
        rater_for("reward", tmp_path)


def test_without_a_run_only_a_reward_model_can_rate(tmp_path: Path) -> None:
    assert rater_for("consensus", tmp_path) is None
    with pytest.raises(UsageError, match="ratings of a run"):
        rater_for("judged", tmp_path)
    with pytest.raises(UsageError, match="--reward-model too"):
        rater_for("reward", None)
