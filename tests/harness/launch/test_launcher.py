"""What a worker says last becomes the error of whoever started it."""

from __future__ import annotations

import pytest

from harness.errors import ProblemsError
from harness.launch.launcher import refusal


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("reading\nerror: the study is run\nwith other settings", "the study is run\nwith other settings"),
        ("error: once\nerror: and again", "and again"),
        ("reading\nno such option", "no such option"),
    ],
)
def test_a_refusal_is_the_worker_s_last_error(log: str, message: str) -> None:
    assert str(refusal(log)) == message


def test_several_problems_stay_several() -> None:
    error = refusal("reading\n2 problems:\nmodel: no folder x\ndata.path: no folder y")
    assert isinstance(error, ProblemsError)
    assert error.problems == ("model: no folder x", "data.path: no folder y")
