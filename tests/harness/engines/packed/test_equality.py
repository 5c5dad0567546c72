"""The packed engine against the reference, dropout off: the same losses, weights and predictions."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from harness.engines.packed.context import PackContext
from harness.engines.packed.packs import PackKey
from harness.study.settings import SeedsBySource
from harness.study.study import Study
from harness.study.training import SCHEDULES
from tests.harness.engines.packed.conftest import CONFIGS, TARGETS, Trained, expanded

Load = Callable[..., Study]
Train = Callable[[Study], dict[str, Trained]]


def lora(kind: str, rank: int, rate: str, alpha: int = 8, more: str = "") -> str:
    adapter = f"{{peft_type: LORA, r: {rank}, lora_alpha: {alpha}, target_modules: {TARGETS[kind]}{more}}}"
    return f"{{training: {{learning_rate: {rate}}}, adapter: {adapter}}}"


def assert_equal(packed: dict[str, Trained], reference: dict[str, Trained], tolerance: float, *, steps: int) -> None:
    assert packed.keys() == reference.keys()
    for name, in_pack in packed.items():
        alone = reference[name]
        assert len(in_pack.losses) == len(alone.losses) == steps, name
        assert in_pack.losses == pytest.approx(alone.losses, rel=tolerance, abs=tolerance), name
        for parameter, expected in alone.weights.items():
            padded = in_pack.weights[parameter]
            unpadded = padded[tuple(slice(extent) for extent in expected.shape)]
            assert torch.allclose(unpadded, expected, rtol=tolerance, atol=tolerance), f"{name}: {parameter}"
            assert padded.count_nonzero() == unpadded.count_nonzero(), "the padding of a smaller rank has learnt"
        assert in_pack.result is not None
        assert alone.result is not None
        assert [in_pack.result.status, in_pack.result.steps, in_pack.result.tokens] == [
            alone.result.status,
            alone.result.steps,
            alone.result.tokens,
        ]
        for mine, theirs in zip(in_pack.result.epochs, alone.result.epochs, strict=True):
            assert mine.learning_rate == theirs.learning_rate
            # The reference adds up its losses, and both score, in single precision.
            assert mine.train_loss == pytest.approx(theirs.train_loss, rel=max(tolerance, 1e-6))
            assert mine.probabilities is not None
            assert theirs.probabilities is not None
            assert np.abs(mine.probabilities - theirs.probabilities).max() < max(tolerance, 1e-6)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", CONFIGS)
def test_lora_of_several_ranks_and_rates(kind: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    arms = {"r2": lora(kind, 2, "5e-3"), "r8": lora(kind, 8, "2e-3", 16), "r3": lora(kind, 3, "1e-2")}
    of_study = study(kind, arms, "seeds=1")
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", CONFIGS)
def test_full_fine_tuning_with_decay_and_clipping(kind: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    arms = {
        "full": "{}",
        "decay": "{training: {weight_decay: 0.3, learning_rate: 1e-3}}",
        "clipped": "{training: {max_grad_norm: 0.05}}",
        "unclipped": "{training: {max_grad_norm: 0.0, adam_beta1: 0.8, adam_beta2: 0.95, adam_epsilon: 1e-6}}",
    }
    of_study = study(kind, arms, "seeds=1")
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "freeze"),
    [
        ("bert", "{layers: 2}"),
        ("roberta", "{layers: 0}"),
        ("electra", "{layers: 1, dropout: off}"),
        ("distilbert", "{layers: 3}"),
        ("distilbert", "{layers: 2, dropout: off}"),
        ("gpt2", "{layers: 2}"),
        ("gpt2", "{layers: 3, dropout: off}"),
        ("modernbert", "{layers: 2, dropout: off}"),
    ],
)
def test_freezing(kind: str, freeze: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    arms = {"frozen": f"{{freeze: {freeze}}}", "faster": f"{{freeze: {freeze}, training: {{learning_rate: 1e-2}}}}"}
    of_study = study(kind, arms, "seeds=1")
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


def assert_packed(study: Study) -> None:
    """Nothing steps aside, and all trials are of one pack."""
    engine, trials = expanded(study)
    assert [engine._obstacle(trial) for trial in trials] == [None] * len(trials)
    assert len({PackKey.of(trial) for trial in trials}) == 1


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", sorted(set(CONFIGS) - {"modernbert"}))
def test_trained_biases_of_frozen_layers(kind: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    freeze = "freeze: {layers: 3, biases: trained}"
    arms = {"bitfit": f"{{{freeze}}}", "faster": f"{{{freeze}, training: {{learning_rate: 1e-2, weight_decay: 0.3}}}}"}
    of_study = study(kind, arms, "seeds=1")
    assert_packed(of_study)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(("kind", "bias"), [("bert", "all"), ("gpt2", "all"), ("distilbert", "lora_only")])
def test_trained_biases_beside_an_adapter(kind: str, bias: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    more = f", bias: {bias}"
    arms = {"r2": lora(kind, 2, "5e-3", more=more), "r8": lora(kind, 8, "2e-3", 16, more)}
    of_study = study(kind, arms, "seeds=1")
    assert_packed(of_study)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("bert", "use_dora: true"),
        ("gpt2", "use_dora: true, use_rslora: true"),
        ("electra", "use_dora: true, bias: all"),
        ("distilbert", "use_dora: true, init_lora_weights: pissa"),
        ("bert", "init_lora_weights: pissa"),
        ("gpt2", "init_lora_weights: pissa, use_rslora: true"),
        ("roberta", "init_lora_weights: pissa_niter_4, bias: all"),
        ("distilbert", "init_lora_weights: olora"),
        ("bert", "init_lora_weights: orthogonal"),
    ],
)
def test_relatives_of_lora(kind: str, more: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    more = f", {more}"
    arms = {"r2": lora(kind, 2, "5e-3", more=more), "r8": lora(kind, 8, "2e-3", 16, more)}
    of_study = study(kind, arms, "seeds=1")
    assert_packed(of_study)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


def kept_by_value(x: torch.Tensor, p: Any) -> torch.Tensor:
    """Drop about a share `p` of the elements, those that their own value says, so that both engines drop the same."""
    return x * ((x.detach() * 1000).frac().abs() >= p) / (1 - p)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("more", ["", ", use_dora: true"])
def test_dropout_of_an_adapter(
    more: str, study: Load, by_pack: Train, by_trainer: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DoRA's magnitude scales what the adapter sees of the input, and the rest passes the frozen layer."""

    def drop(self: PackContext, x: torch.Tensor, site: int) -> torch.Tensor:
        if self.masks is None:
            return x
        levels = [self.masks._sites[site].levels[slot] for slot in self.rows.slots]
        p = torch.tensor(levels, dtype=x.dtype).index_select(0, self.rows.owner).unsqueeze(1) / 65536
        return kept_by_value(x, p) if any(levels) else x

    monkeypatch.setattr(PackContext, "drop", drop)
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: kept_by_value(x, self.p) if self.training else x)
    arms = {
        f"d{i}": lora("bert", rank, "5e-3", more=f"{more}, lora_dropout: {p}")
        for i, (rank, p) in enumerate([(2, 0), (4, 0.25), (3, 0.5)])
    }
    of_study = study("bert", arms, "seeds=1")
    assert_packed(of_study)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


