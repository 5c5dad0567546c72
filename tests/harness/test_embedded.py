from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import embedded, load_study
from harness.embedded import corpus, grammar, lexicon
from harness.errors import StudyError

# Pinned: a change of the corpus changes every result that was ever computed on it.
CORPUS_SHA256 = "75d229073d7326cd5031f7a3278b30fbfd1350ff0afdc9d5268a7559189e19bf"


def test_the_shipped_study_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A copy, not a link: archives and some file systems turn a link into a text.
    copy = Path(embedded.__file__).parents[2] / "studies" / "quickstart.yaml"
    assert copy.read_bytes() == embedded.study_file(Path("embedded/quickstart")).read_bytes()
    in_checkout = load_study(copy)
    monkeypatch.chdir(tmp_path)
    study = load_study("embedded/quickstart", ["seeds=3"])
    assert (study.name, study.file, study.arms) == ("quickstart", "embedded/quickstart", in_checkout.arms)
    # A problem is said to be where it can be looked at.
    with pytest.raises(StudyError, match=r"harness/embedded/quickstart\.yaml:\d+: analysis\.margin: "):
        load_study("embedded/quickstart", checks=[lambda raw, arms: [(("analysis", "margin"), "too wide")]])


def test_a_file_of_ones_own_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study_file = Path("embedded/own.yaml")
    with pytest.raises(StudyError, match=r"embedded/own\.yaml: no such file; there is embedded/quickstart$"):
        load_study(study_file)
    study_file.parent.mkdir()
    shutil.copy(embedded.study_file(Path("embedded/quickstart")), study_file)
    assert load_study(study_file).folder == tmp_path / "embedded"
    with pytest.raises(
        StudyError, match=r"did you mean 'embedded/own\.yaml'\?; there are embedded/quickstart, embedded/own"
    ):
        load_study(Path("embedded/own"))
    # A file of the very name comes first.
    shutil.copy(study_file, "embedded/quickstart")
    assert load_study(Path("embedded/quickstart")).folder == tmp_path / "embedded"


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
    seen = {f"{part}." for review in reviews for part in review.text.rstrip(".").split(". ")}
    assert len(reviews) > 3900
    assert not seen & held_out


def test_the_pretraining_stream_would_hold_test_sentences_without_its_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_out = {s for name in ("validation", "test") for s in embedded.split("embedded/sentiment", name)["sentence"]}
    nothing: dict[str, tuple[corpus.Example, ...]] = {"train": (), "validation": (), "test": ()}
    monkeypatch.setattr(corpus, "labelled", lambda: nothing)
    unfiltered = {f"{part}." for review in corpus.unlabelled(4000) for part in review.text.rstrip(".").split(". ")}
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


def test_an_undecided_label_is_a_coin() -> None:
    labels = [e.label for e in corpus.labelled()["train"] if e.leaning is None]
    assert abs(np.mean(labels) - 0.5) < 0.08


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


def test_only_the_labelled_sentences_report_opinions() -> None:
    def hearsay(text: str) -> bool:
        return any(cue in text for cue in (" called it ", "i expected ", "do not believe ", "it could have been "))

    share = np.mean([hearsay(e.sentence) for e in corpus.labelled()["train"]])
    assert 0.12 < share < 0.25
    assert not any(hearsay(review.text) for review in corpus.unlabelled(2000))


def test_the_stars_follow_the_leaning_of_the_review() -> None:
    reviews = list(corpus.unlabelled(4000))
    assert {review.stars for review in reviews} == {1, 2, 3, 4, 5}
    happy = [review.stars for review in reviews if "i would gladly" in review.text and "but" not in review.text]
    assert len(happy) > 30
    assert np.mean(happy) > 4
    assert corpus.Review(text="", stars=1).rating == "one star"
    assert corpus.Review(text="", stars=5).rating == "five stars"


def test_negated_praise_is_negative() -> None:
    examples = [e for e in corpus.labelled()["train"] if e.leaning is not None]
    hits = Counter(
        e.leaning for e in examples for word in lexicon.GOOD_PLAIN if f"was not very {word} " in f"{e.sentence[:-1]} "
    )
    assert hits[0] > hits[1]


def test_a_word_can_be_praise_in_one_field_and_blame_in_another() -> None:
    fields = [field for topic in lexicon.TOPICS for field in topic.fields]
    praise = {word for field in fields for word in field.good}
    blame = {word for field in fields for word in field.bad}
    assert len(praise & blame) >= 5
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


def test_a_checkpoint_is_small_and_recorded(name: str) -> None:
    folder = embedded.checkpoint(name)
    assert 1_000_000 < (folder / "model.safetensors").stat().st_size < 2_000_000
    record = json.loads((folder / "pretraining.json").read_text())
    assert record["corpus"] == CORPUS_SHA256
    assert not list(folder.glob("*.bin"))


