"""Pretrained models: weights are taken from the checkpoint by name, and the head is drawn or kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from harness import embedded
from harness.errors import ModelError
from harness.models import checkpoints, pretrained
from harness.models.build import build_model, parameter_counts
from harness.models.checkpoints import Checkpoint
from harness.models.head import match_classes
from harness.models.pretrained import checkpoint_remarks
from harness.quiet import quiet
from harness.runs.runner import prepare, run_study
from harness.seeding import streams
from harness.study.loading import load_study
from harness.study.settings import Arm
from tests.harness.models.tiny_configs import BERT, GPT2

ALBERT = transformers.AlbertConfig(
    vocab_size=30,
    embedding_size=8,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=8,
    max_position_embeddings=16,
)
MODERN = transformers.ModernBertConfig(
    vocab_size=30,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=8,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    cls_token_id=1,
    sep_token_id=2,
)


CLASSIFIER = transformers.AutoModelForSequenceClassification


def rename(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    """Write a checkpoint's tensors anew, under other names or fewer of them."""
    file = folder / "model.safetensors"
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    save_file(change(tensors), file, metadata={"format": "pt"})


def build(checkpoint: Checkpoint, seed: int = 0, n_classes: int = 2) -> Any:
    return build_model(checkpoint, Arm(), n_classes=n_classes, pad_token_id=0, streams=streams(seed))


@pytest.mark.parametrize(
    ("config", "auto", "new"),
    [
        (BERT, transformers.AutoModel, {"classifier"}),
        (BERT, transformers.AutoModelForMaskedLM, {"bert.pooler.dense", "classifier"}),
        (ALBERT, transformers.AutoModelForMaskedLM, {"albert.pooler", "classifier"}),
        (BERT, CLASSIFIER, {"classifier"}),
        (GPT2, transformers.AutoModelForCausalLM, {"score"}),
        # Its dense layer is pretrained together with the masked language model; only the last layer is new.
        (MODERN, transformers.AutoModelForMaskedLM, {"classifier"}),
    ],
    ids=["backbone", "no pooler", "albert", "own head", "gpt2", "modernbert"],
)
def test_what_is_new_is_known_before_a_weight_is_read(
    saved: Callable[..., Path], config: Any, auto: Any, new: set[str]
) -> None:
    checkpoint = checkpoints.find_checkpoint(str(saved(config, auto)))
    outline = pretrained.outline(checkpoint, n_classes=3)
    assert {name.rpartition(".")[0] for name in outline.new} == new
    assert {p.device.type for p in outline.model.parameters()} == {"meta"}
    assert pretrained.load(checkpoint, n_classes=3).new == outline.new


