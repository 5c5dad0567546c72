"""`harness export`: what it writes holds the answers of the study, and what comes back gives the same tables."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import analyze, load, tables
from analysis.errors import SourceError
from analysis.records.json_files import read_looks
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
from harness import cli
from harness.errors import ResultsError
from harness.records.archive import METADATA, read_archive, restore, write_archive
from harness.records.imported import write_runs
from tests.analysis.conftest import StudyFolder, simulated, write_study
from tests.conftest import write_imported_study

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["harness", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    scores = simulated(np.random.default_rng(3), {"full": 0.9, "lora, r=8": 0.7, "frozen": 0.8}, seeds=4, examples=60)
    return write_study(tmp_path / "results" / "mine", scores, name="mine", classes=("positive", "negative", "neither"))


def test_a_long_table_holds_what_every_trial_answered(study: StudyFolder, command: Command, tmp_path: Path) -> None:
    code, out, err = command("export", "mine", "--to", "csv")
    assert (code, err) == (0, "")
    assert out == "Written: mine.csv: 12 trials × 60 test examples\n"
    frame = pd.read_csv(tmp_path / "mine.csv", keep_default_na=False)
    names = ["arm", "seed", "example_id", "label", "prediction", "p_positive", "p_negative", "p_neither"]
    assert list(frame.columns) == names
    assert len(frame) == 12 * 60
    outcomes = load(study.root)
    row = frame[(frame.arm == "lora, r=8") & (frame.seed == 2)].reset_index(drop=True)
    right = outcomes.scores("lora, r=8", seeds=[2])[0]
    assert (row.label == row.prediction).astype(float).tolist() == right.tolist()
    probabilities = row[names[5:]].to_numpy(np.float32)
    assert np.array_equal(probabilities, outcomes.trials["lora, r=8", 2].known_answers[0])


def printed(folder: Path) -> dict[tuple[str, str], Any]:
    """The cells of every table, by its title and the header of the column."""
    made = tables.build(analyze(folder, resamples=99))
    return {(table.title, column.header): column.cells for table in made for column in table.columns}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_answers_that_come_back_as_a_table_give_the_same_tables(
    study: StudyFolder, command: Command, tmp_path: Path, ending: str
) -> None:
    assert command("export", study.root, "--to", ending, "--out", tmp_path / "x")[0] == 0
    if ending == "parquet":
        # What another program writes of it.
        pq.write_table(pq.read_table(tmp_path / "x").replace_schema_metadata(None), tmp_path / "x")
    runs = read_sources([tmp_path / "x"], ImportOptions())
    write_runs(runs, tmp_path / "back", name="mine", analysis={})
    there, back = (printed(folder) for folder in (study.root, tmp_path / "back" / "mine"))
    # A table of answers knows neither what a trial costs nor where it ran.
    assert {title for title, _ in there.keys() - back.keys()} == {"Cost", "What would decide the rest"}
    assert set(back) <= set(there)
    assert [name for name in back if back[name] != there[name] and name[0] != "Provenance and caveats"] == []
    assert len(there) > 8


def documents(folder: Path) -> tuple[str, str]:
    report = analyze(folder, resamples=99)
    return tables.markdown(report), tables.latex(report)


def archived(folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "study.parquet"
    write_archive(load(folder), path)
    return path


def back_from(path: Path, tmp_path: Path, name: str) -> Path:
    archive = read_archive(path)
    assert archive is not None
    assert restore(archive, path, tmp_path / "back", name=name)
    # All of it is there now.
    assert not restore(archive, path, tmp_path / "back", name=name)
    return tmp_path / "back" / name


def test_an_archive_brings_the_whole_study_back(study: StudyFolder, tmp_path: Path) -> None:
    study.end("frozen", 1, "diverged", "the loss is nan")
    study.forget("frozen", 3)
    ids = load(study.root).example_ids
    study.change_manifest(lambda content: content["data"].update(cluster="document"))
    clusters = {"example_id": ids, "cluster": [f"d{n // 3}" for n in range(len(ids))]}
    pq.write_table(pa.table(clusters), study.root / "clusters.parquet")
    before = documents(study.root)
    folder = back_from(archived(study.root, tmp_path), tmp_path, "mine")
    assert documents(folder) == before
    assert "20 clusters" in before[0]
    assert "1 diverged" in before[0]


def test_the_commands_bring_a_study_back(study: StudyFolder, command: Command, tmp_path: Path) -> None:
    assert command("export", "mine", "--to", "parquet")[0] == 0
    arguments = ("import", "mine.parquet", "--name", "mine", "--results", "back")
    told = "mine, as harness export wrote it: 3 arms, 12 trials, 60 test examples, with its plan and records\n"
    assert command(*arguments, "--dry-run") == (0, told, "")
    assert not (tmp_path / "back").exists()
    code, out, err = command(*arguments)
    assert (code, err) == (0, "")
    assert out == f"{told}back/mine: 12 trials written\nNext: harness analyze back/mine\n"
    assert "nothing new" in command(*arguments)[1]
    written = json.loads(command(*arguments, "--json")[1])["studies"][0]
    assert written["written"] == {"folder": "back/mine", "trials": 0}
    assert documents(tmp_path / "back" / "mine") == documents(study.root)
    study.change_manifest(lambda content: content["data"].update(path="elsewhere"))
    code, _, err = command("import", "mine.parquet", "--name", "mine", "--dry-run")
    assert (code, "holds another study" in err) == (2, True)
    # Its plan is never dropped in silence.
    code, _, err = command("import", "mine.parquet", "--name", "rows", "--baseline", "frozen")
    assert code == 2
    assert "mine.parquet holds a whole study with its plan: give --name alone" in err
    assert not (tmp_path / "results" / "rows").exists()


def test_an_archive_keeps_who_has_looked(study: StudyFolder, command: Command, tmp_path: Path) -> None:
    assert command("analyze", "--resamples", "99", study.root)[0] == 0
    assert command("export", "mine", "--to", "parquet")[0] == 0
    assert command("import", "mine.parquet", "--name", "mine", "--results", "back")[0] == 0
    looks = "looks.json"
    assert json.loads((tmp_path / "back" / "mine" / looks).read_text()) == json.loads((study.root / looks).read_text())
    code, out, err = command("analyze", "--resamples", "99", tmp_path / "back" / "mine")
    assert (code, err) == (0, "")
    assert "1 undeclared look" not in out


def test_an_archive_keeps_what_was_timed(study: StudyFolder, command: Command, tmp_path: Path) -> None:
    arms = list(dict.fromkeys(arm for arm, _ in study.keys))
    study.time({arm: [0.1, 0.12, 0.11] for arm in arms})
    assert command("export", "mine", "--to", "parquet")[0] == 0
    assert command("import", "mine.parquet", "--name", "mine", "--results", "back")[0] == 0
    folders = study.root, tmp_path / "back" / "mine"
    before, after = (json.loads((folder / "timing.json").read_text()) for folder in folders)
    assert after == before


def test_an_archive_keeps_every_epoch(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    scores = {arm: rng.integers(0, 2, (3, 2, 40)) for arm in ("a", "b")}
    root = write_study(tmp_path / "s", scores, selection={"rule": "best", "metric": "accuracy", "on": "test"}).root
    assert documents(back_from(archived(root, tmp_path), tmp_path, "hand_made")) == documents(root)


@pytest.fixture(params=["classes", "numbers", "scores"])
def theirs(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An imported study of each kind of answers."""
    rng = np.random.default_rng(5)
    labels = np.arange(40) % 2
    answers: dict[str, Any] = {
        "classes": {arm: rng.integers(0, 2, (3, 40)) for arm in ("a", "b")},
        "numbers": {arm: rng.normal(size=(3, 40)) for arm in ("a", "b")},
        "scores": {arm: rng.normal(size=(3, 40)) for arm in ("a", "b")},
    }[request.param]
    options: dict[str, Any] = {
        "classes": {"labels": labels, "classes": ("no", "yes")},
        "numbers": {"labels": rng.normal(size=40), "analysis": {"metric": "pearson"}},
        "scores": {"analysis": {"margin": 0.5}},
    }[request.param]
    return write_imported_study(tmp_path / "theirs", answers, **options)


