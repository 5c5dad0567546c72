"""Data origin: which files or splits were read and from where; printed before a run, and kept in its manifest."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.data.files import DataFile


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOrigin:
    """What was read of one split: its name there, its number of rows, and its files where it is of files."""

    name: str
    rows: int
    files: tuple[DataFile, ...] = ()

    def in_words(self, place: str) -> str:
        """Return the origin in words, for a line of a table or message."""
        if not self.files:
            return f"{self.name} ({self.rows:,} rows)"
        path = Path(self.files[0].path)
        inside = len(self.files) == 1 and path.is_relative_to(place)
        name = str(path.relative_to(place)) if inside else self.name
        many = f"{len(self.files)} files, " if len(self.files) > 1 else ""
        digests = [file.sha256 for file in self.files]
        digest = digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
        return f"{name} ({many}{self.rows:,} rows, sha256 {digest[:12]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOrigin:
    """What was read, and from where.

    Parameters
    ----------
    place : str
        The absolute path of a folder, a name on the Hub, or the name of an embedded data set.
    revision : str or None
        The commit on the Hub.
    train : SplitOrigin
        What was read to train on.
    tests : tuple of SplitOrigin
        What was read to test on, one entry for each test set; empty where the test rows are drawn from `train`.
    """

    place: str
    revision: str | None = None
    train: SplitOrigin
    tests: tuple[SplitOrigin, ...]

    def in_words(self) -> str:
        """Return the place and the parts in one line."""
        on_hub = f" on the Hub, commit {self.revision[:12]}" if self.revision else ""
        parts = [part.in_words(self.place) for part in (self.train, *self.tests)]
        return f"{self.place}{on_hub}: {', '.join(parts)}"

    def to_dict(self) -> dict[str, Any]:
        """Return the same as JSON can hold it; `test` is a list where there are several test sets."""
        content = asdict(self)
        tests = content.pop("tests")
        return {**content, "test": tests if len(tests) > 1 else next(iter(tests), None)}
