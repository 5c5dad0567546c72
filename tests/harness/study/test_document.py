"""YAML 1.2 without its traps, the line of every key, and overrides laid over a file."""

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


def of_claims(path: Path) -> list[str]:
    """What is wrong with a claims file as YAML."""
    try:
        return [str(problem) for problem in read(path, kind="claims").problems]
    except StudyError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    "text",
    [
        *("0.860", "1e-4", "010", "0o10", "0x10", "1_000", "+3", "90.71%", "124,441,344", "22 min 51 s", "1:30", ".5"),
        *("no", "off", "yes", "true", "null", "~", "2026-11-01", "2026-13-45", "a b", "0.8#1", "c_attn"),
    ],
)
def test_every_scalar_of_claims_is_the_text_that_stands_there(written: Written, text: str) -> None:
    path = written(
        text=f"key: {text}   # a remark\nlist: [{text.replace(',', '')}]\nnested: {{a: {{b: {text[:1]}}}}}\n"
    )
    document = read(path, kind="claims")
    assert document.data == {"key": text, "list": [text.replace(",", "")], "nested": {"a": {"b": text[:1]}}}
    assert document.problems == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"0.860"', "0.860"),
        ("'0.860'", "0.860"),
        ("''", ""),
        ("'it''s'", "it's"),
        (r'"a\tb \u00e7"', "a\tb ç"),
        ("", ""),
        ("# only a remark", ""),
        ("a first\n  and a second line", "a first and a second line"),
        ("|\n  a first\n  and a second line", "a first\nand a second line\n"),
        (">-\n  a first\n  and a second line", "a first and a second line"),
        ('"a first\n  and a second line"', "a first and a second line"),
        ("&here 0.860", "0.860"),
        ("!!str 0.860", "0.860"),
        ("!!float 0.860", "0.860"),
        ("!!int three", "three"),
        ("ação × ł", "ação × ł"),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_quotes_and_lines_of_claims_are_read_as_yaml_does(written: Written, text: str, value: str) -> None:
    document = read(written(text=f"key: {text}\n"), kind="claims")
    assert document.data == {"key": value}
    assert document.problems == []


def test_the_keys_of_claims_are_texts_too(written: Written) -> None:
    text = "872: a\n0.860: b\nno: c\nnull: d\n2026-11-01: e\n'1': f\n"
    document = read(written(text=text), kind="claims")
    assert document.data == {"872": "a", "0.860": "b", "no": "c", "null": "d", "2026-11-01": "e", "1": "f"}
    assert document.place(("null",)) == f"{document.file}:4"


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999"])
def test_what_is_no_finite_number_is_a_text_of_claims_as_well(written: Written, number: str) -> None:
    document = read(written(text=f"settings: {{max_grad_norm: {number}}}\n"), kind="claims")
    assert document.data == {"settings": {"max_grad_norm": number}}
    assert document.problems == []


def test_a_study_is_still_read_as_numbers(written: Written) -> None:
    path = written(text="a: 0.860\nb: 010\nc: 1e-4\nd: no\ne: null\nf: [1, true, '1']\n")
    expected = {"a": 0.86, "b": 10, "c": 1e-4, "d": "no", "e": None, "f": [1, True, "1"]}
    for document in (read(path), read(path, kind="study")):
        assert document.data == expected
        assert [type(value) for value in document.data.values()] == [float, int, float, str, type(None), list]
    assert read(path, kind="claims").data["f"] == ["1", "true", "1"]


def test_an_override_of_an_alias_leaves_what_it_names_alone(written: Written) -> None:
    path = written(text="a: &a {x: [1, {y: 2}]}\nb: *a\n")
    assert read(path, ["b.x=3"]).data == {"a": {"x": [1, {"y": 2}]}, "b": {"x": 3}}
    assert read(path, kind="claims").data == {"a": {"x": ["1", {"y": "2"}]}, "b": {"x": ["1", {"y": "2"}]}}


def test_a_claim_given_twice_is_refused_with_both_lines(written: Written) -> None:
    path = written(text="n: 872\nsystems:\n  full:\n    accuracy: 0.860\n    accuracy: 0.86\nn: 871\nsource: a\n")
    assert of_claims(path) == [
        f"{path}:5: systems.full.accuracy: given twice: first in line 4",
        f"{path}:6: n: given twice: first in line 1",
    ]
    assert read(path, kind="claims").data["source"] == "a"


