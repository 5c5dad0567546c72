from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from analysis.published.claims_tuning import Freeze, Lora, Tuning
from analysis.published.costs import (
    ParameterCheck,
    Recomputed,
    check_parameters,
    not_recomputed,
    speedup,
    time_saved,
    trainable_share,
)
from analysis.published.printed_figures import PrintedFigure, read_number, read_share, read_size, read_time

# As transformers and peft count them; tests/test_architectures.py builds the models. The adapter is that of
# distilbert-base-uncased with r = 4 on q_lin, which peft prints as
# "trainable params: 628,994 || all params: 67,584,004 || trainable%: 0.9307".
GPT2, GPT2_MEDIUM, BERT, DISTILBERT, ROBERTA = 124_441_344, 354_825_216, 109_483_778, 66_955_010, 124_647_170

Recompute = Callable[[PrintedFigure, PrintedFigure, PrintedFigure | None], Recomputed]
ALL = Tuning.model_validate("all")


def lora(rank: int, *modules: str) -> Tuning:
    return Tuning(lora=Lora.model_construct(r=rank, target_modules=modules))


def freeze(layers: int) -> Tuning:
    return Tuning(freeze=Freeze(layers=layers))


def checked(
    model: str | None, tuning: Tuning | None, *, trainable: str = "", total: str = "", classes: int | None = 2
) -> tuple[ParameterCheck, ...]:
    one, other = (read_size(text) if text else None for text in (trainable, total))
    return check_parameters(model, classes=classes, tuning=tuning, trainable=one, total=other)


def test_time_saved_and_speedup_of_published_times() -> None:
    saved = time_saved(read_time("14 min 48 s"), read_time("22 min 51 s"), read_share("35%"))
    assert saved.value == pytest.approx(1 - 888 / 1371, rel=1e-12)
    assert (saved.what, saved.claimed, saved.agrees) == ("time saved", "35%", True)
    assert (saved.low, saved.high) == pytest.approx((1 - 888.5 / 1370.5, 1 - 887.5 / 1371.5), rel=1e-12)
    faster = speedup(read_time("14 min 48 s"), read_time("22 min 51 s"), read_number("1.54"))
    assert faster.value == pytest.approx(1371 / 888, rel=1e-12)
    assert (faster.what, faster.claimed, faster.agrees) == ("times as fast", "1.54", True)
    assert (faster.low, faster.high) == pytest.approx((1370.5 / 888.5, 1371.5 / 887.5), rel=1e-12)


# Half a second to each side of both times leaves 35.17% to 35.29%, and 1.5425 to 1.5454 times.
@pytest.mark.parametrize(
    ("recompute", "read", "right", "wrong"),
    [
        (
            time_saved,
            read_share,
            ["35%", "35.2%", "35.3%", "35.21%", "0.4", "0.35", "0.352"],
            ["34%", "36%", "0%", "65%", "35.1%", "35.4%", "0.3"],
        ),
        (speedup, read_number, ["1.5", "2", "1.544", "1.55"], ["1.53", "1.56", "1", "0.65"]),
    ],
)
def test_claims_that_follow_and_claims_that_do_not(
    recompute: Recompute, read: Callable[[str], PrintedFigure], right: list[str], wrong: list[str]
) -> None:
    checks = [recompute(read_time("14 min 48 s"), read_time("22 min 51 s"), read(text)) for text in right + wrong]
    assert [check.claimed for check in checks if check.agrees] == right
    assert [check.claimed for check in checks if not check.agrees] == wrong


def test_coarse_times_leave_more_open() -> None:
    # Five seconds of 22 min 51 s are 0% and not 0.0%.
    times = read_time("22 min 46 s"), read_time("22 min 51 s")
    assert [time_saved(*times, read_share(text)).agrees for text in ("0%", "0.0%")] == [True, False]
    # 1 hour may be half an hour or one and a half.
    result = time_saved(read_time("1 h"), read_time("2 h"), read_share("70%"))
    assert (result.low, result.value, result.high) == pytest.approx((0, 0.5, 0.8))
    assert result.agrees is True
    assert time_saved(read_time("1 h 0 s"), read_time("2 h 0 s"), read_share("70%")).agrees is False


