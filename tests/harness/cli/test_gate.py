"""The gate of harness analyze --require: exit codes, and the files that continuous integration reads."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

import numpy as np
import pytest

from harness import cli
from tests.analysis.conftest import StudyFolder, simulated, write_study

Command = Callable[..., tuple[int, str, str]]

SHOWN = ("--require", "full better than lora, r=8")
CONTRADICTED = ("--require", "lora, r=8 not worse than full by 0.1pp")
UNDECIDED = ("--require", '<b>&"x" equivalent to full')
ASKED = ("analyze", "mine", "--no-html", "--resamples", "99")


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path, out: TextIO | None = None) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["harness", *map(str, arguments)])
            if out is not None:
                patch.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture(autouse=True)
def study(tmp_path: Path) -> StudyFolder:
    arms = {"full": 0.9, "lora, r=8": 0.6, '<b>&"x"': 0.9}
    scores = simulated(np.random.default_rng(3), arms, seeds=4, examples=80)
    return write_study(tmp_path / "results" / "mine", scores, name="mine")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (SHOWN, 0),
        (CONTRADICTED, 1),
        (UNDECIDED, 3),
        ((*SHOWN, *UNDECIDED), 3),
        ((*SHOWN, *UNDECIDED, *CONTRADICTED), 1),
        ((*SHOWN, "--require", "full not worse than lora, r=8"), 0),
    ],
)
def test_the_exit_code_is_the_answer(command: Command, asked: tuple[str, ...], code: int) -> None:
    ended, out, err = command(*ASKED, *asked)
    assert (ended, err) == (code, "")
    assert out.splitlines()[3].startswith("- Requirement ")


@pytest.mark.parametrize("output_format", ["json", "markdown", "latex"])
def test_every_format_has_the_answers_and_the_exit_code(command: Command, output_format: str) -> None:
    code, out, _ = command(*ASKED, *CONTRADICTED, "--format", output_format)
    assert (code, "contradicted" in out) == (1, True)
    if output_format == "json":
        (answer,) = json.loads(out)["studies"][0]["requirements"]
        assert (answer["answer"], answer["requirement"]["text"]) == ("contradicted", CONTRADICTED[1])


def test_junit_xml_has_a_case_for_each_requirement(command: Command, tmp_path: Path) -> None:
    assert command(*ASKED, *SHOWN, *CONTRADICTED, *UNDECIDED, "--junit", "made/gate.xml")[0] == 1
    root = ElementTree.parse(tmp_path / "made" / "gate.xml").getroot()
    (suite,) = root
    assert (root.tag, suite.tag, suite.get("name")) == ("testsuites", "testsuite", "mine")
    for one in (root, suite):
        counts = {name: one.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "3", "failures": "1", "errors": "1", "skipped": "0"}
    assert [(case.get("classname"), case.get("name")) for case in suite] == [
        ("mine", "full better than lora, r=8"),
        ("mine", "lora, r=8 not worse than full by 0.1 pp"),
        ("mine", '<b>&"x" equivalent to full within 1 pp'),
    ]
    found = [[(child.tag, child.text) for child in case] for case in suite]
    assert [[tag for tag, _ in children] for children in found] == [[], ["failure"], ["error"]]
    # The text is the sentence that the terminal shows.
    shown = " ".join(command(*ASKED, *CONTRADICTED, *UNDECIDED)[1].split())
    for (_, text), *_ in found[1:]:
        assert text is not None
        assert text.startswith("Requirement ")
        assert text in shown


def test_hostile_names_stay_text(command: Command, tmp_path: Path) -> None:
    name = "]]>\x1b[31m\x00\ufffe<failure>"
    scores = simulated(np.random.default_rng(3), {"full": 0.9, name: 0.9}, seeds=3, examples=40)
    write_study(tmp_path / "results" / "mine2", scores, name=name)
    asked = ("--require", f"full equivalent to {name}", "--junit", "gate.xml", "--summary", "gate.md")
    assert command("analyze", "mine2", "--no-html", "--resamples", "99", *asked)[0] == 3
    ((case,),) = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert case.get("name") == "full equivalent to ]]>�[31m��<failure> within 1 pp"
    assert [child.tag for child in case] == ["error"]
    summary = (tmp_path / "gate.md").read_text("utf-8")
    assert r"\<failure\>" in summary
    assert "\x1b" not in summary


def test_a_summary_is_appended(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    assert command(*ASKED, *SHOWN, "--summary", file)[0] == 0
    first = file.read_text("utf-8")
    assert first.startswith("# mine: 1 requirement, 1 shown\n\n- Requirement shown: full better than lora, r=8.")
    assert "| full better than lora, r=8 | shown " in first
    assert command(*ASKED, *SHOWN, *CONTRADICTED, *UNDECIDED, "--summary", file)[0] == 1
    second = file.read_text("utf-8")
    assert second.startswith(f"{first}\n# mine: 3 requirements, 1 contradicted, 1 undecided, 1 shown\n")
    assert second.count("if the true gap is the one seen") == 1


def test_the_files_of_the_report_have_the_answers(command: Command, tmp_path: Path) -> None:
    assert command("analyze", "mine", "--resamples", "99", *CONTRADICTED, *UNDECIDED)[0] == 1
    report = tmp_path / "results" / "mine" / "report"
    page = (report / "index.html").read_text("utf-8")
    assert '<li class="contradicted">Requirement contradicted: lora, r=8 not worse' in page
    assert "Requirement undecided: &lt;b&gt;&amp;&#34;x&#34; equivalent to full within 1 pp." in page
    assert page.count("<h2>Requirements</h2>") == 1
    assert "<summary>Requirements</summary>" not in page
    assert "## Requirements" in (report / "tables.md").read_text("utf-8")
    # The next report asks nothing, and shows nothing of it.
    assert command("analyze", "mine", "--resamples", "99")[0] == 0
    assert "Requirement" not in (report / "index.html").read_text("utf-8")
    assert "Requirement" not in (report / "tables.md").read_text("utf-8")


@pytest.mark.parametrize("output_format", ["terminal", "json", "markdown"])
@pytest.mark.parametrize(("asked", "code"), [(SHOWN, 0), (CONTRADICTED, 1), (UNDECIDED, 3)])
def test_a_reader_that_is_gone_changes_no_answer(
    command: Command, tmp_path: Path, asked: tuple[str, ...], code: int, output_format: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as gone:
        ended, _, err = command(*ASKED, *asked, "--junit", "gate.xml", "--format", output_format, out=gone)
    assert (ended, err) == (code, "")
    assert (tmp_path / "gate.xml").exists()


def test_output_that_is_full_is_no_answer(command: Command, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        code, _, err = command(*ASKED, *SHOWN, "--junit", "gate.xml", out=full)
    assert (code, err) == (2, "error: standard output cannot be written: No space left on device\n")
    assert (tmp_path / "gate.xml").exists()


@pytest.mark.parametrize("asked", [SHOWN, CONTRADICTED])
def test_a_file_that_cannot_be_written_is_told_and_the_result_stays(
    command: Command, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    code, out, err = command(*ASKED, *asked, "--junit", "folder", "--summary", "file/summary.md")
    assert code == 2
    assert "Requirement" in out
    assert err == "error: folder: Is a directory\nerror: file/summary.md: its folder is a file\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "results"]


def test_what_cannot_be_asked_writes_nothing(command: Command, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    wrong = ("--require", "ful better than lora, r=8", "--require", "lora, r=8 not worse than full by 1%")
    code, out, err = command(*ASKED, *wrong, "--junit", "x", "--summary", "y")
    assert (code, out) == (2, "")
    assert err.startswith("2 problems:\nrequirement 'ful better than lora, r=8': expected an arm of this study (full, ")
    assert "did you mean 'full'?" in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", ["--junit", "--summary"])
def test_a_file_without_a_requirement_is_refused(command: Command, option: str) -> None:
    code, out, err = command(*ASKED, option, "x")
    assert (code, out) == (2, "")
    assert f"Invalid value for {option}: writes what --require asks, and nothing is asked" in err


def test_several_studies_are_refused(command: Command, tmp_path: Path) -> None:
    scores = simulated(np.random.default_rng(3), {"full": 0.9, "lora": 0.9}, seeds=3, examples=40)
    write_study(tmp_path / "results" / "other", scores, name="other")
    code, out, err = command("analyze", *SHOWN)
    assert (code, out) == (2, "")
    assert err == (
        "error: --require asks one study, got 2 (mine, other); name one: harness analyze results/mine --require ...\n"
    )


def test_a_study_alone_in_its_folder_need_not_be_named(command: Command) -> None:
    assert command("analyze", "--no-html", "--resamples", "99", *SHOWN)[0] == 0
    assert command("analyze", "--no-html", "--resamples", "99", "--require", "x")[:2] == (2, "")


def test_a_trial_that_cannot_be_read_leaves_what_it_touches_undecided(command: Command, study: StudyFolder) -> None:
    (study.trial("lora, r=8", 3) / "predictions.parquet").write_bytes(b"x")
    code, _, err = command(*ASKED, *SHOWN)
    assert code == 3
    assert "lora, r=8 seed 3 could not be read" in err
    # Without a requirement the exit code is about the trial.
    assert command(*ASKED)[0] == 1


def test_the_help_teaches_it(command: Command) -> None:
    words = " ".join(command("analyze", "--help")[1].split())
    for text in (
        "'A not worse than B by 1pp'",
        "1 one is contradicted",
        "3 none is contradicted, and one is undecided",
    ):
        assert text in words


def test_exit_codes_outlive_a_reader_of_any_command(command: Command, study: StudyFolder, tmp_path: Path) -> None:
    """What is still in a buffer at the end fails only then."""
    (study.trial("full", 3) / "predictions.parquet").write_bytes(b"x")
    reader, writer = os.pipe()
    os.close(reader)
    gone: Any = os.fdopen(writer, "w", buffering=1 << 20)
    assert command(*ASKED, out=gone)[0] == 1
    gone.close()


def test_one_file_is_not_both_xml_and_markdown(command: Command, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("both")
    for summary in ("both", "./both", "link"):
        code, out, err = command(*ASKED, *SHOWN, "--junit", "both", "--summary", summary)
        assert (code, out) == (2, "")
        assert f"Invalid value for --summary: writes {Path(summary)}, which is the file of --junit" in err
    assert not (tmp_path / "both").exists()


def test_an_empty_name_of_a_file_is_told(command: Command) -> None:
    """As from a variable of the shell that is not set."""
    for option in ("--junit", "--summary"):
        code, out, err = command(*ASKED, *SHOWN, option, "")
        assert (code, err) == (2, "error: .: Is a directory\n")
        assert "Requirement shown" in out
