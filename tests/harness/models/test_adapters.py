"""Every adapter that peft knows is what its name says on every architecture, or is refused with a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import peft
import pytest
import torch
import transformers
from torch import nn

from harness.data.tokenization import TokenizedDataset, TokenizedSplit
from harness.errors import ModelError
from harness.models import adapters, checkpoints
from harness.models.build import build_model, build_outline, count_parameters, modules_trained_beside, parameter_counts
from harness.models.checkpoints import Checkpoint
from harness.quiet import quiet
from harness.runs.rehearsal import Rehearsal
from harness.seeding import streams
from harness.study.settings import Arm, Data

PAD = 0
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
CONFIGS: dict[str, Any] = {
    "gpt2": transformers.GPT2Config(
        vocab_size=50, n_positions=64, n_embd=16, n_layer=3, n_head=2, bos_token_id=1, eos_token_id=1
    ),
    "distilbert": transformers.DistilBertConfig(
        vocab_size=50, max_position_embeddings=64, dim=16, n_layers=3, n_heads=2, hidden_dim=32
    ),
    "bert": transformers.BertConfig(vocab_size=50, max_position_embeddings=64, **SIZES),
    "roberta": transformers.RobertaConfig(vocab_size=50, max_position_embeddings=66, pad_token_id=1, **SIZES),
}
ATTENTION = {"gpt2": ["c_attn"], "distilbert": ["q_lin", "v_lin"], "bert": ["query", "value"]}
ATTENTION["roberta"] = ATTENTION["bert"]
OUTPUTS = {"gpt2": ["c_proj"], "distilbert": ["lin2"], "bert": ["output.dense"], "roberta": ["output.dense"]}
NORMS = {"gpt2": ["ln_1"], "distilbert": ["sa_layer_norm"], "bert": ["LayerNorm"], "roberta": ["LayerNorm"]}
# What a family needs beside target_modules; its rank is 4 where it has one.
FIELDS: dict[str, dict[str, Any]] = {
    "ADAMSS": {"num_subspaces": 2},
    "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 4},
    "CARTRIDGE": {"num_virtual_tokens": 4},
    "FOURIERFT": {"n_frequency": 10},
    "GRALORA": {"gralora_k": 2},
    "MULTITASK_PROMPT_TUNING": {"num_virtual_tokens": 4, "num_tasks": 1},
    "OFT": {"oft_block_size": 4},
    "PREFIX_TUNING": {"num_virtual_tokens": 4},
    "PROMPT_TUNING": {"num_virtual_tokens": 4},
    "P_TUNING": {"num_virtual_tokens": 4, "encoder_hidden_size": 16},
    "ROAD": {"group_size": 4},
    "VBLORA": {"num_vectors": 8, "vector_length": 4, "topk": 2},
    "WAVEFT": {"n_frequency": 10},
}
PROMPTS = {"CARTRIDGE", "CPT", "MULTITASK_PROMPT_TUNING", "PREFIX_TUNING", "PROMPT_TUNING", "P_TUNING"}
# For models of nn.Linear: what is refused, and why. All else must pass.
REFUSED = {
    "ADAMSS": "scikit-learn is required",
    "ADAPTION_PROMPT": "takes no modules_to_save",
    "CPT": "only supports task_type = CAUSAL_LM",
    # At this size its factors are smaller than any rank.
    "LOKR": "has no effect in LOKR",
    "MULTITASK_PROMPT_TUNING": "task_ids cannot be None",
    "POLY": "task_ids should not be None",
    "SHADOW": "cannot run with SHADOW",
    "TRAINABLE_TOKENS": "takes no modules_to_save",
    "XLORA": "takes no modules_to_save",
}
# GPT-2's layers are Conv1D, which many a family does not know.
REFUSED_GPT2 = REFUSED | dict.fromkeys(
    ["BEFT", "BOFT", "C3A", "DELORA", "GLORA", "HRA", "LILY", "LOHA", "LOKR", "MISS", "OFT", "PEANUT", "POLY", "PSOFT"],
    "peft refuses it: .*Conv1D",
)
REFUSED_GPT2 |= dict.fromkeys(["ROAD", "SHIRA", "SUPERTUNING"], "peft refuses it: .*Conv1D")
REFUSED_GPT2 |= dict.fromkeys(["PROMPT_TUNING", "P_TUNING"], "depend on the padding of its batch")
REFUSED_GPT2["OSF"] = "peft puts no OSF on these modules"
# These have no past keys and values.
REFUSED_DISTILBERT = REFUSED | dict.fromkeys(["CARTRIDGE", "PREFIX_TUNING"], "does not support past key values")
ALL = {"gpt2": REFUSED_GPT2, "distilbert": REFUSED_DISTILBERT, "bert": REFUSED, "roberta": REFUSED}
FAMILIES = sorted(str(getattr(kind, "value", kind)) for kind in peft.PEFT_TYPE_TO_CONFIG_MAPPING)
# Quick ones, each for a fault of its own.
SOME = [
    ("gpt2", "VERA"),
    ("gpt2", "WAVEFT"),
    ("gpt2", "OSF"),
    ("gpt2", "P_TUNING"),
    ("gpt2", "PREFIX_TUNING"),
    ("distilbert", "IA3"),
    ("distilbert", "LOKR"),
    ("bert", "BOFT"),
    ("bert", "SHIRA"),
    ("bert", "XLORA"),
    ("roberta", "TINYLORA"),
    ("roberta", "RANDLORA"),
    ("roberta", "POLY"),
]


def arm(family: str, kind: str, **more: Any) -> Arm:
    """An arm with an adapter of a family, as a study would write it."""
    fields: dict[str, Any] = {} if family in PROMPTS else {"target_modules": ATTENTION[kind]}
    takes = peft.PEFT_TYPE_TO_CONFIG_MAPPING[family].__dataclass_fields__
    fields |= FIELDS.get(family, {}) | ({"r": 4} if "r" in takes and family != "OFT" else {})
    if family == "IA3":
        fields |= {"target_modules": [*ATTENTION[kind], *OUTPUTS[kind]], "feedforward_modules": OUTPUTS[kind]}
    if family == "LN_TUNING":
        fields |= {"target_modules": NORMS[kind]}
    if family in PROMPTS and kind == "distilbert":
        fields |= {"token_dim": 16, "num_layers": 3, "num_attention_heads": 2}
    return Arm.model_validate({"adapter": {"peft_type": family, **fields, **more}})


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Checkpoint]:
    """A tiny checkpoint of each architecture, BERT's with a pooler or without one."""
    root = tmp_path_factory.mktemp("checkpoints")

    def located(kind: str, **options: Any) -> Checkpoint:
        folder = root / "-".join([kind, *options])
        if not folder.exists():
            with torch.random.fork_rng(), quiet():
                torch.manual_seed(0)
                transformers.AutoModel.from_config(CONFIGS[kind], **options).save_pretrained(folder)
        return checkpoints.find_checkpoint(str(folder))

    return located


