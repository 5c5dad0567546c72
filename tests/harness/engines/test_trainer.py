"""The reference engine: pairing, honesty about numbers that are not finite, and what the Trainer would do by itself."""

from __future__ import annotations

import gc
import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from harness import seeding
from harness.engines import study_trainer
from harness.engines import trainer as engine_module
from harness.engines.batches import Padding, SplitDataset
from harness.engines.result import Score, TrialResult
from harness.engines.scoring import score
from harness.engines.study_trainer import StudyTrainer, training_arguments
from harness.engines.trainer import TrainerEngine
from harness.models.build import build_model
from harness.runs.runner import prepare
from harness.study.settings import Data
from harness.study.study import Study
from harness.study.training import SCHEDULES, Training
from harness.study.trials import Trial, expand

Tiny = Callable[..., Study]


def ready(study: Study) -> tuple[TrainerEngine, tuple[Trial, ...]]:
    located, data, engine = prepare(study, "trainer")
    assert isinstance(engine, TrainerEngine)
    trials = expand(study, arms=study.arms, model=located.identity, data=data.fingerprint)
    return engine, trials


def trained(study: Study, *arms: str) -> list[TrialResult]:
    engine, trials = ready(study)
    chosen = [trial for trial in trials if trial.seed == 0 and (not arms or trial.arm in arms)]
    return list(engine.train(chosen, report=lambda _: None))


def probabilities(outcome: TrialResult) -> np.ndarray:
    last = outcome.epochs[-1].probabilities
    assert last is not None
    return last


