from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.study.arm_times import arm_times
from analysis.study.cost import arm_cost, arm_costs
from analysis.study.time_ratio import geometric_mean, time_ratio, turns_ratio

if TYPE_CHECKING:
    from conftest import StudyFolder

SEEDS = tuple(range(6))
BASELINE = [10.0, 12.0, 11.0, 14.0, 13.0, 12.5]
TREATMENT = [6.5, 8.1, 7.0, 9.4, 8.3, 8.0]


def timed(study: StudyFolder) -> Outcomes:
    for arm, seconds in (("full", BASELINE), ("lora-r2", TREATMENT)):
        for seed, value in zip(SEEDS, seconds, strict=True):
            study.change_record(arm, seed, lambda content, value=value: content["seconds"].update(training=value))
    return load(study.root)


def test_the_ratio_is_the_paired_t_on_log_seconds(study: StudyFolder) -> None:
    ratio = time_ratio(timed(study), treatment="lora-r2", baseline="full", seeds=SEEDS)
    logs = np.log(TREATMENT) - np.log(BASELINE)
    reference = stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    assert ratio.ratio == pytest.approx(math.exp(logs.mean()), rel=1e-12)
    assert ratio.interval == pytest.approx((math.exp(reference.low), math.exp(reference.high)), rel=1e-9)
    assert (ratio.reason, ratio.generalizes_to, ratio.n_seeds) == ("", "seeds", 6)


def test_swapping_the_arms_inverts_ratio_and_interval(study: StudyFolder) -> None:
    outcomes = timed(study)
    there = time_ratio(outcomes, treatment="lora-r2", baseline="full", seeds=SEEDS)
    back = time_ratio(outcomes, treatment="full", baseline="lora-r2", seeds=SEEDS)
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert back.interval == pytest.approx((1 / there.interval[1], 1 / there.interval[0]))


def test_the_ratio_is_paired_by_seed(study: StudyFolder) -> None:
    ratio = time_ratio(timed(study), treatment="lora-r2", baseline="full", seeds=SEEDS)
    spread = np.std(np.log(TREATMENT), ddof=1)
    assert math.log(ratio.interval[1] / ratio.interval[0]) < spread


def test_one_seed_has_a_ratio_without_an_interval(study: StudyFolder) -> None:
    ratio = time_ratio(timed(study), treatment="lora-r2", baseline="full", seeds=[0])
    assert ratio.ratio == pytest.approx(0.65)
    assert all(math.isnan(limit) for limit in ratio.interval)
    assert ratio.reason == "one seed gives no interval"


CHANGES = {
    "1 of 12 trials shared their device (first: full seed 3)": lambda content: content["seconds"].update(
        timing="beside another trial"
    ),
    "1 of 12 trials were trained in packs of 4 and have no time of their own": lambda content: content.update(
        pack_size=4
    ),
    "device cpu, test processor, fp32 (11 trials) and cpu, another processor, fp32 (1 trial)": lambda content: content[
        "device"
    ].update(name="another processor"),
    "device cpu, test processor, fp32 (11 trials) and cpu, test processor, bf16 (1 trial)": lambda content: content[
        "device"
    ].update(precision="bf16"),
    "under different conditions: engine trainer (11 trials) and packed (1 trial)": lambda content: content.update(
        engine="packed"
    ),
    "threads not recorded (11 trials) and 2 (1 trial)": lambda content: content["device"].update(threads=2),
    "torch 2.13.0 (11 trials) and 2.12.0 (1 trial)": lambda content: content["provenance"]["versions"].update(
        torch="2.12.0"
    ),
    "cores 2, memory 16 (11 trials) and processor test, cores 8, memory 16 (1 trial)": lambda content: content[
        "provenance"
    ]["hardware"].update(cores=8),
    "no recorded time": lambda content: content.update(seconds=None),
    "no training time": lambda content: content["seconds"].update(training=0.0),
}


@pytest.mark.parametrize("says", CHANGES)
def test_times_that_cannot_be_compared_give_no_ratio(study: StudyFolder, says: str) -> None:
    study.change_record("full", 3, CHANGES[says])
    ratio = time_ratio(load(study.root), treatment="lora-r2", baseline="full", seeds=SEEDS)
    assert math.isnan(ratio.ratio)
    assert all(math.isnan(limit) for limit in ratio.interval)
    assert says in ratio.reason


