"""Models converted for CTranslate2, in this process: decoder-only, and encoder-decoder such as flan-t5.

A row of a small model on the CPU never depends on others: each request goes alone, with one thread of computation, and
a sampled one goes to a freshly made model of its own. CTranslate2 seeds its random numbers when a model draws for the
first time, and never again; so only a fresh model can be given a seed. Making one from files held in memory takes
milliseconds for a few megabytes, and too long for gigabytes: there the seed is not honoured, and the reply says so.
"""

from __future__ import annotations

import logging
import os
import random
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ensemble_instruct.config.models import ModelSection
from ensemble_instruct.errors import ConfigError, RequestRefusedError
from ensemble_instruct.models.clients.local.chat_template import ChatTemplate
from ensemble_instruct.models.clients.local.ctranslate2_folder import ConvertedModel, read_folder
from ensemble_instruct.models.clients.local.engine import BatchRow, Engine
from ensemble_instruct.models.clients.local.local import LocalClient, read_json, require_packages
from ensemble_instruct.records import Message, Sampling

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

_BATCH_SIZE = 32
"""Most requests together, where the config does not say."""
_BATCH_TOKENS = 32_768
"""Most tokens of prompts and replies together, where it does not say."""
_SPREAD = 64
"""By how many tokens prompts of a batch may differ: the shorter ones are padded, which costs as much as tokens do."""
_SIDE_BY_SIDE = 4
"""Most requests at the same time of a model whose requests go alone, where the config does not say."""
_SEEDS = 2**32 - 1
"""CTranslate2 takes seeds below this one, by which it says that there is no seed."""
_seeding = threading.Lock()
"""The seed is one of the whole process: held from setting it until the model has drawn for the first time."""


class CTranslate2Client(LocalClient):
    """A folder with `model.bin`, `config.json` and `tokenizer.json`; its kind is recognised."""

    def __init__(self, name: str, section: ModelSection, api_key: str | None = None) -> None:
        require_packages(name, "ctranslate2", ("ctranslate2", "tokenizers"))
        if section.folder is None:
            raise ConfigError(f"models.{name}.path: is missing; name the folder of a converted model")
        super().__init__(name, section, _CTranslate2Engine(name, section, read_folder(name, section.folder)))


