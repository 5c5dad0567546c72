"""Long tables of every format become rows: columns found by their names, values as they are written, faults by line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import SourceError
from analysis.sources.assembly import assemble
from analysis.sources.found_files import FoundFile
from analysis.sources.identify import kind_of
from analysis.sources.long_table import labels_of, rows_of
from analysis.sources.options import ImportOptions
from analysis.sources.rows import Rows
from analysis.sources.runs import Runs

DEFAULT = ImportOptions()

ANSWERS = [
    {"model": model, "seed": seed, "id": example, "label": label, "pred": pred, "p_no": 1 - p, "p_yes": p}
    for model, seed, preds in (("full", 1, "yny"), ("full", 2, "nny"), ("lora", 1, "yyy"), ("lora", 2, "yny"))
    for (example, label), pred, p in zip(
        (("007", "yes"), ("1e5", "no"), ("08", "yes")),
        ({"y": "yes", "n": "no"}[letter] for letter in preds),
        (0.75 if letter == "y" else 0.125 for letter in preds),
        strict=True,
    )
]


def csv_of(rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> str:
    lines = [delimiter.join(rows[0]), *(delimiter.join(str(value) for value in row.values()) for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def read(path: Path, options: ImportOptions = DEFAULT, *, arm: str | None = None, run: str | None = None) -> list[Rows]:
    assert kind_of(FoundFile(path=path)) == "table"
    return list(rows_of(FoundFile(path=path, arm=arm, run=run), options))


def runs_of(path: Path, options: ImportOptions = DEFAULT) -> Runs:
    return assemble(rows_of(FoundFile(path=path), options), options)


def problems(path: Path, options: ImportOptions = DEFAULT) -> list[str]:
    with pytest.raises(SourceError) as error:
        runs_of(path, options)
    return [problem.replace(f"{path.parent}/", "") for problem in error.value.problems]


def written(folder: Path, content: str | bytes, name: str = "preds") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(content)
    return sink.getvalue().to_pybytes()


def as_parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pa.parquet.write_table(pa.Table.from_pylist(list(rows)), sink, row_group_size=5)
    return sink.getvalue().to_pybytes()


def as_feather(rows: Sequence[Mapping[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pa.feather.write_feather(pa.Table.from_pylist(list(rows)), sink, chunksize=5)
    return sink.getvalue().to_pybytes()


FORMATS = {
    "csv": lambda rows: csv_of(rows).encode(),
    "csv with a byte order mark and CRLF": lambda rows: b"\xef\xbb\xbf" + csv_of(rows).replace("\n", "\r\n").encode(),
    "csv without a last line end": lambda rows: csv_of(rows).rstrip().encode(),
    "semicolons": lambda rows: csv_of(rows, ";").encode(),
    "tsv": lambda rows: csv_of(rows, "\t").encode(),
    "json lines": lambda rows: "".join(f"{json.dumps(row)}\n" for row in rows).encode(),
    "parquet": as_parquet,
    "feather": as_feather,
}
PACKINGS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd}


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_says_the_same_and_its_name_says_nothing(tmp_path: Path, form: str, packing: str) -> None:
    path = written(tmp_path, PACKINGS[packing](FORMATS[form](ANSWERS)))
    runs = runs_of(path)
    assert runs.answers == "probabilities"
    assert runs.example_ids.to_pylist() == ["007", "1e5", "08"]
    assert runs.classes == ("no", "yes")
    assert runs.labels is not None
    assert runs.labels.tolist() == [1, 0, 1]
    assert [(run.arm, run.label) for run in runs.runs] == [("full", "1"), ("full", "2"), ("lora", "1"), ("lora", "2")]
    assert [run.answers[0, :, 1].tolist() for run in runs.runs] == [
        [0.75, 0.125, 0.75],
        [0.125, 0.125, 0.75],
        [0.75, 0.75, 0.75],
        [0.75, 0.125, 0.75],
    ]
    assert runs.understood == (
        ("arm", "column model"),
        ("run", "column seed"),
        ("example", "column id"),
        ("label", "column label"),
        ("probabilities", "columns p_no, p_yes"),
        ("prediction", "column pred, which the probabilities must not contradict"),
    )
    assert runs.runs[0].sources == (FoundFile(path=path).source(),)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5, unique=True), st.lists(TEXTS, min_size=2, max_size=2, unique=True))
def test_names_are_what_they_are_in_every_format(ids: list[str], arms: list[str]) -> None:
    rows = [{"id": id_, "arm": arm, "em": 0.5} for arm in arms for id_ in ids]
    written_by_csv = io.StringIO(newline="")
    writer = csv.DictWriter(written_by_csv, rows[0], quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    writer.writerows(rows)
    contents = [FORMATS[form](rows) for form in ("json lines", "parquet", "feather")]
    with tempfile.TemporaryDirectory() as folder:
        for content in (written_by_csv.getvalue().encode(), *contents):
            runs = runs_of(written(Path(folder), content))
            assert runs.example_ids.to_pylist() == ids
            assert runs.arms == tuple(arms)


def with_columns(
    folder: Path, names: Sequence[str], options: ImportOptions = DEFAULT, **files: Any
) -> Mapping[str, str]:
    """What is taken for what in a table with these columns, each of which holds 0, 1 and 0."""
    path = written(folder, csv_of([dict.fromkeys(names, value) for value in (0, 1, 0)]))
    return dict(read(path, options, **files)[0].understood)


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("arm", "System"),
        ("arm", "config"),
        ("run", "Run ID"),
        ("run", "replicate"),
        ("run", "run_seed"),
        ("example", "doc-id"),
        ("example", "Question ID"),
        ("label", "y_true"),
        ("label", "gold_label"),
        ("prediction", "y_hat"),
    ],
)
def test_columns_are_known_by_the_names_that_people_give_them(tmp_path: Path, role: str, name: str) -> None:
    usual = {"arm": "model", "run": "seed", "example": "id", "label": "gold", "prediction": "y_pred", "epoch": "Epoch"}
    names = usual | {role: name}
    assert with_columns(tmp_path, [*names.values(), "text"]) == {
        **{key: f"column {value}" for key, value in names.items()},
        "not used": "text",
    }


@pytest.mark.parametrize(
    ("names", "options", "taken"),
    [
        ("pred loss", {}, {"prediction": "column pred", "not used": "loss"}),
        ("pred loss", {"metric": "accuracy"}, {"prediction": "column pred", "not used": "loss"}),
        ("pred loss", {"metric": "loss"}, {"score": "column loss", "not used": "pred"}),
        ("pred loss", {"columns": {"score": "loss"}}, {"score": "column loss", "not used": "pred"}),
        ("em", {}, {"score": "column em"}),
        (",Unnamed: 0,em", {}, {"score": "column em", "not used": "a column without a name, Unnamed: 0"}),
        ("em f1", {"metric": "f1"}, {"score": "column f1", "not used": "em"}),
        ("accuracy", {"metric": "accuracy"}, {"score": "column accuracy"}),
        ("prob_0 prob_1", {}, {"probabilities": "columns prob_0, prob_1"}),
        (
            "P-0 P-1 pred",
            {},
            {
                "probabilities": "columns P-0, P-1",
                "prediction": "column pred, which the probabilities must not contradict",
            },
        ),
        ("P-0 P-1 pred", {"columns": {"p_1": "P-1"}}, {"probabilities": "column P-1", "not used": "P-0, pred"}),
        ("p_0 p_1 pred", {"columns": {"prediction": "pred"}}, {"prediction": "column pred", "not used": "p_0, p_1"}),
        ("logit_0 logit_1", {"logits": True}, {"probabilities": "softmax of columns logit_0, logit_1"}),
        ("logits_1 p_0 p_1", {}, {"probabilities": "columns p_0, p_1", "not used": "logits_1"}),
        ("p_1 logits-1", {"logits": True}, {"probabilities": "softmax of column logits-1", "not used": "p_1"}),
        (
            "logit_0 logit_1 pred",
            {"columns": {"prediction": "pred"}},
            {"prediction": "column pred", "not used": "logit_0, logit_1"},
        ),
        ("logit_0 em", {"metric": "em"}, {"score": "column em", "not used": "logit_0"}),
        ("0 1 em", {}, {"probabilities": "columns 0, 1", "not used": "em"}),
        ("a b c", {"columns": {"p_0": "b", "p_1": "c"}}, {"probabilities": "columns b, c", "not used": "a"}),
    ],
)
def test_which_answers_are_taken(
    tmp_path: Path, names: str, options: Mapping[str, Any], taken: Mapping[str, str]
) -> None:
    split = names.split("," if "," in names else " ")
    found = with_columns(tmp_path, ["arm", "run", "id", "label", *split], ImportOptions(**options))
    assert {role: column for role, column in found.items() if role not in ("arm", "run", "example", "label")} == taken


@pytest.mark.parametrize(
    ("text", "begins"),
    [("analysis:\n  margin: 0.1\n", "'analysis:'"), ('{\n "format": 2\n}\n', "nothing that could be one")],
)
def test_what_is_no_table_is_said_to_be_none(tmp_path: Path, text: str, begins: str) -> None:
    told = f"preds is no table: it should begin with the names of columns, and has {begins}"
    assert problems(written(tmp_path, text), ImportOptions()) == [told]


NOTHING = (
    "preds: no column says what was answered (a prediction, p_CLASS for each class, or a score); name it with "
    "--column prediction=COLUMN"
)


@pytest.mark.parametrize(
    ("names", "options", "told"),
    [
        (
            "arm method seed id idx pred",
            {},
            [
                "preds: arm, method may each be the arm; choose with --column arm=arm",
                "preds: id, idx may each be the example; choose with --column example=id",
            ],
        ),
        (
            "name seed gold text",
            {"columns": {"label": "golt", "thing": "text"}},
            [
                "preds has no column 'golt'; did you mean 'gold'? (there: name, seed, gold, text)",
                "--column thing=text: the roles are arm, run, example, label, prediction, epoch, score and p_CLASS",
                "preds: no column says which arm (model, method) a row is of; name it with --column arm=COLUMN, or "
                "read it off the path by --pattern (there: name, seed, gold, text)",
                "preds: no column says which example a row is about, and the order of rows does not; name it with "
                "--column example=COLUMN (there: name, seed, gold, text)",
                f"{NOTHING} (there: name, seed, gold, text)",
            ],
        ),
        ("arm id em f1", {}, ["preds: several scores (there: em, f1); choose with --metric em"]),
        (
            "arm id rouge1 f1",
            {"metric": "rouge"},
            ["preds: no score 'rouge'; did you mean 'rouge1'? (there: rouge1, f1); choose with --metric rouge1"],
        ),
        (
            "arm id p_1 prob_1",
            {},
            ["preds: p_1 and prob_1 may each be the probability of class 1; choose with --column p_1=prob_1"],
        ),
        (
            "arm id label logit_0 logit_1",
            {},
            ["preds: columns logit_0, logit_1 are logits: --logits takes their softmax"],
        ),
        (
            "arm id label logit_a pred",
            {},
            [
                "preds: column logit_a holds logits: --logits takes their softmax, --column prediction=pred the "
                "predictions"
            ],
        ),
        (
            "arm id label prob",
            {},
            [f"{NOTHING} (there: arm, id, label, prob)"],
        ),
    ],
)
def test_what_columns_leave_open(tmp_path: Path, names: str, options: Mapping[str, Any], told: list[str]) -> None:
    text = ["text" if name in ("name", "text") else "0" for name in names.split()]
    path = written(tmp_path, f"{','.join(names.split())}\n{','.join(text)}\n")
    assert sorted(problems(path, ImportOptions(**options))) == sorted(told)


def test_scores_are_numbers_and_shares_come_first(tmp_path: Path) -> None:
    path = written(tmp_path, "arm,id,length,answer,em,my f1\na,1,17,Paris,1,0.5\na,2,20,Rome,,0.75\n")
    assert problems(path) == ["preds: several scores (there: em, my f1, length); choose with --metric em"]
    assert problems(path, ImportOptions(columns={"run": "em"})) == [
        "preds: several scores (there: my f1, length); choose with --metric 'my f1'"
    ]


def test_unused_columns_are_proposed_for_the_run_and_the_label(tmp_path: Path) -> None:
    lines = [f"{arm},{attempt},{i},{i % 2},q{i},v1" for arm in "ab" for attempt in (11, 12) for i in range(5)]
    path = written(tmp_path, "\n".join(["model,attempt,id,pred,question,version", *lines]))
    assert problems(path) == [
        "preds, line 7: a second answer of arm a for example 0, and no column says which run a row is of; attempt (2 "
        "values), question (5 values) may be it: --column run=attempt (and 9 more rows)",
        "no example has a label: --labels FILE reads them from a file of their own; attempt (2 values), question (5 "
        "values) may be it: --column label=attempt",
    ]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = written(tmp_path, "arm,id,em,id,note,note\na,1,1,1,x,x\n")
    assert problems(path) == ["preds has two columns 'id'; rename one"]


def test_a_path_that_says_arm_and_run_leaves_them_out_of_the_table(tmp_path: Path) -> None:
    path = written(tmp_path, "model,id,label,pred\nbert,x,1,0\n")
    (rows,) = read(path, arm="lora", run="3")
    assert (rows.arm, rows.run) == ("lora", "3")
    assert "arm" not in dict(rows.understood)
    assert not rows.numbered


def test_rows_of_a_file_of_one_run_may_be_known_by_their_number(tmp_path: Path) -> None:
    path = written(tmp_path, "label,pred\n1,0\n0,0\n")
    (rows,) = read(path, arm="lora", run="3")
    assert rows.numbered
    assert rows.example.to_pylist() == [0, 1]
    assert rows.remarks == (
        "files without a column of ids hold their examples in one order: a row is known by its number",
    )


def test_a_table_without_runs_has_one_of_each_arm(tmp_path: Path) -> None:
    path = written(tmp_path, "arm,id,label,pred\na,x,1,0\na,y,0,0\nb,x,1,1\nb,y,0,0\n")
    runs = runs_of(path)
    assert [(run.arm, run.label) for run in runs.runs] == [("a", "0"), ("b", "0")]
    assert runs.remarks == ("no column names the run, so each arm has one",)


def test_labels_in_a_file_of_their_own(tmp_path: Path) -> None:
    path = written(tmp_path, "id,text,gold\n7,What?,yes\n8,Who?,no\n", name="test.csv")
    options = ImportOptions(labels=path, columns={"label": "gold", "arm": "model"})
    (rows,) = labels_of(FoundFile(path=path), options)
    assert rows.label is not None
    assert rows.example.to_pylist() == ["7", "8"]
    assert rows.label.to_pylist() == ["yes", "no"]
    answers = written(tmp_path, "model,seed,id,pred\na,1,8,no\na,1,7,no\nb,1,8,yes\nb,1,7,yes\n")
    runs = assemble(read(answers, options), options, labels=[rows])
    assert runs.example_ids.to_pylist() == ["7", "8"]
    assert runs.labels is not None
    assert runs.labels.tolist() == [1, 0]
    assert [run.answers[0].tolist() for run in runs.runs] == [[0, 0], [1, 1]]
    with pytest.raises(SourceError, match="no column says what the right answer is"):
        list(labels_of(FoundFile(path=answers), DEFAULT))


HEADER = "arm,run,id,label,pred\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", ["preds is empty"]),
        (" \n", ["preds is empty"]),
        (HEADER, ["preds holds no rows"]),
        (
            "[1]\n",
            ["preds is one JSON list; write an object a line (pandas: to_json(..., orient='records', lines=True))"],
        ),
        ("arm,run".encode("utf-16"), ["preds is UTF-16; save it as UTF-8"]),
        (b"ab\0c", ["preds is no table; write CSV, JSON lines, Parquet or Feather"]),
        (b"FEA1 and so on", ["preds is of Feather's version 1; write it again, as version 2 (pandas does by default)"]),
        (
            f"{HEADER}a,1,x,1,1,2\n\na,1,y,1,1\na,1,z\n",
            [
                "preds, line 2: 6 values, and the header has 5 (and 1 more line like it); a value that holds ',', "
                "which separates the values, stands in double quotes"
            ],
        ),
        (f'{HEADER}a,1,x,1,1\na,1,"y,1,1\nb,1,x,1,1\n', ["preds, line 3: a quotation mark is never closed"]),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: str | bytes, told: list[str]) -> None:
    assert problems(written(tmp_path, content)) == told


def test_lines_are_counted_with_blank_ones_broken_ones_and_values_of_several_lines(tmp_path: Path) -> None:
    rows = 'a,1,x,1,1\n\na,1,"y\n""more""",0,0\na,1\nb,1,x,1,\nb,1,y\n'
    assert problems(written(tmp_path, HEADER + rows)) == [
        "preds, line 6: 2 values, and the header has 5 (and 1 more line like it); a value that holds ',', which "
        "separates the values, stands in double quotes",
        "preds, line 7: the prediction is missing or not finite",
    ]


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    (told,) = problems(written(tmp_path, HEADER.encode() + b"a,1,x,1,\xff\n"))
    assert told == "preds, line 2: not UTF-8; save the file as UTF-8"
    (told,) = problems(written(tmp_path, b'{"arm": "a", "id": 1, "em": 0.5}\n{"arm": "a", "id": "\xff", "em": 1}\n'))
    assert told == "preds, line 2: not UTF-8"


