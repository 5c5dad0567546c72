from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from conftest import StudyFolder


@pytest.fixture
def small(tmp_path: Path, write_study: Any) -> Callable[..., StudyFolder]:
    """One arm beside another that is always right; `right` is seeds x epochs x examples."""

    def write(right: list[list[list[int]]], **options: Any) -> StudyFolder:
        scores = np.array(right)
        return write_study(tmp_path / "s", {"full": np.ones_like(scores), "lora": scores}, **options)

    return write
