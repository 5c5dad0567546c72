"""Findings of docs/answer.md: what the figures of two reports allow, and what the runs of the reference studies say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.published.audit import Audit, ReportAudit, audit
from analysis.published.claims_file import read_claims
from analysis.published.pairs import PairAudit
from analysis.published.rerun import Rerun, rerun
from analysis.records.loading import load
from analysis.records.manifest import ArmEntry
from analysis.study.comparison_result import ComparisonResult
from analysis.study.requirement_results import Answer
from answer.reference_study import ReferenceStudy, judged
from answer.reports.sentences import SENTENCES, Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What the runs of a study say of a published pair.

    Parameters
    ----------
    study : ReferenceStudy
        It has the pair's arms.
    comparison : ComparisonResult
        Of these arms, over all test sets of the study.
    asked : tuple of int
        Which requirement of the report stands for each sentence about the pair.
    measured : Rerun
        On the study's first test set, which is that of the report.
    gaps : ndarray, shape (S,)
        Treatment minus baseline, in accuracy, of each pair of runs of one seed on that test set.
    """

    study: ReferenceStudy
    comparison: ComparisonResult
    asked: tuple[int, ...]
    measured: Rerun
    gaps: NDArray[np.float64]

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answer to each sentence."""
        return tuple(self.study.report.requirements[at].answer for at in self.asked)

    @property
    def shown_beside(self) -> tuple[str, ...]:
        """Beside each sentence that stays undecided the gap that is shown, in words; empty where none is."""
        pair = self.comparison
        gap = f"{pair.treatment} {pair.verdict.label} than {pair.baseline}"
        shown = pair.verdict.label in ("better", "worse")
        return tuple(gap if shown and answer == "undecided" else "" for answer in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPair:
    """One published pair: its sentences, what its figures allow, and what runs say.

    Parameters
    ----------
    sentences : tuple of Sentence
        All about this pair.
    audit, report, pair : Audit, ReportAudit, PairAudit
        What follows from the figures alone.
    runs : Runs or None
        None before the study that retrains the pair has run.
    """

    sentences: tuple[Sentence, ...]
    audit: Audit
    report: ReportAudit
    pair: PairAudit
    runs: Runs | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """Full fine-tuning and LoRA of rank 4 at one pair of learning rates.

    Parameters
    ----------
    where : str
        The report or the study.
    rates : tuple of (str, str)
        Of full fine-tuning and of LoRA.
    gap : float
        LoRA minus full, in accuracy.
    interval : Interval
        That of the verdict; NaN of a report.
    verdict : str
        On LoRA; empty of a report.
    """

    where: str
    rates: tuple[str, str]
    gap: float
    interval: Interval = NO_INTERVAL
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that the page says.

    Parameters
    ----------
    pairs : tuple of PublishedPair
        In the order of the sentences.
    turned : tuple of Turned
        Full fine-tuning against LoRA at several learning rates: first the reports, then the studies.
    studies : mapping of str to ReferenceStudy
        Every reference study with two arms or more, by name.
    """

    pairs: tuple[PublishedPair, ...]
    turned: tuple[Turned, ...]
    studies: Mapping[str, ReferenceStudy]


def find(reference: Path, claims: Path, *, sentences: Sequence[Sentence] = SENTENCES) -> Findings:
    """Judge published sentences by their figures and by the runs of the reference studies.

    Parameters
    ----------
    reference : Path
        The folder of the reference studies.
    claims : Path
        The folder of the claims files.
    sentences : sequence of Sentence

    Raises
    ------
    AnalysisError
        If results or claims cannot be read.
    """
    asked: dict[str, list[str]] = {}
    for sentence in sentences:
        asked.setdefault(sentence.study, []).append(sentence.requirement)
    studies = {}
    for place in sorted(reference.glob("*/study.json")):
        outcomes = load(place.parent)
        # A study that still runs has verdicts on some of its arms; one arm alone has none.
        running = any(outcomes.statuses(arm).keys() & {"not run", "interrupted"} for arm in outcomes.arms)
        if len(outcomes.arms) > 1 and not running:
            studies[outcomes.manifest.name] = judged(outcomes, requirements=asked.get(place.parent.name, ()))
    audits = {name: audit(read_claims(claims / f"{name}.yaml")) for name in {one.claims for one in sentences}}
    about: dict[tuple[str, str, tuple[str, str]], list[Sentence]] = {}
    for sentence in sentences:
        about.setdefault((sentence.claims, sentence.report, sentence.pair), []).append(sentence)
    pairs = []
    for (name, report_name, sides), those in about.items():
        (report,) = (one for one in audits[name].reports if one.report.name == report_name)
        (pair,) = (one for one in report.pairs if (one.treatment, one.baseline) == sides)
        study = studies.get(those[0].study)
        runs = None if study is None else _runs(study, report, pair, those)
        pairs.append(PublishedPair(sentences=tuple(those), audit=audits[name], report=report, pair=pair, runs=runs))
    return Findings(pairs=tuple(pairs), turned=(*_published_turns(audits), *_turns(studies)), studies=studies)


def _published_turns(audits: Mapping[str, Audit]) -> list[Turned]:
    turned = []
    for one in audits["gpt2_lora"].reports:
        for pair in one.pairs:
            if (pair.treatment, pair.baseline) == ("lora", "full"):
                rates = [one.report.systems[name].settings["learning_rate"] for name in ("full", "lora")]
                turned.append(Turned(where=one.report.source, rates=(rates[0], rates[1]), gap=pair.gap))
    return turned


def _turns(studies: Mapping[str, ReferenceStudy]) -> list[Turned]:
    turned = []
    for study in studies.values():
        for pair in study.report.comparisons:
            if (pair.treatment, pair.baseline) == ("lora-r4", "full"):
                rates = [_rate(study.outcomes.manifest.arms[arm]) for arm in ("full", "lora-r4")]
                turned.append(
                    Turned(
                        where=study.name,
                        rates=(rates[0], rates[1]),
                        gap=pair.estimate,
                        interval=pair.verdict_interval,
                        verdict=pair.verdict.label,
                    )
                )
    return turned


def _rate(arm: ArmEntry) -> str:
    rate = arm.training["learning_rate"] if arm.tuned is None else arm.tuned.params["training.learning_rate"]
    mantissa, exponent = f"{float(rate):.1e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


def _runs(study: ReferenceStudy, report: ReportAudit, pair: PairAudit, sentences: Sequence[Sentence]) -> Runs:
    (published,) = (one for one in report.report.pairs if one.sides == (pair.treatment, pair.baseline))
    treatment, baseline = report.report.arms(published)
    (comparison,) = (one for one in study.report.comparisons if (one.treatment, one.baseline) == (treatment, baseline))
    texts = [one.requirement.text for one in study.report.requirements]
    first = study.outcomes.by_set()[0]
    means = [first.scores(arm, seeds=comparison.seeds).mean(axis=1) for arm in (treatment, baseline)]
    return Runs(
        study=study,
        comparison=comparison,
        asked=tuple(texts.index(one.requirement) for one in sentences),
        measured=rerun(study.outcomes, treatment, baseline, published=pair.overlaps),
        gaps=means[0] - means[1],
    )
