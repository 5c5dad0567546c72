"""Reversals: pairs of systems that are reported more than once, with opposite signs."""

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
    report, source : str
        The report's name in the file, and where it was published.
    treatment, baseline : str
        The two accuracies or error rates as printed.
    gap : float
        Treatment minus baseline, in accuracy: from the right answers where they are known.
    sign : int
        1 or -1; 0, where rounding hides the direction, in no reversal.
    n : int
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
    system : str
    setting : str
        Its name, dotted.
    values : tuple of str
        In the order of the occurrences; empty where a report does not say.
    """

    system: str
    setting: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """A pair whose order is reversed between reports. A description of these runs.

    Parameters
    ----------
    treatment, baseline : str
        The two systems.
    occurrences : tuple of Occurrence
        All reports that have both apart, in the order of the file.
    settings : tuple of SettingThatDiffers
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
    reports : sequence of PublishedReport
        The reports of one claims file. Those about one model, one data set and as many test examples are held against
        each other.
    """
    alike: dict[tuple[str | None, str | None, int], list[PublishedReport]] = {}
    for report in reports:
        alike.setdefault((report.model, report.data, report.n), []).append(report)
    return tuple(one for group in alike.values() for one in _among(group))


def _among(reports: Sequence[PublishedReport]) -> list[Reversal]:
    names = dict.fromkeys(name for report in reports for name in report.systems)
    reversed_pairs = []
    for baseline, treatment in combinations(names, 2):
        both = {report.name: report for report in reports if {treatment, baseline} <= report.systems.keys()}
        gaps = [_occurrence(report, treatment, baseline) for report in both.values()]
        occurrences = tuple(gap for gap in gaps if gap is not None and gap.sign)
        if {-1, 1} <= {occurrence.sign for occurrence in occurrences}:
            settings = [
                setting
                for name in (treatment, baseline)
                for setting in _differing(name, [both[occurrence.report].systems[name] for occurrence in occurrences])
            ]
            reversed_pairs.append(
                Reversal(treatment=treatment, baseline=baseline, occurrences=occurrences, settings=tuple(settings))
            )
    return reversed_pairs


def _occurrence(report: PublishedReport, treatment: str, baseline: str) -> Occurrence | None:
    first, second = report.systems[treatment].score, report.systems[baseline].score
    if first is None or second is None:
        return None
    return Occurrence(
        report=report.name,
        source=report.source,
        treatment=first.printed,
        baseline=second.printed,
        gap=_share(first, report, treatment) - _share(second, report, baseline),
        sign=0 if first.agrees_with(second) else 1 if first.value > second.value else -1,
        n=report.n,
    )


def _share(figure: PrintedFigure, report: PublishedReport, name: str) -> float:
    """Return the accuracy behind a figure where a single number of right answers is, else the figure itself."""
    counts = right_answers(figure, n=report.n, runs=report.systems[name].runs)
    return float(figure.value) if counts.only is None else counts.only / (counts.n * counts.runs)


def _differing(name: str, systems: Sequence[System]) -> list[SettingThatDiffers]:
    flat = [_flat(system.settings) for system in systems]
    keys = dict.fromkeys(key for settings in flat for key in settings)
    rows = [(key, tuple(settings.get(key, "") for settings in flat)) for key in keys]
    return [SettingThatDiffers(system=name, setting=key, values=values) for key, values in rows if len(set(values)) > 1]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return out
