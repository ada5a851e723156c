"""The tiny models in the form of transformers, and the way from there to CTranslate2. Needs torch."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.tiny_models import CONTEXT, END, PAD, START, STRANGE, TEMPLATE, successors, tokenizer


def alphabet(folder: Path) -> Path:
    """The decoder that knows what follows each character, as a GPT-2."""
    torch: Any = import_module("torch")
    said = successors()
    size = len(said)
    model = _gpt2(size, size, 1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
        for norm in (model.transformer.h[0].ln_1, model.transformer.h[0].ln_2):
            norm.weight.fill_(1)
        model.transformer.wte.weight.copy_(torch.eye(size))
        model.lm_head.weight.copy_(torch.tensor(np.ascontiguousarray(said.T)))
        model.transformer.ln_f.weight.fill_(float(np.sqrt((1 - 1 / size) / size)))
        model.transformer.ln_f.bias.fill_(1 / size)
    return _saved(folder, model)


def drawn(folder: Path) -> Path:
    """A decoder with random weights, as a GPT-2."""
    return _saved(folder, _gpt2(len(successors()), 32, 4))


def read(folder: Path) -> Path:
    """An encoder-decoder with random weights, as a T5."""
    transformers: Any = import_module("transformers")
    import_module("torch").manual_seed(2)
    config = transformers.T5Config(
        vocab_size=len(successors()), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, eos_token_id=1,
        pad_token_id=0, decoder_start_token_id=0, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
        initializer_factor=2.0,
    )  # fmt: skip
    return _saved(folder, transformers.T5ForConditionalGeneration(config), ends=True)


def falcon_40b(folder: Path) -> Path:
    """A decoder of the architecture of falcon-40b, which differs from falcon-7b's."""
    transformers: Any = import_module("transformers")
    import_module("torch").manual_seed(3)
    config = transformers.FalconConfig(
        vocab_size=len(successors()), hidden_size=32, num_hidden_layers=1, num_attention_heads=4, num_kv_heads=2,
        new_decoder_architecture=True, multi_query=True, parallel_attn=True, bias=False, alibi=False,
        initializer_range=0.6, bos_token_id=3, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    return _saved(folder, transformers.FalconForCausalLM(config))


def _gpt2(vocabulary: int, width: int, heads: int) -> Any:
    transformers: Any = import_module("transformers")
    import_module("torch").manual_seed(1)
    config = transformers.GPT2Config(
        vocab_size=vocabulary, n_positions=CONTEXT, n_embd=width, n_layer=1, n_head=heads, tie_word_embeddings=False,
        bos_token_id=3, eos_token_id=1, pad_token_id=0, initializer_range=0.6, resid_pdrop=0, embd_pdrop=0,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def _saved(folder: Path, model: Any, *, ends: bool = False) -> Path:
    transformers: Any = import_module("transformers")
    special = {"bos_token": START, "eos_token": END, "pad_token": PAD, "unk_token": STRANGE}
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer(ends=ends), **special)
    made.chat_template = TEMPLATE
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


MODELS = {"alphabet": alphabet, "drawn": drawn, "read": read, "falcon-40b": falcon_40b}


def converted(source: Path, folder: Path, **settings: Any) -> Path:
    """A model of transformers in the form of CTranslate2."""
    converters: Any = import_module("ctranslate2.converters")
    converters.TransformersConverter(str(source), copy_files=["tokenizer.json"], **settings).convert(str(folder))
    return folder
