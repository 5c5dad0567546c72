#!/usr/bin/env bash
# Makes logs/ anew: by inspect_ai 0.3.285, and old.eval, whose members are deflated, by 0.3.140.
# Answers come from a mock model; but for pip, no network is needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > make.py <<'PY'
import asyncio
import os
import shutil
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

OLD = version("inspect_ai") == "0.3.140"
if not OLD:
    import tiktoken

    # In the place of a table that would be fetched.
    tiktoken.get_encoding = lambda name: SimpleNamespace(encode=lambda text, **_: list(text.encode()))

import inspect_ai.log._log as inspect_log
from inspect_ai import Epochs, Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import Score, accuracy, match, mean, scorer
from inspect_ai.solver import generate, solver

# Tracebacks, and the message of a task that was stopped, name the folders of this machine.
inspect_log.format_traceback = lambda *_: ("", "")
inspect_log.exception_message = lambda error: repr(error if isinstance(error, ValueError) else type(error)())

LOGS = Path("logs")
answers: dict[str, list[str]] = {}


def newest() -> Path:
    return max(Path("made").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def answer(input, tools, tool_choice, config):
    """The next answer to a question."""
    return ModelOutput.from_content("mockllm", answers[input[-1].text].pop(0))


def ask(name: str, right: dict[str, str], given: dict[str, list[str]], scorers, format="eval", **options):
    """Log the answers that are given to questions, some repeats each, as `name`."""
    path = LOGS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    answers.update({question: list(texts) for question, texts in given.items()})
    shuffled = options.pop("shuffled", None)
    samples = [
        Sample(id=index if shuffled is None else None, input=question, target=right[question])
        for index, question in enumerate(right, 1)
    ]
    dataset = MemoryDataset(samples, name="sums")
    if shuffled is not None:
        dataset.shuffle(seed=shuffled)
    task = Task(
        dataset=dataset,
        solver=options.pop("solver", generate()),
        scorer=scorers,
        name="sums",
    )
    options = {"epochs": len(next(iter(given.values()))), "log_model_api": False, **options}
    model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
    if OLD:
        options = {"epochs": options["epochs"]}
    eval(task, model=model, log_format=format, log_dir="made", display="none", **options)
    if not path.exists():  # else the solver kept it
        shutil.copyfile(newest(), path)


@scorer(metrics=[accuracy()])
def graded():
    """Gives the letter that was answered."""

    async def score(state, target):
        return Score(value=state.output.completion)

    return score


@scorer(metrics=[mean()])
def share():
    """The share of the target that the answer holds; of no answer, none."""

    async def score(state, target):
        text = state.output.completion
        return Score(value=float("nan") if text == "N" else sum(letter in text for letter in target.text) / 2)

    return score


@scorer(metrics={"*": [mean()]})
def rubric():
    async def score(state, target):
        text = state.output.completion
        return Score(value={"short": len(text) < 2, "letter": text if text in "CPIN" else "I"})

    return score


@scorer(metrics=[])
def each():
    async def score(state, target):
        return Score(value=[1, 0])

    return score


@solver
def fails(when):
    """Answers, or fails where `when(id, epoch)`."""

    async def solve(state, generate):
        if when(state.sample_id, state.epoch):
            raise ValueError("no answer came")
        return await generate(state)

    return solve


@solver
def copies_the_log():
    """Keeps the log as it stands while the last sample is asked."""

    async def solve(state, generate):
        if state.sample_id == 3:
            shutil.copyfile(newest(), LOGS / "stopped/started.eval")
        return await generate(state)

    return solve


@solver
def is_stopped():
    """Stops the evaluation as Ctrl-C does when the last sample is asked."""

    async def solve(state, generate):
        if state.sample_id == 3:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(5)
        return await generate(state)

    return solve


SUMS = {f"{n}+{n}=": str(2 * n) for n in range(1, 11)}
THREE = dict(list(SUMS.items())[:3])


def wrong(*numbers: int) -> dict[str, list[str]]:
    return {question: ["no" if n in numbers else right] for n, (question, right) in enumerate(SUMS.items(), 1)}


if OLD:
    ask("old.eval", THREE, {"1+1=": ["2", "2"], "2+2=": ["4", "5"], "3+3=": ["7", "7"]}, match())
    sys.exit()

for arm, seeds in {"full": [(3, 8), (8,), (3,)], "lora": [(3, 5, 8), (5, 8), (5, 9, 10)]}.items():
    for seed, numbers in enumerate(seeds, 1):
        ask(f"{arm}/seed{seed}.eval", SUMS, wrong(*numbers), match())

TWO = dict(list(SUMS.items())[:2])
thrice = {"1+1=": ["2", "2", "2"], "2+2=": ["4", "5", "5"]}
for format in ("eval", "json"):
    ask(f"epochs.{format}", TWO, thrice, match(), format)
    failing = fails(lambda id, epoch: id == 3 or (id, epoch) == (2, 1))
    ask(f"errors.{format}", THREE, {question: [right] * 2 for question, right in THREE.items()}, match(), format,
        solver=failing, fail_on_error=False)
ask("reduced.eval", TWO, thrice, match(), epochs=Epochs(3, "pass_at_2"))
grades = {"1+1=": ["C"], "2+2=": ["P"], "3+3=": ["I"], "4+4=": ["N"]}
ask("scorers.eval", dict.fromkeys(grades, "CP"), grades, [graded(), share(), rubric(), each()])
for seed in (3, 4):
    ask(f"shuffled/{seed}.eval", THREE, wrong(), match(), shuffled=seed)
ask("stopped/started.eval", THREE, wrong(), match(), solver=copies_the_log(), max_samples=1, log_buffer=1)
ask("stopped/cancelled.eval", THREE, wrong(), match(), solver=is_stopped(), max_samples=1)
PY
for version in 0.3.285 0.3.140; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet "inspect_ai==$version"
  "$version/bin/python" make.py
done
rm -rf "$here/logs"
mv logs "$here/logs"
