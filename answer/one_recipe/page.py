"""Page docs/one-recipe.md: what it says first, and the order of what follows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.tables.digits import percent
from analysis.words import counted, listed
from answer.one_recipe import sections, tables
from answer.one_recipe.findings import HABITUAL, Findings
from answer.one_recipe.methods import ALPHA, EXAMPLES, METHODS
from answer.one_recipe.splits import RESAMPLES
from answer.reference_study import command, encoder
from answer.same_trials import TrialDifference
from answer.shared_luck import SeedCorrelation
from calibration.page import wrapped


def page(
    findings: Findings,
    *,
    folder: str,
    correlations: Sequence[tuple[Path, Sequence[SeedCorrelation]]] = (),
    repeated: Sequence[TrialDifference] = (),
) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    findings : Findings
    folder : str
        Where the runs are, as the page names it.
    correlations : sequence
        By study, how seeds correlate between its arms; empty for no such study.
    repeated : sequence of TrialDifference
        How far trials differ that were run with other numbers of threads; empty where none were.
    """
    parts = [
        "# One recipe, many seeds",
        *_what_this_is(findings, folder),
        *_in_short(findings),
        *sections.false_claims(findings),
        *sections.seeds(findings),
        *sections.two_runs(findings),
        *sections.variance(findings),
        *(sections.shared_luck(correlations) if any(pairs for _, pairs in correlations) else []),
        *(sections.repeated(repeated) if repeated else []),
        *_how_it_was_counted(findings),
    ]
    return "\n\n".join(wrapped(part) for part in parts) + "\n"


def _what_this_is(findings: Findings, folder: str) -> list[str]:
    pool, manifest = findings.pool, findings.pool.manifest
    epochs = next(iter(manifest.arms.values())).training.get("num_train_epochs")
    training = f"{manifest.data.n_train:,} sentences" if manifest.data.n_train is not None else "sentences"
    during = f" for {counted(int(epochs), 'epoch')}" if epochs is not None else ""
    rest = pool.n_planned - pool.n_seeds
    waiting = f" (of {pool.n_planned} planned; the other {rest} have not finished)" if rest else ""
    lost = f" Without predictions: {pool.unfinished}." if pool.unfinished else ""
    made_at = "commit" if len(pool.commits) == 1 else "commits"
    return [
        f"One recipe was trained with {pool.n_seeds} seeds{waiting} on {training} of SST-2{during}, and every run was "
        f"scored on the same {pool.n_examples} test sentences. The model is "
        f"{encoder(manifest)}, with {pool.parameters / 1e6:.1f} million "
        "parameters. It is neither GPT-2 nor DistilBERT, the models of the published reports, and stands in for them: "
        "what it shows is context for these reports and no verdict on them. A seed decides the new head, the order of "
        "the sentences and dropout; all seeds share their training sentences.",
        'Deal the seeds to two "methods", and nothing differs between these but chance. **Whatever a test then claims '
        "about the recipe is false.** The runs are those of "
        f"`{command(manifest)}` at {made_at} {listed(pool.commits)}, kept in `{folder}`. "
        f"`nox -s answer` computes every figure of this page from them.{lost}",
    ]


def _in_short(findings: Findings) -> list[str]:
    pool, seeds, gaps = findings.pool, findings.seeds, findings.gaps
    n = pool.n_examples
    one_pair = findings.rate("McNemar's exact test", 1)
    bootstrap = findings.rate("bootstrap over examples", HABITUAL)
    lines = [
        f"**One run of each, by McNemar's test:** {tables.rate(one_pair)} of all pairs of runs are called different. "
        "That may be true of the two trained models; it is false of the recipe.",
        f"**The means of {HABITUAL} seeds each, bootstrapped over test sentences:** {tables.rate(bootstrap)}. "
        "Averaging over seeds does not help a test that takes them as given.",
        f"**Tests that take seeds as drawn at random:** {_kept(findings)}",
        f"**Two single runs** are {counted(gaps.quantile(0.5), 'sentence')} apart in the median "
        f"({sections.points(gaps.quantile(0.5) / n)}); one pair in twenty is more than {gaps.quantile(0.95)} apart "
        f"({sections.points(gaps.quantile(0.95) / n)}).",
        *(
            f"**A gap of {sections.points(one.gap)}**, as published of one run each, is "
            f"{counted(one.examples, 'sentence')}. Of all pairs of runs of this one recipe {tables.rate(one.rate)} are "
            "at least as far apart."
            for one in findings.published[:2]
        ),
        f"**The seeds:** accuracy is {percent(seeds.mean, places=2)} on average, with an SD of "
        f"{sections.points(seeds.sd)} (95% interval {100 * seeds.sd_interval.low:.2f} to "
        f"{100 * seeds.sd_interval.high:.2f}). {sections.collapses(findings)}",
    ]
    return ["\n".join(f"- {line}" for line in lines)]


def _kept(findings: Findings) -> str:
    """Say which tests over seeds claim too much, or that none does."""
    level = percent(ALPHA, places=0)
    over_seeds = [method.name for method in METHODS if method.population != EXAMPLES]
    cells = [cell for cell in findings.two if cell.method in over_seeds]
    too_often = [f"{cell.method} with {cell.n_seeds} seeds" for cell in cells if cell.rate.lower > ALPHA]
    if too_often:
        return f"above {level} by more than chance explains: {', '.join(too_often)}."
    most = max(cells, key=lambda cell: cell.rate.share)
    return (
        f"none claims more than the {level} that it may, beyond what chance explains. The highest rate is "
        f"{percent(most.rate.share, places=1)} ({most.method}, {most.n_seeds} seeds)."
    )


def _how_it_was_counted(findings: Findings) -> list[str]:
    return [
        "## How it was counted",
        "All draws follow from one number that was fixed beforehand. Where many splits are judged at once, the tests "
        "hold the p-values of `analysis.crossed_test` and its neighbours, and of scipy's `mannwhitneyu`, one by one. A "
        f"bootstrap draws {RESAMPLES} resamples and reads their percentile interval.",
        "Splits share seeds, so thousands of them tell less than as many studies with seeds of their own. The "
        "intervals allow for that: a delete-one jackknife over the seeds (Efron and Stein 1981), less what drawing "
        "only some of all splits adds to it (Wager, Hastie and Efron 2014), plus the variance of the draws; then the "
        "limits of Clopper and Pearson, at the number of independent studies that would be as sure. They speak about "
        f"other seeds of this recipe on these {findings.pool.n_examples} sentences, not about other sentences.",
    ]
