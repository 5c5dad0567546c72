"""Both splits of a study: stable ids, drawn subsets, refusals, and a fingerprint of what was processed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from harness.data import dataset
from harness.data.tokenization import TokenizedDataset, tokenise
from harness.errors import DataError
from harness.models import checkpoints
from harness.study.settings import Data

DataTable = Mapping[str, Sequence[Any]]
Folder = Callable[..., Path]

TRAIN: DataTable = {
    "sentence": ["a good film", "a bad film", "so good", "so bad", "never good", "never bad", "good", "bad"],
    "label": [1, 0, 1, 0, 0, 1, 1, 0],
}
TEST: DataTable = {"sentence": ["good and bad", "a bad one", "a good one"], "label": [1, 0, 1]}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return checkpoints.load_tokenizer(checkpoints.find_checkpoint("embedded/tiny-gpt2"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Write a split a file, in one of the three formats."""

    def write(train: DataTable = TRAIN, test: DataTable = TEST, kind: str = "parquet", name: str = "set") -> Path:
        target = tmp_path / name
        target.mkdir(exist_ok=True)
        for split, table in (("train", train), ("validation", test)):
            made = datasets.Dataset.from_dict({column: list(values) for column, values in table.items()})
            path = str(target / f"{split}.{kind}")
            {"parquet": made.to_parquet, "csv": made.to_csv, "json": made.to_json}[kind](path)
        return target

    return write


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings(path: Path | str, **more: Any) -> Data:
    return Data(path=str(path), **more)


def loaded(block: Data, tokenizer: Any) -> TokenizedDataset:
    return tokenise(dataset.read(block), block, tokenizer)


def refused(block: Data, tokenizer: Any) -> str:
    with pytest.raises(DataError) as caught:
        loaded(block, tokenizer)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_a_folder_with_a_file_for_each_split(folder: Folder, tokenizer: Any, kind: str) -> None:
    task = loaded(settings(folder(kind=kind)), tokenizer)
    assert task.train.labels.tolist() == TRAIN["label"]
    assert task.test.labels.tolist() == TEST["label"]
    assert task.train.labels.dtype == np.int64
    assert task.classes == ("0", "1")
    texts = [tokenizer.decode(row["input_ids"]) for row in task.test.features]
    assert texts == TEST["sentence"]
    # Neither padding nor an attention mask: a batch is padded when it is made.
    assert all(set(row) == {"input_ids"} for row in task.test.features)


def test_the_three_formats_say_the_same(folder: Folder, tokenizer: Any) -> None:
    prints = {
        loaded(settings(folder(kind=kind, name=kind)), tokenizer).fingerprint for kind in ("parquet", "csv", "json")
    }
    assert len(prints) == 1


def test_a_single_file_is_refused_for_it_holds_one_split(folder: Folder, tokenizer: Any) -> None:
    message = refused(settings(folder() / "train.parquet"), tokenizer)
    assert "is one file, and a study needs rows to train on and rows to test on" in message
    assert "data.test_fraction=0.2" in message
    assert "train.parquet and validation.parquet" in message


def test_splits_may_be_in_parts_and_have_columns_of_their_own(folder: Folder, tokenizer: Any) -> None:
    path = folder(test={**TEST, "genre": ["x", "y", "z"]})
    halves = datasets.Dataset.from_dict(dict(TRAIN))
    halves.select(range(3)).to_parquet(str(path / "train-00000-of-00002.parquet"))
    halves.select(range(3, 8)).to_parquet(str(path / "train-00001-of-00002.parquet"))
    (path / "train.parquet").unlink()
    (path / "README.md").write_text("no data")
    task = loaded(settings(path), tokenizer)
    assert task.train.labels.tolist() == TRAIN["label"]
    assert len(task.test) == 3


def test_a_folders_own_name_says_nothing_about_its_splits(folder: Folder, tokenizer: Any) -> None:
    # datasets alone would take all files below this folder for the split test.
    assert len(loaded(settings(folder(name="test")), tokenizer).train) == 8
    assert "has no split 'test'; there are train, validation" in refused(settings(folder(), test="test"), tokenizer)


def test_a_split_in_two_formats_is_refused(folder: Folder, tokenizer: Any) -> None:
    folder(kind="csv")
    message = refused(settings(folder(kind="parquet")), tokenizer)
    assert "split 'train' is in" in message
    assert "more than once: train.csv, train.parquet" in message


