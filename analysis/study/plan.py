"""Analysis plan: the `analysis:` block of a study file, with its comparisons, margin, alpha and looks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from analysis.errors import PlanError, Problem
from analysis.metrics.metric_kinds import METRICS, Metric, MetricKind
from analysis.problems import Allowed, ArmName, described, either, shown
from analysis.records.manifest import Crossing, Manifest, Task
from analysis.study.claims_block import claim_problems

Correction = Literal["holm", "benjamini_hochberg"]
Variance = Literal["pooled", "pairwise"]

FEWEST_SEEDS_AT_A_LOOK = 4
"""With fewer paired seeds, a look has no power that is worth its place."""

_MOST_LOOKS = 100
_METRICS = {
    "classification": tuple(name for name, kind in METRICS.items() if kind.task == "classification"),
    "regression": tuple(name for name, kind in METRICS.items() if kind.task == "regression"),
    "scores": ("score",),
}
_OF_PROBABILITIES = tuple(name for name, kind in METRICS.items() if kind.of_probabilities)
# A gap this large or larger cannot be, and what a margin is, in words; by metric, where it is no share.
_CORRELATION = (2.0, "a number above 0 and below 2")
_BELOW_ONE = (1.0, "a number above 0 and below 1")
_MARGINS = {
    "log_loss": _BELOW_ONE,
    "brier": _BELOW_ONE,
    "pearson": _CORRELATION,
    "spearman": _CORRELATION,
    "mse": (math.inf, "a number above 0, in the units of the labels, squared"),
    "score": (math.inf, "a number above 0, in the units of the score"),
}
_UNITS = ("mse", "score")
_MARGIN_OF_SHARES = (1.0, "a number above 0 and below 1 (0.01 is one percentage point)")
_CORRECTIONS = get_args(Correction)
_VARIANCES = get_args(Variance)
_POLICIES = ("refuse", "drop_seed")


class Comparison(BaseModel):
    """A comparison of two arms; the gap is the treatment's score minus the baseline's.

    Parameters
    ----------
    treatment, baseline : str
        Names of two different arms.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    treatment: ArmName
    baseline: ArmName

    @model_validator(mode="after")
    def _two_arms(self) -> Comparison:
        if self.treatment == self.baseline:
            raise ValueError(f"expected two different arms, got {self.treatment!r} on both sides")
        return self

    def __str__(self) -> str:
        return f"{self.treatment} against {self.baseline}"


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _given(value: object) -> object:
    # Only a plan that an older version froze has none.
    if value is None:
        raise ValueError(f"expected {either(_VARIANCES)}, got nothing")
    return value


def _growing(looks: tuple[int, ...]) -> tuple[int, ...]:
    if len(looks) > _MOST_LOOKS:
        raise ValueError(f"expected at most {_MOST_LOOKS} looks, got {len(looks)}")
    if len(looks) == 1 or any(late <= early for early, late in pairwise(looks)):
        raise ValueError(f"expected two or more numbers of seeds, each above the one before, got {list(looks)}")
    return looks


