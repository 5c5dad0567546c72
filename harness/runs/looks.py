"""Look by look: a run that stops at every declared look, and goes on with the arms that are still open."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from harness.records.store import Manifest, Store
from harness.study.trials import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class LookByLook:
    """How a run until decided goes from look to look.

    Parameters
    ----------
    sizes : sequence of int
        The declared numbers of seeds, ascending.
    still_open : callable
        Is called with a number of seeds, once every trial that this look waits for is recorded, and with whether this
        process leads, and so notes the look. It returns the arms that stand in an open comparison, and none where the
        run may end.
    """

    sizes: Sequence[int]
    still_open: Callable[[int, bool], Collection[str]]


def stages(
    trials: Sequence[Trial], seeds: Sequence[int], looks: LookByLook | None, *, leads: bool = True
) -> Iterator[list[Trial]]:
    """Yield what a run trains from one look to the next; without looks, everything at once.

    Parameters
    ----------
    trials : sequence of Trial
        All that may be trained.
    seeds : sequence of int
        In the order in which looks take them up.
    looks : LookByLook or None
        It is asked after each stage, so a stage that was not completed must be the last that is asked for.
    leads : bool
        Whether this process notes the looks.
    """
    if looks is None:
        yield list(trials)
        return
    arms: Collection[str] = {trial.arm for trial in trials}
    for before, size in itertools.pairwise((0, *looks.sizes)):
        if size > len(seeds) or not arms:
            return
        new = set(seeds[before:size])
        yield [trial for trial in trials if trial.seed in new and trial.arm in arms]
        arms = looks.still_open(size, leads)


def spared_trials(
    trials: Sequence[Trial], manifest: Manifest, store: Store, *, decided: bool
) -> frozenset[tuple[str, int]]:
    """Return the arm and the seed of each trial that a run until decided leaves out.

    Parameters
    ----------
    trials : sequence of Trial
        All of the study.
    manifest : Manifest
        Of the study.
    store : Store
        Keeps the looks that were noted.
    decided : bool
        Whether the run has come to its end, so that it needs nothing more.
    """
    if decided:
        return frozenset((trial.arm, trial.seed) for trial in trials)
    return manifest.spared(store.looks())