@pytest.fixture
def without_dropout(tmp_path: Path, shallow: Path) -> Path:
    """A model with all dropout off, so that two ways to the same gradient can be compared."""
    folder = tmp_path / "still"
    shutil.copytree(shallow, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "summary_first_dropout": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_adalora_takes_ranks_away_until_its_own_is_left(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    close = engine_module._Run.close_epoch

    def counted(self: Any, model: Any, *rest: Any) -> None:
        left.append(sum(int(p.count_nonzero()) for name, p in model.named_parameters() if "lora_E" in name))
        close(self, model, *rest)

    monkeypatch.setattr(engine_module._Run, "close_epoch", counted)
    adapter = "{peft_type: ADALORA, r: 2, init_r: 6, target_modules: [c_attn]}"
    model = "model=embedded/tiny-gpt2"
    (outcome,) = trained(tiny(model, f"arms.ada={{adapter: {adapter}}}", "training.num_train_epochs=2"), "ada")
    assert outcome.status == "finished"
    layers = 4
    assert left[-1] == 2 * layers
    assert 2 * layers < left[0] < 6 * layers


def test_an_outcome_tells_all_that_a_record_needs(tiny: Tiny) -> None:
    full, lora, _ = trained(tiny("training.num_train_epochs=2"))
    assert [full.status, lora.status] == ["finished", "finished"]
    assert [epoch.epoch for epoch in full.epochs] == [1, 2]
    assert (full.selected_epoch, full.steps) == (2, 6)
    for epoch in full.epochs:
        assert epoch.probabilities is not None
        assert epoch.probabilities.shape == (40, 2)
        assert epoch.probabilities.dtype == np.float32
        assert epoch.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-6)
        assert 0 < epoch.train_loss < 5
    assert full.epochs[-1].learning_rate == 0  # linear, at its end
    assert full.trainable_parameters == full.total_parameters
    assert 0 < lora.trainable_parameters < 0.2 * lora.total_parameters
    assert full.tokens > 0
    assert full.tokens == lora.tokens
    assert full.peak_memory > 10**7
    assert full.training_seconds > 0
    assert full.evaluation_seconds > 0


def test_the_same_trial_twice_is_bitwise_the_same_whatever_was_drawn_before(tiny: Tiny) -> None:
    """A head that is drawn outside the seeded region differs from run to run."""
    first = trained(tiny(), "full", "lora-r2")
    torch.manual_seed(999)
    np.random.seed(999)  # noqa: NPY002
    torch.rand(17)
    second = trained(tiny(), "full", "lora-r2")
    for before, after in zip(first, second, strict=True):
        assert probabilities(before).tobytes() == probabilities(after).tobytes()


def test_another_seed_is_another_run(tiny: Tiny) -> None:
    engine, trials = ready(tiny())
    runs = list(engine.train([t for t in trials if t.arm == "full"], report=lambda _: None))
    assert not np.array_equal(probabilities(runs[0]), probabilities(runs[1]))


def test_training_leaves_the_global_generators_alone(tiny: Tiny) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = torch.rand(3), np.random.rand(3)  # noqa: NPY002
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    trained(tiny(), "full")
    assert torch.equal(torch.rand(3), expected[0])
    assert np.array_equal(np.random.rand(3), expected[1])  # noqa: NPY002


@pytest.fixture
def thawed() -> Iterator[None]:
    """Nothing is frozen before (Python 3.12 begins with some hundred things), nor after."""
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("error", [None, ValueError("broken"), SystemExit("out at once")])
def test_the_collector_skips_nothing_after_a_trial(
    tiny: Tiny, thawed: None, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    frozen: list[int] = []
    close = engine_module._Run.close_epoch

    def watched(self: Any, *rest: Any) -> None:
        frozen.append(gc.get_freeze_count())
        if error is not None:
            raise error
        close(self, *rest)

    monkeypatch.setattr(engine_module._Run, "close_epoch", watched)
    with pytest.raises(SystemExit) if isinstance(error, SystemExit) else nullcontext():
        assert [one.status for one in trained(tiny(), "full")] == ["failed" if error else "finished"]
    assert min(frozen) > 10_000
    assert gc.get_freeze_count() == 0


def test_what_a_caller_froze_stays_frozen(thawed: None) -> None:
    with engine_module.quick_collections():
        before = gc.get_freeze_count()
        with pytest.raises(ValueError, match="broken"), engine_module.quick_collections():
            raise ValueError("broken")
        assert gc.get_freeze_count() == pytest.approx(before, abs=100)
    assert gc.get_freeze_count() == 0


def test_every_arm_of_a_seed_sees_the_same_batches(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter's draws must not shift the order of the examples, and no epoch may repeat the order of another."""
    seen: list[list[tuple[int, ...]]] = []
    collate = Padding.__call__

    def spy(self: Padding, examples: Any) -> Any:
        if len(examples) == 16:
            seen[-1].append(tuple(len(example["input_ids"]) for example in examples))
        return collate(self, examples)

    monkeypatch.setattr(Padding, "__call__", spy)
    study = tiny("training.num_train_epochs=2", "training.per_device_eval_batch_size=40")
    engine, trials = ready(study)
    for trial in trials[:3]:
        seen.append([])
        list(engine.train([trial], report=lambda _: None))
    assert {trial.seed for trial in trials[:3]} == {0}
    assert len({trial.arm for trial in trials[:3]}) == 3
    assert len(seen[0]) == 6  # two epochs of 48 examples
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][:3] != seen[0][3:]
    lengths = SplitDataset(engine._data.train).lengths
    planned = seeding.example_order(seeding.streams(0).data_order, 1, 48)
    assert [n for batch in seen[0][3:] for n in batch] == lengths[planned].tolist()


def test_accumulated_batches_have_the_gradient_of_the_whole_batch(
    tiny: Tiny, without_dropout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Adam forgives a gradient of the wrong scale unless its epsilon is large.
    base = [f"model={without_dropout}", "training.adam_epsilon=1.0", "training.max_grad_norm=0"]
    split = [*base, "training.per_device_train_batch_size=8", "training.gradient_accumulation_steps=2"]
    whole = trained(tiny(*base), "full")[0]
    halves = trained(tiny(*split), "full")[0]
    assert halves.steps == whole.steps == 3
    assert probabilities(halves) == pytest.approx(probabilities(whole), abs=1e-6)
    assert halves.epochs[0].train_loss == pytest.approx(whole.epochs[0].train_loss, abs=1e-5)
    monkeypatch.setattr(StudyTrainer, "loss_is_scaled_for_ga", True)
    assert probabilities(trained(tiny(*split), "full")[0]) != pytest.approx(probabilities(whole), abs=1e-6)


def test_the_untrained_model_is_epoch_0(tiny: Tiny) -> None:
    outcome = trained(tiny("training.num_train_epochs=0"), "full")[0]
    assert [epoch.epoch for epoch in outcome.epochs] == [0]
    assert (outcome.status, outcome.selected_epoch, outcome.steps, outcome.tokens) == ("finished", 0, 0, 0)
    assert math.isnan(outcome.epochs[0].train_loss)


def broken_forward(monkeypatch: pytest.MonkeyPatch, *, after: int, training: bool) -> None:
    """Plant a NaN into the logits of a phase, after some forward passes of it."""
    forward = transformers.GPT2ForSequenceClassification.forward
    calls = 0

    def planted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        output = forward(self, *args, **kwargs)
        if self.training is training:
            calls += 1
            if calls > after:
                output.logits = output.logits * float("nan")
                if output.loss is not None:
                    output.loss = output.loss * float("nan")
        return output

    monkeypatch.setattr(transformers.GPT2ForSequenceClassification, "forward", planted)


def test_a_loss_that_is_not_finite_is_diverged(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Trainer's own filter of NaN losses would log 0.0, and argmax of NaN logits is class 0."""
    broken_forward(monkeypatch, after=4, training=True)
    outcome = trained(tiny("training.num_train_epochs=3"), "full")[0]
    assert outcome.status == "diverged"
    assert outcome.error is not None
    assert "training loss is not finite" in outcome.error.message
    assert [epoch.epoch for epoch in outcome.epochs] == [1]  # what it finished is kept
    assert outcome.selected_epoch is None


def test_a_logit_that_is_not_finite_is_diverged(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_forward(monkeypatch, after=0, training=False)
    outcome = trained(tiny(), "full")[0]
    assert outcome.status == "diverged"
    assert outcome.error is not None
    assert "logit" in outcome.error.message


def test_weights_that_are_not_finite_are_diverged(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_model

    def planted(*args: Any, **kwargs: Any) -> Any:
        model = build(*args, **kwargs)
        model.score.weight.data[0, 0] = float("inf")
        return model

    monkeypatch.setattr("harness.models.build.build_model", planted)
    outcome = trained(tiny("training.num_train_epochs=0"), "full")[0]
    assert outcome.status == "diverged"
    assert outcome.error is not None
    assert "score" in outcome.error.message


def test_a_crash_is_that_trials_outcome_and_its_neighbours_go_on(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    build = build_model

    def planted(located: Any, arm: Any, **kwargs: Any) -> Any:
        if arm.adapter is not None and arm.adapter.r == 2:
            raise RuntimeError("out of memory")
        return build(located, arm, **kwargs)

    monkeypatch.setattr("harness.models.build.build_model", planted)
    outcomes = trained(tiny())
    assert [o.status for o in outcomes] == ["finished", "failed", "finished"]
    assert outcomes[1].error is not None
    assert (outcomes[1].error.type, outcomes[1].error.message) == ("RuntimeError", "out of memory")
    assert outcomes[1].epochs == ()


def test_the_second_ctrl_c_leaves_an_interrupted_trial(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.models.build.build_model", pressed)
    outcome = trained(tiny(), "full")[0]
    assert (outcome.status, outcome.epochs) == ("interrupted", ())


def arguments_of(training: Training, folder: Path) -> transformers.TrainingArguments:
    return training_arguments(training, str(folder), torch.device("cpu"), seeding.streams(0))


def test_more_gpus_in_sight_do_not_enlarge_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Tiny
) -> None:
    """With more than one visible GPU the Trainer would use DataParallel, and so enlarge the batch."""

    class FourGpus(transformers.TrainingArguments):  # type: ignore[misc]
        def __post_init__(self) -> None:
            super().__post_init__()
            self._n_gpu = 4

    # Where it is used: depending on what was imported first, the lazy module may be another object there.
    monkeypatch.setattr(study_trainer.transformers, "TrainingArguments", FourGpus)
    assert FourGpus(output_dir=str(tmp_path), per_device_train_batch_size=16).train_batch_size == 64
    made = arguments_of(ready(tiny())[1][0].settings.training, tmp_path)
    assert (made.n_gpu, made.train_batch_size) == (1, 16)


@pytest.mark.parametrize(("warmup", "steps"), [(0.1, 20), (7.0, 7), (0.0, 0)])
def test_warm_up_below_one_is_a_share_of_the_steps(tmp_path: Path, tiny: Tiny, warmup: float, steps: int) -> None:
    """transformers 5 has no warmup_ratio: warmup_steps takes a share below 1."""
    made = arguments_of(Training(warmup_steps=warmup), tmp_path)
    assert made.get_warmup_steps(200) == steps
    assert "warmup_ratio" not in made.to_dict()


def test_right_padding_does_not_change_a_score(tiny: Tiny) -> None:
    """The model must know the padding token, or it pools at padding."""
    engine, trials = ready(tiny())
    model = engine.build(trials[0])
    assert model.config.pad_token_id == engine.padding.pad_token_id
    one_by_one, together = (
        score(model, engine.test, batch_size=size, collate=engine.padding, device=torch.device("cpu"))[1]
        for size in (1, 40)
    )
    assert together == pytest.approx(one_by_one, abs=1e-5)
    model.config.pad_token_id = 1  # the defect, planted: another token is taken for padding
    wrong = score(model, engine.test, batch_size=40, collate=engine.padding, device=torch.device("cpu"))[1]
    assert wrong != pytest.approx(one_by_one, abs=1e-3)


def test_the_layout_of_a_batch() -> None:
    examples = [
        {"input_ids": torch.tensor([5, 6]), "labels": torch.tensor(1)},
        {"input_ids": torch.tensor([7]), "labels": torch.tensor(0)},
    ]

    def layout(**changes: Any) -> tuple[list[list[int]], list[list[int]]]:
        data = Data(path="x", **changes)
        batch = Padding(data=data, pad_token_id=9)(examples)
        assert batch["labels"].tolist() == [1, 0]
        return batch["input_ids"].tolist(), batch["attention_mask"].tolist()

    assert layout() == ([[5, 6], [7, 9]], [[1, 1], [1, 0]])
    assert layout(padding_side="left") == ([[5, 6], [9, 7]], [[1, 1], [0, 1]])
    assert layout(padding="max_length", max_length=3) == ([[5, 6, 9], [7, 9, 9]], [[1, 1, 0], [1, 0, 0]])
    assert layout(padding="max_length", max_length=3, padding_side="left")[0] == [[9, 5, 6], [9, 9, 7]]


def test_a_score_is_in_the_order_of_the_split(tiny: Tiny) -> None:
    engine, trials = ready(tiny())
    model = engine.build(trials[0])
    scores, by_batches = score(model, engine.test, batch_size=7, collate=engine.padding, device=torch.device("cpu"))
    model.eval()
    with torch.inference_mode():
        logits = torch.cat([model(input_ids=row["input_ids"][None]).logits for row in engine.test.rows])
    labels = torch.tensor(engine._data.test.labels)
    assert by_batches == pytest.approx(torch.softmax(logits, -1).numpy(), abs=1e-5)
    assert scores.loss == pytest.approx(torch.nn.functional.cross_entropy(logits, labels).item(), abs=1e-5)
    assert scores.accuracy == (logits.argmax(-1) == labels).double().mean().item()


@pytest.mark.parametrize("dropout", ["on", "off"])
def test_a_frozen_part_keeps_its_dropout_unless_the_study_says_off(tiny: Tiny, dropout: str) -> None:
    """A frozen module still applies dropout under .train(), unless it is put in evaluation mode."""
    frozen = f"arms={{full: {{freeze: {{layers: 2, dropout: {dropout}}}}}}}"
    study = tiny("model=embedded/tiny-distilbert", frozen)
    engine, trials = ready(study)
    model = engine.build(next(t for t in trials if t.arm == "full")).train()
    model(**{k: v for k, v in engine.padding(engine.test.rows[:2]).items() if k != "token_type_ids"})
    layers = model.distilbert.transformer.layer
    assert model.distilbert.embeddings.training is (dropout == "on")
    assert layers[1].ffn.training is (dropout == "on")
    assert layers[2].training
    assert not any(p.requires_grad for p in layers[1].parameters())
    assert all(p.requires_grad for p in layers[2].parameters())


def planned(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> None:
    """Let the hold-out say what a test wants."""
    holdout_losses = iter(losses)

    def planned_score(self: Any, model: Any, examples: Any) -> tuple[Score, np.ndarray]:
        on_test = examples is self.engine.test
        loss = 0.5 if on_test else next(holdout_losses)
        return Score(loss=loss, accuracy=1 - loss), np.zeros((40, 2), dtype=np.float32)

    monkeypatch.setattr(engine_module._Run, "_score", planned_score)


@pytest.mark.parametrize("best", ["loss", "accuracy"])
def test_early_stopping_follows_the_hold_out(tiny: Tiny, monkeypatch: pytest.MonkeyPatch, best: str) -> None:
    planned(monkeypatch, [0.4, 0.2, 0.2, 0.3, 0.1, 0.1])
    study = tiny("training.num_train_epochs=6", f"selection={{best: {best}, on: holdout, fraction: 0.25, patience: 2}}")
    outcome = trained(study, "full")[0]
    assert [epoch.epoch for epoch in outcome.epochs] == [1, 2, 3, 4]
    assert outcome.selected_epoch == 2  # the earlier of two equals
    assert (outcome.n_train, outcome.n_holdout) == (36, 12)


def test_a_tuning_trial_never_sees_the_test_split(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.study.trials import make_trial

    study = tiny("search={trials: 2, space: {training.learning_rate: {low: 1e-4, high: 1e-2, log: true}}}")
    engine, _ = ready(study)
    scored: list[Any] = []
    original = engine_module._Run._score

    def spy(self: Any, model: Any, examples: Any) -> Any:
        scored.append(examples)
        return original(self, model, examples)

    monkeypatch.setattr(engine_module._Run, "_score", spy)
    trial = make_trial(study, "full", study.arms["full"], seed=1, model="m", data="d", tuning=True)
    (outcome,) = engine.train([trial], report=lambda _: None)
    assert outcome.epochs[-1].test is None
    assert outcome.epochs[-1].probabilities is None
    assert outcome.epochs[-1].holdout is not None
    assert scored
    assert all(examples is not engine.test for examples in scored)


def test_bf16_trains_in_bf16_and_scores_in_fp32(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under autocast the composition of a batch changes the scores."""
    forward = transformers.GPT2ForSequenceClassification.forward
    autocast: dict[bool, set[bool]] = {True: set(), False: set()}

    def spy(self: Any, *args: Any, **kwargs: Any) -> Any:
        autocast[self.training].add(torch.is_autocast_enabled("cpu"))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(transformers.GPT2ForSequenceClassification, "forward", spy)
    outcomes = trained(tiny("training.bf16=true"), "full", "lora-r2")
    assert [(outcome.status, outcome.precision) for outcome in outcomes] == [("finished", "bf16")] * 2
    assert autocast == {True: {True}, False: {False}}


def test_an_estimate_is_a_time(tiny: Tiny) -> None:
    engine, trials = ready(tiny())
    assert 0 < engine.estimate(trials[0]) < 600


KWARGS = {
    "cosine_with_min_lr": "{min_lr_rate: 0.1}",
    "cosine_warmup_with_min_lr": "{min_lr_rate: 0.1}",
    "warmup_stable_decay": "{num_decay_steps: 2}",
    "polynomial": "{power: 2.0}",
}


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name not in {"reduce_lr_on_plateau", "greedy"}])
def test_every_schedule_that_a_study_may_name_trains(tiny: Tiny, schedule: str) -> None:
    kwargs = KWARGS.get(schedule, "{}")
    study = tiny(f"training.lr_scheduler_type={schedule}", f"training.lr_scheduler_kwargs={kwargs}")
    outcome = trained(study, "full")[0]
    assert outcome.status == "finished", outcome.error


def test_the_other_settings_reach_the_trainer(tiny: Tiny) -> None:
    plain = probabilities(trained(tiny(), "full")[0])
    for override in (
        "training.label_smoothing_factor=0.3",
        "training.adam_beta1=0.5",
        "training.adam_beta2=0.5",
        "training.adam_epsilon=0.1",
        "training.max_grad_norm=0.001",
        "training.weight_decay=10",
        "training.warmup_steps=0.5",
        "training.gradient_accumulation_steps=3",
        "data.padding_side=left",
    ):
        outcome = trained(tiny(override), "full")[0]
        assert outcome.status == "finished", outcome.error
        assert not np.array_equal(probabilities(outcome), plain), override


def test_label_smoothing_and_accumulation_have_the_gradient_of_the_whole_batch(
    tiny: Tiny, without_dropout: Path
) -> None:
    """The Trainer's label smoother divides by the whole batch already, and the Trainer once more."""
    base = [f"model={without_dropout}", "training.adam_epsilon=1.0", "training.max_grad_norm=0"]
    base.append("training.label_smoothing_factor=0.2")
    split = [*base, "training.per_device_train_batch_size=8", "training.gradient_accumulation_steps=2"]
    whole, halves = (trained(tiny(*overrides), "full")[0] for overrides in (base, split))
    assert probabilities(halves) == pytest.approx(probabilities(whole), abs=1e-6)
    assert halves.epochs[0].train_loss == pytest.approx(whole.epochs[0].train_loss, abs=1e-5)
