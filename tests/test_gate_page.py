"""The page docs/gate.md: its commands run and print what stands there, and its workflows ask what can be asked."""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.import_page_files import write_files
from tests.test_import_page import as_shown, commands, run

PAGE = (Path(__file__).parents[1] / "docs" / "gate.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(console|python|yaml)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the page, with its files in it."""
    folder = tmp_path_factory.mktemp("gate")
    write_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def test_everything_on_the_page_happens_as_it_says(here: Path) -> None:
    names: dict[str, Any] = {}
    wrong: list[Any] = []
    for kind, block in BLOCKS:
        if kind == "python":
            page = doctest.DocTestParser().get_doctest(block, names, "gate.md", "gate.md", 0)
            doctest.DocTestRunner(verbose=False).run(page, out=wrong.append, clear_globs=False)
        code = 0
        for command, shown in commands(block) if kind == "console" else ():
            if command == "echo $?":
                wrong += [] if shown == f"{code}\n" else [(command, code)]
                continue
            ran = run(command)
            code = ran.code
            wrong += [] if as_shown(shown, ran.shown) else [ran]
    assert wrong == []
    assert [kind for kind, _ in BLOCKS].count("console") == 5


def gates() -> list[str]:
    """The commands of the workflows that ask a study."""
    github, gitlab = (YAML(typ="safe").load(block) for kind, block in BLOCKS if kind == "yaml")
    steps = [step.get("run", "") for step in github["jobs"]["gate"]["steps"]] + gitlab["gate"]["script"]
    return [step.replace("$GITHUB_STEP_SUMMARY", "summary.md") for step in steps if "--require" in step]


def test_the_workflows_ask_what_can_be_asked(here: Path) -> None:
    run("harness import predictions.csv --name nightly --baseline full")
    assert len(gates()) == 2
    for command in gates():
        assert run(shlex.join(shlex.split(command))).code == 0
        assert (here / "gate.xml").exists()
        (here / "gate.xml").unlink()
    assert (here / "summary.md").read_text("utf-8").startswith("# nightly: 2 requirements, 2 shown")
