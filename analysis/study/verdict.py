"""Verdicts: the decision table, from corrected p-values to the answer of each comparison. It computes no statistic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from analysis.methods.clopper_pearson import clopper_pearson
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.crossed_seeds import SEEDS_OF_A_SOURCE

Direction = Literal["better", "worse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to one comparison; about new seeds and new examples of the same kind.

    Parameters
    ----------
    direction : Direction or None
        Where a difference was shown: whether the treatment is better or worse than the baseline; else None.
    within_margin : bool
        Whether the gap was shown to lie within the margin.
    asked : bool
        Whether the question could be asked at all.
    reason : str
        Why it could not be asked, or why the verdict cannot be more than undecided; else empty.
    """

    direction: Direction | None = None
    within_margin: bool = False
    asked: bool = True
    reason: str = ""

    json_keys: ClassVar = ("label", "reason")

    @property
    def differs(self) -> bool:
        """Whether a difference was shown."""
        return self.direction is not None

    @property
    def decided(self) -> bool:
        """Whether a difference or equivalence was shown."""
        return self.differs or self.within_margin

    @property
    def undecided(self) -> bool:
        """Whether neither was shown, which does not mean that the arms are the same."""
        return self.asked and not self.decided

    @property
    def label(self) -> str:
        """The verdict in words.

        ``better`` or ``worse``; ``equivalent``: the gap lies within the margin; ``..., within the margin``: both, so
        the gap is real and too small to matter; ``undecided``; ``no verdict``: the question could not be asked.
        """
        if not self.asked:
            return "no verdict"
        if self.direction is None:
            return "equivalent" if self.within_margin else "undecided"
        return f"{self.direction}, within the margin" if self.within_margin else self.direction


def decide(
    result: CrossedResult | None,
    *,
    difference_p: float,
    equivalence_p: float,
    alpha: float,
    higher_is_better: bool = True,
    refusal: str = "",
) -> Verdict:
    """Decide one comparison.

    Parameters
    ----------
    result : CrossedResult or None
        The primary test; None where it could not be made.
    difference_p, equivalence_p : float
        The corrected p-values of "there is no difference" and of "the difference is the margin or more".
    alpha : float
        The error rate that the corrected p-values are compared with.
    higher_is_better : bool
        Whether a positive gap is an improvement.
    refusal : str
        Why the comparison may not be decided, such as a diverged trial; it takes precedence over everything else.

    Returns
    -------
    Verdict
        Generalises to new seeds and new examples. A p-value equal to alpha decides nothing.
    """
    if refusal or result is None:
        return Verdict(asked=False, reason=refusal or "the test could not be made")
    if not result.standard_error > 0:
        return Verdict(asked=False, reason=result.reason)
    if min(result.n_seeds) < SEEDS_FOR_A_VERDICT:
        return Verdict(reason=f"{min(result.n_seeds)} seeds give an interval; a verdict needs {SEEDS_FOR_A_VERDICT}")
    crossed = result.by_source
    if crossed is not None and min(crossed.n_first, crossed.n_second) < SEEDS_OF_A_SOURCE:
        return Verdict(reason=f"seeds by source: a verdict needs {SEEDS_OF_A_SOURCE} seeds of each kind")
    if math.isnan(difference_p) or math.isnan(equivalence_p):
        return Verdict(asked=False, reason=result.reason)
    direction: Direction = "better" if (result.estimate > 0) == higher_is_better else "worse"
    return Verdict(
        direction=direction if difference_p < alpha else None,
        within_margin=equivalence_p < alpha,
    )


def collapse_rate_limit(n_trials: int, *, seen: int = 0, confidence: float = 0.95) -> float:
    """Return the upper confidence limit of the share of trials that collapse, after so many trials of an arm.

    Parameters
    ----------
    n_trials : int
        The number of trials of the arm; at least 1.
    seen : int
        How many of them collapsed.
    confidence : float
        The confidence of the one-sided limit, between 0 and 1.

    Raises
    ------
    ValueError
        If there is no trial, or if more trials collapsed than there are.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413: the upper limit.

    Examples
    --------
    >>> [round(collapse_rate_limit(s), 2) for s in (3, 5, 20)], round(collapse_rate_limit(8, seen=1), 2)
    ([0.63, 0.45, 0.14], 0.47)
    """
    if n_trials < 1 or not 0 <= seen <= n_trials:
        raise ValueError(f"expected at least one trial and at most as many that collapsed, got {n_trials} and {seen}")
    return clopper_pearson(seen, n_trials, tail=1 - confidence).high
