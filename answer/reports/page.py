"""Page docs/answer.md: what it says first, and the order of what follows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.tables import in_words, named, requirements_in_words
from analysis.tables.as_markdown import escaped, rows
from analysis.tables.audit.by_report import from_to
from analysis.tables.audit.review import hull, review
from analysis.tables.digits import points, points_interval, time_taken, times_as_long, whole_percent
from analysis.tables.requirements import requirement_table
from analysis.tables.table import Column
from analysis.words import counted, listed
from answer.reference_study import ReferenceStudy, command, commits, encoder, lost
from answer.reports.figure import ANSWER
from answer.reports.findings import Findings, PublishedPair, Runs, Turned
from answer.reports.sentences import Sentence
from answer.studies import PLANNED
from calibration.page import wrapped

_PENDING = "not run yet"
_COUNTED = {"shown": "shows {}", "contradicted": "contradicts {}", "undecided": "leaves {} undecided"}


def headline(findings: Findings) -> str:
    """Return the answer in one sentence, as the page and README say it."""
    pairs = findings.pairs
    n_sentences = sum(len(pair.sentences) for pair in pairs)
    answers = [one for pair in pairs if pair.runs is not None for one in pair.runs.answers]
    told = [words.format(answers.count(answer)) for answer, words in _COUNTED.items() if answer in answers]
    if len(answers) < n_sentences:
        told.append(f"has yet to be asked about {n_sentences - len(answers)}")
    settled = sum(
        pair.pair.overlaps is not None and pair.pair.overlaps.outcome == "significant whatever the overlap"
        for pair in pairs
    )
    seeds = sorted({str(pair.runs.study.n_seeds) for pair in pairs if pair.runs is not None})
    return (
        f"Two reports draw {n_sentences} conclusions from one run of each arm. Their figures alone establish "
        f"{settled or 'none'} of the {len(pairs)} gaps; retrained with {' or '.join(seeds)} seeds, a small stand-in "
        f"encoder {listed(told)}."
    )


def page(findings: Findings, *, folder: str) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    findings : Findings
    folder : str
        Where the runs are, as the page names it.
    """
    parts = [
        "# The answer: are the reported gaps real?",
        _what_this_is(findings),
        f"**{headline(findings)}**",
        f"![The published gaps beside those of the stand-in's runs](figures/{ANSWER}.svg)",
        *_in_short(findings),
        *(part for pair in findings.pairs for part in _about(pair)),
        *_turned(findings.turned),
        "## The runs in full",
        *(part for name in PLANNED if name in findings.studies for part in _study(findings.studies[name])),
        *_how_it_was_made(findings, folder),
    ]
    return "\n\n".join(wrapped(part) for part in parts) + "\n"


def _what_this_is(findings: Findings) -> str:
    stand_in = list(dict.fromkeys(encoder(study.outcomes.manifest) for study in findings.studies.values()))
    published = list(dict.fromkeys(f"`{pair.report.report.model}`" for pair in findings.pairs))
    return (
        f"Two reports fine-tune {listed(published)} on SST-2 and compare single runs on its development sentences. "
        f"**The runs below are of neither model.** They are of {listed(stand_in)}, which stands in for both: what it "
        "shows is context for the reports, and no verdict on them. [One command](#how-it-was-made) repeats everything "
        "with the models of the reports."
    )


def _in_short(findings: Findings) -> list[str]:
    said, figures, answers = [], [], []
    for pair in findings.pairs:
        for number, sentence in enumerate(pair.sentences):
            said.append(f"“{sentence.words}”: {' against '.join(pair.pair.printed)}")
            figures.append(_by_figures(pair, sentence))
            answers.append(_PENDING if pair.runs is None else _by_runs(pair.runs, number))
    return [
        "## In short",
        rows(
            (
                Column("The report says", said),
                Column("Its figures alone allow", figures),
                Column("The stand-in's runs say", answers),
            )
        ),
        "“Shown” and “contradicted” are about the stand-in, hold for new seeds and new sentences as well, and are "
        "corrected over all comparisons of a study. “Undecided” is neither, and does not mean equal. How far two runs "
        "of one and the same recipe end up apart, [one-recipe.md](one-recipe.md) counts.",
    ]


def _by_figures(pair: PublishedPair, sentence: Sentence) -> str:
    overlaps = pair.pair.overlaps
    if overlaps is None:
        return pair.pair.reason
    if sentence.is_about_size:
        return f"a gap anywhere in {hull(overlaps.at_most)} pp, if errors overlap little"
    if overlaps.outcome == "cannot be significant":
        return "not significant, however errors overlap"
    if overlaps.outcome == "significant whatever the overlap":
        return "significant for these two models, however errors overlap"
    return (
        f"significant if exactly one model is right on at most {overlaps.significant_up_to} sentences "
        f"({overlaps.discordance[0]} to {overlaps.discordance[1]} are possible)"
    )


