"""Changes of a study since its last run, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from analysis.words import seeds_in_words

_LONGEST = 60
# Repeated by the arms, whose settings are complete; or irrelevant to what is trained and judged.
_UNSAID = {"training", "selection", "search", "question", "name"}
_ABSENT = object()


def differences(then: Mapping[str, Any], now: Mapping[str, Any], *, trained: Collection[str] = ()) -> tuple[str, ...]:
    """Name what differs, one line each.

    Parameters
    ----------
    then, now
        Two resolved studies, as the manifest holds them. A key that the older one lacks is no difference.
    trained
        Arms that have trials in the results, whether the older study had them or not.

    Examples
    --------
    >>> before = {"seeds": [0, 1], "arms": {"full": {"training": {"num_train_epochs": 2}}}}
    >>> after = {"seeds": [0, 1, 2], "arms": {"full": {"training": {"num_train_epochs": 4}}, "lora": {}}}
    >>> differences(before, after)
    ('seeds 0, 1 before, seeds 0-2 now', 'arm lora: new', 'training.num_train_epochs: 2 before, 4 now')
    """
    rest = [
        f"{'.'.join(path)}: {_shown(old)} before, {_shown(new)} now"
        for key, value in now.items()
        if key in then and key not in {"seeds", "arms", *_UNSAID}
        for path, old, new in _changes(then[key], value, (key,))
    ]
    seeds, arms = then.get("seeds"), then.get("arms")
    return (
        *_seeds(seeds, now["seeds"]),
        *(_arms(arms, now["arms"], trained) if isinstance(arms, Mapping) else ()),
        *rest,
    )


def _seeds(then: Any, now: Any) -> Iterator[str]:
    if then is None or then == now:
        return
    if isinstance(then, Mapping) or isinstance(now, Mapping):
        yield f"seeds: {_shown(then)} before, {_shown(now)} now"
        return
    if not all(isinstance(seed, int) for seed in then):
        return
    left = [seed for seed in then if seed not in now]
    kept = f"; trials of {seeds_in_words(left)} are kept but not used" if left else ""
    yield f"{seeds_in_words(then)} before, {seeds_in_words(now)} now{kept}"


def _arms(then: Mapping[str, Any], now: Mapping[str, Any], trained: Collection[str]) -> Iterator[str]:
    gone, new = [arm for arm in then if arm not in now], [arm for arm in now if arm not in then]
    if gone:
        yield f"{_named(gone)}: removed; {'its' if len(gone) == 1 else 'their'} trials are kept but not used"
    back = [arm for arm in new if arm in trained]
    if back:
        yield f"{_named(back)}: back again; {'its' if len(back) == 1 else 'their'} trials are still here"
    new = [arm for arm in new if arm not in trained]
    if new:
        yield f"{_named(new)}: new"
    common = [arm for arm in now if arm in then]
    arms_by_change: dict[tuple[str, str, str], list[str]] = {}
    for arm in common:
        for path, old, value in _changes(then[arm], now[arm], ()):
            if path[0] != "factors":
                arms_by_change.setdefault((".".join(path), _shown(old), _shown(value)), []).append(arm)
    for (key, old, value), arms in arms_by_change.items():
        where = "" if len(arms) == len(common) else f" ({', '.join(arms)})"
        yield f"{key}: {old} before, {value} now{where}"


def _named(arms: Sequence[str]) -> str:
    return f"{'arm' if len(arms) == 1 else 'arms'} {', '.join(arms)}"


def _changes(then: Any, now: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in [*now, *(key for key in then if key not in now)]:
            if key in then:
                yield from _changes(then[key], now.get(key, _ABSENT), (*path, key))
    elif then != now:
        yield path, then, now


def _shown(value: Any) -> str:
    if value is None or value is _ABSENT:
        return "none"
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
