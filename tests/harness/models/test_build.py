"""A checkpoint, an adapter and a freezing become a model: counted, paired across arms, refused where they misfit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from torch import nn

from harness.errors import ModelError
from harness.models import checkpoints
from harness.models.build import ParameterCounts, build_model, count_parameters, parameter_counts
from harness.models.checkpoints import Checkpoint
from harness.quiet import quiet
from harness.seeding import streams
from harness.study.settings import Arm

PAD = 0
SMALL: dict[str, Any] = {
    "gpt2": transformers.GPT2Config(vocab_size=50, n_positions=16, n_embd=8, n_layer=3, n_head=2),
    "distilbert": transformers.DistilBertConfig(
        vocab_size=50, max_position_embeddings=16, dim=8, n_layers=3, n_heads=2, hidden_dim=16
    ),
    "bert": transformers.BertConfig(
        vocab_size=50,
        max_position_embeddings=16,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
    ),
    "roberta": transformers.RobertaConfig(
        vocab_size=50,
        max_position_embeddings=18,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=1,
    ),
    "electra": transformers.ElectraConfig(
        vocab_size=50,
        max_position_embeddings=16,
        embedding_size=4,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
    ),
    "modernbert": transformers.ModernBertConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        attention_bias=True,
        mlp_bias=True,
        norm_bias=True,
        embedding_dropout=0.1,
        mlp_dropout=0.1,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0),
    ),
    "deberta-v2": transformers.DebertaV2Config(
        vocab_size=50,
        type_vocab_size=0,
        hidden_size=8,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=16,
        relative_attention=True,
        norm_rel_ebd="layer_norm",
        conv_kernel_size=3,
    ),
}
LAYER = {"gpt2": "transformer.h.{}.", "distilbert": "distilbert.transformer.layer.{}."}
EMBEDDINGS = {"gpt2": ("transformer.wte.", "transformer.wpe."), "distilbert": ("distilbert.embeddings.",)}
for _kind in ("bert", "roberta", "electra"):
    LAYER[_kind] = _kind + ".encoder.layer.{}."
    EMBEDDINGS[_kind] = (_kind + ".embeddings.", _kind + ".embeddings_project.")
LAYER |= {"modernbert": "model.layers.{}.", "deberta-v2": "deberta.encoder.layer.{}."}
EMBEDDINGS["modernbert"] = ("model.embeddings.",)
EMBEDDINGS["deberta-v2"] = (
    "deberta.embeddings.",
    *(f"deberta.encoder.{n}." for n in ("rel_embeddings", "LayerNorm", "conv")),
)
TARGETS = {"gpt2": ["c_attn"], "distilbert": ["q_lin", "v_lin"]}
TARGETS |= {kind: ["query"] for kind in ("bert", "roberta", "electra")}
TARGETS |= {"modernbert": ["Wqkv"], "deberta-v2": ["query_proj"]}
HEADS = {
    "gpt2": {"score"},
    "distilbert": {"pre_classifier", "classifier"},
    "bert": {"classifier"},
    "roberta": {"classifier"},
    "electra": {"classifier"},
    "modernbert": {"head", "classifier"},
    "deberta-v2": {"pooler", "classifier"},
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Checkpoint]:
    """A tiny checkpoint of each architecture: a backbone without a classification head."""
    root = tmp_path_factory.mktemp("checkpoints")

    def locate(kind: str) -> Checkpoint:
        folder = root / kind
        if not folder.exists():
            with torch.random.fork_rng(), quiet():
                torch.manual_seed(0)
                transformers.AutoModel.from_config(SMALL[kind]).save_pretrained(folder)
        return checkpoints.find_checkpoint(str(folder))

    return locate


def build(checkpoint: Checkpoint, arm: Arm, seed: int = 0, n_classes: int = 2) -> Any:
    return build_model(checkpoint, arm, n_classes=n_classes, pad_token_id=PAD, streams=streams(seed))


def lora(targets: list[str], **more: Any) -> Arm:
    return Arm.model_validate({"adapter": {"peft_type": "LORA", "target_modules": targets, **more}})


def frozen(layers: int, **more: Any) -> Arm:
    return Arm.model_validate({"freeze": {"layers": layers, **more}})


def default(config: Any) -> Checkpoint:
    return Checkpoint(name="x", source="x", revision=None, identity="", config=config)


def trained(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


GPT2 = transformers.GPT2Config()
DISTILBERT = transformers.DistilBertConfig()
BERT = transformers.BertConfig()
ROBERTA = transformers.RobertaConfig()
BERT_TOTAL, BERT_EMBEDDINGS, BERT_LAYER = 109_483_778, 23_837_184, 7_087_872


@pytest.mark.parametrize(
    ("config", "arm", "total", "trainable"),
    [
        (GPT2, Arm(), 124_441_344, 124_441_344),
        (GPT2, lora(["c_attn"], r=4), 124_590_336, 148_992),
        (GPT2, frozen(0), 124_441_344, 124_441_344 - 50_257 * 768 - 1024 * 768),
        (DISTILBERT, Arm(), 66_955_010, 66_955_010),
        (DISTILBERT, frozen(3), 66_955_010, 21_855_746),
        (DISTILBERT, frozen(6), 66_955_010, 592_130),
        # As in peft's own guide to DistilBERT with r = 8: 739,586 of 67,694,596.
        (DISTILBERT, lora(["q_lin", "v_lin"], r=8), 67_694_596, 739_586),
        (BERT, Arm(), BERT_TOTAL, BERT_TOTAL),
        (BERT, frozen(3), BERT_TOTAL, BERT_TOTAL - BERT_EMBEDDINGS - 3 * BERT_LAYER),
        (ROBERTA, frozen(12), None, 592_130),
        # As under an adapter, nothing of the backbone is left to train: neither the pooler nor the last normalisation.
        (BERT, frozen(12), BERT_TOTAL, 2 * 768 + 2),
        (GPT2, frozen(12), 124_441_344, 2 * 768),
        # BitFit: a layer has 11 biases of 768 (its intermediate layer's is as long as four), and there are two more.
        (BERT, frozen(12, biases="trained"), BERT_TOTAL, (12 * 11 + 2) * 768 + 2 * 768 + 2),
    ],
)
def test_parameters_at_the_real_configurations(config: Any, arm: Arm, total: int | None, trainable: int) -> None:
    counted = parameter_counts(default(config), arm, n_classes=2)
    assert counted == ParameterCounts(total=total or counted.total, trainable=trainable)


def test_counting_neither_draws_nor_loads() -> None:
    before = torch.get_rng_state()
    parameter_counts(default(GPT2), lora(["c_attn"]), n_classes=2)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", SMALL)
def test_counts_are_those_of_the_model_that_is_built(small: Callable[[str], Checkpoint], kind: str) -> None:
    for arm in (Arm(), frozen(1), frozen(3), lora(TARGETS[kind], r=2), lora(TARGETS[kind], r=4, bias="all")):
        described = parameter_counts(small(kind), arm, n_classes=3)
        assert described == count_parameters(build(small(kind), arm, n_classes=3))


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_freezing_takes_the_embeddings_and_the_first_layers(
    small: Callable[[str], Checkpoint], kind: str, layers: int
) -> None:
    model = build(small(kind), frozen(layers))
    still = (*EMBEDDINGS[kind], *(LAYER[kind].format(number) for number in range(layers)))
    if layers == 3:
        still = (EMBEDDINGS[kind][0].split(".")[0] + ".",)
    expected = {name for name, _ in model.named_parameters() if not name.startswith(still)}
    assert trained(model) == expected
    assert expected < {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("layers", [1, 3])
def test_a_freezing_may_leave_the_biases(small: Callable[[str], Checkpoint], kind: str, layers: int) -> None:
    model = build(small(kind), frozen(layers, biases="trained"))
    biases = {name for name, _ in model.named_parameters() if name.rpartition(".")[2] == "bias"}
    assert trained(model) == trained(build(small(kind), frozen(layers))) | biases
    assert len(biases - trained(build(small(kind), frozen(layers)))) >= layers * 6


@pytest.mark.parametrize("kind", SMALL)
def test_no_freezing_freezes_nothing(small: Callable[[str], Checkpoint], kind: str) -> None:
    model = build(small(kind), Arm())
    assert trained(model) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("kind", SMALL)
def test_heads_are_always_trained(small: Callable[[str], Checkpoint], kind: str) -> None:
    # DistilBERT's pre_classifier is new too; without it in modules_to_save it would stay as it was drawn.
    for arm in (frozen(3), lora(TARGETS[kind], r=2)):
        names = trained(build(small(kind), arm))
        for head in HEADS[kind]:
            assert any(f"{head}." in name for name in names), (head, sorted(names))


def test_an_adapter_trains_itself_and_the_head_only(small: Callable[[str], Checkpoint]) -> None:
    names = trained(build(small("distilbert"), lora(["q_lin"], r=2)))
    assert all("lora_" in name or "pre_classifier" in name or "classifier" in name for name in names)
    assert sum("lora_A" in name for name in names) == 3


def logits(model: nn.Module, *texts: list[int]) -> torch.Tensor:
    longest = max(map(len, texts))
    rows = torch.tensor([[*text, *[PAD] * (longest - len(text))] for text in texts])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts])
    model.eval()
    with torch.no_grad():
        scores: torch.Tensor = model(input_ids=rows, attention_mask=mask).logits
    return scores


def test_a_saved_adapter_comes_back_with_its_head(small: Callable[[str], Checkpoint], tmp_path: Path) -> None:
    model = build(small("distilbert"), lora(["q_lin"], r=2))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1)
    model.save_pretrained(tmp_path / "ours")
    # Whoever reloads draws another head first; ours is stored over it.
    with quiet():
        again = peft.PeftModel.from_pretrained(build(small("distilbert"), Arm(), seed=9), tmp_path / "ours")
    torch.testing.assert_close(logits(again, [3, 4, 5]), logits(model, [3, 4, 5]), rtol=0, atol=0)

    # Planted: an adapter that does not name the head stores none.
    with quiet():
        config = peft.LoraConfig(target_modules=["q_lin"], r=2)
        missing = peft.get_peft_model(build(small("distilbert"), Arm()), config)
        missing.save_pretrained(tmp_path / "missing", save_embedding_layers=False)
        lost = peft.PeftModel.from_pretrained(build(small("distilbert"), Arm(), seed=9), tmp_path / "missing")
    assert not torch.equal(logits(lost, [3, 4, 5]), logits(missing, [3, 4, 5]))


def test_modules_to_save_without_the_head_are_refused(small: Callable[[str], Checkpoint]) -> None:
    with pytest.raises(
        ModelError, match=r"must include the new head \(pre_classifier, classifier\), got \['classifier'\]"
    ):
        build(small("distilbert"), lora(["q_lin"], modules_to_save=["classifier"]))
    kept = build(small("distilbert"), lora(["q_lin"], modules_to_save=["classifier", "pre_classifier"]))
    assert any("pre_classifier" in name for name in trained(kept))


def weights(model: nn.Module, part: str = "") -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.named_parameters() if part in name}


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert first
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("arm", [Arm(), lora(["c_attn"], r=2), frozen(1)], ids=["full", "lora", "frozen"])
def test_the_same_streams_give_the_same_weights(small: Callable[[str], Checkpoint], arm: Arm) -> None:
    torch.manual_seed(1)
    model = build(small("gpt2"), arm)
    torch.randn(17)
    again = build(small("gpt2"), arm)
    assert_same(weights(model), weights(again))
    head, other = weights(model, "score"), weights(build(small("gpt2"), arm, seed=1), "score")
    assert not any(torch.equal(head[name], other[name]) for name in head)


def test_outside_its_stream_a_head_is_whatever_was_drawn_before(small: Callable[[str], Checkpoint]) -> None:
    # from_pretrained by itself draws the new head from the global generator.
    def unseeded() -> dict[str, torch.Tensor]:
        with quiet():
            auto = transformers.AutoModelForSequenceClassification
            return weights(auto.from_pretrained(small("gpt2").source, num_labels=2), "score")

    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = unseeded(), unseeded()
    assert not torch.equal(first["score.weight"], second["score.weight"])


@pytest.mark.parametrize("kind", ["gpt2", "distilbert"])
def test_arms_of_one_seed_share_the_head_whatever_their_rank(small: Callable[[str], Checkpoint], kind: str) -> None:
    # An adapter of another rank draws another number of values.
    head = "score" if kind == "gpt2" else "classifier"
    plain = list(weights(build(small(kind), Arm()), head).values())
    for rank in (2, 8):
        model = build(small(kind), lora(TARGETS[kind], r=rank))
        saved = [value for name, value in weights(model, head).items() if "modules_to_save" in name]
        assert len(saved) == len(plain)
        assert all(torch.equal(one, two) for one, two in zip(saved, plain, strict=True))
    again = list(weights(build(small(kind), frozen(2)), head).values())
    assert all(torch.equal(one, two) for one, two in zip(again, plain, strict=True))


def test_an_adapter_starts_as_the_model_itself(small: Callable[[str], Checkpoint]) -> None:
    plain = logits(build(small("gpt2"), Arm()), [3, 4, 5])
    adapted = logits(build(small("gpt2"), lora(["c_attn"], r=4)), [3, 4, 5])
    torch.testing.assert_close(plain, adapted)


def test_building_leaves_the_global_generator_alone(small: Callable[[str], Checkpoint]) -> None:
    before = torch.get_rng_state()
    build(small("gpt2"), lora(["c_attn"], r=4))
    assert torch.equal(before, torch.get_rng_state())


def test_building_leaves_the_global_generator_alone_when_it_fails(small: Callable[[str], Checkpoint]) -> None:
    before = torch.get_rng_state()
    with pytest.raises(ModelError):
        build(small("gpt2"), lora(["q_proj"]))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("kind", SMALL)
def test_padding_on_the_right_changes_no_logit(small: Callable[[str], Checkpoint], kind: str) -> None:
    # With no pad id, GPT-2 refuses a batch of two; with the wrong one it pools at the wrong token.
    model = build(small(kind), Arm())
    assert model.config.pad_token_id == PAD
    together = logits(model, [3, 4], [5, 6, 7, 8, 9])
    alone = torch.cat([logits(model, [3, 4]), logits(model, [5, 6, 7, 8, 9])])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("dropout", ["on", "off"])
def test_a_frozen_part_keeps_its_dropout_unless_told_otherwise(
    small: Callable[[str], Checkpoint], kind: str, dropout: str
) -> None:
    # The activations of a frozen prefix repeat only where its dropout is off.
    model = build(small(kind), frozen(2, dropout=dropout))
    rows = torch.arange(2, 14).reshape(2, 6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model.train()
        first, second = (model(input_ids=rows, output_hidden_states=True).hidden_states for _ in range(2))
    for depth in range(3):
        assert torch.equal(first[depth], second[depth]) == (dropout == "off"), depth
    assert not torch.equal(first[3], second[3])


def test_a_checkpoint_is_known_by_its_content(small: Callable[[str], Checkpoint], tmp_path: Path) -> None:
    source = Path(small("gpt2").source)
    copy = tmp_path / "elsewhere"
    shutil.copytree(source, copy)
    assert checkpoints.find_checkpoint(str(copy)).identity == small("gpt2").identity
    assert checkpoints.find_checkpoint(str(copy)).revision is None
    (copy / "README.md").write_text("a remark")
    assert checkpoints.find_checkpoint(str(copy)).identity == small("gpt2").identity
    weights_file = copy / "model.safetensors"
    content = bytearray(weights_file.read_bytes())
    content[-1] ^= 1
    weights_file.write_bytes(bytes(content))
    assert checkpoints.find_checkpoint(str(copy)).identity != small("gpt2").identity
    shutil.copy(source / "model.safetensors", weights_file)
    (copy / "tokenizer.json").write_text("{}")
    assert checkpoints.find_checkpoint(str(copy)).identity != small("gpt2").identity


def test_embedded_checkpoints_are_local() -> None:
    checkpoint = checkpoints.find_checkpoint("embedded/tiny-gpt2")
    assert checkpoint.name == "embedded/tiny-gpt2"
    assert checkpoint.identity.startswith("sha256:")
    loaded = checkpoints.load_tokenizer(checkpoint)
    assert loaded.pad_token_id is not None


def test_a_checkpoint_that_is_not_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no embedded checkpoint 'embedded/large'; there are: embedded/tiny"):
        checkpoints.find_checkpoint("embedded/large")
    with pytest.raises(ModelError, match=r"no file or folder \./nowhere"):
        checkpoints.find_checkpoint("./nowhere")
    with pytest.raises(ModelError, match=r"no config\.json in this folder"):
        checkpoints.find_checkpoint(str(tmp_path))
    (tmp_path / "config.json").write_text("{ not json")
    with pytest.raises(ModelError, match=r"its config\.json cannot be read"):
        checkpoints.find_checkpoint(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "nothing-known"}')
    with pytest.raises(ModelError, match=r"its config\.json cannot be read"):
        checkpoints.find_checkpoint(str(tmp_path))


def test_without_a_network_the_message_names_a_local_copy() -> None:
    with pytest.raises(ModelError) as caught:
        checkpoints.find_checkpoint("openai-community/gpt2")
    message = str(caught.value)
    assert "model 'openai-community/gpt2' is not here" in message
    assert "model=FOLDER with config.json, model.safetensors and the tokenizer's files" in message
    assert "model=embedded/tiny-gpt2" in message


@pytest.mark.parametrize("kind", SMALL)
def test_a_checkpoint_without_a_tokenizer_is_refused(small: Callable[[str], Checkpoint], kind: str) -> None:
    # For most types transformers itself makes an empty one, and every text would become the same few tokens.
    words = "its tokenizer cannot be loaded" if kind == "modernbert" else "it has no tokenizer files"
    with pytest.raises(ModelError, match=words):
        checkpoints.load_tokenizer(small(kind))


@pytest.mark.parametrize("count", ["describe", "build"])
@pytest.mark.parametrize(
    ("kind", "arm", "words"),
    [
        ("gpt2", frozen(4), r"freeze\.layers: expected 0 to 3, the layers of this model, got 4"),
        ("bert", lora(["query", "valeu"]), r"has no module 'valeu'; did you mean 'value'\?; there are .*query.*value"),
        ("gpt2", lora(["q_proj"]), r"has no module 'q_proj'.*there are .*c_attn.*c_fc.*c_proj"),
        ("gpt2", lora(["score"]), "has no module 'score'"),
        (
            "gpt2",
            Arm.model_validate({"adapter": {"peft_type": "LORRA"}}),
            r"'LORRA' is unknown to peft; did you mean 'LORA'",
        ),
        ("gpt2", Arm.model_validate({"adapter": {"peft_type": "IA3", "rank": 3}}), "peft refuses it: .*rank"),
        ("gpt2", Arm.model_validate({"adapter": {"peft_type": "LORA", "target_modules": "q_.*"}}), "peft refuses it"),
    ],
    ids=["layers", "near", "modules", "head", "kind", "field", "pattern"],
)
def test_an_arm_that_does_not_fit_is_refused(
    small: Callable[[str], Checkpoint], kind: str, arm: Arm, words: str, count: str
) -> None:
    make = build if count == "build" else parameter_counts
    with pytest.raises(ModelError, match=words):
        make(small(kind), arm, n_classes=2)


def test_biases_that_a_model_does_not_have_are_not_trained() -> None:
    with pytest.raises(ModelError, match=r"freeze\.biases: what is frozen of this model has no biases"):
        parameter_counts(default(transformers.ModernBertConfig()), frozen(3, biases="trained"), n_classes=2)


def test_freezing_is_known_for_some_architectures() -> None:
    config = transformers.AlbertConfig(
        vocab_size=50, embedding_size=8, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8
    )
    known = "known for gpt2, bert, roberta, distilbert, electra, modernbert, deberta and deberta-v2 models, not for 'al"
    with pytest.raises(ModelError, match=known):
        parameter_counts(default(config), frozen(1), n_classes=2)
    assert parameter_counts(default(config), Arm(), n_classes=2).trainable > 0
