"""Files that are there whole or not at all, on a disk that is full."""

from __future__ import annotations

import errno
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from harness.atomic_file import atomic_write


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let no file grow beyond 64 KiB."""
    usual, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (usual, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("small_disk")
@pytest.mark.parametrize("sizes", [(10**5,), (300,) * 100])
def test_a_disk_that_takes_no_more_says_so(sizes: tuple[int, ...], tmp_path: Path) -> None:
    """torch's own error tells of positions in its file."""
    path = tmp_path / "pack.pt"
    path.write_text("old")
    with pytest.raises(OSError, match="File too large") as caught, atomic_write(path) as stream:
        torch.save([torch.zeros(size) for size in sizes], stream)
    assert caught.value.errno == errno.EFBIG
    assert [p.name for p in tmp_path.iterdir()] == ["pack.pt"]
    assert path.read_text() == "old"
