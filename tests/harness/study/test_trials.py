"""Trials: their order, and keys that change with what decides an outcome and with nothing else."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.study.loading import load_study
from harness.study.settings import BestEpoch
from harness.study.study import Study
from harness.study.trials import KEY_VERSION, TUNING_SEED, Trial, expand, key_of, make_trial

Written = Callable[..., Path]

HOLDOUT = "selection={best: accuracy, on: holdout, fraction: 0.1, patience: 2}"


def trials(study: Study, *, model: str = "sha256:m", data: str = "d") -> dict[tuple[str, int], Trial]:
    return {(t.arm, t.seed): t for t in expand(study, arms=study.arms, model=model, data=data)}


def test_trials_go_seed_by_seed(written: Written) -> None:
    study = load_study(written(), ["seeds=[4, 1]"])
    order = [(trial.arm, trial.seed) for trial in expand(study, arms=study.arms, model="m", data="d")]
    arms = ["full", "lora-r2", "lora-r8", "frozen"]
    assert order == [(arm, seed) for seed in (4, 1) for arm in arms]


def test_a_trial_does_not_change(written: Written) -> None:
    trial = trials(load_study(written()))["full", 0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        trial.seed = 1  # type: ignore[misc]


def test_no_two_trials_share_a_key(written: Written) -> None:
    expanded = trials(load_study(written()))
    assert len({trial.key for trial in expanded.values()}) == len(expanded) == 12


def test_the_key_of_a_known_content_is_pinned() -> None:
    # A key that hashes anything incidental would train every trial again after an upgrade. Should this fail, keys have
    # changed: give them a new version, or every stored trial runs again.
    content = {"model": "m", "training": {"learning_rate": 5e-05, "bf16": False}, "adapter": None, "seed": 3}
    assert key_of(content) == "v2-1463aaceac60576fc485"
    assert key_of(dict(reversed(content.items()))) == key_of(content)
    assert key_of({**content, "seed": 4}) != key_of(content)


def test_the_key_of_a_known_study_is_pinned(written: Written) -> None:
    # The same for what goes into the content: a new default or field would change it unseen.
    assert trials(load_study(written()))["lora-r2", 0].key == "v2-ebe733df9114df288378"


def test_a_content_has_no_field_that_came_later_and_is_off(written: Written) -> None:
    content = trials(load_study(written()))["frozen", 0].content
    assert content["freeze"] == {"layers": 1, "dropout": "on"}
    assert "tf32" not in content["training"]


def test_a_key_names_its_version_and_is_a_folders_name(written: Written) -> None:
    for trial in trials(load_study(written())).values():
        version, _, digest = trial.key.partition("-")
        assert version == KEY_VERSION
        assert len(digest) == 20
        assert set(digest) <= set("0123456789abcdef")


def test_a_content_is_json_and_holds_no_nan(written: Written) -> None:
    trial = trials(load_study(written(), [HOLDOUT]))["lora-r2", 0]
    assert json.loads(json.dumps(trial.content, allow_nan=False)) == trial.content
    with pytest.raises(ValueError, match="JSON"):
        key_of({"learning_rate": float("nan")})


DECIDES = [
    "training.learning_rate=2e-3",
    "training.num_train_epochs=1",
    "training.per_device_train_batch_size=4",
    "training.per_device_eval_batch_size=8",  # in bf16 it moves scores
    "training.gradient_accumulation_steps=2",
    "training.weight_decay=0.1",
    "training.adam_beta1=0.8",
    "training.adam_beta2=0.99",
    "training.adam_epsilon=1e-6",
    "training.max_grad_norm=0.5",
    "training.lr_scheduler_type=cosine",
    "training={learning_rate: 1e-3, lr_scheduler_type: cosine, lr_scheduler_kwargs: {num_cycles: 1}}",
    "training.warmup_steps=0.1",
    "training.label_smoothing_factor=0.1",
    "training.bf16=true",
    "training.tf32=true",
    "data.padding=max_length",
    "data.padding_side=left",
    "data.resample=0.5",
    "data.resample=0.6",
    "arms.lora.adapter.lora_alpha=16",
    "arms.lora.adapter.lora_dropout=0.1",
    "arms.lora.adapter.target_modules=[c_proj]",
    "arms.lora.adapter.bias=all",
    "arms.lora.adapter.use_rslora=true",
    HOLDOUT,
]


@pytest.mark.parametrize("override", DECIDES)
def test_a_key_changes_with_what_decides_the_outcome(written: Written, override: str) -> None:
    before, after = trials(load_study(written())), trials(load_study(written(), [override]))
    assert before["lora-r2", 0].key != after["lora-r2", 0].key


def test_each_such_change_is_another_key(written: Written) -> None:
    keys = [trials(load_study(written(), [override]))["lora-r2", 0].key for override in DECIDES]
    assert len(set(keys)) == len(keys)


def test_every_training_setting_decides() -> None:
    named = {override.partition("=")[0].removeprefix("training.") for override in DECIDES if "training." in override}
    from harness.study.training import Training

    assert set(Training.model_fields) - named == {"lr_scheduler_kwargs"}  # it is in DECIDES with its schedule


def test_a_key_changes_with_the_checkpoint_the_data_and_the_freezing(written: Written) -> None:
    study = load_study(written())
    before = trials(study)
    assert trials(study, model="sha256:other")["full", 0].key != before["full", 0].key
    assert trials(study, data="e")["full", 0].key != before["full", 0].key
    for override in ("layers=0", "dropout=off", "biases=trained"):
        after = trials(load_study(written(), [f"arms.frozen.freeze.{override}"]))
        assert after["frozen", 0].key != before["frozen", 0].key
        assert after["full", 0].key == before["full", 0].key


@pytest.mark.parametrize(
    "changed",
    ["{best: loss, fraction: 0.1, patience: 2}", "{best: accuracy, fraction: 0.2, patience: 2}", "{best: accuracy}"],
)
def test_a_key_changes_with_the_hold_out(written: Written, changed: str) -> None:
    before = trials(load_study(written(), [HOLDOUT]))["full", 0]
    after = trials(load_study(written(), [f"selection={changed}"]))["full", 0]
    assert before.holdout == BestEpoch(best="accuracy", on="holdout", fraction=0.1, patience=2)
    assert before.key != after.key


@pytest.mark.parametrize(
    "override",
    [
        "name=another",
        "question=Why?",
        "seeds=20",
        "seeds=[0, 7]",
        "analysis={baseline: frozen, margin: 0.02}",
        "claims=[]",
        "deviations=[one]",
        "store_texts=false",
        "model=./the-same-weights-elsewhere",
        "revision=main",
        "arms.lora.adapter.lora_alpha=8.0",  # the default, spelled out
        "training.weight_decay=0",
        "data.path=./the-same-data-elsewhere",
        "data.test_size=50",  # what it leaves is in the fingerprint
        "data.max_length=64",  # so is what it cuts
        "selection={best: accuracy, on: test}",  # read off the stored epochs
        "selection={best: loss, on: test}",
        "arms.lora.grid.adapter.r=[2, 4, 8]",
        "arms.another={freeze: {layers: 0}}",
    ],
)
def test_a_key_stays_whatever_does_not_decide(written: Written, override: str) -> None:
    before, after = trials(load_study(written())), trials(load_study(written(), [override]))
    assert all(after[arm, 0].key == before[arm, 0].key for arm in ("full", "lora-r2", "lora-r8", "frozen"))


def test_a_key_does_not_know_the_arms_name_or_how_it_came_to_be(written: Written) -> None:
    renamed = load_study(written(("  lora:\n", "  low-rank:\n")))
    assert trials(renamed)["low-rank-r2", 0].key == trials(load_study(written()))["lora-r2", 0].key
    spelled = load_study(
        written(
            ("target_modules: [c_attn]}", "target_modules: [c_attn], r: 2}"), ("    grid: {adapter.r: [2, 8]}\n", "")
        )
    )
    assert trials(spelled)["lora", 0].key == trials(load_study(written()))["lora-r2", 0].key


def test_padding_to_a_length_has_that_length_in_the_key(written: Written) -> None:
    def key(length: int) -> str:
        overrides = ["data.padding=max_length", f"data.max_length={length}"]
        return trials(load_study(written(), overrides))["full", 0].key

    assert key(64) != key(128)


def test_a_key_knows_nothing_of_the_process(written: Written) -> None:
    # Versions, hash seeds, folders and the like are recorded, never hashed.
    path = written()
    code = (
        "import sys; from harness import load_study; from harness.study.trials import expand\n"
        "s = load_study(sys.argv[1])\n"
        "print(*(t.key for t in expand(s, arms=s.arms, model='sha256:m', data='d')))"
    )
    where = Path(harness.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=where,
        env={**os.environ, "PYTHONHASHSEED": "11"},
    )
    assert done.stdout.split() == [trial.key for trial in trials(load_study(path)).values()]


def tuned(written: Written, *overrides: str, tuning: bool = True) -> Trial:
    search = "search={trials: 3, best: loss, fraction: 0.2, space: {training.learning_rate: {low: 1e-5, high: 1e-3}}}"
    study = load_study(written(), [search, *overrides])
    return make_trial(study, "full", study.arms["full"], seed=TUNING_SEED, model="m", data="d", tuning=tuning)


def test_a_tuning_trial_is_judged_on_its_searchs_hold_out(written: Written) -> None:
    trial = tuned(written)
    assert trial.tuning
    assert trial.holdout == BestEpoch(best="loss", on="holdout", fraction=0.2)
    assert trial.content["holdout"] == {"best": "loss", "fraction": 0.2, "patience": None}
    assert tuned(written, tuning=False).holdout is None


def test_a_candidate_shares_no_key_with_a_trial_of_the_same_settings_and_seed(written: Written) -> None:
    # A trial is scored on the test split too, so neither can stand for the other.
    same = "selection={best: loss, fraction: 0.2}"
    candidate, trial = tuned(written, same), tuned(written, same, tuning=False)
    assert candidate.holdout == trial.holdout
    assert candidate.seed == trial.seed
    assert candidate.key != trial.key