def test_every_claim_has_its_line(written: Written) -> None:
    path = written(
        text="""\
# a report
source: a
systems:
  full: {accuracy: 0.883}

  lora:
    accuracy: 0.862
    log:
      accuracy: [0.85,
                 0.862]
pairs:
  - {treatment: lora, baseline: full}
  - treatment: full
    baseline: lora
"""
    )
    document = read(path, kind="claims")
    for where, line in {
        ("source",): 2,
        ("systems",): 3,
        ("systems", "full", "accuracy"): 4,
        ("systems", "lora"): 6,
        ("systems", "lora", "accuracy"): 7,
        ("systems", "lora", "log", "accuracy", 0): 9,
        ("systems", "lora", "log", "accuracy", 1): 10,
        ("systems", "lora", "log", "missing"): 8,
        ("pairs", 0, "baseline"): 12,
        ("pairs", 1): 13,
        ("pairs", 1, "baseline"): 14,
        ("missing",): 2,
    }.items():
        assert document.place(where) == f"{path}:{line}"
    assert str(document.problem(("pairs", 1, "baseline"), "no")) == f"{path}:14: pairs.1.baseline: no"


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\nb: !!python/object/apply:os.system ['touch HERE']\n",
        "a: 1\nb: !!python/name:os.system x\n",
        "a: 1\nb: !code {c: 1}\n",
        "a: 1\nb: [0.860, !!binary aGVsbG8=]\n",
    ],
)
def test_claims_name_no_code_either(
    written: Written, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (said,) = of_claims(written(text=text))
    assert "study.yaml:2: b" in said
    assert "expected plain YAML, got the tag" in said
    assert said.endswith("; a claims file names no code")
    assert not Path("HERE").exists()
    (said,) = broken(written(text=text))
    assert said.endswith("; a study file names no code")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "study.yaml: expected claims, got an empty file"),
        ("# only a remark\n", "study.yaml: expected claims, got an empty file"),
        ("- a\n", "study.yaml: expected a mapping of keys to values at the top"),
        ("0.860\n", "study.yaml: expected a mapping of keys to values at the top"),
        ("null\n", "study.yaml: expected a mapping of keys to values at the top"),
        ("a: 1\nb: [1\n", "study.yaml:3: not valid YAML: "),
        ("a: 1\n---\nb: 2\n", "study.yaml:2: not valid YAML: "),
        ("a: it: is\n", "study.yaml:1: not valid YAML: "),
        ("a: 1\n? [b, c]\n: 2\n", ": expected texts as keys, got a list or mapping"),
        ("a: *nowhere\n", "study.yaml:1: not valid YAML: "),
        ("a: &a [*a]\n", "study.yaml:1: a.0: expected a value, got an alias of what it stands in"),
        ("%YAML 1.1\n---\na: 010\n", "study.yaml:1: expected YAML 1.2, got %YAML 1.1"),
    ],
)
def test_what_holds_no_claims_is_refused(written: Written, text: str, words: str) -> None:
    (said,) = of_claims(written(text=text))
    assert words in said


def test_an_empty_study_is_still_called_one(written: Written) -> None:
    assert broken(written(text=""))[0].endswith(": expected a study, got an empty file")


def test_a_folder_is_no_file_of_either_kind(tmp_path: Path) -> None:
    assert of_claims(tmp_path) == [f"{tmp_path}: expected a claims file, got a folder"]
    (tmp_path / "table.yaml").write_text("a: 1\n")
    assert of_claims(tmp_path) == [f"{tmp_path}: expected a claims file, got a folder; it holds table.yaml"]
    assert broken(tmp_path) == [f"{tmp_path}: expected a study file, got a folder; it holds table.yaml"]


def test_claims_that_are_not_there_are_sought_among_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert of_claims(Path("distilbert.yaml")) == ["distilbert.yaml: no such file"]
    Path("studies/claims").mkdir(parents=True)
    Path("studies/study.yaml").write_text("a: 1\n")
    for name in ("distilbert.yaml", "gpt2_lora.yaml", "notes.txt"):
        Path("studies/claims", name).write_text("a: 1\n")
    there = "; there are studies/claims/distilbert.yaml, studies/claims/gpt2_lora.yaml"
    meant = "; did you mean 'studies/claims/distilbert.yaml'?"
    assert of_claims(Path("distilbert.yaml")) == [f"distilbert.yaml: no such file{meant}{there}"]
    assert of_claims(Path("studies/claims/distlbert.yaml")) == [
        f"studies/claims/distlbert.yaml: no such file{meant}{there}"
    ]
    assert of_claims(Path("nowhere/x")) == [f"nowhere/x: no such file{there}"]
    # Files beside the one that was meant are nearer than the shipped ones.
    Path("mine").mkdir()
    Path("mine/table.yaml").write_text("a: 1\n")
    assert of_claims(Path("mine/tabel.yaml")) == [
        "mine/tabel.yaml: no such file; did you mean 'mine/table.yaml'?; there are mine/table.yaml"
    ]
    # A study is sought among the studies.
    (said,) = broken(Path("nowhere/x"))
    assert said == "nowhere/x: no such file; there are studies/study.yaml"


def test_claims_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("source: execução\n".encode("latin-1"))
    (said,) = of_claims(tmp_path / "latin.yaml")
    assert "expected UTF-8 text" in said


@pytest.mark.parametrize("name", ["distilbert.yaml", "gpt2_lora.yaml"])
def test_the_shipped_claims_are_read(name: str) -> None:
    path = Path(__file__).parents[3] / "studies" / "claims" / name
    document = read(path, kind="claims")
    assert document.problems == []
    assert document.data["n"] == "872"

    def texts_only(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and texts_only(item) for key, item in value.items())
        return all(map(texts_only, value)) if isinstance(value, list) else isinstance(value, str)

    assert texts_only(document.data)
