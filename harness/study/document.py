"""A YAML file, a study or claims, with the line of every key, and overrides laid over it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.errors import Problem, StudyError, did_you_mean

Path_ = tuple[str | int, ...]
Kind = Literal["study", "claims"]

# Where the shipped files of a kind lie, for somebody who misspelt one.
_SHIPPED = {"study": "studies", "claims": "studies/claims"}

# Keys of these mappings are dotted themselves ("adapter.r"), so an override's path ends at them.
DOTTED = {"grid", "space"}
_YAML = "tag:yaml.org,2002:"
_ABSENT = object()
_PLAIN_TAGS = {_YAML + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq")}
# Far more than a study needs, and far less than what aliases of aliases can unfold to.
_MOST_NODES = 100_000


@dataclass(slots=True, kw_only=True)
class Document:
    """The content of a file, where each key of it stands, and what is wrong with it as YAML."""

    file: str
    data: dict[str, Any]
    lines: dict[Path_, int]
    problems: list[Problem] = field(default_factory=list)
    overrides: dict[Path_, str] = field(default_factory=dict)
    # Arms that an override takes away, each with it: one of a grid is known once the grids are expanded.
    removed: dict[str, str] = field(default_factory=dict)

    def place(self, path: Path_) -> str:
        """Return the file and line, or the override, that the value at `path` comes from."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.overrides:
                return f"override {self.overrides[path[:end]]!r}"
            if path[:end] in self.lines:
                return f"{self.file}:{self.lines[path[:end]]}"
        return self.file

    def position(self, problem: Problem) -> int:
        """Return the line that a problem stands in; overrides come after the file."""
        _, _, line = problem.place.rpartition(":")
        return int(line) if line.isdigit() else len(self.lines) * 1000

    def problem(self, path: Path_, message: str) -> Problem:
        """Return `message` with the place of `path`."""
        return Problem(place=self.place(path), key=".".join(map(str, path)), message=message)


def read(path: Path, overrides: Sequence[str] = (), *, kind: Kind = "study") -> Document:
    """Read a YAML 1.2 file that holds one mapping, and lay dotted overrides over it.

    Parameters
    ----------
    path : Path
        The file.
    overrides : sequence of str
        ``key=value`` each, the key dotted, the value in YAML: ``training.learning_rate=1e-4``.
    kind : {"study", "claims"}
        What the file is. Of claims every scalar is kept as the text that stands there: as a number, 0.860 would lose
        the digit that says how it was rounded.

    Raises
    ------
    StudyError
        If there is no content to go on with: no such file, broken YAML, a tag that names code. What leaves the rest
        readable, such as a key given twice or a bad override, is in the document's `problems` instead.
    """
    text = _text(path, kind)
    data, lines, problems = _parsed(text, str(path), kind)
    if data is None and problems:
        raise StudyError(problems)
    if not isinstance(data, dict):
        message = f"expected {'a study' if kind == 'study' else kind}, got an empty file"
        if lines:
            message = "expected a mapping of keys to values at the top"
        raise StudyError([Problem(place=str(path), key="", message=message)])
    document = Document(file=str(path), data=data, lines=lines, problems=problems)
    for override in overrides:
        problem = _lay(document, override)
        if problem:
            problems.append(Problem(place=f"override {override!r}", key="", message=problem))
    return document


