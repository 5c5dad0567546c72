"""YAML documents: a study or claims file with the line of every key, and everything wrong with it as YAML."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from analysis.errors import KeyPath, PlanError, Problem
from analysis.problems import near

Kind = Literal["study", "claims"]

# Where the shipped files of a kind lie, for somebody who misspelt one.
_SHIPPED = {"study": "studies", "claims": "studies/claims"}

_YAML = "tag:yaml.org,2002:"
_PLAIN_TAGS = {_YAML + kind for kind in ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq")}
# Far more than a study needs, and far less than what aliases of aliases can unfold to.
_MOST_NODES = 100_000


@dataclass(slots=True, kw_only=True)
class Document:
    """The content of a file, the line of each key, and what is wrong with it as YAML.

    Parameters
    ----------
    file : str
        The file, as it was given.
    data : dict
        Its content.
    lines : dict of KeyPath to int
        The line of every key and list item.
    problems : list of Problem
        What is wrong, although the rest could be read.
    """

    file: str
    data: dict[str, Any]
    lines: dict[KeyPath, int]
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> str:
        """Return the file and line that the value at `path` comes from."""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.lines), None)
        return self.file if known is None else f"{self.file}:{self.lines[known]}"

    def position(self, problem: Problem) -> float:
        """Return the line of a problem, to sort by; a problem without a line comes last."""
        _, _, line = problem.place.rpartition(":")
        return int(line) if line.isdigit() else math.inf

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Return a problem with the place of `path`."""
        return Problem(place=self.place(path), path=path, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a YAML text holds: its content, the line of every key, and everything wrong with it as YAML."""

    content: Any
    lines: dict[KeyPath, int]
    problems: list[Problem]


def read_document(path: Path, *, kind: Kind) -> Document:
    """Read a YAML 1.2 file that holds one mapping.

    Parameters
    ----------
    path : Path
        The file.
    kind : {"study", "claims"}
        What the file is. Every value of a claims file is kept as the text that stands there: as a number, 0.860 would
        lose the digit that says how it was rounded.

    Raises
    ------
    PlanError
        If nothing can be read: no such file, broken YAML, a tag that names code. Where the rest can be read, as with a
        key given twice, the document lists the problem instead.
    """
    parsed = parse(_text(path, kind), str(path), kind)
    if parsed.content is None and parsed.problems:
        raise PlanError(parsed.problems)
    if not isinstance(parsed.content, dict):
        message = f"expected {'a study' if kind == 'study' else kind}, got an empty file"
        if parsed.lines:
            message = "expected a mapping of keys to values at the top"
        raise PlanError([Problem(place=str(path), path=(), message=message)])
    return Document(file=str(path), data=parsed.content, lines=parsed.lines, problems=parsed.problems)


def _text(path: Path, kind: Kind) -> str:
    def wrong(message: str) -> PlanError:
        return PlanError([Problem(place=str(path), path=(), message=message)])

    try:
        path.stat()
    except FileNotFoundError:
        pass  # reported below, with the files that there are
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}") from None
    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.y*ml"))
        listed = f"; it holds {', '.join(inside)}" if inside else ""
        raise wrong(f"expected a {kind} file, got a folder{listed}")
    if not path.exists():
        # Hidden files are the settings of other tools.
        beside = sorted(str(p) for p in path.parent.glob("[!.]*.y*ml")) if path.parent.is_dir() else []
        shipped = sorted(str(p) for p in Path(_SHIPPED[kind]).glob("*.y*ml"))
        known = beside or shipped
        listed = f"; there are {', '.join(known)}" if known else ""
        raise wrong(f"no such file{near(path, known)}{listed}")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise wrong(f"expected UTF-8 text: {error.reason} at byte {error.start}") from None
    except OSError as error:
        raise wrong(f"cannot be read: {error.strerror}") from None


def parse(text: str, file: str, kind: Kind) -> Parsed:
    """Parse a YAML text; `file` is the name that its problems give."""
    if directive := re.search(r"^%YAML +(?!1\.2\b)\S+", text, re.MULTILINE):
        line = text.count("\n", 0, directive.start()) + 1
        message = f"expected YAML 1.2, got {directive[0]}: older versions read no as false and 010 as 8"
        return Parsed(content=None, lines={}, problems=[Problem(place=f"{file}:{line}", path=(), message=message)])
    walk = _Walk(file=file, kind=kind)
    yaml = YAML(typ="safe" if kind == "study" else "base", pure=True)
    # The walk reports a key given twice; the rest of the file is checked all the same.
    yaml.allow_duplicate_keys = True
    try:
        node = yaml.compose(text)
        if node is None:
            return Parsed(content=None, lines={}, problems=[])
        walk.into(node, ())
        if walk.sizes[id(node)] > _MOST_NODES:
            walk.refuse((), f"expected at most {_MOST_NODES} values; aliases of aliases expand to more")
        if walk.refused:
            return Parsed(content=None, lines=walk.lines, problems=walk.problems)
        content = _unshared(yaml.constructor.construct_document(node))
        return Parsed(content=content, lines=walk.lines, problems=walk.problems)
    except MarkedYAMLError as error:
        place = f"{file}:{error.problem_mark.line + 1}" if error.problem_mark else file
        wrong = f"not valid YAML: {error.problem}"
    except (YAMLError, ValueError, KeyError) as error:
        # Not only YAMLError: ruamel leaves what a value such as 2026-13-45 raises as it is.
        place, wrong = file, f"not valid YAML: {str(error).splitlines()[0]}"
    except RecursionError:
        place, wrong = file, "nested too deeply"
    broken = Problem(place=place, path=(), message=wrong)
    return Parsed(content=None, lines=walk.lines, problems=[*walk.problems, broken])


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
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refused: bool = False
    # How many nodes each one unfolds to; 0 while it is being walked, so an alias that finds 0 holds itself.
    sizes: dict[int, int] = field(default_factory=dict)

    def wrong(self, path: KeyPath, message: str) -> None:
        line = next((self.lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self.lines), 1)
        self.problems.append(Problem(place=f"{self.file}:{line}", path=path, message=message))

    def refuse(self, path: KeyPath, message: str) -> None:
        """Report what keeps the file from being read at all."""
        self.wrong(path, message)
        self.refused = True

    def into(self, node: Node, path: KeyPath) -> int:
        """Walk a node; an alias is the anchored node itself, which was walked where it is anchored."""
        known = self.sizes.get(id(node))
        if known == 0:
            self.refuse(path, "expected a value, got an alias of the value that contains it")
        if known is not None:
            return known
        self.sizes[id(node)] = 0
        self.lines.setdefault(path, node.start_mark.line + 1)
        size = 1
        if str(node.tag) not in _PLAIN_TAGS:
            self.refuse(path, f"expected plain YAML, got the tag {node.tag}; a {self.kind} file cannot contain code")
        elif isinstance(node, SequenceNode):
            size += sum(self.into(item, (*path, index)) for index, item in enumerate(node.value))
        elif isinstance(node, MappingNode):
            size += self._pairs(node, path)
        elif self.kind == "study" and str(node.tag) == f"{_YAML}float" and not _is_finite(node.value):
            self.wrong(path, f"expected a finite number, got {node.value}")
        self.sizes[id(node)] = size
        return size

    def _pairs(self, node: MappingNode, path: KeyPath) -> int:
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
