from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from harness import embedded
from harness.embedded import corpus, grammar, lexicon

# Pinned: a change of the corpus changes every result that was ever computed on it.
CORPUS_SHA256 = "PIN"


def _words(sentence: str) -> list[str]:
    return sentence.replace(",", "").replace(";", "").rstrip(".").split()


def test_the_corpus_is_the_pinned_one() -> None:
    assert corpus.fingerprint() == CORPUS_SHA256


def test_generating_again_gives_the_same_corpus() -> None:
    again = corpus.labelled.__wrapped__()
    assert again == corpus.labelled()


@pytest.mark.parametrize(("split", "size"), [("train", 6000), ("validation", 800), ("test", 800)])
def test_a_split_has_the_columns_of_sst2(split: str, size: int) -> None:
    columns = embedded.split("embedded/sentiment", split)
    assert list(columns) == ["sentence", "label", "idx"]
    assert {len(values) for values in columns.values()} == {size}
    assert columns["idx"] == list(range(size))
    assert set(columns["label"]) == {0, 1}
    assert all(type(label) is int for label in columns["label"])
    assert all(type(sentence) is str for sentence in columns["sentence"])


def test_no_sentence_occurs_twice_within_or_between_splits() -> None:
    sentences = [s for name in embedded.SPLITS for s in embedded.split("embedded/sentiment", name)["sentence"]]
    assert len(set(sentences)) == len(sentences) == 7600


def test_no_pretraining_sentence_is_in_the_held_out_splits() -> None:
    held_out = {s for name in ("validation", "test") for s in embedded.split("embedded/sentiment", name)["sentence"]}
    reviews = list(corpus.unlabelled(4000))
    seen = {sentence for review in reviews for sentence in review}
    assert len(reviews) > 3900
    assert not seen & held_out


def test_the_pretraining_stream_would_hold_test_sentences_without_its_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_out = {s for name in ("validation", "test") for s in embedded.split("embedded/sentiment", name)["sentence"]}
    nothing: dict[str, tuple[corpus.Example, ...]] = {"train": (), "validation": (), "test": ()}
    monkeypatch.setattr(corpus, "labelled", lambda: nothing)
    unfiltered = {sentence for review in corpus.unlabelled(4000) for sentence in review}
    assert unfiltered & held_out


@pytest.mark.parametrize("split", embedded.SPLITS)
def test_classes_are_about_even(split: str) -> None:
    labels = embedded.split("embedded/sentiment", split)["label"]
    assert abs(np.mean(labels) - 0.5) < 0.05


def test_the_noise_is_as_promised_in_every_split() -> None:
    for examples in corpus.labelled().values():
        undecided = np.mean([example.leaning is None for example in examples])
        decided = [example for example in examples if example.leaning is not None]
        flipped = np.mean([example.label != example.leaning for example in decided])
        assert abs(undecided - corpus.UNDECIDED_RATE) < 0.03
        assert abs(flipped - corpus.FLIP_RATE) < 0.025


def test_the_best_possible_accuracy_leaves_room_for_good_models() -> None:
    for examples in corpus.labelled().values():
        chance = [0.5 if e.leaning is None else float(e.label == e.leaning) for e in examples]
        assert 0.89 < np.mean(chance) < 0.95


def test_an_undecided_label_is_a_coin_and_a_flipped_one_is_noisy() -> None:
    labels = [e.label for e in corpus.labelled()["train"] if e.leaning is None]
    assert abs(np.mean(labels) - 0.5) < 0.08
    assert corpus.Example(sentence="", label=1, leaning=None).noisy
    assert corpus.Example(sentence="", label=1, leaning=0).noisy
    assert not corpus.Example(sentence="", label=1, leaning=1).noisy


def test_sentences_have_five_to_twenty_words_of_a_few_hundred() -> None:
    sentences = [e.sentence for examples in corpus.labelled().values() for e in examples]
    lengths = [len(_words(sentence)) for sentence in sentences]
    assert (min(lengths), max(lengths)) == (grammar.MIN_WORDS, grammar.MAX_WORDS) == (5, 20)
    vocabulary = {word for sentence in sentences for word in _words(sentence)}
    assert 300 < len(vocabulary) < 600
    assert all(sentence.endswith(".") and sentence == sentence.lower() for sentence in sentences)


def test_negation_contrast_and_intensity_are_common() -> None:
    texts = [f" {' '.join(_words(e.sentence))} " for e in corpus.labelled()["train"]]

    def share(*cues: str) -> float:
        return float(np.mean([any(f" {cue} " in text for cue in cues) for text in texts]))

    assert share("not", "never", "hardly", "scarcely", "far from", "anything but") > 0.2
    assert share("but", "yet", "although", "even though", "despite", "in spite of") > 0.15
    assert share("a little", "slightly", *lexicon.INTENSIFIERS, *lexicon.STRONG_INTENSIFIERS) > 0.2


def test_negated_praise_is_negative() -> None:
    examples = [e for e in corpus.labelled()["train"] if e.leaning is not None]
    plain = [e.leaning for e in examples if len(_words(e.sentence)) < 8 and " was not very good" in e.sentence]
    assert set(plain) <= {0}
    hits = Counter(
        e.leaning for e in examples for word in lexicon.GOOD_PLAIN if f"was not very {word} " in f"{e.sentence[:-1]} "
    )
    assert hits[0] > hits[1]


def test_a_word_can_be_praise_in_one_field_and_blame_in_another() -> None:
    fields = [field for topic in lexicon.TOPICS for field in topic.fields]
    praise = {word for field in fields for word in field.good}
    blame = {word for field in fields for word in field.bad}
    assert len(praise & blame) >= 8
    assert not any(set(field.good) & set(field.bad) for field in fields)
    general = (*lexicon.GOOD_PLAIN, *lexicon.GOOD_STRONG, *lexicon.BAD_PLAIN, *lexicon.BAD_STRONG)
    assert len(set(general)) == len(general)


@pytest.mark.parametrize(
    ("call", "listed"),
    [
        (lambda: embedded.split("embedded/sentiments", "train"), "embedded/sentiment"),
        (lambda: embedded.split("embedded/tiny-gpt2", "train"), "embedded/sentiment"),
        (lambda: embedded.split("embedded/sentiment", "dev"), "train, validation, test"),
        (lambda: embedded.checkpoint("embedded/gpt2"), "embedded/tiny-distilbert, embedded/tiny-gpt2"),
        (lambda: embedded.checkpoint("embedded/../.."), "embedded/tiny-distilbert, embedded/tiny-gpt2"),
    ],
)
def test_an_unknown_name_lists_those_that_exist(call: object, listed: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=listed):
        call()


def test_names() -> None:
    assert embedded.is_embedded("embedded/anything")
    assert not embedded.is_embedded("nyu-mll/glue")
    assert not embedded.is_embedded("embedded")


def test_names_and_data_need_no_torch() -> None:
    code = (
        "import sys; from harness import embedded; embedded.split('embedded/sentiment', 'test');"
        "embedded.checkpoint('embedded/tiny-gpt2'); print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(params=embedded.CHECKPOINTS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _load(name: str) -> tuple[object, object]:
    transformers = pytest.importorskip("transformers")
    folder = embedded.checkpoint(name)
    return (
        transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, local_files_only=True),
        transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True),
    )
