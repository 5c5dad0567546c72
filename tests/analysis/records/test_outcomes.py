from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from analysis.errors import AlignmentError, FormatError, RecordError
from analysis.records.loading import load

if TYPE_CHECKING:
    from conftest import StudyFolder


def replaced(table: pa.Table, column: str, values: list[object]) -> pa.Table:
    at = table.column_names.index(column)
    return table.set_column(at, column, pa.array(values, table[column].type))


def test_scores_are_right_or_wrong_by_seed_and_example(small: Any) -> None:
    outcomes = load(small([[[1, 0, 1, 1]], [[0, 0, 1, 1]]]).root)
    assert outcomes.arms == ("full", "lora")
    assert outcomes.seeds == (0, 1)
    assert outcomes.example_ids == ("id-0", "id-1", "id-2", "id-3")
    assert outcomes.labels.tolist() == [0, 1, 0, 1]
    assert outcomes.scores("lora").tolist() == [[1, 0, 1, 1], [0, 0, 1, 1]]
    assert outcomes.scores("lora", seeds=[1]).tolist() == [[0, 0, 1, 1]]
    assert outcomes.scores("lora", seeds=[]).shape == (0, 4)


def test_the_first_of_the_largest_probabilities_is_the_prediction(small: Any) -> None:
    folder = small([[[1, 1]], [[1, 1]]])
    folder.change_predictions("lora", 0, lambda t: replaced(replaced(t, "p_0", [0.5, 0.5]), "p_1", [0.5, 0.5]))
    outcomes = load(folder.root)
    assert outcomes.predictions(outcomes.trials["lora", 0]).tolist() == [0, 0]


def test_the_order_of_the_trials_does_not_matter(study: StudyFolder) -> None:
    before = load(study.root)
    study.change_manifest(lambda content: content["cells"].reverse())
    after = load(study.root)
    assert after.seeds == before.seeds == (0, 1, 2, 3, 4, 5)
    for arm in before.arms:
        np.testing.assert_array_equal(after.scores(arm), before.scores(arm))


def test_an_arm_without_a_seed_of_the_others_is_named(study: StudyFolder) -> None:
    study.change_manifest(
        lambda content: content.update(cells=[t for t in content["cells"] if (t["arm"], t["seed"]) != ("full", 4)])
    )
    with pytest.raises(AlignmentError, match="full lacks seed 4"):
        load(study.root)


def test_a_study_without_trials_is_refused(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content.update(cells=[]))
    with pytest.raises(AlignmentError, match="lists no trial"):
        load(study.root)


ODD_ONES: dict[str, Callable[[StudyFolder], None]] = {
    r"full seed 0 and most others: .*'new'.*'id-1'": lambda folder: folder.change_predictions(
        "lora", 1, lambda t: replaced(t, "example_id", ["id-0", "new", "id-2", "id-3"])
    ),
    "in another order, first at position 1": lambda folder: folder.change_predictions(
        "lora", 1, lambda t: replaced(t, "example_id", ["id-0", "id-2", "id-1", "id-3"])
    ),
    r"3 examples against 4; 1 missing \('id-3'\)": lambda folder: folder.change_predictions(
        "lora", 1, lambda t: t.slice(0, 3)
    ),
    "1 labels differ, first example 'id-2' with 1 against 0": lambda folder: folder.change_predictions(
        "lora", 1, lambda t: replaced(t, "label", [0, 1, 1, 1])
    ),
}


@pytest.mark.parametrize("says", ODD_ONES)
def test_the_trial_with_other_examples_is_the_odd_one_out(small: Any, says: str) -> None:
    folder = small([[[1, 0, 1, 1]], [[0, 0, 1, 1]]])
    ODD_ONES[says](folder)
    outcomes = load(folder.root)
    assert [trial.name for trial in outcomes.unfinished()] == ["lora seed 1"]
    assert outcomes.trials["lora", 1].status == "unreadable"
    assert re.search(says, outcomes.trials["lora", 1].message)


