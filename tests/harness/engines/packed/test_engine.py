"""The packed engine as a run uses it: which packs it makes, what breaks them, and what it leaves to the reference."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode

from harness import run_study
from harness.engines.device import threads
from harness.engines.packed import engine as engine_module
from harness.engines.packed.engine import PackedEngine
from harness.engines.packed.pack import Pack
from harness.engines.packed.packs import PackKey, divide_into_packs
from harness.models.build import build_model
from harness.runs.runner import prepare
from harness.study.loading import load_study
from harness.study.study import Study
from tests.harness.engines.packed.conftest import SIZES, expanded
from tests.harness.engines.packed.watching import Watcher, engines, kept
from tests.harness.runs.test_runner import records

Tiny = Callable[..., Study]
Load = Callable[..., Study]
TWO_EPOCHS = ("training.num_train_epochs=2",)


def test_trials_of_one_form_are_one_pack_whatever_their_rank(tmp_path: Path, tiny: Tiny) -> None:
    watcher = Watcher()
    folder = run_study(tiny(), tmp_path, display=watcher).folder
    expected = {("full", s): ("packed", 2) for s in (0, 1)} | {
        (f"lora-r{r}", s): ("packed", 4) for r in (2, 4) for s in (0, 1)
    }
    assert engines(folder) == expected
    assert watcher.steps == {f"{arm} {seed}": 3 for arm, seed in expected}
    assert kept(folder) == []
    record = records(folder)["lora-r2", 1]
    assert record["seconds"]["timing"] == "the share of one of 4 trials in the seconds of their pack"
    assert "of a pack of 4 trials" in record["peak_memory"]["method"]
    assert record["seconds"]["training"] > 0
    assert record["tokens"] == records(folder)["full", 0]["tokens"] > 0
    assert record["parameters"]["trainable"] < records(folder)["lora-r4", 1]["parameters"]["trainable"]


def test_engine_trainer_in_the_study_or_by_name_trains_one_by_one(tmp_path: Path, tiny: Tiny) -> None:
    folder = run_study(tiny("engine=trainer", "seeds=1"), tmp_path).folder
    assert set(engines(folder).values()) == {("trainer", 1)}
    again = run_study(tiny(), tmp_path)
    assert again.ran == 3  # the engine is no part of a trial's key
    folder = run_study(tiny("seeds=3"), tmp_path, engine="trainer").folder
    assert engines(folder)["full", 2] == ("trainer", 1)
    assert engines(folder)["full", 1] == ("packed", 1)


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("data.padding_side=left", "what else is in the batch"),
        ("arms.lora.adapter.init_lora_weights=mica", "such an adapter on Linear"),
        ("arms.lora.adapter={peft_type: LN_TUNING, target_modules: [ln_1]}", "LN_TUNING"),
        ("arms.lora.adapter.target_modules=[wte]", "Embedding"),
    ],
)
def test_what_cannot_be_packed_is_known_by_its_reason(override: str, reason: str, tiny: Tiny) -> None:
    more = ("arms.lora.grid={}",) if "LN_TUNING" in override else ()
    engine, trials = expanded(tiny(override, *more))
    chosen = next(trial for trial in trials if trial.arm.startswith("lora"))
    assert reason in str(engine._obstacle(chosen))


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra", "distilbert"])
def test_padding_on_the_left_is_not_packed_where_the_head_would_read_it(kind: str, study: Load) -> None:
    engine, trials = expanded(study(kind, {"full": "{}"}, "data.padding=max_length", "data.padding_side=left"))
    assert engine._obstacle(trials[0]) == (
        "its head reads the first token, and padding on the left makes that one of padding"
    )


def test_the_shipped_study_of_gpt2_is_trained_by_packs(tmp_path: Path) -> None:
    """Padded on the left to 128 tokens, as published; here with a small model and data, and two seeds."""
    shipped = Path(__file__).parents[4] / "studies" / "gpt2_lora.yaml"
    small = ("model=embedded/tiny-gpt2", "data.path=embedded/sentiment", "data.name=null", "data.train_size=16")
    few = ("data.test_size=8", "seeds=2", "training.num_train_epochs=1", "timing=off")
    watcher = Watcher()
    folder = run_study(load_study(shipped, (*small, *few)), tmp_path, display=watcher).folder
    assert engines(folder) == {(arm, seed): ("packed", 2) for arm in ("full", "lora") for seed in (0, 1)}
    assert [message for message in watcher.messages if not message.startswith("data: ")] == [
        "training 2 trials at once: full",
        "training 2 trials at once: lora",
    ]


def test_deberta_is_trained_by_the_reference(tmp_path: Path, study: Load) -> None:
    """Its attention reads a table of distances, which a pack does not know."""

    def deberta(folder: Path) -> None:
        config = transformers.DebertaV2Config(
            vocab_size=json.loads((folder / "config.json").read_text())["vocab_size"],
            type_vocab_size=0,
            relative_attention=True,
            position_biased_input=False,
            pos_att_type=["p2c", "c2p"],
            **SIZES,
        )
        transformers.AutoModel.from_config(config).save_pretrained(folder)

    adapter = "adapter: {peft_type: LORA, r: 2, target_modules: [query_proj]}"
    arms = {"lora": f"{{{adapter}}}", "frozen": "{freeze: {layers: 2, biases: trained}}"}
    watcher = Watcher()
    short = ("seeds=1", "training.num_train_epochs=1")
    of_study = study("bert", arms, *short, train=16, change=deberta)
    folder = run_study(of_study, tmp_path, display=watcher).folder
    assert engines(folder) == {("lora", 0): ("trainer", 1), ("frozen", 0): ("trainer", 1)}
    for arm in arms:
        line = f"{arm}: the packed engine steps aside, and one trial trains at a time: it does not know models of type"
        assert f"{line} 'deberta-v2'" in watcher.messages


def test_what_cannot_be_packed_is_trained_by_the_reference(tmp_path: Path, tiny: Tiny) -> None:
    folder = run_study(tiny("arms.lora.adapter.target_modules=[wte]"), tmp_path).folder
    trained_by = engines(folder)
    assert {trained_by["full", 0], trained_by["full", 1]} == {("packed", 2)}
    assert {trained_by[f"lora-r{r}", s] for r in (2, 4) for s in (0, 1)} == {("trainer", 1)}


def test_a_study_grown_by_seeds_trains_the_new_ones_together(tmp_path: Path, tiny: Tiny) -> None:
    run_study(tiny("seeds=1"), tmp_path)
    folder = run_study(tiny("seeds=3"), tmp_path).folder
    trained_by = engines(folder)
    assert (trained_by["full", 0], trained_by["full", 1], trained_by["full", 2]) == (
        ("packed", 1),
        ("packed", 2),
        ("packed", 2),
    )
    assert records(folder)["full", 0]["seconds"]["timing"] == "solo"


def test_a_pack_of_one_computes_with_as_many_threads_as_the_reference(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads of one tiny computation spend their time waiting for each other, most of all on a busy machine."""
    used: list[int] = []
    compute = Pack.compute_gradients

    def watched(self: Pack, *args: Any) -> torch.Tensor:
        used.append(torch.get_num_threads())
        return compute(self, *args)

    monkeypatch.setattr(Pack, "compute_gradients", watched)
    with threads(2):
        engine, trials = expanded(tiny("seeds=1"))
        (outcome,) = engine.train(trials[:1], report=lambda _: None)
        assert torch.get_num_threads() == 2
    assert (outcome.engine, outcome.pack_size, outcome.threads) == ("packed", 1, 1)
    assert set(used) == {1} == {engine.reference.threads}