class AnalysisPlan(BaseModel):
    """The decisions that are fixed before the first trial and frozen with the study.

    Parameters
    ----------
    metric : Metric
        The score that is compared; for ``log_loss``, ``brier`` and ``mse`` lower is better. ``pearson``, ``spearman``
        and ``mse`` are those of a regression; ``score`` is that of a study that stores a score for each example.
    baseline : str
        The arm that every other arm is compared with.
    comparisons : tuple of Comparison
        Further comparisons, besides each arm against the baseline.
    margin : float
        Largest gap that still counts as no difference that matters, in units of the metric (for accuracy 0.01 is one
        percentage point): between 0 and 1, for a correlation between 0 and 2, for ``mse`` and for scores that leave
        the range from 0 to 1 above 0.
    alpha : float
        Error rate over all comparisons and both questions (difference, equivalence) together,
        above 0 and at most 0.5.
    correction : Correction
        ``"holm"``: the joint step-down over both questions of every comparison. ``"benjamini_hochberg"``: the
        expected share of false claims among the claims, for exploration; proved for p-values that are independent or
        positively dependent.
    variance : {"pooled", "pairwise"} or None
        Where the variation over seeds comes from. ``"pooled"``: from all arms of the study, where there are three or
        more; every two arms are taken to differ alike from seed to seed. ``"pairwise"``: from the two arms of a
        comparison, as always where runs are not paired by seed. None: the plan was frozen before this could be
        declared, and is judged as it was frozen.
    failed_trials : {"refuse", "drop_seed"}
        ``"refuse"``: an arm with a trial that did not finish gets no verdict. ``"drop_seed"``: the seed leaves every
        arm, and where runs are not paired by seed the run leaves its arm; the tables say so.
    looks : tuple of int
        The numbers of seeds at which a growing study may be analysed, ascending, from 4; empty for a study that is
        analysed once.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    metric: Metric = "accuracy"
    baseline: ArmName
    comparisons: Annotated[tuple[Comparison, ...], BeforeValidator(_as_tuple)] = ()
    margin: float = Field(default=0.01, gt=0, allow_inf_nan=False)
    alpha: float = Field(default=0.05, ge=1e-12, le=0.5, allow_inf_nan=False)
    correction: Correction = "holm"
    variance: Annotated[Variance | None, BeforeValidator(_given)] = "pooled"
    failed_trials: Literal["refuse", "drop_seed"] = "refuse"
    looks: Annotated[
        tuple[Annotated[int, Field(ge=FEWEST_SEEDS_AT_A_LOOK, le=10_000)], ...],
        BeforeValidator(_as_tuple),
        AfterValidator(_growing),
    ] = ()

    # Private: the seeds belong to the study, and decide by which test the plan is carried out.
    _crossing: Crossing | None = PrivateAttr(None)
    _paired: bool = PrivateAttr(True)
    # Private as well: what the scores of a study are, its data say.
    _score: MetricKind | None = PrivateAttr(None)

    @property
    def kind(self) -> MetricKind:
        """What a table has to know about the metric: its title, its direction, whether it is a share."""
        return METRICS[self.metric] if self._score is None else self._score

    @property
    def crossing(self) -> Crossing | None:
        """How the study's seeds cross; None where they are of one kind."""
        return self._crossing

    @property
    def paired(self) -> bool:
        """Whether the study's runs are paired by seed."""
        return self._paired

    @property
    def margins(self) -> tuple[float, str]:
        """What every margin must lie below, and what it may be in words."""
        if self._score is not None and self._score.share:
            return _MARGIN_OF_SHARES
        return _MARGINS.get(self.metric, _MARGIN_OF_SHARES)

    @field_validator("margin")
    @classmethod
    def _smaller_than_any_gap(cls, margin: float, info: ValidationInfo) -> float:
        largest, allowed = _MARGINS.get(info.data.get("metric", ""), _MARGIN_OF_SHARES)
        if margin >= largest:
            raise ValueError(f"expected {allowed}, got {margin:g}")
        return margin

    def all_comparisons(self, arms: Sequence[str]) -> tuple[Comparison, ...]:
        """Return every comparison of the study: each arm against the baseline, then the declared ones.

        Parameters
        ----------
        arms : sequence of str
            The arms, in the order of the study file.

        Returns
        -------
        tuple of Comparison
            Every pair of arms occurs once, in the form that was declared first. The same pair again, in either order,
            would ask the same question and only make the correction stricter.
        """
        with_baseline = [Comparison(treatment=arm, baseline=self.baseline) for arm in arms if arm != self.baseline]
        first_by_pair: dict[frozenset[str], Comparison] = {}
        for comparison in (*with_baseline, *self.comparisons):
            first_by_pair.setdefault(frozenset((comparison.treatment, comparison.baseline)), comparison)
        return tuple(first_by_pair.values())


