"""Write crossed_exact.json: the designs of the crossed test in exact fractions, by plain loops.

Run it with `python crossed_exact.py`. It shares no code with the package, and takes the formulas as they are
written down: sums over every seed and example, no arrays, no floating point until the last step.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

CASES = {
    "four seeds, all parts positive": (
        [[5, 1, 0, 3, 9], [6, 3, 1, 3, 7], [9, 2, 4, 7, 9], [4, 1, 1, 0, 9]],
        [[1, 0, 2, 3, 1], [0, 1, 2, 4, 1], [2, 2, 1, 3, 0], [0, 0, 2, 3, 3]],
    ),
    "four seeds, mean square over seeds below the residual": (
        [[1, 0, 1, 1, 0, 1], [0, 1, 1, 1, 1, 0], [1, 1, 0, 1, 0, 1], [1, 1, 1, 0, 1, 0]],
        [[0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 1], [0, 1, 0, 0, 1, 1], [0, 0, 1, 0, 1, 1]],
    ),
    "five seeds, mean square over examples below the residual": (
        [[3, 1, 2], [7, 5, 8], [2, 4, 3], [6, 6, 3], [9, 7, 8]],
        [[1, 1, 3], [1, 3, 1], [2, 1, 1], [1, 2, 2], [2, 1, 2]],
    ),
    "three seeds, independent": (
        [[8, 2, 5, 0], [7, 3, 6, 1], [9, 3, 5, 2]],
        [[1, 0, 2, 1], [3, 0, 2, 2], [1, 1, 0, 3]],
    ),
    "two seeds against three": (
        [[8, 2, 5, 0, 1], [4, 3, 6, 1, 2]],
        [[1, 0, 2, 1, 2], [3, 0, 2, 2, 4], [1, 1, 0, 3, 3]],
    ),
    "zeros and ones, four against two": (
        [[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 1], [1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]],
        [[1, 0, 1, 0, 1, 0], [1, 0, 1, 1, 0, 0]],
    ),
}

# Other arms of the same study, for the mean square of arm x seed over all of them.
OTHER_ARMS = {
    "four seeds, all parts positive": [
        [[4, 2, 1, 3, 6], [7, 2, 2, 5, 9], [5, 2, 3, 3, 8], [6, 3, 2, 1, 9]],
        [[2, 0, 2, 3, 2], [1, 1, 0, 4, 1], [3, 2, 1, 2, 0], [0, 1, 2, 3, 4]],
    ],
    "three seeds, independent": [[[2, 6, 1, 0], [5, 3, 4, 1], [2, 3, 1, 2]]],
}

Matrix = list[list[int]]


def mean(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def mean_squares(y: list[list[Fraction]]) -> tuple[Fraction, Fraction, Fraction]:
    S, N = len(y), len(y[0])
    r = [mean(row) for row in y]
    c = [mean([y[s][i] for s in range(S)]) for i in range(N)]
    D = mean(r)
    seed = N * sum(((r_s - D) ** 2 for r_s in r), Fraction(0)) / (S - 1)
    example = S * sum(((c_i - D) ** 2 for c_i in c), Fraction(0)) / (N - 1)
    total = sum(((y[s][i] - r[s] - c[i] + D) ** 2 for s in range(S) for i in range(N)), Fraction(0))
    return seed, example, total / ((S - 1) * (N - 1))


def fractions(y: Matrix) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in y]


def caution(F: int, constant: Fraction = Fraction(13, 2)) -> Fraction:
    return 1 + (constant / F) ** 2


def pooled(arms: list[Matrix]) -> tuple[Fraction, int]:
    """Twice the mean square of arm x seed over all arms, and its degrees of freedom."""
    T, S, N = len(arms), len(arms[0]), len(arms[0][0])
    m = [[mean(row) for row in fractions(arm)] for arm in arms]
    by_arm = [mean(row) for row in m]
    by_seed = [mean([m[a][s] for a in range(T)]) for s in range(S)]
    grand = mean(by_arm)
    total = sum(((m[a][s] - by_arm[a] - by_seed[s] + grand) ** 2 for a in range(T) for s in range(S)), Fraction(0))
    df = (T - 1) * (S - 1)
    return 2 * N * total / df, df


def design_a(treatment: Matrix, baseline: Matrix, others: list[Matrix]) -> dict[str, object]:
    S, N = len(treatment), len(treatment[0])
    d = [[Fraction(treatment[s][i] - baseline[s][i]) for i in range(N)] for s in range(S)]
    own, example, resid = mean_squares(d)
    seed, F = pooled([treatment, baseline, *others])
    assert others or (seed, F) == (own, S - 1)
    a, g = max(seed, resid), max(example - resid, Fraction(0))

    def df(c: Fraction) -> float:
        squares = (c * a) ** 2 / F + example**2 / (N - 1) + resid**2 / ((S - 1) * (N - 1))
        return float((c * a + g) ** 2 / squares)

    parts = [max(seed - resid, Fraction(0)) / N, g / S, resid]
    return row((a + g) / (S * N), df(Fraction(1)), df(caution(F)), parts)


def design_b(treatment: Matrix, baseline: Matrix) -> dict[str, object]:
    N = len(treatment[0])
    arms = [(len(y), *mean_squares(fractions(y))) for y in (treatment, baseline)]
    c_i = [
        Fraction(sum(line[i] for line in treatment), len(treatment))
        - Fraction(sum(line[i] for line in baseline), len(baseline))
        for i in range(N)
    ]
    var_c = sum(((value - mean(c_i)) ** 2 for value in c_i), Fraction(0)) / (N - 1)
    A = [max(seed, resid) / (S * N) for S, seed, _, resid in arms]
    example = max(var_c - sum((resid / S for S, _, _, resid in arms), Fraction(0)), Fraction(0))

    def df(c: list[Fraction]) -> float:
        shares = [c_g * A_g for c_g, A_g in zip(c, A, strict=True)]
        squares = sum((share**2 / (arm[0] - 1) for share, arm in zip(shares, arms, strict=True)), Fraction(0))
        return float((sum(shares, Fraction(0)) + example / N) ** 2 / (squares + (var_c / N) ** 2 / (N - 1)))

    seed_part = sum((max(seed - resid, Fraction(0)) for _, seed, _, resid in arms), Fraction(0)) / N
    parts = [seed_part, example, sum((resid for _, _, _, resid in arms), Fraction(0))]
    V = sum(A, Fraction(0)) + example / N
    equal = len(treatment) == len(baseline)
    F = [len(treatment) + len(baseline) - 2] * 2 if equal else [len(treatment) - 1, len(baseline) - 1]
    return row(V, df([Fraction(1)] * 2), df([caution(F_g, Fraction(7, 2)) for F_g in F]), parts)


def row(V: Fraction, plain_df: float, df: float, parts: list[Fraction]) -> dict[str, object]:
    return {"variance": float(V), "plain_df": plain_df, "df": df, "components": [float(part) for part in parts]}


def main() -> None:
    rows = []
    for name, (treatment, baseline) in CASES.items():
        D = mean([v for line in fractions(treatment) for v in line]) - mean(
            [v for line in fractions(baseline) for v in line]
        )
        case: dict[str, object] = {
            "name": name,
            "treatment": treatment,
            "baseline": baseline,
            "estimate": float(D),
            "B": design_b(treatment, baseline),
        }
        if len(treatment) == len(baseline):
            case["A"] = design_a(treatment, baseline, [])
        if name in OTHER_ARMS:
            case["other_arms"] = OTHER_ARMS[name]
            case["pooled"] = design_a(treatment, baseline, OTHER_ARMS[name])
        rows.append(case)
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
