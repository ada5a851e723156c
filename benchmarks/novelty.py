"""How long does a novelty decision take? The pool beside rouge-score, a full scan with RapidFuzz, and MinHash LSH.

    .venv/bin/python benchmarks/novelty.py [--sizes 1000 5000 ...] [--texts instructions] [--threshold 0.7]

Makes pools of distinct texts, a fifth of them edited copies of earlier ones, and asks each way of searching the same
questions, made in the same way: is anything closer than the threshold? Each way runs in a process of its own.

    pool         `NoveltyPool(texts, tokens=tokens)`, then `above`
    grown        the same, with a decision before each text is added: build s is for all of them
    rouge-score  `RougeScorer(["rougeL"], use_stemmer=False)` on every text, as the original program does it
    rapidfuzz    `process.cdist` with Indel's normalised similarity on coded texts: ROUGE-L F1, but rounded otherwise
                 than by rouge-score, which decides differently where a score equals the threshold
    minhash      datasketch's `MinHashLSH` with 128 permutations at the Jaccard threshold t / (2 - t), which F1 > t
                 implies for texts without repeated tokens; what it finds is compared by ROUGE-L

build s ends with the first answer. bytes is the memory held after it beyond that of the list of texts, and peak the
most held until then, both for each text and with the libraries that were loaded. recall is the share of the questions
with something closer, by the pool's answer, for which it was found; "-" where there is no such question. Needs Linux
(reads /proc) and, for minhash, datasketch.

    .venv/bin/python benchmarks/novelty.py --verify 20000

asks about that many texts, adds them, and compares each answer, score and neighbour, with rouge-score's on every pair
that a full scan puts within 0.2 of the threshold or above, and as many scores of pairs drawn at random. Ends with 1 if
any differs.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ensemble_instruct.novelty.pool import NoveltyPool
from ensemble_instruct.rouge import lcs_f1, rouge_tokens

SIZES = (1_000, 5_000, 10_000, 45_000, 100_000, 1_000_000)
QUESTIONS = {"pool": 2000, "grown": 2000, "rouge-score": 10, "rapidfuzz": 100, "minhash": 500}
"""How many questions each way of searching has to answer."""
LARGEST = {"grown": 100_000, "rouge-score": 5_000, "minhash": 100_000}
"""Sizes up to which a way of searching ends in reasonable time."""
COLUMNS = ["search", "size", "build_s", "median_us", "p99_us", "bytes", "peak", "recall", "questions"]

Search = Callable[[str], bool]
"""Whether something is closer than the threshold."""


@dataclass(frozen=True)
class Grammar:
    """How texts are made: openings and joints around words drawn from a vocabulary by Zipf's law."""

    vocabulary: int
    exponent: float
    clauses: tuple[int, int]
    """Fewest and most clauses."""
    words: tuple[int, int]
    """Fewest and most drawn words in a clause."""
    fixed: int = 0
    """Number of templates of nine words, with a clause for their end; 0: openings and joints instead."""


GRAMMARS = {
    "instructions": Grammar(30_000, 1.0, (1, 4), (2, 5)),
    "few-words": Grammar(500, 0.0, (1, 4), (2, 5)),
    "many-words": Grammar(200_000, 0.5, (1, 4), (2, 5)),
    "templates": Grammar(20_000, 0.0, (1, 1), (5, 7), fixed=20),
    "one-template": Grammar(20_000, 0.0, (1, 1), (5, 7), fixed=1),
    "long": Grammar(30_000, 1.0, (10, 16), (4, 6)),
}
VERBS = "write list explain describe give suggest find name compare summarise translate rewrite"
OPENINGS = [
    f"{verb} {rest}".split()
    for verb in VERBS.split()
    for rest in ("a", "the", "three", "how to", "why the", "for me a", "in your own words the", "an example of")
]
JOINTS = [
    joint.split()
    for joint in ("and", "with", "for the", "of a", "that has", "without", "so that the", "in the style of", "if")
]