def test_trials_of_packs_give_no_ratio_and_the_reason_is_told_once(study: StudyFolder) -> None:
    for seed in SEEDS:
        study.pack("full", seed, 4)
        study.pack("lora-r2", seed, 12)
    ratio = time_ratio(load(study.root), treatment="lora-r2", baseline="full", seeds=SEEDS)
    assert math.isnan(ratio.ratio)
    assert ratio.reason == "12 of 12 trials were trained in packs of 4 to 12 and have no time of their own"


def test_no_common_seed_gives_no_ratio(study: StudyFolder) -> None:
    ratio = time_ratio(load(study.root), treatment="lora-r2", baseline="full", seeds=[])
    assert math.isnan(ratio.ratio)
    assert "no seed" in ratio.reason


def test_the_cost_of_an_arm(study: StudyFolder) -> None:
    study.change_record("lora-r2", 2, lambda content: content["peak_memory"].update(bytes=400_000_000))
    cost = arm_cost("lora-r2", timed(study).of_arm("lora-r2"))
    assert cost.seconds == pytest.approx(np.mean(TREATMENT))
    assert cost.seconds_range == (6.5, 9.4)
    assert (cost.trainable, cost.total, cost.share) == (8_000, 1_000_000, 0.008)
    assert cost.peak_bytes == 400_000_000
    assert (cost.memory_method, cost.timings, cost.n_seeds) == ("resident set", ("solo",), 6)
    assert cost.mixed == ""


def test_an_arm_trained_in_packs_has_no_time_and_no_memory_of_its_own(study: StudyFolder) -> None:
    for seed in SEEDS:
        study.pack("lora-r2", seed, 12 if seed else 4)
    cost = arm_cost("lora-r2", load(study.root).of_arm("lora-r2"))
    assert (cost.n_seeds, cost.n_solo, cost.pack_sizes) == (6, 0, (4, 12))
    assert all(math.isnan(time) for time in (cost.seconds, *cost.seconds_range, cost.evaluation_seconds))
    assert (cost.peak_bytes, cost.memory_method, cost.timings) == (None, "", ())
    # Not of the trial, yet what one more of them would add.
    assert cost.further_seconds == pytest.approx((10 / 4 + (11 + 12 + 13 + 14 + 15) / 12) / 6)
    assert cost.further_evaluation_seconds == pytest.approx((1 / 4 + 5 / 12) / 6)
    assert (cost.trainable, cost.total) == (8_000, 1_000_000)


@pytest.mark.parametrize("left_out", ["packed", "beside another", "packed, and the sentence forgotten"])
def test_times_and_memory_are_those_of_the_solo_trials(study: StudyFolder, left_out: str) -> None:
    for seed in (0, 2, 5):
        if left_out == "beside another":
            study.change_record("full", seed, lambda content: content["seconds"].update(timing="beside another trial"))
        else:
            study.pack("full", seed, 3)
        if left_out.endswith("forgotten"):
            study.change_record("full", seed, lambda content: content["seconds"].update(timing="solo"))
    cost = arm_cost("full", load(study.root).of_arm("full"))
    assert (cost.n_seeds, cost.n_solo) == (6, 3)
    assert cost.seconds == pytest.approx((11 + 13 + 14) / 3)
    assert (cost.seconds_range, cost.evaluation_seconds) == ((11, 14), 1)
    assert (cost.peak_bytes, cost.memory_method) == (300_000_000, "resident set")


def test_a_pack_of_one_is_a_trial_alone(study: StudyFolder) -> None:
    before = arm_cost("full", load(study.root).of_arm("full"))
    for seed in SEEDS:
        study.change_record("full", seed, lambda content: content.update(engine="packed", pack_size=1))
    assert arm_cost("full", load(study.root).of_arm("full")) == before
    assert (before.n_solo, before.pack_sizes) == (6, ())
    assert (before.further_seconds, before.further_evaluation_seconds) == (before.seconds, before.evaluation_seconds)


def test_what_was_not_recorded_is_unknown_and_never_zero(study: StudyFolder) -> None:
    for seed in SEEDS:
        study.change_record(
            "full", seed, lambda content: content.update(seconds=None, peak_memory=None, parameters=None)
        )
    cost = arm_cost("full", load(study.root).of_arm("full"))
    assert math.isnan(cost.seconds)
    assert math.isnan(cost.share)
    assert (cost.trainable, cost.peak_bytes) == (None, None)


