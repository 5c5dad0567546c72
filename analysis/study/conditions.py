"""Conditions of trials: engine, device, threads, hardware and versions, which can change times and last digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.records.trial_record import TrialRecord
from analysis.words import counted, listed

_UNKNOWN = "not recorded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionCounts:
    """One condition that trials ran under, and how many of them with each value.

    Parameters
    ----------
    name : str
        Such as ``"device"`` or ``"torch"``.
    values : tuple of (str, int)
        Each value with its number of trials, the most frequent first.
    """

    name: str
    values: tuple[tuple[str, int], ...]

    @property
    def mixed(self) -> bool:
        """Whether the trials disagree."""
        return len(self.values) > 1

    @property
    def counts(self) -> tuple[str, ...]:
        """Each value in words, such as ``2 (4 trials)``."""
        return tuple(f"{value} ({counted(n, 'trial')})" for value, n in self.values)


def count_values(name: str, values: Sequence[str]) -> ConditionCounts:
    """Count the values of one condition."""
    by_count = sorted(Counter(values).items(), key=lambda item: (-item[1], item[0]))
    return ConditionCounts(name=name, values=tuple(by_count))


def conditions(records: Sequence[TrialRecord]) -> dict[str, list[str]]:
    """Return each condition that a record names, with its value in each of the records.

    Parameters
    ----------
    records : sequence of TrialRecord
        The records of the trials to compare.

    Returns
    -------
    dict of str to list of str
        The engine, the device with its precision, the threads where at least one record names them, the hardware, and
        the version of every package, in this order. Of imported trials, what wrote their files, where these say so: no
        more is known of them.
    """
    values = {
        "engine": [record.engine or _UNKNOWN for record in records],
        "device": [_device(record) for record in records],
        "threads": [_threads(record) for record in records],
        "hardware": [_flat(record.provenance.hardware) for record in records],
        "tool": [_tools(record) for record in records],
    }
    imported = all(record.imported is not None for record in records)
    for name in ("engine", "device", "threads", "hardware", "tool") if imported else ("threads", "tool"):
        if set(values[name]) == {_UNKNOWN}:
            del values[name]
    packages = sorted({name for record in records for name in record.provenance.versions})
    for name in packages:
        values[name] = [record.provenance.versions.get(name) or "not installed" for record in records]
    return values


def mixed(records: Sequence[TrialRecord]) -> str:
    """Name the conditions that differ between trials: ``threads 1 (4 trials) and 2 (2 trials)``; empty where none.

    Parameters
    ----------
    records : sequence of TrialRecord
        The records of the trials whose figures are put together.
    """
    counts = [count_values(name, values) for name, values in conditions(records).items()]
    return "; ".join(f"{one.name} {' and '.join(one.counts)}" for one in counts if one.mixed)


def unlike(treatment: Sequence[TrialRecord], baseline: Sequence[TrialRecord]) -> str:
    """Say how paired trials differ apart from their arm: ``threads (1 against 2, in 3 of 6 pairs)``; else nothing.

    The engine is left out: every engine gives the same training, and a table of times compares them.

    Parameters
    ----------
    treatment, baseline : sequence of TrialRecord
        The records of two arms, in the order of their seeds.
    """
    both = conditions([*treatment, *baseline])
    parts = []
    for name, values in both.items():
        pairs = list(zip(values[: len(treatment)], values[len(treatment) :], strict=True))
        differing = [pair for pair in pairs if pair[0] != pair[1]]
        if differing and name != "engine":
            (treated, base), _ = Counter(differing).most_common(1)[0]
            parts.append(f"{name} ({treated} against {base}, in {len(differing)} of {counted(len(pairs), 'pair')})")
    return "; ".join(parts)


def _device(record: TrialRecord) -> str:
    device = record.device
    parts = (device.type, device.name, device.precision) if device else (_UNKNOWN,)
    return ", ".join(part for part in parts if part)


def _threads(record: TrialRecord) -> str:
    threads = record.device.threads if record.device else None
    return _UNKNOWN if threads is None else str(threads)


def _tools(record: TrialRecord) -> str:
    files = record.imported.files if record.imported is not None else ()
    named = dict.fromkeys(f"{file.tool} {file.version or ''}".rstrip() for file in files if file.tool)
    return listed([*named]) or _UNKNOWN


def _flat(hardware: Mapping[str, Any]) -> str:
    named = [f"{key} {value}" for key, value in hardware.items() if value not in (None, "", [], {})]
    return ", ".join(named) or _UNKNOWN
