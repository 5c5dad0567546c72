from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from analysis.published.matrices import LISTED, MACRO, WEIGHTED, Bound, Matrices, Measure, fitting_matrices
from analysis.published.printed_figures import read_correlation, read_share

Kind = tuple[Measure, int]
Sizes = tuple[int, int]

CLASSES = (0, 1)
MEANS = (MACRO, WEIGHTED)
KINDS: list[Kind] = [
    ("accuracy", 0),
    *(("precision", of) for of in (*CLASSES, *MEANS)),
    *(("recall", of) for of in (*CLASSES, *MEANS)),
    *(("f1", of) for of in (*CLASSES, *MEANS)),
]


def _measures(sizes: Sizes, a: int, b: int) -> tuple[dict[Kind, Fraction], tuple[Fraction | None, Fraction | None]]:
    """Every measure by its definition, with 0 for an undefined precision; and the precisions, None where undefined."""
    right, n = (a, b), sum(sizes)
    out: dict[Kind, Fraction] = {("accuracy", 0): Fraction(a + b, n)}
    precisions = []
    for of in CLASSES:
        true_positive = right[of]
        false_negative = sizes[of] - true_positive
        false_positive = sizes[1 - of] - right[1 - of]
        predicted = true_positive + false_positive
        precisions.append(Fraction(true_positive, predicted) if predicted else None)
        out["precision", of] = precisions[of] or Fraction(0)
        out["recall", of] = Fraction(true_positive, true_positive + false_negative)
        out["f1", of] = Fraction(2 * true_positive, 2 * true_positive + false_positive + false_negative)
    for measure in ("precision", "recall", "f1"):
        out[measure, MACRO] = (out[measure, 0] + out[measure, 1]) / 2
        out[measure, WEIGHTED] = (sizes[0] * out[measure, 0] + sizes[1] * out[measure, 1]) / n
    return out, (precisions[0], precisions[1])


@functools.cache
def _all(sizes: Sizes) -> list[tuple[int, int, dict[Kind, Fraction], tuple[Fraction | None, Fraction | None]]]:
    return [(a, b, *_measures(sizes, a, b)) for a in range(sizes[0] + 1) for b in range(sizes[1] + 1)]


def _printed(value: Fraction, decimals: int) -> str:
    whole = (2 * value * 10**decimals + 1) // 2
    return f"{whole // 10**decimals}.{whole % 10**decimals:0{decimals}d}" if decimals else str(whole)


def _bound(kind: Kind, text: str) -> Bound:
    figure = read_share(text)
    return Bound(measure=kind[0], of=kind[1], low=figure.low, high=figure.high)


def _bounds(measures: Mapping[Kind, Fraction], kinds: Sequence[Kind], decimals: int) -> list[Bound]:
    return [_bound(kind, _printed(measures[kind], decimals)) for kind in kinds]


def _near(extremes: tuple[float, float], values: Sequence[Fraction]) -> bool:
    if not values:
        return all(map(math.isnan, extremes))
    return all(
        math.isclose(one, float(other), rel_tol=1e-13)
        for one, other in zip(extremes, (min(values), max(values)), strict=True)
    )


def _same_as_the_list(sizes: Sizes, bounds: Sequence[Bound]) -> Matrices:
    """Hold the matrices that were found against the list of all; return them."""
    matrices = fitting_matrices(sizes, bounds)
    fitting = [
        (a, b, measures, precisions)
        for a, b, measures, precisions in _all(sizes)
        if all(bound.low <= measures[bound.measure, bound.of] <= bound.high for bound in bounds)
    ]
    case = sizes, bounds
    assert matrices.count == len(fitting), case
    expected = sorted((a, sizes[0] - a, sizes[1] - b, b) for a, b, _, _ in fitting)
    assert sorted(matrices.listed) == (expected if len(expected) <= LISTED else []), case
    for of in CLASSES:
        defined = [both[of] for *_, both in fitting]
        assert _near(matrices.precision[of], [value for value in defined if value is not None]), case
        assert _near(matrices.recall[of], [measures["recall", of] for _, _, measures, _ in fitting]), case
        assert _near(matrices.f1[of], [measures["f1", of] for _, _, measures, _ in fitting]), case
    assert _near(matrices.macro_f1, [measures["f1", MACRO] for _, _, measures, _ in fitting]), case
    return matrices


