"""Files that are there whole or not at all, on a disk that is full."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
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
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["pack.pt"]
    assert path.read_text() == "old"


def test_a_pipe_stays_a_pipe_and_takes_what_is_written(tmp_path: Path) -> None:
    """As /dev/stdout and /dev/null do; root would put a file in their place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    with atomic_write(pipe) as stream:
        stream.write(b"written")
    reader.join()
    assert read == [b"written"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


@pytest.mark.parametrize("name", ["", ".", "folder"])
def test_a_folder_is_no_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError), atomic_write(Path(name)):
        raise AssertionError("nothing can be written")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