def test_a_file_that_is_broken_says_why(folder: Folder, tokenizer: Any) -> None:
    path = folder()
    (path / "validation.parquet").write_bytes(b"PAR1 no")
    message = refused(settings(path), tokenizer)
    assert f"{path / 'validation.parquet'} cannot be read: Parquet file size is 7 bytes" in message


def test_a_pair_of_texts_is_tokenised_as_a_pair(folder: Folder, tokenizer: Any) -> None:
    train = {"first": ["a good film", "a bad film"], "second": ["so good", "so bad"], "label": [1, 0]}
    path = folder(train, train)
    task = loaded(settings(path, text=["first", "second"]), tokenizer)
    assert task.train.features[0]["input_ids"] == tokenizer("a good film", "so good")["input_ids"]
    assert task.train.ids[0] == hashed("a good film\x1fso good") + "-0"
    assert "has no column 'third'" in refused(settings(path, text=["first", "third"]), tokenizer)


@pytest.mark.parametrize("column", ["idx", "id"])
def test_ids_are_the_columns_where_there_is_one(folder: Folder, tokenizer: Any, column: str) -> None:
    task = loaded(settings(folder({**TRAIN, column: range(8)}, {**TEST, column: [10, 7, 99]})), tokenizer)
    assert task.train.ids == tuple("01234567")
    assert task.test.ids == ("10", "7", "99")


def test_idx_comes_before_id(folder: Folder, tokenizer: Any) -> None:
    train = {**TRAIN, "id": list("abcdefgh"), "idx": range(8)}
    task = loaded(settings(folder(train, {**TEST, "id": ["x", "y", "z"], "idx": [1, 2, 3]})), tokenizer)
    assert task.test.ids == ("1", "2", "3")


def test_ids_given_twice_are_refused(folder: Folder, tokenizer: Any) -> None:
    assert "holds '7' twice; example ids must be distinct: correct them, or rename the column" in refused(
        settings(folder({**TRAIN, "idx": range(8)}, {**TEST, "idx": [7, 8, 7]})), tokenizer
    )


def test_without_a_column_ids_are_the_text_and_its_occurrence(folder: Folder, tokenizer: Any) -> None:
    test: DataTable = {"sentence": ["good", "bad", "good"], "label": [1, 0, 0]}
    ids = loaded(settings(folder(test=test)), tokenizer).test.ids
    good, bad = hashed("good"), hashed("bad")
    assert ids == (f"{good}-0", f"{bad}-0", f"{good}-1")
    # Moving a sentence does not rename it.
    turned = {name: list(reversed(values)) for name, values in test.items()}
    assert set(loaded(settings(folder(test=turned, name="turned")), tokenizer).test.ids) == set(ids)


def test_a_subset_is_drawn_once_for_the_study(tokenizer: Any) -> None:
    block = settings("embedded/sentiment", train_size=60, test_size=40)
    subset, again = loaded(block, tokenizer), loaded(block, tokenizer)
    assert subset.train.ids == again.train.ids
    assert (len(subset.train), len(subset.test)) == (60, 40)
    whole = loaded(settings("embedded/sentiment"), tokenizer)
    places = [whole.test.ids.index(example) for example in subset.test.ids]
    # In the order of the split, and drawn from all of it.
    assert places == sorted(places)
    assert places[-1] > 400
    assert set(subset.train.ids) < set(whole.train.ids)


def test_a_smaller_subset_is_part_of_a_larger_one(tokenizer: Any) -> None:
    small = loaded(settings("embedded/sentiment", train_size=20, test_size=20), tokenizer)
    large = loaded(settings("embedded/sentiment", train_size=50, test_size=20), tokenizer)
    assert set(small.train.ids) < set(large.train.ids)


def test_a_subset_larger_than_the_split_is_refused(folder: Folder, tokenizer: Any) -> None:
    message = refused(settings(folder(), train_size=9), tokenizer)
    assert message == "9 examples asked for, but split 'train' holds 8; ask for at most 8"


def test_a_study_that_resamples_says_how_many_examples_each_seed_draws(tokenizer: Any) -> None:
    task = loaded(settings("embedded/sentiment", train_size=60, test_size=20, resample=0.75), tokenizer)
    assert (len(task.train), task.dataset.n_drawn, task.dataset.n_per_seed) == (60, 45, 45)
    assert task.dataset.in_words().endswith(
        "60 drawn to train on and 20 to test on; each seed draws its own 45 of the 60 training examples"
    )
    whole = loaded(settings("embedded/sentiment", train_size=60, test_size=20), tokenizer)
    assert (whole.dataset.n_drawn, whole.dataset.n_per_seed) == (None, 60)
    # The pool is the same, so its fingerprint is.
    assert task.fingerprint == whole.fingerprint