def _by_runs(runs: Runs, number: int) -> str:
    table = requirement_table(runs.study.report, "")
    if table is None:
        raise TypeError(f"{runs.study.name}: expected requirements")
    asked, answer, gap, interval = (column.cells[runs.asked[number]] for column in table.columns[:4])
    beside = runs.shown_beside[number]
    return f"{answer}: {asked}, {gap} {interval}{f'; shown: {beside}' if beside else ''}"


def _about(pair: PublishedPair) -> list[str]:
    report, published = pair.report.report, pair.pair
    words = listed([f"“{sentence.words}”" for sentence in pair.sentences])
    lines = [f"**Its figures alone.** {escaped(review(pair.audit, pair.report, published))}"]
    if pair.runs is None:
        lines.append("**Runs of the stand-in** have not been made yet.")
    else:
        lines += [
            *_answers(pair, pair.runs),
            *_by_set(pair.runs),
            *_one_seed(pair.runs, published.gap),
            *_selection(pair, pair.runs),
            *_cost(pair, pair.runs),
        ]
    return [
        f"## {published.treatment} against {published.baseline}: {' against '.join(published.printed)}",
        f"{words}: {report.source}, about `{report.model}`.",
        "\n".join(f"- {line}" for line in lines),
    ]


def _answers(pair: PublishedPair, runs: Runs) -> list[str]:
    report = runs.study.report
    told = requirements_in_words(report)
    return [
        f"**“{sentence.words}”** of the stand-in: {escaped(told[at].removeprefix('Requirement '))}"
        + (f" That there is a gap is shown: {escaped(beside)}." if beside else "")
        for sentence, at, beside in zip(pair.sentences, runs.asked, runs.shown_beside, strict=True)
    ]


def _by_set(runs: Runs) -> list[str]:
    found = [
        f"on the {one.n_examples:,} sentences of `{one.name}` {points(same.estimate)} "
        f"{points_interval(same.verdict_interval)} ({same.verdict.label})"
        for one in runs.study.report.sets
        for same in one.comparisons
        if same.name == runs.comparison.name
    ]
    return [f"**Each test set by itself,** corrected apart: {listed(found)}."] if found else []


def _one_seed(runs: Runs, published: float) -> list[str]:
    gaps, measured = runs.gaps, runs.measured
    against, significant = int((gaps * measured.gap < 0).sum()), round(len(gaps) * measured.significant)
    low, high = measured.expected_gap
    return [
        f"**What one seed does.** On the {measured.n_examples} sentences of the report, seeds of one arm scatter with "
        f"an SD of {points(measured.seed_sd, signed=False)}. {len(gaps)} pairs of runs, a seed each, are from "
        f"{points(gaps.min())} to {points(gaps.max())} apart: {_of(against, len(gaps))} point the other way than their "
        f"mean, and McNemar's test finds {_of(significant, len(gaps))} significant. The gap of one more pair is "
        f"expected in {points_interval(measured.expected_gap)}; the published one, {points(published)}, lies "
        f"{'within' if low <= published <= high else 'outside'}."
    ]


def _selection(pair: PublishedPair, runs: Runs) -> list[str]:
    """Say what choosing the epoch on the test sentences does, of a report that does so."""
    report, arms = runs.study.report, (runs.comparison.baseline, runs.comparison.treatment)
    lifts = {one.arm: one for one in report.selection_lifts}
    gaps = [one for one in report.selected_gaps if (one.baseline, one.treatment) == arms]
    if pair.pair.selected is None or not gaps or not set(arms) <= set(lifts):
        return []
    (gap,) = gaps
    added = [f"{points(lifts[arm].lift)} {points_interval(lifts[arm].interval)} to {arm}" for arm in arms]
    return [
        f"**What choosing the epoch on the test sentences does.** The best of {lifts[arms[0]].n_epochs} epochs in "
        f"place of the last adds {escaped(listed(added))}, and makes the gap {points(gap.best)} where it is "
        f"{points(gap.last)}."
    ]


def _cost(pair: PublishedPair, runs: Runs) -> list[str]:
    ratios = {(one.treatment, one.baseline): one for one in runs.study.report.time_ratios}
    time = ratios[runs.comparison.treatment, runs.comparison.baseline]
    if not math.isfinite(time.interval.high):
        return []
    took = times_as_long(time.ratio, time.interval)
    if time.interval.high < 1:
        less, least, most = (whole_percent(1 - one) for one in (time.ratio, time.interval.high, time.interval.low))
        took = f"in {less} less time ({least} to {most})"
    claimed = [one.value for one in pair.pair.costs if one.what == "time saved" and math.isfinite(one.value)]
    published = "".join(f" The times of the report make it {whole_percent(value)} less." for value in claimed)
    arms = escaped(f"{time.treatment} trains {took}, compared with {time.baseline}")
    return [f"**What it costs.** {arms}, on the machine of the runs.{published}"]


