"""Page docs/calibration.md: its words, and the order of its tables."""

from __future__ import annotations

import math
import textwrap

from analysis.study.futility import HOPELESS
from calibration import tables
from calibration.best_arm import AHEAD
from calibration.failures import FRAGILE
from calibration.families import FAMILY_GAP, MARGIN
from calibration.looks import LOOKS
from calibration.methods import LEVELS, METHODS, N_SEEDS, RESAMPLES
from calibration.promises import Promise, broken, promises, small
from calibration.rates import GAP
from calibration.regimes import N_EXAMPLES
from calibration.simulation import Calibration
from calibration.until_decided import DECIDED_SEEDS, FEW_SEEDS, FOUND, ROOMY
from harness.study.looks import automatic_looks

_GROUPS: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...] = (
    (
        "Over new seeds and new examples",
        "The question of the harness: does the training procedure differ? The multi-bootstrap's percentile errs both "
        "ways: far above the level where a few seeds differ much, below it where little else does. Its studentised "
        "form comes much nearer, but with few seeds it rejects too often where they hardly differ.",
        (
            ("crossed t", "crossed t, other design"),
            ("multi-bootstrap, percentile", "multi-bootstrap, studentised"),
        ),
    ),
    (
        "Over new seeds, on this very test set",
        "They keep the level where the arms are alike on every example, which is their question. Where the arms "
        "differ by example, a gap on this test set is real and a gap of the procedures is not, and they take the one "
        "for the other, more surely with every seed.",
        (("paired t", "Wilcoxon", "sign-flip", "label permutation"),),
    ),
    (
        "Over new examples, for two trained models",
        "One run of each arm, so the number of seeds does not matter. They keep the level without a seed effect. With "
        "one, two runs differ for good, and that says nothing about the procedure.",
        (("McNemar, exact", "McNemar, mid-p", "Newcombe", "Tango", "BCa", "score test of precision"),),
    ),
    (
        "Other metrics, over seeds and examples",
        "The crossed t on influence values; precision, recall and F1 of class 1.",
        (
            ("precision", "recall", "F1", "macro-F1", "balanced accuracy"),
            ("MCC", "log loss", "Brier", "AUROC"),
        ),
    ),
)