def test_the_end_of_a_range_still_agrees() -> None:
    # 0.5 to 1.5 s against 9.5 to 10.5 s: at least 1 - 1.5 / 9.5 = 0.8421, just within 84% and not within 83%.
    saved = [time_saved(read_time("1 s"), read_time("10 s"), read_share(text)) for text in ("84%", "83%")]
    assert [check.agrees for check in saved] == [True, False]
    # 9.5 / 2.5 = 3.8 to 10.5 / 1.5 = 7 times: 3.75 rounds up to 3.755, and 7.05 down to 7.045.
    times = [speedup(read_time("2 s"), read_time("10 s"), read_number(text)) for text in ("3.8", "3.75", "7", "7.05")]
    assert [check.agrees for check in times] == [True, False, True, False]
    assert {(check.low, check.high) for check in times} == {(3.8, 7)}
    # Exactly a quarter: 0.2 stands for 0.15 to 0.25, 0.3 for 0.25 to 0.35.
    shares = [trainable_share(read_size("1"), read_size("4"), read_share(text)) for text in ("0.2", "0.3", "0.24")]
    assert [check.agrees for check in shares] == [True, True, False]


def test_a_treatment_that_is_slower_saves_less_than_nothing() -> None:
    result = time_saved(read_time("30 s"), read_time("20 s"), None)
    assert result.value == pytest.approx(-0.5)
    assert result.low < result.value < result.high < 0
    assert speedup(read_time("30 s"), read_time("20 s"), None).value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("recompute", "formula"),
    [(time_saved, lambda t, b: 1 - t / b), (speedup, lambda t, b: b / t), (trainable_share, lambda t, b: t / b)],
)
def test_every_value_inside_the_rounding_is_in_the_range(
    recompute: Recompute, formula: Callable[[float, float], float]
) -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        t, b = (read_time(f"{rng.uniform(2, 60):.{rng.integers(0, 3)}f} min") for _ in range(2))
        result = recompute(t, b, None)
        assert result.low <= result.value <= result.high
        assert (result.claimed, result.agrees) == ("", None)
        inside = [formula(*(float(f.low) + float(2 * f.half_width) * rng.random() for f in (t, b))) for _ in range(20)]
        assert all(result.low <= value <= result.high for value in inside)
        ends = [formula(float(seconds), float(other)) for seconds in (t.low, t.high) for other in (b.low, b.high)]
        assert (result.low, result.high) == pytest.approx((min(ends), max(ends)), rel=1e-12, abs=1e-12)
        assert result.value == pytest.approx(formula(float(t.value), float(b.value)), rel=1e-12, abs=1e-12)


def test_the_share_of_trained_parameters() -> None:
    result = trainable_share(read_size("628,994"), read_size("67,584,004"), read_share("0.9307%"))
    assert result.what == "trainable share"
    assert result.value == result.low == result.high == pytest.approx(0.009306847223789819, rel=1e-12)
    assert result.agrees is True
    assert trainable_share(read_size("628,994"), read_size("67,584,004"), read_share("0.9308%")).agrees is False
    rounded = trainable_share(read_size("0.6M"), read_size("67M"), read_share("0.9%"))
    assert (rounded.low, rounded.high) == pytest.approx((0.55 / 67.5, 0.65 / 66.5))
    assert rounded.agrees is True


@pytest.mark.parametrize(
    ("what", "claimed"), [("time saved", read_share("35%")), ("times as fast", read_number("1.54"))]
)
def test_a_claim_that_nothing_bears_on_is_neither_right_nor_wrong(what: str, claimed: PrintedFigure) -> None:
    result = not_recomputed(what, claimed)
    assert (result.what, result.claimed, result.agrees) == (what, claimed.printed, None)
    assert all(math.isnan(number) for number in (result.value, result.low, result.high))


