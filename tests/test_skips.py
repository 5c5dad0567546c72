"""Skipped tests: where everything is installed, a test that skips because a package is missing fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    "test_in_a_test.py": "import pytest\n\ndef test_it():\n    pytest.importorskip('nosuchpackage')\n",
    "test_in_a_module.py": "import pytest\n\npytest.importorskip('nosuchpackage')\n\ndef test_it():\n    pass\n",
    "test_otherwise.py": "import pytest\n\ndef test_it():\n    pytest.skip('no such program')\n",
}


@pytest.mark.parametrize(
    ("nothing_missing", "code", "in_a_test", "in_a_module"),
    [(True, pytest.ExitCode.TESTS_FAILED, "FAILED", "ERROR"), (False, pytest.ExitCode.OK, "SKIPPED", "SKIPPED")],
)
def test_a_missing_package_is_a_failure(
    tmp_path: Path, nothing_missing: bool, code: int, in_a_test: str, in_a_module: str
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    environment = {key: value for key, value in os.environ.items() if key != "HARNESS_TESTS_NOTHING_MISSING"}
    if nothing_missing:
        environment["HARNESS_TESTS_NOTHING_MISSING"] = "1"
    options = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-ra", "--continue-on-collection-errors")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == code, done.stdout
    summary = done.stdout.partition("short test summary info")[2].splitlines()
    for outcome, name in ((in_a_test, "in_a_test"), (in_a_module, "in_a_module"), ("SKIPPED", "otherwise")):
        assert [line.split()[0] for line in summary if f"test_{name}.py" in line] == [outcome], done.stdout
    assert any("no such program" in line for line in summary)
    assert "nosuchpackage" in done.stdout