def _loaded(name: str) -> tuple[Any, Any]:
    transformers = pytest.importorskip("transformers")
    folder = embedded.checkpoint(name)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    return model, transformers.AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("checkpoint", "new"),
    [
        ("embedded/tiny-gpt2", {"score.weight"}),
        (
            "embedded/tiny-distilbert",
            {"pre_classifier.weight", "pre_classifier.bias", "classifier.weight", "classifier.bias"},
        ),
    ],
)
def test_only_the_head_is_new_when_a_checkpoint_is_loaded(checkpoint: str, new: set[str]) -> None:
    transformers = pytest.importorskip("transformers")
    _, info = transformers.AutoModelForSequenceClassification.from_pretrained(
        embedded.checkpoint(checkpoint), num_labels=2, output_loading_info=True
    )
    assert set(info["missing_keys"]) == new
    assert not info["mismatched_keys"]


def test_gpt2_has_attention_in_one_matrix_and_no_padding_token() -> None:
    model, tokenizer = _loaded("embedded/tiny-gpt2")
    attention = [name for name, _ in model.named_modules() if name.endswith("c_attn")]
    assert attention == [f"transformer.h.{layer}.attn.c_attn" for layer in range(4)]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|endoftext|>", None)
    ids = tokenizer("the plot was dull.")["input_ids"]
    assert tokenizer.eos_token_id not in ids
    dropouts = (model.config.attn_pdrop, model.config.embd_pdrop, model.config.resid_pdrop)
    assert dropouts == (0.1, 0.1, 0.1)


def test_distilbert_has_six_layers_and_marks_the_ends() -> None:
    model, tokenizer = _loaded("embedded/tiny-distilbert")
    assert model.config.n_layers == len(model.distilbert.transformer.layer) == 6
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("the plot was dull.")["input_ids"])
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")
    assert (tokenizer.pad_token, tokenizer.mask_token) == ("[PAD]", "[MASK]")
    assert (model.config.dropout, model.config.attention_dropout) == (0.1, 0.1)
    assert model.config.pad_token_id == tokenizer.pad_token_id


def test_every_sentence_survives_its_tokenizer(name: str) -> None:
    model, tokenizer = _loaded(name)
    sentences = [s for split in embedded.SPLITS for s in embedded.split("embedded/sentiment", split)["sentence"]]
    encoded = tokenizer(sentences)["input_ids"]
    assert len(tokenizer) == model.config.vocab_size
    assert max(map(len, encoded)) < tokenizer.model_max_length == 128
    if tokenizer.unk_token != tokenizer.eos_token:
        assert not any(tokenizer.unk_token_id in ids for ids in encoded)
    restored = tokenizer.batch_decode(encoded, skip_special_tokens=True)
    spaceless = [sentence.replace(" ", "") for sentence in sentences]
    assert [text.replace(" ", "") for text in restored] == spaceless


def test_other_text_has_no_unknown_tokens_either(name: str) -> None:
    _, tokenizer = _loaded(name)
    tokens = tokenizer.tokenize("It's 7 o'clock: Zürich & QUX (50%) -- ok?")
    assert len(tokens) > 8
    assert tokenizer.unk_token not in tokens


def test_the_pretrained_weights_are_finite_and_trained(name: str) -> None:
    model, _ = _loaded(name)
    embeddings = model.get_input_embeddings().weight.detach().numpy()
    assert np.isfinite(embeddings).all()
    # Fresh weights have this spread; training moves frequent words far from it.
    assert embeddings.std() > 1.5 * model.config.initializer_range


def test_the_shipped_checkpoints_pass_their_own_check(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from harness.embedded import pretrain

    assert pretrain.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_the_check_names_what_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    from harness.embedded import pretrain

    folder = tmp_path / "tiny-gpt2"
    shutil.copytree(embedded.checkpoint("embedded/tiny-gpt2"), folder)
    record = json.loads((folder / "pretraining.json").read_text())
    (folder / "pretraining.json").write_text(json.dumps(record | {"corpus": "0" * 64}))
    monkeypatch.setattr(pretrain, "checkpoint", lambda name: folder)
    monkeypatch.setattr(pretrain, "MAX_BYTES", 1_000_000)
    assert pretrain.main(["--check", "embedded/tiny-gpt2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "at most 999,999" in lines[0]
    assert CORPUS_SHA256 in lines[1]


def test_pretraining_again_gives_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    from harness.embedded import pretrain

    short = pretrain.Recipe(steps=20, batch_size=2, learning_rate=1e-3, seed=5)
    monkeypatch.setitem(pretrain.RECIPES, name, short)
    monkeypatch.setattr(pretrain, "REVIEWS", 300)
    lines: list[str] = []
    weights = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        torch.rand(3)
        pretrain.pretrain(name, folder, report=lines.append)
        weights.append(load_file(folder / "model.safetensors"))
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert json.loads((tmp_path / "a" / "pretraining.json").read_text())["recipe"]["steps"] == 20
    assert "parameters" in lines[0]
