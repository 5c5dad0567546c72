"""`harness time`: what a trial of each arm takes alone, measured in turns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.shared import (
    AsJson,
    Overrides,
    Root,
    console_for,
    load,
    needs_training_libraries,
    print_json,
    study_named,
)

if TYPE_CHECKING:
    from analysis.records.timing import Timing
    from analysis.study.arm_times import ArmTimes
    from analysis.study.plan import AnalysisPlan
    from analysis.study.time_ratio import TimeRatio
    from harness.study.study import Study


def time_arms(
    study: Annotated[
        Path,
        typer.Argument(
            metavar="STUDY",
            help="The name of a study in the folder of all results, its folder, or a study file.",
        ),
    ],
    overrides: Overrides = None,
    results: Root = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Measure what a trial of each arm takes alone.

    Example: harness time quickstart

    Trials of a pack have no time of their own, so harness run ends with a timing, unless the study says timing: off:
    arm by arm, there and back, each arm trains a few steps alone and scores a few batches, as the reference engine
    does. This command repeats it, with as many turns as it takes to know each arm's time relative to the baseline to 5%
    (6 to 12), and replaces timing.json in the results. harness analyze shows the times. Best on an idle machine.

    Exit codes: 0 every arm was timed; 1 one could not be timed, or it was stopped; 2 the input is wrong.
    """
    from harness.hub import offline_if_unreachable

    loaded, root = study_to_time(study, list(overrides or ()), results)
    offline_if_unreachable(loaded)
    with needs_training_libraries():
        from harness.progress.displays import display_for
        from harness.runs.timing import time_study
    timing = time_study(loaded, root, display=display_for(console_for(stderr=True)))
    if as_json:
        print_json("time", [_content(loaded, root / loaded.name, timing)])
    elif timing is not None:
        _show(loaded, timing)
    raise typer.Exit(0 if timing is not None and not any(arm.reason for arm in timing.arms.values()) else 1)


def _show(study: Study, timing: Timing) -> None:
    from analysis.tables import as_terminal
    from analysis.tables.timing import timing_table

    plan, times, ratios = _times(study, timing)
    console = console_for()
    for part in as_terminal.laid_out([timing_table(timing, times, ratios, baseline=plan.baseline, alpha=plan.alpha)]):
        console.print(part)


def _content(study: Study, folder: Path, timing: Timing | None) -> dict[str, Any]:
    """Return what was measured, as docs/json.md describes it."""
    from analysis.jsonable import jsonable

    content: dict[str, Any] = {"name": study.name, "folder": str(folder), "turns": 0, "clock": None, "arms": []}
    if timing is None:
        return content
    _, times, ratios = _times(study, timing)
    arms = [
        {
            "arm": name,
            "reason": arm.reason,
            "times": jsonable(times[name]) if name in times else None,
            "ratio": jsonable(ratios[name]) if name in ratios else None,
        }
        for name, arm in timing.arms.items()
    ]
    return content | {"turns": timing.turns, "clock": timing.clock, "arms": arms}


def _times(study: Study, timing: Timing) -> tuple[AnalysisPlan, dict[str, ArmTimes], dict[str, TimeRatio]]:
    """Return the plan of the study, the times of its arms, and their ratios to the baseline."""
    from analysis.study.analysis_block import parse_plan
    from analysis.study.arm_times import arm_times
    from analysis.study.time_ratio import turns_ratio

    plan = parse_plan(study.analysis, arms=list(study.arms), task=study.task)
    confidence = 1 - plan.alpha
    times = {name: arm_times(arm, confidence=confidence) for name, arm in timing.arms.items() if not arm.reason}
    ratios = {
        name: turns_ratio(timing.arms, treatment=name, baseline=plan.baseline, confidence=confidence)
        for name in times
        if name != plan.baseline
    }
    return plan, times, ratios


def study_to_time(asked: Path, overrides: list[str], results: Path) -> tuple[Study, Path]:
    """Return the study that is asked for, as it was last run where its results are named, and the folder of these."""
    from harness.errors import ResultsError
    from harness.records.store import Store
    from harness.runs.preview import refuse_to_time_imported

    folder = study_named(asked, results)
    manifest = Store(folder).manifest()
    if manifest is None:
        return load(asked, overrides), results
    refuse_to_time_imported(manifest, folder)
    if manifest.study_file is None:
        raise ResultsError(f"{folder} does not say which study file it was run from; name that file: harness time FILE")
    return load(Path(manifest.study_file), [*manifest.overrides, *overrides]), folder.parent
