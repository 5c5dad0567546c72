"""Needed sizes: the fewest seeds or test examples that answer a question, and why no number of them does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.power.new_study import BY_PAIR, NewStudy, PlannedTest, new_study, with_endless_seeds
from analysis.power.sizes import check_levels
from analysis.words import estimated_count

# Beyond this many seeds or examples an answer would help nobody.
_MOST = 10_000_000
# Up to here every number of seeds is tried: the test changes its design on the way, and more is not always better.
_FEW = 8


class Question(NamedTuple):
    """What a study is to show, and what is true.

    Parameters
    ----------
    gap : float
        The true gap, in units of the score; its sign does not matter.
    margin : float or None
        None: that there is a gap. Else: that the gap lies within this margin.
    """

    gap: float
    margin: float | None = None

    def answered(self, study: NewStudy, alpha: float) -> float:
        """Chance that a study answers it."""
        if self.margin is None:
            return study.found(self.gap, alpha=alpha)[0]
        return study.equivalent(self.gap, margin=self.margin, alpha=alpha)


def seeds_needed(
    components: VarianceComponents,
    question: Question,
    *,
    n_examples: int,
    alpha: float,
    power: float = 0.8,
    test: PlannedTest = BY_PAIR,
) -> int | None:
    """Fewest seeds in each arm that settle a question on a test set of this size.

    Parameters
    ----------
    components : VarianceComponents
    question : Question
        What is to be shown, and of which true gap.
    n_examples : int
        Test examples, at least 2.
    alpha : float
        Level, between 0 and 1.
    power : float
        Wanted chance of settling the question, between `alpha` and 1.
    test : PlannedTest
        How the study will be judged.

    Returns
    -------
    int or None
        At least 3, without which there is no verdict; None where no number of seeds does: for finding a gap, where
        it lies at or below `floor_gap_at`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_levels(alpha, power)
    question = checked(question)
    endless = with_endless_seeds(components, n_examples=n_examples)
    if not _possible(question) or (endless is not None and not question.answered(endless, alpha) > power):
        return None

    def enough(n_seeds: int) -> bool:
        study = new_study(components, n_seeds=n_seeds, n_examples=n_examples, test=test)
        return study is not None and question.answered(study, alpha) >= power

    few = next((S for S in range(SEEDS_FOR_A_VERDICT, _FEW + 1) if enough(S)), None)
    return few or _smallest(enough, _FEW)


def examples_needed(
    components: VarianceComponents,
    question: Question,
    *,
    n_seeds: int,
    alpha: float,
    power: float = 0.8,
    test: PlannedTest = BY_PAIR,
) -> int | None:
    """Fewest test examples that settle a question with this number of seeds.

    Parameters
    ----------
    components : VarianceComponents
    question : Question
        What is to be shown, and of which true gap.
    n_seeds : int
        Seeds in each arm, at least 2.
    alpha : float
        Level, between 0 and 1.
    power : float
        Wanted chance of settling the question, between `alpha` and 1.
    test : PlannedTest
        How the study will be judged.

    Returns
    -------
    int or None
        At least 2; None where no number of examples does, because the seeds alone vary too much, and with two seeds,
        which never give a verdict.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_levels(alpha, power)
    question = checked(question)
    if n_seeds < 2:
        raise ValueError(f"need at least two seeds, got {n_seeds}")

    def enough(n_examples: int) -> bool:
        study = new_study(components, n_seeds=n_seeds, n_examples=n_examples, test=test)
        return study is not None and question.answered(study, alpha) >= power

    if n_seeds < SEEDS_FOR_A_VERDICT or not _possible(question) or not enough(_MOST):
        return None
    return 2 if enough(2) else _smallest(enough, 2)


def shortfall(
    components: VarianceComponents,
    question: Question,
    *,
    seeds: int | None,
    examples: int | None,
    alpha: float,
    power: float = 0.8,
    test: PlannedTest = BY_PAIR,
) -> str:
    """Say why no number of seeds settles a question, and what would.

    Parameters
    ----------
    components : VarianceComponents
    question : Question
        What is to be shown, and of which true gap.
    seeds, examples : int or None
        As `seeds_needed` and `examples_needed` answer.
    alpha, power, test : float, float, PlannedTest
        As for these.

    Returns
    -------
    str
        Empty where a number of seeds does.
    """
    if seeds is not None:
        return ""
    question = checked(question)
    goal = "find this gap" if question.margin is None else "show that so large a gap lies within the margin"
    if question.margin is None and question.gap == 0:
        return "no study finds a gap of 0; equivalence within the margin is another question"
    if question.margin is not None and question.gap >= question.margin:
        return "a gap as large as the margin does not lie within it"
    if examples is not None:
        return f"no number of seeds can {goal} on a test set of this size: it takes more test examples"

    # Seeds that leave half of the squared standard error to the examples.
    margin = None if question.margin is None else question.margin / math.sqrt(2)
    harder = Question(question.gap / math.sqrt(2), margin)
    more_seeds = seeds_needed(components, harder, n_examples=_MOST, alpha=alpha, power=power, test=test)
    if more_seeds is not None:
        both = examples_needed(components, question, n_seeds=more_seeds, alpha=alpha, power=power, test=test)
        if both is not None:
            numbers = " and ".join(f"{number:,}" for number in dict.fromkeys(test.seeds(more_seeds)))
            return (
                f"neither more seeds nor more test examples alone can {goal}; "
                f"{numbers} seeds on about {estimated_count(both)} test examples would"
            )
    return "this gap is too small to be found" if question.margin is None else "this gap is too close to the margin"


def _possible(question: Question) -> bool:
    return question.gap > 0 if question.margin is None else question.gap < question.margin


def checked(question: Question) -> Question:
    """Return the question without the sign of its gap; a ValueError where it cannot be asked."""
    if not math.isfinite(question.gap):
        raise ValueError(f"gap must be finite, got {question.gap!r}")
    if question.margin is not None and not (math.isfinite(question.margin) and question.margin > 0):
        raise ValueError(f"margin must be positive and finite, got {question.margin!r}")
    return question._replace(gap=abs(question.gap))


def _smallest(enough: Callable[[int], bool], low: int) -> int | None:
    """Find the smallest number above `low`, which is too low, that is enough; None beyond `_MOST`."""
    high = 2 * low
    while not enough(high):
        if high >= _MOST:
            return None
        low, high = high, min(2 * high, _MOST)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
