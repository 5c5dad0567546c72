from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from analysis.published.printed_figures import (
    PrintedFigure,
    read_correlation,
    read_count,
    read_number,
    read_score,
    read_share,
    read_size,
    read_time,
)

FLOOR = Fraction(1, 2 * 10**7)
READERS = [read_share, read_score, read_number, read_time, read_size, read_count]


@pytest.mark.parametrize(
    ("printed", "value", "half_width"),
    [
        ("0.883", Fraction(883, 1000), Fraction(1, 2000)),
        ("0.8830", Fraction(883, 1000), Fraction(1, 20_000)),
        ("88.3%", Fraction(883, 1000), Fraction(1, 2000)),
        ("88.30 %", Fraction(883, 1000), Fraction(1, 20_000)),
        (".5", Fraction(1, 2), Fraction(1, 20)),
        (".5%", Fraction(1, 200), Fraction(1, 2000)),
        ("0", Fraction(0), Fraction(1, 2)),
        ("0%", Fraction(0), Fraction(1, 200)),
        ("100%", Fraction(1), Fraction(1, 200)),
        ("1.000", Fraction(1), Fraction(1, 2000)),
        ("00.50", Fraction(1, 2), Fraction(1, 200)),
    ],
)
def test_a_share_is_exact_and_so_is_what_rounding_hides(printed: str, value: Fraction, half_width: Fraction) -> None:
    assert read_share(printed) == PrintedFigure(printed=printed, value=value, half_width=half_width)
    assert read_share(printed).low == value - half_width
    assert read_share(printed).high == value + half_width


@pytest.mark.parametrize(
    ("printed", "half_width"),
    [
        ("0.883027", 10 * FLOOR),
        ("0.8830275", FLOOR),
        ("0.88302752", FLOOR),
        ("0.8830275229357798", FLOOR),
        ("88.3027%", 10 * FLOOR),
        ("88.30275%", FLOOR),
        ("88.302752%", FLOOR),
        ("88.30275229357798%", FLOOR),
    ],
)
def test_digits_after_the_seventh_decimal_narrow_nothing(printed: str, half_width: Fraction) -> None:
    assert read_share(printed).half_width == half_width
    digits = printed.removesuffix("%")
    assert read_share(printed).value == Fraction(digits) / (100 if printed.endswith("%") else 1)


def test_a_float32_of_a_log_agrees_with_its_share() -> None:
    logged = read_share(repr(float(np.float32(770 / 872))))
    assert logged.value != Fraction(770, 872)
    assert logged.low <= Fraction(770, 872) <= logged.high


@pytest.mark.parametrize(
    ("reader", "printed"), [(read_share, "\t88.3%\n"), (read_number, " 0.3 "), (read_size, " 2M ")]
)
def test_space_around_a_figure_is_no_part_of_it(reader: Callable[[object], PrintedFigure], printed: str) -> None:
    assert reader(printed) == reader(printed.strip())
    assert reader(printed).printed == printed.strip()


@pytest.mark.parametrize(
    "text",
    [
        "1.",
        ".",
        "%",
        "0,883",
        "+0.5",
        "1e-3",
        "0.5 0.5",
        "88.3%%",
        "%88.3",
        "0x1",
        "1_0%",
        "nan",
        "inf",
        "½",
        "０.８８３",
    ],
)
def test_a_text_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a figure such as") as refused:
        read_share(text)
    assert repr(text) in str(refused.value)
    assert ("write decimals with a point" in str(refused.value)) is ("," in text)


@pytest.mark.parametrize("thing", [b"0.883", Decimal("0.883"), Fraction(1, 2), np.float32(0.5), {"full": "0.5"}, False])
def test_what_is_no_text_is_no_share(thing: object) -> None:
    with pytest.raises(ValueError, match="expected a figure such as"):
        read_share(thing)


@pytest.mark.parametrize("text", ["1.0000001", "2", "872", "100.1%", "100.0000001%"])
def test_a_share_above_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'expected a share from "0" to "1" or "0%" to "100%"') as refused:
        read_share(text)
    assert ("needs its sign" in str(refused.value)) is not text.endswith("%")


