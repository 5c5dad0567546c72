"""The device: what a user should know of it before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.runs.runner import prepare
from harness.study.loading import load_study


@pytest.mark.parametrize(
    ("capabilities", "said"),
    [
        ({"architecture": "x86_64", "amx_bf16": True}, []),
        (
            {"architecture": "x86_64", "avx512_bf16": True},
            ["lora-r2, lora-r8: training.bf16 makes training slower on this CPU, which has no AMX"],
        ),
        ({"architecture": "arm64"}, []),
    ],
)
def test_bf16_on_a_cpu_that_is_slower_with_it_is_named(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, Any], said: list[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    study = load_study(written(("  lora:\n", "  lora:\n    training: {bf16: true}\n")))
    lines: list[str] = []
    prepare(study, say=lines.append)
    assert [line for line in lines if "bf16" in line] == said