def test_json_lines_that_are_no_rows(tmp_path: Path) -> None:
    lines = ['{"arm": "a", "id": 1, "em": 0.5}', "", "[1]", '{"arm": "a"', '{"arm": "a", "id": 2, "em": NaN}']
    assert problems(written(tmp_path, "\n".join(lines))) == [
        "preds, line 3: expected an object, got a list (and 1 more line of this kind)",
        "preds, line 5: the score em is missing or not finite",
    ]


def test_json_values_of_several_kinds(tmp_path: Path) -> None:
    rows = [{"arm": arm, "id": id_, "em": em} for arm in "ab" for id_, em in ((1, True), ("x", 0), (2.0, 0.5))]
    runs = runs_of(written(tmp_path, FORMATS["json lines"](rows)))
    assert runs.example_ids.to_pylist() == ["1", "x", "2"]
    assert runs.runs[0].answers.tolist() == [[1.0, 0.0, 0.5]]
    nested = [{"arm": "a", "id": [1], "em": 1}]
    assert problems(written(tmp_path, FORMATS["json lines"](nested))) == ["preds: id holds a list or an object"]


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_files_that_are_cut_short(tmp_path: Path, form: str) -> None:
    (told,) = problems(written(tmp_path, FORMATS[form](ANSWERS)[:200]))
    assert told.startswith("preds cannot be read: ")


