"""Sections of docs/one-recipe.md: the words around each of its tables and figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from analysis.tables.digits import percent
from analysis.words import counted
from answer.one_recipe import tables
from answer.one_recipe.figures import CLAIMS, SEEDS
from answer.one_recipe.findings import SIMULATED_POOLS, Findings
from answer.one_recipe.methods import ALPHA, BOTH, EXAMPLES, METHODS
from answer.one_recipe.methods import SEEDS as OVER_SEEDS
from answer.one_recipe.rates import SMALL_TEST_SET
from answer.same_trials import TrialDifference
from answer.shared_luck import SeedCorrelation


def points(share: float) -> str:
    """Return a gap between shares in points: ``0.69 points``."""
    return f"{100 * share:.2f} points"


def collapses(findings: Findings) -> str:
    """Say how many runs collapsed, as a sentence."""
    seeds = findings.seeds
    seen = f"{seeds.collapsed if seeds.collapsed else 'None'} of {seeds.n_seeds} runs collapsed"
    return f"{seen}, which leaves a rate of collapse of up to {percent(seeds.collapse_limit, places=1)} possible."


def false_claims(findings: Findings) -> list[str]:
    """Say how often each test claims a gap, and what each is about."""
    pool = findings.pool
    parts = [
        "## How often each test claims a gap that cannot be there",
        f"![Share of splits in which each test claims a gap](figures/{CLAIMS}.svg)",
        f'Two "methods" of S seeds each on all {pool.n_examples} sentences: how often a test claims a gap at .05, with '
        f"the 95% interval. For S = 1 that is every one of the {pool.n_seeds * (pool.n_seeds - 1) // 2:,} pairs of "
        f"runs, for more seeds {findings.draws:,} splits, none of which takes more than half of the seeds. A dash: a "
        "test for another number of seeds.",
        tables.two_methods(findings.two),
        "The second column says which question a test answers:",
        _questions(),
        *_of_two_models(findings),
        "Below 8 seeds the crossed test takes paired seeds as independent ones, and its two rows are the same test. "
        "Pairs are formed at random here, since a seed of one recipe has no partner. Wilcoxon's rank sum cannot reach "
        ".05 with three seeds each, unless some of them tie.",
    ]
    if findings.small:
        parts += [
            "### On a small test set",
            f"The same on {SMALL_TEST_SET} of the {pool.n_examples} sentences, drawn anew for every block of splits "
            'and the same for both "methods":',
            tables.two_methods(findings.small),
        ]
    if findings.pooled:
        parts += [
            "### With several methods",
            'Three or five "methods" of S seeds, all judged against the last by the primary test of a report, which '
            "pools the variation over seeds: how often one comparison claims a gap by itself, and how often any of "
            "them does after the correction of a report, which takes in differences and equivalence (margin "
            f"{100 * findings.margin:g} pp).",
            tables.pooled(findings.pooled),
        ]
    return parts


def _questions() -> str:
    of = {
        population: ", ".join(method.name for method in METHODS if method.population == population)
        for population in (EXAMPLES, OVER_SEEDS, BOTH)
    }
    return "\n".join(
        [
            f"- **examples** ({of[EXAMPLES]}): would these trained models differ on new sentences? Two runs of one "
            "recipe are two models, so a claim can be true. It is false once it is read as one about the recipe.",
            f"- **seeds** ({of[OVER_SEEDS]}): would new seeds differ on this very test set? Here they would not, "
            "whatever its sentences, so this is a fair test of the level. It cannot show what these tests do where two "
            "procedures are equally good and differ from sentence to sentence; "
            "[calibration.md](calibration.md#over-new-seeds-on-this-very-test-set) does.",
            f"- **seeds and examples** ({of[BOTH]}): does the procedure differ? It does not. These tests allow for "
            "arms that differ from sentence to sentence; arms that do not, as here, are called different no more often "
            "than .05.",
        ]
    )


def _of_two_models(findings: Findings) -> list[str]:
    true_gap = math.sqrt(2) * findings.real.seed_sd
    if not true_gap:
        return []
    found = (
        "McNemar's test finds some of these gaps, as it should; it says nothing about where they come from."
        if findings.rate("McNemar's exact test", 1).lower > ALPHA
        else "That is too little for McNemar's test to find often on so many sentences."
    )
    return [
        f"How far two runs are truly apart: a new seed moves accuracy on endlessly many sentences with an SD of "
        f"{points(findings.real.seed_sd)}, and the gap of two runs with one of {points(true_gap)}. {found}"
    ]


def seeds(findings: Findings) -> list[str]:
    """Say how the seeds are distributed."""
    seeds, plot = findings.seeds, findings.quantiles
    normality = seeds.normality
    outside = sum((plot.seen < plot.low) | (plot.seen > plot.high))
    against = "rejects" if normality.p_value <= ALPHA else "does not reject"
    band = f"{counted(int(outside), 'run')} of {seeds.n_seeds} outside" if outside else "every run within"
    low, high = (percent(count / seeds.n_examples, places=2) for count in (seeds.lowest, seeds.highest))
    return [
        "## How seeds are distributed",
        f"![QQ plot of the runs, and how far two of them are apart](figures/{SEEDS}.svg)",
        f"The worst run gets {seeds.lowest} of {seeds.n_examples} sentences right ({low}), the best {seeds.highest} "
        f"({high}). Shapiro and Wilk's test {against} that seeds are normal (W = {normality.statistic:.3f}, "
        f"p = {normality.p_value:.2g}), and the figure has {band} its band. What that test finds with "
        f"{seeds.n_seeds} seeds:",
        tables.normality(findings),
        "A run has collapsed where it gets no more right than guessing the most frequent class would. "
        f"{collapses(findings)}",
    ]


def two_runs(findings: Findings) -> list[str]:
    """Say how far two runs are apart, beside gaps that were published."""
    gaps, n = findings.gaps, findings.pool.n_examples
    half, nine, nineteen = (gaps.quantile(share) for share in (0.5, 0.9, 0.95))
    parts = [
        "## What a gap of one run each means",
        f"Half of all pairs of runs are at most {counted(half, 'sentence')} apart ({points(half / n)}), nine in ten at "
        f"most {nine} ({points(nine / n)}), nineteen in twenty at most {nineteen} ({points(nineteen / n)}); the two "
        f"farthest are {gaps.sizes[-1]} apart ({points(gaps.sizes[-1] / n)}).",
    ]
    if findings.published:
        parts += [
            "Reports put these gaps of one run each in words. Their recipes may scatter more or less than this one: "
            "they train other models for longer, on more sentences. If they scatter alike, two runs of one recipe are "
            "as far apart, or farther, in this share of cases:",
            tables.published(findings),
            "[audit.md](audit.md) judges these reports by their own figures.",
        ]
    return parts


def variance(findings: Findings) -> list[str]:
    """Set the simulated calibration beside the real one."""
    real, measured = findings.real, findings.simulated[-1]
    limits = real.seed_sd_interval
    interval = f" (95% interval {100 * limits.low:.2f} to {100 * limits.high:.2f})" if limits is not None else ""
    one_pair = findings.rate("McNemar's exact test", 1)
    simulated = measured.claims["McNemar's exact test", 1]
    fair = one_pair.interval.low <= simulated <= one_pair.interval.high
    return [
        "## The simulated calibration beside the real one",
        "[calibration.md](calibration.md) counts errors on simulated studies. Here are its regimes beside the real "
        "recipe. The accuracy of a run varies for three reasons, whose SDs are in points, for "
        f"{findings.pool.n_examples} sentences: the seed does well or badly on all sentences alike; the run is lucky "
        "on single sentences, which is what is left; and the test set holds these sentences and not others, which all "
        f"runs share. The SD from the seed is {100 * real.seed_sd:.2f} for this recipe{interval}.",
        tables.variances(findings),
        "In the first regime arms are alike on every sentence, as a recipe and itself are. In the three after it arms "
        "differ from sentence to sentence, which tests over seeds take for a gap. The last row is simulated with the "
        f"accuracy and the variances of the real recipe: {SIMULATED_POOLS} pools of as many seeds, each with sentences "
        f"of its own. McNemar's test claims a gap in {percent(simulated, places=1)} of these pairs, and in "
        f"{tables.rate(one_pair)} of the real ones: "
        + (
            "the simulation does this recipe justice." if fair else "something in this recipe is not in the simulation."
        ),
    ]


def shared_luck(studies: Sequence[tuple[Path, Sequence[SeedCorrelation]]]) -> list[str]:
    """Say how seeds correlate between arms, in every study that has several."""
    pairs = [pair for _, found in studies for pair in found]
    known = [pair.correlation for pair in pairs if not math.isnan(pair.correlation)]
    limits = [pair.interval for pair in pairs if not math.isnan(pair.interval.low)]
    clear = sum(not low <= 0 <= high for low, high in limits)
    summary = f" The mean of all is {sum(known) / len(known):+.2f}" if known else ""
    summary += f"; {clear} of {len(limits)} intervals leave out 0." if limits else "." * bool(known)
    return [
        "## Do arms that share head and batches share luck?",
        "In a study with several arms, one seed gives all of them the same head and the same order of the sentences. "
        "Where a seed is lucky in every arm, their accuracies correlate over seeds, and pairing the seeds pays. The "
        "reference studies show these correlations (Fisher's z). Luck on single sentences is in them too, and is not "
        f"shared, so the seeds' own effects are correlated more.{summary}",
        tables.correlations(studies),
    ]


def repeated(differences: Sequence[TrialDifference]) -> list[str]:
    """Say how far trials differ that ran again with another number of threads."""
    same = sum(not one.differ for one in differences)
    return [
        "## The same seed with another number of threads",
        f"{counted(len(differences), 'trial')} of this recipe ran again with the same seed and another number of "
        f"threads. In {same} of them every sentence got the same class. Right answers are those of the second run "
        "minus those of the first.",
        tables.same_trials(differences),
    ]
