"""`harness plan`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.shared import (
    AsJson,
    Overrides,
    Root,
    StudyFile,
    console_for,
    load,
    needs_training_libraries,
    print_json,
)

if TYPE_CHECKING:
    from harness.runs.overview import Inputs
    from harness.study.study import Study


def _share(text: str) -> float:
    """Read a share of the test sentences, as an option of the command line."""
    from harness.errors import percentage_hint

    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        hint = percentage_hint(text)
        raise typer.BadParameter(f"expected a share from 0 to 1{'' if hint else ', such as 0.08'}, got {text!r}{hint}")
    return share


def plan(
    study: StudyFile,
    overrides: Overrides = None,
    results: Root = Path("results"),
    seed_sd: Annotated[
        float | None,
        typer.Option(
            help="Supposed SD over seeds of a run's accuracy; before a run 0.01, one point.",
            parser=_share,
            metavar="SHARE",
            show_default=False,
        ),
    ] = None,
    discordance: Annotated[
        float | None,
        typer.Option(
            help="Supposed share of test sentences on which one run of each arm differs in being right; before a run "
            "0.08.",
            parser=_share,
            metavar="SHARE",
            show_default=False,
        ),
    ] = None,
    rerun_discordance: Annotated[
        float | None,
        typer.Option(
            help="The same for two seeds of one arm; before a run 0.05.",
            parser=_share,
            metavar="SHARE",
            show_default=False,
        ),
    ] = None,
    test_examples: Annotated[
        int | None,
        typer.Option(
            min=2, max=100_000_000, help="Test sentences to reckon with; default the study's.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a study would be, and what it can find.

    Its cells and their time where it is known, each arm's parameters, how small a p its seeds can give, and how small
    a gap: from the study's own figures once two seeds have run, else from those that you state or from usual ones.
    Reads and checks the data as a run does, and says what it read; nothing is downloaded.
    """
    from analysis.jsonable import jsonable
    from analysis.methods.permutation import label_permutation_floor, sign_flip_floor
    from analysis.study.plan import parse_plan
    from analysis.study.power import StatedFigures, study_power
    from analysis.tables import as_terminal
    from analysis.tables.power import power_tables
    from harness.hub import offline_if_unreachable
    from harness.runs.overview import foresee, known, same_settings

    loaded = load(study, overrides)
    offline_if_unreachable(loaded)
    sizes, remarks, n_test, inputs = _sizes(loaded)
    seeds = len(loaded.seeds)
    floors = {"sign-flip": sign_flip_floor(seeds), "label permutation": label_permutation_floor(seeds, seeds)}
    ahead = foresee(loaded, results / loaded.name, inputs=inputs)
    analysis_plan = parse_plan(loaded.analysis, arms=list(loaded.arms))
    figures = {"seed_sd": seed_sd, "discordance": discordance, "rerun_discordance": rerun_discordance}
    given = {name: figure for name, figure in figures.items() if figure is not None}
    # What somebody states goes before what has run, and what ran with other settings says nothing about these.
    pilot = None if given else results / loaded.name
    if pilot is not None and not same_settings(loaded, pilot):
        remarks.append(f"{pilot} holds results of other settings; they are not used here")
        pilot = None
    found = study_power(
        analysis_plan,
        arms=list(loaded.arms),
        n_seeds=seeds,
        n_examples=test_examples or n_test,
        stated=StatedFigures(**given),
        folder=pilot,
        pilot_examples=test_examples,
    )
    if as_json:
        content = {
            "name": loaded.name,
            "cells": len(loaded.arms) * seeds,
            "to_run": ahead.to_run,
            "arms": [{**size, "statuses": dict(arm.statuses)} for size, arm in zip(sizes, ahead.arms, strict=True)],
            "seeds": list(loaded.seeds),
            "floors": floors,
            "seconds_left": known(ahead.seconds_left),
            "remarks": remarks,
            "outlook": jsonable(found),
        }
        print_json("plan", [content])
        return
    from harness.cli.screens import show_plan

    console = console_for()
    show_plan(console, loaded, sizes, remarks, floors, ahead)
    if found is not None:
        for part in as_terminal.laid_out(power_tables(found, analysis_plan)):
            console.print(part)
    elif seeds == 1 or len(loaded.arms) == 1:
        console.print("what it can find: a gap between procedures takes two arms and more than one seed")
    elif analysis_plan.metric != "accuracy":
        console.print(f"what it can find in {analysis_plan.metric}: known once two seeds have run")
    else:
        console.print("what it can find: known once the data are here; --test-examples N says it for N sentences")


def _sizes(study: Study) -> tuple[list[dict[str, Any]], list[str], int | None, Inputs | None]:
    """Return parameter counts or why they are not known, remarks, the number of test examples, and the inputs."""
    from harness.errors import HarnessError

    try:
        with needs_training_libraries():
            from harness.runs.planning import sizes
    except HarnessError as error:
        return (
            [{"arm": arm, "total": None, "trainable": None, "reason": str(error)} for arm in study.arms],
            [],
            None,
            None,
        )
    counted, remarks, n_test, inputs = sizes(study)
    rows = [
        {
            "arm": size.arm,
            "total": size.parameters.total if size.parameters else None,
            "trainable": size.parameters.trainable if size.parameters else None,
            "reason": size.reason,
        }
        for size in counted
    ]
    return rows, list(remarks), n_test, inputs