@pytest.mark.parametrize(("fraction", "which"), [(0.01, "none"), (0.99, "all")])
def test_a_resample_of_nothing_or_of_everything_is_refused(
    folder: Folder, tokenizer: Any, fraction: float, which: str
) -> None:
    assert refused(settings(folder(), resample=fraction), tokenizer) == (
        f"data.resample: {fraction:g} of 8 training examples is {which} of them; each seed must draw at least one and "
        "leave at least one out"
    )


def test_texts_that_only_some_seeds_are_trained_on_are_named_as_such(folder: Folder, tokenizer: Any) -> None:
    test = {"sentence": ["a good film", "another"], "label": [1, 0]}
    whole = loaded(settings(folder(test=test)), tokenizer).dataset.remarks
    assert whole == ("1 of 2 test texts are in the training split too: a model may have memorised them",)
    drawn = loaded(settings(folder(test=test), resample=0.5), tokenizer).dataset.remarks
    assert drawn == (
        "1 of 2 test texts are in the training split too: a model may have memorised those that its seed drew",
    )


def test_labels_become_numbers_in_their_order(folder: Folder, tokenizer: Any) -> None:
    train = {"sentence": ["a", "b", "c", "d"], "label": ["pos", "neg", "mixed", "pos"]}
    test = {"sentence": ["e", "f"], "label": ["pos", "mixed"]}
    task = loaded(settings(folder(train, test)), tokenizer)
    assert task.classes == ("mixed", "neg", "pos")
    assert task.train.labels.tolist() == [2, 1, 0, 2]
    assert task.test.labels.tolist() == [2, 0]
    assert dataset.read(settings(folder(train, test))).classes == task.classes


@pytest.mark.parametrize("names", [["no", "yes"], ["yes", "no"]])
def test_the_order_of_class_label_is_kept(tmp_path: Path, tokenizer: Any, names: list[str]) -> None:
    features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    for split, table in (("train", TRAIN), ("validation", TEST)):
        made = datasets.Dataset.from_dict(dict(table), features=features)
        made.to_parquet(str(tmp_path / f"{split}.parquet"))
    task = loaded(settings(tmp_path), tokenizer)
    assert task.train.labels.tolist() == TRAIN["label"]
    assert task.test.labels.tolist() == TEST["label"]
    assert task.classes == tuple(names)


