"""The three models: their shapes, their training, and where things lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[2] / "src" / "ensemble_instruct" / "data" / "models"
BUILD = Path("build") / "embedded-models"
SEED = 20240611
VOCABULARY = 2560
PAD, END, BEGIN, UNKNOWN = "<pad>", "</s>", "<s>", "<unk>"
SPECIAL = (PAD, END, BEGIN, UNKNOWN)
"""The special tokens, in the order of their numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One model: its size and how it is trained."""

    name: str
    is_decoder_only: bool
    width: int
    heads: int
    inner: int
    layers: int
    decoder_layers: int
    steps: int
    batch_tokens: int
    rate: float
    """The highest learning rate."""

    def config(self) -> Any:
        """The configuration for `transformers`."""
        from transformers import LlamaConfig, T5Config

        if self.is_decoder_only:
            return LlamaConfig(
                vocab_size=VOCABULARY, hidden_size=self.width, intermediate_size=self.inner,
                num_hidden_layers=self.layers, num_attention_heads=self.heads, max_position_embeddings=2048,
                rms_norm_eps=1e-6, pad_token_id=0, eos_token_id=1, bos_token_id=2, tie_word_embeddings=True,
            )  # fmt: skip
        return T5Config(
            vocab_size=VOCABULARY, d_model=self.width, d_kv=self.width // self.heads, d_ff=self.inner,
            num_layers=self.layers, num_decoder_layers=self.decoder_layers, num_heads=self.heads, dropout_rate=0.0,
            feed_forward_proj="gated-gelu", tie_word_embeddings=True, pad_token_id=0, eos_token_id=1,
            decoder_start_token_id=0, use_cache=True,
        )  # fmt: skip

    def new_model(self) -> Any:
        """The model with random weights, from the seed of `torch`."""
        import torch
        from transformers import LlamaForCausalLM, T5ForConditionalGeneration

        if self.is_decoder_only:
            return LlamaForCausalLM(self.config())
        model = T5ForConditionalGeneration(self.config())
        with torch.no_grad():  # small beginnings, which Adam's steps of fixed size change soon
            model.shared.weight.mul_(0.2)
            model.decoder.final_layer_norm.weight.fill_(5.0)
            for name, weights in model.named_parameters():
                if name.endswith((".o.weight", ".wo.weight")):
                    weights.mul_(0.3)
        return model


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            name="tiny-base", is_decoder_only=True, width=256, heads=4, inner=640, layers=5, decoder_layers=0,
            steps=2400, batch_tokens=2048, rate=1.5e-3,
        ),
        Shape(
            name="tiny-a", is_decoder_only=False, width=256, heads=4, inner=512, layers=3, decoder_layers=2,
            steps=3200, batch_tokens=2048, rate=1.5e-3,
        ),
        Shape(
            name="tiny-b", is_decoder_only=False, width=192, heads=3, inner=384, layers=3, decoder_layers=2,
            steps=3800, batch_tokens=2048, rate=2e-3,
        ),
    )
}  # fmt: skip
