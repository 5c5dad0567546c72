"""Device of a trial: GPU or CPU, its memory, threads and precision."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch

from harness.study.settings import Arm
from harness.study.training import Training

SHARED_BY = "HARNESS_DEVICE_SHARED_BY"
"""The environment variable that says among how many workers the memory of the CPU is shared."""
# Below this many parameters a second thread gains nothing, and costs dearly where another process wants the core.
_WORTH_THREADS = 5_000_000


def usual_device() -> torch.device:
    """Return the first GPU, or the CPU where there is none."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def device_name(device: torch.device) -> str:
    """Return what a record calls the device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def memory(device: torch.device) -> int:
    """Return the bytes of memory there are, whoever uses them now: of a GPU, or a worker's share of the machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    allowed = limit.read_text().strip() if limit.exists() else "max"
    available = min(physical, int(allowed)) if allowed.isdigit() else physical
    return available // int(os.environ.get(SHARED_BY, "1"))


def worthwhile_threads(parameters: int) -> int:
    """Return how many threads a model of this size is computed with on a CPU."""
    return 1 if is_small(parameters) else torch.get_num_threads()


def is_small(parameters: int) -> bool:
    """Whether a model of this size is computed with one thread."""
    return parameters < _WORTH_THREADS


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    # CUDA takes those before the first that is none, such as -1.
    named = list(itertools.takewhile(lambda name: not name.startswith("-"), named))
    return named or [str(number) for number in range(torch.cuda.device_count())]


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Move a tensor without waiting for a GPU: the copy is queued behind what it still computes."""
    # From memory that can be paged out, a copy first waits until the GPU has done all that is queued.
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done all that is queued, before a clock is read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Compute with this many threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def precision(training: Training) -> Iterator[None]:
    """Let a GPU multiply single precision in TF32 for a while, where the trial says so, and not otherwise."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = training.tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def precision_name(training: Training, device: torch.device) -> str:
    """Return what a record calls the precision that a trial was trained in."""
    if training.bf16:
        return "bf16"
    return "tf32" if training.tf32 and device.type == "cuda" else "fp32"


def precision_remarks(arms: Mapping[str, Arm]) -> tuple[str, ...]:
    """Say which arms train in bf16 where that is usually slower than fp32."""
    in_bf16 = [name for name, arm in arms.items() if arm.training.bf16]
    if not in_bf16 or usual_device().type != "cpu":
        return ()
    capabilities = torch.cpu.get_capabilities()
    # Measured on x86 alone, in packs (docs/benchmarks.md).
    if capabilities["architecture"] != "x86_64" or capabilities.get("amx_bf16", True):
        return ()
    return (f"{', '.join(in_bf16)}: training.bf16 is usually slower than fp32 on a CPU without AMX, such as this one",)