FEEDFORWARD = {"bert": "output.dense", "roberta": "output.dense", "electra": "output.dense"}
FEEDFORWARD |= {"distilbert": "lin2", "modernbert": "mlp.Wo", "gpt2": "mlp.c_proj"}


def ia3(kind: str, rate: str) -> str:
    targets = f"target_modules: {[*TARGETS[kind], FEEDFORWARD[kind]]}, feedforward_modules: [{FEEDFORWARD[kind]}]"
    return f"{{training: {{learning_rate: {rate}}}, adapter: {{peft_type: IA3, {targets}}}}}"


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", CONFIGS)
def test_ia3(kind: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    of_study = study(kind, {"slow": ia3(kind, "5e-3"), "fast": ia3(kind, "5e-2")}, "seeds=1")
    assert_packed(of_study)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


# A length that cuts some of the examples.
CUT = 12


def padded(side: str, length: int) -> tuple[str, ...]:
    return "data.padding=max_length", f"data.padding_side={side}", f"data.max_length={length}"


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    "arms",
    [
        {"full": "{}", "decay": "{training: {weight_decay: 0.3, learning_rate: 1e-3}}"},
        {"r2": lora("gpt2", 2, "5e-3"), "r8": lora("gpt2", 8, "2e-3", 16), "r3": lora("gpt2", 3, "1e-2")},
    ],
)
def test_padding_on_the_left_to_a_fixed_length(
    arms: dict[str, str], study: Load, by_pack: Train, by_trainer: Train
) -> None:
    of_study = study("gpt2", arms, "seeds=1", *padded("left", CUT))
    engine, trials = expanded(of_study)
    assert [engine._obstacle(trial) for trial in trials] == [None] * len(arms)
    lengths = {len(row["input_ids"]) for row in engine._data.train.features}
    assert max(lengths) == CUT
    assert len(lengths) > 3
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", CONFIGS)
def test_padding_on_the_right_to_a_fixed_length(kind: str, study: Load, by_pack: Train, by_trainer: Train) -> None:
    arms = {"r2": lora(kind, 2, "5e-3"), "r8": lora(kind, 8, "2e-3", 16)} if kind == "gpt2" else {"full": "{}"}
    of_study = study(kind, arms, "seeds=1", "training.num_train_epochs=1", *padded("right", CUT), train=40)
    engine, trials = expanded(of_study)
    assert [engine._obstacle(trial) for trial in trials] == [None] * len(arms)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=5)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("arm", ["{}", "{freeze: {layers: 2, dropout: off}}"])
