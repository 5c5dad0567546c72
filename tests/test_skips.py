"""Skipped tests: where everything is installed, a test that skips because a package is missing fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IN_A_TEST = "import pytest\n\ndef test_it():\n    pytest.importorskip('nosuchpackage')\n"
IN_A_MODULE = "import pytest\n\npytest.importorskip('nosuchpackage')\n\ndef test_it():\n    pass\n"
OTHERWISE = "import pytest\n\ndef test_it():\n    pytest.skip('no such program')\n"


@pytest.mark.parametrize(
    ("text", "nothing_missing", "code"),
    [
        (IN_A_TEST, True, pytest.ExitCode.TESTS_FAILED),
        (IN_A_MODULE, True, pytest.ExitCode.INTERRUPTED),
        (IN_A_TEST, False, pytest.ExitCode.OK),
        (OTHERWISE, True, pytest.ExitCode.OK),
    ],
)
def test_a_missing_package_is_a_failure(tmp_path: Path, text: str, nothing_missing: bool, code: int) -> None:
    (tmp_path / "test_it.py").write_text(text)
    environment = {key: value for key, value in os.environ.items() if key != "HARNESS_TESTS_NOTHING_MISSING"}
    if nothing_missing:
        environment["HARNESS_TESTS_NOTHING_MISSING"] = "1"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == code, done.stdout
    assert ("nosuchpackage" if "nosuch" in text else "no such program") in done.stdout