@pytest.mark.parametrize("size", range(1, 5))
@pytest.mark.parametrize("other", range(1, 5))
def test_one_figure_of_every_small_matrix(size: int, other: int) -> None:
    for _, _, measures, _ in _all((size, other)):
        for kind in KINDS:
            for decimals in (0, 1, 2, 3):
                matrices = _same_as_the_list((size, other), _bounds(measures, [kind], decimals))
                assert matrices.count > 0


def _random_bounds(rng: np.random.Generator, sizes: Sizes, count: int) -> list[Bound]:
    """So many figures of one matrix, now and then with one that is another's."""
    every = _all(sizes)
    measures = every[rng.integers(len(every))][2]
    bounds = []
    for at in rng.integers(len(KINDS), size=count):
        kind = KINDS[at]
        source = measures if rng.random() < 0.8 else every[rng.integers(len(every))][2]
        if rng.random() < 0.1:
            bounds.append(Bound(measure=kind[0], of=kind[1], low=source[kind], high=source[kind]))
        else:
            bounds.append(_bound(kind, _printed(source[kind], int(rng.choice([1, 2, 3, 4, 12, 16])))))
    return bounds


@pytest.mark.parametrize("size", range(1, 8))
@pytest.mark.parametrize("other", range(1, 8))
def test_one_to_three_figures_of_small_matrices(size: int, other: int) -> None:
    rng = np.random.default_rng((size, other))
    for count in (1, 2, 3) * 14:
        bounds = _random_bounds(rng, (size, other), count)
        assert len(bounds) == count
        _same_as_the_list((size, other), bounds)


@pytest.mark.parametrize("seed", range(20))
def test_one_to_three_figures_of_larger_matrices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    low, high = sorted(int(k) for k in rng.integers(8, 41, size=2))
    sizes = (low, high) if seed % 2 else (high, low)
    for count in (1, 2, 3) * 5:
        bounds = _random_bounds(rng, sizes, count)
        assert len(bounds) == count
        _same_as_the_list(sizes, bounds)
    _all.cache_clear()


@pytest.mark.parametrize("kinds", [[kind, other] for kind in KINDS for other in KINDS if kind < other])
def test_every_pair_of_figures_together(kinds: list[Kind]) -> None:
    rng = np.random.default_rng(3)
    for decimals in (1, 2, 4):
        measures = _all((9, 6))[rng.integers(70)][2]
        matrices = _same_as_the_list((9, 6), _bounds(measures, kinds, decimals))
        assert matrices.count > 0


def test_figures_of_different_matrices_contradict_each_other() -> None:
    contradictions = 0
    rng = np.random.default_rng(17)
    for _ in range(300):
        one, other = (_all((6, 7))[k][2] for k in rng.integers(56, size=2))
        bounds = [
            *_bounds(one, [KINDS[rng.integers(len(KINDS))]], 4),
            *_bounds(other, [KINDS[rng.integers(len(KINDS))]], 4),
        ]
        contradictions += _same_as_the_list((6, 7), bounds).count == 0
    assert contradictions > 100


def test_contradicting_figures_leave_nothing() -> None:
    matrices = fitting_matrices((444, 428), [_bound(("accuracy", 0), "0.883"), _bound(("f1", 0), "0.500")])
    assert (matrices.count, matrices.listed) == (0, ())
    for low, high in (*matrices.precision, *matrices.recall, *matrices.f1, matrices.macro_f1):
        assert math.isnan(low)
        assert math.isnan(high)
    twice = fitting_matrices((444, 428), [_bound(("accuracy", 0), "0.883"), _bound(("accuracy", 0), "0.862")])
    assert twice.count == 0


def test_without_figures_every_matrix_fits() -> None:
    matrices = _same_as_the_list((5, 3), [])
    assert matrices.count == 24
    assert matrices.precision == matrices.recall == matrices.f1 == ((0, 1), (0, 1))


@pytest.mark.parametrize(("other", "listed"), [(LISTED - 1, LISTED), (LISTED, 0)])
def test_a_dozen_matrices_are_listed(other: int, listed: int) -> None:
    matrices = fitting_matrices((1, other), [Bound(measure="recall", of=0, low=Fraction(1), high=Fraction(1))])
    assert matrices.count == other + 1
    assert len(matrices.listed) == listed


