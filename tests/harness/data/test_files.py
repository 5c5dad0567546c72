"""Data files are read as they are: no value is guessed, and what cannot be read names the file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data import dataset
from harness.errors import DataError
from harness.study.settings import Data

# Words that readers of tables take for a missing value, a number, a date or a truth value.
WORDS = ["NA", "None", "null", "nan", "N/A", "NULL", "n/a", "-", "2024-01-02", "1e5", "true", "07", "inf", "0x1F"]


def of(path: Path, **more: Any) -> Data:
    return Data(path=str(path), **({"test": "test"} | more))


def refused(block: Data) -> str:
    with pytest.raises(DataError) as caught:
        dataset.read(block)
    return str(caught.value)


@pytest.fixture
def pair(tmp_path: Path) -> Callable[..., Data]:
    """Write the same content as both splits."""

    def write(content: str | bytes, kind: str = "csv", **more: Any) -> Data:
        for split in ("train", "test"):
            raw = content.encode() if isinstance(content, str) else content
            (tmp_path / f"{split}.{kind}").write_bytes(raw)
        return of(tmp_path, **more)

    return write


def as_csv(rows: list[tuple[str, Any]]) -> str:
    return "sentence,label\n" + "".join(f"{text},{label}\n" for text, label in rows)


def as_lines(rows: list[tuple[Any, Any]]) -> str:
    return "".join(json.dumps({"sentence": text, "label": label}) + "\n" for text, label in rows)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_word_is_a_word_in_every_format(pair: Callable[..., Data], tmp_path: Path, kind: str) -> None:
    rows = [(word, word) for word in WORDS]
    block = pair(as_lines(rows) if kind == "jsonl" else as_csv(rows), "jsonl" if kind == "jsonl" else "csv")
    if kind == "parquet":
        for split in ("train", "test"):
            (tmp_path / f"{split}.csv").unlink()
            pq.write_table(pa.table({"sentence": WORDS, "label": WORDS}), tmp_path / f"{split}.parquet")
    read = dataset.read(block)
    assert [text for (text,) in read.test.texts] == WORDS
    assert read.classes == tuple(sorted(WORDS))
    assert [read.classes[label] for label in read.test.labels] == WORDS


LABELS = [
    # As CSV knows no types, labels that are all written as whole numbers are numbers; 01 is written as a text.
    ("csv", ["0", "1", "10", "2"], ("0", "1", "2", "10")),
    ("csv", ["01", "1"], ("01", "1")),
    ("csv", ["-1", "1"], ("-1", "1")),
    ("csv", ["0.0", "1.0"], ("0", "1")),
    ("csv", ["1.0", "x"], ("1.0", "x")),
    ("jsonl", [0, 1, 10, 2], ("0", "1", "2", "10")),
    ("jsonl", [-1, 1], ("-1", "1")),
    ("jsonl", [0.0, 1.0], ("0", "1")),
    ("jsonl", ["1", "01", "007", "null", "2024-01-02"], ("007", "01", "1", "2024-01-02", "null")),
    ("jsonl", ["10", "2"], ("10", "2")),
    ("jsonl", [True, False], ("False", "True")),
]


@pytest.mark.parametrize(("kind", "labels", "classes"), LABELS)
def test_labels_are_what_stands_there(
    pair: Callable[..., Data], kind: str, labels: list[Any], classes: tuple[str, ...]
) -> None:
    rows = [(f"text {number}", label) for number, label in enumerate(labels)]
    read = dataset.read(pair(as_csv(rows) if kind == "csv" else as_lines(rows), kind))
    assert read.classes == classes
    # Two ways of writing a number are two texts, and 0.0 is the number 0.
    assert len(set(read.test.labels.tolist())) == len(labels)


FORMS = {
    "semicolons": ("csv", "sentence;label\na, b;0\nc;1\n"),
    "tabs": ("csv", "sentence\tlabel\na, b\t0\nc\t1\n"),
    "a mark before the first letter": ("csv", b'\xef\xbb\xbfsentence,label\r\n"a, b",0\r\nc,1\r\n'),
    "names in quotation marks": ("csv", '"sentence","label"\n"a, b","0"\n"c","1"\n'),
    "names and values in quotation marks, semicolons": ("csv", '"sentence";"label"\n"a, b";"0"\n"c";"1"\n'),
    "blank lines": ("csv", 'sentence,label\n\n"a, b",0\n\nc,1\n\n'),
    "a list": ("json", '[{"sentence": "a, b", "label": 0}, {"sentence": "c", "label": 1}]'),
    "a list beside other keys": (
        "json",
        '{"version": "1.0", "tags": ["x"], "data": [{"sentence": "a, b", "label": 0}, {"sentence": "c", "label": 1}]}',
    ),
    "columns": ("json", '{"sentence": ["a, b", "c"], "label": [0, 1]}'),
    "columns as pandas writes them": ("json", '{"sentence": {"0": "a, b", "1": "c"}, "label": {"0": 0, "1": 1}}'),
    "lines": ("json", '{"sentence": "a, b", "label": 0}\r\n\r\n{"sentence": "c", "label": 1}'),
}


@pytest.mark.parametrize(("kind", "content"), FORMS.values(), ids=FORMS)
def test_usual_forms_are_read(pair: Callable[..., Data], kind: str, content: str | bytes) -> None:
    read = dataset.read(pair(content, kind))
    assert read.train.texts == (("a, b",), ("c",))
    assert read.train.labels.tolist() == [0, 1]


def test_a_quoted_value_keeps_its_lines_and_quotation_marks(pair: Callable[..., Data]) -> None:
    read = dataset.read(pair('label,sentence\n0,"two\nlines, and a ""word"""\n1,5" wide\n'))
    assert read.train.texts == (('two\nlines, and a "word"',), ('5" wide',))


