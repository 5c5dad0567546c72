"""Dependencies: the imports are those that pyproject.toml declares, for each extra and group."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
OURS = {"analysis", "harness", "calibration", "answer", "benchmarks", "tests", "conftest"}
# A module that loads one of these, itself or through another of ours, belongs to training.
TRAINING = {"torch", "transformers", "peft", "datasets", "accelerate", "optuna", "tokenizers"}
# Some files of `harness` that load none of them, and some that do.
FILES_WITHOUT_TRAINING = {"__init__.py", "cli/analyze.py", "study/study.py", "records/lock.py"}
FILES_OF_TRAINING = {
    "engines/trainer.py",
    "models/build.py",
    "models/pretrained.py",
    "runs/runner.py",
    "search/dashboard.py",
}
OTHER_NAMES = {"markdown_it": "markdown-it-py"}

NOT_IMPORTED = {
    "statsmodels": "the tests compare our routines with its, and users get it with the analysis",
}
NOT_IMPORTED_BY_TESTS = {
    "build": "a command",
    "coverage": "a command",
    "import-linter": "a command",
    "mypy": "a command",
    "nox": "a command",
    "pandas-stubs": "types for mypy",
    "pre-commit": "a command",
    "pytest-xdist": "a plugin of pytest",
    "ruff": "a command",
    "scipy-stubs": "types for mypy",
}


def canonical(name: str) -> str:
    """The name of a distribution, written in one way."""
    return re.sub(r"[-_.]+", "-", OTHER_NAMES.get(name, name)).lower()


def distributions(requirements: Iterable[str]) -> set[str]:
    return {canonical(re.split(r"[^A-Za-z0-9._-]", requirement)[0]) for requirement in requirements}


def group(name: str) -> set[str]:
    """The distributions of a dependency group, those of the groups that it includes among them."""
    entries = PYPROJECT["dependency-groups"][name]
    direct = distributions(entry for entry in entries if isinstance(entry, str))
    return direct.union(*(group(entry["include-group"]) for entry in entries if isinstance(entry, dict)))


BASE = distributions(PYPROJECT["project"]["dependencies"])
EXTRAS = {name: distributions(of_it) for name, of_it in PYPROJECT["project"]["optional-dependencies"].items()}
TRAIN = EXTRAS["train"]


@functools.cache
def imports(file: Path, *, at_start: bool = False) -> frozenset[str]:
    """The modules that a file imports; `at_start`, only those that loading the file loads."""

    def later(node: ast.AST) -> bool:
        types_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        return types_only or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)

    def visit(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
                yield child.module
                # What is imported from a package may be a module of it.
                yield from (f"{child.module}.{alias.name}" for alias in child.names)
            elif isinstance(child, ast.stmt | ast.ExceptHandler) and not (at_start and later(child)):
                yield from visit(child)

    return frozenset(visit(ast.parse(file.read_text("utf-8"))))


def third_party(files: Iterable[Path], *, at_start: bool = False) -> set[str]:
    """The distributions that files import: by the name that is declared, else by the module's first part."""
    declared = BASE.union(*EXTRAS.values()) | group("dev")
    imported = set()
    for module in set().union(*(imports(file, at_start=at_start) for file in files)):
        parts = module.split(".")
        if parts[0] not in sys.stdlib_module_names | OURS:
            names = [canonical(".".join(parts[:end])) for end in range(1, len(parts) + 1)]
            imported.add(next((name for name in names if name in declared), names[0]))
    return imported


def of(folder: str) -> list[Path]:
    # make.py made the files beside it once; no session runs it.
    return sorted(path for path in (ROOT / folder).rglob("*.py") if path.name != "make.py")


def without_training() -> list[Path]:
    """The files of `harness` that load no library for training."""
    name = {
        file: ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in of("harness")
    }
    at_start = {name[file]: imports(file, at_start=True) for file in name}

    def reached(module: str, seen: set[str]) -> set[str]:
        for other in at_start[module] & at_start.keys() - seen:
            seen = reached(other, seen | {other})
        return seen

    def trains(module: str) -> bool:
        loaded = set().union(*(at_start[other] for other in reached(module, {module})))
        return any(other.partition(".")[0] in TRAINING for other in loaded)

    return [file for file in name if not trains(name[file])]


def test_the_analysis_and_what_counts_with_it_import_what_everybody_has() -> None:
    assert third_party([*of("analysis"), *of("calibration"), *of("answer")]) <= BASE


def test_what_loads_without_training_needs_no_extra() -> None:
    light = without_training()
    assert {ROOT / "harness" / file for file in FILES_WITHOUT_TRAINING} <= set(light)
    assert {ROOT / "harness" / file for file in FILES_OF_TRAINING} <= set(of("harness")) - set(light)
    assert third_party(light, at_start=True) <= BASE


def test_everything_else_is_declared_for_training_or_for_one_place_to_train() -> None:
    assert third_party(of("harness")) <= BASE.union(*EXTRAS.values())
    assert third_party(file for file in of("harness") if file.parent.name not in {"launch", "ray"}) <= BASE | TRAIN


def test_ray_is_imported_where_a_run_uses_it_and_nowhere_else() -> None:
    files = [file for file in of("harness") if third_party([file]) & EXTRAS["ray"]]
    assert files
    assert {file.relative_to(ROOT).parts[:3] for file in files} == {("harness", "engines", "ray")}
    assert not third_party(of("harness"), at_start=True) & EXTRAS["ray"]


def test_what_everybody_has_to_install_is_imported_without_training() -> None:
    assert BASE - third_party([*of("analysis"), *without_training()]) == NOT_IMPORTED.keys()


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_what_an_extra_installs_is_imported(extra: str) -> None:
    assert not EXTRAS[extra] & BASE
    assert third_party(of("harness")) >= EXTRAS[extra]


def test_the_tests_import_what_their_sessions_install() -> None:
    assert third_party(of("tests")) <= BASE.union(*EXTRAS.values()) | group("browser")
    others = [file for file in of("tests") if file.name not in {"test_browser.py", "ray_nodes.py"}]
    assert third_party(others) <= BASE | TRAIN | group("test")
    assert third_party(of("tests/analysis")) <= BASE | group("test")


def test_tools_are_imported_or_said_to_be_commands() -> None:
    assert group("dev") - third_party(of("tests")) == NOT_IMPORTED_BY_TESTS.keys()


@pytest.mark.parametrize("name", sorted(PYPROJECT["dependency-groups"]))
def test_everything_that_develops_is_in_one_group(name: str) -> None:
    assert group(name) <= group("dev")
    assert not group(name) & BASE.union(*EXTRAS.values())


@pytest.mark.parametrize(
    "requirement",
    [*PYPROJECT["project"]["dependencies"], *itertools.chain(*PYPROJECT["project"]["optional-dependencies"].values())],
)
def test_a_requirement_says_its_lowest_version_and_no_more(requirement: str) -> None:
    # The session `minimums` installs exactly that version.
    assert re.fullmatch(r"[a-z0-9.-]+>=[0-9.]+", requirement)