@pytest.mark.parametrize(
    ("model", "classes", "count"),
    [
        ("gpt2", 2, GPT2),
        ("gpt2", 5, GPT2 + 3 * 768),
        ("openai-community/gpt2-medium", 2, GPT2_MEDIUM),
        ("google-bert/bert-base-uncased", 2, BERT),
        ("distilbert-base-uncased", 2, DISTILBERT),
        ("roberta-base", 2, ROBERTA),
    ],
)
def test_parameters_of_a_known_architecture(model: str, classes: int, count: int) -> None:
    assert checked(model, ALL, classes=classes, trainable=str(count), total=f"{count:,}") == (
        ParameterCheck(what="trainable", printed=str(count), expected=count, agrees=True),
        ParameterCheck(what="total", printed=f"{count:,}", expected=count, agrees=True),
    )


@pytest.mark.parametrize(
    ("tuning", "trainable", "expected"),
    [
        (lora(4, "q_lin"), "628,994", 628_994),
        # Half of DistilBERT's six layers: 3 of 7,087,872 and the embeddings' 23,835,648 are not trained.
        (freeze(3), "22M", DISTILBERT - 23_835_648 - 3 * 7_087_872),
        # No layer is frozen, and the embeddings are.
        (freeze(0), "43M", DISTILBERT - 23_835_648),
    ],
)
def test_parameters_of_an_adapter_and_of_frozen_layers(tuning: Tuning, trainable: str, expected: int) -> None:
    result = checked("distilbert-base-uncased", tuning, trainable=trainable)
    assert result == (ParameterCheck(what="trainable", printed=trainable, expected=expected, agrees=True),)
    total = 67_584_004 if tuning.lora is not None else DISTILBERT
    assert [check.expected for check in checked("distilbert-base-uncased", tuning, total="67M")] == [total]


@pytest.mark.parametrize(
    ("agrees", "texts"),
    [
        (True, ["124M", "124.4M", "124.44M", "0.1B", "124441K", "124,441,344"]),
        (False, ["125M", "117M", "124.5M", "124.45M", "0.2B", "124,439,808", "124441345"]),
    ],
)
def test_rounded_counts_agree_and_wrong_ones_do_not(agrees: bool, texts: list[str]) -> None:
    for text in texts:
        checks = checked("gpt2", ALL, trainable=text, total=text)
        assert [(check.printed, check.expected, check.agrees) for check in checks] == 2 * [(text, GPT2, agrees)]


@pytest.mark.parametrize(
    ("model", "classes", "tuning"),
    [
        (None, 2, ALL),
        ("gpt3", 2, ALL),
        ("gpt3", 2, lora(4)),
        ("somebody-else/gpt2", 2, lora(4, "c_attn")),
        ("gpt2", None, ALL),
        ("gpt2", 1, ALL),
        ("gpt2", 2, None),
    ],
)
def test_what_is_not_known_is_not_judged(model: str | None, classes: int | None, tuning: Tuning | None) -> None:
    assert checked(model, tuning, classes=classes, trainable="124M", total="124M") == ()


@pytest.mark.parametrize(
    ("tuning", "message"),
    [
        (freeze(13), "frozen_layers: expected 0 to 12, the layers of gpt2, got 13"),
        (lora(4, "query"), "target_modules: expected one or more of c_attn, c_proj, c_fc for gpt2"),
        (lora(4), "target_modules: expected one or more"),
        (lora(0, "c_attn"), "lora_rank: expected 1 or more, got 0"),
    ],
)
def test_layers_or_modules_that_a_model_does_not_have(tuning: Tuning, message: str) -> None:
    for trainable, total in (("124M", ""), ("", "124M")):
        with pytest.raises(ValueError, match=message):
            checked("gpt2", tuning, trainable=trainable, total=total)
    # Nothing printed is nothing to judge.
    assert checked("gpt2", tuning) == ()