class _CTranslate2Engine(Engine):
    def __init__(self, name: str, section: ModelSection, converted: ConvertedModel) -> None:
        super().__init__(name)
        self._section, self._converted = section, converted
        self._is_exact = converted.is_small and section.device in (None, "auto", "cpu")
        self.context = section.context_length or converted.context
        if self._is_exact:
            self.workers = section.threads or min(_SIDE_BY_SIDE, os.cpu_count() or 1)
        else:
            self.batch_size = section.batch_size or _BATCH_SIZE
            self.batch_tokens = section.batch_tokens or _BATCH_TOKENS
            self.spread = _SPREAD if converted.is_decoder else None
        self._has_warned = False

    def load(self) -> None:
        """See `Engine.load`."""
        from tokenizers import Tokenizer

        folder = self._converted.folder
        with self.errors("cannot be loaded"):
            tokenizer: Tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tokenizer.no_truncation()
            tokenizer.no_padding()
            held = self._is_exact
            self._files = {
                path.name: path.read_bytes()
                for path in folder.iterdir()
                if held and path.is_file() and not path.name.startswith("tokenizer")
            }
            self._model = self._made(self.workers)
        self._template = ChatTemplate(self.name, folder) if self._section.endpoint == "chat" else None
        self._tokenizer, self._vocabulary = tokenizer, tokenizer.get_vocab()
        known = self._vocabulary.get
        self._ends = {end for token in self._converted.end_tokens if (end := known(token)) is not None}
        more = read_json(folder / "generation_config.json").get("eos_token_id")
        self._ends |= {end for end in (more if isinstance(more, list) else [more]) if isinstance(end, int)}
        self._special = {token.content: at for at, token in tokenizer.get_added_tokens_decoder().items()}
        self.traits = self._described()

    def _made(self, workers: int) -> Any:
        """A new model, with random numbers that are not seeded yet."""
        import ctranslate2

        make: Any = ctranslate2.Generator if self._converted.is_decoder else ctranslate2.Translator
        how: dict[str, Any] = {"compute_type": self._section.compute_type or "default"}
        if self._is_exact:
            return make(
                str(self._converted.folder), device="cpu", inter_threads=workers, intra_threads=1, files=self._files,
                **how,
            )  # fmt: skip
        device, _, index = (self._section.device or "auto").partition(":")
        where = {"device": device, "device_index": int(index or 0)}
        return make(str(self._converted.folder), intra_threads=self._section.threads or 0, **where, **how)

    def _described(self) -> str:
        kind = "decoder-only" if self._converted.is_decoder else "encoder-decoder"
        where = f"ctranslate2, {kind}, on {self._model.device}, {self._model.compute_type}"
        if self._is_exact:
            return f"{where}; each request alone, {self.workers} side by side; seeds are honoured"
        return f"{where}; up to {self.batch_size} together; seeds are not honoured"

    def free(self) -> None:
        """See `Engine.free`."""
        self._model, self._files = None, {}

    def encode(self, messages: Sequence[Message]) -> Sequence[int]:
        """See `Engine.encode`."""
        whole = messages[-1].content if self._template is None else self._template.prompt(messages)
        valid = whole.encode("utf-8", "replace").decode()
        tokens: list[int] = self._tokenizer.encode(valid, add_special_tokens=self._template is None).ids
        if not tokens:
            raise RequestRefusedError("the prompt has no tokens", type="bad_request")
        return tokens

    def decode(self, tokens: Sequence[int]) -> str:
        """See `Engine.decode`."""
        text: str = self._tokenizer.decode(list(tokens))
        return text

    def ends(self, sampling: Sampling) -> frozenset[int]:
        """See `Engine.ends`; a special token that is a stop string ends a reply too."""
        return frozenset(self._ends | {self._special[stop] for stop in sampling.stop if stop in self._special})

    def group(self, sampling: Sampling) -> Hashable:
        """See `Engine.group`: what CTranslate2 takes for a whole batch."""
        settings = sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_tokens
        return *settings, self.ends(sampling)

    def generate(self, rows: Sequence[BatchRow]) -> None:
        """See `Engine.generate`."""
        is_sampled = rows[0].sampling.temperature > 0 and rows[0].sampling.top_k != 1
        with self.errors("failed", len(rows)):
            if is_sampled and self._is_exact:
                for row in rows:
                    self._run_seeded(row)
                return
            if is_sampled:
                self._note_seeds(rows)
            for part in _parts(rows):
                self._run(self._model, part, lambda: None)

    def _run_seeded(self, row: BatchRow) -> None:
        import ctranslate2

        seed = row.sampling.seed
        model = self._made(1)  # one that has not drawn yet: only such a one takes the seed
        turn = _Turn()
        try:
            ctranslate2.set_random_seed(random.SystemRandom().randrange(_SEEDS) if seed is None else seed % _SEEDS)
            self._run(model, [row], turn.end)
        finally:
            turn.end()

    def _note_seeds(self, rows: Sequence[BatchRow]) -> None:
        for row in rows:
            row.seed_honoured = row.sampling.seed is None
        if not self._has_warned and not all(row.seed_honoured for row in rows):
            self._has_warned = True
            log.warning(
                "model %s: CTranslate2 cannot honour the seeds of a model this large; another run samples otherwise",
                self.name, extra={"model": self.name},
            )  # fmt: skip

    def _run(self, model: Any, rows: Sequence[BatchRow], has_drawn: Callable[[], None]) -> None:
        """Let a model generate; `has_drawn` is called after the first token."""
        known = self._vocabulary.get

        def step(result: Any) -> bool:
            has_drawn()
            row: BatchRow = rows[result.batch_id]
            return row.add(known(result.token, result.token_id))

        sampling = rows[0].sampling
        settings: dict[str, Any] = {"callback": step, "beam_size": 1, "sampling_topk": 1}
        if sampling.temperature > 0:
            most = min(sampling.top_k or 0, len(self._vocabulary))
            settings |= {
                "sampling_topk": most, "sampling_topp": sampling.top_p, "sampling_temperature": sampling.temperature,
            }  # fmt: skip
        if (ends := rows[0].ends) != self._ends:
            settings["end_token"] = sorted(ends)
        prompts = [[self._tokenizer.id_to_token(token) for token in row.prompt] for row in rows]
        limits = [row.limit for row in rows]
        lengths = max(limits), min(sampling.min_tokens, *limits)
        if self._converted.is_decoder:
            model.generate_batch(
                prompts, max_length=lengths[0], min_length=lengths[1], include_prompt_in_result=False, **settings
            )
        else:
            model.translate_batch(
                prompts, max_decoding_length=lengths[0], min_decoding_length=lengths[1], max_input_length=0, **settings
            )


def _parts(rows: Sequence[BatchRow]) -> Iterator[Sequence[BatchRow]]:
    """Prompts of a single token apart: together with one, CTranslate2 gives tokens of longer prompts as new ones."""
    for is_single in (True, False):
        if part := [row for row in rows if (len(row.prompt) == 1) is is_single]:
            yield part


class _Turn:
    """The right to set the seed, from now until it is ended; ending it again does nothing."""

    def __init__(self) -> None:
        _seeding.acquire()
        self._is_mine = True

    def end(self) -> None:
        if self._is_mine:
            self._is_mine = False
            _seeding.release()