@pytest.mark.parametrize("config", [BERT, ALBERT, GPT2, MODERN], ids=lambda config: config.model_type)
def test_modules_are_built_once_and_each_seeds_copy_is_what_from_pretrained_gives(
    saved: Callable[..., Path], config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = saved(config)
    kind, built = type(CLASSIFIER.from_config(config)), []
    construct = kind.__init__

    def counted(self: Any, config: Any) -> None:
        built.append(self)
        construct(self, config)

    monkeypatch.setattr(kind, "__init__", counted)
    checkpoint = checkpoints.find_checkpoint(str(folder))
    first = build(checkpoint)
    known = len(built)
    further = [build(checkpoint, seed) for seed in (1, 2)]
    assert len(built) == known
    for seed, model in enumerate([first, *further]):
        with torch.random.fork_rng(), quiet():
            torch.manual_seed(streams(seed).initialisation)
            alone = CLASSIFIER.from_pretrained(folder, num_labels=2, dtype=torch.float32)
        assert type(model) is kind
        values = [dict([*one.named_parameters(), *one.named_buffers()]) for one in (model, alone)]
        assert values[0].keys() == values[1].keys()
        assert all(torch.equal(value, values[1][name]) for name, value in values[0].items())
    places = [{p.data_ptr() for p in model.parameters()} for model in (first, *further)]
    assert len(set.union(*places)) == sum(map(len, places))


def test_a_head_that_the_checkpoint_brings_is_drawn_anew_by_every_seed(saved: Callable[..., Path]) -> None:
    bare, owned = (checkpoints.find_checkpoint(str(saved(BERT, auto))) for auto in (transformers.AutoModel, CLASSIFIER))
    drawn = [build(checkpoint, seed).classifier.weight for checkpoint in (owned, bare) for seed in (0, 1)]
    assert not torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    assert torch.equal(drawn[1], drawn[3])
    # A head of another size is in nobody's way.
    assert build(owned, n_classes=5).classifier.weight.shape == (5, 8)
    remarks = checkpoint_remarks(owned, classes=["no", "yes"])
    assert remarks == (
        f"{owned.name} has a classification head of its own, classifier (2 classes); every seed draws a new one. "
        "head: kept keeps it",
    )
    assert checkpoint_remarks(bare, classes=["no", "yes"]) == ()


LABELS = {"id2label": {0: "UNACCEPTABLE", 1: "ACCEPTABLE"}, "label2id": {"UNACCEPTABLE": 0, "ACCEPTABLE": 1}}


@pytest.mark.parametrize(
    ("settings", "classes", "rows"),
    [
        (LABELS, ("acceptable", "unacceptable"), [1, 0]),
        (LABELS, ("unacceptable", "acceptable"), [0, 1]),
        (LABELS, ("0", "1"), [0, 1]),
        ({}, ("unacceptable", "acceptable"), [0, 1]),
    ],
    ids=["by name", "as they stand", "numbers", "without names"],
)
@pytest.mark.parametrize("config", [BERT, GPT2], ids=["bert", "gpt2"])
def test_a_head_that_is_kept_answers_in_the_order_of_the_classes(
    saved: Callable[..., Path], config: Any, settings: dict[str, Any], classes: tuple[str, ...], rows: list[int]
) -> None:
    folder = saved(config, CLASSIFIER, **settings)
    checkpoint = match_classes(checkpoints.find_checkpoint(str(folder), keep_head=True), classes)
    with quiet():
        before = CLASSIFIER.from_pretrained(folder)
    ids = {"input_ids": torch.arange(3, 11).reshape(1, 8), "attention_mask": torch.ones(1, 8)}
    for seed in (0, 1):
        after = build(checkpoint, seed).eval()
        torch.testing.assert_close(after(**ids).logits, before.eval()(**ids).logits[:, rows])
    loaded = pretrained.outline(checkpoint, n_classes=2)
    assert not loaded.new
    assert (checkpoint.identity_at_start == checkpoint.identity + ", its head kept") == (rows == [0, 1])


@pytest.mark.parametrize("config", [BERT, GPT2], ids=["bert", "gpt2"])
def test_a_regression_has_one_output(saved: Callable[..., Path], config: Any) -> None:
    folder = saved(config, CLASSIFIER, num_labels=1)
    checkpoint = match_classes(checkpoints.find_checkpoint(str(folder), keep_head=True), ())
    model = build(checkpoint, n_classes=0)
    theirs = CLASSIFIER.from_pretrained(folder)
    assert (model.config.num_labels, model.config.problem_type) == (1, "regression")
    assert all(torch.equal(ours, other) for ours, other in zip(model.parameters(), theirs.parameters(), strict=True))
    assert checkpoint_remarks(checkpoint, classes=()) == (f"every seed starts from the head of {checkpoint.name}",)
    of_classes = checkpoints.find_checkpoint(str(saved(config, CLASSIFIER, num_labels=2)), keep_head=True)
    with pytest.raises(ModelError, match=r"needs a classification head of one output, as the data ask for; .* \[2, "):
        build(match_classes(of_classes, ()), n_classes=0)


def test_a_head_that_is_not_there_cannot_be_kept(saved: Callable[..., Path]) -> None:
    def refusal(auto: Any, classes: tuple[str, ...], **settings: Any) -> str:
        checkpoint = checkpoints.find_checkpoint(str(saved(BERT, auto, **settings)), keep_head=True)
        with pytest.raises(ModelError) as caught:
            parameter_counts(match_classes(checkpoint, classes), Arm(), n_classes=len(classes))
        return str(caught.value)

    assert "head of 2 classes, as the data ask for" in refusal(transformers.AutoModel, ("a", "b"))
    tokens = refusal(transformers.AutoModelForTokenClassification, ("a", "b"))
    assert "has BertForTokenClassification with classifier.weight [2, 8]" in tokens
    assert "the data have a, b, c, and the head of" in refusal(CLASSIFIER, ("a", "b", "c"))
    assert "has UNACCEPTABLE, ACCEPTABLE" in refusal(CLASSIFIER, ("good", "bad"), **LABELS)


def test_every_weight_that_is_not_new_is_the_checkpoints(saved: Callable[..., Path]) -> None:
    folder = saved(BERT, CLASSIFIER)
    stored = load_file(folder / "model.safetensors")
    loaded = pretrained.load(checkpoints.find_checkpoint(str(folder)), n_classes=2)
    drawn = dict(loaded.model.named_parameters())
    assert set(drawn) == set(stored)
    for name in (name for name in drawn if not name.endswith("classifier.bias")):  # a new one is zero as well
        parameter = drawn[name]
        assert torch.equal(parameter, stored[name]) == (name not in loaded.new), name


@pytest.mark.parametrize("prefix", ["module.", "model."])
def test_weights_under_other_names_are_refused(saved: Callable[..., Path], prefix: str) -> None:
    folder = saved(BERT)
    rename(folder, lambda tensors: {f"{prefix}{name}": tensor for name, tensor in tensors.items()})
    with pytest.raises(ModelError, match=rf"lack 37 of the backbone, which would be random: bert\..*file has {prefix}"):
        build(checkpoints.find_checkpoint(str(folder)))


def test_a_missing_layer_is_refused(saved: Callable[..., Path]) -> None:
    folder = saved(GPT2)
    rename(folder, lambda tensors: {name: tensor for name, tensor in tensors.items() if not name.startswith("h.1.")})
    with pytest.raises(ModelError, match=r"lack 12 of the backbone.*transformer\.h\.1\.attn"):
        parameter_counts(checkpoints.find_checkpoint(str(folder)), Arm(), n_classes=2)


def test_a_backbone_of_another_size_is_refused(saved: Callable[..., Path]) -> None:
    folder = saved(BERT)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 31}))
    with pytest.raises(ModelError, match=r"word_embeddings\.weight \[30, 8\] for \[31, 8\]"):
        build(checkpoints.find_checkpoint(str(folder)))


