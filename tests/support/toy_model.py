"""A small real model made on the spot, for `transformers serve`: trained for a minute or two on short made-up tasks.

It continues numbered lists of its instructions, states their instances and answers them. Needs torch and transformers.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from ensemble_instruct.prompts.completions import instances_template, instructions_prompt, outputs_prompt
from ensemble_instruct.prompts.forms import ChatForm
from ensemble_instruct.records import KINDS, Demonstration, Instance, Kind

CONTEXT, _WIDTH, _LAYERS, _HEADS, _WINDOW, _STEPS = 512, 128, 3, 4, 224, 700
_WORDS = ["river", "apple", "stone", "cloud", "tiger", "lamp", "garden", "window", "silver", "bread"]
_TASKS = [
    "Say which thing this is.", "Name the object below.", "Repeat what stands here.", "Tell me about that noun.",
    "Give one sentence with it.", "Look at the term and answer.", "What has been written?", "Identify this entry now.",
    "Read my note back.", "Copy the given item carefully.", "Which word do you see?", "Announce what comes next.",
    "Spell out today's message.", "Report a finding from it.", "Describe that in brief.", "Mention whatever I said.",
    "Echo each line for us.", "State its meaning plainly.", "Pick up the phrase again.", "Turn that into a reply.",
]  # fmt: skip
_FACTS = {
    "Name a colour of grass.": "It is green.", "How many legs has a spider?": "It has eight legs.",
    "Which day follows Monday?": "Tuesday comes next.", "What do bees make?": "They make honey.",
    "Give me an even number.": "Four is even.", "Where do fish live?": "They live in water.",
    "Who bakes bread at night?": "The baker does.", "Tell one thing about snow.": "Snow is cold and white.",
    "When does the sun rise?": "In the early morning.", "Say hello in French.": "Bonjour to you all.",
    "List two kinds of fruit.": "Apples and pears.", "Why do birds sing?": "To find a mate.",
    "Recommend something warm to drink.": "Try hot tea with lemon.", "What is ice made of?": "Of frozen water.",
    "Describe an old castle.": "It has high stone walls.", "Can penguins fly far?": "No, they swim instead.",
    "Finish this: once upon": "Once upon a time.", "Explain rain to children.": "Clouds let their water fall.",
    "Suggest any good book title.": "The Long Road Home.", "Which planet is red?": "Mars is the red one.",
}  # fmt: skip


def _answer(word: str) -> str:
    return f"It is a {word}, I think."


def _task(kind: Kind, chance: random.Random) -> tuple[str, str, str]:
    if kind == "input_output":
        word = chance.choice(_WORDS)
        return chance.choice(_TASKS), word, _answer(word)
    instruction = chance.choice(list(_FACTS))
    return instruction, "", _FACTS[instruction]


def _texts(chance: random.Random, end: str) -> Iterator[str]:
    """The very forms in which the steps ask, with what shall be said."""
    while True:
        kind: Kind = chance.choice(["input_output", "output_only"])
        known = _TASKS if kind == "input_output" else list(_FACTS)
        shown = chance.sample(known, 9)
        yield instructions_prompt(shown[:4], "default") + "".join(
            f"{'' if at == 5 else f'{chr(10)}{at}.'} {text}" for at, text in enumerate(shown[4:], start=5)
        )
        tasks = [Demonstration(*_task(kind, chance)) for _ in range(6)]
        yield instances_template(kind, tasks, "default").text
        instruction, given, answer = _task(kind, chance)
        instance = Instance(kind=kind, instruction=instruction, input=given, output=answer)
        prompt = chance.choice((outputs_prompt(instruction, given), ChatForm().outputs(instance).prompt))
        yield f"{prompt}\n{answer}{end}"


def made(folder: Path) -> Path:
    """Train the model; its folder also holds `seeds.jsonl` and the demonstrations of step 2."""
    torch: Any = import_module("torch")
    transformers: Any = import_module("transformers")
    folder.mkdir(parents=True)
    texts = _texts(random.Random(0), "</s>")
    tokenizer = _tokenizer([next(texts) for _ in range(300)])
    torch.manual_seed(0)
    torch.set_num_threads(2)
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=_WIDTH, intermediate_size=2 * _WIDTH,
        num_hidden_layers=_LAYERS, num_attention_heads=_HEADS, num_key_value_heads=_HEADS, bos_token_id=2,
        eos_token_id=1, pad_token_id=0, max_position_embeddings=CONTEXT, tie_word_embeddings=False, rms_norm_eps=1e-5,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * min(1.0, step / 40, (_STEPS - step) / (_STEPS / 2))
        rows = [tokenizer.encode(next(texts)).ids[:_WINDOW] for _ in range(12)]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=ids.masked_fill(ids == 0, -100)).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    print(f"the toy model's loss at the end of its training: {loss.item():.3f}")
    _save(folder, model, tokenizer)
    return folder


def _tokenizer(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "</s>", "<s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=640, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _save(folder: Path, model: Any, tokenizer: Tokenizer) -> None:
    transformers: Any = import_module("transformers")
    template = "{% for message in messages %}{{ message.content }}{% endfor %}\n"
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>")
    fast.chat_template = template
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    chance = random.Random(1)
    for kind in KINDS:
        tasks = [_task(kind, chance) for _ in range(3)]
        rows = [{"instruction": each[0], "input": each[1], "output": each[2]} for each in tasks]
        _write(folder / f"demonstrations_{kind}.jsonl", rows)
    seeds = [(task, word, _answer(word)) for task, word in zip(_TASKS[:7], _WORDS, strict=False)]
    seeds += [(task, "", answer) for task, answer in list(_FACTS.items())[:7]]
    _write(folder / "seeds.jsonl", [
        {"id": f"s{at}", "name": "toy", "instruction": task, "is_classification": False,
         "instances": [{"input": given, "output": answer}]}
        for at, (task, given, answer) in enumerate(seeds)
    ])  # fmt: skip


def _write(path: Path, rows: list[Any]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
