"""The tokenizer of the three models: byte-level BPE, each digit by itself, so that every text can be encoded."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from ensemble_instruct.demo.tasks import words
from tools.embedded_models.corpus import SHARES, answer_pairs, documents
from tools.embedded_models.shapes import BEGIN, END, PAD, SEED, SPECIAL, UNKNOWN, VOCABULARY


def trained_tokenizer(*, is_decoder_only: bool) -> Any:
    """The tokenizer: the same vocabulary for all, with a begin token for decoders, else an end token."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    if not is_decoder_only:  # each word has one form, also at the beginning of a line
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(" "), normalizers.Replace("\n", "\n ")])
        tokenizer.decoder = decoders.Sequence(
            [decoders.ByteLevel(), decoders.Replace("\n ", "\n"), decoders.Strip(" ", 1, 0)]
        )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    rng = Random(SEED)
    texts = [*islice(documents(rng, SHARES["tiny-base"]), 20_000)]
    texts += [f"{prompt}\n{answer}" for prompt, answer in islice(answer_pairs(rng, SHARES["tiny-a"]), 40_000)]
    texts += [f"{word}\n" for word in _single_words() for _ in range(300)]
    tokenizer.train_from_iterator(texts, trainer)
    single, special = (f"{BEGIN} $A", BEGIN) if is_decoder_only else (f"$A {END}", END)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(special, tokenizer.token_to_id(special))]
    )
    return tokenizer


def _single_words() -> list[str]:
    """Words that are to be one token each also at the beginning of a line, and in capitals where they occur so."""
    facts = (words.PLURALS, words.PAST, words.OPPOSITES, words.CAPITALS, words.LANGUAGES, words.YOUNG)
    listed = [word for pairs in facts for pair in pairs.items() for word in pair]
    listed += [*words.WORDS, *(word.upper() for word in words.WORDS), *words.DAYS, *words.MONTHS, *words.NAMES]
    return list(dict.fromkeys(listed))


def save_for_transformers(tokenizer: Any, folder: Path) -> None:
    """Write `tokenizer.json` and what `transformers` needs beside it."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, bos_token=BEGIN, unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
    )  # fmt: skip
    wrapped.save_pretrained(folder)