def test_an_archive_takes_every_kind_of_answers(theirs: Path, tmp_path: Path) -> None:
    assert documents(back_from(archived(theirs, tmp_path), tmp_path, "theirs")) == documents(theirs)


def test_a_table_holds_every_kind_of_answers(theirs: Path, command: Command, tmp_path: Path) -> None:
    assert command("export", theirs, "--to", "csv", "--out", "x.csv")[0] == 0
    runs = read_sources([Path("x.csv")], ImportOptions())
    assert [(run.arm, run.label) for run in runs.runs] == [(arm, f"r{seed}") for arm in "ab" for seed in range(3)]
    outcomes = load(theirs)
    write_runs(runs, tmp_path / "back", name="theirs", analysis=outcomes.manifest.analysis or {})
    there, back = (printed(folder) for folder in (theirs, tmp_path / "back" / "theirs"))
    assert set(back) == set(there)
    assert [name for name in back if back[name] != there[name] and name[0] != "Provenance and caveats"] == []


def test_an_archive_with_other_rows_is_refused(study: StudyFolder, tmp_path: Path) -> None:
    path = archived(study.root, tmp_path)
    table = pq.read_table(path)
    seeds = table["seed"].to_numpy().copy()
    pq.write_table(table.set_column(1, "seed", [seeds[::-1]]), path, row_group_size=60)
    archive = read_archive(path)
    assert archive is not None
    with pytest.raises(SourceError, match=r"rows are not those that harness export wrote.*without the metadata"):
        restore(archive, path, tmp_path / "back", name="mine")
    assert not (tmp_path / "back" / "mine" / "study.json").exists()
    pq.write_table(pq.read_table(path).replace_schema_metadata({METADATA: b'{"study": 1, "n_examples": 2}'}), path)
    with pytest.raises(SourceError, match="the study in its metadata: ") as caught:
        read_archive(path)
    assert len(caught.value.problems) > 1
    assert read_archive(tmp_path / "nothing") is None
    os.mkfifo(tmp_path / "pipe")
    assert read_archive(tmp_path / "pipe") is None


