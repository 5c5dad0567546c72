"""Study files: their YAML, with overrides laid over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.document import Document, parse, read_document
from analysis.errors import PlanError
from harness.embedded import STUDIES, is_embedded, study_file
from harness.errors import KeyPath, Problem, StudyError, did_you_mean, there_are

# Keys of these mappings are dotted themselves ("adapter.r"), so an override's path ends at them.
DOTTED = {"grid", "space"}
_ABSENT = object()


@dataclass(slots=True, kw_only=True)
class StudyDocument(Document):
    """The content of a study file with overrides laid over it.

    Parameters
    ----------
    overrides : dict of KeyPath to str
        The keys that an override set, each with it.
    removed : dict of str to str
        Arms that an override takes away, each with it: one of a grid is known once the grids are expanded.
    """

    overrides: dict[KeyPath, str] = field(default_factory=dict)
    removed: dict[str, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Return the file and line, or the override, that the value at `path` comes from."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.overrides:
                return f"override {self.overrides[path[:end]]!r}"
            if path[:end] in self.lines:
                return f"{self.file}:{self.lines[path[:end]]}"
        return self.file


def read(path: Path, overrides: Sequence[str] = ()) -> StudyDocument:
    """Read a study file, and lay dotted overrides over it.

    Parameters
    ----------
    path : Path
        The file, or the name of an embedded study.
    overrides : sequence of str
        ``key=value`` each, the key dotted, the value in YAML: ``training.learning_rate=1e-4``.

    Raises
    ------
    StudyError
        If nothing can be read: no such file, broken YAML, a tag that names code. Where the rest can be read, as with a
        key given twice or a bad override, the document lists the problem instead.
    """
    file = study_file(path)
    if is_embedded(file.as_posix()) and not file.exists():
        there = [*STUDIES, *sorted(path.as_posix() for path in file.parent.glob("*.y*ml"))]
        hint = did_you_mean(file.as_posix(), there)
        message = f"no such file{hint}; {there_are(there)}"
        raise StudyError([Problem(place=str(path), path=(), message=message)])
    if not file.exists() and (embedded := f"embedded/{file.stem}") in STUDIES:
        raise StudyError([Problem(place=str(path), path=(), message=f"no such file; did you mean {embedded}?")])
    try:
        content = read_document(file, kind="study")
    except PlanError as error:
        raise StudyError(error.problems) from None
    document = StudyDocument(file=content.file, data=content.data, lines=content.lines, problems=content.problems)
    for override in overrides:
        message = _lay(document, override)
        if message:
            document.problems.append(Problem(place=f"override {override!r}", path=(), message=message))
    return document


def _lay(document: StudyDocument, override: str) -> str:
    """Lay one override over the document; return what is wrong with it, or an empty text."""
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        return "expected key=value, such as seeds=5 or training.learning_rate=1e-4"
    names = key.strip().split(".")
    dotted = next((index for index, name in enumerate(names) if name in DOTTED), len(names))
    if dotted + 2 < len(names):
        names = [*names[: dotted + 1], ".".join(names[dotted + 1 :])]
    parsed = parse(text, "", "study")
    if parsed.problems:
        return f"expected a value in YAML after '=', got {text!r} ({parsed.problems[0].message})"
    value = parsed.content
    arms = document.data.get("arms")
    if names[0] == "arms" and len(names) == 2 and value is None and isinstance(arms, dict):
        if arms.pop(names[1], _ABSENT) is _ABSENT:
            document.removed[names[1]] = override
        return ""
    if names[0] == "arms" and len(names) > 2 and isinstance(arms, dict) and names[1] not in arms:
        written = [str(arm) for arm in arms]
        return f"no arm {names[1]!r}{did_you_mean(names[1], written)}; the file has {', '.join(written)}"
    target = document.data
    for index, name in enumerate(names[:-1]):
        if target.get(name) is None:
            target[name] = {}
            document.overrides.setdefault(tuple(names[: index + 1]), override)
        if not isinstance(target[name], dict):
            return f"{'.'.join(names[: index + 1])} is {target[name]!r}, so it has no key {names[index + 1]!r}"
        target = target[name]
    target[names[-1]] = value
    where: KeyPath = tuple(names)
    # What stood below is gone, so no problem may point there.
    for places in (document.lines, document.overrides):
        for below in [known for known in places if len(known) > len(where) and known[: len(where)] == where]:
            del places[below]
    document.overrides[where] = override
    return ""
