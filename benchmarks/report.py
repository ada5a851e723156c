"""The report of a large run: time, memory and size of `ensemble-instruct report` over a run.db made here.

    .venv/bin/python benchmarks/report.py [--examples 100000] [--keep FOLDER]

The run is synthetic: instructions out of a small grammar, four voters that are right more or less often, selected by
the package's own rule, nine hours of answers with a night between. Prints a table; ends with 1 where a limit is passed
(10 s, 300 MB, 3 MB at 100,000 examples). Everything it makes is deleted at its end, unless it shall be kept.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from sqlite3 import Connection

from ensemble_instruct.agreement.selection import Selection, ballots_of, decide
from ensemble_instruct.agreement.voters.kept import KeptCounts, noted_kept
from ensemble_instruct.records import Answered, Candidate, Example, Instance, Instruction, Kind, Rejected
from ensemble_instruct.steps.seed_tasks import load_seed_tasks
from ensemble_instruct.store.database import connect, pack_prompt
from ensemble_instruct.store.rows import example_row
from ensemble_instruct.version import __version__

COMMAND = Path(sys.executable).with_name("ensemble-instruct")
LIMITS = {"seconds": 10.0, "megabytes": 300.0, "page_megabytes": 3.0}
START = 1_780_300_800.0
HOURS, NIGHT = 9.0, 11.5
VOTERS = {"granite-8b": 0.86, "qwen-7b": 0.78, "olmo-7b": 0.66, "phi-mini": 0.45}
HARD = 0.35
"""Share of the instances on which the voters are seldom right."""
GENERATOR = "mistral-7b-base"
CONFIG = """
instructions: {target: {input_output: TARGET, output_only: TARGET}}
models:
  mistral-7b-base:
    {base_url: "http://127.0.0.1:8000/v1", model: mistralai/Mistral-7B-v0.1, PRICED}
  granite-8b: {base_url: "http://127.0.0.1:8001/v1", model: ibm-granite/granite-3.1-8b-instruct, PRICED}
  qwen-7b: {base_url: "http://127.0.0.1:8002/v1", model: Qwen/Qwen2.5-7B-Instruct, PRICED}
  olmo-7b: {base_url: "http://127.0.0.1:8003/v1", model: allenai/OLMo-2-1124-7B-Instruct, PRICED}
  phi-mini: {base_url: "http://127.0.0.1:8004/v1", model: microsoft/Phi-3.5-mini-instruct, PRICED}
