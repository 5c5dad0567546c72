"""Output that is full, closed, gone or without Unicode: one message, a clean exit code, and nothing lost."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

import harness
from harness import cli, run_study
from harness.cli import output

FULL = "error: standard output cannot be written: No space left on device\n"
FIGURES = ("audit", "--n", "872", "90.71%", "90.60%")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    from harness.study.loading import load_study

    folder = tmp_path_factory.mktemp("output")
    (folder / "tiny.yaml").write_text(tiny_text)
    return run_study(load_study(folder / "tiny.yaml", ["arms={full: {}}", "analysis={}"]), folder).folder


def gone() -> TextIO:
    """Return a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def full() -> TextIO:
    return Path("/dev/full").open("w")


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run a command with this as its standard output; return its exit code and its complaint."""
    opened: list[TextIO] = []

    def run(out: TextIO | None, *arguments: str | Path) -> tuple[int, str]:
        opened.extend([out] if out is not None else [])
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["harness", *map(str, arguments)])
            patch.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    yield run
    for out in opened:
        out.close()


@pytest.mark.parametrize(
    "arguments", [("status",), ("analyze", "--format", "json"), ("analyze",), FIGURES, ("--help",)]
)
def test_every_command_says_that_its_output_is_full_or_ends_with_its_reader(
    arguments: tuple[str, ...], results: Path, command: Command
) -> None:
    where = (results,) if arguments[0] in {"status", "analyze"} else ()
    assert command(full(), *arguments, *where) == (2, FULL)
    assert command(gone(), *arguments, *where) == (0, "")
    assert command(None, *arguments, *where) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [("status",), ("analyze",), ("analyze", "--format", "markdown"), FIGURES])
def test_a_terminal_without_unicode_shows_what_it_can(
    arguments: tuple[str, ...], encoding: str, results: Path, command: Command
) -> None:
    shown = io.BytesIO()
    out = io.TextIOWrapper(shown, encoding=encoding)
    where = (results,) if arguments[0] in {"status", "analyze"} else ()
    out.close = out.flush  # type: ignore[method-assign]
    assert command(out, *arguments, *where) == (0, "")
    text = shown.getvalue().decode(encoding)
    assert text
    assert "\\u" not in text


def test_json_for_an_ascii_terminal_is_json(command: Command, tmp_path: Path, results: Path) -> None:
    (tmp_path / "tiny").mkdir()
    manifest = json.loads((results / "study.json").read_text())
    (tmp_path / "tiny" / "study.json").write_text(json.dumps(manifest | {"name": "größer"}))
    shown = io.BytesIO()
    out = io.TextIOWrapper(shown, encoding="ascii")
    out.close = out.flush  # type: ignore[method-assign]
    assert command(out, "status", "--json", tmp_path / "tiny")[0] == 0
    assert json.loads(shown.getvalue())["studies"][0]["name"] == "größer"


def test_a_run_whose_output_is_full_trains_all_the_same(tmp_path: Path, tiny_file: Path, command: Command) -> None:
    small = ("engine=trainer", "arms={full: {}}", "analysis={}")
    message = "standard output cannot be written: No space left on device; the run went on without it\n"
    assert command(full(), "run", tiny_file, *small, "--results", tmp_path / "results") == (0, message)
    assert len(list(tmp_path.glob("results/tiny/trials/*/record.json"))) == 2


def test_a_run_whose_reader_is_gone_ends_with_its_own_exit_code(results: Path, command: Command) -> None:
    study = (results.parent / "tiny.yaml", "arms={full: {}}", "analysis={}")
    assert command(gone(), "run", *study, "--results", results.parent) == (0, "")


def test_a_log_that_takes_lines_again_goes_on(tmp_path: Path) -> None:
    """One moment without room costs no line that fits later."""
    log = (tmp_path / "log").open("w")
    stream = output.Stream(log, forgiving=True)
    usual, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        stream.write("first\n")
        stream.flush()
        assert "File too large" in str(stream.failure)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (usual, hard))
        signal.signal(signal.SIGXFSZ, before)
    stream.write("second\n")
    stream.flush()
    assert (tmp_path / "log").read_text() == "first\nsecond\n"
    log.close()


def test_an_error_of_the_disk_is_one_message(command: Command, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(results / "trials"))

    monkeypatch.setattr("harness.runs.status.read_status", refuse)
    assert command(io.StringIO(), "status", results) == (2, f"error: {results / 'trials'}: Permission denied\n")


def test_a_folder_that_loses_its_permission_tells_its_own_reason(
    tmp_path: Path, tiny_file: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the record nor the removal of what tells the holder is allowed any more, from the first trial on."""

    def refuse(path: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    run = ("run", tiny_file, "seeds=1", "arms={full: {}}", "analysis={}", "--results", tmp_path / "results")
    with monkeypatch.context() as patch:
        patch.setattr("harness.records.files.atomic_write", refuse)
        patch.setattr("harness.records.store.Store.write_manifest", lambda *_: patch.setattr(Path, "unlink", refuse))
        code, message = command(io.StringIO(), *run)
    assert code == 2
    assert message.startswith(f"error: {tmp_path}")
    assert "Permission denied" in message
    assert ".holder" not in message
    assert command(io.StringIO(), *run) == (0, "")


def in_a_shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(harness.__file__).parents[1]),
        "HARNESS": f"{sys.executable} -m harness",
    }
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, cwd=folder, env=env, check=False
    )


@pytest.mark.parametrize(
    ("line", "code", "out", "err"),
    [
        ("$HARNESS audit --n 872 90.71% 90.60% --details > /dev/full", 2, "", FULL),
        ("$HARNESS audit --n 872 90.71% 90.60% --format json | head -c 1", 0, "{", ""),
    ],
)
def test_a_real_shell_sees_no_traceback(line: str, code: int, out: str, err: str, tmp_path: Path) -> None:
    done = in_a_shell(line, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (code, out, err)