def test_a_class_without_an_example_to_train_on_is_none(tmp_path: Path, tokenizer: Any) -> None:
    names = ["unused", "b", "a"]
    features = datasets.Features({"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    rows = {"sentence": ["x", "y"], "label": [2, 1]}
    for split in ("train", "validation"):
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(tmp_path / f"{split}.parquet"))
    task = loaded(settings(tmp_path), tokenizer)
    assert task.classes == ("b", "a")
    assert task.train.labels.tolist() == [1, 0]
    hidden = datasets.Dataset.from_dict({**rows, "label": [-1, -1]}, features=features)
    hidden.to_parquet(str(tmp_path / "validation.parquet"))
    assert "labels of split 'validation' are hidden (-1)" in refused(settings(tmp_path), tokenizer)


BAD: list[tuple[DataTable, DataTable, dict[str, Any], Sequence[str]]] = [
    (TRAIN, TEST, {"text": "sentense"}, ["split 'train'", "no column 'sentense'", "did you mean 'sentence'?"]),
    (TRAIN, TEST, {"label": "labl"}, ["no column 'labl'; there are sentence, label", "did you mean 'label'?"]),
    (TRAIN, TEST, {"train": "trian"}, ["no split 'trian'; there are train, validation", "did you mean 'train'?"]),
    (TRAIN, TEST, {"test": "test"}, ["no split 'test'; there are train, validation"]),
    (TRAIN, {**TEST, "label": [-1, -1, -1]}, {}, ["labels of split 'validation' are hidden (-1)", "use validation"]),
    (TRAIN, {**TEST, "label": [0, -1, 1]}, {}, ["that split 'train' lacks: -1; -1 marks a hidden label"]),
    (TRAIN, {**TEST, "label": [1, 1, 1]}, {}, ["split 'validation' holds one class only, '1', in 3 examples"]),
    ({**TRAIN, "label": [1] * 8}, {**TEST, "label": [1] * 3}, {}, ["split 'train' holds one class only"]),
    (TRAIN, {**TEST, "label": [0, 1, 2]}, {}, ["split 'validation' holds classes that split 'train' lacks: 2"]),
    ({**TRAIN, "label": [[0], [1]] * 4}, {**TEST, "label": [[0]] * 3}, {}, ["split 'train' holds no class: [0]"]),
    ({**TRAIN, "label": [{"a": 1}] * 8}, {**TEST, "label": [{"a": 1}] * 3}, {}, ["holds no class: {'a': 1}"]),
    ({**TRAIN, "label": ["1", "0"] * 4}, TEST, {}, ["classes of several kinds: texts ('1'), numbers (1)"]),
    ({**TRAIN, "label": [True, False] * 4}, TEST, {}, ["of several kinds: true and false (True), numbers (1)"]),
    ({**TRAIN, "label": [0.5] * 8}, {**TEST, "label": [0.5, 0.2, 1.5]}, {}, ["split 'train' holds no class: 0.5"]),
    (TRAIN, {**TEST, "label": [0, None, 1]}, {}, ["column 'label' of split 'validation' is empty in 1 of 3 rows"]),
    (TRAIN, {**TEST, "sentence": ["a", None, None]}, {}, ["'sentence' of split 'validation' is empty in 2 of 3 rows"]),
    (
        {**TRAIN, "sentence": range(8)},
        {**TEST, "sentence": [1, 2, 3]},
        {},
        ["'sentence' of split 'train' holds no text: 0"],
    ),
    (TRAIN, {**TEST, "sentence": ["a", "", "b"]}, {}, ["of split 'validation' has no token", "leave empty texts out"]),
]


@pytest.mark.parametrize(("train", "test", "more", "words"), BAD, ids=lambda value: str(value)[:50])
def test_data_that_do_not_fit_are_refused(
    folder: Folder, tokenizer: Any, train: DataTable, test: DataTable, more: dict[str, Any], words: Sequence[str]
) -> None:
    message = refused(settings(folder(train, test, kind="json"), **more), tokenizer)
    assert all(word in message for word in words), message


def test_a_text_that_ends_in_the_padding_token_is_refused(folder: Folder, tokenizer: Any) -> None:
    # Where padding is the end token, the model would pool one token early. First, that it would.
    ended = f"a good film{tokenizer.pad_token}"
    assert tokenizer(ended)["input_ids"][-1] == tokenizer.pad_token_id
    message = refused(settings(folder(test={**TEST, "sentence": ["good", ended, "bad"]})), tokenizer)
    assert f"ends in {tokenizer.pad_token!r}, which is the padding token" in message
    inside = f"a good{tokenizer.pad_token} film"
    assert len(loaded(settings(folder(test={**TEST, "sentence": ["good", inside, "bad"]})), tokenizer).test) == 3


def test_long_texts_are_cut(folder: Folder, tokenizer: Any) -> None:
    task = loaded(settings(folder(), max_length=2), tokenizer)
    assert {len(row["input_ids"]) for row in task.train.features} <= {1, 2}


def test_what_cannot_be_loaded_says_how_to_do_without_a_network(tmp_path: Path, tokenizer: Any) -> None:
    message = refused(settings("nyu-mll/glue", name="sst2"), tokenizer)
    assert "data set 'nyu-mll/glue' cannot be loaded" in message
    assert "data.path=FOLDER" in message
    assert "data.name=null" in message
    assert "data.path=embedded/sentiment" in message
    assert "no file or folder ./nowhere in the working folder" in refused(settings("./nowhere"), tokenizer)
    (tmp_path / "empty").mkdir()
    assert "holds no data that can be read" in refused(settings(tmp_path / "empty"), tokenizer)


def test_embedded_data_name_their_splits(tokenizer: Any) -> None:
    assert "data.test: embedded/sentiment has no split 'dev'" in refused(
        settings("embedded/sentiment", test="dev"), tokenizer
    )
    assert "no embedded data set 'embedded/emotion'" in refused(settings("embedded/emotion"), tokenizer)


def fingerprint(path: Path, tokenizer: Any, **more: Any) -> str:
    return loaded(settings(path, **more), tokenizer).fingerprint


def test_a_fingerprint_changes_with_what_is_trained_and_scored_on(folder: Folder, tokenizer: Any) -> None:
    one_word = {**TRAIN, "sentence": ["a fine film", *TRAIN["sentence"][1:]]}
    one_label = {**TRAIN, "label": [0, *TRAIN["label"][1:]]}
    numbered = {**TRAIN, "idx": range(8)}
    turned = {name: list(reversed(values)) for name, values in TRAIN.items()}
    prints = [
        fingerprint(folder(), tokenizer),
        fingerprint(folder(one_word, name="word"), tokenizer),
        fingerprint(folder(one_label, name="label"), tokenizer),
        fingerprint(folder(numbered, {**TEST, "idx": [0, 1, 2]}, name="id"), tokenizer),
        fingerprint(folder(numbered, {**TEST, "idx": [0, 1, 3]}, name="other"), tokenizer),
        fingerprint(folder(turned, name="turned"), tokenizer),
        fingerprint(folder(), tokenizer, max_length=2),
        fingerprint(folder(), tokenizer, train_size=6),
    ]
    assert len(set(prints)) == len(prints)


def test_a_fingerprint_follows_a_changed_file_past_the_cache(folder: Folder, tokenizer: Any) -> None:
    before = fingerprint(folder(), tokenizer)
    after = fingerprint(folder({**TRAIN, "label": [0, 1, 0, 1, 1, 0, 0, 1]}), tokenizer)
    assert before != after
    assert fingerprint(folder(), tokenizer) == before


def test_a_fingerprint_is_of_the_content_not_of_a_cache_entry(tmp_path: Path, folder: Folder, tokenizer: Any) -> None:
    # datasets gives a transform that closes over what cannot be hashed another name each time.
    seen = (number for number in range(100))

    def transform(row: dict[str, Any]) -> dict[str, Any]:
        next(seen)
        return {"sentence": row["sentence"].strip()}

    raw = datasets.Dataset.from_dict(dict(TRAIN))
    mapped = [raw.map(transform), raw.map(transform)]
    assert mapped[0]._fingerprint != mapped[1]._fingerprint
    prints = set()
    for number, rows in enumerate(mapped):
        path = folder(rows.to_dict(), name=f"set{number}")
        prints.add(fingerprint(path, tokenizer))
    assert len(prints) == 1


def test_a_fingerprint_is_the_same_in_another_process(folder: Folder, tokenizer: Any, tmp_path: Path) -> None:
    path = folder()
    code = (
        "import json, sys\n"
        "from harness.data import dataset, tokenization\n"
        "from harness.models import checkpoints\n"
        "from harness.study.settings import Data\n"
        "tokenizer = checkpoints.load_tokenizer(checkpoints.find_checkpoint('embedded/tiny-gpt2'))\n"
        "block = Data(path=sys.argv[1])\n"
        "task = tokenization.tokenise(dataset.read(block), block, tokenizer)\n"
        "print(json.dumps([task.fingerprint, task.train.ids]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={"HF_DATASETS_CACHE": str(tmp_path / "another"), "HF_HUB_OFFLINE": "1", "PYTHONHASHSEED": "7", "PATH": ""},
        cwd=Path(dataset.__file__).parents[2],
    )
    task = loaded(settings(path), tokenizer)
    assert json.loads(done.stdout) == [task.fingerprint, list(task.train.ids)]


def test_a_column_groups_the_test_examples(folder: Folder, tokenizer: Any) -> None:
    path = str(folder(test={**TEST, "document": ["a", "b", "a"]}))
    plain = loaded(Data(path=path), tokenizer)
    grouped = loaded(Data(path=path, cluster="document"), tokenizer)
    assert plain.clusters is None
    assert grouped.clusters == ("a", "b", "a")
    # What is trained and scored stays the same, and so do the trials' keys.
    assert grouped.fingerprint == plain.fingerprint
    subset = loaded(Data(path=path, cluster="document", test_size=2), tokenizer)
    assert subset.clusters == tuple(grouped.clusters[grouped.test.ids.index(i)] for i in subset.test.ids)
    assert len(dataset.read(Data(path=path)).test) == 3
    assert len(dataset.read(Data(path=path, test_size=2)).test) == 2


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["a", None, "a"], "column 'document' of split 'validation' is empty in 1 of 3 rows"),
        (["a", "a", "a"], "holds one cluster only"),
    ],
)
def test_a_useless_grouping_is_refused(folder: Folder, tokenizer: Any, column: list[Any], words: str) -> None:
    path = str(folder(test={**TEST, "document": column}))
    with pytest.raises(DataError, match=words):
        loaded(Data(path=path, cluster="document"), tokenizer)
    with pytest.raises(DataError, match=r"no column 'documnt'; there are .*did you mean 'document'"):
        loaded(Data(path=path, cluster="documnt"), tokenizer)
