"""Gradients and logits on a device that is not the CPU: all is on the device, and the host never waits for it.

The device is torch's meta device, whose tensors hold no data. So whatever reads one fails, as it would wait on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from harness.engines.packed import dropout, engine, pack
from harness.engines.packed.forward import block_logits
from harness.engines.packed.parameters import PackParameters
from harness.study.study import Study
from tests.harness.engines.packed.conftest import CONFIGS, TARGETS, expanded

META = torch.device("meta")


class Watched(TorchDispatchMode):
    """Looks at every operation: none has inputs of two devices, and no copy between devices waits."""

    def __init__(self) -> None:
        super().__init__()
        self.copies = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        result = function(*args, **(kwargs or {}))
        devices = {tensor.device.type for tensor in inputs}
        if function is torch.ops.aten._to_copy.default:
            if result.device.type not in devices:
                assert result.device == META, "copied back to the host"
                assert kwargs.get("non_blocking"), "a copy to the device that waits"
                self.copies += 1
        else:
            assert len(devices) < 2, f"{function} of tensors on the host and on the device"
        return result


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let packs compute on the meta device; what it does not know is left out."""

    def drawn(sizes: list[int], seed: int, device: torch.device) -> tuple[torch.Tensor, ...]:
        return torch.split(torch.empty(sum(sizes), dtype=torch.int16, device=device), sizes)

    monkeypatch.setattr(engine, "usual_device", lambda: META)
    monkeypatch.setitem(engine._ELEMENTS_AT_ONCE, "meta", 1 << 20)
    monkeypatch.setattr(pack, "logits_alone", lambda *_: None)
    monkeypatch.setattr(pack, "check_logits", lambda *_: None)
    monkeypatch.setattr(dropout, "_draw", drawn)
    monkeypatch.setattr(PackParameters, "_optimizer", lambda *_: None)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)


@pytest.mark.usefixtures("on_meta")
# torch has no mean of segments on the meta device, which ModernBERT's head reads here.
@pytest.mark.parametrize(
    ("kind", "adapted"),
    [*((kind, True) for kind in sorted(set(CONFIGS) - {"modernbert"})), ("bert", False), ("gpt2", False)],
)
def test_no_step_waits_for_its_device(kind: str, adapted: bool, study: Callable[..., Study]) -> None:
    def arm(rank: int) -> str:
        fields = f"r: {rank}, lora_dropout: 0.{rank}, target_modules: {TARGETS[kind]}"
        adapter = f", adapter: {{peft_type: LORA, use_dora: true, bias: all, {fields}}}" if adapted else ""
        return f"{{training: {{label_smoothing_factor: 0.{rank}}}{adapter}}}"

    packed, trials = expanded(study(kind, {f"r{rank}": arm(rank) for rank in (1, 3, 2)}, "seeds=1", dropout=True))
    built = packed._pack(trials)
    with Watched() as watched:
        built.compute_gradients([0, 2], [np.arange(8), np.arange(8, 16)], 0)
        logits = block_logits(built.forward, built.data.test, [0, 1, 2], np.arange(24))
    assert logits.device == META
    assert watched.copies > 10
