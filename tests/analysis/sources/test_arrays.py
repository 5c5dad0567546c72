"""NumPy's files and arrays in memory: every shape, and everything that can be wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.errors import SourceError
from analysis.sources.arrays import runs_of_arrays
from analysis.sources.options import ImportOptions
from analysis.sources.reading import read_sources
from analysis.sources.runs import Runs

LABELS = np.array([0, 1, 1, 0])
FULL = np.array([[0, 1, 1, 1], [0, 1, 0, 0]])
LORA = np.array([[0, 1, 1, 0], [1, 1, 1, 0]])
PROBABILITIES = np.array([[[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]]] * 2, dtype=np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(name: str, **arrays: Any) -> Path:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(name, **arrays)
    return Path(name)


def answers(runs: Runs) -> dict[tuple[str, str], list[Any]]:
    return {(run.arm, run.label): run.answers[0].tolist() for run in runs.runs}


def problems(*sources: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        read_sources([Path(source) for source in sources], ImportOptions(**options))
    return caught.value.problems


def problems_in_memory(arms: dict[str, Any], options: ImportOptions | None = None, **beside: Any) -> tuple[str, ...]:
    with pytest.raises(SourceError) as caught:
        runs_of_arrays(arms, options or ImportOptions(), **beside)
    return caught.value.problems


@pytest.mark.parametrize("labels", ["labels", "label", "y_true", "gold", "target"])
def test_an_archive_with_an_array_an_arm(labels: str) -> None:
    file = save("study.npz", full=FULL, lora=LORA, **{labels: LABELS})
    runs = read_sources([file], ImportOptions())
    assert (runs.answers, runs.classes, runs.paired) == ("classes", ("0", "1"), True)
    assert runs.understood == (("label", f"array {labels}"),)
    assert runs.example_ids.to_pylist() == ["0", "1", "2", "3"]
    assert runs.labels is not None
    assert runs.labels.tolist() == LABELS.tolist()
    assert answers(runs) == {
        ("full", "0"): FULL[0].tolist(),
        ("full", "1"): FULL[1].tolist(),
        ("lora", "0"): LORA[0].tolist(),
        ("lora", "1"): LORA[1].tolist(),
    }
    (source,) = {source for run in runs.runs for source in run.sources}
    assert (source.path, len(source.sha256)) == ("study.npz", 64)


def test_what_a_mask_hides_is_no_answer() -> None:
    hidden = np.ma.masked_array(FULL, mask=np.eye(2, 4) > 0)
    assert problems_in_memory({"full": hidden, "lora": LORA}, labels=LABELS) == (
        "full has masked values, and every run answers every example",
    )


def test_tensors_that_numpy_does_not_take() -> None:
    class Tensor:
        def __array__(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")

    assert problems_in_memory({"full": Tensor(), "lora": LORA}, labels=LABELS) == (
        "full is no array: Can't call numpy() on Tensor that requires grad",
    )


def test_seeds_and_ids_are_the_same_with_a_point() -> None:
    runs = runs_of_arrays({"full": FULL, "lora": LORA}, ImportOptions(), labels=LABELS, seeds=[3.0, 4.0])
    assert [run.label for run in runs.runs] == ["3", "4"] * 2
    arms = {"full": FULL, "lora": LORA}
    assert problems_in_memory(arms, labels=LABELS, seeds=[np.nan, 4]) == (
        "full has 2 runs, and seeds names 1",
        "lora has 2 runs, and seeds names 1",
    )
    assert problems_in_memory(arms, labels=LABELS, ids=[0, 1, np.nan, 3])[0].startswith("full[0][2]: no example id")


def test_an_array_larger_than_memory() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 10), }"
    Path("a.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.ljust(117) + b"\n")
    assert "a.npy cannot be read: Unable to allocate" in problems("a.npy", runs={"a.npy": ("a", "1")})[0]


def test_ids_seeds_and_class_names_stand_beside() -> None:
    labels = np.array(["no", "yes", "yes", "no"])
    file = save(
        "study.npz", full=PROBABILITIES, lora=PROBABILITIES[:, :, ::-1], labels=labels,
        ids=np.array(["a", "b", "c", "d"]), seeds=[7, 12], classes=np.array(["no", "yes"]),
    )  # fmt: skip
    runs = read_sources([file], ImportOptions())
    assert (runs.answers, runs.classes) == ("probabilities", ("no", "yes"))
    assert runs.example_ids.to_pylist() == ["a", "b", "c", "d"]
    assert [(run.arm, run.label) for run in runs.runs] == [("full", "7"), ("full", "12"), ("lora", "7"), ("lora", "12")]
    assert np.array_equal(runs.runs[0].answers[0], PROBABILITIES[0])
    assert np.array_equal(runs.runs[2].answers[0], PROBABILITIES[0][:, ::-1])


@pytest.mark.parametrize("answered", [{"full": FULL, "lora": LORA}, {"full": PROBABILITIES, "lora": PROBABILITIES}])
def test_labels_and_predictions_may_be_numbers_of_classes_that_are_named(answered: dict[str, Any]) -> None:
    runs = read_sources([save("study.npz", **answered, labels=LABELS, classes=["pos", "neg"])], ImportOptions())
    assert set(runs.classes) == {"pos", "neg"}
    assert runs.labels is not None
    assert [runs.classes[label] for label in runs.labels] == [("pos", "neg")[label] for label in LABELS]
    if runs.answers == "classes":
        said = [runs.classes[answer] for answer in runs.runs[0].answers[0]]
        assert said == [("pos", "neg")[answer] for answer in FULL[0]]
    else:
        assert np.array_equal(runs.runs[0].answers[0][:, runs.classes.index("neg")], PROBABILITIES[0, :, 1])


def test_numbers_of_classes_beyond_the_names_are_refused() -> None:
    save("study.npz", full=FULL + 1, lora=LORA, labels=LABELS - 1, classes=["no", "yes"])
    assert problems("study.npz") == (
        "study.npz, labels holds class -1, and study.npz, classes names those from 0 to 1",
        "study.npz, full holds class 2, and study.npz, classes names those from 0 to 1",
    )


def test_floats_without_labels_are_scores() -> None:
    file = save("scores.npz", full=FULL + 0.25, lora=LORA + 0.5)
    runs = read_sources([file], ImportOptions())
    assert ("score", "every array, since there are no labels") in runs.understood
    assert (runs.answers, runs.score, runs.labels) == ("scores", "score", None)
    assert answers(runs)["lora", "1"] == [1.5, 1.5, 1.5, 0.5]
    assert read_sources([file], ImportOptions(metric="rouge")).score == "rouge"


def test_truth_values_without_labels_are_scores() -> None:
    runs = runs_of_arrays({"full": FULL == LABELS, "lora": LORA == LABELS}, ImportOptions())
    assert runs.answers == "scores"
    assert answers(runs)["full", "0"] == [1.0, 1.0, 1.0, 0.0]


def test_fractions_with_labels_are_a_regression() -> None:
    runs = runs_of_arrays({"full": FULL + 0.25, "lora": LORA + 0.5}, ImportOptions(), labels=LABELS + 0.1)
    assert runs.answers == "numbers"
    assert runs.labels is not None
    assert runs.labels.tolist() == [0.1, 1.1, 1.1, 0.1]


def test_texts_are_classes() -> None:
    names = np.array(["no", "yes"])
    runs = runs_of_arrays({"full": names[FULL], "lora": names[LORA].tolist()}, ImportOptions(), labels=names[LABELS])
    assert (runs.answers, runs.classes) == ("classes", ("no", "yes"))
    assert answers(runs)["full", "1"] == FULL[1].tolist()
    objects = {"full": names[FULL].astype(object), "lora": names[LORA].astype(object)}
    assert answers(runs_of_arrays(objects, ImportOptions(), labels=list(names[LABELS]))) == answers(runs)


def test_unequal_numbers_of_runs_are_no_pairs() -> None:
    runs = runs_of_arrays({"full": FULL, "lora": LORA[:1]}, ImportOptions(), labels=LABELS, ids=["a", "b", "c", "d"])
    assert not runs.paired
    assert [(run.arm, run.label) for run in runs.runs] == [("full", "0"), ("full", "1"), ("lora", "0")]
    assert runs.example_ids.to_pylist() == ["a", "b", "c", "d"]


def test_one_archive_a_run() -> None:
    for arm, array in (("full", FULL), ("lora", LORA)):
        for seed in (0, 1):
            save(f"{arm}/{seed}.npz", predictions=array[seed], label_ids=LABELS)
    runs = read_sources([], ImportOptions(pattern="{arm}/{seed}.npz"))
    assert answers(runs)["lora", "1"] == LORA[1].tolist()


def test_one_archive_an_arm_and_one_a_seed() -> None:
    save("full.npz", answers=FULL, labels=LABELS)
    save("lora.npz", answers=LORA, labels=LABELS)
    by_arm = read_sources([], ImportOptions(pattern="{arm}.npz"))
    for seed in (0, 1):
        save(f"seeds/{seed}.npz", full=FULL[seed], lora=LORA[seed], labels=LABELS)
    by_seed = read_sources([], ImportOptions(pattern="seeds/{seed}.npz"))
    assert answers(by_arm) == answers(by_seed)


def test_one_array_a_run_with_labels_once_beside() -> None:
    for arm, array in (("full", FULL), ("lora", LORA)):
        for seed in (0, 1):
            np.save(f"{arm}-{seed}.npy", array[seed])
    np.save("labels.npy", LABELS)
    runs = read_sources([], ImportOptions(pattern="{arm}-{seed}.npy", labels=Path("labels.npy")))
    assert answers(runs)["full", "0"] == FULL[0].tolist()
    assert [source.path for source in runs.runs[0].sources] == ["full-0.npy", "labels.npy"]
    assert runs.understood == (("label", "array of labels.npy"),)


def test_counted_examples_get_the_ids_of_the_labels() -> None:
    np.save("full.npy", FULL)
    np.save("lora.npy", LORA)
    save("test.npz", y_true=LABELS, idx=[30, 10, 20, 40])
    runs = read_sources([], ImportOptions(pattern="{arm}.npy", labels=Path("test.npz")))
    assert runs.example_ids.to_pylist() == ["30", "10", "20", "40"]
    assert answers(runs)["lora", "1"] == LORA[1].tolist()


def test_arrays_are_chosen_by_their_names() -> None:
    for arm in ("full", "lora"):
        save(f"{arm}.npz", logits=PROBABILITIES, classes_at_k=FULL, truth=LABELS)
    options = ImportOptions(pattern="{arm}.npz", columns={"prediction": "classes_at_k", "label": "truth"})
    assert answers(read_sources([], options))["lora", "0"] == FULL[0].tolist()
    assert problems(pattern="{arm}.npz", columns={"label": "truths"}) == (
        "full.npz holds no array truths; did you mean 'truth'? (there: logits, classes_at_k, truth); the same holds "
        "for 1 more file",
    )
    assert problems(pattern="{arm}.npz")[0] == (
        "full.npz should hold one array with the answers of arm full, and holds logits, classes_at_k, truth; "
        "choose by --column prediction=ARRAY"
    )


def test_two_arrays_of_labels() -> None:
    save("study.npz", full=FULL, lora=LORA, labels=LABELS, target=LABELS)
    assert problems("study.npz") == (
        "study.npz holds labels and target; choose by --column label=labels, or leave the others out",
    )


def test_an_array_alone_needs_an_arm() -> None:
    np.save("a.npy", FULL)
    assert problems("a.npy") == ("a.npy does not say whose run it holds; add --pattern, or --run a.npy=ARM,SEED",)


def test_objects_are_not_loaded() -> None:
    save("study.npz", labels=np.array(["a", None], dtype=object), full=FULL)
    np.save("a.npy", np.array([{}], dtype=object))
    advice = (
        "holds Python objects, which are not loaded, since that could run any program; save numbers or texts: "
        "numpy.savez(..., labels=numpy.array(labels, dtype=str))"
    )
    assert problems("study.npz", "a.npy", runs={"a.npy": ("a", "1")}) == (
        f"study.npz, labels {advice}",
        f"a.npy {advice}",
    )


def test_broken_files() -> None:
    np.save("a.npy", np.arange(1000))
    Path("a.npy").write_bytes(Path("a.npy").read_bytes()[:500])
    save("b.npz", full=np.arange(1000))
    Path("b.npz").write_bytes(Path("b.npz").read_bytes().replace(b"\x07\x03\0\0", b"\x08\x03\0\0"))
    (of_array, of_archive) = problems("a.npy", "b.npz", runs={"a.npy": ("a", "1")})
    assert of_array.startswith("a.npy cannot be read: Failed to read all data for array.")
    assert of_archive == "b.npz, full cannot be read: Bad CRC-32 for file 'full.npy'"


def test_all_faults_of_an_archive_at_once() -> None:
    save(
        "study.npz", full=FULL, lora=LORA[:, :3], flat=LABELS, names=np.array([["a"] * 4] * 2), empty=np.zeros((0, 4)),
        times=FULL.astype("M8[s]"), probabilities=PROBABILITIES, more=np.vstack([FULL, FULL]),
        labels=LABELS, ids=[1, 2, 3], seeds=[0, 1], classes=["a", "b", "c"], seconds=np.zeros((2, 2, 2, 2)),
    )  # fmt: skip
    expected = "expected (runs, examples) or (runs, examples, classes), none of them 0"
    wrong = problems("study.npz")
    assert wrong[:7] == (
        "study.npz, ids has 3 examples, and study.npz, labels 4",
        "study.npz, lora has 3 examples, and study.npz, labels 4",
        f"study.npz, flat has the shape (4,), {expected}",
        f"study.npz, empty has the shape (0, 4), {expected}",
        "study.npz, times holds datetime64[s], expected numbers, truth values or texts",
        "study.npz, probabilities has 2 classes on its last axis, and study.npz, classes names 3",
        "study.npz, more has 4 runs, and study.npz, seeds names 2",
    )
    assert wrong[7:] == (f"study.npz, seconds has the shape (2, 2, 2, 2), {expected}",)


def test_faults_of_arrays_in_memory() -> None:
    wrong = problems_in_memory(
        {"full": [[1, 0], [1]], "lora": np.array([[{}, 1.5]]), "names": [["a", "b"]], "outputs": [[[0.5, 0.5]] * 2]},
        ids=[["a", "b"]],
    )
    assert wrong == (
        "ids has the shape (1, 2), expected one axis",
        "full has rows of unequal length",
        "lora holds objects (dict, float), expected numbers, truth values or texts",
        "names holds predicted classes, and there are no labels to compare them with",
        "outputs holds probabilities of classes, and there are no labels to compare them with",
    )


@pytest.mark.parametrize(
    ("arms", "labels", "place"),
    [
        ({"full": np.where(FULL == 0, np.nan, FULL)}, None, "full[0][0]"),
        ({"full": PROBABILITIES * [1, 2]}, LABELS, "full[0][0]"),
    ],
)
def test_faults_of_answers_say_where(arms: dict[str, NDArray[Any]], labels: Any, place: str) -> None:
    assert any(place in problem for problem in problems_in_memory(arms, labels=labels))


def test_logits_are_made_probabilities_when_asked() -> None:
    logits = {"full": np.log(PROBABILITIES) + 1, "lora": np.log(PROBABILITIES) - 1}
    assert any("--logits" in problem for problem in problems_in_memory(logits, labels=LABELS))
    runs = runs_of_arrays(logits, ImportOptions(logits=True), labels=LABELS)
    np.testing.assert_allclose(runs.runs[1].answers[0], PROBABILITIES[0], atol=1e-6)


def test_a_file_without_labels_is_no_file_of_labels() -> None:
    save("study.npz", full=FULL, lora=LORA)
    save("test.npz", truth=LABELS)
    assert problems("study.npz", labels=Path("test.npz")) == (
        "test.npz holds no labels (there: truth); name them by --column label=ARRAY",
    )