class Maker:
    """Makes texts of a grammar; the same seed makes the same ones."""

    def __init__(self, grammar: Grammar, seed: int) -> None:
        self._grammar = grammar
        self._rng = random.Random(seed)
        self._vocabulary = list(itertools.islice(_words(), grammar.vocabulary))
        weights = (1 / (rank + 3) ** grammar.exponent for rank in range(grammar.vocabulary))
        self._weights = list(itertools.accumulate(weights))
        self._templates = [self._draw(9) for _ in range(grammar.fixed)]
        self._tokens: list[list[str]] = []

    def distinct(self, count: int) -> list[str]:
        """This many texts, no two the same."""
        texts: dict[str, None] = {}
        while len(texts) < count:
            tokens = self._next(len(self._tokens))
            text = _text(tokens)
            if text not in texts:
                texts[text] = None
                self._tokens.append(tokens)
        return list(texts)

    def questions(self, count: int, size: int) -> list[str]:
        """This many questions to a pool of the first texts."""
        return [_text(self._next(size)) for _ in range(count)]

    def _next(self, size: int) -> list[str]:
        if size and self._rng.random() < 0.2:
            return self._edited(self._tokens[self._rng.randrange(size)])
        return self._new()

    def _draw(self, count: int) -> list[str]:
        return self._rng.choices(self._vocabulary, cum_weights=self._weights, k=count)

    def _new(self) -> list[str]:
        rng, grammar = self._rng, self._grammar
        tokens = [] if self._templates else list(rng.choice(OPENINGS))
        for number in range(rng.randint(*grammar.clauses)):
            tokens += rng.choice(JOINTS) if number else []
            tokens += self._draw(rng.randint(*grammar.words))
        return [*rng.choice(self._templates), *tokens] if self._templates else tokens

    def _edited(self, tokens: Sequence[str]) -> list[str]:
        """A copy with a tenth to half of the words replaced, left out or put in: on both sides of the threshold."""
        rng, edited = self._rng, list(tokens)
        for _ in range(max(1, round(len(tokens) * rng.uniform(0.1, 0.5)))):
            place, [word] = rng.randrange(len(edited)), self._draw(1)
            edited[place : place + rng.randint(0, 1)] = [word] if rng.random() < 0.8 or len(edited) < 4 else []
        return edited


def _text(tokens: list[str]) -> str:
    return " ".join(tokens).capitalize() + "."


def _words() -> Iterator[str]:
    """Made-up words, the short ones first."""
    syllables = [a + b for a in "bcdfghjklmnprstvwz" for b in "aeiou"]
    for length in itertools.count(2):
        for parts in itertools.product(syllables, repeat=length):
            yield "".join(parts)


# Ways of searching


def pool_search(texts: list[str], threshold: float) -> Search:
    """Ours, from all texts."""
    pool = NoveltyPool(texts, threshold, tokens=rouge_tokens)
    return lambda text: pool.above(text, threshold) is not None


def grown_search(texts: list[str], threshold: float) -> Search:
    """Ours, one text after another."""
    pool = NoveltyPool((), threshold, tokens=rouge_tokens)
    for text in texts:
        pool.above(text, threshold)
        pool.add(text)
    return lambda text: pool.above(text, threshold) is not None


def rouge_score_search(texts: list[str], threshold: float) -> Search:
    """The original's."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    return lambda text: max(scorer.score(other, text)["rougeL"].fmeasure for other in texts) > threshold


def rapidfuzz_search(texts: list[str], threshold: float) -> Search:
    """A comparison with every text, in C++."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    coded, numbers = _coded(texts)

    def search(text: str) -> bool:
        question = "".join([numbers.get(token, chr(0x10FFFF)) for token in rouge_tokens(text)])
        similarity = Indel.normalized_similarity
        scores = process.cdist([question], coded, scorer=similarity, score_cutoff=threshold, workers=1)
        return bool(scores.max() > threshold)

    return search


def _coded(texts: list[str]) -> tuple[list[str], dict[str, str]]:
    """The texts with a character for each token, and these characters."""
    numbers: dict[str, str] = {}
    tokens = map(rouge_tokens, texts)
    return ["".join([numbers.setdefault(token, chr(len(numbers))) for token in text]) for text in tokens], numbers


def minhash_search(texts: list[str], threshold: float) -> Search:
    """An approximate search for sets of tokens, and ROUGE-L on what it finds."""
    from datasketch import MinHash, MinHashLSH

    def sketch(tokens: list[str]) -> MinHash:
        sketched = MinHash(num_perm=128, seed=1)
        sketched.update_batch([token.encode() for token in tokens])
        return sketched

    index = MinHashLSH(threshold=threshold / (2 - threshold), num_perm=128)
    with index.insertion_session() as session:
        for number, text in enumerate(texts):
            session.insert(number, sketch(rouge_tokens(text)), check_duplication=False)

    def search(text: str) -> bool:
        tokens = rouge_tokens(text)
        return any(lcs_f1(rouge_tokens(texts[number]), tokens) > threshold for number in index.query(sketch(tokens)))

    return search


SEARCHES: dict[str, Callable[[list[str], float], Search]] = {
    "pool": pool_search,
    "grown": grown_search,
    "rouge-score": rouge_score_search,
    "rapidfuzz": rapidfuzz_search,
    "minhash": minhash_search,
}


# Measuring


@dataclass(frozen=True)
class Measured:
    """What a process measured."""

    build_seconds: float
    microseconds: list[float]
    """Of each question."""
    held: float
    peak: float
    """Bytes for each text."""
    closer: list[bool]
    """The answers."""


