"""Overrides laid over a study file, and where each value comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StudyError
from harness.study.document import read

Written = Callable[..., Path]


def broken(path: Path, *overrides: str) -> list[str]:
    """What is wrong with a file as YAML, whether or not the rest of it could be read."""
    try:
        return [str(problem) for problem in read(path, overrides).problems]
    except StudyError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),  # a text to PyYAML
        ("5e-5", 5e-5),
        ("12e03", 12000.0),
        ("010", 10),  # 8 to PyYAML
        ("0o10", 8),
        ("no", "no"),  # False to PyYAML
        ("off", "off"),
        ("yes", "yes"),
        ("on", "on"),
        ("1:30", "1:30"),  # 90 to PyYAML
        ("true", True),
        ("null", None),
        ("", None),
        ('"1"', "1"),
        ("'null'", "null"),
    ],
)
def test_scalars_are_read_as_yaml_1_2(written: Written, text: str, value: object) -> None:
    data = read(written(text=f"key: {text}\n")).data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)
    # An override is the same YAML.
    data = read(written(text="key: 0\n"), [f"key={text}"]).data
    assert data == {"key": value}
    assert type(data["key"]) is type(value)


def test_a_key_given_twice_does_not_hide_the_rest(written: Written) -> None:
    document = read(written(text="a: 1\na: 2\nb: 3\n"), ["=4"])
    assert document.data["b"] == 3
    assert [problem.place for problem in document.problems] == [f"{document.file}:2", "override '=4'"]


def test_places_are_lines_and_overrides(written: Written) -> None:
    path = written(text="a:\n  b: 1\n  c: [1, 2]\nd: 0\n")
    document = read(path, ["a.b=2", "e.f.g=3", "a.c={h: 1}"])
    assert document.data == {"a": {"b": 2, "c": {"h": 1}}, "d": 0, "e": {"f": {"g": 3}}}
    assert document.place(("d",)) == f"{path}:4"
    assert document.place(("a",)) == f"{path}:1"
    assert document.place(("a", "unwritten")) == f"{path}:1"
    assert document.place(("a", "b")) == "override 'a.b=2'"
    # What an override made or replaced is its own, at any depth.
    assert document.place(("e", "f", "missing")) == "override 'e.f.g=3'"
    assert document.place(("a", "c", 0)) == "override 'a.c={h: 1}'"


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("arms.lora.grid.adapter.r=[4]", {"grid": {"adapter.r": [4]}}),
        ("arms.lora.search.space.training.learning_rate={low: 1}", {"space": {"training.learning_rate": {"low": 1}}}),
        ("arms.lora.grid={adapter.r: [4]}", {"grid": {"adapter.r": [4]}}),
    ],
)
def test_keys_that_are_dotted_themselves(written: Written, override: str, expected: dict[str, Any]) -> None:
    document = read(written(text="arms: {lora: {}}\n"), [override])
    lora = document.data["arms"]["lora"]
    assert lora.get("search", lora) == expected
    assert document.problems == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seeds", "expected key=value"),
        ("", "expected key=value"),
        ("=3", "expected key=value"),
        ("seeds=[1", "expected a value in YAML"),
        ("seeds={a: 1, a: 2}", "given twice"),
        ("seeds=!!python/name:os.system x", "cannot contain code"),
        ("seeds=&a [*a]", "alias of the value that contains it"),
        ("seeds=.nan", "finite"),
        ("seeds.first=1", "seeds is 20, so it has no key 'first'"),
        ("arms.lor.adapter.r=4", "no arm 'lor'; did you mean 'lora'?; the file has full, lora"),
    ],
)
def test_an_override_that_cannot_be_laid_is_named(written: Written, override: str, words: str) -> None:
    (message,) = broken(written(text="seeds: 20\narms: {full: {}, lora: {}}\n"), override)
    assert message.startswith(f"override {override!r}: ")
    assert words in message


def test_every_bad_override_is_named(written: Written) -> None:
    messages = broken(written(text="seeds: 20\n"), "a", "seeds=4", "=b")
    assert [message.partition(":")[0] for message in messages] == ["override 'a'", "override '=b'"]


def test_the_last_override_of_a_key_counts(written: Written) -> None:
    assert read(written(text="seeds: 20\n"), ["seeds=5", "seeds=6"]).data == {"seeds": 6}


def test_an_override_of_an_alias_leaves_what_it_names_alone(written: Written) -> None:
    path = written(text="a: &a {x: [1, {y: 2}]}\nb: *a\n")
    assert read(path, ["b.x=3"]).data == {"a": {"x": [1, {"y": 2}]}, "b": {"x": 3}}
