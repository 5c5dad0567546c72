"""The page docs/import.md: its commands run on the files that it speaks about, and print what stands there."""

from __future__ import annotations

import doctest
import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from analysis.sources.column_names import ROLES
from harness import cli
from tests.import_page_files import CHANCES, LABELS, SEEDS, write_files, write_refused_files

PAGE = (Path(__file__).parents[1] / "docs" / "import.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(console|python|yaml)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
ROLE = r"^\| `(\w+)` \| .+ \| (.+) \|$"
REFUSALS = re.findall(r"^\| `(.+?)` \| (.+?) \|$", PAGE.partition("## When it is refused")[2], flags=re.MULTILINE)


class Ran(NamedTuple):
    """A command, what it printed, and how it ended."""

    command: str
    shown: str
    code: int


def run(command: str) -> Ran:
    """Run a command of the page in this process."""
    program, *arguments = shlex.split(command)
    if program == "head":
        option, lines, file = arguments
        assert option == "-n"
        return Ran(command, "".join(Path(file).read_text("utf-8").splitlines(keepends=True)[: int(lines)]), 0)
    assert program == "harness"
    if arguments[0] == "analyze":
        # None of the tables that the page shows rests on resampling.
        arguments += ["--resamples", "99"]
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["harness", *arguments])
        patch.setattr(sys, "stdout", printed)
        patch.setattr(sys, "stderr", printed)
        patch.delenv("COLUMNS", raising=False)
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return Ran(command, printed.getvalue(), int(ended.value.code or 0))


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of a block, each with what it shows."""
    assert block.startswith("$ ")
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def is_refusal(shown: str) -> bool:
    return re.match(r"error: |\d+ problems:\n", shown) is not None


def as_shown(shown: str, printed: str) -> bool:
    """Return whether this was printed, apart from what ``...`` leaves out."""
    return doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the page, with its files in it."""
    folder = tmp_path_factory.mktemp("page")
    write_files(folder)
    write_refused_files(folder / "bad")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def test_everything_on_the_page_happens_as_it_says(here: Path) -> None:
    names: dict[str, Any] = {**arrays(), **what_a_trainer_needs()}
    wrong: list[Any] = []
    for kind, block in BLOCKS:
        if kind == "yaml":
            (here / "plan.yaml").write_text(block)
        elif kind == "python" and block.startswith(">>> "):
            page = doctest.DocTestParser().get_doctest(block, names, "import.md", "import.md", 0)
            doctest.DocTestRunner(verbose=False).run(page, out=wrong.append, clear_globs=False)
            names = page.globs
        elif kind == "python":
            exec(block, names)
        else:
            ran = [(run(command), shown) for command, shown in commands(block)]
            wrong += [one for one, shown in ran if not as_shown(shown, one.shown) or one.code != 2 * is_refusal(shown)]
    assert wrong == []
    assert len(BLOCKS) > 25


def test_every_option_is_on_the_page(here: Path) -> None:
    options = set(re.findall(r"^  (--[a-z-]+)", run("harness import --help").shown, flags=re.MULTILINE))
    assert len(options) > 15
    assert {option for option in options if option not in PAGE} == set()


def test_the_page_lists_the_names_of_columns() -> None:
    listed = {role: tuple(re.findall(r"`(\w+)`", names)) for role, names in re.findall(ROLE, PAGE, flags=re.MULTILINE)}
    assert {role: listed[role] for role in ROLES} == dict(ROLES)


def arrays() -> dict[str, Any]:
    """Return what the page saves by NumPy."""
    right = {arm: chances[:SEEDS] for arm, chances in CHANCES.items()}
    both = {arm: np.where(LABELS[:, None] == [0, 1], one[..., None], 1 - one[..., None]) for arm, one in right.items()}
    return {"full": both["full"], "lora": both["lora-r8"], "labels": LABELS}