def test_an_archive_never_takes_the_place_of_another_study(study: StudyFolder, tmp_path: Path) -> None:
    path = archived(study.root, tmp_path)
    archive = read_archive(path)
    assert archive is not None
    study.change_manifest(lambda content: content.update(question="Another one?"))
    before = documents(study.root)
    with pytest.raises(ResultsError, match="holds another study; --name gives"):
        restore(archive, path, tmp_path / "results", name="mine")
    assert documents(study.root) == before


def test_an_archive_that_was_cut_short_is_completed(study: StudyFolder, tmp_path: Path) -> None:
    path = archived(study.root, tmp_path)
    folder = back_from(path, tmp_path, "mine")
    (next((folder / "trials").iterdir()) / "record.json").unlink()
    (folder / "study.json").unlink()
    archive = read_archive(path)
    assert archive is not None
    assert restore(archive, path, tmp_path / "back", name="mine")
    assert documents(folder) == documents(study.root)


def test_looks_come_back_and_later_ones_stay(study: StudyFolder, command: Command, tmp_path: Path) -> None:
    assert command("analyze", study.root)[0] == 0
    path = archived(study.root, tmp_path)
    folder = back_from(path, tmp_path, "mine")
    assert read_looks(folder) == read_looks(study.root)
    later = {"seeds": [0, 1], "plan": "x", "at": "2027-01-01T00:00:00+00:00"}
    content = json.loads((folder / "looks.json").read_text())
    (folder / "looks.json").write_text(json.dumps({**content, "looks": [*content["looks"], later]}))
    (next((folder / "trials").iterdir()) / "record.json").unlink()
    archive = read_archive(path)
    assert archive is not None
    assert restore(archive, path, tmp_path / "back", name="mine")
    assert [look.plan for look in read_looks(folder)] == [read_looks(study.root)[0].plan, "x"]


