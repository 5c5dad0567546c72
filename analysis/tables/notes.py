"""Notes under several tables: reasons with what they hold for, and times over different conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_NAMED_AT_MOST = 4


def grouped_by_reason(reasons: Sequence[tuple[str, str]]) -> list[str]:
    """Return one note for each reason, with everything that it holds for.

    Parameters
    ----------
    reasons : sequence of (str, str)
        Every name of the table with its reason; empty for none. A reason of all names holds ``Everywhere`` if they
        are many.
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons:
        if reason:
            by_reason.setdefault(reason, []).append(name)
    everywhere = len(reasons) > _NAMED_AT_MOST and any(len(names) == len(reasons) for names in by_reason.values())
    return [f"{'Everywhere' if everywhere else ', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def mixed_times(mixed: Iterable[tuple[str, str]]) -> list[str]:
    """Say of which arms the times are means over trials that ran under different conditions."""
    return [
        f"Times of {arm} are means over different conditions: {conditions}." for arm, conditions in mixed if conditions
    ]