def test_the_first_trial_may_be_the_odd_one_and_the_innocent_stay(small: Any) -> None:
    folder = small([[[1, 0, 1, 1]], [[0, 0, 1, 1]]])
    folder.change_predictions("full", 0, lambda t: replaced(t, "label", [1, 1, 0, 1]))
    outcomes = load(folder.root)
    assert [trial.name for trial in outcomes.unfinished()] == ["full seed 0"]
    assert outcomes.labels.tolist() == [0, 1, 0, 1]


def test_where_half_of_the_trials_differ_none_is_the_odd_one(study: StudyFolder) -> None:
    for arm, seed in list(study.keys)[9:]:
        study.change_predictions(arm, seed, lambda t: t.slice(0, 399))
    with pytest.raises(
        AlignmentError, match=r"most of them share no list of examples:\nlora-r2 seed 3 against full seed 0: 399"
    ) as e:
        load(study.root)
    assert "and 4 more trials" in str(e.value)


@pytest.mark.parametrize(("written", "advice"), [(3, "update ablation-harness"), (0, "read it with the version")])
def test_another_format_of_the_manifest_is_refused_by_name(study: StudyFolder, written: int, advice: str) -> None:
    study.change_manifest(lambda content: content.update(format=written))
    with pytest.raises(FormatError, match=rf"study\.json has format {written}; .* reads formats 1 and 2: {advice}"):
        load(study.root)


def test_a_newer_record_is_refused_by_name_and_not_taken_for_damaged(study: StudyFolder) -> None:
    study.change_record("full", 3, lambda content: content.update(format=7))
    with pytest.raises(FormatError, match=r"record\.json has format 7"):
        load(study.root)


@pytest.mark.parametrize("written", [None, "1", True, 1.0])
def test_a_format_that_is_no_whole_number_is_refused(study: StudyFolder, written: object) -> None:
    study.change_record("full", 3, lambda content: content.update(format=written))
    trial = load(study.root).trials["full", 3]
    assert (trial.status, "format: expected a whole number, got" in trial.message) == ("unreadable", True)
    study.change_manifest(lambda content: content.update(format=written))
    with pytest.raises(RecordError, match="format: expected a whole number, got"):
        load(study.root)


def test_a_folder_without_a_manifest_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"study\.json does not exist"):
        load(tmp_path)


