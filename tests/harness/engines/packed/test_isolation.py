"""A trial's result depends neither on its mates nor on their number nor on its place; dropout on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from harness.engines.packed.dropout import DropoutMasks
from harness.study.study import Study
from harness.study.trials import Trial
from tests.harness.engines.packed.conftest import CONFIGS, TARGETS, Trained

Load = Callable[..., Study]
Pack = Callable[..., dict[str, Trained]]


def lora(kind: str, rank: int, rate: str = "5e-3", dropout: float = 0.1, more: str = "") -> str:
    fields = f"r: {rank}, lora_alpha: 8, lora_dropout: {dropout}, target_modules: {TARGETS[kind]}{more}"
    return f"{{training: {{learning_rate: {rate}}}, adapter: {{peft_type: LORA, {fields}}}}}"


def only(*names: str) -> Callable[[Sequence[Trial]], tuple[Trial, ...]]:
    """Choose trials by arm and seed, in the order of the names."""

    def choose(trials: Sequence[Trial]) -> tuple[Trial, ...]:
        by_name = {f"{trial.arm} {trial.seed}": trial for trial in trials}
        return tuple(by_name[name] for name in names)

    return choose


def assert_alike(first: Trained, second: Trained, tolerance: float) -> None:
    assert len(first.losses) == len(second.losses) == 18
    assert first.losses == pytest.approx(second.losses, rel=tolerance, abs=tolerance)
    for name, weight in first.weights.items():
        other = second.weights[name]
        extents = tuple(slice(min(a, b)) for a, b in zip(weight.shape, other.shape, strict=True))  # padding may differ
        assert torch.allclose(weight[extents], other[extents], rtol=tolerance, atol=tolerance), name
    assert first.result is not None
    assert second.result is not None
    assert first.result.status == second.result.status == "finished"
    for mine, theirs in zip(first.result.epochs, second.result.epochs, strict=True):
        assert mine.probabilities is not None
        assert theirs.probabilities is not None
        assert np.abs(mine.probabilities - theirs.probabilities).max() < 1e-6


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", CONFIGS)
def test_alone_in_company_and_in_another_order(kind: str, study: Load, by_pack: Pack) -> None:
    of_study = study(kind, {"r2": lora(kind, 2), "r6": lora(kind, 6, "2e-2", 0.3)}, dropout=True)
    alone = by_pack(of_study, only("r2 1"))["r2 1"]
    assert_alike(by_pack(of_study, only("r2 0", "r2 1", "r6 0", "r6 1"))["r2 1"], alone, 1e-8)
    assert_alike(by_pack(of_study, only("r6 1", "r2 1", "r2 0"))["r2 1"], alone, 1e-8)


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_dropout_of_a_pass_draws_a_mask_of_its_own(
    kind: str, study: Load, by_pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heads of RoBERTa and ELECTRA apply one module twice."""
    keep = DropoutMasks.keep
    drawn: dict[DropoutMasks, list[int]] = {}

    def watched(self: DropoutMasks, number: int) -> Any:
        drawn.setdefault(self, []).append(number)
        return keep(self, number)

    monkeypatch.setattr(DropoutMasks, "keep", watched)
    by_pack(study(kind, {"r2": lora(kind, 2)}, "seeds=1", "training.num_train_epochs=1", dropout=True, train=16))
    assert len(drawn) == 2
    for masks, numbers in drawn.items():
        assert sorted(numbers) == list(range(len(masks._sites)))


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize(
    "arm",
    [
        "{}",
        "{freeze: {layers: 1}}",
        "{freeze: {layers: 2, dropout: off}}",
        "{freeze: {layers: 2, dropout: off, biases: trained}}",
    ],
)
def test_whole_layers_alone_and_in_company(arm: str, study: Load, by_pack: Pack) -> None:
    of_study = study(
        "distilbert",
        {
            "one": arm,
            "other": arm.replace("{", "{training: {weight_decay: 0.1}, ", 1)
            if arm != "{}"
            else "{training: {weight_decay: 0.1}}",
        },
        dropout=True,
    )
    alone = by_pack(of_study, only("one 1"))["one 1"]
    together = by_pack(of_study, only("other 0", "one 1", "one 0"))
    assert_alike(together["one 1"], alone, 1e-8)


@pytest.mark.usefixtures("in_float64")
def test_a_diverging_mate_leaves_a_trial_alone(study: Load, by_pack: Pack) -> None:
    arms = {"good": lora("gpt2", 4), "bad": lora("gpt2", 4, "99.0")}
    of_study = study("gpt2", arms, "arms.bad.training.max_grad_norm=0.0", dropout=True)
    alone = by_pack(of_study, only("good 0"))["good 0"]

    def planted(trials: Sequence[Trial]) -> tuple[Trial, ...]:
        return only("bad 0", "good 0", "bad 1")(trials)

    with pytest.MonkeyPatch.context() as patch:
        from harness.engines.packed.parameters import PackParameters

        step = PackParameters.step

        def explode(self: PackParameters, slots: Sequence[int], rates: dict[int, float]) -> None:
            step(self, slots, rates)
            self.values[2] = float("inf")  # the second bad one, at its first step

        patch.setattr(PackParameters, "step", explode)
        together = by_pack(of_study, planted)
    assert_alike(together["good 0"], alone, 1e-8)
    ended = together["bad 1"].result
    assert ended is not None
    assert (ended.status, ended.epochs) == ("diverged", ())
    assert ended.error is not None
    assert "the training loss is not finite, by step 6" in ended.error.message


def test_what_a_mate_learns_does_not_move_a_bit(study: Load, by_pack: Pack) -> None:
    """In single precision: the mate's batches, and so all shapes, stay the same."""
    results = []
    for rate in ("1e-3", "2e-2"):
        of_study = study("bert", {"r4": lora("bert", 4), "mate": lora("bert", 4, rate)}, "seeds=1", dropout=True)
        results.append(by_pack(of_study)["r4 0"])
    beside_slow, beside_fast = results
    assert beside_slow.losses == beside_fast.losses
    assert all(torch.equal(weight, beside_fast.weights[name]) for name, weight in beside_slow.weights.items())


@pytest.mark.usefixtures("in_float64")
def test_in_parts_of_any_size(study: Load, by_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.engines.packed import engine

    of_study = study("gpt2", {"full": "{}"}, "seeds=3", dropout=True)
    whole = by_pack(of_study)
    monkeypatch.setitem(engine._ELEMENTS_AT_ONCE, "cpu", 1)
    cut = by_pack(of_study)
    for name, trained in whole.items():
        assert_alike(trained, cut[name], 1e-8)


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("kind", CONFIGS)
def test_batched_products_as_on_a_gpu(kind: str, study: Load, by_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way to multiply rows by their own trial's weights and to attend, on the CPU."""
    from harness.engines.packed import forward

    more = {"gpt2": "", "electra": ", use_dora: true, bias: all, init_lora_weights: pissa"}.get(kind)
    arms = (
        {"full": "{}", "rate": "{training: {learning_rate: 1e-3}}"}
        if more is None
        else {"r2": lora(kind, 2, more=more), "r5": lora(kind, 5, more=more)}
    )
    of_study = study(kind, arms, "seeds=1", dropout=True)
    one_by_one = by_pack(of_study)
    whole = forward.PackedBatch

    def batched(*args: object, **kwargs: object) -> forward.PackedBatch:
        return whole(*args, **{**kwargs, "batched": True})  # type: ignore[arg-type]

    monkeypatch.setattr(forward, "PackedBatch", batched)
    for name, trained in by_pack(of_study).items():
        assert_alike(trained, one_by_one[name], 1e-8)
