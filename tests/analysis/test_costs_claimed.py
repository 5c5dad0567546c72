from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from analysis.claims.costs import (
    ParameterCheck,
    Recomputed,
    check_parameters,
    speedup,
    time_saved,
    trainable_share,
)
from analysis.claims.figures import Figure, read_number, read_share, read_size, read_time

# As transformers and peft count them; tests/test_architectures.py builds the models. The adapter is that of
# distilbert-base-uncased with r = 4 on q_lin, which peft prints as
# "trainable params: 628,994 || all params: 67,584,004 || trainable%: 0.9307".
GPT2, GPT2_MEDIUM, BERT, DISTILBERT, ROBERTA = 124_441_344, 354_825_216, 109_483_778, 66_955_010, 124_647_170
LORA = (628_994, 67_584_004)

Recompute = Callable[[Figure, Figure, Figure | None], Recomputed]


def seconds(printed: str) -> Figure:
    return read_time(printed)


def test_time_saved_and_speedup_of_published_times() -> None:
    saved = time_saved(seconds("14 min 48 s"), seconds("22 min 51 s"), read_share("35%"))
    assert saved.value == pytest.approx(1 - 888 / 1371, rel=1e-12)
    assert f"{saved.value:.1%}" == "35.2%"
    assert (saved.what, saved.claimed, saved.agrees) == ("time saved", "35%", True)
    assert (saved.low, saved.high) == pytest.approx((1 - 888.5 / 1370.5, 1 - 887.5 / 1371.5), rel=1e-12)
    faster = speedup(seconds("14 min 48 s"), seconds("22 min 51 s"), read_number("1.54"))
    assert faster.value == pytest.approx(1371 / 888, rel=1e-12)
    assert f"{faster.value:.2f}" == "1.54"
    assert (faster.what, faster.claimed, faster.agrees) == ("times as fast", "1.54", True)
    assert (faster.low, faster.high) == pytest.approx((1370.5 / 888.5, 1371.5 / 887.5), rel=1e-12)


def test_five_seconds_in_twenty_minutes_are_no_time_saved() -> None:
    saved = time_saved(seconds("22 min 46 s"), seconds("22 min 51 s"), read_share("0%"))
    assert saved.value == pytest.approx(5 / 1371)
    assert saved.agrees is True
    assert time_saved(seconds("22 min 46 s"), seconds("22 min 51 s"), read_share("0.0%")).agrees is False


@pytest.mark.parametrize("claimed", ["34%", "36%", "0%", "65%", "35.1%", "35.4%", "0.3"])
def test_time_saved_that_does_not_follow(claimed: str) -> None:
    assert time_saved(seconds("14 min 48 s"), seconds("22 min 51 s"), read_share(claimed)).agrees is False


# Half a second to each side of both times leaves 35.17% to 35.29%.
@pytest.mark.parametrize("claimed", ["35%", "35.2%", "35.3%", "35.21%", "0.4", "0.35", "0.352"])
def test_time_saved_that_follows(claimed: str) -> None:
    assert time_saved(seconds("14 min 48 s"), seconds("22 min 51 s"), read_share(claimed)).agrees is True


@pytest.mark.parametrize(
    ("claimed", "agrees"),
    [
        ("1.5", True),
        ("2", True),
        ("1.544", True),
        ("1.55", True),
        ("1.53", False),
        ("1.56", False),
        ("1", False),
        ("0.65", False),
    ],
)
def test_a_claimed_speedup(claimed: str, agrees: bool) -> None:
    found = speedup(seconds("14 min 48 s"), seconds("22 min 51 s"), read_number(claimed))
    assert found.agrees is agrees
    assert found.claimed == claimed


def test_coarse_times_leave_more_open() -> None:
    # 1 hour may be half an hour or one and a half.
    found = time_saved(seconds("1 h"), seconds("2 h"), read_share("70%"))
    assert (found.low, found.value, found.high) == pytest.approx((0, 0.5, 0.8))
    assert found.agrees is True
    assert time_saved(seconds("1 h 0 s"), seconds("2 h 0 s"), read_share("70%")).agrees is False


