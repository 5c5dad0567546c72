"""The file in which studies go to a package, and the JSON that comes back.

An adapter runs in the package's own environment, where nothing of this project is installed: this needs NumPy only.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
"""The level of every claim."""

Runs = NDArray[np.bool_]
"""Whether each run of one arm is right on each example, shape (S, N)."""


@dataclass(frozen=True)
class Studies:
    """Studies of one kind.

    Parameters
    ----------
    right : ndarray of bool, shape (K, 2, S, N)
        Whether each run is right on each example: K studies, the treatment and then the baseline, S runs, N examples.
    paired : bool
        Whether equal runs of the two arms have their seed in common.
    """

    right: NDArray[np.bool_]
    paired: bool


def write(file: Path, studies: Studies) -> None:
    """Write studies as an .npz file: `right`, eight examples a byte, its `shape`, and `paired`."""
    right = studies.right
    if right.ndim != 4 or right.shape[1] != 2 or right.dtype != np.bool_:
        raise ValueError(
            f"right has the shape {right.shape} and holds {right.dtype}; it must be bool, with the shape "
            "(studies, 2, runs, examples)"
        )
    np.savez(file, right=np.packbits(right, axis=-1), shape=right.shape, paired=studies.paired)


def read(file: Path) -> Studies:
    """Read what `write` wrote."""
    with np.load(file) as arrays:
        right = np.unpackbits(arrays["right"], axis=-1, count=int(arrays["shape"][-1]))
        return Studies(right=right.astype(bool), paired=bool(arrays["paired"]))


def one_run(judge: Callable[[Runs, Runs], int]) -> Callable[[Runs, Runs], int]:
    """Give a package that compares two runs the first run of each arm, still with the shape (1, N)."""
    return lambda treatment, baseline: judge(treatment[:1], baseline[:1])


def claim(*, shown: bool, gap: float) -> int:
    """Return 1 where the treatment is called better, -1 where the baseline is, and 0 where nothing is claimed."""
    return int(np.sign(gap)) if shown else 0


def answer(package: str, uses: Mapping[str, Callable[..., int | None]], *, pairing: bool = False) -> None:
    """Judge every study of the files that the command line names; print a line of JSON for each file.

    Parameters
    ----------
    package : str
        As its distribution is called.
    uses : mapping of str to callable
        Ways to use it by name; each takes the runs of the treatment and of the baseline, and returns a `claim`, or None
        where the package has no answer for so few runs.
    pairing : bool
        Whether each also takes `paired`, as `Studies` has it.
    """
    for file in sys.argv[1:]:
        studies = read(Path(file))
        given = {"paired": studies.paired} if pairing else {}
        answers = {}
        # Some packages print what they find, and warn of ties and of few runs: only the claims are printed here.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, judge in uses.items():
                began = time.process_time()
                claims = [judge(*study, **given) for study in studies.right]
                answers[name] = {"claims": claims, "seconds": (time.process_time() - began) / len(claims)}
        print(json.dumps({"file": file, "version": version(package), "uses": answers}), flush=True)
