"""The strategy `reward`: how good a local reward model, a sequence classifier, finds each output of a task."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from jinja2 import TemplateError

from ensemble_instruct.agreement.ratings import Ratings
from ensemble_instruct.agreement.selection import outputs_of
from ensemble_instruct.agreement.utilities import Texts
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.records import Answered, Instance, Strategy

_BATCH = 16
"""Outputs that the model takes at once."""
_MOST_TOKENS = 4096
"""Of a task with an output, also where the model could take more."""
_ENDLESS = 10**7
"""A length from which on it means that there is no limit."""
_LENGTHS = ("max_position_embeddings", "n_positions")
"""Where the configs of models say how long their table of positions is."""
_GAP = " ... "
"""What stands for a middle that is left out."""
_SPARE = 8
"""Tokens that gaps and seams may take."""
_CHARACTERS = 8
"""More than a token has on average, in any language."""
_DIGITS = 4
"""Of a logit: what the rounding of a batch changes is beyond."""
_HEAD = "ForSequenceClassification"
"""What the architecture of a sequence classifier ends with."""
_SHOWN = 300
"""Characters of an error of the library that ours shows."""


class RewardModel:
    """A sequence classifier of a folder, as transformers saves it; loaded when it is first needed.

    One with one label gives the sigmoid of its logit, one with two the share of the last. Raises `ConfigError` where
    the extra `reward` is not installed, or the folder holds no such model. Nothing is fetched from anywhere, and no
    code of the folder is run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._classifier: _Classifier | None = None

    def __call__(self, rows: Sequence[Texts]) -> list[Ratings]:
        """For each output a number from 0 to 1; None for one without text, or where the model gives no number."""
        asked = [[(_task(instance), _valid(output).strip()) for output in outputs] for instance, outputs in rows]
        pairs = sorted({pair for row in asked for pair in row if pair[1]})
        if not pairs:
            return [(None,) * len(row) for row in asked]
        if self._classifier is None:
            self._classifier = _Classifier(self._folder)
        scores = dict(zip(pairs, self._classifier.scores(pairs), strict=True))
        return [tuple(scores.get(pair) for pair in row) for row in asked]

    def of_rows(self, rows: Sequence[Answered]) -> list[Ratings]:
        """See `ratings.Rater`."""
        return self([(row.instance, outputs_of(row)) for row in rows])


def rater_for(strategy: Strategy, folder: Path | None) -> RewardModel | None:
    """What rates outputs where there is no run; None for a strategy that does not go by ratings.

    Raises `UsageError` for `judged`, and for `reward` without a model.
    """
    if strategy == "judged":
        raise UsageError("--strategy judged: needs the ratings of a run; set ensemble.strategy in a config, and run it")
    if strategy != "reward":
        return None
    if folder is None:
        raise UsageError("--strategy reward: give --reward-model too, the folder of a sequence classifier")
    require_reward_model(folder)
    return RewardModel(folder)


def _task(instance: Instance) -> str:
    return _valid("\n\n".join(filter(None, (instance.instruction.strip(), instance.input.strip()))))


def _valid(text: str) -> str:
    """The text with half surrogate pairs, which no tokenizer takes, as question marks."""
    return text.encode("utf-8", "replace").decode()