def test_the_end_of_a_range_still_agrees() -> None:
    # 0.5 to 1.5 s against 9.5 to 10.5 s: at least 1 - 1.5 / 9.5 = 0.8421, just within 84% and not within 83%.
    assert [time_saved(seconds("1 s"), seconds("10 s"), read_share(text)).agrees for text in ("84%", "83%")] == [
        True,
        False,
    ]
    # 9.5 / 1.5 = 6.33 to 10.5 / 0.5 = 21 times: 21.5 rounds from 21.45 on.
    assert [speedup(seconds("1 s"), seconds("10 s"), read_number(text)).agrees for text in ("21", "21.5")] == [
        True,
        False,
    ]
    exact = speedup(seconds("2 s"), seconds("10 s"), read_number("3.75"))
    assert exact.low == 3.8
    assert exact.agrees is False
    assert speedup(seconds("2 s"), seconds("10 s"), read_number("3.8")).agrees is True


def test_a_range_that_ends_where_the_claim_begins_agrees() -> None:
    # Exactly a quarter: 0.2 stands for 0.15 to 0.25, 0.3 for 0.25 to 0.35.
    shares = [trainable_share(read_size("1"), read_size("4"), read_share(text)) for text in ("0.2", "0.3", "0.24")]
    assert [share.agrees for share in shares] == [True, True, False]


def test_a_treatment_that_is_slower_saves_less_than_nothing() -> None:
    found = time_saved(seconds("30 s"), seconds("20 s"), None)
    assert found.value == pytest.approx(-0.5)
    assert found.low < found.value < found.high < 0
    assert speedup(seconds("30 s"), seconds("20 s"), None).value == pytest.approx(2 / 3)


@pytest.mark.parametrize("recompute", [time_saved, speedup, trainable_share])
def test_nothing_claimed_is_neither_right_nor_wrong(recompute: Recompute) -> None:
    found = recompute(read_size("1.2M"), read_size("3M"), None)
    assert (found.claimed, found.agrees) == ("", None)


@pytest.mark.parametrize(
    ("recompute", "formula"),
    [
        (time_saved, lambda t, b: 1 - t / b),
        (speedup, lambda t, b: b / t),
        (trainable_share, lambda t, b: t / b),
    ],
)
def test_every_value_inside_the_rounding_is_in_the_range(
    recompute: Recompute, formula: Callable[[float, float], float]
) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        t, b = (read_time(f"{rng.uniform(2, 60):.{rng.integers(0, 3)}f} min") for _ in range(2))
        found = recompute(t, b, None)
        assert found.low <= found.value <= found.high
        inside = [formula(*(float(f.low) + float(2 * f.half_width) * rng.random() for f in (t, b))) for _ in range(20)]
        assert all(found.low <= value <= found.high for value in inside)
        ends = [formula(float(one), float(other)) for one in (t.low, t.high) for other in (b.low, b.high)]
        assert (found.low, found.high) == pytest.approx((min(ends), max(ends)), rel=1e-12, abs=1e-12)
        assert found.value == pytest.approx(formula(float(t.value), float(b.value)), rel=1e-12, abs=1e-12)


def test_the_share_of_trained_parameters() -> None:
    found = trainable_share(read_size("628,994"), read_size("67,584,004"), read_share("0.9307%"))
    assert found.what == "trainable share"
    assert found.value == found.low == found.high == pytest.approx(0.009306847223789819, rel=1e-12)
    assert found.agrees is True
    assert trainable_share(read_size("628,994"), read_size("67,584,004"), read_share("0.9308%")).agrees is False
    rounded = trainable_share(read_size("0.6M"), read_size("67M"), read_share("0.9%"))
    assert (rounded.low, rounded.high) == pytest.approx((0.55 / 67.5, 0.65 / 66.5))
    assert rounded.agrees is True


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("gpt2", GPT2),
        ("openai-community/gpt2-medium", GPT2_MEDIUM),
        ("google-bert/bert-base-uncased", BERT),
        ("distilbert-base-uncased", DISTILBERT),
        ("roberta-base", ROBERTA),
    ],
)
def test_parameters_of_a_known_architecture(model: str, count: int) -> None:
    found = check_parameters(
        model,
        classes=2,
        tuning=("all", 0, ()),
        trainable=read_size(str(count)),
        total=read_size(f"{count:,}"),
    )
    assert found == (
        ParameterCheck(what="trainable", printed=str(count), expected=count, agrees=True),
        ParameterCheck(what="total", printed=f"{count:,}", expected=count, agrees=True),
    )


