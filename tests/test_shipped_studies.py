"""Every shipped study loads, means what it says, and has no two arms that are one."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from analysis.study.analysis_block import check_plan, parse_plan
from harness.study.loading import load_study
from harness.study.settings import Arm
from harness.study.study import Study
from harness.study.trials import expand

STUDIES = sorted((Path(__file__).parents[1] / "studies").glob("*.yaml"))
EXPECTED = {
    "quickstart",
    "gpt2_lora",
    "distilbert",
    "lora_rank",
    "lora_rank_tuned",
    "freeze_depth",
    "schedulers",
    "epochs",
    "one_recipe",
}
STEPS_AN_EPOCH = 300


def curve(arm: Arm) -> tuple[float, ...]:
    """The learning rate at every step of 300 an epoch, as the trainer's own schedule gives it."""
    torch = pytest.importorskip("torch")
    import transformers

    training = arm.training
    steps = STEPS_AN_EPOCH * training.num_train_epochs
    warmup = training.warmup_steps
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=training.learning_rate)
    schedule = transformers.get_scheduler(
        training.lr_scheduler_type,
        optimizer,
        num_warmup_steps=int(warmup) if warmup >= 1 else math.ceil(steps * warmup),
        num_training_steps=steps,
        scheduler_specific_kwargs=dict(training.lr_scheduler_kwargs),
    )
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(steps):
            rates.append(float(f"{schedule.get_last_lr()[0]:.9g}"))
            schedule.step()
    return tuple(rates)


def fakes(arms: Mapping[str, Arm]) -> list[tuple[str, str]]:
    """The pairs of arms that train alike: the same learning-rate curve, and the same of everything else."""
    shape = {"learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps"}

    def rest(arm: Arm) -> dict[str, Any]:
        return arm.model_dump(mode="json", exclude={"factors": True, "training": shape})

    curves = {name: curve(arm) for name, arm in arms.items()}
    return [
        (first, second)
        for first, second in itertools.combinations(arms, 2)
        if curves[first] == curves[second] and rest(arms[first]) == rest(arms[second])
    ]


def names(path: Path) -> str:
    return path.stem


def test_the_promised_studies_are_shipped() -> None:
    assert {path.stem for path in STUDIES} == EXPECTED


@pytest.mark.parametrize("path", STUDIES, ids=names)
def test_it_loads_and_bears_its_files_name(path: Path) -> None:
    study = load_study(path)
    assert study.name == path.stem
    assert study.question.endswith("?")
    assert len(study.arms) >= 2 or study.name == "one_recipe"
    assert len(study.seeds) >= 5


@pytest.mark.parametrize("path", STUDIES, ids=names)
def test_its_analysis_and_claims_can_be_used(path: Path) -> None:
    study = load_study(path)
    assert check_plan(study.analysis, study.claims, arms=tuple(study.arms)) == []
    plan = parse_plan(study.analysis, arms=tuple(study.arms))
    assert plan.baseline in study.arms
    # A baseline that is named is what the study means; the first arm by default would be an accident.
    assert study.analysis["baseline"] == plan.baseline


@pytest.mark.parametrize("path", STUDIES, ids=names)
def test_its_trials_have_keys_of_their_own(path: Path) -> None:
    study = load_study(path)
    trials = expand(study, arms=study.arms, model="m", data="d")
    assert len({trial.key for trial in trials}) == len(trials) == len(study.arms) * len(study.seeds)


@pytest.mark.parametrize("path", STUDIES, ids=names)
def test_it_has_no_fake_arm(path: Path) -> None:
    assert fakes(load_study(path).arms) == []


@pytest.mark.parametrize("path", STUDIES, ids=names)
def test_a_smoke_run_of_it_is_valid(path: Path) -> None:
    overrides = ["model=embedded/tiny-gpt2", "data.path=embedded/sentiment", "data.name=null", "seeds=2"]
    assert load_study(path, [*overrides, "data.train_size=64", "data.test_size=40"]).seeds == (0, 1)


def planted(*arms: str) -> Callable[[Path], Study]:
    def load(folder: Path) -> Study:
        path = folder / "planted.yaml"
        lines = "".join(f"  arm{number}: {arm}\n" for number, arm in enumerate(arms))
        shared = "training: {learning_rate: 1e-4, num_train_epochs: 2}"
        path.write_text(f"name: planted\nmodel: m\ndata: {{path: d}}\n{shared}\nseeds: 1\narms:\n{lines}")
        return load_study(path)

    return load


@pytest.mark.parametrize(
    "arms",
    [
        (
            "{training: {lr_scheduler_type: constant}}",
            "{training: {lr_scheduler_type: constant_with_warmup}}",
        ),
        (
            "{training: {lr_scheduler_type: cosine}}",
            "{training: {lr_scheduler_type: cosine, lr_scheduler_kwargs: {num_cycles: 0.5}}}",
        ),
        (
            "{training: {lr_scheduler_type: linear}}",
            "{training: {lr_scheduler_type: polynomial, lr_scheduler_kwargs: {power: 1.0, lr_end: 0.0}}}",
        ),
        (
            "{training: {lr_scheduler_type: linear, warmup_steps: 0.1}}",
            "{training: {lr_scheduler_type: linear, warmup_steps: 60}}",
        ),
        (
            "{freeze: {layers: 1}, training: {lr_scheduler_type: constant}}",
            "{freeze: {layers: 1}, training: {lr_scheduler_type: constant_with_warmup}}",
        ),
    ],
    ids=["no warm-up", "default spelled out", "power of one", "share and steps", "beside a freezing"],
)
def test_a_planted_fake_is_found(tmp_path: Path, arms: tuple[str, ...]) -> None:
    # Their settings differ, so loading alone cannot tell.
    assert fakes(planted(*arms)(tmp_path).arms) == [("arm0", "arm1")]


@pytest.mark.parametrize(
    "arms",
    [
        ("{training: {lr_scheduler_type: linear}}", "{training: {lr_scheduler_type: cosine}}"),
        ("{training: {lr_scheduler_type: linear}}", "{training: {lr_scheduler_type: linear, warmup_steps: 0.1}}"),
        ("{training: {weight_decay: 0.1}}", "{training: {weight_decay: 0.2}}"),
        ("{freeze: {layers: 1}}", "{freeze: {layers: 2}}"),
        ("{training: {num_train_epochs: 1}}", "{training: {num_train_epochs: 3}}"),
        ("{training: {learning_rate: 1e-4}}", "{training: {learning_rate: 1.01e-4}}"),
    ],
)
def test_arms_that_differ_are_no_fakes(tmp_path: Path, arms: tuple[str, ...]) -> None:
    assert fakes(planted(*arms)(tmp_path).arms) == []


def test_the_checker_warms_up_as_the_trainer_does(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    for warmup in (0.0, 0.1, 0.0007, 0.5, 7, 60):
        arm = Arm.model_validate({"training": {"warmup_steps": float(warmup), "num_train_epochs": 1}})
        rates = curve(arm)
        expected = transformers.TrainingArguments(warmup_steps=warmup, use_cpu=True).get_warmup_steps(STEPS_AN_EPOCH)
        assert rates.index(max(rates)) == expected