def _allowed(arms: Sequence[str], metrics: Sequence[str], metric: object) -> Allowed:
    sides = tuple(Comparison.model_fields)
    return Allowed(
        keys={(): tuple(AnalysisPlan.model_fields), ("comparisons",): sides},
        values={
            ("metric",): either(metrics),
            ("baseline",): "the name of an arm",
            ("comparisons",): "a list of {treatment: ARM, baseline: ARM}",
            ("comparisons", "[]"): "a mapping {treatment: ARM, baseline: ARM}",
            **{("comparisons", side): "the name of an arm" for side in sides},
            ("margin",): (_MARGINS.get(metric, _MARGIN_OF_SHARES) if isinstance(metric, str) else _MARGIN_OF_SHARES)[1],
            ("alpha",): "a number above 0 (1e-12 or more) and at most 0.5",
            ("correction",): either(_CORRECTIONS),
            ("variance",): either(_VARIANCES),
            ("failed_trials",): either(_POLICIES),
            ("looks",): "a list of numbers of seeds, such as [4, 8, 12, 20], or in a study file auto",
            ("looks", "[]"): "a whole number of seeds from 4 to 10000",
        },
        choices={
            ("metric",): tuple(metrics),
            ("correction",): _CORRECTIONS,
            ("variance",): _VARIANCES,
            ("failed_trials",): _POLICIES,
            ("baseline",): tuple(arms),
        },
    )


def _validated(
    block: object, *, arms: Sequence[str], task: Task, has_probabilities: bool = True, score: MetricKind | None = None
) -> tuple[AnalysisPlan | None, list[Problem]]:
    if block is None:
        block = {}
    if not isinstance(block, Mapping):
        return None, [Problem(path=("analysis",), message=f"expected a mapping, got {shown(block)}")]
    if not arms:
        return None, [Problem(path=("arms",), message="expected at least one arm to analyse, got none")]
    complete = {"metric": _METRICS[task][0], "baseline": arms[0], **block}
    metric = complete["metric"]
    metrics = [name for name in _METRICS[task] if has_probabilities or name not in _OF_PROBABILITIES]
    allowed = _allowed(arms, metrics, metric)
    problems: list[Problem] = []
    plan = None
    try:
        plan = AnalysisPlan.model_validate(complete, context={"arms": tuple(arms)})
    except ValidationError as error:
        problems = described(error, allowed=allowed, prefix=("analysis",))
    elsewhere = next((name for name, others in _METRICS.items() if metric in others and metric not in metrics), None)
    of_shares = task == "scores" and score is not None and score.share
    if elsewhere is not None:
        why = (
            "; the runs hold predicted classes, no probabilities"
            if elsewhere == task
            else f", which needs task: {elsewhere}"
        )
        message = f"expected {either(metrics)}, got {metric!r}{why}"
        problems.append(Problem(path=("analysis", "metric"), message=message))
    elif metric in _UNITS and "margin" not in complete and not of_shares:
        message = f"expected {allowed.values['margin',]}, got nothing: no default fits every unit"
        problems.append(Problem(path=("analysis", "margin"), message=message))
    elif of_shares and plan is not None and plan.margin >= 1:
        message = f"expected {_MARGIN_OF_SHARES[1]}, since all scores lie between 0 and 1, got {plan.margin:g}"
        problems.append(Problem(path=("analysis", "margin"), message=message))
    if problems or plan is None:
        return None, problems
    plan._score = score
    return plan, []


def parse_plan(
    block: Mapping[str, Any] | None,
    *,
    arms: Sequence[str],
    task: Task = "classification",
    has_probabilities: bool = True,
    score: MetricKind | None = None,
) -> AnalysisPlan:
    """Read the `analysis:` block of a study.

    Parameters
    ----------
    block : mapping of str to Any or None
        The block as the study file gives it; what it leaves out takes its default, and the baseline is then
        the first arm.
    arms : sequence of str
        The arms, in the order of the study file.
    task : {"classification", "regression", "scores"}
        What the study predicts; its first metric is the default.
    has_probabilities : bool
        Whether probabilities of classes are stored, so that metrics that need them can be asked for.
    score : MetricKind or None
        What the scores are, with task ``"scores"``; see `analysis.records.outcomes.Outcomes.score_kind`.

    Returns
    -------
    AnalysisPlan
        The plan, complete and checked.

    Raises
    ------
    PlanError
        With every problem of the block.

    Examples
    --------
    >>> plan = parse_plan({"margin": 0.02}, arms=["full", "lora"])
    >>> plan.baseline, plan.margin, [str(c) for c in plan.all_comparisons(["full", "lora"])]
    ('full', 0.02, ['lora against full'])
    """
    plan, problems = _validated(block, arms=arms, task=task, has_probabilities=has_probabilities, score=score)
    if plan is None:
        raise PlanError(problems)
    return plan


