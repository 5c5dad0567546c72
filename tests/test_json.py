"""JSON output: every command prints what docs/json.md describes, in one shape."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import cli
from harness.runs import turns

PAGE = (Path(__file__).parents[1] / "docs" / "json.md").read_text("utf-8")
FIGURES = ("audit", "--n", "872", "90.71%", "90.60%")


@pytest.fixture
def json_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Any:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit):
            cli.main()
        return json.loads(capsys.readouterr().out)

    return run


def described(command: str) -> set[str]:
    """The keys in the first column of a command's table."""
    section = PAGE.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_every_command_prints_what_the_page_describes(
    json_of: Callable[..., Any], tiny_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_TURNS", 3)
    # The plan comes first, when there are no results, and a dry run too.
    printed = {
        "plan": json_of("plan", tiny_file, "--json"),
        "dry run": json_of("run", tiny_file, "--dry-run", "--json"),
        "run": json_of("run", tiny_file, "seeds=1", "--json"),
        "time": json_of("time", "tiny", "seeds=1", "--json"),
        "status": json_of("status", "--json"),
        "analyze": json_of("analyze", "--resamples", "99", "--json"),
        "audit": json_of(*FIGURES, "--json"),
        "export": json_of("export", "tiny", "--to", "csv", "--json"),
        "import": json_of("import", "tiny.csv", "--name", "back", "--json"),
    }
    for name, content in printed.items():
        assert set(content) == {"schema", "command", "studies", "errors"}
        command = "run" if name == "dry run" else name
        assert (content["schema"], content["command"], content["errors"]) == (1, command, [])
        (study,) = content["studies"]
        if name == "audit":
            assert {"title", "reports"} <= set(study)
        elif name == "analyze":
            assert described("analyze") <= set(study) | {"treatment", "baseline"}
        else:
            assert set(study) == described("status" if name == "dry run" else name)
    assert {"treatment", "baseline", "verdict", "interval"} <= set(printed["analyze"]["studies"][0]["comparisons"][0])


def test_format_json_is_the_same(json_of: Callable[..., Any]) -> None:
    assert json_of(*FIGURES, "--format", "json") == json_of(*FIGURES, "--json")
