"""Packs to train: cut when a node asks for one, by that node's size, so that unlike nodes get packs that fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.engines.engine import Claim, claim_all
from harness.engines.packed.packs import PackKey
from harness.engines.packed.saved_pack import file_name, kept_packs
from harness.study.trials import Trial


@dataclass(slots=True, eq=False)
class Pack:
    """Trials that a node trains together.

    Parameters
    ----------
    trials : tuple of Trial
        All of one `PackKey`; those that are done are among them, as in a local run.
    deaths : int
        How many workers have died with it since it last got on.
    claimed : bool
        Whether it was asked for already.
    """

    trials: tuple[Trial, ...]
    deaths: int = 0
    claimed: bool = False
    file: str = field(init=False)

    def __post_init__(self) -> None:
        self.file = file_name([trial.key for trial in self.trials])


class Packs:
    """The trials of a study, from which packs are cut.

    Parameters
    ----------
    trials : sequence of Trial
        All of the study, finished or not, in its order: among alike nodes the packs are then those of a local run.
    done : set of str
        The keys of the trials that need not be trained; grows with the outcomes.
    folder : Path
        The folder of the study's saved packs: they are cut as they were before.
    claim : callable
        Is asked before a pack is trained; what it does not return counts as done.
    """

    def __init__(self, trials: Sequence[Trial], done: set[str], folder: Path, claim: Claim = claim_all) -> None:
        self._done = done
        self._claim = claim
        self._folder = folder
        self._position = {trial.key: i for i, trial in enumerate(trials)}
        # Cut already: saved by an earlier run, or come back from a worker that died.
        self._cut: list[Pack] = []
        self._taken: list[Pack] = []
        self._uncut: dict[PackKey, list[Trial]] = {}
        for trial in self._without_saved(trials):
            self._uncut.setdefault(PackKey.of(trial), []).append(trial)

    def give_back(self, pack: Pack) -> None:
        """Take back a pack whose worker died; where it had been halved, what is left of it comes in these pieces."""
        before = len(self._cut)
        rest = tuple(self._without_saved(pack.trials))
        if self._wanted(rest):
            self._cut.append(Pack(rest))
        for piece in self._cut[before:]:
            piece.deaths, piece.claimed = pack.deaths, True

    def waiting(self) -> list[Sequence[Trial]]:
        """Return what is left: first the packs that are cut already, then of each key the trials that are not cut."""
        uncut = [alike for alike in self._uncut.values() if any(trial.key not in self._done for trial in alike)]
        return [
            *(pack.trials for pack in self._cut),
            *sorted(uncut, key=lambda alike: self._position[alike[0].key]),
        ]

    def is_cut(self, trials: Sequence[Trial]) -> bool:
        """Whether some of what waits is a pack that is cut already."""
        return any(pack.trials is trials for pack in self._cut)

    def take(self, trials: Sequence[Trial], size: int) -> Pack:
        """Take of what waits a pack, of at most `size` trials unless it is cut already, and claim it."""
        pack = next((pack for pack in self._cut if pack.trials is trials), None)
        if pack is not None:
            self._cut.remove(pack)
        else:
            alike = self._uncut[PackKey.of(trials[0])]
            while pack is None or not self.left(pack):
                pack = Pack(tuple(alike[:size]))
                del alike[:size]
        if not pack.claimed:
            pack.claimed = True
            wanted = self.left(pack)
            # A claim takes the place of the one before, and the other packs are still in training.
            held = [trial for other in self._taken for trial in self.left(other)]
            self._done |= {trial.key for trial in wanted} - {trial.key for trial in self._claim([*wanted, *held])}
        self._taken.append(pack)
        return pack

    def left(self, pack: Pack) -> list[Trial]:
        """Return the trials of a pack that have no outcome yet."""
        return self._wanted(pack.trials)

    def _wanted(self, trials: Sequence[Trial]) -> list[Trial]:
        return [trial for trial in trials if trial.key not in self._done]

    def _without_saved(self, trials: Sequence[Trial]) -> list[Trial]:
        """Cut the saved packs out of the trials; return the rest."""
        rest = {trial.key: trial for trial in trials}
        for keys in kept_packs(self._folder):
            if rest.keys() >= set(keys) and self._wanted([rest[key] for key in keys]):
                self._cut.append(Pack(tuple(rest.pop(key) for key in keys)))
        return list(rest.values())
