"""The page docs/statistics.md: its code runs, and the figures in its text are those that the package gives."""

from __future__ import annotations

import doctest
import importlib
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from analysis.methods import mcnemar as mcnemar_module
from analysis.methods.crossed import crossed_test
from analysis.methods.label_permutation import label_permutation_floor
from analysis.methods.looks import thresholds
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.over_seeds import paired_t
from analysis.methods.sign_flip import sign_flip_floor
from analysis.metrics.calibration_error import log_loss_scores
from analysis.power.error_types import error_types
from analysis.power.planning import plan_comparison
from analysis.power.single_run import single_run_detectable_gap
from analysis.power.stated_figures import stated_components
from analysis.study.plan import AnalysisPlan
from analysis.study.verdict import collapse_rate_limit

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "statistics.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)

# Made by other commands: `nox -s calibration` writes this one.
GENERATED = {"calibration.md"}

LOOKS = (4, 8, 12, 20)


def cells(first: str) -> list[str]:
    """The cells of the table row that begins with these words."""
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


def run_until(marker: str) -> dict[str, Any]:
    """The names that the page's code defines before a line that begins with this."""
    names: dict[str, Any] = {}
    source = "\n".join(example.source for block in PYTHON for example in doctest.DocTestParser().get_examples(block))
    exec(source.partition(marker)[0], names)
    return names


def points(share: float) -> str:
    return f"{share:.0%}"


def test_every_block_of_python_says_what_it_prints() -> None:
    assert len(PYTHON) >= 10
    assert all(block.startswith(">>> ") for block in PYTHON)
    page = doctest.DocTestParser().get_doctest("\n".join(PYTHON), {}, "statistics.md", "statistics.md", 0)
    shown: list[str] = []
    failed, attempted = doctest.DocTestRunner(verbose=False).run(page, out=shown.append)
    assert failed == 0, "".join(shown)
    assert attempted == sum(block.count(">>> ") for block in PYTHON)


def test_the_worked_example_is_about_what_the_text_says() -> None:
    names = run_until("def claims")
    gap, over_seeds, flipped = names["gap"], names["over_seeds"], names["flipped"]
    models, here = np.asarray(names["models"]), np.asarray(names["here"])
    assert over_seeds.p_value < 0.05 < flipped.p_value == flipped.floor < gap.p_value
    assert f"by {100 * (models[0] - models[1]):.0f} points" in PROSE
    assert f"be {100 * (here[0] - here[1]):.1f} points ahead" in PROSE
    assert min(names["treatment"].sum(axis=1) - names["baseline"].sum(axis=1)) > 0


def test_the_paired_t_grows_surer_about_a_gap_that_the_procedures_do_not_have() -> None:
    names = run_until("(treatment, baseline, third), example")
    names["S"] = 20
    rng, paired, crossed = np.random.default_rng(1), 0, 0
    for _ in range(300):
        (treatment, baseline, _), *_rest = names["study"](rng)
        paired += paired_t(treatment.mean(axis=1), baseline.mean(axis=1)).p_value < 0.05
        crossed += crossed_test(treatment, baseline, paired=True).p_value < 0.05
    assert "with 20 seeds it claims a gap in about a third" in PROSE
    assert 0.26 < paired / 300 < 0.41
    assert crossed / 300 < 0.09


def test_design_b_is_the_formula_on_the_page() -> None:
    y = np.random.default_rng(3).normal(size=(2, 3, 40))
    N, c = 40, y[0].mean(axis=0) - y[1].mean(axis=0)
    A, resid = [], []
    for arm in y:
        r, m = arm.mean(axis=1, keepdims=True), arm.mean(axis=0)
        resid.append(float(np.sum((arm - r - m + arm.mean()) ** 2)) / (2 * (N - 1)))
        A.append(max(N * float(np.var(r, ddof=1)), resid[-1]) / (3 * N))
    V = sum(A) + max(float(np.var(c, ddof=1)) - sum(resid) / 3, 0) / N
    df = V**2 / (sum(a**2 / 2 for a in A) + (float(np.var(c, ddof=1)) / N) ** 2 / (N - 1))
    result = crossed_test(y[0], y[1], paired=True)
    assert result.design == "B"
    assert (result.standard_error, result.df) == pytest.approx((math.sqrt(V), df))