@pytest.mark.parametrize("text", ["{", "", "[]", "\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(study: StudyFolder, text: str) -> None:
    (study.root / "study.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordError, match="cannot be read"):
        load(study.root)


@pytest.mark.parametrize("name", ["study.json", "looks.json"])
def test_a_file_that_cannot_be_used_says_what_to_do_about_it(study: StudyFolder, name: str) -> None:
    path = study.root / name
    path.write_text('{"format": 1, "looks": 3}')
    with pytest.raises(RecordError) as caught:
        load(study.root)
    assert "Move it away, and " in str(caught.value)
    assert str(caught.value).endswith(f"mv {path} {path}.broken")


def test_a_manifest_with_a_hole_names_it(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["data"].pop("classes"))
    with pytest.raises(RecordError, match=r"data\.classes"):
        load(study.root)


@pytest.mark.parametrize("key", ["../../elsewhere", "a/b", "", ".."])
def test_a_key_cannot_leave_the_folder(study: StudyFolder, key: str) -> None:
    study.change_manifest(lambda content: content["cells"][0].update(key=key))
    with pytest.raises(RecordError, match=r"cells\.0\.key: string should"):
        load(study.root)


def test_a_trial_of_an_unknown_arm_or_named_twice_is_refused(study: StudyFolder) -> None:
    study.change_manifest(lambda content: content["cells"].append({"arm": "ghost", "seed": 0, "key": "k"}))
    with pytest.raises(RecordError, match="the arm 'ghost', which"):
        load(study.root)
    study.change_manifest(lambda content: content["cells"][-1].update(arm="full"))
    with pytest.raises(RecordError, match="full seed 0 is listed twice"):
        load(study.root)


def test_every_ending_of_a_trial_is_known(study: StudyFolder) -> None:
    study.end("full", 0, "diverged", "loss is not finite")
    study.end("full", 1, "failed", "out of memory")
    study.end("full", 2, "interrupted", "")
    study.forget("full", 3)
    record = study.trial("full", 4) / "record.json"
    record.write_text(record.read_text()[:100])
    (study.trial("full", 5) / "predictions.parquet").unlink()
    outcomes = load(study.root)
    assert [trial.status for trial in outcomes.of_arm("full")] == [
        "diverged",
        "failed",
        "interrupted",
        "not run",
        "unreadable",
        "unreadable",
    ]
    assert [trial.message for trial in outcomes.of_arm("full")[:3]] == [
        "loss is not finite",
        "out of memory",
        "no message was recorded",
    ]
    assert "record.json cannot be read" in outcomes.trials["full", 4].message
    assert "predictions.parquet does not exist" in outcomes.trials["full", 5].message
    assert outcomes.complete_seeds(outcomes.arms[0]) == ()
    assert outcomes.scores("lora-r2").shape == (6, 400)
    with pytest.raises(ValueError, match="full seed 0 has no predictions: diverged"):
        outcomes.scores("full")


def _cut(folder: StudyFolder) -> None:
    path = folder.trial("lora", 0) / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def _column(name: str, values: list[object]) -> Callable[[StudyFolder], None]:
    return lambda folder: folder.change_predictions("lora", 0, lambda table: replaced(table, name, values))


def _record(**changes: object) -> Callable[[StudyFolder], None]:
    return lambda folder: folder.change_record("lora", 0, lambda content: content.update(changes))


DAMAGES: dict[str, Callable[[StudyFolder], None]] = {
    "cannot be read": _cut,
    "not finite": _column("p_0", [float("nan"), 1, 1, 1]),
    "a value is missing": _column("p_0", [None, 1, 1, 1]),
    "a label is outside": _column("label", [0, 1, 2, 1]),
    "an example id occurs twice": _column("example_id", ["id-0", "id-0", "id-2", "id-3"]),
    "expected the columns": lambda f: f.change_predictions("lora", 0, lambda t: t.drop_columns(["p_1"])),
    "one after another": _column("epoch", [1, 1, 1, 2]),
    "its epochs differ": _column("epoch", [1, 1, 2, 2]),
    "holds no predictions": lambda f: f.change_predictions("lora", 0, lambda t: t.slice(0, 0)),
    "names the epochs": _column("epoch", [3, 3, 3, 3]),
    "names no epochs": _record(epochs=[]),
    "belongs to key": _record(seed=9),
    "status": _record(status="done"),
    "pack_size": _record(pack_size=0),
}


@pytest.mark.parametrize("says", DAMAGES)
def test_a_damaged_trial_is_unreadable_and_says_why(small: Any, says: str) -> None:
    folder = small([[[1, 0, 1, 1]], [[0, 0, 1, 1]]])
    DAMAGES[says](folder)
    trial = load(folder.root).trials["lora", 0]
    assert trial.status == "unreadable"
    assert says in trial.message
    assert str(folder.root) not in trial.message


def test_other_records_are_counted_and_never_read(study: StudyFolder) -> None:
    other = study.root / "trials" / "earlier"
    other.mkdir()
    (other / "record.json").write_text("not even json")
    (study.root / "trials" / "half").mkdir()
    (study.root / "set_aside").mkdir()
    (study.root / "set_aside" / "0001abc").mkdir()
    outcomes = load(study.root)
    assert outcomes.other_records == 1
    assert outcomes.set_aside == ("0001abc",)


def test_a_study_that_never_ran_still_loads(study: StudyFolder) -> None:
    for arm, seed in study.keys:
        study.forget(arm, seed)
    outcomes = load(study.root)
    assert {trial.status for trial in outcomes.trials.values()} == {"not run"}
    assert outcomes.n_examples == 400