def planted_failure(monkeypatch: pytest.MonkeyPatch, fails: Callable[[Pack], Exception | None]) -> None:
    compute = Pack.compute_gradients

    def planted(self: Pack, *args: Any) -> torch.Tensor:
        if (reason := fails(self)) is not None:
            raise reason
        return compute(self, *args)

    monkeypatch.setattr(Pack, "compute_gradients", planted)


def test_a_broken_pack_goes_on_in_halves(tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    planted_failure(monkeypatch, lambda pack: ValueError("no luck") if len(pack.trials) > 2 else None)
    watcher = Watcher()
    summary = run_study(tiny(), tmp_path, display=watcher)
    assert summary.complete
    assert {engines(summary.folder)[f"lora-r{r}", s] for r in (2, 4) for s in (0, 1)} == {("packed", 2)}
    assert [message for message in watcher.messages if not message.startswith("data: ")] == [
        "training 2 trials at once: full",
        "training 4 trials at once: lora-r2, lora-r4",
        "a pack of 4 trials broke (ValueError: no luck); going on with smaller packs",
        "training 2 trials at once: lora-r2, lora-r4",
        "training 2 trials at once: lora-r2, lora-r4",
    ]


def test_one_trial_that_cannot_be_packed_is_found_and_its_mates_stay_packed(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(pack: Pack) -> Exception | None:
        return (
            ValueError("no luck") if any((p.trial.arm, p.trial.seed) == ("lora-r4", 1) for p in pack.trials) else None
        )

    planted_failure(monkeypatch, fails)
    watcher = Watcher()
    summary = run_study(tiny(), tmp_path, display=watcher)
    assert summary.complete
    trained_by = engines(summary.folder)
    assert trained_by["lora-r4", 1] == ("trainer", 1)
    assert trained_by["lora-r2", 0] == trained_by["lora-r4", 0] == ("packed", 2)
    assert (
        "lora-r4, seed 1: cannot be packed (ValueError: no luck); trained by the reference engine" in watcher.messages
    )


@pytest.mark.parametrize(
    "reason",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_out_of_memory_halves_the_pack_and_never_the_batch(
    reason: Exception, tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "_LARGEST_PACK", {"cpu": 4})
    planted_failure(monkeypatch, lambda pack: reason if len(pack.trials) > 2 else None)
    watcher = Watcher()
    alone = ("seeds=4", "arms.full=null", "analysis={}", "data.train_size=16")
    summary = run_study(tiny(*alone), tmp_path, display=watcher)
    assert summary.complete
    assert set(engines(summary.folder).values()) == {("packed", 2)}
    # The second of two packs is cut before it is tried.
    assert sum("broke" in message for message in watcher.messages) == 1
    settings = {
        record["settings"]["training"]["per_device_train_batch_size"] for record in records(summary.folder).values()
    }
    assert settings == {16}


def test_a_trial_that_breaks_everywhere_is_a_record(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = build_model

    def planted(located: Any, arm: Any, **kwargs: Any) -> Any:
        if arm.adapter is not None and arm.adapter.r == 4:
            raise RuntimeError("no such weights")
        return build(located, arm, **kwargs)

    monkeypatch.setattr("harness.models.build.build_model", planted)
    summary = run_study(tiny(), tmp_path)
    assert summary.statuses == {"finished": 4, "failed": 2}
    assert records(summary.folder)["lora-r4", 0]["error"]["message"] == "no such weights"


def test_packs_are_a_fixed_function_of_the_study(tiny: Tiny) -> None:
    _, trials = expanded(tiny("seeds=5"))
    packs = divide_into_packs(trials, lambda _: 4)
    assert [[f"{t.arm} {t.seed}" for t in pack] for pack in packs] == [
        ["full 0", "full 1", "full 2", "full 3"],
        ["lora-r2 0", "lora-r4 0", "lora-r2 1", "lora-r4 1"],
        ["lora-r2 2", "lora-r4 2", "lora-r2 3", "lora-r4 3"],
        ["full 4"],
        ["lora-r2 4", "lora-r4 4"],
    ]


@pytest.mark.parametrize(
    ("override", "keys"),
    [
        ("arms.lora.grid={adapter.r: [2, 4], adapter.lora_alpha: [4, 8], training.learning_rate: [1e-3, 1e-4]}", 2),
        ("arms.lora.grid={training.per_device_train_batch_size: [8, 16]}", 3),
        ("arms.lora.grid={training.gradient_accumulation_steps: [1, 2]}", 3),
        ("arms.lora.grid={training.num_train_epochs: [1, 2]}", 2),
        (
            "arms.lora.grid={training.lr_scheduler_type: [linear, cosine], "
            "training.label_smoothing_factor: [0.0, 0.1]}",
            2,
        ),
    ],
)
def test_what_trials_of_a_pack_share(override: str, keys: int, tiny: Tiny) -> None:
    _, trials = expanded(tiny(override))
    assert len({PackKey.of(trial) for trial in trials}) == keys


def test_a_finished_study_and_a_single_trial_take_no_probe(
    tmp_path: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(tiny("seeds=1"), tmp_path)
    build, built = build_model, []
    monkeypatch.setattr("harness.models.build.build_model", lambda *a, **k: built.append(1) or build(*a, **k))
    assert run_study(tiny("seeds=1"), tmp_path).ran == 0
    assert built == []
    engine, trials = expanded(tiny("seeds=1"))
    assert [outcome.status for outcome in engine.train(trials[:1], report=lambda _: None)] == ["finished"]
    assert len(built) == 1


def test_the_untrained_and_the_trained_in_one_pack(tmp_path: Path, tiny: Tiny) -> None:
    of_study = tiny("arms={none: {training: {num_train_epochs: 0}}, full: {}}", "seeds=1", "analysis={}")
    packed = run_study(of_study, tmp_path / "packed").folder
    solo = run_study(of_study, tmp_path / "solo", engine="trainer").folder
    assert engines(packed)["none", 0] == ("packed", 2)
    in_pack, alone = (records(folder)["none", 0]["epochs"] for folder in (packed, solo))
    assert in_pack[0]["epoch"] == alone[0]["epoch"] == 0
    assert in_pack[0]["train_loss"] is None
    assert in_pack[0]["test"]["loss"] == pytest.approx(alone[0]["test"]["loss"], rel=1e-5)
    assert len(in_pack) == 1


@pytest.mark.parametrize("best", ["loss", "accuracy"])
def test_the_hold_out_selects_and_stops_each_trial_on_its_own(best: str, tmp_path: Path, study: Load) -> None:
    arms = {"slow": "{training: {learning_rate: 1e-5}}", "fast": "{training: {learning_rate: 5e-2}}"}
    selection = f"selection={{best: {best}, fraction: 0.2, patience: 1}}"
    of_study = study("bert", arms, "seeds=1", "training.num_train_epochs=5", selection, train=40)
    packed = records(run_study(of_study, tmp_path / "packed").folder)
    solo = records(run_study(of_study, tmp_path / "solo", engine="trainer").folder)
    lengths = set()
    for trial, record in packed.items():
        assert record["selected_epoch"] == solo[trial]["selected_epoch"], trial
        assert len(record["epochs"]) == len(solo[trial]["epochs"]), trial
        assert record["data"]["n_holdout"] == solo[trial]["data"]["n_holdout"] > 0
        for mine, theirs in zip(record["epochs"], solo[trial]["epochs"], strict=True):
            assert mine["holdout"]["loss"] == pytest.approx(theirs["holdout"]["loss"], rel=1e-3)
        lengths.add(len(record["epochs"]))
    assert best == "accuracy" or len(lengths) > 1, "all trials stopped at the same epoch: nothing was tried"


def test_a_tuning_trial_never_sees_the_test_split(tiny: Tiny) -> None:
    from harness.study.trials import make_trial

    of_study = tiny(
        "arms.full.search={trials: 1, fraction: 0.25, space: {training.learning_rate: {low: 1e-4, high: 1e-3}}}"
    )
    located, data, engine = prepare(of_study)
    trial = make_trial(
        of_study, "full", of_study.arms["full"], seed=1, model=located.identity, data=data.fingerprint, tuning=True
    )
    (outcome,) = engine.train([trial], report=lambda _: None)
    assert outcome.engine == "packed"
    assert all(epoch.test is None and epoch.probabilities is None for epoch in outcome.epochs)
    assert all(epoch.holdout is not None for epoch in outcome.epochs)


@pytest.mark.parametrize(
    "arm",
    [
        "{}",
        "{freeze: {layers: 3, biases: trained}}",
        "{adapter: {peft_type: LORA, target_modules: [query], use_dora: true, init_lora_weights: pissa}}",
        "{adapter: {peft_type: IA3, target_modules: [query, output.dense], feedforward_modules: [output.dense]}}",
    ],
)
def test_bf16_is_near_and_scores_are_single_precision(tmp_path: Path, arm: str, study: Load) -> None:
    short = ("seeds=1", "training.num_train_epochs=1")
    of_study = study("bert", {"full": arm}, *short, "training.bf16=true")
    packed = records(run_study(of_study, tmp_path / "packed").folder)["full", 0]
    solo = records(run_study(of_study, tmp_path / "solo", engine="trainer").folder)["full", 0]
    exact = records(run_study(study("bert", {"full": arm}, *short), tmp_path / "exact").folder)["full", 0]
    assert packed["device"]["precision"] == solo["device"]["precision"] == "bf16"
    assert packed["epochs"][0]["train_loss"] == pytest.approx(solo["epochs"][0]["train_loss"], rel=0.02)
    assert packed["epochs"][0]["train_loss"] != exact["epochs"][0]["train_loss"]


class Bf16Products(TorchDispatchMode):
    """Notes the shapes that are multiplied in bf16: for each of them a CPU compiles a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[tuple[int, ...], ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in {torch.ops.aten.mm, torch.ops.aten.addmm, torch.ops.aten.bmm}:
            factors = args[-2:]
            if factors[0].dtype == torch.bfloat16:
                self.shapes.add(tuple(tuple(factor.shape) for factor in factors))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("arm", ["full", "lora-r2"])
def test_in_bf16_a_cpu_multiplies_few_shapes_whatever_the_number_of_tokens(arm: str, tiny: Tiny) -> None:
    engine, trials = expanded(tiny("training.bf16=true"))
    pack = engine._pack([trial for trial in trials if trial.arm == arm])
    lengths = pack.data.train.lengths
    by_length = np.argsort(lengths)
    tokens, shapes = set(), set()
    for examples in (by_length[:2], by_length[-2:]):
        with Bf16Products() as products:
            pack.compute_gradients([0], [examples], 0)
        tokens.add(int(lengths[examples].sum()))
        shapes.add(frozenset(products.shapes))
    assert len(tokens) == 2, "the same number of tokens: nothing was tried"
    assert max(tokens) <= 64
    assert products.shapes
    assert len(shapes) == 1


def test_training_leaves_the_global_generators_and_threads_alone(tiny: Tiny) -> None:
    engine, trials = expanded(tiny())
    running = threading.enumerate()
    torch.manual_seed(5)
    expected, before = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    for _ in engine.train(trials, report=lambda _: None):
        assert torch.get_num_threads() == before
    assert torch.equal(torch.rand(3), expected)
    # One of an earlier test may end meanwhile.
    assert set(threading.enumerate()) <= set(running)


@pytest.mark.parametrize("broken", [False, True])
def test_the_collector_skips_nothing_after_packs_and_after_what_the_reference_took_over(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    planted_failure(monkeypatch, lambda _: ValueError("no luck") if broken else None)
    engine, trials = expanded(tiny("arms.lora.adapter.target_modules=[wte]"))
    gc.unfreeze()
    trained_by = set()
    for result in engine.train(trials, report=lambda _: None):
        trained_by.add((result.trial.arm, result.engine))
        assert gc.get_freeze_count() == 0
    assert trained_by == {("full", "trainer" if broken else "packed"), ("lora-r2", "trainer"), ("lora-r4", "trainer")}
    assert gc.get_freeze_count() == 0


def test_an_estimate_is_a_time_and_a_probe_is_the_same_every_time(tiny: Tiny) -> None:
    engine, trials = expanded(tiny())
    assert 0 < engine.estimate(trials[0]) < 60
    sizes = {tuple(PackedEngine._fitting(engine, trial) for trial in trials) for _ in range(2)}
    assert len(sizes) == 1


def test_a_small_model_is_probed_by_one_thread(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    computed_with = set()
    compute = Pack.compute_gradients

    def watched(pack: Pack, *arguments: Any) -> torch.Tensor:
        computed_with.add(torch.get_num_threads())
        return compute(pack, *arguments)

    monkeypatch.setattr(Pack, "compute_gradients", watched)
    with threads(2):
        engine, trials = expanded(tiny())
        engine.estimate(trials[0])
        engine.size(trials[0])
    assert computed_with == {1}


def test_less_memory_makes_smaller_packs(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, trials = expanded(tiny())
    assert engine._fitting(trials[0]) == engine_module._LARGEST_PACK["cpu"]
    monkeypatch.setattr(engine_module, "memory", lambda _: 60 << 20)
    assert 1 <= engine._fitting(trials[0]) < engine_module._LARGEST_PACK["cpu"]
    monkeypatch.setattr(engine_module, "memory", lambda _: 1 << 20)
    assert engine._fitting(trials[0]) == 1
    assert engine._fitting(trials[0]) <= engine._fitting(trials[1])
