"""Any model that `transformers` can load, in this process: decoder-only and encoder-decoder, from a folder or the Hub.

Rows of all settings go together. Each token is picked here, not by `generate`: a row draws from random numbers of its
own, seeded by its request, so that what it says does not depend on the other rows (as far as the rounding of the
numbers goes, which can differ with the shape of a batch).
"""

from __future__ import annotations

import gc
import random
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, ModelError, RequestRefusedError
from ensemble_instruct.models.clients.local.engine import BatchRow, Engine
from ensemble_instruct.models.clients.local.local import LocalClient, require_packages, valid_turns
from ensemble_instruct.records import Message, Sampling

_BATCH_SIZE = 32
"""Most requests together on a GPU, where the config does not say."""
_BATCH_SIZE_CPU = 8
"""Most requests together on the CPU, where it does not say."""
_BATCH_TOKENS = 32_768
"""Most tokens of prompts and replies together, where it does not say."""
_LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
"""Where the configs of models say how long their table of positions is; the first that is there counts."""
_ENDLESS = 10**7
"""A length from which on it means that there is no limit."""
_SEEDS = 2**63
"""Seeds below this one are drawn for requests that name no seed."""


class TransformersClient(LocalClient):
    """A folder or a name on the Hub; what kind of model it is, its config tells."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None = None) -> None:
        require_packages(name, "transformers", ("torch", "transformers"))
        if section.folder is not None and not (section.folder / "config.json").is_file():
            raise ConfigError(f"models.{name}.path: {section.folder} has no config.json; name the folder of a model")
        super().__init__(name, section, _TransformersEngine(name, section))


class _TransformersEngine(Engine):
    def __init__(self, name: str, section: ModelSection) -> None:
        super().__init__(name)
        self._section = section
        self.batch_tokens = section.batch_tokens or _BATCH_TOKENS

    def load(self) -> None:
        """See `Engine.load`."""
        torch: Any = import_module("torch")
        transformers: Any = import_module("transformers")
        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        section = self._section
        if section.threads:
            torch.set_num_threads(section.threads)
        source, where = str(section.folder or section.model), {"revision": section.revision or "main"}
        trusted = {key: section.options[key] for key in ("trust_remote_code",) if key in section.options}
        with self.errors("cannot be loaded"):
            config = transformers.AutoConfig.from_pretrained(source, **where, **trusted)
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(source, **where, **trusted)
            self._is_decoder = not config.is_encoder_decoder
            auto = transformers.AutoModelForCausalLM if self._is_decoder else transformers.AutoModelForSeq2SeqLM
            model: Any = auto.from_pretrained(source, dtype=section.dtype or "auto", **where, **section.options)
            if "device_map" not in section.options and not getattr(model, "is_quantized", False):
                model = model.to(self._device(torch))
            self._model = model.eval()
        if section.endpoint == "chat" and not self._tokenizer.chat_template:
            raise ModelError(f"model {self.name}: has no chat template; set models.{self.name}.endpoint: completions")
        self._note_tokens(transformers.GenerationConfig)
        self.context = section.context_length or self._found_context(config)
        is_cpu = self._model.device.type == "cpu"
        self.batch_size = section.batch_size or (_BATCH_SIZE_CPU if is_cpu else _BATCH_SIZE)
        kind = "decoder-only" if self._is_decoder else "encoder-decoder"
        self.traits = (
            f"transformers, {kind}, on {self._model.device}, {str(self._model.dtype).removeprefix('torch.')}; "
            f"up to {self.batch_size} together; seeds are honoured"
        )

    def _device(self, torch: Any) -> str:
        if self._section.device not in (None, "auto"):
            return str(self._section.device)
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _note_tokens(self, generation_config: Any) -> None:
        """Which tokens end a reply; no other setting of the model's own way to generate is left in force."""
        tokenizer, own = self._tokenizer, self._model.generation_config
        ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        self._ends = frozenset(end for end in (*ends, tokenizer.eos_token_id) if end is not None)
        self._pad = next(
            (pad for pad in (tokenizer.pad_token_id, own.pad_token_id, *sorted(self._ends)) if pad is not None), 0
        )
        added = tokenizer.added_tokens_decoder.items()
        self._special = {token.content: at for at, token in added if token.special}
        start = own.decoder_start_token_id
        self._model.generation_config = generation_config(
            do_sample=False, pad_token_id=self._pad, decoder_start_token_id=start, bos_token_id=own.bos_token_id
        )

    def _found_context(self, config: Any) -> int | None:
        """The length of the table of positions; T5 and its kind have no such table."""
        text = config.get_text_config(decoder=True)
        named = (getattr(text, name, None) for name in _LENGTHS)
        lengths = [length for length in named if isinstance(length, int) and 0 < length < _ENDLESS]
        return lengths[0] if lengths and (self._is_decoder or config.model_type != "t5") else None

    def free(self) -> None:
        """See `Engine.free`."""
        torch: Any = import_module("torch")
        self._model = self._tokenizer = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def encode(self, messages: Sequence[Message]) -> Sequence[int]:
        """See `Engine.encode`."""
        turns = [turn._asdict() for turn in valid_turns(messages)]
        is_chat = self._section.endpoint == "chat"
        valid = turns[-1]["content"]
        if is_chat:
            valid = self._tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        tokens: list[int] = self._tokenizer(valid, add_special_tokens=not is_chat)["input_ids"]
        if not tokens:
            raise RequestRefusedError("the prompt has no tokens", type="bad_request")
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Engine.decode`."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def ends(self, sampling: Sampling) -> frozenset[int]:
        """See `Engine.ends`; a special token that is a stop string ends a reply too."""
        return self._ends | {self._special[stop] for stop in sampling.stop if stop in self._special}

    def generate(self, rows: Sequence[BatchRow]) -> None:
        """See `Engine.generate`."""
        torch: Any = import_module("torch")
        longest = max(len(row.prompt) for row in rows)
        gaps = [[self._pad] * (longest - len(row.prompt)) for row in rows]
        ids, mask = [], []
        for row, gap in zip(rows, gaps, strict=True):
            seen = [1] * len(row.prompt)
            unseen = [0] * len(gap)
            # a decoder goes on after the last place: its prompts are padded on the left
            ids.append([*gap, *row.prompt] if self._is_decoder else [*row.prompt, *gap])
            mask.append(unseen + seen if self._is_decoder else seen + unseen)
        pick = _Pick(rows, torch)
        with self.errors("failed", len(rows)), torch.inference_mode():
            device = self._model.device
            self._model.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=max(row.limit for row in rows),
                logits_processor=[pick],
                stopping_criteria=[pick.is_done],
            )


class _Pick:
    """Picks the next token of each row, in the place of a processor of scores, and tells which rows have ended."""

    def __init__(self, rows: Sequence[BatchRow], torch: Any) -> None:
        self._rows, self._torch = rows, torch
        self._randoms = [random.Random(_seed(row)) for row in rows]  # noqa: S311 - samples tokens

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        torch, rows = self._torch, self._rows
        scores = scores.float()
        for at, row in enumerate(rows):
            if row.text.tokens < row.sampling.min_tokens:
                scores[at, list(row.ends)] = -torch.inf
        picked = scores.argmax(dim=-1)
        if drawing := [at for at, row in enumerate(rows) if row.sampling.temperature > 0 and not row.finish_reason]:
            picked[drawing] = self._drawn(scores[drawing], drawing)
        # all others are made impossible, so that `generate`, which takes the likeliest, takes the picked one
        only = torch.full_like(scores, -torch.inf)
        return only.scatter_(1, picked.unsqueeze(1), 0.0)

    def _drawn(self, scores: Any, drawing: Sequence[int]) -> Any:
        """A token of each of these rows, by the inverse of the cumulative distribution over its best tokens.

        They are in the order of the vocabulary there: two that are about as likely may change places with the
        rounding, and what is drawn shall not change with them.
        """
        torch, size = self._torch, scores.shape[-1]
        samplings = [self._rows[at].sampling for at in drawing]
        most = [min(sampling.top_k or size, size) for sampling in samplings]

        def column(values: Sequence[float]) -> Any:
            return torch.tensor(values, device=scores.device, dtype=scores.dtype).unsqueeze(1)

        best, tokens = scores.topk(max(most), dim=-1)
        places = torch.arange(best.shape[-1], device=scores.device)
        best = best.masked_fill(places >= column(most), -torch.inf)
        shares = torch.softmax(best / column([sampling.temperature for sampling in samplings]), dim=-1)
        before = shares.cumsum(dim=-1) - shares
        shares = shares.masked_fill(before >= column([sampling.top_p for sampling in samplings]), 0.0)
        precise = torch.float32 if scores.device.type == "mps" else torch.float64
        sums = torch.zeros_like(scores, dtype=precise).scatter_(1, tokens, shares.to(precise)).cumsum(dim=-1)
        drawn = column([self._randoms[at].random() for at in drawing]) * sums[:, -1:]
        return (sums <= drawn).sum(dim=-1).clamp(max=size - 1)

    def is_done(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """For each row, whether it has ended with its newest token."""
        newest = input_ids[:, -1].tolist()
        ended = [row.add(token) for row, token in zip(self._rows, newest, strict=True)]
        return self._torch.tensor(ended, device=input_ids.device)


def _seed(row: BatchRow) -> int:
    seed = row.sampling.seed
    return random.SystemRandom().randrange(_SEEDS) if seed is None else seed