@pytest.mark.parametrize("of", CLASSES)
def test_a_class_that_is_never_predicted_has_a_precision_of_zero_in_a_figure(of: int) -> None:
    # Class 0 of 3 examples, class 1 of 4; every example goes to the class other than `of`.
    never = ((0, 3, 0, 4), (3, 0, 4, 0))[of]
    zero = fitting_matrices((3, 4), [_bound(("precision", of), "0.0000"), _bound(("recall", 1 - of), "1.0000")])
    assert zero.listed == (never,)
    assert math.isnan(zero.precision[of][0])
    assert math.isnan(zero.precision[of][1])
    share = Fraction((4, 3)[of], 7)
    assert zero.precision[1 - of] == pytest.approx((float(share),) * 2)
    assert zero.recall[of] == zero.f1[of] == (0, 0)
    for text in ("0.0001", "0.5", "0.571", "1.0"):
        matrices = _same_as_the_list((3, 4), [_bound(("precision", of), text)])
        assert never not in matrices.listed
    # Nothing is taken out where a mean was printed: the other class counts for half, or for its examples out of 7.
    for mean, counts in ((MACRO, Fraction(1, 2)), (WEIGHTED, Fraction((4, 3)[of], 7))):
        matrices = _same_as_the_list((3, 4), [_bound(("precision", mean), _printed(share * counts, 4))])
        assert never in matrices.listed
        exact = Bound(measure="precision", of=mean, low=share * counts, high=share * counts)
        assert never in _same_as_the_list((3, 4), [exact]).listed
        # It is where a precision above 0 was printed for the class itself, too.
        assert never not in _same_as_the_list((3, 4), [exact, _bound(("precision", of), "0.001")]).listed


def test_the_classes_may_change_places() -> None:
    rng = np.random.default_rng(23)
    for _ in range(200):
        sizes = int(rng.integers(1, 40)), int(rng.integers(1, 40))
        a, b = (int(rng.integers(size + 1)) for size in sizes)
        kinds = [KINDS[at] for at in rng.integers(len(KINDS), size=2)]
        bounds = _bounds(_measures(sizes, a, b)[0], kinds, int(rng.integers(1, 5)))
        mirrored = [
            Bound(measure=x.measure, of=1 - x.of if x.of in CLASSES else x.of, low=x.low, high=x.high) for x in bounds
        ]
        one, other = fitting_matrices(sizes, bounds), fitting_matrices((sizes[1], sizes[0]), mirrored)
        assert one.count == other.count >= 1
        assert sorted(one.listed) == sorted((tp, fn, fp, tn) for tn, fp, fn, tp in other.listed)
        assert one.macro_f1 == other.macro_f1
        assert str(one.precision) == str(other.precision[::-1])
        assert (one.recall, one.f1) == (other.recall[::-1], other.f1[::-1])


@pytest.mark.parametrize("sizes", [(9, 6), (1, 30), (444, 428)])
def test_the_weighted_recall_is_the_accuracy(sizes: Sizes) -> None:
    for text in ("0.5", "0.883", "0.9", "1.0", "0.000"):
        weighted, accuracy = (
            fitting_matrices(sizes, [_bound(kind, text)]) for kind in (("recall", WEIGHTED), KINDS[0])
        )
        assert repr(weighted) == repr(accuracy)


@pytest.mark.parametrize("measure", ["precision", "recall", "f1"])
def test_classes_of_one_size_weigh_the_same(measure: Measure) -> None:
    for text in ("0.5", "0.88", "0.25", "1.0"):
        matrices = [fitting_matrices((40, 40), [_bound((measure, of), text)]) for of in MEANS]
        assert matrices[0].count > 0
        assert repr(matrices[0]) == repr(matrices[1])