def test_parameters_of_an_adapter_and_of_frozen_layers() -> None:
    lora = check_parameters(
        "distilbert-base-uncased",
        classes=2,
        tuning=("lora", 4, ["q_lin"]),
        trainable=read_size("628,994"),
        total=read_size("67,584,004"),
    )
    assert [(one.what, one.expected, one.agrees) for one in lora] == [
        ("trainable", LORA[0], True),
        ("total", LORA[1], True),
    ]
    # Half of DistilBERT's six layers: 3 of 7,087,872 and the embeddings' 23,835,648 are not trained.
    frozen = check_parameters(
        "distilbert-base-uncased", classes=2, tuning=("freeze", 3, ()), trainable=read_size("22M"), total=None
    )
    assert frozen == (
        ParameterCheck(what="trainable", printed="22M", expected=DISTILBERT - 23_835_648 - 3 * 7_087_872, agrees=True),
    )
    # No layer is frozen, and the embeddings are.
    none = check_parameters(
        "distilbert-base-uncased", classes=2, tuning=("freeze", 0, ()), trainable=read_size("43M"), total=None
    )
    assert none[0].expected == DISTILBERT - 23_835_648


def test_more_classes_have_a_larger_head() -> None:
    found = check_parameters("gpt2", classes=5, tuning=("all", 0, ()), trainable=None, total=read_size("124,443,648"))
    assert [(one.what, one.expected, one.agrees) for one in found] == [("total", GPT2 + 3 * 768, True)]


@pytest.mark.parametrize("printed", ["124M", "124.4M", "124.44M", "0.1B", "124441K", "124,441,344"])
def test_rounded_counts_agree(printed: str) -> None:
    found = check_parameters(
        "gpt2", classes=2, tuning=("all", 0, ()), trainable=read_size(printed), total=read_size(printed)
    )
    assert [one.agrees for one in found] == [True, True]
    assert {one.printed for one in found} == {printed}


@pytest.mark.parametrize("printed", ["125M", "117M", "124.5M", "124.45M", "0.2B", "124,439,808", "124441345"])
def test_wrong_counts_do_not_agree(printed: str) -> None:
    found = check_parameters("gpt2", classes=2, tuning=("all", 0, ()), trainable=None, total=read_size(printed))
    assert [(one.what, one.expected, one.agrees) for one in found] == [("total", GPT2, False)]


@pytest.mark.parametrize(
    ("model", "classes", "tuning"),
    [
        (None, 2, ("all", 0, ())),
        ("gpt3", 2, ("all", 0, ())),
        ("somebody-else/gpt2", 2, ("lora", 4, ["c_attn"])),
        ("gpt2", None, ("all", 0, ())),
        ("gpt2", 1, ("all", 0, ())),
        ("gpt2", 2, None),
    ],
)
def test_what_is_not_known_is_not_judged(
    model: str | None, classes: int | None, tuning: tuple[str, int, tuple[str, ...]] | None
) -> None:
    size = read_size("124M")
    assert check_parameters(model, classes=classes, tuning=tuning, trainable=size, total=size) == ()


def test_nothing_printed_is_nothing_to_judge() -> None:
    assert check_parameters("gpt2", classes=2, tuning=("all", 0, ()), trainable=None, total=None) == ()


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        (("freeze", 13, ()), "frozen_layers: expected 0 to 12, the layers of gpt2, got 13"),
        (("lora", 4, ["query"]), "target_modules: expected one or more of c_attn, c_proj, c_fc for gpt2"),
        (("lora", 4, []), "target_modules: expected one or more"),
        (("lora", 0, ["c_attn"]), "lora_rank: expected 1 or more, got 0"),
    ],
)
def test_layers_or_modules_that_a_model_does_not_have(tuning: tuple[str, int, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_parameters("gpt2", classes=2, tuning=tuning, trainable=read_size("124M"), total=None)
    assert check_parameters("gpt3", classes=2, tuning=tuning, trainable=read_size("124M"), total=None) == ()