roles: {instructions: mistral-7b-base, instances: mistral-7b-base, outputs: [granite-8b, qwen-7b, olmo-7b, phi-mini]}
ensemble: {strategy: consensus}
"""
PRICED = "license: Apache-2.0, price: {input: 0.15, output: 0.3}"


def _parts(text: str) -> list[str]:
    """What is between commas, or between blanks where there are no commas."""
    return text.split("," if "," in text else None)


TASKS = {
    "Write": "short story,poem,letter,product description,headline,paragraph,dialogue,speech,recipe,limerick",
    "Summarize": "article,paragraph,meeting notes,plot,report,conversation",
    "Classify": "review,sentence,message,animal,text,tweet",
    "Identify": "main idea,verb,tone,error,author's purpose,adjective",
    "Explain": "difference,concept,rule,joke,process",
    "Rewrite": "sentence,paragraph,email,headline,passage",
    "List": "five advantages,ingredients,synonyms,countries,reasons,steps",
    "Generate": "list,question,title,slogan,sentence,name",
    "Describe": "scene,feeling,process,painting,character",
    "Convert": "measurement,sentence,date,temperature,number",
    "Translate": "phrase,sentence,proverb,word",
    "Suggest": "gift,title,book,alternative,activity",
    "Calculate": "average,area,total,percentage,discount",
    "Find": "synonym,mistake,missing word,odd one,largest number",
    "Compare": "two cities,options,products,books",
    "Create": "schedule,riddle,table,plan,quiz",
    "Arrange": "words,events,numbers,sentences",
    "Give": "example,advice,definition,reason",
    "Extract": "names,dates,keywords,phone number",
    "Edit": "text,paragraph,letter",
    "Correct": "grammar,spelling,sentence",
    "Predict": "outcome,next number,ending",
    "Choose": "best answer,correct word,right option",
    "Name": "three rivers,capital,author",
    "Design": "logo idea,experiment,menu",
}
OPENINGS = ("", "", "", "", "Please ", "In one sentence, ", "Given the text below, ", "You are a teacher. ")
TOPICS = _parts(
    "a lighthouse keeper,the history of tea,renewable energy,a lost umbrella,the moons of Jupiter,a small bakery,"
    "climate and farming,a chess match,learning the violin,river otters,a job interview,the Silk Road,city cycling,"
    "volcanoes,a birthday in winter,the water cycle,old maps of Africa,caf\u00e9s in Lisbon,na\u00efve algorithms,"
    "a neighbour\u2019s dog,public libraries,mountain weather,a broken clock,the price of bread,marathon training"
)
WORDS = _parts(
    "the of and to in that it was for on are with as his they be at one have this from or had by hot but some what "
    "there we can out other were all your when up use word how said an each she which do their time if will way about "
    "many then them would write like so these her long make thing see him two has look more day could go come did my "
    "sound no most number who over know water than call first people may down side been now find any new work part "
    "take get place made live where after back little only round man year came show every good me give our under name "
    "very through just form much great think say help low line before turn cause same mean differ move right boy old"
)
REASONS = {
    "not_novel": 0.45,
    "too_short": 0.2,
    "needs_more_than_text": 0.15,
    "starts_with_punctuation": 0.08,
    "too_long": 0.02,
}
PARSE_REASONS = {"cut_off": 0.4, "no_output": 0.3, "empty_output": 0.2, "output_equals_input": 0.1}
ADD_REJECTED = "INSERT INTO rejected (step, kind, reason, text, source, request, detail) VALUES (?, ?, ?, ?, ?, ?, ?)"


class Maker:
    """Makes the records of a run one instance after another and writes them."""

    def __init__(self, connection: Connection, examples: int) -> None:
        self.random = random.Random(7)
        self._connection, self._wanted = connection, examples
        self._requests, self._positions = 0, {"instruction": 0, "instance": 0, "example": 0}
        self._seeds = [task.instruction for task in load_seed_tasks()]
        self._selection = Selection("consensus")
        self.kept = KeptCounts()
        self._expected = 10 * examples

    def make(self, kind: Kind, wanted: int) -> None:
        """All records of a kind."""
        self._positions = dict.fromkeys(self._positions, 0)
        while self._positions["example"] < wanted:
            rows = [Answered(*each) for each in islice(self._instances(kind), 64)]
            ballots = ballots_of(rows, self._selection)
            for row, ballot in zip(rows, ballots, strict=True):
                self._keep(decide(row, self._selection, ballot), kind, wanted)

    def _keep(self, record: Example | Rejected, kind: Kind, wanted: int) -> None:
        if isinstance(record, Rejected):
            self.kept.add(record)
            self._reject(record)
        elif self._positions["example"] < wanted:
            self.kept.add(record)
            values = (kind, self._next("example"), record.instance.id, json.dumps(example_row(record)))
            self._insert("example", values)

    def _instances(self, kind: Kind) -> Iterator[tuple[Instance, tuple[Candidate, ...]]]:
        while True:
            for _ in range(self.random.choice((0, 0, 1))):
                self._drop_instruction(kind)
            instruction = self._instruction()
            self._note_instruction(kind, instruction)
            if self.random.random() < 0.12:
                reason = self._one_of(PARSE_REASONS)
                self._reject(
                    Rejected(
                        step="parse", reason=reason, text=self._text(3, 40), kind=kind, source=f"{self._requests:016x}"
                    )
                )
                continue
            right = self._text(1, 6 if self.random.random() < 0.4 else 70)
            task_input = self._text(4, 60) if kind == "input_output" else ""
            ease = 0.2 if self.random.random() < HARD else 1.0
            completion = f"{self._requests:016x}"
            yield self._answered(
                Instance(
                    kind=kind,
                    instruction=instruction,
                    input=task_input,
                    output=self._nearly(right, 0.6 * ease),
                    completion_id=completion,
                    request_key="00",
                ),
                right,
                ease,
            )

    def _answered(self, instance: Instance, right: str, ease: float) -> tuple[Instance, tuple[Candidate, ...]]:
        key = self._request(
            "instances", instance.kind, GENERATOR, text=instance.output, tokens=1400, prompt=instance.instruction
        )
        self._insert("instance", (
            instance.kind, self._next("instance"), instance.id, instance.instruction, instance.input, instance.output,
            0, instance.completion_id, key,
        ))  # fmt: skip
        candidates = []
        for voter, skill in VOTERS.items():
            text = self._nearly(right, skill * ease)
            prompt = f"{instance.instruction}\n{instance.input}"
            tokens = len(prompt) // 4 + 1
            key = self._request("outputs", instance.kind, voter, text=text, tokens=tokens, prompt=prompt)
            candidates.append(Candidate(instance.id, voter, text, "stop", key.hex()))
            self._connection.execute(
                "INSERT OR REPLACE INTO candidate VALUES (?, ?, ?, 'stop', ?, '[]')", (instance.id, voter, text, key)
            )
        return instance, tuple(candidates)

    def _nearly(self, right: str, skill: float) -> str:
        draw = self.random.random()
        if draw < skill * 0.6:
            return right
        words = right.split()
        if draw < skill + 0.1:
            return " ".join(word if self.random.random() < skill else self.random.choice(WORDS) for word in words)
        return self._text(1, 2 * len(words) + 1)

    def _note_instruction(self, kind: Kind, text: str) -> None:
        scores = sorted((self.random.betavariate(5, 6) * 0.7 for _ in range(10)), reverse=True)
        similar = [(self.random.choice(self._seeds), score) for score in scores]
        key = self._request("instructions", kind, GENERATOR, text=text, tokens=420, prompt=self._text(24, 60))
        record = Instruction(kind=kind, text=text, request_key=key.hex())
        place = self._next("instruction")
        self._insert("instruction", (kind, place, record.id, text, key, place, json.dumps(similar), None))

    def _drop_instruction(self, kind: Kind) -> None:
        reason, text = self._one_of(REASONS), self._instruction()
        detail = f"{self.random.uniform(0.7, 1):.3f} to: {self._instruction()}" if reason == "not_novel" else ""
        self._reject(
            Rejected(step="instructions", reason=reason, text=text, kind=kind, request_key="00", detail=detail)
        )

    def _instruction(self) -> str:
        if self.random.random() < 0.1:
            return f"What is the best thing about {self.random.choice(TOPICS)}, and {self._text(3, 8)}?"
        verb = self.random.choices(list(TASKS), [3 / (place + 2) for place in range(len(TASKS))])[0]
        objects = TASKS[verb].split(",")
        thing = self.random.choices(objects, [1 / (place + 1) for place in range(len(objects))])[0]
        opening = self.random.choice(OPENINGS)
        start = verb if not opening or opening.endswith(". ") else verb.lower()
        extra = self._text(2, 12)
        return f"{opening}{start} the {thing} about {self.random.choice(TOPICS)} so that {extra}."

    def _text(self, least: int, most: int) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(least, most)))

    def _one_of(self, weights: dict[str, float]) -> str:
        return self.random.choices(list(weights), list(weights.values()))[0]

    def _reject(self, record: Rejected) -> None:
        self._connection.execute(ADD_REJECTED, (
            record.step, record.kind, record.reason, record.text, record.source, b"", record.detail
        ))  # fmt: skip

    def _request(self, step: str, kind: Kind, model: str, *, text: str, tokens: int, prompt: str) -> bytes:
        """The key of a request that is recorded with this reply; `tokens` are those of the prompt."""
        self._requests += 1
        key = self._requests.to_bytes(16, "big")
        share = min(1.0, self._requests / self._expected)
        at = START + 3600 * (HOURS * (0.9 * share + 0.1 * share**3) + (NIGHT if share > 0.55 else 0))
        packed = pack_prompt(prompt, "")
        self._insert("request", (
            key, step, kind, model, 1, packed, 1, None, 0, text, "stop", tokens, len(text) // 4 + 1, None,
            round(self.random.gammavariate(2, 0.4), 3), round(at + self.random.uniform(0, 20), 1), 0, 1,
            0, "", "",
        ))  # fmt: skip
        return key

    def _insert(self, table: str, values: tuple[object, ...]) -> None:
        self._connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)

    def _next(self, table: str) -> int:
        self._positions[table] += 1
        return self._positions[table] - 1


def make_run(folder: Path, examples: int) -> None:
    """A run folder with this many examples, half of each kind."""
    from ensemble_instruct.config.load import load_config
    from ensemble_instruct.runs.fingerprint import fingerprint

    folder.mkdir()
    config = CONFIG.replace("TARGET", str(examples)).replace("PRICED", PRICED)
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    settings = fingerprint(load_config(folder / "config.yaml"))
    with closing(connect(folder / "run.db")) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO shared VALUES (1, '')")
        connection.execute("INSERT INTO sampling VALUES (1, '{}')")
        maker = Maker(connection, examples)
        maker.make("input_output", examples // 2)
        maker.make("output_only", examples - examples // 2)
        kept = {"words": json.dumps(maker.kept.means), **noted_kept(maker.kept.kept)}
        meta = {"config": json.dumps(settings), "state": "finished", "version": __version__, **kept}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode=WAL")


def measure(folder: Path, *arguments: str) -> tuple[float, float]:
    """Seconds and peak megabytes of the command; the memory is that of the largest process so far."""
    began = time.monotonic()
    subprocess.run([str(COMMAND), "report", str(folder), *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> int:
    """Make a run, measure its report, print the table."""
    arguments = argparse.ArgumentParser(description="Time, memory and size of a report.")
    arguments.add_argument("--examples", type=int, default=100_000, help="size of the run (default: 100000)")
    arguments.add_argument("--keep", type=Path, help="new folder to make the run in, and to leave it there")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="report-") as name:
        folder = options.keep or Path(name) / "large-run"
        if not folder.exists():
            make_run(folder, options.examples)
        seconds, megabytes = measure(folder)
        page = (folder / "report.html").stat().st_size / 1e6
        database = (folder / "run.db").stat().st_size / 1e6
        again = measure(folder, "--json")[0]
    print(
        f"{'examples':>10}{'run.db MB':>11}{'seconds':>9}{'peak MB':>9}{'page MB':>9}{'--json seconds':>16}{'cores':>7}"
    )
    cores = os.cpu_count()
    print(
        f"{options.examples:>10,}{database:>11.0f}{seconds:>9.2f}{megabytes:>9.0f}{page:>9.3f}{again:>16.2f}{cores:>7}"
    )
    is_within = seconds < LIMITS["seconds"] and megabytes < LIMITS["megabytes"] and page < LIMITS["page_megabytes"]
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