def test_packed_files_that_are_cut_short(tmp_path: Path) -> None:
    (told,) = problems(written(tmp_path, gzip.compress(FORMATS["csv"](ANSWERS))[:-20]))
    assert told.startswith("preds cannot be read: ")


def test_columns_of_lists_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "preds"
    pa.parquet.write_table(pa.table({"arm": ["a"], "id": [[1]], "em": [1.0]}), path)
    assert problems(path) == ["preds: example id holds list<element: int64>, and texts or numbers are needed"]


def test_numbers_that_are_written_as_words(tmp_path: Path) -> None:
    path = written(tmp_path, "arm,id,em\na,x,True\na,y,1e-1\nb,x,FALSE\nb,y, 1\n")
    assert [run.answers[0].tolist() for run in runs_of(path).runs] == [[1.0, 0.1], [0.0, 1.0]]
    path = written(tmp_path, "arm,id,em\na,x,1\na,y,n/a\nb,x,many\nb,y,inf\n")
    assert problems(path, ImportOptions(columns={"score": "em"})) == [
        "preds, line 4: the score em is 'many', and no number",
        "preds, line 3: the score em is missing or not finite (and 1 more row)",
    ]


def test_categories_that_no_row_has_and_their_order_mean_nothing(tmp_path: Path) -> None:
    path = tmp_path / "preds"
    ids = pa.DictionaryArray.from_arrays(pa.array([2, 0, 2, 0], pa.int8()), ["x", "unused", "y"])
    pa.parquet.write_table(pa.table({"arm": ["a", "a", "b", "b"], "id": ids, "em": [1, 0, 0, 1]}), path)
    assert runs_of(path).example_ids.to_pylist() == ["y", "x"]


def test_reading_loads_no_pandas(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from analysis.sources.assembly import assemble\n"
        "from analysis.sources.found_files import FoundFile\n"
        "from analysis.sources.long_table import rows_of\n"
        "from analysis.sources.options import ImportOptions\n"
        "for path in sys.argv[1:]: assemble(rows_of(FoundFile(path=Path(path)), ImportOptions()), ImportOptions())\n"
        "print('pandas' in sys.modules)"
    )
    paths = [written(tmp_path, FORMATS[form](ANSWERS), name=form.replace(" ", "_")) for form in FORMATS]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("form", ["parquet", "feather"])
def test_texts_of_a_binary_file_that_are_not_utf8(tmp_path: Path, form: str) -> None:
    (told,) = problems(written(tmp_path, FORMATS[form](ANSWERS).replace(b"1e5", b"1\xff5")))
    assert told.startswith("preds cannot be read: ")
    assert "UTF8" in told


def test_a_line_that_is_neither_a_row_nor_utf8(tmp_path: Path) -> None:
    assert problems(written(tmp_path, HEADER.encode() + b"a,1,x,1,1\na,\xe9\n")) == [
        "preds, line 3: not UTF-8; save the file as UTF-8"
    ]
