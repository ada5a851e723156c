"""How fast is step 5? Each strategy over many instances, beside the original's way: rouge-score on each pair, stemmed.

    .venv/bin/python benchmarks/ensemble.py [--rows 100000] [--words 60] [--voters 2] [--sample 300]

Makes instances whose outputs share about three quarters of their words, and decides them all with each strategy, in one
process on one core. rouge-score takes too long for all of them: it scores the pairs of a sample, before and after each
strategy, and its time a row is that of the sample. Prints microseconds a row, of the processor, and how many times
rouge-score's rate that is; keeps nothing. Needs rouge-score (`pip install -e '.[benchmarks]'`).
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Callable
from itertools import combinations

from ensemble_instruct.agreement.selection import Selection
from ensemble_instruct.records import OF_THREE, Answered, Candidate, Example, Instance, Strategy
from ensemble_instruct.steps.ensemble import select

STRATEGIES: tuple[Strategy, ...] = ("vouched", "balanced", "consensus", "released", "algorithm1")
_VOCABULARY = 20_000


def made_rows(count: int, words: int, voters: int) -> list[Answered]:
    """Distinct instances, the same each time: words by Zipf's law, of which each output has a quarter of its own."""
    chosen = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["".join(chosen.choices(letters, k=chosen.randint(2, 9))) for _ in range(_VOCABULARY)]
    weights = [1 / (rank + 3) for rank in range(_VOCABULARY)]

    def output(shared: list[str]) -> str:
        mine = list(shared)
        for _ in range(words // 4):
            mine[chosen.randrange(words)] = chosen.choice(vocabulary[:2000])
        return f"{' '.join(mine).capitalize()}."

    rows: list[Answered] = []
    for number in range(count):
        shared = chosen.choices(vocabulary, weights, k=words)
        instance = Instance(kind="output_only", instruction=f"task {number}", input="", output=output(shared))
        candidates = tuple(Candidate(instance.id, f"v{voter}", output(shared)) for voter in range(voters))
        rows.append(Answered(instance, candidates))
    return rows


def seconds(work: Callable[[], int]) -> tuple[float, int]:
    """How long some work takes of a core, whatever else the machine does, and what it gives."""
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def with_rouge_score(rows: list[Answered]) -> int:
    """The scores that the original's rule needs; gives how many."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    count = 0
    for instance, candidates in rows:
        outputs = [instance.output, *(candidate.text for candidate in candidates)]
        for one, other in combinations(outputs, 2):
            scorer.score(one, other)
            count += 1
    return count


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="instances (100000)")
    parser.add_argument("--words", type=int, default=60, help="words of an output (60)")
    parser.add_argument("--voters", type=int, default=2, help="outputs in addition to the instance's own (2)")
    parser.add_argument("--sample", type=int, default=300, help="rows for rouge-score (300)")
    options = parser.parse_args()
    if min(options.rows, options.words, options.voters, options.sample) < 1:
        parser.error("all numbers must be at least 1")
    gc.set_threshold(50_000, 50, 50)  # as the command has it
    rows = made_rows(options.rows, options.words, options.voters)
    sample = rows[: options.sample]
    with_rouge_score(sample[:1])  # imports
    took, _ = seconds(lambda: with_rouge_score(sample))
    print(f"{len(rows):,} rows, {options.voters + 1} outputs of {options.words} words")
    print(f"{'way':<14}{'rows':>9}{'seconds':>9}{'us/row':>9}{'times':>8}{'kept':>9}")
    print(f"{'rouge-score':<14}{len(sample):>9,}{took:>9.2f}{1e6 * took / len(sample):>9.0f}{1:>8.1f}{'-':>9}")
    for strategy in STRATEGIES:
        if options.voters != 2 and strategy in OF_THREE:
            continue
        before, _ = seconds(lambda: with_rouge_score(sample))
        took, kept = seconds(
            lambda: sum(isinstance(record, Example) for record in select(lambda: rows, Selection(strategy)))  # noqa: B023
        )
        after, _ = seconds(lambda: with_rouge_score(sample))
        each, peer = took / len(rows), (before + after) / 2 / len(sample)
        print(f"{strategy:<14}{len(rows):>9,}{took:>9.2f}{1e6 * each:>9.0f}{peer / each:>8.1f}{kept:>9,}", flush=True)


if __name__ == "__main__":
    main()