def test_numbers_in_a_text_column_of_csv_are_texts(pair: Callable[..., Data]) -> None:
    assert dataset.read(pair("sentence,label\n007,0\n1.50,1\n")).train.texts == (("007",), ("1.50",))


def test_ids_are_as_they_stand(pair: Callable[..., Data]) -> None:
    assert dataset.read(pair("id,sentence,label\n007,a,0\n7,b,1\n")).test.ids == ("007", "7")


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("csv", "sentence,label\na,0\nb\n", ["line 3 has 1 values, the header 2", "separated by ','"]),
        ("csv", "sentence,label\na,b,0\n", ["line 2 has 3 values", "in double quotes"]),
        ("csv", 'sentence,label\n"a,0\nb,1\n', ["train.csv cannot be read: line 3: unexpected end of data"]),
        ("csv", 'sentence,label\n"a" b,0\n', ["line 2: ',' expected after '\"'"]),
        ("csv", "sentence,label,label\na,0,1\n", ["2 columns 'label'"]),
        ("csv", "sentence,label\n", ["split 'train' holds no rows", "split 'test' holds no rows"]),
        ("csv", "", ["split 'train' holds no rows"]),
        (
            "csv",
            "sentence,label\n,0\nb,\n",
            ["'sentence' of split 'train' is empty in 1 of 2", "'label' of split 'test'"],
        ),
        ("csv", "sentence,label\na,0.5\nb,1\n", ["holds no class: 0.5 in row 1"]),
        ("csv", "sentence,label\nschön,0\n".encode("latin-1"), ["is not UTF-8", "at byte 18", "iconv -f WINDOWS-1252"]),
        ("jsonl", '{"sentence": "schön"}'.encode("utf-16"), ["is not UTF-8", "UTF-16"]),
        ("jsonl", '{"sentence": "a", "label": 0}\n{"sentence": \n', ["line 2 is not JSON"]),
        ("jsonl", '{"sentence": "a", "label": 0}\n[1]\n', ["expected rows: one object per line"]),
        ("json", '{"a": [{"x": 1}], "b": [{"x": 1}]}', ["expected rows"]),
        ("json", '"text"', ["expected rows"]),
        ("json", '{"sentence": {"0": "a"}, "label": {"1": 0}}', ["holds no text: {'0': 'a'}"]),
        ("json", '{"sentence": ["a", "b"], "label": [0]}', ["holds no text: ['a', 'b']"]),
        ("json", "[" * 100_000, ["nested too deep"]),
        ("json", '[{"sentence": 5, "label": 0}]', ["'sentence' of split 'train' holds no text: 5"]),
        ("json", '[{"sentence": "a", "label": NaN}]', ["'label' of split 'train' is empty in 1 of 1"]),
        ("json", '[{"sentence": "a", "label": 0}, {"label": 0}]', ["'sentence' of split 'train' is empty in 1 of 2"]),
        ("json", '[{"sentence": "\\ud800", "label": 0}]', ["row 1 of split 'train' holds half a character"]),
        ("json", '[{"sentence": "a", "label": ' + "1" * 5000 + "}]", ["cannot be read"]),
        ("parquet", b"PAR1 and no more PAR1", ["cannot be read"]),
        ("arrow", b"no arrow", ["cannot be read"]),
    ],
)
def test_what_cannot_be_read_says_what_and_where(
    pair: Callable[..., Data], tmp_path: Path, kind: str, content: str | bytes, words: list[str]
) -> None:
    message = refused(pair(content, kind))
    assert all(word in message for word in words), message
    if "cannot be read" in message or "UTF-8" in message:
        assert str(tmp_path / f"train.{kind}") in message


