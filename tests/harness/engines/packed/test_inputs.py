"""The packed engine against the reference over tokenizers and switches of configurations."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from harness.embedded import checkpoint
from harness.engines.packed.engine import PackedEngine
from harness.engines.packed.model import PackedModel
from harness.runs.runner import prepare
from harness.study.study import Study
from harness.study.trials import expand
from tests.harness.engines.packed.conftest import Trained, expanded
from tests.harness.engines.packed.test_equality import assert_equal, assert_packed, lora, padded

Load = Callable[..., Study]
Train = Callable[[Study], dict[str, Trained]]
SHORT = ("seeds=1", "training.num_train_epochs=1")


def edit(folder: Path, name: str, **fields: Any) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def gives_types(folder: Path) -> None:
    """A BERT's tokenizer, whatever the model, that hands out token types."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoint("embedded/tiny-distilbert") / name, folder / name)
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    edit(folder, "tokenizer_config.json", tokenizer_class="BertTokenizer", model_input_names=inputs)
    model = transformers.AutoModel.from_pretrained(folder)
    vocabulary = json.loads((checkpoint("embedded/tiny-distilbert") / "config.json").read_text())["vocab_size"]
    model.resize_token_embeddings(max(vocabulary, model.config.vocab_size), mean_resizing=False)
    model.save_pretrained(folder)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "arm", "padding"),
    [
        ("gpt2", "{}", ()),
        ("gpt2", "{}", padded("left", 64)),
        ("gpt2", lora("gpt2", 2, "5e-3"), ()),
        ("gpt2", "{freeze: {layers: 2, dropout: off}}", ()),
        ("bert", "{}", ()),
    ],
)
def test_token_types_of_a_pair(
    kind: str, arm: str, padding: tuple[str, ...], study: Load, by_pack: Train, by_trainer: Train
) -> None:
    """GPT-2 adds the word whose number the type is: 0 for every token of the first example, 1 for the second."""
    pair = ("data.text=[sentence,sentence]", *padding)
    of_study = study(kind, {"arm": arm}, *SHORT, *pair, train=40, change=gives_types)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)


def texts_with(token: str, folder: Path) -> Path:
    """Write examples with a special token amid their words."""
    words = ["good", "bad", "dull", "fine", "film", "plot", "actor", "scene"]
    draw = np.random.default_rng(3)
    for split, n in (("train", 40), ("validation", 16)):
        with (folder / f"{split}.csv").open("w", newline="") as stream:
            rows = csv.writer(stream)
            rows.writerow(["sentence", "label"])
            for i in range(n):
                chosen = [*draw.choice(words, draw.integers(2, 9)), token, *draw.choice(words, draw.integers(1, 4))]
                rows.writerow([" ".join(chosen), i % 2])
    return folder


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "token", "padding"),
    [
        ("roberta", "[PAD]", ()),
        ("bert", "[PAD]", ()),
        ("gpt2", "<|endoftext|>", ()),
        ("gpt2", "<|endoftext|>", padded("left", 64)),
    ],
)
def test_a_padding_token_within_a_text(
    kind: str, token: str, padding: tuple[str, ...], tmp_path: Path, study: Load, by_pack: Train, by_trainer: Train
) -> None:
    """RoBERTa does not count it as a position, and its table learns nothing of it."""
    (tmp_path / "texts").mkdir()
    path = texts_with(token, tmp_path / "texts")
    of_study = study(kind, {"full": "{}"}, *SHORT, f"data={{path: {path}}}", *padding)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)


