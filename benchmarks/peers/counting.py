"""Counts of claims, and the file that keeps all of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.methods.clopper_pearson import clopper_pearson
from analysis.methods.interval import Interval
from benchmarks.peers.designs import Design

COLUMNS = (
    "package",
    "version",
    "use",
    "regime",
    "seeds",
    "examples",
    "gap",
    "studies",
    "refused",
    "better",
    "worse",
    "ms",
    "runs",
)


@dataclass(frozen=True, kw_only=True)
class Count:
    """What one use of a package claimed about the studies of one design.

    Parameters
    ----------
    package, version, use : str
    design : Design
    studies : int
        All of them.
    refused : int
        Those for which the package has no answer.
    better, worse : int
        Those in which the treatment, or the baseline, was called better.
    ms : float
        Milliseconds of a processor for each study, roughly.
    runs : int
        Of real studies, how many runs of one recipe they are drawn from; 0 where runs are simulated.
    """

    package: str
    version: str
    use: str
    design: Design
    studies: int
    refused: int
    better: int
    worse: int
    ms: float
    runs: int = 0

    @property
    def key(self) -> tuple[str, str, Design]:
        """What a later count of the same takes the place of."""
        return self.package, self.use, self.design

    @property
    def answered(self) -> int:
        """Studies for which there is an answer."""
        return self.studies - self.refused

    @property
    def hits(self) -> int:
        """Where there is no gap, every claim; where there is, those that name the better arm."""
        return self.better if self.design.gap else self.better + self.worse

    @property
    def interval(self) -> Interval:
        """The 95% limits of the share of hits (Clopper and Pearson 1934); there must be an answer."""
        return clopper_pearson(self.hits, self.answered, tail=0.025)


def count(claims: Sequence[int | None]) -> dict[str, int]:
    """Count claims of one design, by the fields of `Count`.

    Raises
    ------
    ValueError
        If a claim is none of 1, -1, 0 and None.
    """
    if unknown := [claim for claim in claims if claim not in (1, -1, 0, None)]:
        raise ValueError(f"an adapter claims {unknown[0]!r}; a claim is 1, -1, 0 or null")
    return {
        "studies": len(claims),
        "refused": sum(claim is None for claim in claims),
        "better": claims.count(1),
        "worse": claims.count(-1),
    }


def write_counts(file: Path, counts: Iterable[Count]) -> None:
    """Write one row for each count."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in sorted(counts, key=lambda one: one.key):
            values = {**vars(one.design), **vars(one), "ms": f"{one.ms:.1f}"}
            writer.writerow([values[column] for column in COLUMNS])


def read_counts(file: Path) -> list[Count]:
    """Read what `write_counts` wrote; nothing where there is no such file."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [
        Count(
            **{name: row[name] for name in ("package", "version", "use")},
            **{name: int(row[name]) for name in ("studies", "refused", "better", "worse", "runs")},
            ms=float(row["ms"]),
            design=Design(
                regime=row["regime"], seeds=int(row["seeds"]), examples=int(row["examples"]), gap=float(row["gap"])
            ),
        )
        for row in rows
    ]