def test_seeds_that_change_nothing_leave_the_paired_t_over_examples() -> None:
    treatment, baseline = np.random.default_rng(4).normal(size=(2, 30))
    result = crossed_test(np.tile(treatment, (5, 1)), np.tile(baseline, (5, 1)), paired=True)
    over_examples = paired_t(treatment, baseline)
    assert (result.p_value, result.df) == pytest.approx((over_examples.p_value, 29))
    assert "the seeds changed nothing" in result.reason


def test_a_lucky_draw_of_seeds_buys_no_degrees_of_freedom() -> None:
    d = np.random.default_rng(5).normal(size=(5, 400))
    d -= d.mean(axis=1, keepdims=True) - 1.0
    assert crossed_test(d, np.zeros_like(d), paired=True).df < 20


@pytest.mark.parametrize("seeds", [3, 5, 10, 20])
def test_limits_of_the_seed_sd(seeds: int) -> None:
    low, high = (math.sqrt((seeds - 1) / special.chdtri(seeds - 1, tail)) for tail in (0.025, 0.975))
    at = f"at {seeds} seeds" if seeds == 3 else f"at {seeds}"
    assert f"{low:.2f} and {high:.2f} {at}," in PROSE


def test_figures_of_planning() -> None:
    low, middle, high = (
        stated_components(seed_sd=sd, discordance=0.08, rerun_discordance=0.05, n_examples=872)
        for sd in (0.006, 0.008, 0.012)
    )
    plan = plan_comparison(middle, low=low, high=high, n_seeds=5, n_examples=872, margin=0.02, alpha=0.05)
    seeds = plan.seeds_needed
    assert f"with a chance of {points(plan.chance.value)}, and 80% takes {seeds.value} seeds" in PROSE
    assert f"{seeds.low} or {seeds.high} if the SD is 0.6 or 1.2 points" in PROSE
    small, larger, largest = (100 * single_run_detectable_gap(0.08, n) for n in (872, 10_000, 500_000))
    assert f"finds {small:.1f} points on 872 examples with 80% power, {larger:.2f} points on 10,000" in PROSE
    assert f"{largest:.2f} points on half a million" in PROSE


def test_figures_of_wrong_signs() -> None:
    result = error_types(0.005, 0.01, math.inf, alpha=0.05)
    assert f"{100 * result.power:.1f}% of studies are significant, {100 * result.type_s:.1f}% of these" in PROSE
    assert f"on average {result.type_m:.1f} times too large" in PROSE


def test_figures_of_verdicts() -> None:
    assert f"`1 - .95^3` = {points(1 - 0.95**3)} of studies" in PROSE
    rates = [collapse_rate_limit(seeds) for seeds in (3, 5, 10, 20)]
    assert "{} at 3 seeds, {} at 5, {} at 10, {} at 20.".format(*map(points, rates)) in PROSE
    assert "{} at 3 seeds, {} at 10, {} at 20. More".format(*(points(0.9**seeds) for seeds in (3, 10, 20))) in PROSE
    assert AnalysisPlan(baseline="full").margin == 0.01
    # One answered question leaves the factor, two lower it.
    assert joint_step_down([0.001, 0.02], [0.9, 0.9]).difference == (0.002, 0.04)


def test_floors() -> None:
    (row,) = re.findall(r"^\| seeds per arm \|((?: \d+ \|)+)$", PAGE, flags=re.MULTILINE)
    sizes = [int(count) for count in re.findall(r"\d+", row)]
    flips = [float(cell) for cell in cells("sign-flip, at least")]
    deals = [float(cell) for cell in cells("label permutation, at least")]
    assert flips == pytest.approx([sign_flip_floor(size) for size in sizes], abs=5.1e-5)
    assert deals == pytest.approx([label_permutation_floor(size, size) for size in sizes], abs=5.1e-5)


