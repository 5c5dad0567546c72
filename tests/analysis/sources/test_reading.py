"""Sources of every kind through the one entry, and files that no reader knows."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import SourceError
from analysis.sources.found_files import FoundFile
from analysis.sources.identify import kind_of
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(*sources: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        read_sources([Path(source) for source in sources], ImportOptions(**options))
    return caught.value.problems


def zipped(name: str, *members: str) -> None:
    with zipfile.ZipFile(name, "w") as archive:
        for member in members:
            archive.writestr(member, "")


def test_logs_of_inspect() -> None:
    runs = read_sources([HERE / "inspect_ai" / "logs"], ImportOptions(pattern="{arm}/seed{seed}.eval"))
    assert [(run.arm, run.label) for run in runs.runs] == [
        (arm, seed) for arm in ("full", "lora") for seed in ("1", "2", "3")
    ]
    assert runs.answers == "scores"
    assert {source.tool for run in runs.runs for source in run.sources} == {"inspect_ai"}


def test_logs_of_lm_eval() -> None:
    pattern = "{arm}-seed{seed}/samples_last_word_*.jsonl"
    runs = read_sources([HERE / "lm_eval" / "logs"], ImportOptions(pattern=pattern, metric="acc"))
    assert runs.arms == ("full", "lora-r8")
    assert {source.tool for run in runs.runs for source in run.sources} == {"lm-evaluation-harness"}


def table(name: str, *lines: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("".join(f"{line}\n" for line in lines))


def test_a_long_table() -> None:
    rows = [f"{arm},{seed},{example},yes,{'yes' if arm == 'lora' else 'no'}"
            for arm in ("lora", "full") for seed in (1, 2) for example in "ab"]  # fmt: skip
    table("all.csv", "model,seed,id,label,pred", *rows, "full,2,c,no,no", "lora,2,c,no,no")
    table("rest.csv", "model,seed,id,label,pred", "full,1,c,no,no", "lora,1,c,no,no")
    runs = read_sources([Path("all.csv"), Path("rest.csv")], ImportOptions())
    assert (runs.arms, runs.answers, runs.classes) == (("lora", "full"), "classes", ("no", "yes"))
    assert runs.runs[0].answers.tolist() == [[1, 1, 0]]
    assert [source.path for source in runs.runs[0].sources] == ["all.csv", "rest.csv"]


def test_one_table_a_run() -> None:
    for arm, answers in (("full", ("yes", "no")), ("lora", ("yes", "yes"))):
        for seed in (1, 2):
            table(
                f"{arm}/seed{seed}.csv",
                "id,label,pred",
                *(f"{i},yes,{answer}" for i, answer in zip("ab", answers, strict=True)),
            )
    runs = read_sources([], ImportOptions(pattern="{arm}/seed{seed}.csv", classes=("no", "yes")))
    assert [(run.arm, run.label, run.answers.tolist()) for run in runs.runs] == [
        ("full", "1", [[1, 0]]), ("full", "2", [[1, 0]]), ("lora", "1", [[1, 1]]), ("lora", "2", [[1, 1]]),
    ]  # fmt: skip


def test_a_pattern_that_leaves_out_what_tables_do_not_say() -> None:
    for arm in ("full", "lora"):
        for seed in (1, 2):
            table(f"{arm}/{seed}.csv", "id,label,pred", "a,yes,yes", "b,no,no")
    assert problems(pattern="{arm}/*.csv") == tuple(
        f"{arm}/2.csv, line 2: a second answer of arm {arm} for example a, and no column says which run a row is of; "
        "--column run=COLUMN names it; if the paths tell the runs apart, put {seed} into --pattern (and 1 more row)"
        for arm in ("full", "lora")
    )
    assert problems(pattern="*/{seed}.csv")[0] == (
        "full/1.csv: no column says which arm (model, method) a row is of; name it with --column arm=COLUMN or put "
        "{arm} into --pattern (there: id, label, pred); the same holds for 3 more files"
    )


@pytest.mark.parametrize("ids", [True, False])
def test_labels_in_a_table_beside(ids: bool) -> None:
    for arm, answers in (("full", ("yes", "no", "no")), ("lora", ("yes", "yes", "no"))):
        rows = [f"{i},{answer}" if ids else answer for i, answer in zip("cab", answers, strict=True)]
        table(f"{arm}-1.csv", "id,pred" if ids else "pred", *rows)
    # By id where the runs have ids, by order where they have none.
    table("test.csv", "id,label", "a,no", "b,yes", "c,yes")
    runs = read_sources([], ImportOptions(pattern="{arm}-{seed}.csv", labels=Path("test.csv")))
    assert runs.labels is not None
    labels = dict(zip(runs.example_ids.to_pylist(), runs.labels.tolist(), strict=True))
    assert labels == {"a": 0, "b": 1, "c": 1}
    assert ("label", "column label of test.csv") in runs.understood
    answers = dict(zip(runs.example_ids.to_pylist(), runs.runs[1].answers[0].tolist(), strict=True))
    assert answers == ({"c": 1, "a": 1, "b": 0} if ids else {"a": 1, "b": 1, "c": 0})


def test_tables_and_labels_without_ids() -> None:
    for arm in ("full", "lora"):
        table(f"{arm}-1.csv", "pred", "yes", "no")
    table("test.csv", "label", "no", "yes")
    runs = read_sources([], ImportOptions(pattern="{arm}-{seed}.csv", labels=Path("test.csv")))
    assert runs.example_ids.to_pylist() == ["0", "1"]
    assert runs.labels is not None
    assert (runs.labels.tolist(), runs.runs[0].answers.tolist()) == ([0, 1], [[1, 0]])
    table("test.csv", "label", "no", "yes", "no")
    assert (
        "full-1.csv has 2 examples and test.csv 3 labels"
        in problems(pattern="{arm}-{seed}.csv", labels=Path("test.csv"))[0]
    )


def test_kinds_of_files() -> None:
    np.savez("a.npz", full=[1])
    np.save("a.npy", [1])
    Path("a.jsonl").write_text('{"doc_id": 0, "doc": {"question": "')
    Path("a.json").write_text(json.dumps({"version": 2, "status": "success", "eval": {}}))
    Path("a.txt").write_text("index\tprediction\n0\tpositive\n")
    Path("a.tsv").write_text("index\tprediction\na\tpositive\n")
    zipped("a.eval", "_journal/start.json")
    kinds = {name: kind_of(FoundFile(path=Path(name))) for name in sorted(path.name for path in Path().iterdir())}
    assert kinds == {
        "a.eval": "inspect_ai",
        "a.json": "inspect_ai",
        "a.jsonl": "lm_eval",
        "a.npy": "array",
        "a.npz": "array",
        "a.tsv": "table",
        "a.txt": "run_glue",
    }


def test_files_of_no_known_kind_are_told_at_once() -> None:
    Path("empty.csv").write_text("\n")
    Path("a.pkl").write_bytes(pickle.dumps([1]))
    zipped("a.pt", "archive/data.pkl")
    zipped("a.xlsx", "[Content_Types].xml")
    zipped("a.zip", "a.csv")
    np.savez("cut.zip", full=[1])
    Path("cut.zip").write_bytes(b"PK\x03\x04" + bytes(40))
    Path("a.bin").write_bytes(bytes(range(1, 256)) + b"\0")
    Path("a.json").write_text('[{"arm": "full"}]')
    reason = (
        "which is not loaded, since that could run any program; save the answers as CSV, JSON lines, Parquet or .npz"
    )
    wrong = problems("empty.csv", "a.pkl", "a.pt", "a.xlsx", "a.zip", "cut.zip", "a.bin", "a.json")
    assert wrong == (
        "empty.csv is empty",
        f"a.pkl is a Python pickle, {reason}",
        f"a.pt was saved by torch, as a pickle, {reason}",
        "a.xlsx is an Excel workbook; save it as CSV",
        "a.zip is a zip archive of no known tool; unpack it",
        "cut.zip is a zip archive that is cut short or broken",
        "a.bin is no table; write CSV, JSON lines, Parquet or Feather",
        "a.json is one JSON list; write an object a line (pandas: to_json(..., orient='records', lines=True))",
    )


def test_names_without_end_fill_no_screen() -> None:
    Path("a.csv").write_text("arm,seed,id,label,prediction" + ",x" * 2**20 + "\n")
    assert problems("a.csv") == ("a.csv is no table: its first line, which names the columns, does not end",)
    Path("b.csv").write_text(f"arm,seed,id,em\na,1,x,0\n{'b' * 5000},1,y,0\n")
    assert max(map(len, problems("b.csv"))) < 1000


def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.csv").write_text("a")

    def refused(path: Path, *arguments: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    assert problems("a.csv") == ("a.csv cannot be read: Permission denied",)


def test_problems_of_sources_and_labels_come_together() -> None:
    assert problems("a.npy", labels=Path("b.npy")) == (
        "a.npy does not exist; . is empty",
        "b.npy does not exist; . is empty",
    )
    Path("a.txt").write_text("index\tprediction\n0\tpositive\n")
    np.save("a.npy", [1, 2])
    assert problems("a.npy", runs={"a.npy": ("a", "1")}, labels=Path("a.txt")) == (
        "--labels a.txt: a file of run_glue holds answers; name a table or an array of labels",
    )


def test_files_of_several_readers_tell_their_problems_together() -> None:
    np.savez("a.npz", full=[1, 2])
    Path("a.pkl").write_bytes(pickle.dumps([1]))
    Path("a.txt").write_text("index\tprediction\n0\tpositive\n")
    wrong = problems("a.npz", "a.pkl", "a.txt")
    assert [problem.split()[0].rstrip(",") for problem in wrong] == ["a.npz", "a.pkl", "a.txt", "a.txt"]


def test_labels_by_order_need_one_for_each_example() -> None:
    for arm in ("full", "lora"):
        np.save(f"{arm}.npy", [[0, 1, 1], [1, 1, 1]])
    np.save("labels.npy", [0, 1])
    expected = "has 3 examples and labels.npy 2 labels; without ids, labels are matched by their order"
    assert problems(pattern="{arm}.npy", labels=Path("labels.npy"), runs={"labels.npy": ("l", "1")})[:1] == (
        f"full.npy {expected}; the same holds for 1 more file",
    )


def test_labels_whose_numbers_are_not_their_order() -> None:
    for arm in ("full", "lora"):
        np.save(f"{arm}.npy", [[0, 1, 1], [1, 1, 1]])
    np.savez("test.npz", labels=[0, 1, 1], ids=[2, 0, 1])
    expected = (
        "has no ids, and those of test.npz number its examples in another order than its rows; sort its rows by id, or "
        "leave its ids out"
    )
    assert problems(pattern="{arm}.npy", labels=Path("test.npz")) == (
        f"full.npy {expected}; the same holds for 1 more file",
    )


def test_what_was_left_aside_is_remarked() -> None:
    for name in ("full", "lora"):
        Path("logs", name).mkdir(parents=True)
    logs = HERE / "inspect_ai" / "logs"
    for name in ("full/seed1.eval", "lora/seed1.eval"):
        Path("logs", name).write_bytes((logs / name).read_bytes())
    Path("logs/notes.txt").write_text("x")
    runs = {"logs/full/seed1.eval": ("full", "1"), "logs/lora/seed1.eval": ("lora", "1")}
    read = read_sources([Path("logs")], ImportOptions(runs=runs))
    assert read.remarks[0] == "Of logs only *.eval and samples_*.jsonl were read, not notes.txt."
