"""Counts and lists as plain English."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence


def counted(count: int, word: str) -> str:
    """Return a count with its noun: ``1 seed``, ``8 seeds``, ``4,000 rows``.

    Examples
    --------
    >>> counted(1, "look"), counted(2, "look"), counted(4000, "row")
    ('1 look', '2 looks', '4,000 rows')
    """
    return f"{count} {word}" if count == 1 else f"{count:,} {word}s"


def listed(texts: Sequence[str], last: str = "and") -> str:
    """Return texts as a list in a sentence.

    Examples
    --------
    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["1", "2"], "or")
    ('a', 'a, b and c', '1 or 2')
    """
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {last} {texts[-1]}" if texts else ""


def names_by_reason(reasons: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Group names by the reason that is given for each; a name with an empty one is left out.

    Examples
    --------
    >>> names_by_reason([("full", ""), ("lora-r2", "no such module"), ("lora-r4", "no such module")])
    {'no such module': ['lora-r2', 'lora-r4']}
    """
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons:
        if reason:
            by_reason.setdefault(reason, []).append(name)
    return by_reason


def estimated_count(count: int) -> str:
    """Return an estimated count with two significant digits.

    Examples
    --------
    >>> estimated_count(39_871), estimated_count(57)
    ('40,000', '57')
    """
    if count < 100:
        return str(count)
    unit = 10 ** (len(str(count)) - 2)
    return f"{round(count / unit) * unit:,}"


def in_packs(sizes: Collection[int]) -> str:
    """Return how large packs were, of which there is at least one.

    Examples
    --------
    >>> in_packs([12]), in_packs([6, 4, 12])
    ('in packs of 12', 'in packs of 4 to 12')
    """
    least, most = min(sizes), max(sizes)
    return f"in packs of {least}" if least == most else f"in packs of {least} to {most}"


def seeds_in_words(seeds: Sequence[int], labels: Mapping[int, str] | None = None) -> str:
    """Name seeds, several in a row by their ends; or imported runs that seeds number, by their `labels`.

    Examples
    --------
    >>> seeds_in_words([4]), seeds_in_words([0, 1, 2, 3]), seeds_in_words([0, 1, 5, 6, 7, 9])
    ('seed 4', 'seeds 0-3', 'seeds 0, 1, 5-7, 9')
    >>> seeds_in_words([0, 2], {0: "first", 1: "again", 2: "final"})
    'runs first, final'
    """
    if labels:
        named = ", ".join(labels.get(seed, str(seed)) for seed in seeds)
        return f"{'run' if len(seeds) == 1 else 'runs'} {named}"
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][-1] + 1:
            runs[-1].append(seed)
        else:
            runs.append([seed])
    parts = [f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs]
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(parts)}"


def waiting_in_words(seeds: Sequence[int], waiting: Sequence[int], labels: Mapping[int, str] | None = None) -> str:
    """Say which seeds count, and which are set aside because they still run.

    Examples
    --------
    >>> waiting_in_words([0, 1, 2], [3])
    'Only seeds 0-2 count: seed 3 waits until every arm has run it.'
    >>> waiting_in_words([], [0, 1])
    'No seed counts yet: seeds 0, 1 wait until every arm has run them.'
    """
    count = (
        f"Only {seeds_in_words(seeds, labels)} count{'s' if len(seeds) == 1 else ''}" if seeds else "No seed counts yet"
    )
    wait, them = ("waits", "it") if len(waiting) == 1 else ("wait", "them")
    return f"{count}: {seeds_in_words(waiting, labels)} {wait} until every arm has run {them}."