@pytest.mark.parametrize(
    ("measure", "plain", "weighted"),
    [
        # 80 of 90 and 5 of 10 right: precisions 80/85 and 5/15, F1 160/175 and 10/25.
        ("precision", "0.6373", "0.8804"),
        ("recall", "0.6944", "0.8500"),
        ("f1", "0.6571", "0.8629"),
    ],
)
def test_a_mean_by_hand_where_one_class_is_rare(measure: Measure, plain: str, weighted: str) -> None:
    for of, mean, others in ((MACRO, plain, weighted), (WEIGHTED, weighted, plain)):
        accuracy = _bound(("accuracy", 0), "0.8500")
        matrices = _same_as_the_list((90, 10), [accuracy, _bound((measure, of), mean)])
        assert (80, 10, 5, 5) in matrices.listed or matrices.count > LISTED
        assert (80, 10, 5, 5) not in _same_as_the_list((90, 10), [accuracy, _bound((measure, of), others)]).listed


# A bound that every matrix keeps, and whose denominator does not fit the machine's whole numbers.
HUGE = Bound(measure="accuracy", of=0, low=Fraction(-1, 10**30), high=1 + Fraction(1, 10**30))


@pytest.mark.parametrize("sizes", [(5, 4), (47, 49), (63, 61), (77, 73), (3000, 2000), (2000, 17)])
def test_whole_numbers_of_the_machine_and_of_python_find_the_same(sizes: Sizes) -> None:
    rng = np.random.default_rng(sizes)
    for count in (1, 2, 3) * (40 if sum(sizes) < 1000 else 4):
        a, b = (int(rng.integers(size + 1)) for size in sizes)
        kinds = [KINDS[at] for at in rng.integers(len(KINDS), size=count)]
        # With 16 digits some 60 examples are too many for the machine's.
        bounds = _bounds(_measures(sizes, a, b)[0], kinds, int(rng.choice([1, 2, 3, 4, 7, 16])))
        matrices = fitting_matrices(sizes, bounds)
        assert matrices.count >= 1
        assert repr(matrices) == repr(fitting_matrices(sizes, [*bounds, HUGE]))
        assert repr(matrices) == repr(fitting_matrices(sizes, [HUGE, *bounds]))


def _row_by_row(sizes: Sizes, bounds: Sequence[Bound]) -> list[tuple[int, int, int]]:
    """For each number of right answers of class 0 the least and the greatest of class 1, by bisection in fractions."""
    rows = []
    for a in range(sizes[0] + 1):
        low, high = 0, sizes[1]
        for bound in bounds:

            def measure(b: int, a: int = a, bound: Bound = bound) -> Fraction:
                return _measures(sizes, a, b)[0][bound.measure, bound.of]

            every = range(sizes[1] + 1)
            low = max(low, bisect.bisect_left(every, bound.low, key=measure))
            high = min(high, bisect.bisect_right(every, bound.high, key=measure) - 1)
        if low <= high:
            rows.append((a, low, high))
    return rows


@pytest.mark.parametrize("sizes", [(3, 10**6), (4, 1_500_000), (3, 40_000), (3, 66_000), (5, 15_000), (7, 1500)])
@pytest.mark.parametrize("decimals", [3, 4, 5, 6, 7, 12, 16])
def test_nothing_overflows(sizes: Sizes, decimals: int) -> None:
    rng = np.random.default_rng((decimals, sizes[1]))
    for kinds in ([kind] for kind in KINDS):
        a = int(rng.integers(1, sizes[0] + 1))
        b = sizes[1] - int(rng.integers(1, min(2000, sizes[1])))
        bounds = _bounds(_measures(sizes, a, b)[0], kinds, decimals)
        matrices = fitting_matrices(sizes, bounds)
        rows = _row_by_row(sizes, bounds)
        assert matrices.count == sum(high - low + 1 for _, low, high in rows), kinds
        if matrices.count <= LISTED:
            expected = [(a, sizes[0] - a, sizes[1] - b, b) for a, low, high in rows for b in range(low, high + 1)]
            assert list(matrices.listed) == expected, kinds
            assert (a, sizes[0] - a, sizes[1] - b, b) in expected
        assert matrices.recall[0] == pytest.approx((rows[0][0] / sizes[0], rows[-1][0] / sizes[0]))
        least, most = min(low for _, low, _ in rows), max(high for *_, high in rows)
        assert matrices.recall[1] == pytest.approx((least / sizes[1], most / sizes[1]), rel=1e-12)