def build(checkpoint: Checkpoint, tested: Arm, seed: int = 0) -> Any:
    return build_model(checkpoint, tested, n_classes=2, pad_token_id=PAD, streams=streams(seed), steps=20)


def trained(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def logits(model: nn.Module, *rows: list[int]) -> torch.Tensor:
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    model.eval()
    with torch.no_grad():
        scores: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return scores


SHORT, LONG = [3, 4], [5, 6, 7, 8, 9, 10]


def rehearsal(checkpoint: Checkpoint, long: Sequence[int] = LONG) -> Rehearsal:
    split = TokenizedSplit(
        ids=("a", "b"), labels=np.array([0, 1]), features=tuple({"input_ids": list(row)} for row in (long, SHORT))
    )
    nowhere: Any = None  # what was read from where, which no model asks
    data = TokenizedDataset(
        train=split, test=split, classes=("no", "yes"), fingerprint="", clusters=None, dataset=nowhere
    )
    return Rehearsal(checkpoint, data, Data(path="x"), PAD)


def assert_sound(checkpoint: Checkpoint, kind: str, family: str) -> None:
    """What a family must be, measured without the rehearsal's help."""
    tested = arm(family, kind)
    model, other = build(checkpoint, tested), build(checkpoint, tested, seed=1)
    assert parameter_counts(checkpoint, tested, n_classes=2) == count_parameters(model)
    apart = torch.cat([logits(model, SHORT), logits(model, LONG)])
    torch.testing.assert_close(logits(model, SHORT, LONG), apart)
    starts_elsewhere = {"C3A", "FOURIERFT", "UNILORA", "VBLORA", *PROMPTS}
    if family not in starts_elsewhere:
        torch.testing.assert_close(apart, torch.cat([logits(build(checkpoint, Arm()), row) for row in (SHORT, LONG)]))
    # With the same values in all that is trained, only what a seed draws and nothing trains can differ.
    values = dict(model.named_parameters())
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(5)
        for name, parameter in other.named_parameters():
            if parameter.requires_grad:
                values[name].copy_(torch.randn_like(parameter))
                parameter.copy_(values[name])
    same = torch.equal(logits(model, LONG), logits(other, LONG))
    projected = {
        "CARTRIDGE",
        "FOURIERFT",
        "FROD",
        "PVERA",
        "RANDLORA",
        "SHIRA",
        "TINYLORA",
        "UNILORA",
        "VERA",
        "WAVEFT",
    }
    assert same == (family not in projected)


def checked(checkpoint: Checkpoint, tested: Arm) -> None:
    """Check an arm as a run does before it trains."""
    parameter_counts(checkpoint, tested, n_classes=2)
    rehearsal(checkpoint)(tested)


@pytest.mark.parametrize(("kind", "family"), SOME)
def test_a_family_is_what_its_name_says(small: Callable[..., Checkpoint], kind: str, family: str) -> None:
    tested = arm(family, kind)
    if family in ALL[kind]:
        with pytest.raises(ModelError, match=ALL[kind][family]):
            checked(small(kind), tested)
    else:
        checked(small(kind), tested)
        assert_sound(small(kind), kind, family)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", CONFIGS)
def test_every_family_is_what_its_name_says(small: Callable[..., Checkpoint], kind: str, family: str) -> None:
    test_a_family_is_what_its_name_says(small, kind, family)


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("drawn", ["pissa", "olora", "orthogonal", False])
def test_ways_of_drawing_lora(small: Callable[..., Checkpoint], kind: str, drawn: str | bool) -> None:
    tested = arm("LORA", kind, init_lora_weights=drawn)
    if (kind, drawn) == ("gpt2", "olora"):
        # peft takes a Conv1D's weight for a Linear's: where it is square, the model starts damaged.
        square = arm("LORA", kind, init_lora_weights=drawn, target_modules=["attn.c_proj"])
        for wrong, words in (
            (tested, "cannot run with LORA .init_lora_weights: olora"),
            (square, "does not start from the checkpoint"),
        ):
            with pytest.raises(ModelError, match=words):
                rehearsal(small(kind))(wrong)
        return
    rehearsal(small(kind))(tested)
    plain, adapted = (logits(build(small(kind), each), LONG) for each in (Arm(), tested))
    assert torch.allclose(plain, adapted, rtol=1e-4, atol=1e-6) == (drawn is not False)


@pytest.mark.parametrize(("kind", "family"), [("gpt2", "PREFIX_TUNING"), ("bert", "PROMPT_TUNING")])
def test_virtual_tokens_need_positions_too(small: Callable[..., Checkpoint], kind: str, family: str) -> None:
    rehearsal(small(kind), long=range(2, 42))(arm(family, kind, num_virtual_tokens=24))
    with pytest.raises(ModelError, match="its longest example has 41 tokens, and 24 virtual ones are added"):
        rehearsal(small(kind), long=range(2, 43))(arm(family, kind, num_virtual_tokens=24))


def test_a_seed_that_no_trial_reaches_is_found(
    small: Callable[..., Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a version of peft that calls it otherwise."""
    monkeypatch.setattr(adapters, "_KEYS", ())
    with pytest.raises(ModelError, match=r"VERA draws from a fixed seed of its own \(0\), so all trials would"):
        rehearsal(small("bert"))(arm("VERA", "bert"))


@pytest.mark.parametrize(
    ("family", "more", "words"),
    [
        ("VERA", {"projection_prng_key": 3}, "adapter.projection_prng_key: leave it out"),
        ("PVERA", {"generator_seed": 3}, "adapter.generator_seed: leave it out"),
        ("LORA", {"layers_to_transform": [0, 99]}, "expected 0 to 2, the layers of this model, got 99"),
        ("LORA", {"layers_to_transform": -1}, "expected 0 to 2, the layers of this model, got -1"),
        ("HIRA", {"layers_to_transform": [3]}, "expected 0 to 2, the layers of this model, got 3"),
        (
            "LORA",
            {"exclude_modules": ["vlaue"]},
            "exclude_modules: this model has no module 'vlaue'; did you mean 'value'",
        ),
        ("LORA", {"modules_to_save": ["classifier", "poler"]}, "has no module 'poler'; did you mean 'pooler'"),
        ("IA3", {"feedforward_modules": ["inter"]}, "feedforward_modules: this model has no module 'inter'"),
        (
            "LORA",
            {"target_modules": ["query", "pooler.dense"], "layers_to_transform": [0]},
            "peft puts no LORA on 'pooler.dense' of this model; layers_to_transform may leave it out",
        ),
        ("LOHA", {"rank_pattern": {"key": 2}}, "rank_pattern: 'key' matches no module that has an adapter"),
        ("LORA", {"target_modules": "("}, "peft refuses it: "),
        ("BOFT", {"boft_block_size": "4"}, "peft refuses it: "),
        ("ADALORA", {"total_step": 9}, "it is the number of the trial's own steps"),
        ("ADALORA", {"target_r": 2}, "r and target_r both mean the final rank"),
        ("ADALORA", {"init_r": 4}, "a final rank below its initial rank, got 4 and 4"),
        ("ADALORA", {"tinit": "1"}, "adapter.tinit: expected a whole number, got '1'"),
    ],
)
def test_what_peft_would_pass_over_is_refused(
    small: Callable[..., Checkpoint], family: str, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        parameter_counts(small("bert"), arm(family, "bert", **more), n_classes=2)


POOLER = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
HEAD = {"classifier.weight", "classifier.bias"}


def plain_names(names: set[str]) -> set[str]:
    return {
        name.replace("modules_to_save.default.", "").removeprefix("base_model.").removeprefix("model.")
        for name in names
        if "lora" not in name and "ia3" not in name and "prompt" not in name
    }


@pytest.mark.parametrize(
    ("tested", "own_pooler_too"),
    [
        (Arm(), True),
        (Arm.model_validate({"freeze": {"layers": 2}}), True),
        (Arm.model_validate({"freeze": {"layers": 3}}), False),
        (arm("LORA", "bert"), False),
        (arm("LORA", "bert", target_modules="all-linear"), False),
        (arm("LORA", "bert", modules_to_save=["classifier"]), False),
        (arm("LORA", "bert", modules_to_save=["pooler", "classifier"]), True),
        (arm("IA3", "bert"), False),
        (arm("PROMPT_TUNING", "bert"), False),
    ],
    ids=["full", "freeze", "freeze-all", "lora", "all-linear", "saved", "saved-pooler", "ia3", "prompt"],
)
def test_what_is_new_is_trained_in_every_arm(
    small: Callable[..., Checkpoint], tested: Arm, own_pooler_too: bool
) -> None:
    for checkpoint in (small("bert"), small("bert", add_pooling_layer=False)):
        model = build(checkpoint, tested)
        names = plain_names(trained(model))
        new = "add_pooling_layer" in checkpoint.name
        assert names >= HEAD
        assert names >= POOLER if new or own_pooler_too else not names & POOLER
        assert parameter_counts(checkpoint, tested, n_classes=2) == count_parameters(model)
    frozen = tested.freeze is not None and tested.freeze.layers == 3
    if tested.adapter is not None or frozen:
        assert names <= HEAD | POOLER, "arms of a frozen backbone train the same beside their adapter"


def test_arms_of_one_seed_share_a_new_pooler(small: Callable[..., Checkpoint]) -> None:
    checkpoint = small("bert", add_pooling_layer=False)
    poolers = []
    for tested in (Arm(), arm("LORA", "bert"), arm("VERA", "bert"), Arm.model_validate({"freeze": {"layers": 3}})):
        values = dict(build(checkpoint, tested).named_parameters())
        poolers += [value for name, value in values.items() if "pooler" in name and "weight" in name]
    assert len(poolers) == 6  # peft keeps the untrained original beside what it trains
    assert all(torch.equal(value, poolers[0]) for value in poolers)
    again = dict(build(checkpoint, Arm(), seed=1).named_parameters())["bert.pooler.dense.weight"]
    assert not torch.equal(again, poolers[0])


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("family", ["LORA", "VERA"])
def test_all_linear_layers(small: Callable[..., Checkpoint], kind: str, family: str) -> None:
    tested = arm(family, kind, target_modules="all-linear")
    model = build(small(kind), tested)
    assert parameter_counts(small(kind), tested, n_classes=2) == count_parameters(model)
    assert logits(model, SHORT, LONG).shape == (2, 2)
    assert not any("lora" in name or "vera" in name for name in trained(model) if "modules_to_save" in name)


@pytest.mark.parametrize(("rank", "start"), [(2, 3), (4, 6)])
def test_adalora_starts_with_more_ranks_than_it_ends_with(
    small: Callable[..., Checkpoint], rank: int, start: int
) -> None:
    model = build(small("bert"), arm("ADALORA", "bert", r=rank))
    assert {p.shape[0] for name, p in model.named_parameters() if "lora_A" in name} == {start}
    config = model.peft_config["default"]
    assert (config.target_r, config.init_r, config.total_step) == (rank, start, 20)


@pytest.mark.parametrize(
    ("kind", "tested", "parts"),
    [
        ("bert", arm("LORA", "bert"), ("classifier",)),
        ("bert-new", arm("LORA", "bert"), ("bert.pooler.dense", "classifier")),
        ("bert-new", arm("PROMPT_TUNING", "bert"), ("bert.pooler.dense", "classifier")),
        ("bert-new", Arm.model_validate({"freeze": {"layers": 3}}), ("bert.pooler.dense", "classifier")),
        ("bert", Arm.model_validate({"freeze": {"layers": 1}}), ("bert.pooler.dense", "classifier")),
        ("gpt2", Arm.model_validate({"freeze": {"layers": 2}}), ("transformer.ln_f", "score")),
        ("roberta", Arm.model_validate({"freeze": {"layers": 3}}), ("classifier",)),
        ("bert", Arm.model_validate({"freeze": {"layers": 3, "biases": "trained"}}), ("biases", "classifier")),
        ("gpt2", arm("LORA", "gpt2", bias="all"), ("biases", "score")),
    ],
)
def test_what_is_trained_beside_an_adapter_is_told(
    small: Callable[..., Checkpoint], kind: str, tested: Arm, parts: tuple[str, ...]
) -> None:
    checkpoint = small("bert", add_pooling_layer=False) if kind == "bert-new" else small(kind)
    assert set(modules_trained_beside(build_outline(checkpoint, tested, n_classes=2))) == set(parts)
