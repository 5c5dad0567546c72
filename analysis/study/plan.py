"""Analysis plan: the decisions of a study, with its comparisons, margin, alpha and looks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from analysis.metrics.metric_kinds import METRICS, Metric, MetricKind
from analysis.problems import ArmName, either
from analysis.records.manifest import Crossing
from analysis.study.plan_metrics import MARGIN_OF_SHARES, margins_of

Correction = Literal["holm", "benjamini_hochberg"]
Variance = Literal["pooled", "pairwise"]
FailedTrials = Literal["refuse", "drop_seed"]

FEWEST_SEEDS_AT_A_LOOK = 4
"""With fewer paired seeds, a look has no power that is worth its place."""

_MOST_LOOKS = 100


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
        raise ValueError(f"expected {either(get_args(Variance))}, got nothing")
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
    failed_trials: FailedTrials = "refuse"
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
            return MARGIN_OF_SHARES
        return margins_of(self.metric)

    @field_validator("margin")
    @classmethod
    def _smaller_than_any_gap(cls, margin: float, info: ValidationInfo) -> float:
        largest, allowed = margins_of(info.data.get("metric"))
        if margin >= largest:
            raise ValueError(f"expected {allowed}, got {margin:g}")
        return margin

    def of_study(
        self, *, score: MetricKind | None, crossing: Crossing | None = None, paired: bool = True
    ) -> AnalysisPlan:
        """Return the plan as a study carries it out: what its scores are, how its seeds cross, whether they pair runs.

        Parameters
        ----------
        score : MetricKind or None
            As in `analysis.study.analysis_block.parse_plan`.
        crossing : Crossing or None
            How the study's seeds cross; None where they are of one kind.
        paired : bool
            Whether the study's runs are paired by seed.
        """
        plan = self.model_copy()
        plan._score, plan._crossing, plan._paired = score, crossing, paired
        return plan

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
