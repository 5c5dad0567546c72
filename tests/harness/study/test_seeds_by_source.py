"""Seeds by source: every initialisation with every data order, each pair a trial of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.seeding import crossed_streams, streams
from harness.study.loading import load_study
from harness.study.trials import Trial, expand

Written = Callable[..., Path]

BY_SOURCE = "seeds={initialisation: 5, data_order: 4}"


def trials(path: Path, *overrides: str) -> dict[tuple[str, int], Trial]:
    study = load_study(path, overrides)
    return {(trial.arm, trial.seed): trial for trial in expand(study, arms=study.arms, model="sha256:m", data="d")}


def test_every_initialisation_meets_every_data_order_in_every_arm(written: Written) -> None:
    expanded = trials(written(), BY_SOURCE)
    assert len(expanded) == 4 * 20
    for arm in ("full", "lora-r2", "lora-r8", "frozen"):
        pairs = [expanded[arm, seed].pair for seed in range(20)]
        assert [(pair.initialisation, pair.data_order) for pair in pairs if pair is not None] == [
            (i, j) for i in range(5) for j in range(4)
        ]
    assert len({trial.key for trial in expanded.values()}) == 80


def test_each_source_has_a_stream_of_its_own(written: Written) -> None:
    expanded = trials(written(), BY_SOURCE)
    drawn = [expanded["full", seed].streams for seed in range(20)]
    assert drawn == [expanded["frozen", seed].streams for seed in range(20)]
    assert len({one.initialisation for one in drawn}) == 5
    assert len({one.data_order for one in drawn}) == 4
    assert len({one.dropout for one in drawn}) == 20
    for seed, one in enumerate(drawn):
        assert one == crossed_streams(seed // 4, seed % 4)
        # The same head and the same order as plain seeds of these numbers.
        assert one.initialisation == streams(seed // 4).initialisation
        assert one.data_order == streams(seed % 4).data_order
        assert one.dropout not in {streams(plain).dropout for plain in range(20)}


def test_the_streams_of_a_pair_are_pinned() -> None:
    # Another derivation would give other trained models under the same keys.
    assert crossed_streams(1, 2).to_dict() == {
        "initialisation": 3007098759,
        "data_order": 1564666226,
        "dropout": 4120590877,
    }
    assert crossed_streams(1, 2).dropout != crossed_streams(2, 1).dropout


def test_a_trial_is_its_pair_and_not_its_number(written: Written) -> None:
    few, more = trials(written(), BY_SOURCE), trials(written(), "seeds={initialisation: 5, data_order: 6}")
    assert few["full", 5].pair == more["full", 7].pair
    assert few["full", 5].key == more["full", 7].key
    assert few["full", 5].content["seed"] == {"initialisation": 1, "data_order": 1}
    plain = trials(written(), "seeds=20")
    assert not {trial.key for trial in few.values()} & {trial.key for trial in plain.values()}
    assert all(trial.pair is None and trial.streams == streams(trial.seed) for trial in plain.values())


@pytest.mark.parametrize(
    ("seeds", "key", "words"),
    [
        ("{initialisation: 3, data_order: 4}", "seeds.initialisation", "expected at least 4 and at most 100, got 3"),
        ("{initialisation: 4, data_order: 101}", "seeds.data_order", "expected at least 4 and at most 100, got 101"),
        ("{initialisation: 4}", "seeds.data_order", "missing; expected at least 4 and at most 100"),
        ("{initialisation: 4, data_order: 2.5}", "seeds.data_order", "a whole number, got 2.5"),
        ("{initialisation: [0, 1], data_order: 4}", "seeds.initialisation", "a whole number"),
        ("{initialisation: 4, data_order: 4, dropout: 4}", "seeds.dropout", "unknown key"),
        ("true", "seeds", "or {initialisation: 5, data_order: 4}, got True"),
    ],
)
def test_what_is_wrong_is_named(
    written: Written, refused: Callable[..., tuple[object, ...]], seeds: str, key: str, words: str
) -> None:
    problems = [str(problem) for problem in refused(written(), f"seeds={seeds}")]
    assert any(f"{key}: " in problem and words in problem for problem in problems), problems


def test_a_misspelt_kind_of_seeds_is_one_problem(written: Written, refused: Callable[..., tuple[object, ...]]) -> None:
    (problem,) = refused(written(), "seeds={initialisation: 5, data_ordre: 4}")
    assert "seeds.data_ordre: unknown key; did you mean 'data_order'?" in str(problem)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.resample=0.5", "leave out data.resample, or give a count of seeds"),
        ("data.test=[validation, other]", "judged on one test set, and data.test names 2"),
    ],
)
def test_what_no_test_covers_is_refused(
    written: Written, refused: Callable[..., tuple[object, ...]], override: str, words: str
) -> None:
    (problem,) = refused(written(), BY_SOURCE, override)
    assert words in str(problem)
