from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import PlanError
from analysis.published.board_files import is_board, read_board
from analysis.published.claims_file import ClaimsFile

Write = Callable[[str], Path]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    def write(text: str, name: str = "board.csv") -> Path:
        (tmp_path / name).write_text(text, "utf-8")
        return tmp_path / name

    return write


def accuracies(file: ClaimsFile) -> dict[str, str | None]:
    (report,) = file.reports
    assert report.board
    return {
        name: system.accuracy.printed if system.accuracy is not None else None
        for name, system in report.systems.items()
    }


def problems(path: Path | list[Path], n: str | None = None) -> list[str]:
    with pytest.raises(PlanError) as refused:
        read_board(path, n=n)
    folder = (path[0] if isinstance(path, list) else path).parent
    return [str(problem).replace(f"{folder}/", "") for problem in refused.value.problems]


@pytest.mark.parametrize(
    "text",
    [
        "system,accuracy\na,90.71%\nb,0.9002\n",
        "system;accuracy;year\n\na; 90.71% ;2024\n\nb;0.9002;2025\n",
        "Model\tTest Accuracy\na\t90.71%\nb\t0.9002\n",
        "\ufeffacc,name\r\n90.71%,a\r\n0.9002,b\r\n",
        '"Method","Exact Match"\n"a","90.71%"\n"b","0.9002"\n',
    ],
)
def test_a_table_names_its_systems_and_accuracies(table: Write, text: str) -> None:
    file = read_board(table(text), n="872")
    assert accuracies(file) == {"a": "90.71%", "b": "0.9002"}
    assert file.reports[0].n == 872
    assert file.reports[0].source.endswith("board.csv")


def test_what_else_a_table_has_is_read_or_kept(table: Write) -> None:
    path = table("system,accuracy,runs,time,trainable,F1,base model\na,91.2 ± 0.4,5,1:02:03,124M,90.1%,gpt2\n")
    system = read_board(path, n="872").reports[0].systems["a"]
    assert system.time is not None
    assert system.trainable is not None
    assert (system.runs, system.time.value, system.trainable.printed) == (5, 3723, "124M")
    assert system.f1[""].printed == "90.1%"
    assert system.settings == {"base_model": "gpt2"}


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("accuracy", ["90.71", "88"]),
        ("accuracy", ["90.71%", "88"]),
        ("accuracy (%)", ["90.71", "0.9"]),
        ("Acc [%]", ["90.71%", "0.9 (0.1)"]),
        ("accuracy %", ["90.71", "100"]),
    ],
)
def test_percentages_without_a_sign_are_told_by_their_column(table: Write, header: str, cells: list[str]) -> None:
    read = accuracies(read_board(table(f"system,{header}\na,{cells[0]}\nb,{cells[1]}\n"), n="872"))
    assert read == {"a": "90.71%", "b": f"{cells[1].partition(' ')[0]}%"}


@pytest.mark.parametrize("nothing", ["", "-", "–", "n/a", "NaN", "OOM"])
def test_a_row_without_a_figure_is_a_system_without_one(table: Write, nothing: str) -> None:
    assert accuracies(read_board(table(f"system,accuracy\na,0.9\nb,{nothing}\n"), n="872")) == {"a": "0.9", "b": None}


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("system,accuracy,n\na,0.9,872\nb,0.8,872\n", None),
        ("system,accuracy\na,785/872\nb,697/872\n", None),
        ("system,error_rate\na,87/872\nb,0.2\n", None),
        ("system,accuracy\na,0.9\n", "872"),
    ],
)
def test_the_number_of_examples_comes_from_the_file_or_from_the_command(table: Write, text: str, n: str | None) -> None:
    assert read_board(table(text), n=n).reports[0].n == 872