@pytest.mark.parametrize("reader", [read_share, read_number, read_time, read_size])
@pytest.mark.parametrize("number", [0, 1, 0.5, -3, float("nan"), np.float64(0.25)])
def test_numbers_have_lost_their_digits(reader: Callable[[object], PrintedFigure], number: float) -> None:
    with pytest.raises(ValueError, match="got the number") as refused:
        reader(number)
    assert repr(number) in str(refused.value)
    assert "in quotes" in str(refused.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("thing", ["", " ", "many", "-1", "−1", "1e3", "٣", "３", None, True, ["1"], {}])
def test_no_reader_takes_these(reader: Callable[[object], object], thing: object) -> None:
    with pytest.raises(ValueError, match="expected ") as refused:
        reader(thing)
    assert "got the number" not in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other", "agrees"),
    [
        # Neighbours touch at 0.15, and do not agree.
        ("0.1", "0.2", False),
        ("0.1", "0.3", False),
        ("0.1", "0.1", True),
        ("0.906", "0.907", False),
        ("0.8850", "0.8851", False),
        ("90.6%", "90.7%", False),
        ("0.88", "0.885", True),
        ("0.885", "0.8855", True),
        # From 0.88505 and to 0.87495, where 0.88 goes from 0.875 to 0.885.
        ("0.88", "0.8851", False),
        ("0.88", "0.8850", True),
        ("0.88", "0.8750", True),
        ("0.88", "0.8749", False),
        # 0.845 to 0.855 touches 0.855 to 0.865; a longer figure at that very place overlaps with both.
        ("0.85", "0.86", False),
        ("0.85", "0.855", True),
        ("0.86", "0.855", True),
        ("0.883", "88.3%", True),
        ("0.883", "88%", True),
        ("0.882", "0.8866666666666667", False),
        ("0.12", "0.12", True),
        # From the seventh decimal on they are neighbours a whole unit apart, whatever the later digits are.
        ("0.1000000", "0.1000001", False),
        ("0.1000000000", "0.1000001000", False),
        ("0.1000000000", "0.1000000999", True),
    ],
)
def test_figures_agree_where_more_than_a_tie_rounds_to_both(one: str, other: str, agrees: bool) -> None:
    first, second = read_share(one), read_share(other)
    assert first.agrees_with(second) is agrees
    assert second.agrees_with(first) is agrees
    assert first.complement().agrees_with(second.complement()) is agrees


def test_an_exact_size_agrees_where_it_rounds_to_the_other() -> None:
    rounded = read_size("124M")
    for text, agrees in [("123,500,000", False), ("123,500,001", True), ("124,499,999", True), ("124500000", False)]:
        assert read_size(text).agrees_with(rounded) is agrees
        assert rounded.agrees_with(read_size(text)) is agrees
    assert read_size("124").agrees_with(read_size("124"))
    assert not read_size("124").agrees_with(read_size("125"))


def test_figures_agree_exactly_where_more_than_one_number_rounds_to_both() -> None:
    rng = np.random.default_rng(11)
    for _ in range(2000):
        texts, behind = [], []
        for decimals in rng.integers(1, 4, size=2):
            step = int(rng.integers(10**decimals))
            # What rounds to a figure ends on whole steps of 1/2000: two such ranges share none, one, or more of these.
            half = 1000 // 10**decimals
            texts.append(f"0.{step:0{decimals}d}")
            behind.append(set(range((2 * step - 1) * half, (2 * step + 1) * half + 1)))
        one, other = (read_share(text) for text in texts)
        assert one.agrees_with(other) is (len(behind[0] & behind[1]) > 1), texts


@pytest.mark.parametrize(
    ("printed", "score", "spread"),
    [
        ("92.3 (0.4)", "92.3%", "0.4%"),
        ("92.3 ± 0.4", "92.3%", "0.4%"),
        ("92.3±0.40", "92.3%", "0.40%"),
        ("92.3 +/- 0.4", "92.3%", "0.4%"),
        ("92.3 +- 0.4", "92.3%", "0.4%"),
        (r"92.3 \pm 0.4", "92.3%", "0.4%"),
        ("92.3 (±0.4)", "92.3%", "0.4%"),
        ("92.3% (0.4%)", "92.3%", "0.4%"),
        ("92.3 (0.4)%", "92.3%", "0.4%"),
        ("92.3% ± 0.4", "92.3%", "0.4%"),
        ("92.3 ± 0.4%", "92.3%", "0.4%"),
        ("0.923 ± 0.004", "0.923", "0.004"),
        ("0.923 (.004)", "0.923", ".004"),
        ("0.9% ± 0.4%", "0.9%", "0.4%"),
        ("92 (1)", "92%", "1%"),
    ],
)
def test_a_score_with_its_spread(printed: str, score: str, spread: str) -> None:
    read = read_score(printed)
    assert read.spread == read_share(spread)
    assert (read.printed, read.value, read.half_width) == (
        score,
        read_share(score).value,
        read_share(score).half_width,
    )
    assert read.complement().spread == read.spread


@pytest.mark.parametrize(("printed", "value", "n"), [("770/872", "385/436", 872), ("1,000 / 1,319", "1000/1319", 1319)])
def test_a_score_that_is_a_count_hides_nothing(printed: str, value: str, n: int) -> None:
    read = read_score(printed)
    assert (read.printed, read.value, read.half_width, read.n) == (printed, Fraction(value), 0, n)


