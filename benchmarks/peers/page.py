"""The tables of docs/peers.md, between markers; what stands around them is written by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from benchmarks.peers.counting import Count
from benchmarks.peers.designs import GAPS, N_EXAMPLES, N_SEEDS, REAL, SIMULATED
from benchmarks.peers.packages import PACKAGES
from calibration.tables import markdown

USES = tuple((package.name, use) for package in PACKAGES for use in package.speaks_about)
"""The rows of every table."""

_AT_A_GLANCE = {"regime": SIMULATED[1].name, "seeds": 5, "examples": 300}


def with_tables(page: str, counts: Sequence[Count], absent: dict[str, str]) -> str:
    """Return the page with its tables made anew.

    Parameters
    ----------
    page : str
        It holds a pair of markers for each table, ``<!-- NAME -->`` and ``<!-- end of NAME -->``.
    counts : sequence of Count
    absent : dict of str to str
        Packages that could not be used, with the reason.

    Raises
    ------
    ValueError
        If a pair of markers is missing.
    """
    tables = {"at a glance": _glance(counts, absent), "real": _real(counts)}
    for number, regime in enumerate(SIMULATED, start=1):
        tables[f"false claims {number}"] = _simulated(counts, regime.name, 0.0)
    for gap in GAPS:
        tables[f"found {100 * gap:g}"] = _simulated(counts, SIMULATED[1].name, gap)
    for name, table in tables.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        page, found = marked.subn(lambda marks, table=table: f"{marks[1]}\n{table}\n\n{marks[2]}", page)
        if found != 1:
            raise ValueError(f"the page has {found} places for the table {name!r}; it must have one")
    return page


def share(one: Count | None) -> str:
    """Return the share of hits in per cent with its 95% limits; bold where the level is surely missed."""
    if one is None:
        return ""
    if not one.answered:
        return "refuses"
    low, high = (100 * limit for limit in one.interval)
    text = f"{100 * one.hits / one.answered:.1f} ({low:.1f} to {high:.1f})"
    return f"**{text}**" if low > 5 and not one.design.gap else text


def _find(counts: Sequence[Count], package: str, use: str, **design: object) -> Count | None:
    for one in counts:
        if (one.package, one.use) == (package, use) and all(getattr(one.design, k) == v for k, v in design.items()):
            return one
    return None


def _table(counts: Sequence[Count], columns: dict[str, dict[str, object]]) -> str:
    rows = [
        (package, use, *(share(_find(counts, package, use, **design)) for design in columns.values()))
        for package, use in USES
    ]
    return markdown(("package", "use", *columns), rows, words=2)


def _simulated(counts: Sequence[Count], regime: str, gap: float) -> str:
    columns = {
        f"{seeds} × {examples}": {"regime": regime, "gap": gap, "seeds": seeds, "examples": examples}
        for examples in N_EXAMPLES
        for seeds in N_SEEDS
    }
    return _table(counts, columns)


def _real(counts: Sequence[Count]) -> str:
    real = [one for one in counts if one.design.regime == REAL]
    if not real:
        return "Not counted yet: the folder with the runs of one recipe was missing."
    columns = {f"{seeds} × {real[0].design.examples}": {"regime": REAL, "seeds": seeds} for seeds in N_SEEDS}
    drawn = f"{real[0].studies} pairs of methods, drawn from {real[0].runs} runs of one recipe."
    return f"{drawn}\n\n{_table(real, columns)}"


def _glance(counts: Sequence[Count], absent: dict[str, str]) -> str:
    rows = []
    for package in PACKAGES:
        for use, speaks_about in package.speaks_about.items():
            null = _find(counts, package.name, use, gap=0.0, **_AT_A_GLANCE)
            found = _find(counts, package.name, use, gap=GAPS[-1], **_AT_A_GLANCE)
            version = null.version if null else absent.get(package.name, "not counted")
            rows.append((f"{package.name} {version}", use, speaks_about, share(null), share(found)))
    head = ("package", "use", "speaks about", "false claims, %", f"found of {100 * GAPS[-1]:g} points, %")
    return markdown(head, rows, words=3)
