"""YAML 1.2 as a study or claims file is read: plain values, the line of every key, and everything that is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.document import Kind, read_document
from analysis.errors import PlanError

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    def write(text: str) -> Path:
        path = tmp_path / "study.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def broken(path: Path, kind: Kind = "study") -> list[str]:
    """What is wrong with a file as YAML, whether or not the rest of it could be read."""
    try:
        return [str(problem) for problem in read_document(path, kind=kind).problems]
    except PlanError as error:
        return [str(problem) for problem in error.problems]


def of_claims(path: Path) -> list[str]:
    return broken(path, "claims")


def test_a_directive_cannot_bring_yaml_1_1_back(written: Written) -> None:
    # With it, 010 would be 8 and no would be False.
    (message,) = broken(written("# a study\n%YAML 1.1\n---\nseeds: 010\nbf16: no\n"))
    assert "study.yaml:2: expected YAML 1.2, got %YAML 1.1" in message
    assert read_document(written("%YAML 1.2\n---\nseeds: 010\n"), kind="study").data == {"seeds": 10}


def test_a_key_given_twice_is_refused_with_both_lines(written: Written) -> None:
    messages = broken(written("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n"))
    assert len(messages) == 2
    assert "study.yaml:5: b.c: given twice: first in line 3" in messages[0]
    assert "study.yaml:6: a: given twice: first in line 1" in messages[1]


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
    (message,) = broken(written(text))
    assert "the tag" in message
    assert ":2: " in message or ":1: expected texts as keys" in message
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
    messages = broken(written(text))
    assert messages
    for message in messages:
        assert f"study.yaml:{line}: " in message
        assert "alias of the value that contains it" in message


def test_aliases_that_unfold_without_end_are_refused(written: Written) -> None:
    levels = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 12))
    (message,) = broken(written(f"l0: &l0 1\n{levels}"))
    assert "aliases of aliases" in message


def test_an_alias_stands_for_what_it_names(written: Written) -> None:
    data = read_document(written("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n"), kind="study").data
    assert data == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
def test_a_number_must_be_finite(written: Written, number: str) -> None:
    (message,) = broken(written(f"a:\n  b: {number}\n"))
    assert message.endswith(f"study.yaml:2: a.b: expected a finite number, got {number}")


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
    (message,) = broken(written(text))
    assert words in message


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lora_rank.yaml").write_text("a: 1\n")
    (message,) = broken(tmp_path)
    assert "got a folder; it holds lora_rank.yaml" in message
    (message,) = broken(tmp_path / "lora_rnak.yaml")
    assert f"no such file; did you mean '{tmp_path / 'lora_rank.yaml'}'?" in message
    (message,) = broken(tmp_path / "nowhere" / "x.yaml")
    assert "no such file" in message
    (tmp_path / "latin.yaml").write_bytes("a: café\n".encode("latin-1"))
    (message,) = broken(tmp_path / "latin.yaml")
    assert "expected UTF-8" in message


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
    document = read_document(path, kind="claims")
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
    document = read_document(written(f"key: {text}\n"), kind="claims")
    assert document.data == {"key": value}
    assert document.problems == []


def test_the_keys_of_claims_are_texts_too(written: Written) -> None:
    text = "872: a\n0.860: b\nno: c\nnull: d\n2026-11-01: e\n'1': f\n"
    document = read_document(written(text), kind="claims")
    assert document.data == {"872": "a", "0.860": "b", "no": "c", "null": "d", "2026-11-01": "e", "1": "f"}
    assert document.place(("null",)) == f"{document.file}:4"


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999"])
def test_what_is_no_finite_number_is_a_text_of_claims_as_well(written: Written, number: str) -> None:
    document = read_document(written(f"settings: {{max_grad_norm: {number}}}\n"), kind="claims")
    assert document.data == {"settings": {"max_grad_norm": number}}
    assert document.problems == []


def test_a_study_is_still_read_as_numbers(written: Written) -> None:
    path = written("a: 0.860\nb: 010\nc: 1e-4\nd: no\ne: null\nf: [1, true, '1']\n")
    expected = {"a": 0.86, "b": 10, "c": 1e-4, "d": "no", "e": None, "f": [1, True, "1"]}
    data = read_document(path, kind="study").data
    assert data == expected
    assert [type(value) for value in data.values()] == [float, int, float, str, type(None), list]
    assert read_document(path, kind="claims").data["f"] == ["1", "true", "1"]


def test_a_claim_given_twice_is_refused_with_both_lines(written: Written) -> None:
    path = written("n: 872\nsystems:\n  full:\n    accuracy: 0.860\n    accuracy: 0.86\nn: 871\nsource: a\n")
    assert of_claims(path) == [
        f"{path}:5: systems.full.accuracy: given twice: first in line 4",
        f"{path}:6: n: given twice: first in line 1",
    ]
    assert read_document(path, kind="claims").data["source"] == "a"


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
    document = read_document(path, kind="claims")
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
    (message,) = of_claims(written(text))
    assert "study.yaml:2: b" in message
    assert "expected plain YAML, got the tag" in message
    assert message.endswith("; a claims file cannot contain code")
    assert not Path("HERE").exists()
    (message,) = broken(written(text))
    assert message.endswith("; a study file cannot contain code")


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
        ("a: &a [*a]\n", "study.yaml:1: a.0: expected a value, got an alias of the value that contains it"),
        ("%YAML 1.1\n---\na: 010\n", "study.yaml:1: expected YAML 1.2, got %YAML 1.1"),
    ],
)
def test_what_holds_no_claims_is_refused(written: Written, text: str, words: str) -> None:
    (message,) = of_claims(written(text))
    assert words in message


def test_an_empty_study_is_still_called_one(written: Written) -> None:
    assert broken(written(""))[0].endswith(": expected a study, got an empty file")


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
    (message,) = broken(Path("nowhere/x"))
    assert message == "nowhere/x: no such file; there are studies/study.yaml"


def test_claims_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("source: execução\n".encode("latin-1"))
    (message,) = of_claims(tmp_path / "latin.yaml")
    assert "expected UTF-8 text" in message


@pytest.mark.parametrize("name", ["distilbert.yaml", "gpt2_lora.yaml"])
def test_the_shipped_claims_are_read(name: str) -> None:
    path = Path(__file__).parents[2] / "studies" / "claims" / name
    document = read_document(path, kind="claims")
    assert document.problems == []
    assert document.data["n"] == "872"

    def texts_only(value: object) -> bool:
        if isinstance(value, dict):
            return all(isinstance(key, str) and texts_only(item) for key, item in value.items())
        return all(map(texts_only, value)) if isinstance(value, list) else isinstance(value, str)

    assert texts_only(document.data)