def test_layers_that_the_configuration_leaves_out_are_told(saved: Callable[..., Path]) -> None:
    folder = saved(BERT)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    loaded = pretrained.outline(checkpoints.find_checkpoint(str(folder)), n_classes=2)
    assert len(loaded.unused) == 16
    assert all("encoder.layer.1." in name for name in loaded.unused)
    (remark,) = checkpoint_remarks(checkpoints.find_checkpoint(str(folder)), classes=["no", "yes"])
    assert "has 16 weights that its configuration has no place for; they are not used: encoder.layer.1." in remark


def test_a_pooler_that_is_new_is_told(saved: Callable[..., Path]) -> None:
    checkpoint = checkpoints.find_checkpoint(str(saved(BERT, transformers.AutoModelForMaskedLM)))
    (remark,) = checkpoint_remarks(checkpoint, classes=["no", "yes"])
    assert remark == f"{checkpoint.name} has no weights for bert.pooler.dense; every seed draws them"


STUDY = """\
name: kept
model: {model}
head: kept
data: {{path: embedded/sentiment, train_size: 30, test_size: 40}}
training: {{num_train_epochs: 0}}
arms:
  full: {{}}
  lora: {{adapter: {{peft_type: LORA, target_modules: [c_attn]}}}}
seeds: 2
timing: off
"""


def test_a_kept_head_scores_what_it_scores_in_every_arm(tmp_path: Path) -> None:
    tiny = tmp_path / "tiny"
    shutil.copytree(embedded.checkpoint("embedded/tiny-gpt2"), tiny)
    (tmp_path / "study.yaml").write_text(STUDY.format(model=tiny))
    study = load_study(tmp_path / "study.yaml")
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        model = CLASSIFIER.from_pretrained(tiny, id2label={0: "1", 1: "0"}, label2id={"1": 0, "0": 1})
        model.save_pretrained(tiny)
    messages: list[str] = []
    checkpoint, data, _ = prepare(study, say=messages.append)
    assert messages[0] == f"every seed starts from the head of {tiny}: 0 is 0, 1 is 1"
    assert checkpoint.head_order == (1, 0)
    rows = [torch.tensor([row["input_ids"]]) for row in data.test.features]
    model.eval()
    with torch.inference_mode():
        scores = torch.cat([model(input_ids=row, attention_mask=torch.ones_like(row)).logits for row in rows])
    expected = torch.softmax(scores, dim=-1)[:, [1, 0]]
    summary = run_study(study, tmp_path / "results")
    assert summary.complete
    predictions = sorted(summary.folder.glob("trials/*/predictions.parquet"))
    assert len(predictions) == 4
    for file in predictions:
        table = pd.read_parquet(file)
        probabilities = torch.tensor(table[["p_0", "p_1"]].to_numpy(), dtype=torch.float32)
        torch.testing.assert_close(probabilities, expected, rtol=0, atol=1e-5)
