"""`harness import`: predictions from elsewhere become a study."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.shared import AsJson, Root, console_for, print_json

if TYPE_CHECKING:
    from harness.records.archive import Archive


class Task(StrEnum):
    """What predictions are."""

    classification = "classification"
    regression = "regression"


def import_runs(
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The name of the study.", show_default=False)],
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SOURCE",
            help="Files, or folders in which --pattern or the logs of an evaluation tool are looked for. What is in a "
            "file says how it is read: a table (CSV, TSV, JSON lines, Parquet, Feather), NumPy arrays, logs of "
            "lm-evaluation-harness or inspect_ai, predictions of run_glue.",
            show_default=False,
        ),
    ] = None,
    results: Root = Path("results"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, say what would be written, and write nothing.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Let runs with other answers than those that are there take their place."),
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="ROLE=COLUMN",
            help="What a column is, where its name does not say it: arm, run, example, label, prediction, score, "
            "epoch, or p_CLASS, such as --column arm=method --column run=repeat.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Where arm and seed stand in the paths of the files: 'runs/{arm}/seed{seed}/preds.csv'.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run",
            metavar="FILE=ARM,SEED",
            help="Whose run a file holds, where neither it nor its path says so.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The labels, where the files with the answers hold none.", show_default=False
        ),
    ] = None,
    filter_name: Annotated[
        str | None,
        typer.Option("--filter", metavar="FILTER", help="Which filter of lm-evaluation-harness.", show_default=False),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="What is compared: of several scores the name of one; else a metric of classes or numbers, such as "
            "macro_f1. Default: accuracy, in a regression Pearson's correlation.",
            show_default=False,
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="The class names in the order of the labels.", show_default=False),
    ] = None,
    task: Annotated[
        Task | None,
        typer.Option(help="What the predictions are, where they could be both.", show_default=False),
    ] = None,
    logits: Annotated[bool, typer.Option("--logits", help="The outputs are logits, not probabilities.")] = False,
    lower_is_better: Annotated[bool, typer.Option("--lower-is-better", help="Lower scores are better.")] = False,
    unpaired: Annotated[
        bool, typer.Option("--unpaired", help="The same seed in two arms means nothing: compare runs as independent.")
    ] = False,
    common_examples: Annotated[
        bool,
        typer.Option(
            "--common-examples", help="Leave out the examples that some run lacks; every table says how many."
        ),
    ] = False,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="ARM", help="The arm that the others are compared with; default: the first.", show_default=False
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="The largest gap that does not matter, in units of the metric; default 0.01, one percentage point.",
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            help="A YAML file with the blocks analysis: and claims: of a study file, and the name of the model: that "
            "claims are about; options go before it.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read predictions from elsewhere.

    Example: harness import preds.csv --name mine --baseline full && harness analyze results/mine

    Every run is one training of one arm, with its own seed, and all runs answered the same examples. In a table there
    is a row for each arm, seed and example, with the label, and what was predicted: a class, the probability of each
    class, a number, or any score of the answer. With one file a run, the path says whose it is:

    harness import --pattern 'runs/{arm}/seed{seed}/preds.csv' --labels test.csv --name mine

    Prints what it took for what, and asks nothing: what is ambiguous is refused, with the option that settles it. The
    same import again writes nothing; new runs join those that are there; a run with other answers is refused unless
    --replace is given. Then analyze, status and plan take results/NAME as they take a study that was trained here.

    Exit codes: 0 done; 2 the input is wrong, and nothing was written.
    """
    from analysis.errors import SourceError
    from analysis.sources.options import ImportOptions
    from analysis.sources.reading import read_sources
    from analysis.study.imported import imported_manifest
    from harness.cli.import_options import asked_blocks, checked_options, checked_plan, read_plan
    from harness.cli.import_screen import show_summary, show_understood, summary_json, understood_json
    from harness.records.archive import read_archive
    from harness.records.imported import write_runs
    from harness.records.store import Store

    options = checked_options(
        name,
        columns=column or (),
        runs=run or (),
        classes=classes,
        pattern=pattern,
        labels=labels,
        filter=filter_name,
        metric=metric,
        task=task.value if task else None,
        logits=logits,
        lower_is_better=lower_is_better,
        unpaired=unpaired,
        common_examples=common_examples,
    )
    if sources and len(sources) == 1 and (archive := read_archive(sources[0])) is not None:
        if options != ImportOptions() or replace or any(one is not None for one in (plan, metric, baseline, margin)):
            raise SourceError(
                [
                    f"{sources[0]} holds a whole study with its plan: give --name alone to bring it back; "
                    "harness export --to csv gives its rows alone"
                ]
            )
        _restore(archive, sources[0], results, name=name, dry_run=dry_run, as_json=as_json)
        return
    plan_file = None if plan is None else read_plan(plan)
    before = Store(results / name).manifest()
    runs = read_sources(sources or [], options)
    # Of scores the metric is the one that was chosen.
    given = {"metric": None if runs.answers == "scores" else metric, "baseline": baseline, "margin": margin}
    blocks = asked_blocks(plan_file, before, {key: value for key, value in given.items() if value is not None})
    manifest = imported_manifest(runs, name=name, before=before, **blocks)
    checked = checked_plan(runs, manifest, plan_file, options=given)
    summary = write_runs(runs, results, name=name, replace=replace, dry_run=dry_run, **blocks)
    if as_json:
        written = summary_json(None if dry_run else summary)
        print_json("import", [{**understood_json(runs, manifest, checked), **written}])
        return
    console = console_for()
    show_understood(console, runs, manifest, checked)
    show_summary(console, summary, dry_run=dry_run)


def _restore(archive: Archive, path: Path, results: Path, *, name: str, dry_run: bool, as_json: bool) -> None:
    """Bring back a study that `harness export` archived."""
    from harness.cli.import_screen import archive_json, show_archive
    from harness.records.archive import joins, restore

    joins(archive, results, name=name)
    is_new = None if dry_run else restore(archive, path, results, name=name)
    if as_json:
        print_json("import", [archive_json(archive, name, results / name, is_new=is_new)])
    else:
        show_archive(console_for(), archive, results / name, is_new=is_new)
