"""`harness audit` as a user meets it: the shipped claims, bad input, what it writes, and the page that explains it."""

from __future__ import annotations

import doctest
import json
import os
import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.published.audit import audit
from analysis.published.claims_file import read_claims
from harness import cli

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted((ROOT / "studies" / "claims").glob("*.yaml"))
PAGE = (ROOT / "docs" / "audit.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")

SMALL = """\
source: table 2
n: 872
systems:
  full: {accuracy: 0.883}
  lora: {accuracy: 0.862}
"""


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `harness audit` in a folder of its own; return its exit code, its output and its complaint."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", "audit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code if isinstance(ended.value.code, int) else 0, said.out, said.err

    return run


@pytest.fixture
def claims(tmp_path: Path) -> Callable[..., Path]:
    def write(*changes: tuple[str, str]) -> Path:
        text = SMALL
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "claims.yaml"
        path.write_text(text)
        return path

    return write


def test_the_two_reports_are_shipped_and_can_be_read() -> None:
    assert [path.stem for path in SHIPPED] == ["distilbert", "gpt2_lora", "peft_metamathqa"]
    for path in SHIPPED:
        assert read_claims(path).title


def test_a_quick_look_takes_figures_alone(command: Any) -> None:
    code, out, err = command("--n", "872", "90.71%", "90.60%")
    assert (code, err) == (0, "")
    assert "The two figures are one example apart; no overlap of errors makes that significant." in out
    assert "90.71% against 90.60%" in out


def test_one_figure_alone_is_checked_against_its_counts(command: Any) -> None:
    code, out, _ = command("--n", "100", "0.885")
    assert code == 0
    assert "no number of right answers rounds to 0.885" in out


def test_the_same_figure_twice_has_two_names(command: Any) -> None:
    code, out, _ = command("--n", "872", "0.883", "0.883")
    assert code == 0
    assert "0.883 against 0.883 (2)" in out
    assert "the same number of right answers" in out


def test_written_digits_survive_the_file(command: Any, claims: Any) -> None:
    # 0.860 as a number would be 0.86, and allow 746 to 754 right answers.
    code, out, _ = command(claims(("0.862", "0.860")))
    assert code == 0
    assert "750 of 872" in out


def test_json_for_a_program(command: Any, claims: Any) -> None:
    code, out, _ = command(claims(), "--format", "json")
    assert code == 0
    (report,) = json.loads(out)["studies"][0]["reports"]
    (pair,) = report["pairs"]
    assert pair["overlaps"]["discordance"] == [18, 222]
    assert pair["overlaps"]["outcome"] == "undetermined without predictions"
    assert pair["sentence"].startswith("The two figures are 18 of 872 examples apart")


def test_markdown_and_latex(command: Any, claims: Any) -> None:
    _, out, _ = command(claims(), "--format", "markdown")
    assert out.startswith("# Audit of published figures\n")
    _, out, _ = command(claims(), "--format", "latex")
    assert out.startswith("\\documentclass")