def test_padding_on_the_left_up_to_the_last_position_of_the_model(
    arm: str, study: Load, by_pack: Train, by_trainer: Train
) -> None:
    of_study = study("gpt2", {"arm": arm}, "seeds=1", "training.num_train_epochs=2", *padded("left", 128), train=24)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=6)


DECAY = "lr_scheduler_kwargs: {num_decay_steps: 7}"
LOWEST = "lr_scheduler_kwargs: {min_lr_rate: 0.1}"
KWARGS = {"warmup_stable_decay": DECAY, "cosine_with_min_lr": LOWEST, "cosine_warmup_with_min_lr": LOWEST}
DRIVEN = {"reduce_lr_on_plateau", "greedy"}


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("arm", ["{training: {learning_rate: 5e-3}, freeze: {layers: 3}}", lora("bert", 2, "5e-3")])
def test_a_checkpoint_without_a_pooler(
    arm: str, study: Load, checkpoints: Callable[..., Path], tmp_path: Path, by_pack: Train, by_trainer: Train
) -> None:
    folder = tmp_path / "without"
    shutil.copytree(checkpoints("bert", dropout=False), folder)
    transformers.AutoModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(folder)
    of_study = study("bert", {"one": arm}, f"model={folder}")
    packed, reference = by_pack(of_study), by_trainer(of_study)
    assert_equal(packed, reference, 1e-8, steps=18)
    assert all(any("pooler" in name for name in trained.weights) for trained in packed.values())


@pytest.mark.usefixtures("in_float64")
def test_every_schedule_in_one_pack(study: Load, by_pack: Train, by_trainer: Train) -> None:
    arms = {}
    for name in sorted(set(SCHEDULES) - DRIVEN):
        warmup = "0" if name == "constant" else "0.1"
        more = f", {KWARGS[name]}" if name in KWARGS else ""
        arms[name] = f"{{training: {{lr_scheduler_type: {name}, warmup_steps: {warmup}{more}}}, freeze: {{layers: 2}}}}"
    arms["counted"] = "{training: {lr_scheduler_type: linear, warmup_steps: 7}, freeze: {layers: 2}}"
    of_study = study("distilbert", arms, "seeds=1")
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=18)


@pytest.mark.usefixtures("in_float64")
def test_accumulated_micro_batches(study: Load, by_pack: Train, by_trainer: Train) -> None:
    """61 examples by 8, three micro-batches a step: 8 micro-batches, the last of 5, the last step of two."""
    of_study = study("gpt2", {"full": "{}"}, "seeds=1", "training.gradient_accumulation_steps=3", train=61)
    packed, reference = by_pack(of_study), by_trainer(of_study)
    for trained in reference.values():  # the pack tells a step's micro-batches together
        epochs = [trained.losses[i * 8 : (i + 1) * 8] for i in range(3)]
        trained.losses = [sum(losses[i : i + 3]) for losses in epochs for i in range(0, 8, 3)]
    assert_equal(packed, reference, 1e-8, steps=9)