@pytest.mark.parametrize(
    "change",
    [
        lambda study: study.update(n_examples=7),
        lambda study: study["study"]["data"]["classes"].append("more"),
        lambda study: study["study"]["data"].update(classes=["other", "names", "than these"]),
        lambda study: study["study"]["data"].update(task="regression", classes=[]),
        lambda study: [trial["record"].update(epochs=[]) for trial in study["trials"].values()],
    ],
)
def test_an_archive_whose_metadata_belong_to_other_rows_is_refused(
    study: StudyFolder, tmp_path: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    path = archived(study.root, tmp_path)
    content = json.loads(pq.read_schema(path).metadata[METADATA])
    change(content)
    table = pq.read_table(path).replace_schema_metadata({METADATA: json.dumps(content).encode()})
    pq.write_table(table, path, row_group_size=60)
    archive = read_archive(path)
    assert archive is not None
    with pytest.raises(SourceError, match="rows are not those that harness export wrote"):
        restore(archive, path, tmp_path / "back", name="mine")


def test_an_archive_with_a_damaged_byte_is_named(study: StudyFolder, tmp_path: Path) -> None:
    path = archived(study.root, tmp_path)
    content = bytearray(path.read_bytes())
    content[500] ^= 0xFF
    path.write_bytes(content)
    archive = read_archive(path)
    assert archive is not None
    with pytest.raises(SourceError, match=r"study\.parquet: its rows are not those"):
        restore(archive, path, tmp_path / "back", name="mine")


def test_nothing_is_overwritten(study: StudyFolder, command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.parquet").write_text("mine")
    code, _, err = command("export", "mine", "--to", "parquet")
    assert (code, err) == (2, "error: mine.parquet exists; move it away, or write elsewhere with --out\n")
    assert (tmp_path / "mine.parquet").read_text() == "mine"
    assert command("export", "mine", "--to", "csv", "--out", "mine.parquet/x")[0] == 2
    code, _, err = command("export", "mien", "--to", "csv")
    assert code == 2
    assert "mien does not exist; did you mean results/mine?" in err


@pytest.fixture(scope="module")
def schemas() -> tuple[Any, Any]:
    """The validators of Every Eval Ever 0.3.0, aggregate and sample."""
    try:
        package = importlib.metadata.distribution("every-eval-ever")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("could not import 'every_eval_ever': pip install --no-deps --ignore-requires-python, as nox does")
    assert package.version == "0.3.0"
    folder = Path(str(package.locate_file("every_eval_ever/schemas")))
    names = ("eval.schema.json", "instance_level_eval.schema.json")
    first, second = (jsonschema.Draft7Validator(json.loads((folder / name).read_text())) for name in names)
    return first, second


@pytest.mark.parametrize("kind", ["probabilities", "scores"])
def test_every_eval_ever_takes_the_files(
    kind: str, study: StudyFolder, command: Command, tmp_path: Path, schemas: tuple[Any, Any]
) -> None:
    rng = np.random.default_rng(5)
    if kind == "scores":
        answers = {arm: rng.normal(size=(3, 40)) for arm in ("a", "b/c")}
        write_imported_study(tmp_path / "results" / "theirs", answers, analysis={"margin": 0.5})
    name = "mine" if kind == "probabilities" else "theirs"
    assert command("export", name, "--to", "eee") == (
        0,
        f"Written: {name}-eee: {12 if name == 'mine' else 6} trials × {60 if name == 'mine' else 40} test examples\n",
        "",
    )
    folder = tmp_path / f"{name}-eee"
    aggregates = sorted(folder.rglob("*.json"))
    outcomes = load(tmp_path / "results" / name)
    assert len(aggregates) == len(outcomes.trials)
    for path in aggregates:
        content = json.loads(path.read_text())
        assert not list(schemas[0].iter_errors(content))
        samples = [
            json.loads(line)
            for line in (folder / content["detailed_evaluation_results"]["file_path"]).read_text().splitlines()
        ]
        assert not [error for sample in samples for error in schemas[1].iter_errors(sample)]
        assert len(samples) == content["detailed_evaluation_results"]["total_rows"] == outcomes.n_examples
        details = content["evaluation_results"][0]["score_details"]
        scores = [sample["evaluation"]["score"] for sample in samples]
        assert details["score"] == pytest.approx(np.mean(scores))
        assert {sample["metadata"]["arm"] for sample in samples} == {details["details"]["arm"]}
        assert [sample["sample_id"] for sample in samples] == list(outcomes.example_ids)
    if kind == "probabilities":
        stored = {
            (content["score_details"]["details"]["arm"], content["score_details"]["details"]["seed"]): content[
                "score_details"
            ]["score"]
            for content in (json.loads(path.read_text())["evaluation_results"][0] for path in aggregates)
        }
        assert stored["frozen", "3"] == outcomes.scores("frozen", seeds=[3]).mean()
