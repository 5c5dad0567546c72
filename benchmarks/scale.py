"""Cost of the machinery: a study of thousands of trials by an engine that trains nothing.

    python benchmarks/scale.py [--trials 10000] [--against CHECKOUT] [--turns 1]

Each step is a process of its own: recording every trial of a study (the time before its first trial is left out), the
same command on the finished study, `harness status` and `harness analyze` on it. With another checkout of this project
the two take turns, each on a study of its own. What a trial answers is drawn from its key, so both write the same.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent.parent
_ARMS = 10
_STUDY = """\
name: scale
model: embedded/tiny-distilbert
data: {{path: {data}, text: text, label: label, train: train, test: test}}
arms: {{{arms}}}
seeds: {seeds}
training: {{num_train_epochs: {epochs}}}
analysis: {{baseline: arm0}}
timing: off
"""


def write_study(folder: Path, *, trials: int, examples: int, epochs: int) -> Path:
    """Write a study of ten arms that differ in their learning rate, and its data; return its file."""
    for split, rows in (("train", 64), ("test", examples)):
        with (folder / f"{split}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows([f"the film number {row} of {split}", row % 2] for row in range(rows))
    arms = ", ".join(f"arm{arm}: {{training: {{learning_rate: {arm + 1}e-4}}}}" for arm in range(_ARMS))
    path = folder / "scale.yaml"
    path.write_text(_STUDY.format(data=folder, arms=arms, seeds=trials // _ARMS, epochs=epochs), "utf-8")
    return path


def record(file: Path, results: Path, pack: int) -> None:
    """Run a study with an engine that trains nothing.

    Prints the seconds from its first trial on, all and of the processor, and the peak memory before that and after.
    """
    import numpy as np

    from harness import load_study, run_study
    from harness.engines.engine import Engine, Progress
    from harness.engines.result import Epoch, Score, TrialResult
    from harness.runs import runner
    from harness.study.trials import Trial

    began: list[tuple[float, float, float]] = []

    class Instant(Engine):
        name = "instant"

        def __init__(self, n_test: int) -> None:
            self.n_test = n_test

        def train(
            self,
            trials: Sequence[Trial],
            *,
            report: Callable[[Progress], None],
            done: Container[str] = frozenset(),
            stop: Callable[[], bool] = lambda: False,
            claim: Callable[[Sequence[Trial]], Sequence[Trial]] = lambda wanted: wanted,
        ) -> Iterator[TrialResult]:
            began.append((time.perf_counter(), time.process_time(), _peak()))
            for start in range(0, len(trials), pack):
                if stop():
                    return
                wanted = [trial for trial in trials[start : start + pack] if trial.key not in done]
                mine = claim(wanted) if wanted else ()
                for trial in mine:
                    report(Progress(trial=trial, step=1, steps=1))
                for trial in mine:
                    yield self.result(trial)

        def result(self, trial: Trial) -> TrialResult:
            rng = np.random.default_rng(int(trial.key[-12:], 16))
            epochs = []
            for number in range(1, trial.settings.training.num_train_epochs + 1):
                right = rng.uniform(0.4, 1.0, self.n_test).astype(np.float32)
                of_class = (np.arange(self.n_test) % 2)[:, None] == np.arange(2)
                epochs.append(
                    Epoch(
                        epoch=number,
                        learning_rate=0.0,
                        train_loss=0.5,
                        test=Score(loss=0.5, accuracy=float((right > 0.5).mean())),
                        holdout=None,
                        probabilities=np.where(of_class, right[:, None], 1 - right[:, None]),
                    )
                )
            return TrialResult(
                trial=trial, status="finished", epochs=tuple(epochs), selected_epoch=len(epochs), device="cpu"
            )

        def estimate(self, trial: Trial) -> float:
            return 0.01 * trial.settings.training.num_train_epochs

    prepare = runner.prepare

    def prepared(*args: Any, **kwargs: Any) -> Any:
        checkpoint, data, _ = prepare(*args, **kwargs)
        return checkpoint, data, Instant(len(data.test))

    runner.prepare = prepared
    study = load_study(file)
    summary = run_study(study, results)
    if not summary.complete:
        raise SystemExit(f"not complete: {summary}")
    wall, cpu, memory = began[0]
    print(time.perf_counter() - wall, time.process_time() - cpu, memory, _peak())


def _peak() -> float:
    """Return the largest memory in use by this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measured(checkout: Path, *command: str) -> tuple[float, float, float, str]:
    """Run Python on a checkout; return its seconds, those of the processor, its peak memory in GiB, and its output."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-P", *command], env=environment, stdout=out, cwd=checkout)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        printed = out.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {printed}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, printed


def steps(checkout: Path, folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, float, float, float]]:
    """Yield each step with its seconds, those of the processor, and its peak memory in GiB."""
    results = folder / "results"
    file = write_study(folder, trials=options.trials, examples=options.examples, epochs=options.epochs)
    *_, printed = measured(checkout, __file__, "--record", str(file), str(results), str(options.pack))
    wall, cpu, before, after = map(float, printed.split())
    each = 1000 / options.trials
    yield "recording, milliseconds a trial; memory that it adds", each * wall, each * cpu, after - before
    commands = {
        "harness run on the finished study": ["run", str(file), "--results", str(results)],
        "harness status": ["status", "--results", str(results)],
        "harness analyze": ["analyze", str(results / "scale")],
    }
    for name, command in commands.items():
        seconds, cpu, memory, _ = measured(checkout, "-m", "harness", *command)
        yield f"{name}, seconds", seconds, cpu, memory


def main() -> None:
    """Measure in turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--examples", type=int, default=872)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--pack", type=int, default=16, help="how many trials are claimed at once")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--against", type=Path, help="another checkout of this project")
    parser.add_argument("--record", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.record:
        file, results, pack = options.record
        record(Path(file), Path(results), int(pack))
        return
    sides = {"here": _HERE} | ({"there": options.against.resolve()} if options.against else {})
    seen: dict[tuple[str, str], list[list[float]]] = {}
    for _ in range(options.turns):
        for side, checkout in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                for name, *figures in steps(checkout, Path(folder), options):
                    seen.setdefault((name, side), []).append(figures)
                    print(f"  {side}: {name}: {figures}", file=sys.stderr)
    print("| what | side | median | of the processor | peak memory |\n| --- | --- | --- | --- | --- |")
    for (name, side), turns in sorted(seen.items()):
        wall, cpu, memory = (statistics.median(figures) for figures in zip(*turns, strict=True))
        print(f"| {name} | {side} | {wall:.2f} | {cpu:.2f} | {memory:.2f} GiB |")


if __name__ == "__main__":
    main()
