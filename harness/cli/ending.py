"""How a run ended, in lines, and the command that goes on."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.runs.run import RunSummary


def kept_work(folder: Path) -> dict[Path, int]:
    """Return when each pack and each candidate of a search that a study keeps was last saved."""
    times = {}
    for path in (*folder.glob("packs/*.pt"), *folder.glob("tuning/*/record.json")):
        # Other workers may end theirs meanwhile.
        with suppress(FileNotFoundError):
            times[path] = path.stat().st_mtime_ns
    return times


def ending(
    summary: RunSummary, command: str, whole: str, before: Mapping[Path, int], *, until_decided: bool
) -> list[str]:
    """Say how a run ended and what to do next, with the command that does it.

    Parameters
    ----------
    summary : RunSummary
        How it ended.
    command, whole : str
        The command that continues it, and the one that trains all arms.
    before : mapping of Path to int
        What `kept_work` returned before it.
    until_decided : bool
        Whether looks that are ahead may spare some of the trials that are missing.
    """
    from analysis.words import counted

    rest = [f"{counted(summary.waiting, 'trial')} of other arms still to run: {whole}"] if summary.waiting else []
    missing, needed = summary.statuses.get("missing", 0), sum(summary.statuses.values())
    if summary.spared and not missing:
        rest = [f"ended with {needed} of {counted(needed + summary.spared, 'trial')}"]
    if summary.complete and summary.elsewhere:
        return [*rest, f"nothing is left to train here; others train {counted(summary.elsewhere, 'trial')}"]
    if summary.complete:
        return [*rest, f"Next: {shlex.join(['harness', 'analyze', str(summary.folder)])}"]
    # The looks that are ahead may spare some of those that are missing.
    words = {"missing": f"{'up to ' * until_decided}{missing} missing"}
    parts = [words.get(name, f"{count} {name}") for name, count in sorted(summary.statuses.items())]
    if summary.spared and missing:
        parts.append(f"{summary.spared} spared")
    counts = ", ".join(parts)
    lines = [f"stopped by {summary.stopped_by}: {counts}" if summary.stopped_by else counts]
    new = kept_work(summary.folder).items() - before.items()
    packs = [path for path, _ in new if path.suffix == ".pt"]
    # To know which of their trials have ended, every record is read.
    if summary.stopped and packs and (kept := _kept_trials(summary, packs)):
        lines.append(f"{counted(kept, 'trial')} will go on from the last epoch that ended")
    if set(summary.statuses) - {"finished", "diverged"}:
        if (summary.stopped_by or "").startswith("--budget") and not summary.ran and not new:
            lines.append("the budget ended before a trial could begin; give it more")
        lines.append(f"To continue: {command}")
    if set(summary.statuses) & {"failed", "diverged"}:
        lines.append(f"Details: {shlex.join(['harness', 'status', str(summary.folder)])}")
    return [*lines, *rest]


def _kept_trials(summary: RunSummary, packs: Iterable[Path]) -> int:
    """Return how many trials have yet to end of the packs that a run saved, which the same command continues.

    A pack that was saved before the run, and not since, may be one of other arms or of another machine. While other
    workers train none are counted: they go on with theirs.
    """
    from harness.engines.packed.saved_pack import saved_trials
    from harness.records.store import FINAL, Store
    from harness.records.workers import workers_of

    store = Store(summary.folder)
    manifest = store.manifest()
    if manifest is None or any(worker.alive for worker in workers_of(summary.folder)):
        return 0
    saved = saved_trials(packs)
    return sum(one.entry.key in saved and one.status not in FINAL for one in store.stored(manifest))
