"""Tables of docs/one-recipe.md, as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.tables.as_markdown import escaped
from analysis.tables.digits import percent
from analysis.tables.table import UNKNOWN
from answer.one_recipe.findings import BESIDE_SIMULATED, Findings
from answer.one_recipe.methods import METHODS
from answer.one_recipe.rates import Cell, Rate
from answer.one_recipe.variance import Split
from answer.same_trials import TrialDifference
from answer.shared_luck import SeedCorrelation
from calibration.tables import markdown


def rate(one: Rate | None) -> str:
    """Return a share with its interval: ``4.1% (3.4 to 4.8)``."""
    if one is None:
        return UNKNOWN
    if math.isnan(one.interval.low):
        return "never" if one.share == 0 else "always"
    low, high = (f"{100 * limit:.1f}" for limit in one.interval)
    return f"{percent(one.share, places=1)} ({low} to {high})"


def two_methods(cells: Sequence[Cell]) -> str:
    """Return the false claims of every test of two "methods", by number of seeds."""
    seeds = sorted({cell.n_seeds for cell in cells})
    found = {(cell.method, cell.n_seeds): cell.rate for cell in cells}
    rows = [
        (method.name, method.population, *(rate(found.get((method.name, S))) for S in seeds))
        for method in METHODS
        if any((method.name, S) in found for S in seeds)
    ]
    return markdown(("Test", "speaks about", *(f"S = {S}" for S in seeds)), rows, words=2)


def pooled(cells: Sequence[Cell]) -> str:
    """Return the false claims of the pooled test, by how many "methods" there are and by number of seeds."""
    seeds = sorted({cell.n_seeds for cell in cells})
    found = {(cell.n_methods, cell.method, cell.n_seeds): cell.rate for cell in cells}
    kinds = list(dict.fromkeys((cell.n_methods, cell.method) for cell in cells))
    rows = [(str(K), claim, *(rate(found.get((K, claim, S))) for S in seeds)) for K, claim in kinds]
    return markdown(('"Methods"', "what is claimed", *(f"S = {S}" for S in seeds)), rows, words=2)


def published(findings: Findings) -> str:
    """Return how often two runs of one recipe end up as far apart as two published ones."""
    rows = [
        (f'"{escaped(one.words)}"', f"{100 * one.gap:.2g} points", str(one.examples), rate(one.rate))
        for one in findings.published
    ]
    head = ("Published of one run each", "gap", f"of {findings.pool.n_examples} examples", "pairs of runs as far apart")
    return markdown(head, rows)


def normality(findings: Findings) -> str:
    """Return what the test of normality would find."""
    found = findings.seeds.normality.found
    return markdown(("If the truth were", "found"), [(name, percent(share, places=0)) for name, share in found.items()])


def variances(findings: Findings) -> str:
    """Return how runs vary and how often tests claim a gap, for the real recipe and for simulated ones."""
    real = {(name, S): findings.rate(name, S).share for name, S in BESIDE_SIMULATED}
    rows = [("**this recipe**", *_split_cells(findings, findings.real, real))]
    rows += [(one.name, *_split_cells(findings, one.split, one.claims)) for one in findings.simulated]
    head = (
        "Recipe",
        "accuracy",
        "SD from the seed",
        "from what is left",
        "from the sentences",
        "two runs differ on",
        *(f"{name}, S = {S}" for name, S in BESIDE_SIMULATED),
    )
    return markdown(head, rows)


def _split_cells(findings: Findings, split: Split, claims: Mapping[tuple[str, int], float]) -> list[str]:
    cells = [percent(split.accuracy, places=1)]
    cells += [f"{100 * sd:.2f}" for sd in split.sds(findings.pool.n_examples)]
    cells.append(percent(split.discordance, places=1))
    return [*cells, *(percent(claims.get(place, math.nan), places=1) for place in BESIDE_SIMULATED)]


def correlations(studies: Sequence[tuple[Path, Sequence[SeedCorrelation]]]) -> str:
    """Return how seeds correlate between the arms of every comparison of several studies."""
    rows = []
    for folder, pairs in studies:
        for pair in pairs:
            low, high = pair.interval
            shown = UNKNOWN if math.isnan(low) else f"{low:+.2f} to {high:+.2f}"
            correlation = UNKNOWN if math.isnan(pair.correlation) else f"{pair.correlation:+.2f}"
            arms = f"{escaped(pair.treatment)} against {escaped(pair.baseline)}"
            rows.append((escaped(folder.name), arms, str(pair.n_seeds), correlation, shown))
    return markdown(("Study", "comparison", "seeds", "correlation", "95% interval"), rows, words=2)


def same_trials(differences: Sequence[TrialDifference]) -> str:
    """Return how far trials differ that were run twice."""
    rows = [
        (
            escaped(one.name),
            " and ".join(UNKNOWN if count is None else str(count) for count in one.threads),
            f"{one.differ} of {one.n_examples}",
            f"{one.gap:+d}" if one.gap else "0",
            f"{one.largest:.2g}",
        )
        for one in differences
    ]
    head = ("Trial", "threads", "other class", "right answers", "largest difference of a probability")
    return markdown(head, rows)
