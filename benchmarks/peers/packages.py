"""The packages: what is installed, and what each of its uses speaks about."""

from __future__ import annotations

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ADAPTERS = Path(__file__).with_name("adapters")


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that judges studies.

    Parameters
    ----------
    name : str
        Of its distribution, and in the tables.
    pinned : str
        What is installed; empty for this project, which runs where the driver does.
    adapter : str
        The script in `adapters` that uses it.
    speaks_about : mapping of str to str
        By way of use, as the adapter names them: what would be drawn anew if the study were repeated.
    """

    name: str
    pinned: str
    adapter: str
    speaks_about: dict[str, str]


PACKAGES = (
    Package(name="this project", pinned="", adapter="with_this.py", speaks_about={"verdict": "seeds and examples"}),
    Package(
        name="evalstats",
        pinned="evalstats==0.3.3",
        adapter="with_evalstats.py",
        speaks_about={"runs of each item": "examples, and runs that vary on each example by itself"},
    ),
    Package(
        name="deltagate",
        pinned="deltagate==0.1.1",
        adapter="with_deltagate.py",
        speaks_about={"one run each": "examples", "mean over runs of each sample": "examples"},
    ),
    Package(
        name="lm_eval",
        pinned="lm_eval==0.4.13",
        adapter="with_lm_eval.py",
        speaks_about={"one run each": "examples, another set for each model"},
    ),
    Package(
        name="autorank",
        pinned="autorank==1.3.0",
        adapter="with_autorank.py",
        speaks_about={"accuracy by seed": "seeds"},
    ),
    Package(
        name="deepsig",
        pinned="deepsig==1.2.8",
        adapter="with_deepsig.py",
        speaks_about={"eps_min below 0.2": "seeds", "eps_min below 0.5": "seeds"},
    ),
    Package(
        name="scipy",
        pinned="scipy==1.17.1",
        adapter="with_scipy.py",
        speaks_about={
            "rank sum (mannwhitneyu)": "seeds",
            "rank sum (ranksums)": "seeds",
            "paired t (ttest_rel)": "seeds",
        },
    ),
)


def python_of(package: Package, folder: Path) -> str:
    """Return the interpreter that has a package, in an environment of its own; make that where it is missing.

    Raises
    ------
    RuntimeError
        If it cannot be installed, with the last line that pip says.
    """
    if not package.pinned:
        return sys.executable
    place = folder / package.pinned
    python, done = place / "bin" / "python", place / "installed"
    if not done.exists():
        venv.create(place, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--no-compile", package.pinned]
        ended = subprocess.run(pip, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise RuntimeError(f"{package.pinned} cannot be installed: {ended.stderr.strip().splitlines()[-1]}")
        done.touch()
    return str(python)