def _text(path: Path, kind: Kind) -> str:
    def wrong(message: str) -> StudyError:
        return StudyError([Problem(place=str(path), key="", message=message)])

    try:
        path.stat()
    except FileNotFoundError:
        pass  # said below, with the files that there are
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}") from None
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.y*ml"))
        listed = f"; it holds {', '.join(inside)}" if inside else ""
        raise wrong(f"expected a {kind} file, got a folder{listed}")
    if not path.exists():
        beside = sorted(str(p) for p in path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
        shipped = sorted(str(p) for p in Path(_SHIPPED[kind]).glob("*.y*ml"))
        known = beside or shipped
        there = f"; there are {', '.join(known)}" if known else ""
        raise wrong(f"no such file{did_you_mean(str(path), known)}{there}")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise wrong(f"expected UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}") from None


def _parsed(text: str, file: str, kind: Kind) -> tuple[Any, dict[Path_, int], list[Problem]]:
    """Read YAML text: its content, the line of every key, and everything wrong with it as YAML."""
    if directive := re.search(r"^%YAML +(?!1\.2\b)\S+", text, re.MULTILINE):
        line = text.count("\n", 0, directive.start()) + 1
        message = f"expected YAML 1.2, got {directive[0]}: older versions read no as false and 010 as 8"
        return None, {}, [Problem(place=f"{file}:{line}", key="", message=message)]
    walk = _Walk(file=file, kind=kind)
    yaml = YAML(typ="safe" if kind == "study" else "base", pure=True)
    # The walk reports a key given twice; the rest of the file is checked all the same.
    yaml.allow_duplicate_keys = True
    try:
        node = yaml.compose(text)
        if node is None:
            return None, {}, []
        walk.into(node, ())
        if walk.sizes[id(node)] > _MOST_NODES:
            walk.refuse((), f"expected at most {_MOST_NODES} values; aliases of aliases unfold to more")
        if walk.refused:
            return None, walk.lines, walk.problems
        return _unshared(yaml.load(text)), walk.lines, walk.problems
    except MarkedYAMLError as error:
        place = f"{file}:{error.problem_mark.line + 1}" if error.problem_mark else file
        wrong = f"not valid YAML: {error.problem}"
    except (YAMLError, ValueError, KeyError) as error:
        # Not only YAMLError: ruamel leaves what a value such as 2026-13-45 raises as it is.
        place, wrong = file, f"not valid YAML: {str(error).splitlines()[0]}"
    except RecursionError:
        place, wrong = file, "nested too deeply"
    return None, walk.lines, [*walk.problems, Problem(place=place, key="", message=wrong)]


def _unshared(value: Any) -> Any:
    """Copy what an alias stands for, so that an override of one place leaves the other alone."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


@dataclass(slots=True, kw_only=True)
class _Walk:
    """One walk over the nodes of a file: the line of every key, and what no study may hold."""

    file: str
    kind: Kind
    lines: dict[Path_, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refused: bool = False
    # How many nodes each one unfolds to; 0 while it is being walked, so an alias that finds 0 holds itself.
    sizes: dict[int, int] = field(default_factory=dict)

    def wrong(self, path: Path_, message: str) -> None:
        line = next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)
        self.problems.append(Problem(place=f"{self.file}:{line}", key=".".join(map(str, path)), message=message))

    def refuse(self, path: Path_, message: str) -> None:
        """Report what keeps the file from being read at all."""
        self.wrong(path, message)
        self.refused = True

    def into(self, node: Node, path: Path_) -> int:
        """Walk a node; an alias is the anchored node itself, which was walked where it is anchored."""
        known = self.sizes.get(id(node))
        if known == 0:
            self.refuse(path, "expected a value, got an alias of what it stands in")
        if known is not None:
            return known
        self.sizes[id(node)] = 0
        self.lines.setdefault(path, node.start_mark.line + 1)
        size = 1
        if str(node.tag) not in _PLAIN_TAGS:
            self.refuse(path, f"expected plain YAML, got the tag {node.tag}; a {self.kind} file names no code")
        elif isinstance(node, SequenceNode):
            size += sum(self.into(item, (*path, index)) for index, item in enumerate(node.value))
        elif isinstance(node, MappingNode):
            size += self._pairs(node, path)
        elif self.kind == "study" and str(node.tag) == f"{_YAML}float" and not _is_finite(node.value):
            self.wrong(path, f"expected a finite number, got {node.value}")
        self.sizes[id(node)] = size
        return size

    def _pairs(self, node: MappingNode, path: Path_) -> int:
        size = 0
        keys: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, ScalarNode) or str(key.tag) not in _PLAIN_TAGS:
                got = "a list or mapping" if str(key.tag) in _PLAIN_TAGS else f"the tag {key.tag}"
                self.lines.setdefault(path, at)
                self.refuse(path, f"expected texts as keys, got {got}")
                continue
            here = (*path, str(key.value))
            if key.value in keys:
                self.lines[here] = at
                self.wrong(here, f"given twice: first in line {keys[key.value]}")
            keys.setdefault(key.value, at)
            self.lines[here] = at
            size += self.into(value, here)
        return size


def _is_finite(written: str) -> bool:
    try:
        return math.isfinite(float(written))
    except ValueError:
        return False


def _lay(document: Document, override: str) -> str:
    """Lay one override over the document; return what is wrong with it, or an empty text."""
    key, sign, text = override.partition("=")
    if not sign or not key.strip():
        return "expected key=value, such as seeds=5 or training.learning_rate=1e-4"
    names = key.strip().split(".")
    dotted = next((index for index, name in enumerate(names) if name in DOTTED), len(names))
    if dotted + 2 < len(names):
        names = [*names[: dotted + 1], ".".join(names[dotted + 1 :])]
    value, _, problems = _parsed(text, "", "study")
    if problems:
        return f"expected a value in YAML after '=', got {text!r} ({problems[0].message})"
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
    where: Path_ = tuple(names)
    # What stood below is gone, so no problem may point there.
    for places in (document.lines, document.overrides):
        for below in [known for known in places if len(known) > len(where) and known[: len(where)] == where]:
            del places[below]
    document.overrides[where] = override
    return ""