@pytest.mark.parametrize(
    ("accuracy", "f1", "right", "count"),
    [("0.883", "0.882", range(380, 384), 4), ("0.862", "0.860", range(368, 371), 3)],
)
def test_the_printed_gpt2_figures(accuracy: str, f1: str, right: range, count: int) -> None:
    bounds = [_bound(("accuracy", 0), accuracy), _bound(("f1", 0), f1)]
    matrices = fitting_matrices((444, 428), bounds)
    assert matrices.count == count
    assert [matrix[0] for matrix in matrices.listed] == list(right)
    assert {matrix[0] + matrix[3] for matrix in matrices.listed} == {770 if accuracy == "0.883" else 752}


@pytest.mark.parametrize(
    ("accuracy", "f1", "matrix"),
    [
        ("0.8830275229357798", "0.8866666666666667", (399, 45, 57, 371)),
        ("0.8623853211009175", "0.8669623059866962", (391, 53, 67, 361)),
    ],
)
def test_the_logged_gpt2_figures_leave_one_matrix(accuracy: str, f1: str, matrix: tuple[int, int, int, int]) -> None:
    bounds = [_bound(("accuracy", 0), accuracy), _bound(("f1", 0), f1)]
    matrices = fitting_matrices((444, 428), bounds)
    assert matrices.listed == (matrix,)
    measures, precisions = _measures((444, 428), matrix[0], matrix[3])
    for of in CLASSES:
        precision = precisions[of]
        assert precision is not None
        assert matrices.precision[of] == pytest.approx((float(precision),) * 2)
        assert matrices.recall[of] == pytest.approx((float(measures["recall", of]),) * 2)
        assert matrices.f1[of] == pytest.approx((float(measures["f1", of]),) * 2)
    assert matrices.macro_f1 == pytest.approx((float(measures["f1", MACRO]),) * 2)
    # The table prints another F1 than the log, to fewer digits: together they leave nothing.
    printed = {"0.8866666666666667": "0.882", "0.8669623059866962": "0.860"}[f1]
    assert fitting_matrices((444, 428), [*bounds, _bound(("f1", 0), printed)]).count == 0


@pytest.mark.parametrize("of", [0, 1, MACRO, WEIGHTED])
@pytest.mark.parametrize(("accuracy", "f1"), [("0.883", "0.882"), ("0.862", "0.860"), ("88%", "0.88"), ("0.5", "0.5")])
def test_every_class_of_872_examples_against_the_grid(of: int, accuracy: str, f1: str) -> None:
    size, other = 444, 428
    a, b = np.meshgrid(np.arange(size + 1), np.arange(other + 1), indexing="ij")
    first, second = (size + other + a - b, size + other + b - a)
    fits = np.ones(a.shape, dtype=bool)
    ratios = {
        0: (2 * a, first),
        1: (2 * b, second),
        MACRO: (a * second + b * first, first * second),
        WEIGHTED: (2 * (size * a * second + other * b * first), (size + other) * first * second),
    }
    for text, (above, below) in ((accuracy, (a + b, np.full_like(a, 872))), (f1, ratios[of])):
        figure = read_share(text)
        fits &= above * figure.low.denominator >= figure.low.numerator * below
        fits &= above * figure.high.denominator <= figure.high.numerator * below
    matrices = fitting_matrices((size, other), [_bound(("accuracy", 0), accuracy), _bound(("f1", of), f1)])
    assert matrices.count == np.count_nonzero(fits)
    assert matrices.recall[0] == pytest.approx((a[fits].min() / size, a[fits].max() / size))
    assert matrices.recall[1] == pytest.approx((b[fits].min() / other, b[fits].max() / other))
    assert matrices.f1[0] == pytest.approx(((2 * a / first)[fits].min(), (2 * a / first)[fits].max()))
    assert matrices.f1[1] == pytest.approx(((2 * b / second)[fits].min(), (2 * b / second)[fits].max()))


