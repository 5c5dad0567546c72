"""Write crossed_exact.json: both designs of the crossed test in exact fractions, by plain loops.

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


def design_a(treatment: Matrix, baseline: Matrix) -> tuple[Fraction, Fraction, list[Fraction]]:
    S, N = len(treatment), len(treatment[0])
    d = [[Fraction(treatment[s][i] - baseline[s][i]) for i in range(N)] for s in range(S)]
    seed, example, resid = mean_squares(d)
    a = max(seed, resid)
    V = (a + max(example - resid, Fraction(0))) / (S * N)
    df = (S * N * V) ** 2 / (a**2 / (S - 1) + example**2 / (N - 1) + resid**2 / ((S - 1) * (N - 1)))
    return V, df, [max(seed - resid, Fraction(0)) / N, max(example - resid, Fraction(0)) / S, resid]


def design_b(treatment: Matrix, baseline: Matrix) -> tuple[Fraction, Fraction, list[Fraction]]:
    N = len(treatment[0])
    arms = [(len(y), *mean_squares(fractions(y))) for y in (treatment, baseline)]
    c = [
        Fraction(sum(row[i] for row in treatment), len(treatment))
        - Fraction(sum(row[i] for row in baseline), len(baseline))
        for i in range(N)
    ]
    var_c = sum(((c_i - mean(c)) ** 2 for c_i in c), Fraction(0)) / (N - 1)
    A = [max(seed, resid) / (S * N) for S, seed, _, resid in arms]
    example = max(var_c - sum((resid / S for S, _, _, resid in arms), Fraction(0)), Fraction(0))
    V = sum(A, Fraction(0)) + example / N
    spread = sum((A_g**2 / (arm[0] - 1) for A_g, arm in zip(A, arms, strict=True)), Fraction(0))
    df = V**2 / (spread + (var_c / N) ** 2 / (N - 1))
    seed_part = sum((max(seed - resid, Fraction(0)) for _, seed, _, resid in arms), Fraction(0)) / N
    return V, df, [seed_part, example, sum((resid for _, _, _, resid in arms), Fraction(0))]


def main() -> None:
    rows = []
    for name, (treatment, baseline) in CASES.items():
        D = mean([v for row in fractions(treatment) for v in row]) - mean(
            [v for row in fractions(baseline) for v in row]
        )
        row: dict[str, object] = {
            "name": name,
            "treatment": treatment,
            "baseline": baseline,
            "estimate": float(D),
        }
        designs = {"B": design_b(treatment, baseline)}
        if len(treatment) == len(baseline):
            designs["A"] = design_a(treatment, baseline)
        for letter, (V, df, parts) in sorted(designs.items()):
            row[letter] = {
                "variance": float(V),
                "df": float(df),
                "components": [float(part) for part in parts],
            }
        rows.append(row)
    target = Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
