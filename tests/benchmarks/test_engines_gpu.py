"""benchmarks/engines_gpu: it runs, a fault of the engine ends it before anything is timed, and it keeps to its time."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines.packed.parameters import PackParameters

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module; it finds its neighbours as a script does."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("engines_gpu")


def test_an_engine_that_computes_something_else_ends_it_with_exit_code_1(
    script: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = PackParameters.step

    def too_fast(self: PackParameters, slots: Any, rates: Any) -> None:
        step(self, slots, {slot: 1.001 * rate for slot, rate in rates.items()})

    monkeypatch.setattr(PackParameters, "step", too_fast)
    monkeypatch.setattr(sys, "argv", ["engines_gpu.py", "--tiny"])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 1
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith("FAILED: gpt2, equality, LoRA, fp64: weights within ")
    assert "(allowed 1e-08)" in said


@pytest.mark.parametrize(("left", "measured"), [(1e9, [1, 8, 32]), (0.0, [1])])
def test_what_does_not_fit_the_time_is_said(
    left: float, measured: list[int], script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []

    def train(size: int) -> Any:
        trained.append(size)
        return 2.0, [SimpleNamespace(training_seconds=1.0 / size, peak_memory=2**30)] * size

    rates = iter([(100.0, 200.0), (120.0, 150.0)])
    comparison = SimpleNamespace(opponents=lambda: next(rates), train=train, tokens=500, operations=1000)
    lines = list(script.compare(comparison, (1, 8, 32), 1e6, lambda: left))
    assert trained == measured
    assert ("no time for packs of 8, 32" in lines) == (left == 0)
    assert "a pack of 1: 1800 trials an hour, 18.00 times published and 9.00 times careful" in lines[1]
    # The faster time of each opponent counts, where there was time to measure it twice.
    again = "15.00 | 9.00 |" if left else "18.00 | 9.00 |"
    assert [line for line in lines if line.startswith("| 1 ")] == [f"| 1 | 1800 | 500 | 0.1% | 1.00 GiB | {again}"]
    assert any("again" in line for line in lines)


@pytest.mark.slow
def test_a_tiny_run_checks_measures_and_profiles() -> None:
    command = [sys.executable, BENCHMARKS / "engines_gpu.py", "--tiny", "--short"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.count("equality, ") == 6
    assert said.count("isolation, ") == 4
    assert said.count("resumption, ") == 2
    for model in ("gpt2", "distilbert"):
        for kind in ("lora", "full"):
            assert f"\n{model}, {kind}, bf16\ntrials an hour: published " in said
    assert said.count("| pack | trials an hour |") == 4
    profiled = said.partition("gpt2, lora, bf16, profiled\n")[2].splitlines()
    assert profiled[0].startswith("a step of a pack of 4: ")
    assert len(profiled) == 4
