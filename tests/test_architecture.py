"""docs/architecture.md: its tree lists every module once. All pages: the files and functions that they name exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = ("analysis", "harness", "calibration", "answer", "benchmarks")
TREE = "the tree in docs/architecture.md"


def tree() -> dict[str, str]:
    """The paths of the tree, folders with a slash at the end, each with what its line says."""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    listed: dict[str, str] = {}
    folders: list[str] = []
    for line in page.partition("\n## The tree\n")[2].partition("```text\n")[2].partition("```")[0].splitlines():
        indent, name, words = re.fullmatch(r"( *)(\S+) *(.*)", line).groups()  # type: ignore[union-attr]
        depth = len(indent) // 2
        path = "".join([*folders[:depth], name])
        assert path not in listed, f"{TREE} lists {path} twice"
        listed[path] = words
        if name.endswith("/"):
            folders[depth:] = [name]
    return listed


def test_the_tree_lists_every_module_once() -> None:
    modules = [path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    # A folder's line stands for its __init__.py.
    missing = sorted({place.removesuffix("__init__.py") for place in modules} - set(tree()))
    names = ", ".join(missing)
    assert not missing, f"add a line to {TREE}, in its folder and with a few words on what it holds, for {names}"


def test_the_tree_lists_nothing_else() -> None:
    gone = [path for path in tree() if not (ROOT / path).exists()]
    assert not gone, f"take out of {TREE}, or correct the folder that they are in: {', '.join(gone)}"
    unsaid = [path for path, words in tree().items() if not words]
    assert not unsaid, f"say in {TREE} what these hold: {', '.join(unsaid)}"


def defined(file: Path) -> set[str]:
    """The functions, classes, methods and constants of a module, methods as ``Class.method``."""
    names: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        match node:
            case ast.FunctionDef():
                names.add(node.name)
            case ast.ClassDef():
                methods = {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
                names |= {node.name, *methods}
            case ast.Assign():
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    """Paths, and what stands behind ``::`` as in `harness/seeding.py::streams`."""
    place_and_name = r"`((?:harness|analysis|calibration|answer|benchmarks|tests|docs)/[\w./-]*)(?:::([\w.]+))?`"
    wrong = []
    for place, name in re.findall(place_and_name, page.read_text("utf-8")):
        if not (ROOT / place).exists():
            wrong.append(f"{place} does not exist")
        elif name and name not in defined(ROOT / place):
            wrong.append(f"{place} has no {name}")
    assert not wrong, f"{page.name} names what is not there (moved or renamed?): {'; '.join(wrong)}"
