from __future__ import annotations

import numpy as np
import pytest

from analysis.methods.bootstrap import bootstrap_study, multi_bootstrap


def test_a_study_gives_what_its_comparisons_give_one_by_one() -> None:
    rng = np.random.default_rng(13)
    for S in (3, 5):
        arms = {name: (rng.random((S, 40)) < 0.8).astype(float) for name in "abcd"}
        pairs = [("b", "a"), ("c", "a"), ("d", "b")]
        study = bootstrap_study(arms, pairs, rng=np.random.default_rng(3), resamples=199)
        assert list(study) == pairs
        for treatment, baseline in pairs:
            alone = multi_bootstrap(
                arms[treatment], arms[baseline], paired=True, rng=np.random.default_rng(3), resamples=199
            )
            assert study[treatment, baseline] == alone
        assert bootstrap_study(arms, pairs[::-1], rng=np.random.default_rng(3), resamples=199) == study


def test_arms_that_share_no_seeds_are_resampled_apart() -> None:
    rng = np.random.default_rng(15)
    arms = {name: (rng.random((S, 40)) < 0.8).astype(float) for name, S in (("a", 5), ("b", 3), ("c", 5))}
    alone, options = [("b", "a"), ("c", "a")], {"paired": False, "resamples": 199}
    for pair in alone:
        study = bootstrap_study(arms, [pair], rng=np.random.default_rng(3), **options)
        one = multi_bootstrap(arms[pair[0]], arms[pair[1]], rng=np.random.default_rng(3), **options)
        assert study == {pair: one}
        assert one.n_seeds == (len(arms[pair[0]]), 5)
    together = bootstrap_study(arms, alone, rng=np.random.default_rng(3), **options)
    assert list(together) == alone
    for treatment, baseline in alone:
        error = multi_bootstrap(
            arms[treatment], arms[baseline], rng=np.random.default_rng(4), paired=False, resamples=4000
        ).bootstrap_se
        assert together[treatment, baseline].bootstrap_se == pytest.approx(error, rel=0.2)
    # Independent draws of seeds widen what pairs of alike arms would hide.
    same = {"a": arms["a"], "b": arms["a"]}
    assert bootstrap_study(same, [("b", "a")], rng=np.random.default_rng(3), **options)["b", "a"].bootstrap_se > 0


def test_a_study_says_which_comparisons_do_not_vary() -> None:
    y_t, y_b = np.random.default_rng(14).random((2, 4, 30))
    study = bootstrap_study(
        {"a": y_b, "same": y_b, "b": y_t}, [("same", "a"), ("b", "a")], rng=np.random.default_rng(0), resamples=99
    )
    assert study["same", "a"].p_percentile == 1
    assert "nothing varies" in study["same", "a"].reason
    assert study["b", "a"].reason == ""
    assert bootstrap_study({}, [], rng=np.random.default_rng(0)) == {}


def test_bad_studies_are_named() -> None:
    rng = np.random.default_rng(0)
    arms = {"a": np.zeros((4, 5)), "b": np.zeros((3, 5))}
    with pytest.raises(ValueError, match=r"not there: \['c'\]; there are \['a', 'b'\]"):
        bootstrap_study(arms, [("c", "a")], rng=rng)
    with pytest.raises(ValueError, match="all arms need the same seeds and examples"):
        bootstrap_study(arms, [("b", "a")], rng=rng)
    with pytest.raises(ValueError, match="all arms need the same examples"):
        bootstrap_study({"a": np.zeros((4, 5)), "b": np.zeros((4, 6))}, [("b", "a")], paired=False, rng=rng)
