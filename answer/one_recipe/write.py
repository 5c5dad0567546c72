"""Writing of docs/one-recipe.md and its figures, from the results of the reference studies."""

from __future__ import annotations

from pathlib import Path

from analysis.records.loading import load
from answer.one_recipe.figures import figures
from answer.one_recipe.findings import find
from answer.one_recipe.page import page
from answer.one_recipe.pool import read_pool
from answer.one_recipe.rates import DRAWS
from answer.same_trials import compare_trials
from answer.shared_luck import seed_correlations

STUDY, ON_OTHER_THREADS = "one_recipe", "one_recipe_threads"
PAGE = "one-recipe.md"


def one_recipe(reference: Path, docs: Path, *, claims: Path, draws: int = DRAWS) -> dict[Path, str]:
    """Return the files of the page by where they belong under `docs`.

    Parameters
    ----------
    reference : Path
        The folder of the reference studies, with `one_recipe` among them.
    docs : Path
        The folder of the pages, with `calibration.csv`.
    claims : Path
        The folder of the claims files.
    draws : int
        Splits for each number of seeds.

    Raises
    ------
    AnalysisError
        If results or claims cannot be read.
    """
    findings = find(
        read_pool(reference / STUDY),
        claims=sorted(claims.glob("*.yaml")),
        calibration=docs / "calibration.csv",
        draws=draws,
    )
    studies = sorted(path.parent for path in reference.glob("*/study.json"))
    again = reference / ON_OTHER_THREADS
    text = page(
        findings,
        folder=f"results/reference/{STUDY}",
        correlations=[(study, seed_correlations(load(study))) for study in studies],
        repeated=compare_trials(load(reference / STUDY), load(again)) if again in studies else (),
    )
    return {Path(PAGE): text} | {Path("figures") / name: svg for name, svg in figures(findings).items()}
