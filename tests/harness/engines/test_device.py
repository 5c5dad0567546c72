"""The device: what a user should know of it before anything trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.engines import device
from harness.engines.device import precision_remarks
from harness.runs import runner
from harness.study.loading import load_study


@pytest.mark.parametrize(
    ("kind", "capabilities", "said"),
    [
        ("cpu", {"architecture": "x86_64", "amx_bf16": True}, False),
        ("cpu", {"architecture": "x86_64", "amx_bf16": False}, True),
        ("cuda", {"architecture": "x86_64", "amx_bf16": False}, False),
        # What torch says where it could not look.
        ("cpu", {"architecture": "x86_64"}, False),
        ("cpu", {"architecture": "arm64"}, False),
    ],
)
def test_bf16_on_a_cpu_that_is_slower_with_it_is_named(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, kind: str, capabilities: dict[str, Any], said: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(device, "usual_device", lambda: torch.device(kind))
    study = load_study(written(("  lora:\n", "  lora:\n    training: {bf16: true}\n")))
    remark = "lora-r2, lora-r8: training.bf16 is usually slower than fp32 on a CPU without AMX, such as this one"
    assert precision_remarks(study.arms) == ((remark,) if said else ())


def test_a_run_says_what_there_is_to_say_of_a_precision(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "precision_remarks", lambda arms: (f"a remark on {', '.join(arms)}",))
    lines: list[str] = []
    runner.prepare(load_study(written()), say=lines.append)
    assert "a remark on full, lora-r2, lora-r8, frozen" in lines
