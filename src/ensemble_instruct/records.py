"""The records of a run, in the order they are made, and what passes between a step and a model.

All are frozen; an id is a hash of content, so equal content has the same id in every run, whatever the server,
the timing or the place in a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple

Kind = Literal["input_output", "output_only"]
"""Whether a task has an input."""
Profile = Literal["default", "published"]
"""How a run works: `published` repeats the original program to the byte."""
Strategy = Literal[
    "vouched", "balanced", "consensus", "judged", "reward", "released", "published", "algorithm1", "single", "random"
]
"""How step 5 selects an output."""
DEFAULT_STRATEGY: Strategy = "vouched"
"""The strategy of profile `default` where agreement is ROUGE-L's."""
DEFAULT_STRATEGY_ELSE: Strategy = "balanced"
"""The one where agreement means something else."""
Utility = Literal["exact", "rouge-l", "chrf", "embedding", "judge"]
"""How the agreement of two outputs is measured."""
Basis = Literal["text", "answer", "result"]
"""What the agreement of a row was measured on: whole texts, short answers, or the results that long answers end in."""
Step = Literal["instructions", "instances", "parse", "outputs", "ensemble"]
"""A step of the method."""
OwnForm = Literal["instructions", "instances"]
"""What a user's own tasks are, with which a run begins: at step 2, or at step 4."""

FIRST_STEP: Mapping[OwnForm, Step] = {"instructions": "instructions", "instances": "parse"}
"""The step whose records the user's own tasks take the place of."""
STEPS_BEFORE: Mapping[OwnForm | None, tuple[Step, ...]] = {
    None: (), "instructions": (), "instances": ("instructions", "instances")
}  # fmt: skip
"""The steps that such a run has no records of."""
KINDS: tuple[Kind, ...] = ("input_output", "output_only")
"""In the order that files and tables have everywhere."""
STEPS: tuple[Step, ...] = ("instructions", "instances", "parse", "outputs", "ensemble")
"""In the order of a run."""
OF_THREE: tuple[Strategy, ...] = ("released", "published", "algorithm1")
"""Strategies that are defined for exactly three outputs: the instance's own and two voters'."""
RATED: tuple[Strategy, ...] = ("judged", "reward")
"""Strategies by which the output is chosen that models rate highest, whatever the others say."""
FURTHER_SETTINGS = ("min_p", "presence_penalty", "frequency_penalty", "repetition_penalty", "reasoning_effort")
"""Settings of sampling that only the section of a model sets."""
END_MARKER = "|EoS|"
"""What the original's prompts end each item with, and its models stop at."""
BYTES_PER_TOKEN = 4
"""Of UTF-8, on average, where no tokenizer is at hand."""
TEMPLATE_TOKENS = 64
"""What a chat template may add to each message."""
INSTANCE_VOTER = "instance"
"""The name under which an instance's own output votes in step 5."""
FUSION_VOTER = "fusion"
"""The name under which the output votes that fusion makes out of the others."""


def content_id(*parts: str) -> str:
    """16 hexadecimal digits that depend on the parts and on where one ends and the next begins."""
    digest = blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")  # a reply may hold half a surrogate pair
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, where no tokenizer is at hand: one for four bytes of UTF-8, at least one."""
    return max(1, len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class SeedTask:
    """A task written by people, in the schema of Self-Instruct."""

    id: str
    """As its file has it; the other records have hashes."""
    name: str
    instruction: str
    instances: tuple[tuple[str, str], ...]
    """(input, output), at least one."""
    is_classification: bool

    @property
    def kind(self) -> Kind:
        """`input_output` when the first instance has an input."""
        return "input_output" if self.instances[0][0] else "output_only"


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A worked example in the prompt of step 2; `input` is empty for the kind `output_only`."""

    instruction: str
    input: str
    output: str


