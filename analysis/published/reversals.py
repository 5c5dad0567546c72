"""One pair of systems, reported more than once with opposite signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from analysis.published.claims_schema import System
from analysis.published.counts import right_answers
from analysis.published.printed_figures import PrintedFigure
from analysis.published.published_report import PublishedReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """The pair in one report.

    Parameters
    ----------
    report, source
        The report's name in the file, and where it stands.
    treatment, baseline
        The two accuracies or error rates as printed.
    gap
        Treatment minus baseline, in accuracy: from the right answers where they are known.
    sign
        1 or -1; 0, where rounding hides the direction, in no reversal.
    n
        Test examples.
    """

    report: str
    source: str
    treatment: str
    baseline: str
    gap: float
    sign: int
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingThatDiffers:
    """A setting of one system that is not the same in every report.

    Parameters
    ----------
    system
    setting
        Its name, dotted.
    values
        In the order of the occurrences; empty where a report does not say.
    """

    system: str
    setting: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A pair whose order turns round between reports. A description of these runs.

    Parameters
    ----------
    treatment, baseline
        The two systems.
    occurrences
        All reports that have both apart, in the order of the file.
    settings
        What differs between them, as far as the file says.
    """

    treatment: str
    baseline: str
    occurrences: tuple[Occurrence, ...]
    settings: tuple[SettingThatDiffers, ...]


def reversals(reports: Sequence[PublishedReport]) -> tuple[Reversal, ...]:
    """Find every pair that is reported with opposite signs, beyond what rounding could do.

    Parameters
    ----------
    reports
        The reports of one claims file. Those about one model, one data set and as many test examples are held against
        each other.
    """
    alike: dict[tuple[str | None, str | None, int], list[PublishedReport]] = {}
    for report in reports:
        alike.setdefault((report.model, report.data, report.n), []).append(report)
    return tuple(one for group in alike.values() for one in _among(group))


def _among(reports: Sequence[PublishedReport]) -> list[Reversal]:
    names = dict.fromkeys(name for report in reports for name in report.systems)
    found = []
    for baseline, treatment in combinations(names, 2):
        both = {report.name: report for report in reports if {treatment, baseline} <= report.systems.keys()}
        made = [_occurrence(report, treatment, baseline) for report in both.values()]
        occurrences = tuple(one for one in made if one is not None and one.sign)
        if {-1, 1} <= {one.sign for one in occurrences}:
            settings = [
                one
                for name in (treatment, baseline)
                for one in _differing(name, [both[occurrence.report].systems[name] for occurrence in occurrences])
            ]
            found.append(
                Reversal(treatment=treatment, baseline=baseline, occurrences=occurrences, settings=tuple(settings))
            )
    return found


def _occurrence(report: PublishedReport, treatment: str, baseline: str) -> Occurrence | None:
    one, other = report.systems[treatment].score, report.systems[baseline].score
    if one is None or other is None:
        return None
    return Occurrence(
        report=report.name,
        source=report.source,
        treatment=one.printed,
        baseline=other.printed,
        gap=_share(one, report, treatment) - _share(other, report, baseline),
        sign=0 if one.agrees_with(other) else 1 if one.value > other.value else -1,
        n=report.n,
    )


def _share(figure: PrintedFigure, report: PublishedReport, name: str) -> float:
    """Return the accuracy behind a figure where a single number of right answers is, else the figure itself."""
    counts = right_answers(figure, n=report.n, runs=report.systems[name].runs)
    return float(figure.value) if counts.only is None else counts.only / (counts.n * counts.runs)


def _differing(name: str, systems: Sequence[System]) -> list[SettingThatDiffers]:
    flat = [_flat(system.settings) for system in systems]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = [(key, tuple(one.get(key, "") for one in flat)) for key in keys]
    return [SettingThatDiffers(system=name, setting=key, values=values) for key, values in rows if len(set(values)) > 1]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return out
