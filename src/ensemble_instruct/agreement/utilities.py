"""What agreement can mean: utilities that compare the outputs of an instance in pairs, alone or mixed by weights.

A comparer gives one matrix for each row; those here need no model. `embedding` is in `embeddings`, `judge` in
`steps.judge`, for they need one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, get_args

from ensemble_instruct.agreement.answers import answer_form
from ensemble_instruct.agreement.ballots import Matrix, pairwise, rouge_l_matrix
from ensemble_instruct.errors import ConfigError, UsageError
from ensemble_instruct.records import Instance, Utility

Texts = tuple[Instance, Sequence[str]]
"""An instance, and the outputs that there are for it."""
Comparer = Callable[[Sequence[Texts]], list[Matrix]]
Weights = tuple[tuple[Utility, float], ...]
"""Utilities with their weights, which add up to 1."""

ROUGE_L: Weights = (("rouge-l", 1.0),)
"""The default."""


def exact(rows: Sequence[Texts]) -> list[Matrix]:
    """1 for outputs that give the same answer (`answer_form`), else 0."""
    return [_of_forms([answer_form(text) for text in outputs]) for _, outputs in rows]


def _of_forms(forms: Sequence[str]) -> Matrix:
    return pairwise(len(forms), lambda i, j: float(bool(forms[i]) and forms[i] == forms[j]))


def rouge_l_matrices(rows: Sequence[Texts]) -> list[Matrix]:
    """1 for the same answer, else stemmed ROUGE-L F1: what a ballot has by itself."""
    return [rouge_l_matrix(outputs) for _, outputs in rows]


def chrf(rows: Sequence[Texts]) -> list[Matrix]:
    """1 for the same answer, else chrF with beta 1 (sacrebleu; character 6-grams), which is the same both ways."""
    return [_chrf_matrix(outputs) for _, outputs in rows]


def _chrf_matrix(outputs: Sequence[str]) -> Matrix:
    scorer, forms = _chrf_scorer(), [answer_form(text) for text in outputs]

    def agreement(i: int, j: int) -> float:
        if not forms[i] or not forms[j]:
            return 0.0
        first, second = sorted((outputs[i], outputs[j]))
        return 1.0 if forms[i] == forms[j] else float(scorer.sentence_score(first, [second]).score) / 100

    return pairwise(len(outputs), agreement)


def require_chrf() -> None:
    """Raise `ConfigError` where the extra of the utility `chrf` is not installed."""
    _chrf_scorer()


@cache
def _chrf_scorer() -> Any:
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise ConfigError("utility chrf: needs sacrebleu; pip install 'ensemble-instruct[chrf]'") from error
    return CHRF(beta=1)


PURE: Mapping[Utility, Comparer] = {"exact": exact, "rouge-l": rouge_l_matrices, "chrf": chrf}
"""The comparers that need no model."""


def is_pure(weights: Weights) -> bool:
    """Whether no model is needed."""
    return all(utility in PURE for utility, _ in weights)


def mixed(weights: Weights, comparers: Mapping[Utility, Comparer], rows: Sequence[Texts]) -> list[Matrix]:
    """The matrices of a mixture: in each place the sum of what the utilities say, by their weights."""
    if len(weights) == 1:
        return comparers[weights[0][0]](rows)
    parts = [(weight, comparers[utility](rows)) for utility, weight in weights]
    return [_sum([(weight, matrices[at]) for weight, matrices in parts]) for at in range(len(rows))]


def _sum(parts: Sequence[tuple[float, Matrix]]) -> Matrix:
    def agreement(i: int, j: int) -> float:
        if all(matrix[i][j] == 1 for _, matrix in parts):
            return 1.0
        return min(1.0, math.fsum(weight * matrix[i][j] for weight, matrix in parts))

    return pairwise(len(parts[0][1]), agreement)


def utility_weights(utility: Utility | Mapping[Utility, float]) -> Weights:
    """The weights of one utility, or of a mixture that a mapping names; raises `UsageError` for what is neither."""
    weights = {utility: 1.0} if isinstance(utility, str) else utility
    known = get_args(Utility)
    if not isinstance(weights, Mapping):
        raise UsageError(f"utility {weights!r}: give the name of one, or a mapping of names to weights")
    for name, weight in weights.items():
        if name not in known:
            raise UsageError(f"utility {name!r}: no such utility; there are {', '.join(known)}")
        if not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise UsageError(f"utility {name!r}: weight {weight} is not a positive number")
    if not weights:
        raise UsageError(f"utility: names nothing; there are {', '.join(known)}")
    return normalised_weights(weights)


def normalised_weights(weights: Mapping[Utility, float]) -> Weights:
    """The weights, in the order of the names, so that they add up to 1."""
    total = sum(weights.values())
    return tuple((utility, weights[utility] / total) for utility in sorted(weights))
