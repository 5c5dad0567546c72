"""Which files sources name: folders, patterns and mapped files, and everything that can be wrong with them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from analysis.errors import SourceError
from analysis.sources.found_files import FoundFile, FoundFiles, find_files
from analysis.sources.options import ImportOptions


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)


def find(
    *sources: str, pattern: str | None = None, runs: dict[str, tuple[str, str]] | None = None
) -> list[tuple[str, str | None, str | None]]:
    return [(str(f.path), f.arm, f.run) for f in found(*sources, pattern=pattern, runs=runs).files]


def found(*sources: str, pattern: str | None = None, runs: dict[str, tuple[str, str]] | None = None) -> FoundFiles:
    return find_files([Path(source) for source in sources], ImportOptions(pattern=pattern, runs=runs or {}))


def problems(
    *sources: str, pattern: str | None = None, runs: dict[str, tuple[str, str]] | None = None
) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        found(*sources, pattern=pattern, runs=runs)
    return caught.value.problems


def test_a_file_says_itself_what_it_holds(folder: Path) -> None:
    write("b.csv", "a.csv")
    assert find("b.csv", "a.csv") == [("b.csv", None, None), ("a.csv", None, None)]


def test_a_file_is_hashed_once(folder: Path) -> None:
    write("a.csv")
    file = FoundFile(path=Path("a.csv"))
    source = file.source(tool="t", version="1")
    assert (source.path, source.tool, source.version) == ("a.csv", "t", "1")
    assert source.sha256 == hashlib.sha256(b"a.csv").hexdigest()
    Path("a.csv").unlink()
    assert file.source().sha256 == source.sha256


def test_a_pattern_finds_runs_in_natural_order(folder: Path) -> None:
    write(*(f"runs/{arm}/seed{seed}/preds.csv" for arm in ("lora", "full") for seed in (10, 2, 1)))
    write("runs/lora/seed1/other.csv", "runs/.hidden/seed1/preds.csv", "runs/lora/notes/preds.csv", "runs/a.txt")
    expected = [(f"runs/{arm}/seed{seed}/preds.csv", arm, str(seed)) for arm in ("full", "lora") for seed in (1, 2, 10)]
    assert find(pattern="runs/{arm}/seed{seed}/preds.csv") == expected
    assert find("runs", pattern="{arm}/seed{seed}/preds.csv") == expected
    assert find(pattern=f"{folder}/runs/{{arm}}/seed{{seed}}/*s.csv") == [
        (f"{folder}/{p}", a, s) for p, a, s in expected
    ]


def test_files_match_a_pattern_by_the_end_of_their_path(folder: Path) -> None:
    write("x/lora_r8_3.csv", "x/lora_r8_10.csv")
    assert find("x/lora_r8_10.csv", "x/lora_r8_3.csv", pattern="{arm}_{seed}.csv") == [
        ("x/lora_r8_10.csv", "lora_r8", "10"),
        ("x/lora_r8_3.csv", "lora_r8", "3"),
    ]


def test_a_placeholder_may_repeat(folder: Path) -> None:
    write("lora/lora-1.csv", "lora/full-1.csv")
    assert find(pattern="{arm}/{arm}-{seed}.csv") == [("lora/lora-1.csv", "lora", "1")]
    Path("lora/lora-1.csv").unlink()
    assert problems(pattern="{arm}/{arm}-{seed}.csv") == (
        "--pattern {arm}/{arm}-{seed}.csv: no file matches: lora/full-1.csv does not repeat the same arm and seed",
    )


def test_special_characters_mean_themselves(folder: Path) -> None:
    write("a+b (1)/[x].csv", "aab (1)/x.csv")
    assert find(pattern="a+b ({seed})/[x].csv") == [("a+b (1)/[x].csv", None, "1")]


def test_mapped_files_need_not_be_sources_and_overrule_the_pattern(folder: Path) -> None:
    write("p/lora-1.csv", "p/odd.csv", "other.csv")
    assert find("p/lora-1.csv", "p/odd.csv", pattern="{arm}-{seed}.csv", runs={"./p/odd.csv": ("lora", "2")}) == [
        ("p/lora-1.csv", "lora", "1"),
        ("p/odd.csv", "lora", "2"),
    ]
    assert find(runs={"other.csv": ("full", "1")}) == [("other.csv", "full", "1")]


def test_a_folder_without_a_pattern_is_searched_for_logs(folder: Path) -> None:
    write("logs/m/samples_t_2026.jsonl", "logs/m/results_2026.json", "logs/b.eval")
    result = found("logs")
    assert [file.name for file in result.files] == ["logs/b.eval", "logs/m/samples_t_2026.jsonl"]
    assert result.remarks == ("Of logs only *.eval and samples_*.jsonl were read, not m/results_2026.json.",)


def test_a_folder_without_logs_says_what_it_holds(folder: Path) -> None:
    write(*(f"runs/lora-{seed}.csv" for seed in range(12)))
    assert problems("runs") == (
        "runs is a folder; say which of its files hold runs, such as --pattern '{arm}/seed{seed}/preds.csv'; "
        "runs holds lora-0.csv, lora-1.csv, lora-2.csv, lora-3.csv, lora-4.csv and 7 more",
    )


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{arm}/run{seed}/preds.csv", "runs/lora holds seed1; nothing there matches 'run{seed}'"),
        ("{arm}/seed{seed}/p.csv", "runs/lora/seed1 holds preds.csv; nothing there matches 'p.csv'"),
        ("{arm}/seed{seed}", "runs/lora/seed1 is a folder, and the pattern must end with the name of a file"),
        ("{arm}/seed{seed}/preds.csv/x", "runs/lora/seed1/preds.csv is a file, not a folder"),
    ],
)
def test_a_pattern_that_matches_nothing_says_what_is_there(folder: Path, pattern: str, expected: str) -> None:
    write("runs/lora/seed1/preds.csv")
    assert problems("runs", pattern=pattern) == (f"--pattern {pattern}: no file matches: {expected}",)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{arms}/{seed}.csv", "got {arms}, did you mean {arm}?"),
        ("{arm}/{fold}.csv", "got {fold}, allowed are {arm}, {seed} and '*'"),
        ("**/{arm}.csv", "'*' stands for a part of one name; write a '*' for each folder instead of '**'"),
        ("runs/*.csv", "it has neither {arm} nor {seed}; files that hold both are named without a pattern"),
        ("", "it has neither {arm} nor {seed}; files that hold both are named without a pattern"),
    ],
)
def test_faulty_patterns(folder: Path, pattern: str, expected: str) -> None:
    assert problems(pattern=pattern) == (f"--pattern {pattern}: {expected}",)


def test_two_readings_are_both_told(folder: Path) -> None:
    write("lora_r8_a.csv")
    assert problems(pattern="{arm}_{seed}.csv") == (
        "lora_r8_a.csv: --pattern {arm}_{seed}.csv can be read as arm lora_r8, seed a or as arm lora, seed r8_a; "
        "settle it by --run lora_r8_a.csv=ARM,SEED",
    )


def test_all_problems_at_once(folder: Path) -> None:
    write("a/lora-1.csv", "b/lora-1.csv", "x.csv", "lora-2.csv", "preds.csv")
    wrong = problems(
        "a/lora-1.csv", "b/lora-1.csv", "x.csv", "lora-2.csv", "./lora-2.csv", "pred.csv", "a/yy", "gone/y.csv",
        pattern="{arm}-{seed}.csv", runs={"a": ("lora", "3")},
    )  # fmt: skip
    assert wrong == (
        "x.csv does not match --pattern {arm}-{seed}.csv; leave it out, or add --run x.csv=ARM,SEED",
        "pred.csv does not exist; did you mean preds.csv?",
        "a/yy does not exist; a holds lora-1.csv",
        "gone/y.csv does not exist, nor does the folder gone",
        "a is a folder, expected a file",
        "lora-2.csv is named 2 times",
        "2 files for arm lora, seed 1: a/lora-1.csv, b/lora-1.csv; "
        "name one of them alone, by a narrower --pattern or by --run FILE=ARM,SEED",
    )


def test_a_pattern_that_fits_two_files_of_every_run(folder: Path) -> None:
    write(*(f"{arm}/{seed}/{name}.csv" for arm in "ab" for seed in (1, 2) for name in ("dev", "test")))
    assert problems(pattern="{arm}/{seed}/*.csv") == (
        "2 files for arm a, seed 1: a/1/dev.csv, a/1/test.csv, and 3 more runs with several; name one of them alone, "
        "by a narrower --pattern or by --run FILE=ARM,SEED",
    )


def test_a_study_is_no_source(folder: Path) -> None:
    write("results/mine/study.json", "results/mine/trials/x/record.json")
    assert problems("results/mine") == (
        "results/mine is a study already; harness export results/mine --to parquet writes it as one file to import",
    )


def test_what_is_no_file(folder: Path) -> None:
    os.mkfifo("pipe")
    Path("link").symlink_to("nowhere")
    assert problems("pipe", "link") == (
        "pipe is no file that can be read twice, such as a pipe is; save what it gives as a file",
        "link is a link that leads to no file",
    )


def test_nothing_named(folder: Path) -> None:
    assert problems() == ("there is nothing to read: name files, or give --pattern 'runs/{arm}/seed{seed}/preds.csv'",)


def test_a_folder_that_cannot_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("runs/lora/1.csv")

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refused)
    assert problems("runs", pattern="{arm}/{seed}.csv") == ("runs cannot be read: Permission denied",)
