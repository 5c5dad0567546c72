"""Parameter counts by formula, against the models themselves: built by transformers and peft, without weights."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

import peft
import torch
import transformers

import analysis
from analysis.published.architectures import ParameterCounts, known_model, sequence_classifier_parameters

GPT2 = {"vocab_size": 50257, "n_positions": 1024}
BERT = {"max_position_embeddings": 512, "type_vocab_size": 2}
ROBERTA = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
BASE = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
LARGE = {"hidden_size": 1024, "num_attention_heads": 16, "intermediate_size": 4096, "num_hidden_layers": 24}
DISTILBERT = {"dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072, "max_position_embeddings": 512}

# As the checkpoints' config.json have it.
CONFIGS: dict[str, tuple[str, dict[str, int]]] = {
    "openai-community/gpt2": ("GPT2", {**GPT2, "n_embd": 768, "n_layer": 12, "n_head": 12}),
    "openai-community/gpt2-medium": ("GPT2", {**GPT2, "n_embd": 1024, "n_layer": 24, "n_head": 16}),
    "openai-community/gpt2-large": ("GPT2", {**GPT2, "n_embd": 1280, "n_layer": 36, "n_head": 20}),
    "openai-community/gpt2-xl": ("GPT2", {**GPT2, "n_embd": 1600, "n_layer": 48, "n_head": 25}),
    "distilbert/distilbert-base-uncased": ("DistilBert", {**DISTILBERT, "vocab_size": 30522}),
    "distilbert/distilbert-base-cased": ("DistilBert", {**DISTILBERT, "vocab_size": 28996}),
    "google-bert/bert-base-uncased": ("Bert", {**BERT, **BASE, "num_hidden_layers": 12, "vocab_size": 30522}),
    "google-bert/bert-base-cased": ("Bert", {**BERT, **BASE, "num_hidden_layers": 12, "vocab_size": 28996}),
    "google-bert/bert-large-uncased": ("Bert", {**BERT, **LARGE, "vocab_size": 30522}),
    "google-bert/bert-large-cased": ("Bert", {**BERT, **LARGE, "vocab_size": 28996}),
    "FacebookAI/roberta-base": ("Roberta", {**ROBERTA, **BASE, "num_hidden_layers": 12}),
    "FacebookAI/roberta-large": ("Roberta", {**ROBERTA, **LARGE}),
    "distilbert/distilroberta-base": ("Roberta", {**ROBERTA, **BASE, "num_hidden_layers": 6}),
}
SMALL = {
    "gpt2": "openai-community/gpt2",
    "distilbert": "distilbert/distilbert-base-uncased",
    "bert": "google-bert/bert-base-cased",
    "roberta": "distilbert/distilroberta-base",
}


def built(model: str, classes: int) -> Any:
    family, sizes = CONFIGS[model]
    config = getattr(transformers, f"{family}Config")(num_labels=classes, **sizes)
    with torch.device("meta"):
        return getattr(transformers, f"{family}ForSequenceClassification")(config)


def counted(model: Any) -> ParameterCounts:
    return ParameterCounts(
        total=sum(weights.numel() for weights in model.parameters()),
        trainable=sum(weights.numel() for weights in model.parameters() if weights.requires_grad),
    )


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("model", CONFIGS)
def test_all_parameters_of_every_model(model: str, classes: int) -> None:
    expected = counted(built(model, classes))
    for name in (model, model.partition("/")[2]):
        assert sequence_classifier_parameters(name, classes=classes) == expected


@pytest.mark.parametrize(
    ("family", "targets"),
    [
        *(("gpt2", [name]) for name in ("c_attn", "c_proj", "c_fc")),
        ("gpt2", ["c_fc", "c_attn", "c_proj", "c_attn"]),
        *(("distilbert", [name]) for name in ("q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2")),
        ("distilbert", ["q_lin", "v_lin", "lin2"]),
        *((family, [name]) for family in ("bert", "roberta") for name in ("query", "key", "value")),
        ("bert", ["query", "value"]),
        ("roberta", ["query", "key", "value"]),
    ],
)
@pytest.mark.parametrize(("rank", "classes"), [(4, 2), (7, 3)])
def test_lora_is_counted_as_peft_counts_it(family: str, targets: list[str], rank: int, classes: int) -> None:
    model = SMALL[family]
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=rank, target_modules=targets, bias="none", fan_in_fan_out=family == "gpt2"
    )
    with warnings.catch_warnings():
        # peft uses a name that transformers will drop.
        warnings.simplefilter("ignore", FutureWarning)
        trainable, total = peft.get_peft_model(built(model, classes), config).get_nb_trainable_parameters()
    found = sequence_classifier_parameters(model, classes=classes, lora_rank=rank, target_modules=targets)
    assert found == ParameterCounts(total=total, trainable=trainable)


@pytest.mark.parametrize("family", SMALL)
def test_freezing_takes_the_embeddings_and_the_first_layers(family: str) -> None:
    model = built(SMALL[family], 2)
    if family == "gpt2":
        model.transformer.wte.requires_grad_(False)
        model.transformer.wpe.requires_grad_(False)
        blocks = model.transformer.h
    else:
        model.base_model.embeddings.requires_grad_(False)
        blocks = (model.base_model.transformer if family == "distilbert" else model.base_model.encoder).layer
    for depth in range(len(blocks) + 1):
        if depth:
            blocks[depth - 1].requires_grad_(False)
        assert sequence_classifier_parameters(SMALL[family], classes=2, frozen_layers=depth) == counted(model)
    with pytest.raises(ValueError, match=rf"frozen_layers: expected 0 to {depth}, .* got {depth + 1}"):
        sequence_classifier_parameters(SMALL[family], classes=2, frozen_layers=depth + 1)


def test_published_figures() -> None:
    assert sequence_classifier_parameters("gpt2", classes=2) == ParameterCounts(total=124441344, trainable=124441344)
    lora = sequence_classifier_parameters("gpt2", classes=2, lora_rank=4, target_modules=["c_attn"])
    assert lora == ParameterCounts(total=124590336, trainable=148992)
    distilbert = sequence_classifier_parameters("distilbert-base-uncased", classes=2)
    assert distilbert == ParameterCounts(total=66955010, trainable=66955010)


@pytest.mark.parametrize("model", CONFIGS)
def test_a_model_is_known_with_its_owner_or_none(model: str) -> None:
    name = model.partition("/")[2]
    assert known_model(model) == known_model(name) == name


@pytest.mark.parametrize(
    "model",
    ["", "gpt3", "somebody-else/gpt2", "google-bert/gpt2", "./gpt2", "/gpt2", "x/openai-community/gpt2", "gpt2/"],
)
def test_any_other_model_is_unknown(model: str) -> None:
    assert known_model(model) is None
    assert sequence_classifier_parameters(model, classes=2, lora_rank=4, target_modules=["c_attn"]) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 1}, "classes: expected 2 or more, got 1"),
        ({"lora_rank": 0, "target_modules": ["query"]}, "lora_rank: expected 1 or more, got 0"),
        ({"lora_rank": 4}, r"expected one or more of query, key, value for roberta-base, got \[\]"),
        ({"lora_rank": 4, "target_modules": ["query", "dense"]}, "expected one or more of query, key, value .*'dense'"),
        ({"target_modules": ["query"]}, "expected none without lora_rank"),
        ({"lora_rank": 4, "target_modules": ["query"], "frozen_layers": 2}, "got both: 4 and 2"),
        ({"frozen_layers": -1}, "expected 0 to 12, the layers of roberta-base, got -1"),
    ],
)
def test_what_was_received_and_what_is_allowed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sequence_classifier_parameters("roberta-base", **{"classes": 2, **arguments})


def test_counting_loads_no_training_library() -> None:
    heavy = {"torch", "transformers", "peft", "harness"}
    code = f"import sys, analysis.published.architectures; print({heavy!r} & {{*sys.modules}})"
    root = Path(analysis.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "set()"
