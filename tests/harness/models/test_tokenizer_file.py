"""A tokenizer says what its file says, whatever class transformers makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import transformers
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers import models as algorithms

from harness import embedded
from harness.errors import ModelError
from harness.models import checkpoints
from harness.models.checkpoints import Checkpoint

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "Good",
    "good",
    "Bad",
    "bad",
    "film",
    "École",
    "ecole",
    "école",
    "-",
    "##s",
    ",",
    "well-made",
    "well",
    "made",
]
BERT_NAMES = {part: f"[{part[:-6].upper()}]" for part in ("pad_token", "unk_token", "cls_token", "sep_token")}
TEXTS = ("Good film", "École well-made", "good  Bad, films")

Checkpoints = Callable[..., tuple[Checkpoint, Tokenizer]]


def word_pieces(normalizer: Any, pre_tokenizer: Any = None, *, template: bool = True) -> Tokenizer:
    made = Tokenizer(algorithms.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizer or pre_tokenizers.BertPreTokenizer()
    if template:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return made


def byte_pairs(normalizer: Any, *, add_prefix_space: bool = False, ends: bool = False) -> Tokenizer:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>"]
    words = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet()), "go", "Ġf"]
    made = Tokenizer(
        algorithms.BPE({word: i for i, word in enumerate(words)}, [("g", "o"), ("Ġ", "f")], unk_token="<unk>")
    )
    made.normalizer = normalizer
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    made.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0)) if ends else processors.ByteLevel()
    return made


@pytest.fixture
def saved(tmp_path: Path) -> Checkpoints:
    """A checkpoint with a tokenizer's file and what the file beside it says; of its model only the kind counts."""

    def save(kind: str, tokenizer: Tokenizer, stated: Mapping[str, Any]) -> tuple[Checkpoint, Tokenizer]:
        tokenizer.save(str(tmp_path / "tokenizer.json"))
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(stated))
        config = transformers.AutoConfig.for_model(kind)
        return Checkpoint(name="x", source=str(tmp_path), revision=None, identity="", config=config), tokenizer

    return save


CASED = normalizers.BertNormalizer(lowercase=False)
LOWER = normalizers.Lowercase()


@pytest.mark.parametrize(
    ("kind", "tokenizer", "stated"),
    [
        ("bert", word_pieces(CASED), {}),
        ("bert", word_pieces(CASED), {"tokenizer_class": "BertTokenizer"}),
        ("bert", word_pieces(CASED), {"do_lower_case": False}),
        ("distilbert", word_pieces(CASED), {}),
        ("bert", word_pieces(CASED, pre_tokenizers.WhitespaceSplit()), {"do_lower_case": False}),
        ("bert", word_pieces(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])), {}),
        ("bert", word_pieces(CASED), {"tokenizer_class": "PreTrainedTokenizerFast", **BERT_NAMES}),
        ("gpt2", byte_pairs(LOWER), {}),
        ("gpt2", byte_pairs(None, add_prefix_space=True), {}),
        ("roberta", byte_pairs(LOWER, ends=True), {}),
    ],
)
def test_a_text_becomes_the_tokens_that_the_file_says(
    saved: Checkpoints, kind: str, tokenizer: Tokenizer, stated: Mapping[str, Any]
) -> None:
    checkpoint, tokenizer = saved(kind, tokenizer, stated)
    loaded = checkpoints.load_tokenizer(checkpoint)
    for text in TEXTS:
        assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert loaded(TEXTS[0], TEXTS[1])["input_ids"] == tokenizer.encode(TEXTS[0], TEXTS[1]).ids
    assert loaded(TEXTS[0], truncation=True, max_length=3)["input_ids"][:2] == tokenizer.encode(TEXTS[0]).ids[:2]
    assert loaded.pad_token_id is not None


def test_left_alone_transformers_lower_cases_a_cased_checkpoint(saved: Checkpoints) -> None:
    # What the mend is for; when this fails, transformers follows the file itself.
    checkpoint, tokenizer = saved("bert", word_pieces(CASED), {})
    loaded = transformers.AutoTokenizer.from_pretrained(checkpoint.source)
    assert loaded("Good")["input_ids"] != tokenizer.encode("Good").ids


def test_what_the_file_leaves_open_is_the_class_s(saved: Checkpoints) -> None:
    checkpoint, _ = saved("bert", word_pieces(CASED, template=False), {})
    assert checkpoints.load_tokenizer(checkpoint)("Good film")["input_ids"] == [2, 5, 9, 3]


@pytest.mark.parametrize(
    ("kind", "tokenizer", "stated", "words"),
    [
        (
            "bert",
            word_pieces(CASED),
            {"do_lower_case": True},
            r"do_lower_case is False in the first and True in the second.*Good ÉCOLE.*good ecole",
        ),
        ("bert", word_pieces(None), {"do_lower_case": True}, "do_lower_case is False in the first"),
        ("bert", word_pieces(LOWER), {"do_lower_case": False}, "do_lower_case is True in the first"),
        ("gpt2", byte_pairs(None), {"add_prefix_space": True}, "add_prefix_space is False in the first"),
    ],
)
def test_two_files_that_contradict_each_other_are_refused(
    saved: Checkpoints, kind: str, tokenizer: Tokenizer, stated: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        checkpoints.load_tokenizer(saved(kind, tokenizer, stated)[0])


def test_an_option_that_changes_nothing_contradicts_nothing(saved: Checkpoints) -> None:
    checkpoint, tokenizer = saved("gpt2", byte_pairs(None), {"do_lower_case": True})
    assert checkpoints.load_tokenizer(checkpoint)("Good")["input_ids"] == tokenizer.encode("Good").ids


def test_a_vocabulary_with_capitals_is_lower_cased_only_where_that_is_said(saved: Checkpoints) -> None:
    checkpoint, _ = saved("bert", word_pieces(CASED), {})
    folder = Path(checkpoint.source)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    with pytest.raises(ModelError, match=r"3 tokens with capitals \(Bad, Good, École\).*set do_lower_case"):
        checkpoints.load_tokenizer(checkpoint)
    for lower_case, tokens in ((True, [2, 6, 9, 3]), (False, [2, 5, 9, 3])):
        (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower_case}))
        assert checkpoints.load_tokenizer(checkpoint)("Good film")["input_ids"] == tokens


@pytest.mark.parametrize("name", embedded.CHECKPOINTS)
def test_the_embedded_tokenizers_are_as_before(name: str) -> None:
    checkpoint = checkpoints.find_checkpoint(name)
    plain = transformers.AutoTokenizer.from_pretrained(checkpoint.source)
    text = "A well-made film, though École is LONG."
    assert checkpoints.load_tokenizer(checkpoint)(text)["input_ids"] == plain(text)["input_ids"]


def test_added_words_of_the_file_stay_whole(saved: Checkpoints) -> None:
    tokenizer = word_pieces(CASED)
    tokenizer.add_tokens(["<user>"])
    checkpoint, tokenizer = saved("bert", tokenizer, {})
    assert (
        checkpoints.load_tokenizer(checkpoint)("Good <user> film")["input_ids"]
        == tokenizer.encode("Good <user> film").ids
    )
