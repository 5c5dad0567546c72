"""`harness plan`: what a study would train, and what it could find."""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.shared import (
    AsJson,
    Overrides,
    Root,
    StudyFile,
    complain,
    console_for,
    load,
    needs_training_libraries,
    print_json,
    results_option,
    study_named,
)

if TYPE_CHECKING:
    from harness.runs.size import StudySize
    from harness.study.study import Study

# Of the studies that looks are tried on.
_SEED = 20261130
# Above the largest alpha of a plan.
_LEAST_POWER, _MOST_POWER = 0.6, 0.99


def _share(text: str) -> float:
    """Read a share from 0 to 1, as an option of the command line."""
    from harness.errors import percentage_hint

    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        hint = percentage_hint(text)
        raise typer.BadParameter(f"expected a share from 0 to 1{'' if hint else ', such as 0.08'}, got {text!r}{hint}")
    return share


def _power(text: str) -> float:
    """Read a wanted power, as an option of the command line."""
    power = _share(text)
    if not _LEAST_POWER <= power <= _MOST_POWER:
        raise typer.BadParameter(f"expected a share from {_LEAST_POWER:g} to {_MOST_POWER:g}, got {text!r}")
    return power


def plan(
    study: StudyFile,
    overrides: Overrides = None,
    results: Root = Path("results"),
    seed_sd: Annotated[
        float | None,
        typer.Option(
            help="SD of an arm's accuracy over seeds, as you expect it; default 0.01, one percentage point.",
            parser=_share,
            metavar="SHARE",
            show_default=False,
        ),
    ] = None,
    discordance: Annotated[
        float | None,
        typer.Option(
            help="Share of test examples that exactly one of two arms gets right, as you expect it for one trial of "
            "each; default 0.08.",
            parser=_share,
            metavar="SHARE",
            show_default=False,
        ),
    ] = None,
    rerun_discordance: Annotated[
        float | None,
        typer.Option(
            help="The same share for two seeds of one arm; default 0.05.",
            parser=_share,
            metavar="SHARE",
            show_default=False,
        ),
    ] = None,
    test_examples: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100_000_000,
            metavar="N",
            help="The number of test examples to plan for; default: the study's.",
            show_default=False,
        ),
    ] = None,
    power: Annotated[
        float,
        typer.Option(
            help="The wanted chance to find a gap, or to show equivalence; default 0.8.",
            parser=_power,
            metavar="SHARE",
            show_default=False,
        ),
    ] = 0.8,
    as_json: AsJson = False,
) -> None:
    """Show what a study would train and could find.

    Example: harness plan embedded/quickstart seeds=10

    Prints each arm's parameters, how many trials there are and how long they will take (once one has been measured),
    the smallest p that so many seeds can give, the smallest gap that the study can find, and what it takes to find the
    margin, or to show equivalence if the arms are equal. All this is computed from the study's own results once two
    seeds have run; before that, or if you give --seed-sd, --discordance or --rerun-discordance, from these three
    figures.

    Where looks would spare trials, it advises how many, and at which seeds, with the lines that declare them in the
    study file: harness run --until-decided then trains only what is still open.

    Reads and checks the data as harness run does. Trains nothing and downloads nothing. Of runs that were imported,
    give the name of their study, with seeds=20 for more seeds than there are.

    Exit codes: 0 done; 2 the input is wrong, or harness run would refuse an arm.
    """
    import numpy as np

    from analysis.jsonable import jsonable
    from analysis.methods.label_permutation import label_permutation_floor
    from analysis.methods.sign_flip import sign_flip_floor
    from analysis.study.analysis_block import parse_plan
    from analysis.study.look_designs import look_designs
    from analysis.study.population import with_training_sets
    from analysis.study.power import StatedFigures, study_power
    from analysis.tables import as_terminal
    from analysis.tables.look_designs import look_design_table
    from analysis.tables.power import power_tables
    from harness.cli.plan_imported import imported_in, plan_imported
    from harness.hub import offline_if_unreachable
    from harness.runs.preview import preview, same_settings
    from harness.runs.status import none_if_nan

    figures = {"seed_sd": seed_sd, "discordance": discordance, "rerun_discordance": rerun_discordance}
    given = {name: figure for name, figure in figures.items() if figure is not None}
    folder = study_named(study, results)
    if imported_in(folder):
        plan_imported(
            folder, overrides or (), test_examples=test_examples, power=power, given=list(given), as_json=as_json
        )
        return
    loaded = load(study, overrides)
    offline_if_unreachable(loaded)
    size = _size(loaded)
    remarks = list(size.remarks)
    seeds = len(loaded.numbered_seeds)
    by_source = not isinstance(loaded.seeds, tuple)
    # Seeds that cross are not independent of each other, as these tests take them to be.
    floors = {"sign-flip": sign_flip_floor(seeds), "label permutation": label_permutation_floor(seeds, seeds)}
    floors = {} if by_source else floors
    ahead = preview(loaded, results / loaded.name, inputs=size.inputs)
    analysis_plan = parse_plan(loaded.analysis, arms=list(loaded.arms), task=loaded.task)
    spared = 0
    if analysis_plan.looks:
        until_decided = preview(loaded, results / loaded.name, inputs=size.inputs, until_decided=True)
        spared = sum(arm.statuses.get("spared", 0) for arm in until_decided.arms)
    # Stated figures go before measured ones, and results of other settings say nothing about these.
    pilot = None if given else results / loaded.name
    if pilot is not None and not same_settings(loaded, pilot):
        remarks.append(f"{pilot} holds results of other settings; they are not used here")
        pilot = None
    outlook = None
    if not by_source:
        outlook = study_power(
            analysis_plan,
            arms=list(loaded.arms),
            n_seeds=seeds,
            n_examples=test_examples or size.n_test,
            stated=StatedFigures(**given),
            folder=pilot,
            pilot_examples=test_examples,
            power=power,
        )
    if loaded.data.resample is not None:
        outlook = with_training_sets(outlook)
    designs = None
    if outlook is not None:
        designs = look_designs(outlook, analysis_plan, list(loaded.arms), rng=np.random.default_rng(_SEED))
    if as_json:
        content = {
            "name": loaded.name,
            "cells": len(loaded.arms) * seeds,
            "to_run": ahead.to_run,
            "spared": spared,
            "arms": [
                {
                    **asdict(arm),
                    "statuses": dict(status.statuses),
                    "seconds_alone": none_if_nan(status.seconds_alone),
                }
                for arm, status in zip(size.arms, ahead.arms, strict=True)
            ],
            "seeds": loaded.model_dump(mode="json")["seeds"],
            "floors": floors,
            "seconds_left": none_if_nan(ahead.seconds_left),
            "remarks": remarks,
            "outlook": jsonable(outlook),
            "look_designs": jsonable(designs),
        }
        print_json("plan", [content])
        _say_what_is_refused(size)
        return
    from harness.cli.screens import show_plan

    console = console_for()
    show_plan(console, loaded, size.arms, remarks, floors, ahead, spared)
    if outlook is not None:
        tables = [*power_tables(outlook, analysis_plan, over=_drawn_anew(loaded, size))]
        if designs is not None:
            tables.append(look_design_table(designs, outlook, analysis_plan))
        for part in as_terminal.laid_out(tables):
            console.print(part)
        if designs is not None and designs.advised not in ((), analysis_plan.looks):
            told = _declaration(designs.advised, study, overrides or (), loaded, results)
            console.print(told, markup=False, highlight=False, soft_wrap=True)
    elif by_source:
        console.print("what it can find: not computed for seeds by source")
    elif seeds == 1 or len(loaded.arms) == 1:
        console.print("what it can find: to compare procedures takes two arms and more than one seed")
    elif analysis_plan.metric != "accuracy":
        console.print(f"what it can find in {analysis_plan.metric}: known once two seeds have run")
    else:
        console.print("what it can find: known once the data are on this machine; --test-examples N assumes N examples")
    _say_what_is_refused(size)


