"""Names and sentences of others never drive a terminal, turn a line around, or end up raw in a document."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.printable import CONTROLS, printable
from harness import cli

# A colour, a title of the window, the one-byte form of the same, a line turned around, a bell, a delete.
HOSTILE = "\x1b[31m\x1b]0;own\x07\x9b31m\u202e\x7f"
IN_YAML = HOSTILE.encode("unicode_escape").decode().replace("\\x", "\\x")

STUDY = f"""\
name: hostile
question: "is {IN_YAML} shown?"
model: embedded/tiny-gpt2
data: {{path: DATA, text: text, label: label}}
training: {{learning_rate: 1e-3, num_train_epochs: 1, per_device_train_batch_size: 16}}
arms: {{full: {{}}, frozen: {{freeze: {{layers: 1}}}}}}
seeds: 2
timing: off
deviations: ["other {IN_YAML} data"]
analysis: {{baseline: full}}
claims: [{{source: "a {IN_YAML} paper", model: "a {IN_YAML} model", n: 9, accuracy: {{full: "0.9"}}}}]
"""

CLAIMS = f"""\
source: "a {IN_YAML} paper"
n: 100
systems: {{"one {IN_YAML}": {{accuracy: "90%"}}, "$\\\\two$ {IN_YAML}": {{accuracy: "80%"}}}}
pairs: [{{treatment: "one {IN_YAML}", baseline: "$\\\\two$ {IN_YAML}"}}]
"""

Command = Callable[..., str]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command; return all that it says."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["harness", *arguments])
        with pytest.raises(SystemExit):
            cli.main()
        captured = capsys.readouterr()
        return captured.out + captured.err

    return run


def assert_printable(text: str) -> None:
    assert "Traceback" not in text
    assert CONTROLS.search(text) is None, repr(CONTROLS.search(text))


def test_a_hostile_study_is_shown_and_does_nothing(tmp_path: Path, command: Command) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for split, count in (("train", 32), ("validation", 20)):
        rows = [{"text": f"words {i}", "label": ("good", f"b{HOSTILE}d")[i % 2]} for i in range(count)]
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "study.yaml").write_text(STUDY.replace("DATA", str(data)))
    outputs = [command("plan", "study.yaml"), command("run", "study.yaml")]
    record = next(tmp_path.glob("results/hostile/trials/*/record.json"))
    broken = json.loads(record.read_text())
    record.write_text(json.dumps(broken | {"status": "failed", "error": {"type": "E", "message": HOSTILE}}))
    outputs.append(command("status"))
    assert "[31m" in outputs[-1]
    record.write_text(json.dumps(broken))
    outputs.append(command("analyze", "--details"))
    assert "[31m" in outputs[-1]
    as_json = command("analyze", "--format", "json")
    assert json.dumps(f"is {HOSTILE} shown?") in json.dumps(json.loads(as_json))
    outputs += [as_json, *(path.read_text() for path in tmp_path.glob("results/hostile/report/tables.*"))]
    outputs.append(command("run", "study.yaml", f"arms.{HOSTILE}.freeze=3"))
    for output in outputs:
        assert output
        assert_printable(output)


def test_hostile_claims_are_shown_and_do_nothing(tmp_path: Path, command: Command) -> None:
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    outputs = [command("audit", "claims.yaml", "--details", "--report", "report")]
    outputs += [command("audit", "claims.yaml", "--format", form) for form in ("markdown", "latex", "json")]
    assert json.dumps(f"a {HOSTILE} paper") in json.dumps(json.loads(outputs[-1]))
    outputs += [(tmp_path / "report" / name).read_text() for name in ("audit.md", "audit.tex", "audit.html")]
    assert (tmp_path / "report" / "discordance.png").exists()
    for output in outputs:
        assert "31m" in output
        assert_printable(output)


def test_colours_are_the_consoles_own(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "claims.yaml").write_text(CLAIMS)
    monkeypatch.setenv("FORCE_COLOR", "1")
    output = command("audit", "claims.yaml")
    styles = re.findall(r"\x1b[^m]*m", output)
    assert "\x1b[1m" in styles
    assert "\x1b[31m" not in styles
    assert_printable(re.sub(r"\x1b\[[0-9;]*m", "", output))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, größer, 日本, שלום\u200f", "plain, größer, 日本, שלום\u200f"),
        ("a\tb\nc\r\nd", "a\tb\nc\nd"),
        ("half \ud800 a character", "half \ufffd a character"),
        ("a\u2066b\u2069", "a\ufffdb\ufffd"),
    ],
)
def test_what_shows_something_stays(text: str, shown: Any) -> None:
    assert printable(text) == shown
