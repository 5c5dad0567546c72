"""Unbounded scores: metrics that a few test examples can carry, and the number of examples from which they do not."""

from __future__ import annotations

from types import MappingProxyType

from analysis.metrics.metric_kinds import MetricKind
from analysis.records.outcomes import Outcomes
from analysis.study.caveat import Caveat

FEWEST = MappingProxyType({"log_loss": 500, "mse": 1000, "score": 1000})
"""The number of test examples, by metric, from which the crossed test keeps its level where one arm errs far out."""

_WHY = {
    "log_loss": "the one that is three to six times as confident is called better in 9% to 14% of studies with 100 "
    "test examples, and in 5% to 8% with 500. Compare the Brier score, which keeps its level",
    "mse": "one whose errors are four times as large on 3 in 100 examples is called better in 23% of studies with 100 "
    "test examples, in 9% with 500 and in 7% with 1000. Compare Spearman's correlation, where no example weighs much",
}


def unbounded_caveats(outcomes: Outcomes, *, kind: MetricKind) -> list[Caveat]:
    """Warn where the verdicts rest on an unbounded score over few test examples.

    Parameters
    ----------
    outcomes : Outcomes
        The study. Where it has clusters, they are counted in place of examples.
    kind : MetricKind
        The metric of the plan. Scores that all lie between 0 and 1 have bounds.
    """
    count, drawn = outcomes.n_examples, "examples"
    if outcomes.n_clusters is not None:
        count, drawn = outcomes.n_clusters, "clusters"
    if kind.share or not 0 < count < FEWEST.get(kind.name, 0):
        return []
    if kind.name == "score":
        text = (
            f"Nothing is known of the bounds of {kind.title}. Where a few examples can score far outside the rest, "
            f"{count} test {drawn} hold too few of them, and equally good arms are called different too often: with "
            "squared errors as scores, an arm whose errors are four times as large on 3 in 100 examples is called "
            "better in 23% of studies with 100 test examples, in 9% with 500 and in 7% with 1000."
        )
        return [Caveat(short=f"few {drawn} for {kind.title}", text=text)]
    text = (
        f"{kind.heading} over {count} test {drawn} hangs on the few largest mistakes, and most test "
        f"sets of that size hold too few of them. Of two arms that are equally good on average, {_WHY[kind.name]}."
    )
    return [Caveat(short=f"few {drawn} for {kind.title}", text=text, on_verdicts=True)]
