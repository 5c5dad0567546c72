"""Page docs/calibration.md and its table of all counts, from simulated studies."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Iterable, Sequence

from calibration.methods import LEVELS
from calibration.promises import broken
from calibration.rates import GAP, LOOKS, MARGIN, SEEDS, Calibration, Rates
from calibration.regimes import N_EXAMPLES, REGIMES

_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "Over new seeds and new examples",
        "The question of the harness: does the training procedure differ? From three seeds on the crossed t keeps the "
        "level. The multi-bootstrap's percentile errs both ways: far above the level where a few seeds differ much, "
        "below it where little else does. Its studentised form comes much nearer, but with few seeds it rejects "
        "too often where they hardly differ.",
        ("crossed t", "crossed t, other design", "multi-bootstrap, percentile", "multi-bootstrap, studentised"),
    ),
    (
        "Over new seeds, on this very test set",
        "They keep the level where the arms are alike on every example, which is their question. Where the arms "
        "differ by example, a gap on this test set is real and a gap of the procedures is not, and they take the one "
        "for the other, more surely with every seed.",
        ("paired t", "Wilcoxon", "sign-flip", "label permutation"),
    ),
    (
        "Over new examples, for two trained models",
        "One run of each arm. They keep the level without a seed effect. With one, two runs differ for good, and that "
        "says nothing about the procedure.",
        ("McNemar, exact", "McNemar, mid-p", "Newcombe", "Tango", "BCa", "score test of precision"),
    ),
    (
        "Other metrics, over seeds and examples",
        "The crossed t on influence values; precision, recall and F1 of class 1.",
        (
            "precision",
            "recall",
            "F1",
            "macro-F1",
            "balanced accuracy",
            "MCC",
            "log loss",
            "Brier",
            "AUROC",
        ),
    ),
)


def page(result: Calibration, *, command: str, minutes: float) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    result : Calibration
    command : str
        What makes the page again.
    minutes : float
        How long it took.
    """
    size = result.size
    parts = [
        "# Calibration",
        f"Made by `{command}` in {minutes:.0f} minutes on two cores; every count is in "
        "[calibration.csv](calibration.csv). The seeds of the simulation were fixed before it ran.",
        f"A simulated study has {N_EXAMPLES} examples and two arms that are equally good on average. Each cell is the "
        f"share of {size.studies} such studies ({size.resampled} with 499 resamples for methods that resample) in "
        "which a method says, at the level of .05, that they are not: it should be .05 or less. The standard error of "
        f"a rate of .05 is {math.sqrt(0.05 * 0.95 / size.studies):.3f} ({math.sqrt(0.05 * 0.95 / size.resampled):.3f} "
        f"for methods that resample). A dash: the method has no answer there.",
        _verdict(result),
    ]
    for title, text, methods in _GROUPS:
        parts += [f"## {title}", text]
        parts.append(_table(("Regime", "S", *methods), _rejections(result.rates, methods)))
    parts += [
        "## The crossed t in full",
        f"Rejections at .05 and at {LEVELS[1]}, the strictest level of Holm's correction over eight comparisons; the "
        f"share of its 95% intervals that hold a true gap of {100 * GAP:g} points; and the share of studies with that "
        "gap in which it is found (power).",
        _table(("Regime", "S", "at .05", f"at {LEVELS[1]}", "coverage", "power"), _in_full(result.rates)),
        "## Several comparisons",
        "Any false claim, of a gap or of equivalence, among several comparisons with one baseline (mild seed effect, "
        f"margin {100 * MARGIN:g} points): after the joint step-down, and without a correction.",
        _table(
            ("True gaps", "S", "joint step-down", "no correction"),
            [
                (one.gaps, str(one.n_seeds), _rate(one.joint.rate), _rate(one.uncorrected.rate))
                for one in result.families
            ],
        ),
        "## Looking while the study grows",
        f"Looks at {', '.join(str(look) for look in LOOKS)} seeds: with O'Brien-Fleming spending (declared), with "
        "p &le; .05 at any of them (undeclared), and once at the end; then the power for the gap and the mean number "
        "of seeds at which a declared study with that gap stops.",
        _table(
            ("Regime", "declared", "undeclared", "at the end", "power, declared", "power, at the end", "seeds"),
            [
                (
                    one.regime,
                    _rate(one.declared.rate),
                    _rate(one.undeclared.rate),
                    _rate(one.at_the_end.rate),
                    _rate(one.detected.rate),
                    _rate(one.detected_at_the_end.rate),
                    f"{one.seeds:.1f}",
                )
                for one in result.looks
            ],
        ),
        "## Known failures",
        "**An arm that occasionally collapses.** With equal true means every method above favours the fragile arm, "
        "because no collapse was drawn. No correction for it exists: every verdict carries a footnote with the "
        "collapse rate that its seeds leave possible.",
        "**One arm three times noisier.** With two to five seeds the level is exceeded by a little; from ten on it is "
        "kept.",
        "**Two seeds** give an interval and never a verdict, whatever the rates here.",
    ]
    return "\n\n".join(_wrapped(part) for part in parts) + "\n"


def counts(result: Calibration) -> str:
    """Return every count as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["regime", "method", "speaks_about", "seeds"]
    head += [f"{count}_{part}" for count in ("at_05", "at_00625", "covered", "found") for part in ("hits", "studies")]
    writer.writerow(head)
    for row in result.rates:
        row_counts = (*(row.rejected[level] for level in LEVELS), row.covered, row.detected)
        numbers = [number for count in row_counts for number in (count.hits, count.studies)]
        writer.writerow([row.regime, row.method, row.population, row.n_seeds, *numbers])
    return out.getvalue()


def _verdict(result: Calibration) -> str:
    faults = broken(result)
    if not faults:
        return (
            "**All promises hold:** the crossed t rejects at most .06 at .05 and .02 at .00625 from three seeds on, "
            "where both arms vary alike over seeds and none collapses; the joint step-down makes any false claim in at "
            "most .055 of studies. A promise counts as broken where the lower 99.9% limit of a rate exceeds it."
        )
    return "**Broken promises:**\n\n" + "\n".join(f"- {fault}" for fault in faults)


def _rejections(rates: Sequence[Rates], methods: Sequence[str]) -> list[tuple[str, ...]]:
    by_place = {(row.regime, row.n_seeds, row.method): row for row in rates}
    rows = []
    for regime in REGIMES:
        for seeds in SEEDS:
            row = [by_place.get((regime.name, seeds, method)) for method in methods]
            rows.append(
                (
                    regime.name,
                    str(seeds),
                    *(_rate(rates.rejected[LEVELS[0]].rate if rates is not None else math.nan) for rates in row),
                )
            )
    return rows


def _in_full(rates: Sequence[Rates]) -> list[tuple[str, ...]]:
    return [
        (
            row.regime,
            str(row.n_seeds),
            *(_rate(row.rejected[level].rate) for level in LEVELS),
            _rate(row.covered.rate),
            _rate(row.detected.rate),
        )
        for row in rates
        if row.method == "crossed t"
    ]


def _wrapped(part: str) -> str:
    """Break the lines of prose; a table's stay as they are."""
    if part.startswith("|"):
        return part
    return "\n".join(
        textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False) for line in part.split("\n")
    )


def _rate(rate: float) -> str:
    return "–" if math.isnan(rate) else f"{rate:.3f}".lstrip("0") if rate < 1 else "1"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