@pytest.mark.usefixtures("in_float64")
def test_a_checkpoint_whose_padding_token_is_not_its_tokenizers(study: Load, by_pack: Train, by_trainer: Train) -> None:
    """RoBERTa counts positions from the padding token of its own configuration."""
    of_study = study(
        "roberta", {"full": "{}"}, *SHORT, train=40, change=lambda f: edit(f, "config.json", pad_token_id=5)
    )
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("arm", ["{}", "{freeze: {layers: 1}}"])
def test_electra_whose_embeddings_are_as_wide_as_its_layers(
    arm: str, study: Load, by_pack: Train, by_trainer: Train
) -> None:
    """Then it has no projection between them."""

    def equally_wide(folder: Path) -> None:
        config = transformers.AutoConfig.from_pretrained(folder)
        config.embedding_size = config.hidden_size
        transformers.AutoModel.from_config(config).save_pretrained(folder)

    of_study = study("electra", {"arm": arm}, *SHORT, train=40, change=equally_wide)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("arm", "switches", "padding"),
    [
        ("{}", {"classifier_pooling": "cls"}, ()),
        ("{}", {"norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True}, ()),
        ("{freeze: {layers: 3, biases: trained}}", {"norm_bias": True, "attention_bias": True}, ()),
        ("{}", {}, padded("left", 24)),
    ],
)
def test_forms_of_modernbert(
    arm: str, switches: dict[str, Any], padding: tuple[str, ...], study: Load, by_pack: Train, by_trainer: Train
) -> None:
    """It counts distances, not positions: what pads a text on the left moves nothing."""

    def changed(folder: Path) -> None:
        config = transformers.AutoConfig.from_pretrained(folder)
        for name, value in switches.items():
            setattr(config, name, value)
        transformers.AutoModel.from_config(config).save_pretrained(folder)

    of_study = study("modernbert", {"arm": arm}, *SHORT, *padding, train=40, change=changed)
    assert_packed(of_study)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "switches"),
    [
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True, "reorder_and_upcast_attn": True}),
        ("gpt2", {"scale_attn_weights": False, "activation_function": "relu", "layer_norm_epsilon": 1e-2}),
        ("bert", {"hidden_act": "relu", "layer_norm_eps": 1e-2, "position_embedding_type": "relative_key"}),
        ("roberta", {"hidden_act": "gelu_new", "classifier_dropout": 0.0, "num_attention_heads": 8}),
        ("electra", {"hidden_act": "relu", "layer_norm_eps": 1e-2, "classifier_dropout": 0.3}),
        ("distilbert", {"activation": "relu", "sinusoidal_pos_embds": True, "n_heads": 2}),
        ("modernbert", {"hidden_activation": "relu", "classifier_activation": "relu", "norm_eps": 1e-2}),
    ],
)
def test_switches_of_a_configuration(kind: str, switches: dict[str, Any], study: Load) -> None:
    """What a pack says of every test example before it is trained is what the model itself says."""
    engine, (trial,) = expanded(
        study(
            kind,
            {"full": "{}"},
            "seeds=1",
            "training.num_train_epochs=0",
            train=40,
            change=lambda f: edit(f, "config.json", **switches),
        )
    )
    reference, packed = (next(iter(e.train([trial], report=print))) for e in (engine.reference, engine))
    assert (reference.engine, packed.engine) == ("trainer", "packed")
    assert np.abs(reference.epochs[0].probabilities - packed.epochs[0].probabilities).max() < 1e-6


def test_a_model_that_has_no_equal_packed_form_is_left_to_the_reference(
    study: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a pack did not know of a model, it sees in the logits, before anything is trained."""
    of_study = study("gpt2", {"full": "{}"}, "seeds=2", "training.num_train_epochs=1", train=40)
    monkeypatch.setattr(PackedModel, "embed", lambda self, split: EMBED(self, split).roll(1, -1))
    messages: list[str] = []
    located, data, _ = prepare(of_study)
    engine = PackedEngine(located, data, of_study.data, 0, say=messages.append)
    trials = expand(of_study, arms=of_study.arms, model=located.identity, data=data.fingerprint)
    outcomes = list(engine.train(trials, report=lambda _: None))
    assert [(outcome.status, outcome.engine) for outcome in outcomes] == [("finished", "trainer")] * len(trials)
    (line,) = messages
    assert "full: cannot be packed (its logits would differ from the model's own by up to" in line
    assert engine.estimate(trials[0]) > 0


EMBED = PackedModel.embed
