"""The table of every count, docs/calibration.csv."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from calibration.counts import ClusteredCount, Count
from calibration.families import TAIL
from calibration.promises import small
from calibration.simulation import Calibration

_AT = {level: f"at {small(level)}" for level in TAIL}
COUNTED = (
    *_AT.values(),
    "any false claim",
    "any uncorrected",
    "best arm left out",
    "first comparison",
    "gap covered",
    "gap found",
    "shown",
)
HEAD = ("part", "regime", "judged by", "comparisons", "seeds", *COUNTED)

Row = tuple[tuple[str, str, str, int, str], Mapping[str, Count | ClusteredCount]]


def every_count(result: Calibration) -> str:
    """Return every count as CSV: how often something happened, a slash, and among how many.

    Parameters
    ----------
    result : Calibration
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    for words, counts in _rows(result):
        writer.writerow([*words, *(_text(counts.get(counted)) for counted in COUNTED)])
    return out.getvalue()


def _text(count: Count | ClusteredCount | None) -> str:
    if count is None or not count.studies:
        return ""
    return f"{count.hits}/{count.studies * (count.per_study if isinstance(count, ClusteredCount) else 1)}"


def _rows(result: Calibration) -> Iterator[Row]:
    for row in result.rates:
        rejected = {_AT[level]: count for level, count in row.rejected.items()}
        yield (
            ("two arms", row.regime, row.method, 1, str(row.n_seeds)),
            rejected | {"gap covered": row.covered, "gap found": row.detected},
        )
    for one in result.families:
        family = one.family
        part = f"{family.kind}, {'normal theory' if family.normal else 'answers'}"
        of_family: dict[str, Count | ClusteredCount] = {_AT[level]: count for level, count in one.tail.items()}
        of_family |= {
            "any false claim": one.joint,
            "any uncorrected": one.uncorrected,
            "first comparison": one.first,
            "gap found": one.found,
        }
        yield (part, family.regime.name, one.variance, family.size, str(family.n_seeds)), of_family
    for table in result.classes:
        judged = "pooled" if table.n_arms > 2 else "by pair"
        yield (
            ("table by class", table.regime, judged, table.n_arms - 1, str(table.n_seeds)),
            {"any false claim": table.joint, "any uncorrected": table.uncorrected},
        )
    for best in result.best_arms:
        place = (best.n_arms - 1, str(best.n_seeds))
        yield ("best arm, all equal", best.regime, "pooled", *place), {"best arm left out": best.equal}
        ahead = {"best arm left out": best.ahead, "gap found": best.ruled_out}
        yield ("best arm ahead", best.regime, "pooled", *place), ahead
    for looks in result.looks:
        for what, alike, different in (
            ("declared looks", looks.declared, looks.detected),
            ("undeclared looks", looks.undeclared, None),
            ("once at the end", looks.at_the_end, looks.detected_at_the_end),
        ):
            counts = {_AT[0.05]: alike} | ({"gap found": different} if different is not None else {})
            yield (what, looks.regime, "by pair", 1, "4 to 20"), counts
    for several in result.family_looks:
        for what, alike in (
            ("declared looks", several.declared),
            ("undeclared looks", several.undeclared),
            ("once at the end", several.at_the_end),
        ):
            yield (what, several.regime, "pooled", 4, "4 to 20"), {"any false claim": alike}
    for decided in result.decided:
        kind = f"{decided.of.truth}, {'normal theory' if decided.of.normal else 'answers'}"
        for what, false, shown in (
            ("until decided", decided.false, decided.shown),
            ("once at the end", decided.false_at_the_end, decided.shown_at_the_end),
        ):
            place = (decided.of.size, f"{decided.of.looks[0]} to {decided.of.looks[-1]}")
            yield (
                (f"{kind}: {what}", decided.of.regime.name, "pooled", *place),
                {"any false claim": false, "shown": shown},
            )
    for failure in result.failures:
        yield ("known failure", failure.failure, failure.test, 1, failure.place), {_AT[0.05]: failure.claimed}