def test_figures_of_looks() -> None:
    stated = [float(cell) for cell in cells("stop if the two-sided p is at most")]
    exact = thresholds(LOOKS, alpha=0.05)
    assert stated == pytest.approx(exact, rel=5e-3)
    share, seeds = np.array(LOOKS) / LOOKS[-1], np.array(LOOKS)
    steps = np.random.default_rng(6).normal(size=(200_000, 4)) * np.sqrt(np.diff(share, prepend=0))
    z = np.cumsum(steps, axis=1) / np.sqrt(share)
    assert f"in about {points(float((np.abs(z) > 1.96).any(axis=1).mean()))} of studies; running 10" in PROSE
    half = np.cumsum(steps[:, :2] / np.sqrt(np.diff(share, prepend=0))[:2], axis=1) / np.sqrt([1, 2])
    assert f"significant, in about {points(float((np.abs(half) > 1.96).any(axis=1).mean()))} (for" in PROSE
    drift = 2.82
    stops = [np.abs(z + size * drift * np.sqrt(share)) >= -special.ndtri(np.array(exact) / 2) for size in (1, 2)]
    saved = [1 - float(np.where(stop.any(axis=1), seeds[stop.argmax(axis=1)], 20).mean()) / 20 for stop in stops]
    assert float(stops[0].any(axis=1).mean()) == pytest.approx(0.8, abs=0.01)
    assert f"save about {points(saved[0])} of the seeds on average where the power is 80%, and about half" in PROSE
    assert saved[1] == pytest.approx(0.5, abs=0.02)


def test_a_single_log_loss_ends_where_the_page_says() -> None:
    worst = log_loss_scores([0], [[[0.0, 1.0]]])
    assert f"a single loss ends at {float(worst.max()):.1f}" in PROSE


def test_mid_p_takes_off_the_observed_count() -> None:
    for b, c in ((1, 7), (3, 9), (4, 4)):
        result = mcnemar_module.mcnemar_from_counts(b, c, n=30)
        observed = math.comb(b + c, b) / 2 ** (b + c)
        expected = 1 - observed / 2 if b == c else result.p_exact - observed
        assert result.p_mid == pytest.approx(expected)


@pytest.mark.parametrize(("seeds", "stated"), [(3, 0.73), (5, 0.84), (10, 0.88)])
def test_bca_over_few_seeds_misses_the_truth_as_often_as_said(seeds: int, stated: float) -> None:
    from scipy import stats

    assert "in about 73, 84 and 88% of cases at 3, 5 and 10 seeds" in PROSE
    rng = np.random.default_rng(7)
    result = stats.bootstrap(
        (rng.normal(size=(600, seeds)),), np.mean, axis=-1, n_resamples=499, method="BCa", random_state=rng
    ).confidence_interval
    assert float(np.mean((result.low <= 0) & (result.high >= 0))) == pytest.approx(stated, abs=0.05)


def test_every_function_that_the_page_names_exists() -> None:
    table = PAGE[PAGE.index("| method | function") : PAGE.index("**Exact and mid-p.**")]
    named = [(f"methods.{module}", path) for module, path in re.findall(r"`([a-z_]+)\.([A-Za-z_.]+)`", table)]
    named += re.findall(r"`analysis\.([a-z_]+\.[a-z_]+)\.([a-z_]+)`", PAGE)
    assert len(named) >= 20
    for module, path in named:
        place = importlib.import_module(f"analysis.{module}")
        for name in path.split("."):
            place = getattr(place, name)
        assert callable(place)


def test_lines_fit_and_links_lead_somewhere() -> None:
    assert [line for line in PAGE.splitlines() if len(line) > 120] == []
    links = set(re.findall(r"\]\(([^)#]+)\)", PAGE))
    assert "calibration.md" in links
    assert [link for link in links - GENERATED if not (DOCS / link).exists()] == []