def main() -> int:
    """Measure and print one table."""
    arguments = _arguments()
    if arguments.measure:
        search, folder = arguments.measure
        print(json.dumps(vars(_measure(search, Path(folder), arguments.threshold))))
        return 0
    maker = Maker(GRAMMARS[arguments.texts], arguments.seed)
    if arguments.verify:
        return _verify(maker.distinct(arguments.verify), arguments.threshold)
    texts = maker.distinct(max(arguments.sizes))
    median = statistics.median(len(rouge_tokens(text)) for text in texts[:10_000])
    print(f"{arguments.texts}: median {median:g} tokens, threshold {arguments.threshold}, seed {arguments.seed}")
    print("  ".join(name.replace("_", " ").rjust(11) for name in COLUMNS))
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="novelty-") as folder:
            _compare(texts[:size], maker.questions(max(QUESTIONS.values()), size), arguments, Path(folder))
    left_out = ", ".join(f"{name} above {size:,}" for name, size in LARGEST.items() if max(arguments.sizes) > size)
    print(f"not measured, for it takes too long: {left_out}" if left_out else "everything was measured")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Novelty decisions: the pool beside other ways of searching.")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sizes of the pool")
    parser.add_argument("--texts", choices=GRAMMARS, default="instructions", help="which texts (default: instructions)")
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=list(SEARCHES), help="default: all")
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verify", type=int, metavar="N", help="compare all decisions on N texts with rouge-score")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.measure and "minhash" in arguments.searches and importlib.util.find_spec("datasketch") is None:
        parser.error("minhash needs datasketch: pip install datasketch, or leave it out with --searches")
    return arguments


def _compare(texts: list[str], questions: list[str], arguments: argparse.Namespace, folder: Path) -> None:
    """One row for each way of searching these texts."""
    size = len(texts)
    (folder / "texts").write_text("\n".join(texts))
    exact: list[bool] = []
    for name in sorted(arguments.searches, key=list(SEARCHES).index):
        if size > LARGEST.get(name, size):
            continue
        (folder / "questions").write_text("\n".join(questions[: QUESTIONS[name]]))
        command = [sys.executable, __file__, "--measure", name, str(folder), "--threshold", str(arguments.threshold)]
        measured = Measured(**json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
        exact = exact or measured.closer
        there = [mine for mine, truth in zip(measured.closer, exact, strict=False) if truth]
        times = sorted(measured.microseconds)
        row = (
            name,
            f"{size:,}",
            f"{measured.build_seconds:.2f}",
            f"{times[len(times) // 2]:,.0f}",
            f"{times[len(times) * 99 // 100]:,.0f}" if len(times) >= 100 else "-",
            f"{measured.held:,.0f}",
            f"{measured.peak:,.0f}",
            f"{sum(there) / len(there):.3f}" if there else "-",
            str(len(times)),
        )
        print("  ".join(cell.rjust(11) for cell in row), flush=True)


def _measure(search: str, folder: Path, threshold: float) -> Measured:
    texts = (folder / "texts").read_text().split("\n")
    questions = (folder / "questions").read_text().split("\n")
    before = _memory("VmRSS")
    began = time.perf_counter()
    ask = SEARCHES[search](texts, threshold)
    ask(questions[0])
    seconds = time.perf_counter() - began
    held, peak = _memory("VmRSS") - before, _memory("VmHWM") - before
    times, closer = [], []
    for question in questions:
        asked_at = time.perf_counter()
        closer.append(ask(question))
        times.append(1e6 * (time.perf_counter() - asked_at))
    return Measured(seconds, times, held / len(texts), peak / len(texts), closer)


def _verify(texts: list[str], threshold: float) -> int:
    """Print in how many answers pool and rouge-score differ."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel
    from rouge_score.rouge_scorer import RougeScorer

    def score(target: str, prediction: str) -> float:
        return float(scorer.score(target, prediction)["rougeL"].fmeasure)

    scorer, rng = RougeScorer(["rougeL"], use_stemmer=False), random.Random(0)
    pool, coded = NoveltyPool((), threshold, tokens=rouge_tokens), _coded(texts)[0]
    decisions = scores = compared = drops = 0
    for place, text in enumerate(texts):
        decision = pool.above(text, threshold)
        drops += decision is not None
        close: list[int] = []
        if place:
            similar = process.cdist([coded[place]], coded[:place], scorer=Indel.normalized_similarity, dtype="float64")
            close = (similar[0] >= threshold - 0.2).nonzero()[0].tolist()
        highest, other = max(((score(texts[other], text), -other) for other in close), default=(0.0, 0))
        decisions += decision != ((highest, -other) if highest > threshold else None)
        drawn = [rng.randrange(place) for _ in close]
        scores += sum(score(texts[other], text) != lcs_f1(*map(rouge_tokens, (texts[other], text))) for other in drawn)
        compared += len(close)
        pool.add(text)
    print(
        f"{len(texts):,} decisions, {drops:,} of them drops; {compared:,} pairs within 0.2 of {threshold} or above and"
    )
    print(f"{compared:,} at random scored by rouge-score: {decisions} decisions and {scores} scores differ")
    return 1 if decisions or scores else 0


def _memory(name: str) -> int:
    """Bytes of memory of this process: held now (VmRSS), or the most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.exit(main())