def _say_what_is_refused(size: StudySize) -> None:
    """End with exit code 2 where a run would refuse an arm, and say which and why."""
    from analysis.words import names_by_reason

    refused = names_by_reason((arm.arm, arm.reason) for arm in size.arms if arm.refused)
    for reason, arms in refused.items():
        complain(f"error: harness run will refuse arm {', '.join(arms)}: {reason}")
    if refused:
        raise typer.Exit(2)


def _declaration(looks: Sequence[int], file: Path, overrides: Sequence[str], study: Study, results: Path) -> str:
    """Say how looks are declared: in the study file, or for one command."""
    changed = ("seeds=", "analysis.looks=")
    others = [override for override in overrides if not override.startswith(changed)]
    own, wanted = list(study.numbered_seeds), looks[-1]
    # Seeds that a study names by themselves stay, and further ones join them.
    free = (seed for seed in itertools.count() if seed not in own)
    seeds = [*own[:wanted], *itertools.islice(free, max(wanted - len(own), 0))]
    told: int | list[int] = wanted if seeds == list(range(wanted)) else seeds
    command = ["harness", "run", str(file), *others, f"seeds={told}", f"analysis.looks={list(looks)}"]
    begun = (results / study.name / "study.json").exists()
    when = "the study has begun, so its tables will say that the plan changed" if begun else "before the first trial"
    return (
        f"To declare the advised looks in the study file ({when}):\n"
        f"  seeds: {told}\n"
        f"  looks: {list(looks)}   # in the block analysis\n"
        f"or at once: {shlex.join([*command, '--until-decided', *results_option(results)])}"
    )


def _drawn_anew(study: Study, size: StudySize) -> str:
    """Say what a new seed stands for in a study: a new training set too where each seed draws its own."""
    from analysis.study.population import TrainingSets
    from analysis.tables.notes import new_seeds

    if study.data.resample is None:
        return new_seeds(None)
    if size.n_drawn is None or size.n_train is None:
        return f"new seeds, new training sets of {100 * study.data.resample:g}% of the training examples"
    return new_seeds(TrainingSets(size.n_drawn, size.n_train))


def _size(study: Study) -> StudySize:
    """Return the size of a study; without the training libraries, only why it is not known."""
    from harness.errors import HarnessError
    from harness.runs.size import ArmSize, StudySize

    try:
        with needs_training_libraries():
            from harness.runs.planning import study_size
    except HarnessError as error:
        return StudySize(arms=tuple(ArmSize(arm=arm, reason=str(error)) for arm in study.arms))
    return study_size(study)
