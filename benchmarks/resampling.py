"""Time of the bootstrap and the sign-flip test, beside other ways to the same numbers.

    python benchmarks/resampling.py [--turns 5] [--large]

All sides work on the same arrays and take turns; the median ratio is printed, after their answers have been compared.
The row of mlxtend needs mlxtend and scikit-learn, and is left out without them. Two analyses of whole studies in memory
follow: eight arms on 872 examples, and with `--large` eight arms on 100,000.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import math
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.methods.bootstrap import bootstrap_study, multi_bootstrap
from analysis.methods.crossed import crossed_test
from analysis.methods.sign_flip import sign_flip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: our median time, theirs, the median of the ratios turn by turn, and the target."""

    name: str
    ours: float
    theirs: float
    ratio: float
    target: float


def in_turns(name: str, ours: Callable[[], object], theirs: Callable[[], object], turns: int, target: float) -> Row:
    """Time both sides in turns."""
    took: list[tuple[float, float]] = []
    for _ in range(turns):
        began = time.perf_counter()
        ours()
        between = time.perf_counter()
        theirs()
        took.append((between - began, time.perf_counter() - between))
    return Row(
        name,
        statistics.median(own for own, _ in took),
        statistics.median(other for _, other in took),
        statistics.median(other / own for own, other in took),
        target,
    )


def gathered(d: NDArray[np.float64], rng: np.random.Generator, resamples: int, block: int = 50) -> NDArray[np.float64]:
    """Multi-bootstrap of paired differences by index arrays, a block of resamples at a time."""
    S, N = d.shape
    means = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        rows, columns = rng.integers(0, S, (size, S)), rng.integers(0, N, (size, N))
        means.append(d[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2)))
    return np.concatenate(means)


def one_by_one(
    labels: NDArray[np.int64],
    treatment: NDArray[np.int64],
    baseline: NDArray[np.int64],
    rng: np.random.Generator,
    resamples: int,
) -> NDArray[np.float64]:
    """Multi-bootstrap replicate by replicate, as published: every drawn run is scored anew, and the scores averaged.

    The metric is NumPy's quickest accuracy; the usual ones of metric packages take far longer.
    """

    def accuracy(truth: NDArray[np.int64], said: NDArray[np.int64]) -> float:
        return float(np.mean(truth == said))

    S, N = treatment.shape
    differences = np.empty(resamples)
    for b in range(resamples):
        seeds, examples = rng.choice(S, S), rng.choice(N, N)
        truth = labels[examples]
        arms = [
            # The inner mean is over the runs of one seed, of which there is one.
            np.mean([np.mean([accuracy(truth, arm[s, examples])]) for s in seeds])
            for arm in (treatment, baseline)
        ]
        differences[b] = arms[0] - arms[1]
    return differences


def bootstraps(turns: int, resamples: int = 10_000) -> list[Row]:
    """Twenty paired seeds on 872 examples."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 872)
    hard = 0.75 + 0.2 * rng.random(872)
    said_t, said_b = (np.where(rng.random((20, 872)) < hard + gain, labels, 1 - labels) for gain in (0.02, 0.0))
    y_t, y_b = (said_t == labels).astype(float), (said_b == labels).astype(float)
    result = multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(1), resamples=resamples)
    for others in (
        gathered(y_t - y_b, np.random.default_rng(2), resamples),
        one_by_one(labels, said_t, said_b, np.random.default_rng(3), resamples),
    ):
        agree(others.std(ddof=1), result.bootstrap_se, rel=5 / math.sqrt(resamples))
        agree(others.mean(), result.estimate, abs_=5 * result.bootstrap_se / math.sqrt(resamples))

    def ours() -> object:
        return multi_bootstrap(y_t, y_b, paired=True, rng=np.random.default_rng(1), resamples=resamples)

    return [
        in_turns(
            "multi-bootstrap, index-gather NumPy",
            ours,
            lambda: gathered(y_t - y_b, np.random.default_rng(2), resamples),
            turns,
            5,
        ),
        in_turns(
            "multi-bootstrap, replicate by replicate",
            ours,
            lambda: one_by_one(labels, said_t, said_b, np.random.default_rng(3), resamples),
            turns,
            50,
        ),
    ]


def sign_flips(turns: int) -> list[Row]:
    """Accuracies of paired seeds on 872 examples, every assignment of signs counted."""
    rng = np.random.default_rng(4)
    treatment, baseline = 770 + rng.integers(-8, 14, 20), 770 + rng.integers(-8, 8, 20)

    def ours(S: int) -> float:
        return sign_flip(treatment[:S], baseline[:S], n_examples=872).p_value

    def by_scipy() -> float:
        test = stats.permutation_test(
            (treatment[:12] / 872, baseline[:12] / 872),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=math.inf,
        )
        return float(test.pvalue)

    agree(by_scipy(), ours(12), rel=1e-9)
    rows = [in_turns("sign-flip, 12 seeds, scipy exact", lambda: ours(12), by_scipy, turns, 1)]
    if any(importlib.util.find_spec(package) is None for package in ("mlxtend", "sklearn")):
        print("mlxtend or scikit-learn is not installed: its row is left out")
        return rows
    from mlxtend.evaluate import permutation_test

    answers: list[float] = []
    rows.append(
        in_turns(
            "sign-flip, 20 seeds, mlxtend exact",
            lambda: ours(20),
            lambda: answers.append(permutation_test(treatment, baseline, method="exact", paired=True)),
            1,
            20,
        )
    )
    agree(answers[0], ours(20), rel=1e-9)
    return rows


def study(n_seeds: int, n_examples: int, resamples: int, limit: float) -> None:
    """Analyse eight arms, seven of them against the first: bootstrap and crossed test."""
    rng = np.random.default_rng(5)
    hard = 0.75 + 0.2 * rng.random(n_examples)
    arms = {f"arm {k}": (rng.random((n_seeds, n_examples)) < hard + k / 200).astype(float) for k in range(8)}
    pairs = [(name, "arm 0") for name in itertools.islice(arms, 1, None)]
    began = time.perf_counter()
    bootstrap_study(arms, pairs, rng=np.random.default_rng(6), resamples=resamples)
    bootstrapped = time.perf_counter() - began
    for treatment, baseline in pairs:
        crossed_test(arms[treatment], arms[baseline], paired=True)
    took = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"8 arms x {n_seeds} seeds x {n_examples:,} examples, {resamples:,} resamples: bootstrap {bootstrapped:.2f} s, "
        f"with the crossed tests {took:.2f} s (target {limit:g} s), peak memory {memory:.2f} GiB"
    )


def agree(theirs: float, ours: float, *, rel: float = 0.0, abs_: float = 0.0) -> None:
    """Stop where the answers differ: a faster way to another number is no faster way."""
    if not math.isclose(theirs, ours, rel_tol=rel, abs_tol=abs_):
        raise ValueError(f"the answers differ: {theirs} and {ours}")


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    print(f"{'against':42}{'ours':>10}{'theirs':>12}{'ratio':>10}{'target':>8}")
    for row in rows:
        times = f"{row.ours * 1000:7.1f} ms{row.theirs * 1000:9.1f} ms"
        print(f"{row.name:42}{times}{row.ratio:9.1f}x{f'>={row.target:g}':>8}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="with the study of 100,000 examples (half a minute)")
    options = parser.parse_args()
    show([*bootstraps(options.turns), *sign_flips(options.turns)])
    study(20, 872, 10_000, limit=2)
    if options.large:
        study(50, 100_000, 1_000, limit=30)


if __name__ == "__main__":
    main()
