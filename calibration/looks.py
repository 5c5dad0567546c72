"""Studies that are looked at while they grow: false claims, power, and the seeds that looking saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.looks import sequential_p, thresholds
from analysis.methods.multiplicity import joint_step_down
from calibration.counts import Count, Size, streams
from calibration.families import MARGIN, judged
from calibration.methods import LEVELS
from calibration.rates import GAP
from calibration.regimes import REGIMES, Regime, draw, draw_arms

LOOKS = (4, 8, 12, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookErrors:
    """False claims of a study that is looked at while it grows.

    Parameters
    ----------
    regime : str
        Its name.
    declared, undeclared : Count
        Claims of a gap where nothing is different: by the spending at the declared looks, and by the raw p-values at
        any of them.
    at_the_end : Count
        The same, looking once.
    """

    regime: str
    declared: Count
    undeclared: Count
    at_the_end: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRates(LookErrors):
    """False claims, power and size of a study of two arms that is looked at while it grows.

    Parameters
    ----------
    detected, detected_at_the_end : Count
        Rejections where there is a gap, at the declared looks and looking once.
    seeds : float
        Mean number of seeds at which the study with a gap stops.
    """

    detected: Count
    detected_at_the_end: Count
    seeds: float


def count_looks(regime: Regime, size: Size) -> LookRates:
    """Count rejections of a study with looks at `LOOKS`."""
    rng, _ = streams(2000 + REGIMES.index(regime))
    declared, undeclared, at_the_end, detected, detected_at_the_end = (Count() for _ in range(5))
    stops = []
    for _ in range(size.studies):
        alike, different = draw(regime, LOOKS[-1], rng, gap=GAP)
        null, real = _p_by_look(alike.right), _p_by_look(different.right)
        declared.add(_stop(null) is not None)
        undeclared.add(min(null) <= LEVELS[0])
        at_the_end.add(null[-1] <= LEVELS[0])
        stop = _stop(real)
        detected.add(stop is not None)
        detected_at_the_end.add(real[-1] <= LEVELS[0])
        stops.append(stop or LOOKS[-1])
    return LookRates(
        regime=regime.name,
        declared=declared,
        undeclared=undeclared,
        at_the_end=at_the_end,
        detected=detected,
        detected_at_the_end=detected_at_the_end,
        seeds=float(np.mean(stops)),
    )


def _p_by_look(arms: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> list[float]:
    treatment, baseline = arms
    return [crossed_test(treatment[:seeds], baseline[:seeds], paired=True).p_value for seeds in LOOKS]


def _stop(p_values: Sequence[float]) -> int | None:
    """Return the number of seeds at which a declared look rejects; None where none does."""
    allowed = thresholds(LOOKS, alpha=LEVELS[0])
    reached = (seeds for seeds, p, most in zip(LOOKS, p_values, allowed, strict=True) if p <= most)
    return next(reached, None)


def count_family_looks(regime: Regime, size: Size) -> LookErrors:
    """Count false claims of four comparisons at `LOOKS`, by the pooled test and after the joint step-down."""
    rng, _ = streams(2100 + REGIMES.index(regime))
    declared, undeclared, at_the_end = Count(), Count(), Count()
    for _ in range(size.studies):
        arms = draw_arms(regime, LOOKS[-1], rng, gaps=(0.0,) * 4)
        by_look = [judged([arm[:seeds] for arm in arms], "pooled") for seeds in LOOKS]
        difference = np.array([[one.p_value for one in results] for results in by_look])
        equivalence = np.array(
            [
                [tost(one.estimate, one.standard_error, one.df, margin=MARGIN).p_value for one in results]
                for results in by_look
            ]
        )
        claims = [_any_gap(*pair) for pair in zip(difference.tolist(), equivalence.tolist(), strict=True)]
        undeclared.add(any(claims))
        at_the_end.add(claims[-1])
        # The correction works on one p-value for all looks; where none comes near, there is no claim.
        if (difference <= np.array(thresholds(LOOKS, alpha=LEVELS[0]))[:, None]).any():
            valid = [sequential_p(p, LOOKS, sides=2) for p in difference.T.tolist()]
            same = [sequential_p(p, LOOKS, sides=1) for p in equivalence.T.tolist()]
            declared.add(_any_gap(valid, same))
        else:
            declared.add(False)
    return LookErrors(regime=regime.name, declared=declared, undeclared=undeclared, at_the_end=at_the_end)


def _any_gap(difference: Sequence[float], equivalence: Sequence[float]) -> bool:
    adjusted = joint_step_down(difference, equivalence)
    return min(adjusted.difference) <= LEVELS[0]
