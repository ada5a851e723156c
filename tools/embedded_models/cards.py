"""Write each model's card and the table of docs/embedded-models.md from the figures of the training and the evaluation.

    python -m tools.embedded_models.cards

Reads `training.json` of each folder and `evaluation.json` beside the folders.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ensemble_instruct.demo.tasks import FAMILIES
from tools.embedded_models.corpus import RARE, SHARES
from tools.embedded_models.evaluate import table
from tools.embedded_models.shapes import SHAPES, SHIPPED, Shape

DOCUMENT = Path(__file__).parents[2] / "docs" / "embedded-models.md"
START, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

_CARD = """---
license: apache-2.0
language:
- en
library_name: ctranslate2
pipeline_tag: {task}
tags:
- ctranslate2
- int8
- toy
- ensemble-instruct
---

# {name}

A tiny {sort} language model for toy tasks. It comes with
[Ensemble-Instruct](https://arxiv.org/abs/2310.13961) so that a first run on a machine without network or GPU is a true
one: real models, real sampling, real mistakes. {role}

It is no model for any other use: it was trained on {families} families of toy tasks and a few hundred English words,
and it is often wrong, as small as it is and as briefly as it was trained.

| | |
|---|---|
| architecture | {architecture} |
| parameters | {parameters:,} ({size:.1f} MB as int8) |
| tokenizer | byte-level BPE, 2,560 tokens, digits one by one |
| training | from random weights, {steps:,} steps, {tokens} M tokens{what_tokens}, {minutes} minutes of one CPU core |
| data | made by `tools/embedded_models/` from `ensemble_instruct.demo.tasks` alone; no other text, no other model |
| its share of it | {share} |

## How often it is right

On {count} tasks in wordings that no model saw in training, with values held out as well where a family has more of them
than must be known by heart:

| who | right |
|---|---|
{rows}

The whole table and the command are in `docs/embedded-models.md`.

## Limits

Toy tasks only. Instructions in other words than those of the families, longer texts and other languages give nonsense.
What it writes is no training data for other models.

## Use

```python
{use}
```
"""
_USE = {
    True: """import ctranslate2, tokenizers

tokenizer = tokenizers.Tokenizer.from_file("FOLDER/tokenizer.json")
model = ctranslate2.Generator("FOLDER")
tokens = tokenizer.encode("Come up with a series of tasks:\\n1. Write only the first word.\\n2.").tokens
made = model.generate_batch([tokens], max_length=40, sampling_topk=50, include_prompt_in_result=False)
print(tokenizer.decode(made[0].sequences_ids[0]))""",
    False: """import ctranslate2, tokenizers

tokenizer = tokenizers.Tokenizer.from_file("FOLDER/tokenizer.json")
model = ctranslate2.Translator("FOLDER")
made = model.translate_batch([tokenizer.encode("What is 7 plus 12?\\n").tokens], beam_size=1)
print(tokenizer.decode([tokenizer.token_to_id(token) for token in made[0].hypotheses[0]]))""",
}


def card(shape: Shape, training: dict[str, Any], evaluation: dict[str, Any], size: int) -> str:
    """The model card."""
    share = SHARES[shape.name]
    wordings = f"all but {len(share.left_out)} of the" if share.left_out else "all"
    rows = [f"| `{name}` | {100 * right:.1f} % |" for name, right in evaluation["right"].items()]
    kept = f"where they agree enough ({evaluation['kept']} of {evaluation['tasks']} kept)"
    rows.append(f"| the ensemble, {kept} | {100 * evaluation['kept_right']:.1f} % |")
    if shape.is_decoder_only:
        sort, task = "decoder-only", "text-generation"
        architecture = f"Llama, {shape.layers} layers, width {shape.width}, {shape.heads} heads"
        role = "It writes new instructions (step 1) and an input and output for each (step 2)."
    else:
        sort, task = "encoder-decoder", "text2text-generation"
        layers = f"{shape.layers} + {shape.decoder_layers} layers"
        architecture = f"T5 1.1, {layers}, width {shape.width}, {shape.heads} heads"
        role = "It answers instructions, zero-shot (step 4)."
    return _CARD.format(
        name=shape.name, sort=sort, task=task, role=role, architecture=architecture, families=len(FAMILIES),
        parameters=training["parameters"], size=size / 1e6, steps=training["steps"],
        tokens=f"{training['tokens'] / 1e6:.1f}", minutes=round(training["cpu_seconds"] / 60),
        what_tokens="" if shape.is_decoder_only else " read by the encoder",
        share=f"{wordings} training wordings; a third of the families comes {RARE} times as often as the others",
        count=evaluation["tasks"], rows="\n".join(rows), use=_USE[shape.is_decoder_only],
    )  # fmt: skip


def main() -> None:
    """Write the cards and the document's table."""
    evaluation = json.loads((SHIPPED / "evaluation.json").read_text(encoding="utf-8"))
    for shape in SHAPES.values():
        folder = SHIPPED / shape.name
        training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        text = card(shape, training, evaluation, (folder / "model.bin").stat().st_size)
        (folder / "README.md").write_text(text, encoding="utf-8")
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{START}{table(evaluation)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
