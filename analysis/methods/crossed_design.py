"""Design of the crossed test: whether it judges seeds by pair or as independent ones, by their number alone."""

from __future__ import annotations

from typing import Literal

Design = Literal["A", "B", "C"]

# Two seeds give an interval, but too wide and too shaky a one to decide by.
SEEDS_FOR_A_VERDICT = 3
# With fewer pairs of two arms, pairing costs more degrees of freedom than it brings where seeds are little correlated.
_FEWEST_PAIRS = 8


def design_of(*, n_seeds: int, n_arms: int = 2, before_pooling: bool = False) -> Design:
    """Say by which design `crossed_test` judges paired seeds.

    Parameters
    ----------
    n_seeds : int
        Of each arm.
    n_arms : int
        How many arms the variation over seeds is estimated from.
    before_pooling : bool
        As plans were judged that were frozen before arms could be pooled: A from four seeds on.

    Returns
    -------
    {"A", "B"}
        A from eight seeds on for two arms, and from three seeds on for more.

    Examples
    --------
    >>> [design_of(n_seeds=S) for S in (3, 7, 8)], [design_of(n_seeds=S, n_arms=3) for S in (2, 3, 4)]
    (['B', 'B', 'A'], ['B', 'A', 'A'])
    """
    if before_pooling:
        return "A" if n_seeds >= 4 else "B"
    return "A" if n_seeds >= (SEEDS_FOR_A_VERDICT if n_arms > 2 else _FEWEST_PAIRS) else "B"


def has_plain_df(design: Design, *, n_seeds: int, before_pooling: bool = False) -> bool:
    """Say whether `crossed_test` takes Satterthwaite's degrees of freedom as they are, without `caution`.

    Parameters
    ----------
    design : {"A", "B"}
        As `design_of` says; "B" also for equally many seeds that are not paired.
    n_seeds : int
        Of each arm.
    before_pooling : bool
        As in `design_of`.
    """
    # From four seeds on the far tail must hold as well, where a correction over many comparisons looks. Up to three
    # hold the level of a single comparison without, and no more is asked of them.
    return before_pooling if design == "A" else n_seeds < 4
