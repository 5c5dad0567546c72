"""YAML 1.2 without its traps, the line of every key, and overrides laid over a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.document import read
from harness.errors import StudyError

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
        ("1e-4", 1e-4),  # trap 19: a text to PyYAML
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


def test_a_directive_cannot_bring_yaml_1_1_back(written: Written) -> None:
    # With it, 010 would be 8 and no would be False.
    (said,) = broken(written(text="# a study\n%YAML 1.1\n---\nseeds: 010\nbf16: no\n"))
    assert "study.yaml:2: expected YAML 1.2, got %YAML 1.1" in said
    assert read(written(text="%YAML 1.2\n---\nseeds: 010\n")).data == {"seeds": 10}


def test_a_key_given_twice_is_refused_with_both_lines(written: Written) -> None:
    said = broken(written(text="a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n"))
    assert len(said) == 2
    assert "study.yaml:5: b.c: given twice: first in line 3" in said[0]
    assert "study.yaml:6: a: given twice: first in line 1" in said[1]


def test_a_key_given_twice_does_not_hide_the_rest(written: Written) -> None:
    document = read(written(text="a: 1\na: 2\nb: 3\n"), ["=4"])
    assert document.data["b"] == 3
    assert [problem.place for problem in document.problems] == [f"{document.file}:2", "override '=4'"]


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: !!python/object/apply:os.system ['touch HERE']\n",
        "a: 1\nb: !!python/name:os.system x\n",
        "a: 1\nb: !code {c: 1}\n",
        "a: 1\nb: [1, !<tag:example.org,2000:x> 2]\n",
        "a: 1\n!!python/name:os.system b: 1\n",
        "a: 1\nb: !!binary aGVsbG8=\n",
    ],
)
def test_a_tag_that_names_code_is_refused_unread(
    written: Written, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (said,) = broken(written(text=text))
    assert "the tag" in said
    assert ":2: " in said or ":1: expected texts as keys" in said
    assert not Path("HERE").exists()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: &a [1, *a]\n", 1),
        ("x: 1\na: &a\n  b:\n    c: *a\n", 4),
        ("a: &a {b: &b {c: *a, d: *b}}\n", 1),
    ],
)
def test_an_anchor_that_holds_itself_is_refused(written: Written, text: str, line: int) -> None:
    said = broken(written(text=text))
    assert said
    assert all(f"study.yaml:{line}: " in one and "alias of what it stands in" in one for one in said)


def test_aliases_that_unfold_without_end_are_refused(written: Written) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 12))
    (said,) = broken(written(text=f"l0: &l0 1\n{levels}"))
    assert "aliases of aliases" in said


def test_an_alias_stands_for_what_it_names(written: Written) -> None:
    data = read(written(text="a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n")).data
    assert data == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
def test_a_number_must_be_finite(written: Written, number: str) -> None:
    (said,) = broken(written(text=f"a:\n  b: {number}\n"))
    assert said.endswith(f"study.yaml:2: a.b: expected a finite number, got {number}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "got an empty file"),
        ("# only a remark\n", "got an empty file"),
        ("- a\n- b\n", "expected a mapping of keys"),
        ("just words\n", "expected a mapping of keys"),
        ("null\n", "expected a mapping of keys"),
        ("a: [1\n", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "study.yaml:2: not valid YAML"),
        ("a: 1\n---\nb: 2\n", "not valid YAML"),
        ("a: 1\n? [b, c]\n: 2\n", "expected texts as keys"),
        ("a: *nowhere\n", "study.yaml:1: not valid YAML"),
        ("a: 2026-13-45\n", "not valid YAML: month must be in 1..12"),
        ("a: !!int three\n", "not valid YAML"),
        ("a: !!bool maybe\n", "not valid YAML"),
        (f"a: {'1' * 5000}\n", "not valid YAML"),
        ("a: 1\x01\n", "not valid YAML"),
        (f"a: {'[' * 1000}{']' * 1000}\n", "nested too deeply"),
    ],
)
def test_what_is_no_mapping_of_plain_values_is_refused(written: Written, text: str, words: str) -> None:
    (said,) = broken(written(text=text))
    assert words in said


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lora_rank.yaml").write_text("a: 1\n")
    (said,) = broken(tmp_path)
    assert "got a folder; it holds lora_rank.yaml" in said
    (said,) = broken(tmp_path / "lora_rnak.yaml")
    assert f"no such file; did you mean '{tmp_path / 'lora_rank.yaml'}'?" in said
    (said,) = broken(tmp_path / "nowhere" / "x.yaml")
    assert "no such file" in said
    (tmp_path / "latin.yaml").write_bytes("a: café\n".encode("latin-1"))
    (said,) = broken(tmp_path / "latin.yaml")
    assert "expected UTF-8" in said


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
        ("seeds=!!python/name:os.system x", "names no code"),
        ("seeds=&a [*a]", "alias of what it stands in"),
        ("seeds=.nan", "finite"),
        ("seeds.first=1", "seeds is 20, so it has no key 'first'"),
        ("arms.lor.adapter.r=4", "no arm 'lor'; did you mean 'lora'?; the file has full, lora"),
    ],
)
def test_an_override_that_cannot_be_laid_is_named(written: Written, override: str, words: str) -> None:
    (said,) = broken(written(text="seeds: 20\narms: {full: {}, lora: {}}\n"), override)
    assert said.startswith(f"override {override!r}: ")
    assert words in said


def test_every_bad_override_is_named(written: Written) -> None:
    said = broken(written(text="seeds: 20\n"), "a", "seeds=4", "=b")
    assert [one.partition(":")[0] for one in said] == ["override 'a'", "override '=b'"]


def test_the_last_override_of_a_key_counts(written: Written) -> None:
    assert read(written(text="seeds: 20\n"), ["seeds=5", "seeds=6"]).data == {"seeds": 6}
