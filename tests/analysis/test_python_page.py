"""The page docs/python.md: its code runs and prints what stands there, and no public function is missing."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import analysis

if TYPE_CHECKING:
    from conftest import StudyFolder

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_the_code_prints_what_the_page_says(study: StudyFolder) -> None:
    page = doctest.DocTestParser().get_doctest("\n".join(PYTHON), {"folder": study.root}, "python.md", "python.md", 0)
    shown: list[str] = []
    failed, attempted = doctest.DocTestRunner(verbose=False).run(page, out=shown.append)
    assert failed == 0, "".join(shown)
    assert attempted == sum(block.count(">>> ") for block in PYTHON)


@pytest.mark.parametrize("name", sorted(name for name in analysis.__all__ if name.islower()))
def test_every_public_function_is_on_the_page(name: str) -> None:
    assert re.search(rf"\b{name}\b", PAGE)