class Message(NamedTuple):
    """One turn of a conversation with a chat model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a model should answer. Lengths are in the model's tokens; temperature 0 is greedy."""

    max_tokens: int
    min_tokens: int = 0
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None
    json_schema: str = ""
    """JSON Schema, as text, that the reply must follow; empty: any text."""
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    reasoning_effort: str = ""

    @property
    def further(self) -> dict[str, float | str]:
        """Those of the last five that are set: no step sets one, only the section of a model."""
        values = {name: getattr(self, name) for name in FURTHER_SETTINGS}
        return {name: value for name, value in values.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to one model: the conversation that it goes on. `repeat` tells apart several samples of it."""

    prompt: str
    """What the model is asked now: the whole text over completions, the last message of the user over chat."""
    sampling: Sampling
    step: Step
    kind: Kind
    repeat: int = 0
    earlier: tuple[Message, ...] = ()
    """The turns of the conversation before the prompt; always empty over completions."""
    shared: str = ""
    """Text that this prompt has in common with others, for the store to compress against; not in the key."""

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole conversation, which ends with the prompt."""
        return (*self.earlier, Message("user", self.prompt))

    @property
    def text(self) -> str:
        """All that is asked, as one text: for what is counted, not for the model."""
        return "\n".join(message.content for message in self.messages) if self.earlier else self.prompt


@dataclass(frozen=True, slots=True)
class Response:
    """What a model answered, its parts kept apart. Token counts are the server's, or None where it gave none."""

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seed_honoured: bool = True
    """False where it was sampled with another seed than the one asked for."""
    reasoning: str = ""
    """The thought before the text, where the protocol sends it apart or a reader of replies has parted it."""
    refusal: str = ""
    """Why the model would not answer, where the protocol says so in a field of its own."""
    model: str = ""
    """The name under which the server says that it answered."""
    upstream: str = ""
    """The provider behind a gateway that answered, where the gateway says which."""
    cost: float | None = None
    """What the server says that it costs, in US dollars; None where it does not."""
    cached_tokens: int | None = None
    """Of the tokens of the prompt, those that the server had read before."""
    reasoning_tokens: int | None = None
    """Of the tokens of the reply, those of the thought, shown or not."""

    def used_tokens(self, asked: str) -> tuple[int, int]:
        """Tokens of what was asked and of the reply, estimated where the server gave none."""
        reply = self.reasoning + self.text + self.refusal
        return (
            estimated_tokens(asked) if self.prompt_tokens is None else self.prompt_tokens,
            estimated_tokens(reply) if self.completion_tokens is None else self.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A request refused for good; `type` becomes the reason of a `Rejected`."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a request under its key, as the store has it."""

    key: str
    outcome: Response | Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """A machine-made instruction that passed the filters of step 1."""

    kind: Kind
    text: str
    request_key: str = ""
    round: int = 0
    """Number of the round (profile `published`) or of the request (default) that gave it, from 0."""
    most_similar: tuple[tuple[str, float], ...] = ()
    """Up to ten nearest of seeds and pool with their ROUGE-L F1, descending; ties: the earlier first."""
    mean_similarity: float | None = None
    """Mean ROUGE-L F1 to all of seeds and pool; None where the config does not ask for it."""

    @property
    def id(self) -> str:
        """Hash of kind and text."""
        return content_id("instruction", self.kind, self.text)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model of step 2 wrote after the template and an instruction."""

    instruction: str
    kind: Kind | None
    """None where it comes from a file that does not say it."""
    text: str
    finish_reason: str = "stop"
    request_key: str = ""

    @property
    def id(self) -> str:
        """Hash of instruction and text."""
        return content_id("completion", self.instruction, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One worked task: it owns its instruction, which need not be the one its completion was asked for."""

    kind: Kind
    instruction: str
    input: str
    output: str
    """Empty in a task of the user's own that has none: then the voters alone vote."""
    completion_id: str = ""
    request_key: str = ""
    follow_on: int = 0
    """0: the task that was asked for; n: the n-th further task stated in the same completion."""
    run: str = ""
    """The run that it comes from, where several were merged."""
    reference: str = ""
    """What a good output is, where the user's own tasks say it; no model sees it."""

    @property
    def id(self) -> str:
        """Hash of instruction and input: the same instruction with another input is another instance."""
        return content_id("instance", self.instruction, self.input)


@dataclass(frozen=True, slots=True)
class Voter:
    """Who answers in step 4: a model, or one of several samples of it."""

    name: str
    model: str
    sample: int = 0
    of: int = 1
    """How many samples of the model vote; a single one is greedy."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The output of one voter for an instance."""

    instance_id: str
    voter: str
    text: str
    finish_reason: str = "stop"
    request_key: str = ""
    removed: tuple[str, ...] = ()
    """What a reader took away from the reply, because it is no part of the answer; in the order of the reply."""


class Answered(NamedTuple):
    """What goes from step 4 to step 5: an instance with the outputs of its voters."""

    instance: Instance
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row of the dataset: the instance with the output that was selected, and how that came about."""

    instance: Instance
    output: str
    winners: tuple[str, ...]
    """The voters that gave this very text, in alphabetical order."""
    agreement: float
    """The mean agreement of the output with the others, 0 to 1; 1 where all say the same."""
    confidence: float
    """How sure the strategy is, 0 to 1: what a `Selection` measures rows by."""
    candidates: tuple[Candidate, ...]
    scores: tuple[float, ...]
    """For each candidate, its mean agreement with the others."""
    matrix: tuple[tuple[float, ...], ...] = ()
    """Pairwise agreement of the candidates."""
    basis: Basis = "text"
    """What the agreement was measured on."""
    barred: tuple[str, ...] = ()
    """For each candidate the reason why a quality filter barred it, or the empty text; empty where no filter was on."""
    ranks: tuple[float, ...] = ()
    """For each candidate the number by which `vouched` ranked it, the highest first; empty for other strategies."""
    ratings: tuple[float | None, ...] = ()
    """For each candidate how good models say that it is, 0 to 1; empty where the strategy asks none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Something that a step dropped, and why."""

    step: Step
    reason: str
    text: str
    kind: Kind | None = None
    source: str = ""
    """Id of the record that it came from, or empty."""
    request_key: str = ""
    detail: str = ""
    follow_on: int = 0
    """For step 3, the number of the task within its completion, as in `Instance`."""
    candidates: tuple[Candidate, ...] = field(default=())