def test_a_folder_in_the_path_is_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "label=7"
    folder.mkdir()
    for split in ("train", "test"):
        pq.write_table(pa.table({"sentence": ["a", "b"], "label": [0, 1]}), folder / f"{split}.parquet")
    assert dataset.read(of(folder)).classes == ("0", "1")


def test_missing_numbers_of_parquet_are_missing(tmp_path: Path) -> None:
    # pandas makes floats of whole numbers where one is missing.
    for split, label in (("train", [0.0, 1.0]), ("test", [float("nan"), 1.0])):
        pq.write_table(pa.table({"sentence": ["a", "b"], "label": label}), tmp_path / f"{split}.parquet")
    assert refused(of(tmp_path)).endswith("column 'label' of split 'test' is empty in 1 of 2 rows, first in row 1")


def test_an_arrow_file_and_an_arrow_stream_are_read(tmp_path: Path) -> None:
    rows = {"sentence": ["a", "b"], "label": [1, 0]}
    features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["z", "y"])})
    made = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict(train=made, test=made).save_to_disk(str(tmp_path / "saved"))
    read = dataset.read(of(tmp_path / "saved"))
    assert read.classes == ("z", "y")
    assert read.test.labels.tolist() == [1, 0]
    table = pa.table(rows)
    for split in ("train", "test"):
        with pa.ipc.new_file(tmp_path / f"{split}.arrow", table.schema) as writer:
            writer.write_table(table)
    assert dataset.read(of(tmp_path)).test.labels.tolist() == [1, 0]


SMALL = {
    "csv": b'id,sentence,label\n1,"a ""b"", c",0\n2,d,1\n',
    "json": b'{"data": [{"id": 1, "sentence": "a", "label": 0}, {"id": 2, "sentence": "d", "label": 1}]}',
    "jsonl": b'{"id": 1, "sentence": "a", "label": "x"}\n{"id": 2, "sentence": "d", "label": "y"}\n',
}


def small(kind: str) -> bytes:
    if kind in SMALL:
        return SMALL[kind]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": [1, 2], "sentence": ["a", "d"], "label": [0, 1]}), sink)
    return bytes(sink.getvalue())


def test_an_arrow_file_whose_layout_does_not_hold_is_refused(tmp_path: Path) -> None:
    offsets, letters = pa.array([0, 2, 1], pa.int32()).buffers()[1], pa.py_buffer(b"abc")
    table = pa.table({"sentence": pa.Array.from_buffers(pa.string(), 2, [None, offsets, letters]), "label": [0, 1]})
    for split in ("train", "test"):
        with pa.ipc.new_stream(tmp_path / f"{split}.arrow", table.schema) as writer:
            writer.write_table(table)
    assert "train.arrow cannot be read: " in refused(of(tmp_path))


@pytest.mark.parametrize("kind", [*SMALL, "parquet"])
def test_a_damaged_file_is_read_or_refused_and_never_a_traceback(tmp_path: Path, kind: str) -> None:
    """Seeded: bytes changed, cut out, doubled; JSON's values exchanged for others."""
    draw = np.random.default_rng(11)
    whole = small(kind)
    pieces = [
        b'"',
        b",",
        b"\n",
        b"\x00",
        b"\xff",
        b"{",
        b"]",
        b"null",
        b"-1",
        b"1e999",
        b"NaN",
        b"[1]",
        b'{"a": 1}',
        b"\\ud800",
    ]
    outcomes: Counter[str] = Counter()
    for _ in range(60):
        raw = bytearray(whole)
        for _ in range(int(draw.integers(1, 4))):
            at = int(draw.integers(len(raw)))
            match int(draw.integers(4)):
                case 0:
                    raw[at] = int(draw.integers(256))
                case 1:
                    del raw[at : at + int(draw.integers(1, 9))]
                case 2:
                    raw[at:at] = raw[at : at + 20]
                case _:
                    raw[at:at] = pieces[int(draw.integers(len(pieces)))]
            raw = raw or bytearray(b" ")
        for split, content in (("train", whole), ("test", bytes(raw))):
            (tmp_path / f"{split}.{kind}").write_bytes(content)
        try:
            dataset.read(of(tmp_path))
        except DataError as error:
            outcomes[str(error)] += 1
        else:
            outcomes["read"] += 1
    assert outcomes["read"] < 60
    assert all(outcome.strip() for outcome in outcomes)
