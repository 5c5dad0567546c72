"""What trials ran on and with: it can move their times, and the last digits of their scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.records.format import Record
from analysis.words import counted

_UNKNOWN = "not recorded"


def conditions(records: Sequence[Record]) -> dict[str, list[str]]:
    """Return each condition that a record tells, with its value in each of the records.

    Parameters
    ----------
    records
        Of the trials to compare.

    Returns
    -------
    dict of str to list of str
        The engine, the device with its precision, the threads where one record tells them, the hardware, and the
        version of every package, in this order.
    """
    found = {
        "engine": [record.engine or _UNKNOWN for record in records],
        "device": [_device(record) for record in records],
        "threads": [_threads(record) for record in records],
        "hardware": [_flat(record.provenance.hardware) for record in records],
    }
    if set(found["threads"]) == {_UNKNOWN}:
        del found["threads"]
    packages = sorted({name for record in records for name in record.provenance.versions})
    for name in packages:
        found[name] = [record.provenance.versions.get(name) or "not installed" for record in records]
    return found


def mixed(records: Sequence[Record]) -> str:
    """Say which conditions the trials do not share: ``threads 1 (4 trials) and 2 (2 trials)``; empty where none.

    Parameters
    ----------
    records
        Of the trials whose figures are put together.
    """
    parts = []
    for name, values in conditions(records).items():
        counts = Counter(values)
        if len(counts) > 1:
            by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            told = [f"{value} ({counted(n, 'trial')})" for value, n in by_count]
            parts.append(f"{name} {' and '.join(told)}")
    return "; ".join(parts)


def unlike(treatment: Sequence[Record], baseline: Sequence[Record]) -> str:
    """Say in what paired trials differ besides their arm: ``threads (1 against 2, in 3 of 6 pairs)``; or nothing.

    The engine is left out: both give the same training, and a table of times compares it.

    Parameters
    ----------
    treatment, baseline
        The records of two arms, in the order of their seeds.
    """
    both = conditions([*treatment, *baseline])
    parts = []
    for name, values in both.items():
        pairs = list(zip(values[: len(treatment)], values[len(treatment) :], strict=True))
        differing = [pair for pair in pairs if pair[0] != pair[1]]
        if differing and name != "engine":
            (one, other), _ = Counter(differing).most_common(1)[0]
            parts.append(f"{name} ({one} against {other}, in {len(differing)} of {counted(len(pairs), 'pair')})")
    return "; ".join(parts)


def _device(record: Record) -> str:
    device = record.device
    parts = (device.type, device.name, device.precision) if device else (_UNKNOWN,)
    return ", ".join(part for part in parts if part)


def _threads(record: Record) -> str:
    threads = record.device.threads if record.device else None
    return _UNKNOWN if threads is None else str(threads)


def _flat(hardware: Mapping[str, Any]) -> str:
    named = [f"{key} {value}" for key, value in hardware.items() if value not in (None, "", [], {})]
    return ", ".join(named) or _UNKNOWN