@pytest.mark.parametrize("text", ["0.883", "88.3%", "0", "100%"])
def test_a_score_alone_is_a_share(text: str) -> None:
    assert read_score(text) == read_share(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("88.3", "a percentage needs its sign"),
        ("873/872", "expected a count of right answers and of all examples such as 770/872, got '873/872'"),
        ("0/0", "expected a count of right answers"),
        ("91.4/88.7", "expected one figure, or a count such as 770/872, got '91.4/88.7'"),
        ("92.3 (4)", r"92.3 \(0.4\), got '92.3 \(4\)': 4 may be a last digit, a rank or a number of runs"),
        ("192.3 ± 0.4", "expected a share from"),
        ("92.3 ± 0,4", "expected a figure such as"),
        ("92.3 ±", "expected a figure such as"),
        ("92.3 (0.4", "expected a figure such as"),
        ("92.3 [91.9, 92.7]", "expected a figure such as"),
    ],
)
def test_a_text_that_is_no_score_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_score(text)


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("0.61", "0.61"),
        ("+0.61", "0.61"),
        ("-0.03", "-0.03"),
        ("\u22120.03", "-0.03"),
        ("61.2%", "0.612"),
        ("-1.5%", "-0.015"),
        ("61.2 (0.8)", "0.612"),
        ("1.00", "1"),
    ],
)
def test_a_correlation_has_a_sign(printed: str, value: str) -> None:
    assert read_correlation(printed).value == Fraction(value)


@pytest.mark.parametrize("text", ["61.2", "1.5", "--0.1", "0.6/0.7", "6/7", "-"])
def test_a_text_that_is_no_correlation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'expected a correlation such as "0.61", "-0.03" or "61.2%", got '):
        read_correlation(text)


def test_an_error_rate_leaves_an_accuracy() -> None:
    accuracy = read_share("11.7%").complement()
    assert accuracy == PrintedFigure(printed="11.7%", value=Fraction(883, 1000), half_width=Fraction(1, 2000))
    assert accuracy.complement() == read_share("11.7%")
    assert (accuracy.low, accuracy.high) == (1 - read_share("11.7%").high, 1 - read_share("11.7%").low)


@pytest.mark.parametrize(
    ("printed", "value", "half_width"),
    [
        ("0.3255", Fraction(3255, 10_000), Fraction(1, 20_000)),
        ("0", Fraction(0), Fraction(1, 2)),
        ("12.50", Fraction(25, 2), Fraction(1, 200)),
        (".693", Fraction(693, 1000), Fraction(1, 2000)),
        ("1371", Fraction(1371), Fraction(1, 2)),
        ("0.32551795", Fraction(32551795, 10**8), FLOOR),
    ],
)
def test_a_number(printed: str, value: Fraction, half_width: Fraction) -> None:
    assert read_number(printed) == PrintedFigure(printed=printed, value=value, half_width=half_width)


