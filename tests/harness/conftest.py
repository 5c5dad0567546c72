"""A small study file to change and to break."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Before any library of the Hub is imported: no test here asks a network.
os.environ["HF_HUB_OFFLINE"] = "1"

from harness import cli
from harness.errors import Problem, StudyError
from harness.study.loading import load_study

BASE = """\
name: base
model: embedded/tiny-gpt2
data:
  path: embedded/sentiment
training:
  learning_rate: 1e-3
  num_train_epochs: 2
arms:
  full: {}
  lora:
    adapter: {peft_type: LORA, target_modules: [c_attn]}
    grid: {adapter.r: [2, 8]}
  frozen:
    freeze: {layers: 1}
seeds: 3
selection: last
analysis: {baseline: full}
timing: off
"""


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write the small study with pieces of its text replaced; a text alone is written as it is."""

    def write(*changes: tuple[str, str], text: str = BASE) -> Path:
        for old, new in changes:
            if text.count(old) != 1:
                raise ValueError(f"{old!r} is in the study {text.count(old)} times")
            text = text.replace(old, new)
        path = tmp_path / "study.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def refused() -> Callable[..., tuple[Problem, ...]]:
    """Load a study that must be refused, and return what was found wrong."""

    def load(path: Path, *overrides: str) -> tuple[Problem, ...]:
        with pytest.raises(StudyError) as caught:
            load_study(path, overrides)
        return caught.value.problems

    return load


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command in an empty folder; return its exit code, its output and its complaint."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0 if code is None else 1), captured.out, captured.err

    return run


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """A folder with a model of one of transformers' auto classes, drawn with a fixed seed."""
    import torch
    import transformers

    from harness.quiet import quiet

    def save(config: Any, auto: Any = None, **settings: Any) -> Path:
        auto = auto or transformers.AutoModel
        folder = tmp_path / auto.__name__
        with torch.random.fork_rng(), quiet():
            torch.manual_seed(0)
            drawn = type(config).from_dict({**config.to_dict(), **settings})
            auto.from_config(drawn).save_pretrained(folder)
        return folder

    return save
