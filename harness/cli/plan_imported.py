"""`harness plan results/NAME` of imported runs: what more runs would find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.words import counted
from harness.cli.shared import console_for, print_json
from harness.errors import HarnessError, ResultsError
from harness.records.store import Store


def imported_in(folder: Path) -> bool:
    """Whether a folder holds imported runs."""
    try:
        manifest = Store(folder).manifest()
    except ResultsError:
        # Of a folder whose study cannot be read, another command says why.
        return False
    return manifest is not None and manifest.imported is not None


def plan_imported(
    folder: Path,
    overrides: Sequence[str],
    *,
    test_examples: int | None,
    power: float,
    given: Sequence[str],
    as_json: bool,
) -> None:
    """Print what so many seeds could find, by the variation of the runs that are there.

    Parameters
    ----------
    folder : Path
        The study's results.
    overrides : sequence of str
        ``seeds=N`` plans for so many in each arm; default as many as there are in the smallest one.
    test_examples : int or None
        The number of test examples to plan for; default the study's.
    power : float
        The wanted chance to find a gap.
    given : sequence of str
        The stated figures that were given: runs that are there need none.
    as_json : bool
        Whether to print JSON.
    """
    from analysis import load
    from analysis.jsonable import jsonable
    from analysis.methods.label_permutation import label_permutation_floor
    from analysis.methods.sign_flip import sign_flip_floor
    from analysis.study.analysis_block import frozen_plan
    from analysis.study.power import StatedFigures, study_power
    from analysis.tables import as_terminal
    from analysis.tables.power import power_tables
    from harness.cli.screens import show_floors

    outcomes = load(folder)
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise HarnessError(f"{options}: {folder} holds runs, and their own figures are used; leave these out")
    seeds = _seeds(overrides, folder) or min(len(outcomes.complete_seeds(arm)) for arm in outcomes.arms)
    plan = frozen_plan(outcomes.manifest, arms=outcomes.arms, score=outcomes.score_kind)
    floors: dict[str, float] = {}
    if seeds > 1:
        floors = {"sign-flip": sign_flip_floor(seeds)} if outcomes.manifest.paired else {}
        floors["label permutation"] = label_permutation_floor(seeds, seeds)
    outlook = study_power(
        plan,
        arms=outcomes.arms,
        n_seeds=seeds,
        n_examples=None,
        stated=StatedFigures(),
        folder=outcomes,
        pilot_examples=test_examples,
        power=power,
    )
    name = outcomes.manifest.name
    if as_json:
        statuses = {arm: Counter(trial.status for trial in outcomes.of_arm(arm)) for arm in outcomes.arms}
        content = {
            "name": name,
            "cells": len(outcomes.trials),
            "to_run": 0,
            "spared": 0,
            "arms": [
                {"arm": arm, "total": None, "trainable": None, "reason": "imported", "statuses": dict(counts)}
                for arm, counts in statuses.items()
            ],
            "seeds": list(outcomes.seeds),
            "floors": floors,
            "seconds_left": 0.0,
            "remarks": [],
            "outlook": jsonable(outlook),
            "look_designs": None,
        }
        print_json("plan", [content])
        return
    console = console_for()
    finished = sum(trial.status == "finished" for trial in outcomes.trials.values())
    arms = counted(len(outcomes.arms), "arm")
    console.print(f"{name}: {counted(finished, 'imported run')} of {arms}", markup=False, highlight=False)
    show_floors(console, floors, seeds)
    if outlook is None:
        console.print("what more runs would find: known once every arm has two that are complete")
        return
    for part in as_terminal.laid_out(power_tables(outlook, plan)):
        console.print(part)


def _seeds(overrides: Sequence[str], folder: Path) -> int | None:
    """Return the number of seeds to plan for, where one is given."""
    seeds = None
    for override in overrides:
        key, _, value = override.partition("=")
        if key != "seeds" or not value.isascii() or not value.isdecimal() or not 2 <= int(value[:9]) <= 10_000:
            raise HarnessError(
                f"{folder} holds imported runs: expected nothing or seeds=N, a whole number from 2 to 10000, "
                f"got {override!r}"
            )
        seeds = int(value)
    return seeds