@pytest.mark.parametrize("text", ["0.5%", "1,371", "1.", ".", "+1", "-0.5", "1e-3", "1 2", "inf", "nan", "1M"])
def test_a_text_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a number such as 0\.3255, got ") as refused:
        read_number(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("printed", "seconds", "half_width"),
    [
        ("3275.93 s", Fraction(327593, 100), Fraction(1, 200)),
        ("51 s", Fraction(51), Fraction(1, 2)),
        (".5 s", Fraction(1, 2), Fraction(1, 20)),
        ("22 min", Fraction(1320), Fraction(30)),
        ("22.5 min", Fraction(1350), Fraction(3)),
        ("22 min 51 s", Fraction(1371), Fraction(1, 2)),
        ("22 min 51.2 s", Fraction(13712, 10), Fraction(1, 20)),
        ("22 min 0 s", Fraction(1320), Fraction(1, 2)),
        ("0 min 51 s", Fraction(51), Fraction(1, 2)),
        ("1 h", Fraction(3600), Fraction(1800)),
        ("1 h 2 min", Fraction(3720), Fraction(30)),
        ("1 h 0 min", Fraction(3600), Fraction(30)),
        ("2 h 30 s", Fraction(7230), Fraction(1, 2)),
        ("1 h 2.5 min", Fraction(3750), Fraction(3)),
        ("1h2min3s", Fraction(3723), Fraction(1, 2)),
        ("22 m 51 s", Fraction(1371), Fraction(1, 2)),
        ("54m36s", Fraction(3276), Fraction(1, 2)),
        ("1h2m", Fraction(3720), Fraction(30)),
        ("1 h 2 min 3.25 s", Fraction(372325, 100), Fraction(1, 200)),
        ("  1   h  2 min ", Fraction(3720), Fraction(30)),
        ("3.123456789 s", Fraction(3123456789, 10**9), FLOOR),
        ("22:51", Fraction(1371), Fraction(1, 2)),
        ("1:02:03", Fraction(3723), Fraction(1, 2)),
        ("01:02:03.5", Fraction(37235, 10), Fraction(1, 20)),
        ("25:00:00", Fraction(90_000), Fraction(1, 2)),
        ("90:15", Fraction(5415), Fraction(1, 2)),
        ("1 day, 1:02:03", Fraction(90_123), Fraction(1, 2)),
        ("2-01:02:03", Fraction(176_523), Fraction(1, 2)),
    ],
)
def test_the_last_unit_of_a_time_was_rounded(printed: str, seconds: Fraction, half_width: Fraction) -> None:
    assert read_time(printed) == PrintedFigure(printed=printed.strip(), value=seconds, half_width=half_width)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0 s",
            "0.00 s",
            "0 h 0 min 0 s",
            "51",
            "22 min 51",
            "1:2:3",
            "22:60",
            "1:60:00",
            ":51",
            "1 d 22:51",
            "1 d 24:00:00",
            "51 s 22 min",
            "1 h 1 h",
            "1 d",
            "-3 s",
        ),
        *("1:2:3", "22:60", "1:60:00", ":51", "22:5", "1 d 22:51", "1 d 24:00:00", "0:00:00", "1::2", "1:02:03 s"),
        *("1e3 s", "5 mi", "5 mins", "3 sec", "s", "min", "1,371 s", "1 hour", "3 S", "٣ s", "1. s"),
    ],
)
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected a time such as 3275\.93 s, 22 min 51 s or 1:02:03, got "
    ) as refused:
        read_time(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("printed", "value", "half_width"),
    [
        ("124,441,344", 124_441_344, 0),
        ("124441344", 124_441_344, 0),
        ("872", 872, 0),
        ("1,000", 1000, 0),
        ("124M", 124_000_000, 500_000),
        ("124 M", 124_000_000, 500_000),
        ("124.4M", 124_400_000, 50_000),
        ("124.440M", 124_440_000, 500),
        ("148.992K", 148_992, Fraction(1, 2)),
        ("149K", 149_000, 500),
        (".1K", 100, 50),
        ("1.5B", 1_500_000_000, 50_000_000),
        ("7B", 7_000_000_000, 500_000_000),
        ("1.50B", 1_500_000_000, 5_000_000),
    ],
)
def test_a_size_is_exact_or_rounded_to_its_unit(printed: str, value: int, half_width: Fraction) -> None:
    assert read_size(printed) == PrintedFigure(printed=printed, value=Fraction(value), half_width=Fraction(half_width))


@pytest.mark.parametrize(
    "text",
    [
        *("0", "000", "0,000", "0M", "0.0B", "12,34", "1,2345", "1234,567", ",123", "123,", "1,,234", "1.5", "1,234K"),
        *("124m", "124 million", "124MB", "M", "-1", "1e6", "12 345", "1_000", "١٢٤", "１２４M"),
    ],
)
def test_a_text_that_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"expected a number of parameters such as 124,441,344 or 124M, got "
    ) as refused:
        read_size(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("printed", "count"),
    [
        *(
            ("1", 1),
            ("872", 872),
            ("67,349", 67_349),
            ("67349", 67_349),
            ("1,000,000", 10**6),
            (" 872 ", 872),
            ("007", 7),
        ),
        # A whole number loses no digit without quotes.
        *((1, 1), (67_349, 67_349)),
    ],
)
def test_a_count(printed: object, count: int) -> None:
    assert read_count(printed) == count
    assert type(read_count(printed)) is int


@pytest.mark.parametrize(
    "thing",
    [
        *("0", "0,000", "-1", "872.0", "12,34", "1,2345", ",123", "123,", "1e3", "872K", "1 000", "1_000", "٨٧٢"),
        *("８７２", "872_0", 0, -872, 872.0, True, False, None, b"872", ["872"]),
    ],
)
def test_what_is_no_count_is_refused(thing: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number above 0, got "):
        read_count(thing)


@pytest.mark.parametrize("decimals", range(8))
def test_every_plain_decimal_is_read_back(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    for whole in (0, *(int(k) for k in rng.integers(0, 10**decimals, size=50, endpoint=True)), 10**decimals):
        text = f"{whole // 10**decimals}" + (f".{whole % 10**decimals:0{decimals}d}" if decimals else "")
        expected = PrintedFigure(
            printed=text, value=Fraction(whole, 10**decimals), half_width=Fraction(1, 2 * 10**decimals)
        )
        assert read_share(text) == read_number(text) == expected
        in_percent = read_share(f"{text}%")
        assert in_percent.value == expected.value / 100
        assert in_percent.half_width == max(expected.half_width / 100, FLOOR)
