"""Timing: what timing.json says of blocks that were timed in turns, and whether they are enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from analysis.records.format import FORMAT
from analysis.records.timing import FEWEST_TURNS, TimedArm, Timing
from analysis.records.trial_record import Device, Provenance, TrialRecord
from analysis.study.analysis_block import parse_plan
from analysis.study.time_ratio import turns_ratio
from harness import provenance
from harness.engines.device import device_name
from harness.engines.timing import TimedBlock, TrialTimer
from harness.study.study import Study

__all__ = ["FEWEST_TURNS", "Timing", "WholeTrial", "as_precise_as", "timing_of", "whole_trial"]


class WholeTrial(NamedTuple):
    """How much a whole trial of an arm does: optimizer steps and scored examples; or the reason why it is not known.

    `key` is that of one of the arm's trials.
    """

    key: str
    steps: float = 0.0
    examples: float = 0.0
    reason: str = ""


def whole_trial(key: str, records: Sequence[TrialRecord], n_test: int) -> WholeTrial:
    """Return how much the finished trials of an arm did, on average.

    Parameters
    ----------
    key : str
        Of one of the arm's trials.
    records : sequence of TrialRecord
        Of the arm. An arm that stops early has trials of unequal length.
    n_test : int
        Examples of the test split.
    """
    done = [one for one in records if one.status == "finished"]
    if not done or any(one.steps is None for one in done):
        lacking = "a trial's record does not say how many steps it took" if done else "none of its trials has finished"
        return WholeTrial(key=key, reason=lacking)
    held = [(one.data.n_holdout or 0) if one.data is not None else 0 for one in done]
    return WholeTrial(
        key=key,
        steps=sum(one.steps or 0 for one in done) / len(done),
        examples=sum(len(one.epochs) * (n_test + n) for one, n in zip(done, held, strict=True)) / len(done),
    )


def timing_of(
    wholes: Mapping[str, WholeTrial],
    blocks: Mapping[str, Sequence[TimedBlock]],
    failures: Mapping[str, str],
    *,
    timer: TrialTimer,
    started: str,
) -> Timing:
    """Return what is stored of a timing that ends now.

    Parameters
    ----------
    wholes : mapping of str to WholeTrial
        By arm.
    blocks : mapping of str to sequence of TimedBlock
        By arm, one for every turn.
    failures : mapping of str to str
        Why the other arms could not be timed.
    timer : TrialTimer
        What timed them.
    started : str
        When it began, ISO 8601.
    """
    arms = {}
    for name, whole in wholes.items():
        if name in failures:
            arms[name] = TimedArm(key=whole.key, reason=failures[name])
            continue
        arms[name] = TimedArm(
            key=whole.key,
            trial_steps=whole.steps,
            trial_examples=whole.examples,
            step_seconds=tuple(one.step_seconds for one in blocks[name] if one.step_seconds is not None),
            example_seconds=tuple(one.example_seconds for one in blocks[name]),
            peak_bytes=tuple(one.peak_bytes for one in blocks[name]),
        )
    known: dict[str, Any] = provenance.describe()
    return Timing(
        format=FORMAT,
        engine="trainer",
        clock=timer.clock,
        device=Device(type=timer.device.type, name=device_name(timer.device), threads=timer.threads),
        memory_method=timer.memory_method,
        turns=len(next(iter(blocks.values()))),
        arms=arms,
        provenance=Provenance(**known, started=started, ended=provenance.now()),
    )


def as_precise_as(share: float, timing: Timing, study: Study) -> bool:
    """Whether every ratio to the baseline of the study is known to a share, in both directions."""
    plan = parse_plan(study.model_dump(mode="json")["analysis"], arms=tuple(study.arms), task=study.task)
    timed = {name: arm for name, arm in timing.arms.items() if not arm.reason}
    others = [name for name in timed if name != plan.baseline]
    if plan.baseline not in timed:
        return True
    ratios = [turns_ratio(timed, treatment=name, baseline=plan.baseline) for name in others]
    return all(math.isnan(one.ratio) or one.interval.high <= (1 + share) * one.ratio for one in ratios)