def frozen_plan(manifest: Manifest, *, arms: Sequence[str], score: MetricKind | None = None) -> AnalysisPlan:
    """Read the plan of a study from its manifest, as it was frozen.

    Parameters
    ----------
    manifest : Manifest
        Of a results folder.
    arms : sequence of str
        The arms, in the order of the study file.
    score : MetricKind or None
        As in `parse_plan`.

    Returns
    -------
    AnalysisPlan
        Without a `variance` where an older version froze it, which knew of none.

    Raises
    ------
    PlanError
        With every problem of the block.
    """
    data = manifest.data
    plan = parse_plan(
        manifest.analysis,
        arms=arms,
        task=data.task,
        has_probabilities=data.predictions == "probabilities",
        score=score,
    )
    if manifest.crossing is not None:
        problems = _unfit_for_a_crossing(manifest.analysis)
        if data.sets:
            message = f"seeds by source are judged on one test set, got {len(data.sets)}"
            problems.append(Problem(path=("data", "test"), message=message))
        if problems:
            raise PlanError(problems)
        plan = plan.model_copy()
        plan._crossing = manifest.crossing
    if not manifest.paired:
        if problems := _unfit_without_pairs(manifest.analysis):
            raise PlanError(problems)
        plan = plan.model_copy()
        plan._paired = False
    if manifest.plan_history and manifest.plan_history[-1].variance is None:
        return plan.model_copy(update={"variance": None})
    return plan


def _unfit_for_a_crossing(block: object) -> list[Problem]:
    """List what a plan declares that no rule covers where seeds of two kinds cross."""
    if not isinstance(block, Mapping):
        return []
    problems = []
    if block.get("looks"):
        message = (
            "seeds by source are analysed once, when every pair has run; leave looks out, or give a count of seeds"
        )
        problems.append(Problem(path=("analysis", "looks"), message=message))
    if block.get("failed_trials") == "drop_seed":
        message = "seeds by source need every pair, so none can be dropped; use refuse, or give a count of seeds"
        problems.append(Problem(path=("analysis", "failed_trials"), message=message))
    return problems


def _unfit_without_pairs(block: object) -> list[Problem]:
    """List what a plan declares that no rule covers where runs are not paired by seed."""
    if not isinstance(block, Mapping) or not block.get("looks"):
        return []
    message = (
        "runs that are not paired by seed are analysed once, since a look takes the first seeds that all arms share; "
        "leave looks out, or give every arm the same seeds"
    )
    return [Problem(path=("analysis", "looks"), message=message)]


def check_plan(
    block: object,
    claims: object,
    *,
    arms: Sequence[str],
    task: Task = "classification",
    seeds: object = None,
    paired: bool = True,
) -> list[Problem]:
    """List what is wrong with the `analysis:` and `claims:` blocks, before anything runs.

    Parameters
    ----------
    block, claims : object
        The two blocks as the study file gives them, of whatever type stands there; None where absent.
    arms : sequence of str
        The arms, in the order of the study file.
    task : {"classification", "regression"}
        What the study predicts.
    seeds : object
        What the study file gives as `seeds`: a mapping where they are by source.
    paired : bool
        Whether equal seeds in two arms belong together.

    Returns
    -------
    list of Problem
        Paths start with ``"analysis"`` or ``"claims"``; empty when both blocks can be used.
    """
    unfit = _unfit_for_a_crossing(block) if isinstance(seeds, Mapping) else []
    unfit += [] if paired else _unfit_without_pairs(block)
    # Here and not in a frozen plan: what it declares without effect must not keep a folder from being read.
    if isinstance(seeds, Mapping) and isinstance(block, Mapping) and block.get("variance") == "pooled":
        message = (
            "with seeds by source nothing is pooled: each comparison takes the variation over seeds from its two arms; "
            "leave variance out or use pairwise, or give a count of seeds"
        )
        unfit.append(Problem(path=("analysis", "variance"), message=message))
    return _validated(block, arms=arms, task=task)[1] + unfit + claim_problems(claims, arms=arms)
