"""Tokenizer files: transformers rebuilds a tokenizer from its class and drops parts of its file; they are put back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from harness.errors import ModelError

# Capitals, accents, Chinese, hyphens and blanks: where tokenizers differ before they look a word up.
_SAMPLE = "Good ÉCOLE naïve 東京 well-made, didn't  end"
# A vocabulary for lower-cased text has next to no token with a capital, special ones aside.
_SHARE_OF_CAPITALS = 0.01


def apply_tokenizer_file(loaded: Any, file: Path | None, stated: Mapping[str, Any], name: str) -> None:
    """Give a loaded tokenizer the parts that its file holds.

    Parameters
    ----------
    loaded : transformers tokenizer
        As transformers makes it; changed in place.
    file : Path or None
        ``tokenizer.json``, where there is one.
    stated : mapping
        What ``tokenizer_config.json`` says.
    name : str
        The checkpoint's name.

    Raises
    ------
    ModelError
        If the two files contradict each other, or nothing says whether text is lower-cased and the vocabulary has
        capitals.
    """
    backend = getattr(loaded, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        return
    if file is None:
        _check_capitals(loaded, backend, stated, name)
        return
    from_file = Tokenizer.from_file(str(file))
    if _pieces(from_file) != _pieces(backend):
        _check_contradictions(json.loads(file.read_text("utf-8")), stated, name, _pieces(backend), _pieces(from_file))
    backend.normalizer = from_file.normalizer
    backend.pre_tokenizer = from_file.pre_tokenizer
    backend.model = from_file.model
    # A file without one leaves the class's own, which puts [CLS] first.
    if from_file.post_processor is not None:
        backend.post_processor = from_file.post_processor


def _pieces(backend: Tokenizer) -> list[str]:
    """Return the pieces that the sample becomes before they are looked up in the vocabulary."""
    text = backend.normalizer.normalize_str(_SAMPLE) if backend.normalizer else _SAMPLE
    return [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str(text)] if backend.pre_tokenizer else [text]


def _check_contradictions(
    content: Mapping[str, Any],
    stated: Mapping[str, Any],
    name: str,
    pieces_of_class: list[str],
    pieces_of_file: list[str],
) -> None:
    """Refuse options of tokenizer_config.json that tokenizer.json has otherwise: either may be the mistake."""
    in_file: dict[str, bool] = {"do_lower_case": False}
    for part in (*_parts(content.get("normalizer")), *_parts(content.get("pre_tokenizer"))):
        match part.get("type"):
            case "BertNormalizer":
                in_file |= {"do_lower_case": part["lowercase"], "tokenize_chinese_chars": part["handle_chinese_chars"]}
                if part["strip_accents"] is not None:
                    in_file["strip_accents"] = part["strip_accents"]
            case "Lowercase":
                in_file["do_lower_case"] = True
            case "ByteLevel":
                in_file["add_prefix_space"] = part["add_prefix_space"]
    wrong = [key for key, value in in_file.items() if stated.get(key) is not None and bool(stated[key]) != value]
    if wrong:
        options = ", ".join(f"{key} is {in_file[key]} in the first and {stated[key]} in the second" for key in wrong)
        raise ModelError(
            f"model {name}: tokenizer.json and tokenizer_config.json contradict each other: {options}. One makes "
            f"{' '.join(pieces_of_file)!r} of a text, the other {' '.join(pieces_of_class)!r}; correct the wrong one"
        )


def _parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a normaliser or pre-tokenizer, or the members of a sequence of them."""
    if isinstance(part, Mapping):
        yield part
        for member in (*part.get("normalizers", ()), *part.get("pretokenizers", ())):
            yield from _parts(member)


def _check_capitals(loaded: Any, backend: Tokenizer, stated: Mapping[str, Any], name: str) -> None:
    """Refuse to lower-case on a class's default alone what a vocabulary with capitals was made for."""
    if stated.get("do_lower_case") is not None or any(piece != piece.lower() for piece in _pieces(backend)):
        return
    words = set(loaded.get_vocab()) - set(loaded.all_special_tokens)
    capitals = sorted(word for word in words if word != word.lower())
    if len(capitals) > _SHARE_OF_CAPITALS * len(words):
        raise ModelError(
            f"model {name}: its vocabulary has {len(capitals)} tokens with capitals ({', '.join(capitals[:3])}), and "
            "texts would be lower-cased, because nothing says otherwise; set do_lower_case in tokenizer_config.json"
        )