@pytest.mark.usefixtures("in_float64")
def test_smoothed_labels(study: Load, by_pack: Train, by_trainer: Train) -> None:
    """The Trainer's smoother sums up in single precision, so this is as near as it can be."""
    arms = {"smooth": "{training: {label_smoothing_factor: 0.2}}", "more": "{training: {label_smoothing_factor: 0.4}}"}
    of_study = study("gpt2", arms, "seeds=1")
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-6, steps=18)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    ("kind", "arm", "holdout", "padding"),
    [
        ("gpt2", "{}", False, ()),
        ("gpt2", "{}", True, padded("left", CUT)),
        ("distilbert", "{freeze: {layers: 2, dropout: off}}", True, ()),
    ],
)
def test_every_seed_its_own_training_set(
    kind: str, arm: str, *, holdout: bool, padding: tuple[str, ...], study: Load, by_pack: Train, by_trainer: Train
) -> None:
    """24 of 48 examples a seed, of which 6 may be held out: seeds of one pack share neither."""
    more = [*padding, *(["selection={best: loss, on: holdout, fraction: 0.25}"] if holdout else [])]
    of_study = study(kind, {"one": arm}, "data.resample=0.5", "training.num_train_epochs=2", *more, train=48)
    packed, reference = by_pack(of_study), by_trainer(of_study)
    assert_equal(packed, reference, 1e-8, steps=6)
    for name, in_pack in packed.items():
        mine, theirs = in_pack.result, reference[name].result
        assert mine is not None
        assert theirs is not None
        sizes = (18, 6) if holdout else (24, 0)
        assert (mine.n_train, mine.n_holdout) == (theirs.n_train, theirs.n_holdout) == sizes
        assert mine.selected_epoch == theirs.selected_epoch
        for epoch, expected in zip(mine.epochs, theirs.epochs, strict=True):
            assert (epoch.holdout is not None) == (expected.holdout is not None) == holdout
            if epoch.holdout is not None and expected.holdout is not None:
                assert epoch.holdout.loss == pytest.approx(expected.holdout.loss, rel=1e-6)
                assert epoch.holdout.accuracy == expected.holdout.accuracy
    tokens = {trained.result.tokens for trained in packed.values() if trained.result is not None}
    assert len(tokens) == len(packed) == 2


@pytest.mark.usefixtures("in_float64")
def test_seeds_by_source(study: Load, by_pack: Train, by_trainer: Train) -> None:
    of_study = study("gpt2", {"frozen": "{freeze: {layers: 2}}"}, "training.num_train_epochs=1", train=16)
    # Fewer than a study may have, for the time they take.
    few = SeedsBySource.model_construct(initialisation=1, data_order=2)
    of_study = of_study.model_copy(update={"seeds": few})
    packed = by_pack(of_study)
    assert_equal(packed, by_trainer(of_study), 1e-8, steps=2)
    first = {name: round(trained.losses[0], 12) for name, trained in packed.items()}
    assert len(set(first.values())) == len(first) == 2


def test_in_single_precision_to_one_in_ten_thousand(study: Load, by_pack: Train, by_trainer: Train) -> None:
    arms = {"r2": lora("bert", 2, "1e-3"), "r8": lora("bert", 8, "1e-3")}
    of_study = study("bert", arms, "seeds=1")
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-4, steps=18)


@pytest.mark.usefixtures("in_float64")
def test_a_pair_of_sentences_with_token_types(study: Load, by_pack: Train, by_trainer: Train) -> None:
    of_study = study("bert", {"full": "{}"}, "data.text=[sentence,sentence]", "seeds=1", train=64)
    assert_equal(by_pack(of_study), by_trainer(of_study), 1e-8, steps=24)


def test_initial_weights_are_bit_for_bit_the_solo_trials(study: Load) -> None:
    engine, trials = expanded(study("gpt2", {"r2": lora("gpt2", 2, "1e-3"), "r5": lora("gpt2", 5, "1e-3")}))
    assert len({PackKey.of(trial) for trial in trials}) == 1
    pack = engine._pack(trials)
    for slot, trial in enumerate(trials):
        alone = dict(engine.reference.build(trial).named_parameters())
        for name, stack in pack.parameters.stacks.items():
            drawn = alone[name]
            assert torch.equal(stack.weights[slot][tuple(slice(extent) for extent in drawn.shape)], drawn)
