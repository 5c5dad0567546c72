"""Peak memory of a trial."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import torch


class PeakMemory:
    """Measures the peak since it was made: of the device on CUDA, of the process otherwise."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.method = "peak of the process since it started"
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self.method = "torch.cuda.max_memory_allocated"
        elif _reset_peak():
            self.method = "peak resident memory of the process during the trial"

    def bytes(self) -> int:
        """Return the peak in bytes."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        status = Path("/proc/self/status")
        if status.exists():
            line = next((line for line in status.read_text().splitlines() if line.startswith("VmHWM:")), "")
            if line:
                return int(line.split()[1]) * 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _reset_peak() -> bool:
    """Reset Linux's high-water mark of resident memory; False where the system has none that can be reset."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