def require_reward_model(folder: Path) -> None:
    """Raise `ConfigError` where a folder holds no classifier of one or two labels, or the extra is not installed."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise _error(folder, "has no config.json that can be read; name a folder that transformers has saved")
    named, labels = config.get("architectures") or [_HEAD], config.get("id2label")
    architectures = named if isinstance(named, list) else [named]
    if not any(str(name).endswith(_HEAD) for name in architectures):
        raise _error(folder, f"holds a {architectures[0]}, and no sequence classifier ({_HEAD}); name another folder")
    _require_labels(folder, len(labels) if labels and isinstance(labels, dict) else config.get("num_labels", 2))
    if find_spec("torch") is None or find_spec("transformers") is None:
        raise ConfigError(
            "ensemble.strategy: reward needs torch and transformers; pip install 'ensemble-instruct[reward]'"
        )


def _require_labels(folder: Path, labels: int) -> None:
    if labels not in (1, 2):
        raise _error(folder, f"the model has {labels} labels; a reward model has one, or two of which the last is good")


def _error(folder: Path, problem: str) -> ConfigError:
    return ConfigError(f"ensemble.reward_model: {folder}: {problem}")


class _Classifier:
    """A reward model in memory."""

    def __init__(self, folder: Path) -> None:
        require_reward_model(folder)
        self._folder = folder
        self._torch: Any = import_module("torch")
        transformers: Any = import_module("transformers")
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        broken = import_module("safetensors").SafetensorError, UnpicklingError
        safe = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(str(folder), **safe)
            model, found = transformers.AutoModelForSequenceClassification.from_pretrained(
                str(folder), dtype="auto", output_loading_info=True, **safe
            )
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError, TypeError, *broken) as error:
            raise _error(folder, f"cannot be loaded: {_line(error)}; check the folder") from error
        if missing := sorted(found["missing_keys"]):
            # the library would fill them with random numbers
            raise _error(folder, f"its weights lack {missing[0]}; name the folder of a whole model")
        _require_labels(folder, model.config.num_labels)
        self._model: Any = model.to("cuda" if self._torch.cuda.is_available() else "cpu").eval()
        self._limit = _limit(model.config, self._tokenizer)
        self._batch = self._prepare_padding()

    def _prepare_padding(self) -> int:
        """How many rows go together: several only where a token of the model's own fills up the shorter ones."""
        pad = self._tokenizer.pad_token_id
        if pad is None:
            return 1
        if self._model.config.pad_token_id is None:
            self._model.config.pad_token_id = pad
        self._tokenizer.padding_side = "right"
        return _BATCH

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """For each task with an output a number from 0 to 1."""
        rows = [self._encoded(task, output) for task, output in pairs]
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]["input_ids"]))
        scores: list[float | None] = [None] * len(rows)
        for first in range(0, len(order), self._batch):
            places = order[first : first + self._batch]
            for place, logit in zip(places, self._logits([rows[place] for place in places]), strict=True):
                scores[place] = _sigmoid(round(logit, _DIGITS)) if math.isfinite(logit) else None
        return scores

    def _logits(self, rows: Sequence[dict[str, list[int]]]) -> list[float]:
        """How much more likely each is good than bad, as a logit."""
        torch = self._torch
        batch: Any = (
            self._tokenizer.pad(list(rows), return_tensors="pt")
            if self._batch > 1
            else {name: torch.tensor([values]) for name, values in rows[0].items()}
        )
        batch = {name: values.to(self._model.device) for name, values in batch.items()}
        try:
            with torch.inference_mode():
                logits = self._model(**batch).logits.double()
        except (RuntimeError, ValueError, IndexError) as error:
            raise _error(self._folder, f"failed: {_line(error)}") from error
        found: list[float] = (logits[:, -1] - (logits[:, 0] if logits.shape[-1] > 1 else 0.0)).tolist()
        return found

    def _encoded(self, task: str, output: str) -> dict[str, list[int]]:
        """Task and output as the model reads them; what is too long loses the middle of its parts."""
        task, output = (self._without_far_middle(text) for text in (task, output))
        row = self._whole(task, output)
        length = len(row["input_ids"])
        if length <= self._limit:
            return row
        row = self._whole(*self._shortened(task, output, length))
        head, tail = self._limit - self._limit // 2, len(row["input_ids"]) - self._limit // 2
        if tail <= head:
            return row
        return {name: [*values[:head], *values[tail:]] for name, values in row.items()}

    def _whole(self, task: str, output: str) -> dict[str, list[int]]:
        tokenizer = self._tokenizer
        if not tokenizer.chat_template:
            return dict(tokenizer(task, output))
        turns = [{"role": "user", "content": task}, {"role": "assistant", "content": output}]
        try:
            text = tokenizer.apply_chat_template(turns, tokenize=False)
        except (TemplateError, ValueError, TypeError, KeyError) as error:
            raise _error(self._folder, f"its chat template fails: {_line(error)}") from error
        return dict(tokenizer(text, add_special_tokens=False))

    def _shortened(self, task: str, output: str, length: int) -> tuple[str, str]:
        """Both so that they fit: the output has half of the room, and what the task does not need."""
        asked, said = (self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in (task, output))
        room = max(2, self._limit - (length - len(asked) - len(said)) - _SPARE)
        kept = min(len(said), max(room // 2, room - len(asked)))
        return self._without_middle(task, asked, room - kept), self._without_middle(output, said, kept)

    def _without_far_middle(self, text: str) -> str:
        """A text that is far too long, cut by its characters: to have tokens made of all of it takes long."""
        most = _CHARACTERS * self._limit
        return text if len(text) <= 2 * most else f"{text[:most]}{_GAP}{text[-most:]}"

    def _without_middle(self, text: str, tokens: Sequence[int], most: int) -> str:
        if len(tokens) <= most:
            return text
        parts = tokens[: most - most // 2], tokens[len(tokens) - most // 2 :]
        return _GAP.join(self._tokenizer.decode(list(part), skip_special_tokens=True).strip() for part in parts)


def _limit(config: Any, tokenizer: Any) -> int:
    """Tokens that the model can take."""
    named = [getattr(config, name, None) for name in _LENGTHS]
    if "roberta" in config.model_type:  # the first two positions of its table are not in use
        named = [length - 2 if isinstance(length, int) else None for length in named]
    known = [length for length in (*named, tokenizer.model_max_length) if isinstance(length, int)]
    return min([_MOST_TOKENS, *(length for length in known if 0 < length < _ENDLESS)])


def _sigmoid(logit: float) -> float:
    # either form overflows on one side
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:_SHOWN]