def what_a_trainer_needs() -> dict[str, Any]:
    """Return a small model and the data that it is trained and tested on."""
    import torch
    import transformers

    def new_model() -> transformers.PreTrainedModel:
        size = {"vocab_size": 32, "n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 8, "pad_token_id": 0}
        return transformers.GPT2ForSequenceClassification(transformers.GPT2Config(**size))

    tokens = torch.tensor(np.random.default_rng(0).integers(5, 30, (16, 5)))
    data = [{"input_ids": one, "labels": (one[0] > 17).long()} for one in tokens]
    return {"new_model": new_model, "train": data[:8], "test": data[8:]}


RUNS = "--pattern '{arm}/seed{seed}/"
LOG = "lm-eval/full-seed1/samples_sentiment_2026-11-29T07-43-34.666620.jsonl"
REFUSED = [
    "prediction.csv",
    "runs",
    f"runs {RUNS}pred.csv'",
    f"glue {RUNS}predict_results_*.txt' --labels glue/test.csv",
    "bad/odd --pattern '{arm}_{seed}.csv'",
    f"glue {RUNS}predict_results_None.txt'",
    "results/held",
    "bad/other_version --pattern '{arm}-seed{seed}/samples_sentiment_*.jsonl'",
    "bad/preds.pkl",
    "bad/preds.xlsx",
    "names.csv --column example=sentence",
    "plan.yaml",
    "bad/two_arms.csv",
    "bad/no_labels.csv",
    "rouge.csv",
    "bad/line.csv",
    "bad/quote.csv",
    "bad/line.jsonl",
    "bad/one_arm.csv",
    "bad/unnamed_run.csv",
    "bad/twice.csv",
    "shorter.csv",
    "bad/other_labels.csv",
    "bad/some_runs.csv",
    "bad/missing.csv",
    "bad/neutral.csv",
    "bad/fractions.csv",
    "probabilities.csv",
    "bad/logits.csv",
    "bad/named_logits.csv",
    "bad/sum.csv",
    "probabilities.csv --classes negative,positive --logits",
    "predictions.csv --lower-is-better",
    "bad/one_class.csv",
    "bad/free.csv",
    "predictions.csv --task regression",
    LOG,
    f"--run {LOG}=full,1 --run {LOG.replace('sentiment', 'quiz')}=lora,1",
    "lm-eval --pattern '{arm}-seed{seed}/samples_echo_*.jsonl'",
    "lm-eval --pattern '{arm}-seed{seed}/samples_quiz_*.jsonl'",
    "bad/other_data --pattern '{arm}-seed{seed}/samples_sentiment_*.jsonl'",
    "--run inspect/full/seed1.eval=a,1 --run inspect/stopped/cancelled.eval=b,1",
    "--run inspect/epochs.eval=a,1 --run inspect/errors.eval=b,1",
    "--run inspect/scorers.eval=a,1 --run inspect/reduced.eval=b,1",
    "--run inspect/shuffled/3.eval=a,1 --run inspect/shuffled/4.eval=b,1",
    "bad/other_answers.csv --name held",
    "shorter.csv --common-examples --name held",
    "predictions.csv --baseline lora",
    "bad/points.csv",
]
"""What is refused, in the order of the page."""


def test_every_refusal_is_told_as_the_page_says(here: Path) -> None:
    run("harness import predictions.csv --name held")
    (here / "plan.yaml").write_text("analysis:\n  margin: 0.02\n")
    before = {path for path in (here / "results").rglob("*") if path.is_file()}
    wrong = []
    for (message, _), given in zip(REFUSALS, REFUSED, strict=True):
        ran = run(f"harness import {given if '--name' in given else f'{given} --name new'}")
        if ran.code != 2 or not as_shown(f"...{message}...", " ".join(ran.shown.split())):
            wrong.append((message, ran))
    assert wrong == []
    assert {path for path in (here / "results").rglob("*") if path.is_file()} == before