@pytest.mark.parametrize("of", [0, MACRO, WEIGHTED])
def test_a_million_examples(of: int) -> None:
    sizes, a, b = (300_000, 700_000), 251_234, 630_111
    bounds = _bounds(_measures(sizes, a, b)[0], [("accuracy", 0), ("f1", of)], 7)
    matrices = fitting_matrices(sizes, bounds)
    # With 7 decimals the accuracy leaves one number of right answers.
    n, right = sum(sizes), a + b
    low, high = bounds[1].low, bounds[1].high
    expected = []
    for hits in range(max(0, right - sizes[1]), min(sizes[0], right) + 1):
        other = right - hits
        first, second = n + hits - other, n + other - hits
        weights = sizes if of == WEIGHTED else (1, 1)
        above = 2 * (weights[0] * hits * second + weights[1] * other * first)
        below = sum(weights) * first * second
        if of == 0:
            above, below = 2 * hits, first
        if low.numerator * below <= above * low.denominator and above * high.denominator <= high.numerator * below:
            expected.append((hits, sizes[0] - hits, sizes[1] - other, other))
    assert (a, sizes[0] - a, sizes[1] - b, b) in expected
    assert matrices.count == len(expected)
    assert list(matrices.listed) == (expected if len(expected) <= LISTED else [])


@pytest.mark.parametrize("class_counts", [(0, 5), (5, 0), (0, 0), (-1, 5)])
def test_a_class_without_examples_is_refused(class_counts: Sizes) -> None:
    with pytest.raises(ValueError, match="need at least one example of each class") as refused:
        fitting_matrices(class_counts, [_bound(("accuracy", 0), "0.5")])
    assert str(class_counts) in str(refused.value)


def _mcc(sizes: Sizes, a: int, b: int) -> Decimal:
    """Matthews' correlation to fifty digits, as the correlation of labels with predictions; 0 without one."""
    labels = [0] * sizes[0] + [1] * sizes[1]
    predicted = [0] * a + [1] * (sizes[0] - a) + [0] * (sizes[1] - b) + [1] * b
    n = len(labels)
    cross = n * sum(x * y for x, y in zip(labels, predicted, strict=True)) - sum(labels) * sum(predicted)
    spread = [n * sum(one) - sum(one) ** 2 for one in (labels, predicted)]
    with localcontext(prec=50):
        return Decimal(cross) / Decimal(spread[0] * spread[1]).sqrt() if all(spread) else Decimal(0)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (4, 4), (5, 3), (7, 12)])
def test_the_matrices_of_an_mcc_are_those_of_the_list(sizes: Sizes) -> None:
    every = {(a, b): _mcc(sizes, a, b) for a in range(sizes[0] + 1) for b in range(sizes[1] + 1)}
    for value in set(every.values()):
        for decimals in (0, 1, 2, 3):
            printed = value.quantize(Decimal(1).scaleb(-decimals))
            half = Decimal(5).scaleb(-decimals - 1)
            fitting = sum(abs(one - printed) <= half for one in every.values())
            figure = read_correlation(f"{printed:f}")
            bound = Bound(measure="mcc", of=MACRO, low=figure.low, high=figure.high)
            assert fitting_matrices(sizes, [bound]).count == fitting, (printed, decimals)


def test_an_mcc_that_lies_exactly_between_two_figures_may_be_of_either() -> None:
    # 3 of 4 right in each class: 0.5 exactly; 0 and 1 both round to it.
    for text in ("0", "1"):
        figure = read_correlation(text)
        bound = Bound(measure="mcc", of=MACRO, low=figure.low, high=figure.high)
        accuracy = Bound(measure="accuracy", of=0, low=Fraction(6, 8), high=Fraction(6, 8))
        recall = Bound(measure="recall", of=0, low=Fraction(3, 4), high=Fraction(3, 4))
        assert fitting_matrices((4, 4), [bound, accuracy, recall]).listed == ((3, 1, 1, 3),)


def test_an_mcc_and_an_accuracy_give_a_confusion_matrix_of_cola() -> None:
    # 873 of 1,043 right; 655 of 721 acceptable sentences and 218 of 322 others.
    sizes, right = (721, 322), (655, 218)
    figure = read_correlation(str(_mcc(sizes, *right).quantize(Decimal("0.000001"))))
    bounds = [
        Bound(measure="accuracy", of=0, low=Fraction(873, 1043), high=Fraction(873, 1043)),
        Bound(measure="mcc", of=MACRO, low=figure.low, high=figure.high),
    ]
    assert (655, 66, 104, 218) in fitting_matrices(sizes, bounds).listed