def test_a_trial_that_did_not_finish_has_no_say_in_the_cost(study: StudyFolder) -> None:
    study.end("full", 5, "diverged", "x")
    study.change_record("full", 5, lambda content: content["seconds"].update(training=1000.0))
    cost = arm_cost("full", load(study.root).of_arm("full"))
    assert cost.n_seeds == 5
    assert cost.seconds_range[1] < 1000


TURNS = {"full": [0.11, 0.12, 0.10, 0.15, 0.13], "lora-r2": [0.07, 0.08, 0.065, 0.1, 0.08]}


def in_turns(study: StudyFolder) -> Outcomes:
    for arm in TURNS:
        for seed in SEEDS:
            study.pack(arm, seed, 6)
    study.time(TURNS)
    return load(study.root)


def test_the_ratio_of_turns_is_the_paired_t_on_log_seconds(study: StudyFolder) -> None:
    timing = in_turns(study).timing
    assert timing is not None
    ratio = turns_ratio(timing.arms, treatment="lora-r2", baseline="full")
    reference = stats.ttest_rel(np.log(TURNS["lora-r2"]), np.log(TURNS["full"])).confidence_interval(0.95)
    assert math.log(ratio.ratio) == pytest.approx(np.mean(np.log(TURNS["lora-r2"]) - np.log(TURNS["full"])))
    assert ratio.interval == pytest.approx((math.exp(reference.low), math.exp(reference.high)), rel=1e-9)
    assert (ratio.measured, ratio.n_turns, ratio.n_seeds) == ("turns", 5, 0)
    assert (ratio.generalizes_to, ratio.reason) == ("repeats on this machine", "")
    back = turns_ratio(timing.arms, treatment="full", baseline="lora-r2")
    assert back.interval == pytest.approx((1 / ratio.interval.high, 1 / ratio.interval.low))


def test_what_slows_both_arms_of_a_turn_leaves_their_ratio_alone(study: StudyFolder) -> None:
    timing = in_turns(study).timing
    assert timing is not None
    slowed = [1.0, 3.0, 1.0, 2.0, 1.5]
    slow = {
        name: arm.model_copy(update={"step_seconds": tuple(np.multiply(arm.step_seconds, slowed).tolist())})
        for name, arm in timing.arms.items()
    }
    before, after = (turns_ratio(arms, treatment="lora-r2", baseline="full") for arms in (timing.arms, slow))
    assert after.interval == pytest.approx(before.interval)
    assert arm_times(slow["full"]).seconds > 1.4 * arm_times(timing.arms["full"]).seconds


def test_an_arm_that_trains_nothing_has_no_ratio(study: StudyFolder) -> None:
    timing = in_turns(study).timing
    assert timing is not None
    still = timing.arms["full"].model_copy(update={"trial_steps": 0.0, "step_seconds": ()})
    ratio = turns_ratio({**timing.arms, "full": still}, treatment="lora-r2", baseline="full")
    assert math.isnan(ratio.ratio)
    assert (ratio.measured, ratio.reason) == ("", "full trains no step")
    assert math.isnan(arm_times(still).seconds)


def test_the_cost_of_an_arm_in_turns(study: StudyFolder) -> None:
    cost = arm_costs(in_turns(study), seeds={"full": SEEDS, "lora-r2": SEEDS}, confidence=0.9)[0]
    assert (cost.measured, cost.n_turns, cost.clock, cost.n_solo) == ("turns", 5, "CPU time", 0)
    mean, interval = geometric_mean([100 * seconds for seconds in TURNS["full"]], 0.9)
    assert (cost.seconds, cost.seconds_range) == (pytest.approx(mean), pytest.approx((10, 15)))
    assert cost.seconds_interval == pytest.approx(interval)
    assert cost.step_seconds == pytest.approx(mean / 100)
    assert cost.evaluation_seconds == pytest.approx(mean * 0.4)
    assert (cost.peak_bytes, cost.peak_range) == (2**28 + 4 * 2**20, (2**28, 2**28 + 4 * 2**20))
    # What one more trial of a pack adds is still the share of its pack.
    assert cost.further_seconds == pytest.approx(12.5 / 6)