def test_a_report_is_written_with_its_figure(command: Any, claims: Any, tmp_path: Path) -> None:
    code, out, _ = command(claims(), "--report", "deep/report")
    assert code == 0
    folder = tmp_path / "deep" / "report"
    assert sorted(path.name for path in folder.iterdir()) == [
        "audit.html",
        "audit.md",
        "audit.tex",
        "discordance-wide.pdf",
        "discordance.pdf",
        "discordance.png",
        "discordance.svg",
    ]
    assert (folder / "discordance.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "discordance.pdf").read_bytes().startswith(b"%PDF")
    assert "![discordance.png](discordance.png)" in (folder / "audit.md").read_text("utf-8")
    assert "{discordance.pdf}" in (folder / "audit.tex").read_text("utf-8")
    assert "deep/report/audit.html" in out
    assert "deep/report/audit.md" in out


def test_the_page_is_shown(command: Any, claims: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or True)
    assert command(claims(), "--report", "report", "--open")[0] == 0
    assert shown == [(tmp_path / "report" / "audit.html").as_uri()]
    code, _, err = command(claims(), "--open")
    assert code == 2
    assert "shows the page that --report DIR writes" in " ".join(err.split())


def test_without_a_gap_to_test_there_is_no_figure(command: Any, claims: Any, tmp_path: Path) -> None:
    # Nor one of an earlier audit.
    command(claims(), "--report", "report")
    code, _, _ = command("--n", "872", "0.883", "--report", "report")
    assert code == 0
    files = ["audit.html", "audit.md", "audit.tex"]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == files
    page = (tmp_path / "report" / "audit.html").read_text("utf-8")
    assert "Nothing is compared: there is no pair of figures." in page
    assert "There is no figure. For no pair do the figures say how many answers were right." in page
    assert "includegraphics" not in (tmp_path / "report" / "audit.tex").read_text("utf-8")


def test_nothing_is_written_unless_asked_for(command: Any, claims: Any, tmp_path: Path) -> None:
    path = claims()
    command(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_is_one_message(command: Any, claims: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    code, _, err = command(claims(), "--report", "taken/report")
    assert code == 2
    assert err.startswith("error: taken/report cannot be written")


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "words"),
    [
        ("accuracy: 0.883", "accuracy: 88.3", 4, "systems.full.accuracy", "a percentage needs its sign"),
        ("n: 872\n", "", 1, "n", "this key is required"),
        ("n: 872", "n: 0", 2, "n", "a whole number above 0, got '0'"),
        ("n: 872", "n: 872\nclasses: {a: 444, b: 427}", 3, "classes", "add up to n = 872, got 444 + 427 = 871"),
        ("n: 872", "n: 872\npairs: [{treatment: lora, baseline: ful}]", 3, "pairs.0.baseline", "did you mean 'full'?"),
        ("0.883}", "0.883, error_rate: 0.117}", 4, "systems.full.error_rate", "accuracy or error_rate, got both"),
        ("0.883}", "0.883, runs: 3, log: {accuracy: [0.883]}}", 4, "systems.full.log", "a log belongs to one run"),
        ("0.883}", "0.883, sd: 0.005}", 4, "systems.full.sd", "needs at least two runs, got 1"),
        ("0.883}", "0.883, sd: 0.5%, runs: 3}", 4, "systems.full.sd", "expected the same unit as '0.883', got '0.5%'"),
        ("0.883}", "0.883, los: 1}", 4, "systems.full.los", "did you mean 'loss'?"),
        ("n: 872", "n: 872\nn: 873", 3, "n", "given twice: first in line 2"),
        ("n: 872", "n: !!python/name:os.system x", 2, "n", "a claims file cannot contain code"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_claims_file_is_refused_at_its_line(
    command: Any, claims: Any, tmp_path: Path, old: str, new: str, line: int, key: str, words: str
) -> None:
    path = claims((old, new))
    code, out, err = command(path, "--report", "report")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path}:{line}: {key}: ")
    assert words in err
    assert not (tmp_path / "report").exists()


def test_all_problems_are_one_report(command: Any, claims: Any) -> None:
    path = claims(("n: 872", "n: none"), ("0.883", "88.3"), ("0.862}", "0.862, sd: 1%, los: 2}"))
    code, _, err = command(path)
    assert code == 2
    assert err.startswith("3 problems:\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["0.883", "0.862"], "harness audit --n 872 0.883 0.862"),
        (["0.883"], "--n 872"),
        (["--n", "872", "88.3", "x"], "2 problems:"),
        (["--n", "872", "88.3"], "'88.3': expected a share"),
        (["--n", "0", "0.8"], "error: --n: expected a whole number above 0, got '0'"),
        (["--n", "many", "0.8"], "error: --n: expected a whole number above 0, got 'many'"),
        (["--n", "99999999999", "0.8"], "at most 10,000,000"),
        (["--n", "872", "0,883"], "write decimals with a point"),
        (["--n", "872", "0.8", "0.9", "--results", "results"], "needs a claims file"),
        (["nothing.yaml"], "nothing.yaml: no such file"),
        ([], "Missing argument"),
    ],
)
def test_a_wrong_command_line_is_refused(command: Any, arguments: list[str], words: str) -> None:
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_files_where_figures_belong_and_the_other_way_round(command: Any, claims: Any, tmp_path: Path) -> None:
    path = claims()
    assert "a claims file has its own n" in command("--n", "872", path)[2]
    assert "give one claims file at a time" in command(path, path)[2]
    study = tmp_path / "study.yaml"
    study.write_text("name: x\narms: {full: {}}\n")
    assert command(study)[2].startswith(f"error: {study}:2: arms: this is a study file")


def test_thousands_may_stand_apart(command: Any) -> None:
    code, out, _ = command("--n", "1,821", "0.949")
    assert code == 0
    assert "of 1,821" in out


def test_a_misspelt_claims_file_is_told_of_the_shipped_ones(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    code, _, err = command("studies/claims/distilbet.yaml")
    assert code == 2
    assert "did you mean 'studies/claims/distilbert.yaml'?" in err


def test_results_that_are_not_there_are_refused(command: Any, claims: Any) -> None:
    code, _, err = command(claims(), "--results", "nothing")
    assert code == 2
    assert err.startswith("error: nothing")


def test_a_study_stands_beside_the_figures(
    command: Any, tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", ["harness", "run", str(tiny_file), "--results", str(tmp_path / "results")])
    with pytest.raises(SystemExit):
        cli.main()
    path = tmp_path / "claims.yaml"
    path.write_text("source: s\nn: 40\nsystems: {full: {accuracy: 0.55}, lora: {accuracy: 0.475, arm: lora-r2}}\n")
    code, out, _ = command(path, "--results", tmp_path / "results" / "tiny", "--format", "json")
    assert code == 0
    (pair,) = json.loads(out[out.index("{") :])["studies"][0]["reports"][0]["pairs"]
    assert (pair["rerun"]["study"], pair["rerun"]["treatment"], pair["rerun"]["n_seeds"]) == ("tiny", "lora-r2", 2)


def test_markup_in_a_name_is_shown_as_it_is(command: Any, claims: Any) -> None:
    code, out, _ = command(claims(("full:", "'full[v][/red]':")))
    assert code == 0
    assert "full[v][/red]" in out


def test_neither_torch_nor_a_plot_is_waited_for() -> None:
    code = (
        "import sys; sys.argv = ['harness', 'audit', '--n', '872', '0.883', '0.862']\n"
        "from harness.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'pandas', 'pyarrow', 'statsmodels', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


def shown(path: Path) -> str:
    """What `harness audit` prints of a claims file, without the blanks at the ends of lines."""
    from rich.console import Console

    from analysis.tables import audit as tables

    console = Console(width=120, highlight=False)
    with console.capture() as captured:
        for part in tables.terminal(audit(read_claims(path))):
            console.print(part)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_page_shows_what_the_command_prints() -> None:
    printed = "\n".join(shown(path) for path in SHIPPED)
    excerpts = blocks("text")
    assert len(excerpts) >= 9
    for excerpt in excerpts:
        assert excerpt in f"{printed}\n", excerpt


def test_the_readme_shows_what_the_command_prints(command: Any) -> None:
    (excerpt,) = re.findall(r"^```text\n(In words\n.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    assert "harness audit --n 872 90.71% 90.60% " in README
    assert excerpt in command("--n", "872", "90.71%", "90.60%")[1]


def test_the_claims_files_of_the_page_can_be_used(tmp_path: Path) -> None:
    examples = blocks("yaml")
    assert len(examples) == 4
    for example in examples:
        path = tmp_path / "example.yaml"
        path.write_text(example)
        audit(read_claims(path))


def test_the_python_of_the_page_runs() -> None:
    source = "\n".join(blocks("python"))
    page = doctest.DocTestParser().get_doctest(source, {}, "audit.md", "audit.md", 0)
    failed, attempted = doctest.DocTestRunner(verbose=False).run(page)
    assert (failed, attempted) == (0, source.count(">>> "))


def test_figures_in_the_text_of_the_page_are_printed_too() -> None:
    printed = "".join(shown(path) for path in SHIPPED).replace("\n", " ")
    prose = re.sub(r"^```.*?^```$", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    prose = prose[prose.index("## A first report") : prose.index("## Beside your own results")]
    # What is not on the screen of the command: figures of the reports' texts, and of arithmetic in plain words.
    told = {
        "12%",
        "14%",
        "873",
        "22",
        "51",
        "14",
        "48",
        "37%",
        "82%",
        "0.882",
        "0.860",
        "444",
        "428",
        "0",
        "35.2%",
        "1.54",
    }
    for figure in re.findall(r"(?<![\w.])[0-9][0-9,.]*[0-9](?:e-[0-9]+)?%?|[0-9]+%", prose):
        assert figure in told or figure in printed, figure


def test_lines_of_the_page_fit_and_its_links_lead_somewhere() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 120] == []
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link


def test_a_leaderboard_is_a_claims_file_a_table_or_result_files(command: Any, tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_text("system,accuracy\na,90.71\nb,90.02\nc,60.1\n")
    (tmp_path / "claims.yaml").write_text(
        "source: t\nn: 872\npairs: board\nsystems: {a: 90.71%, b: 90.02%, c: {accuracy: 60.1%}}\n"
    )
    said = [
        json.loads(command(*arguments, "--json")[1])["studies"][0]["reports"][0]["board"]
        for arguments in (("board.csv", "--n", "872"), ("claims.yaml",))
    ]
    assert said[0] == said[1]
    assert [row["ranks"] for row in said[0]["rows"]] == [[1, 2], [1, 2], [3, 3]]
    assert said[0]["paragraph"].startswith("The board ranks 3 systems by one run each, on 872 test examples.")


def test_bad_boards_end_with_all_problems_and_exit_code_2(command: Any, tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_text("system,accuracy\na,high\nb,90.02%\nc,-1\n")
    code, out, err = command("board.csv", "--n", "872")
    assert (code, out) == (2, "")
    assert "board.csv:2: accuracy: expected" in err
    assert "board.csv:4: accuracy: expected" in err
    code, _, err = command("board.csv")
    assert code == 2
    assert "add --n, such as --n 1319" in err


def test_the_report_of_a_board_has_its_figure(command: Any, tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_text("system,accuracy\na,90.71\nb,90.02\nc,60.1\n")
    code, out, _ = command("board.csv", "--n", "872", "--report", "report")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        *("audit.html", "audit.md", "audit.tex"),
        *("ranks-wide.pdf", "ranks.pdf", "ranks.png", "ranks.svg"),
    ]
    assert "![ranks.png](ranks.png)" in (tmp_path / "report" / "audit.md").read_text("utf-8")
    assert "{ranks.pdf}" in (tmp_path / "report" / "audit.tex").read_text("utf-8")
    page = (tmp_path / "report" / "audit.html").read_text("utf-8")
    assert "The board ranks 3 systems by one run each" in page
    assert page.count("<svg") == 1
    assert "Nothing is compared" not in page
    assert "report/ranks.svg" in out


def test_counts_say_themselves_of_how_many(command: Any) -> None:
    code, out, _ = command("791/872", "790/872")
    assert code == 0
    assert "The two figures are one example apart" in out
    code, _, err = command("791/872", "790/871")
    assert code == 2
    assert "--n" in err