def page(result: Calibration, *, command: str, minutes: float) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    result : Calibration
    command : str
        What makes the page again.
    minutes : float
        How long it took.
    """
    made = promises(result)
    parts = [
        "# Calibration",
        f"Made by `{command}` in {minutes:.0f} minutes on two cores; every count is in "
        "[calibration.csv](calibration.csv). The seeds of the simulation were fixed before it ran.",
        _verdict(made),
        tables.promise_table(made),
        "A promise counts as broken where the lower 99.9% limit of a rate exceeds it, so that chance alone breaks "
        "about none. In a cell with fewer studies only a larger fault shows. What is promised nothing stands under "
        "[known failures](#known-failures).",
        *_families(result),
        *_best_arm(result),
        *_two_arms(result),
        *_looks(result),
        *_failures(result),
    ]
    return "\n\n".join(wrapped(part) for part in parts) + "\n"


def _verdict(made: list[Promise]) -> str:
    names = list(dict.fromkeys(one.promise for one in made))
    faults = broken(made)
    if not faults:
        return f"**All {len(names)} promises held in all {len(made)} cells that they are made for.**"
    return f"**Broken in {len(faults)} of {len(made)} cells:**\n\n" + "\n".join(f"- {fault}" for fault in faults)


def _families(result: Calibration) -> list[str]:
    shown = tables.Families(result)
    return [
        "## Several comparisons with one baseline",
        f"K treatments and one baseline with the same seeds, {N_EXAMPLES} examples, and nothing different. All arms "
        "vary alike over seeds, and any two of them are correlated alike. From three arms on the primary test pools "
        "the variation over seeds; with one treatment (K = 1) there is nothing to pool. Each cell is the share of "
        "studies that make any false claim, of a gap or of equivalence, after the joint step-down: by the pooled test "
        "/ by the test of each pair alone. It should be .05 or less. Counted in normal theory, with "
        f"{result.size.normal:,} comparisons a cell and at least {min(result.size.normal, 50_000):,} studies.",
        shown.any_false_claim(),
        "Without a correction the pooled test makes a false claim in so many studies (strong seed effect):",
        shown.uncorrected(),
        "### The far tail of a single comparison",
        "A correction over K comparisons looks far out, so the level must hold there as well. Rejections of single "
        "comparisons over the level, in the worst of the regimes above; at most 1.3 is promised. The smallest level "
        "is that of 40 comparisons. Two arms with three seeds (K = 1, S = 3) promise no more than the level of .05: "
        "they are judged as independent seeds with plain degrees of freedom, whose far tail is too heavy.",
        shown.tail(),
        "### Gaps as large as the margin",
        f"Here a false claim is also one of equivalence within {100 * MARGIN:g} points, where the true gap is "
        f"{100 * MARGIN:g} points.",
        shown.at_the_margin(),
        "### What pooling finds",
        f"Not promised. The share of true gaps of {100 * FAMILY_GAP:g} points found at a quarter of .05, the strictest "
        "step of four comparisons: pooled / by pair.",
        shown.power(),
        "### The same, answer by answer",
        "Normal theory is a model of right and wrong answers. Here both ways run side by side: answers drawn run by "
        f"run and judged by the functions of the analysis ({result.size.studies:,} studies), and mean squares drawn "
        "from their laws and judged by formulas of their own. Any false claim, or the share of the gaps found: pooled "
        "/ by pair.",
        shown.both_ways(),
        "### Tables by class",
        "Any false claim over precision and recall of 20 classes, the largest three times the smallest "
        f"({result.size.tables:,} studies each): after the joint step-down over the whole table, and without.",
        tables.class_table(result),
    ]


def _two_arms(result: Calibration) -> list[str]:
    size = result.size
    error = math.sqrt(0.05 * 0.95 / size.studies)
    error_resampled = math.sqrt(0.05 * 0.95 / size.resampled)
    seeds_of = {method.name: method.seeds for method in METHODS}
    parts = [
        "## Two arms, every method",
        f"Two arms that are equally good on average, {N_EXAMPLES} examples. Each number is the share of "
        f"{size.studies:,} studies ({size.resampled} with {RESAMPLES} resamples for methods that resample) in which a "
        "method says, at the level of .05, that they are not: it should be .05 or less. Its standard error at .05 is "
        f"{error:.3f} ({error_resampled:.3f} for methods that resample). A cell holds one number for each number of "
        "seeds. A dash: the method has no answer there.",
    ]
    for title, text, blocks in _GROUPS:
        parts += [f"### {title}", text]
        for methods in blocks:
            seeds = seeds_of[methods[0]]
            if len(seeds) > 1:
                parts.append(f"S = {_list(seeds)}:")
            parts.append(tables.rejections(result, methods))
    return [
        *parts,
        "### The crossed t in full",
        f"Rejections at {small(LEVELS[0])} and at {small(LEVELS[1])}; the share of its 95% intervals "
        f"that hold a true gap of {100 * GAP:g} points; and the share of studies with that gap in which it is found "
        f"(power). S = {_list(N_SEEDS)}.",
        tables.in_full(result),
    ]


def _best_arm(result: Calibration) -> list[str]:
    return [
        "## Which arm may be the best",
        "How often the 95% confidence set leaves out the best arm, over every pair of arms and with the variation over "
        "seeds pooled: an arm where all are equally good, which is the hardest case, and the best one where it is "
        f"{100 * AHEAD:g} points ahead of all others; each should be .05 or less. Then the share of those others that "
        f"it rules out. {result.size.tables:,} studies a cell.",
        tables.best_arm_table(result),
    ]


def _looks(result: Calibration) -> list[str]:
    return [
        "## Looking while the study grows",
        f"Looks at {_list(LOOKS)} seeds: with O'Brien-Fleming spending (declared), with p &le; .05 at any of them "
        "(undeclared), and once at the end; then the power for the gap and the mean number of seeds at which a "
        "declared study with that gap stops. Two arms:",
        tables.look_table(result),
        "Any false gap among four comparisons, by the pooled test and the joint step-down:",
        tables.family_look_table(result),
        "### Until decided",
        "`harness run --until-decided` with the looks of `looks: auto`, "
        f"{_looks_of(DECIDED_SEEDS)} and {_looks_of(FEW_SEEDS)}: a comparison leaves when it is decided, or when its "
        f"chance of a decision by the last look falls below {100 * HOPELESS:g}%; arms that stand in no open comparison "
        "are trained no further, and the variation over seeds is pooled over the arms that are left. Beside it, after "
        "the slash, the same studies with all their seeds, judged once. The design's gap is the one that they find in "
        f"{100 * FOUND:.0f}% of the comparisons. Where equivalence is to be shown, the margin is {ROOMY:g} times the "
        f"one within which they show it in {100 * FOUND:.0f}%. All K comparisons have the same gap, or every second "
        "has none. Gap and margin in points; any false claim after the joint step-down, which should be .05 or less; "
        "the share of comparisons of which the truth is claimed; and the share of the trials that is not trained. "
        "Counted in normal theory:",
        tables.decided_table(result, normal=True),
        f"The same, answer by answer ({result.size.resampled} studies):",
        tables.decided_table(result, normal=False),
    ]


def _looks_of(n_seeds: int) -> str:
    return f"at {_list(tuple(automatic_looks(n_seeds)))} of {n_seeds} seeds"


def _failures(result: Calibration) -> list[str]:
    return [
        "## Known failures",
        "Nothing is promised here, and nothing is different in any of these studies: each number should be .05 or "
        "less.",
        "**Arms that are not alike over seeds** (strong seed effect, four comparisons, normal theory). Pooling takes "
        "the seed SDs of all arms, and the correlations of their seeds, for equal. The first comparison is that of "
        "the noisier arm. Rejections of the first comparison at .05, and any false claim after the correction: pooled "
        "/ by pair. Treatments that *share luck* are correlated over seeds among themselves and not with the baseline, "
        "as variants of one adapter may be against full fine-tuning.",
        tables.Families(result).unlike(),
        "**An arm that does badly now and then.** Most seeds are then better than its mean, and a study without a bad "
        "one favours it. Every verdict carries a footnote about it. Other arms do not help: pooled with calm ones it "
        "looks calm as well. The skewed arm is mostly a little lucky and seldom far off: its seeds have an SD of about "
        f"4 points, those of the others {100 * FRAGILE[0].seed_sd:.1f}.",
        tables.fragile_table(result),
        "**A class that is predicted rarely.** Two arms with the same true value of a metric, at different operating "
        "points: one says the class 6 or 20 times a run, the other 40 times. There is no seed effect. The "
        "share of right answers among 6 is coarse, and shows no spread where all of them are right.",
        tables.metric_table(result),
        "**Log loss on few examples, and unpaired seeds in unequal numbers.** One arm is far surer of itself than the "
        "other, with the same mean log loss; a strong seed effect, and more seeds of the one arm than of the other.",
        tables.other_failures(result),
        "**Two seeds** give an interval and never a verdict, whatever the rates here.",
    ]


def _list(numbers: tuple[int, ...]) -> str:
    return " / ".join(str(number) for number in numbers)


def wrapped(part: str) -> str:
    """Break the lines of a paragraph or a list of Markdown; a table's stay as they are."""
    if part.startswith("|"):
        return part
    return "\n".join(
        textwrap.fill(
            line,
            120,
            break_long_words=False,
            break_on_hyphens=False,
            subsequent_indent="  " if line.startswith("- ") else "",
        )
        for line in part.split("\n")
    )