def test_every_problem_of_a_table_has_its_line_and_column(table: Write) -> None:
    text = "system,accuracy,f1,time\na,high,0.9,22:51\nb,0.9,1.9%%,soon\n\n,0.9,,\nc,0.9,,\nc,0.8,,\n"
    assert problems(table(text), n="872") == [
        "board.csv:5: expected the name of a system, got nothing",
        "board.csv:7: the system 'c' is given twice: first at board.csv:6",
    ]
    text = text.replace(",0.9,,\nc,0.9,,\n", "")
    assert [problem.partition(", got")[0] for problem in problems(table(text), n="872")] == [
        'board.csv:2: accuracy: expected a figure such as "0.883" or "88.3%"',
        'board.csv:3: f1: expected a figure such as "0.883" or "88.3%"',
        "board.csv:3: time: expected a time such as 3275.93 s, 22 min 51 s or 1:02:03",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a header and a row for each system, got an empty table"),
        ("system,accuracy\n", "expected a header and a row for each system, got an empty table"),
        ("who,accuracy\na,0.9\n", "expected a column with the names of the systems: system; got who, accuracy"),
        (
            "system,acuracy\na,0.9\n",
            "expected a column with figures, such as accuracy; got system, acuracy; did you mean 'accuracy'?",
        ),
        ("system,f1,F1\na,0.9,0.9\n", "expected one column f1, got 2"),
        # A quotation mark that is never closed would take the rest of the file with it.
        ('system,accuracy\n"a,0.9\nb,0.8\n', "not valid CSV: unexpected end of data"),
        (f"system,accuracy\n{'a' * 200_000},0.9\n", "not valid CSV: field larger than field limit"),
        ("system,accuracy\na,0.9,0.8\n", "expected 2 values, as the header has, got 3"),
        (
            "system,accuracy\na,0.9\nb,92.3\n",
            "accuracy: expected one unit in the column, got '0.9' here and '92.3' in line 3; "
            "write accuracy (%) in the header, or a % behind each percentage",
        ),
        ("system,accuracy,n\na,0.9,872\nb,0.9,871\n", "expected one number of test examples, got 871, 872"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(table: Write, text: str, said: str) -> None:
    (problem,) = problems(table(text))
    assert said in problem


def test_without_a_number_of_examples_nothing_can_be_judged(table: Write) -> None:
    path = table("system,accuracy\na,0.9\n")
    assert problems(path) == [
        "board.csv: expected one number of test examples, and the file does not say; add --n, such as --n 1319"
    ]
    assert problems(path, n="many") == ["--n: expected a whole number above 0, got 'many'"]


def test_what_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "board.csv").write_bytes("système,accuracy\n".encode("latin-1"))
    assert problems(tmp_path / "board.csv") == ["board.csv: expected UTF-8 text: invalid continuation byte at byte 4"]
    assert problems(tmp_path / "none.csv") == ["none.csv: cannot be read: No such file or directory"]
    assert problems([tmp_path / "board.csv", tmp_path / "none.csv"]) == ["none.csv: expected one table at a time"]


def result(name: str, accuracy: object, **info: Any) -> dict[str, Any]:
    """What peft's method comparison writes for one run, as far as it is read."""
    return {
        "run_info": {"experiment_name": name, "train_config": {"seed": 0, "model_id": "meta-llama/Llama-3.2-3B"}},
        "train_info": {
            "status": "success",
            "metrics": [{"step": 250, "valid accuracy": 0.1}, {"step": 5000, "test accuracy": accuracy}],
            **info,
        },
    }


def written(folder: Path, *results: dict[str, Any]) -> list[Path]:
    paths = [folder / f"{at}.json" for at in range(len(results))]
    for path, content in zip(paths, results, strict=True):
        path.write_text(json.dumps(content))
    return paths


def test_result_files_of_peft_are_a_board(tmp_path: Path) -> None:
    paths = written(tmp_path, result("lora/r32", 631 / 1319), result("ln/default", 0.0), result("ia3/x", 1))
    for given in (tmp_path, paths, [str(path) for path in paths]):
        (report,) = read_board(given, n="1319").reports
        assert list(report.systems) == ["lora/r32", "ln/default", "ia3/x"]
        # A number of a program is not rounded: 0.0 is no figure with one decimal.
        scores = [system.accuracy for system in report.systems.values() if system.accuracy is not None]
        assert [score.printed for score in scores] == ["0.4783927217589083", "0.0000000", "1.0000000"]
        assert {str(system.settings) for system in report.systems.values()} == {"{'seed': '0'}"}


def test_a_run_that_was_cut_short_cannot_be_ranked(tmp_path: Path) -> None:
    written(tmp_path, result("a", 0.5), result("b", 0.5, status="canceled"))
    assert accuracies(read_board(tmp_path, n="1319"))["b"] is None


def test_every_problem_of_result_files_has_its_file(tmp_path: Path) -> None:
    image = result("c", 0.5)
    image["train_info"]["metrics"] = [{"step": 1, "test dino_similarity": 0.7}]
    paths = written(tmp_path, result("a", "high"), {"run_info": {}}, image, result("d", 0.5), result("d", 0.6))
    paths[1].write_text("[1, 2]")
    (tmp_path / "5.json").write_text("{")
    assert problems([*paths, tmp_path / "5.json"], n="1319") == [
        "1.json: expected a result of peft's method comparison, with run_info.experiment_name and train_info.metrics",
        "2.json: train_info.metrics.0.test accuracy: expected an accuracy, got nothing; it has test dino_similarity, "
        "which is no accuracy",
        "4.json: the system 'd' is given twice: first at 3.json",
        "5.json:1: not valid JSON",
    ]
    paths[1].unlink()
    assert problems(paths[:1], n="1319")[0].startswith('0.json: accuracy: expected a figure such as "0.883"')


def test_a_board_is_told_by_its_name(tmp_path: Path) -> None:
    assert [is_board(name) for name in ("a.csv", "a.TSV", "a.json", "a.yaml", "0.883", str(tmp_path))] == [
        *(True, True, True, False, False, False)
    ]
    (tmp_path / "a.json").write_text("{}")
    assert is_board(str(tmp_path))