def _turned(turned: Sequence[Turned]) -> list[str]:
    """Say whether the order of full fine-tuning and LoRA turns round with their learning rates."""
    if len([one for one in turned if one.verdict]) < 2:
        return []
    shown = [one for one in turned if one.verdict in ("better", "worse")]
    verdicts = sorted({one.verdict for one in shown})
    if len(verdicts) == 2:
        told = "That of the stand-in does too: which arm is better depends on the learning rates."
    elif verdicts:
        at = listed([f"`{one.where}`" for one in shown])
        told = f"Of the stand-in one order is shown, that LoRA is {verdicts[0]} ({at}); the other is not."
    else:
        told = "Whether that of the stand-in does is open: no order is shown."
    return [
        "## Does the order turn round with the learning rates?",
        f"In the reports it does. {told}",
        rows(
            (
                Column("Runs", [one.where for one in turned]),
                Column("learning rate of full", [one.rates[0] for one in turned], numeric=True),
                Column("of LoRA, r = 4", [one.rates[1] for one in turned], numeric=True),
                Column("LoRA minus full", [points(one.gap) for one in turned], numeric=True),
                Column(
                    "interval",
                    [points_interval(one.interval) if one.verdict else "one run each" for one in turned],
                    numeric=True,
                ),
                Column("LoRA is", [one.verdict or "" for one in turned]),
            )
        ),
    ]


def _study(study: ReferenceStudy) -> list[str]:
    report, tables = study.report, named(study.report)
    return [
        f"### {PLANNED[study.name].title}",
        _trained(study),
        "\n".join(f"- {escaped(sentence)}" for sentence in in_words(report)),
        *(rows(tables[name].said_once().columns) for name in ("verdicts", "arms") if name in tables),
        *_caveats(study),
    ]


def _caveats(study: ReferenceStudy) -> list[str]:
    texts = [f"- {escaped(caveat.text)}" for caveat in study.report.footer.caveats]
    return ["\n".join(["What its report warns of:", "", *texts])] if texts else []


def _trained(study: ReferenceStudy) -> str:
    """Say on how much a study was trained and tested."""
    outcomes = study.outcomes
    data, arms = outcomes.manifest.data, outcomes.manifest.arms.values()
    epochs = sorted({int(arm.training["num_train_epochs"]) for arm in arms if "num_train_epochs" in arm.training})
    during = f" for {listed([str(one) for one in epochs], 'or')} epochs" if epochs else ""
    sets = listed([f"{one.n_test:,} of `{one.name}`" for one in data.sets]) or f"{data.n_test:,}"
    trained = f"{data.n_train:,} sentences{during}" if data.n_train is not None else "sentences"
    sizes = sorted({outcomes.statuses(arm).get("finished", 0) for arm in outcomes.arms})
    seeds = from_to(*map(str, sizes[:: len(sizes) - 1])) if len(sizes) > 1 else str(sizes[0])
    return f"Trained with {seeds} seeds on {trained}, tested on {sets}."


def _how_it_was_made(findings: Findings, folder: str) -> list[str]:
    lines = []
    for study in findings.studies.values():
        outcomes = study.outcomes
        trials = [trial for trial in outcomes.trials.values() if not trial.pending]
        seconds = sum(trial.record.all_seconds or 0.0 for trial in trials if trial.record is not None)
        without = f"; without predictions: {escaped(missing)}" if (missing := lost(outcomes)) else ""
        # Only a run until decided leaves trials out.
        spared = len(outcomes.trials) - len(trials)
        run = command(outcomes.manifest, *(["--until-decided"] if spared else []))
        left_out = f" of {len(outcomes.trials)}, which left nothing open that more could decide" if spared else ""
        lines.append(
            f"`{study.name}`: `{run}` at commit {listed(commits(trials))}; "
            f"{counted(len(trials), 'trial')}{left_out}, {time_taken(seconds)}{without}"
        )
    return [
        "## How it was made",
        f"Every figure of this page is computed by `nox -s answer` from `{folder}`: what each trained model said about "
        "each test sentence, by its id. The sentences themselves are not there. `harness analyze` reads each folder.",
        "\n".join(f"- {line}" for line in lines),
        "`nox -s reference` trains all of them from scratch, with the models of the reports and on all of SST-2, and "
        "says first how long that takes; `nox -s reference -- --model FOLDER --data FOLDER` repeats what is here.",
    ]


def _of(count: int, total: int) -> str:
    return f"{count or 'none'} of {total}"
