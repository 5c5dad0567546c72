"""Input length: the model itself is asked for the longest text that it reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from harness.data.tokenization import TokenizedSplit
from harness.errors import DataError, ModelError
from harness.models.checkpoints import Checkpoint
from harness.models.input_check import check_inputs
from harness.quiet import quiet
from harness.study.settings import Data

PAD = 1
SMALL = {
    "vocab_size": 30,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "pad_token_id": PAD,
}
DEBERTA = {"max_position_embeddings": 12, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
# The architecture, its configuration, and the most tokens that it reads.
ARCHITECTURES: list[tuple[str, dict[str, Any], int | None]] = [
    ("bert", {**SMALL, "max_position_embeddings": 12}, 12),
    # The first positions belong to padding.
    ("roberta", {**SMALL, "max_position_embeddings": 14}, 12),
    ("xlm-roberta", {**SMALL, "max_position_embeddings": 14}, 12),
    ("camembert", {**SMALL, "max_position_embeddings": 14}, 12),
    ("mpnet", {**SMALL, "max_position_embeddings": 14}, 12),
    ("gpt2", {"vocab_size": 30, "n_positions": 12, "n_embd": 8, "n_layer": 2, "n_head": 2}, 12),
    ("deberta-v2", {**SMALL, **DEBERTA, "position_biased_input": True}, 12),
    # As DeBERTa-v3: its number of positions is one that nothing uses.
    ("deberta-v2", {**SMALL, **DEBERTA, "position_biased_input": False, "position_buckets": 4}, None),
    # It has no position at all, and says -1.
    ("xlnet", {"vocab_size": 30, "d_model": 8, "n_layer": 2, "n_head": 2, "d_inner": 8, "pad_token_id": PAD}, None),
    # Sines, kept in every layer.
    ("gptj", {"vocab_size": 30, "n_positions": 12, "n_embd": 8, "n_layer": 2, "n_head": 2, "rotary_dim": 2}, 12),
]


def checkpoint(kind: str, settings: dict[str, Any]) -> Checkpoint:
    config = transformers.AutoConfig.for_model(kind, **settings)
    return Checkpoint(name="x", source="x", revision=None, identity="", config=config)


def split(*rows: list[int]) -> TokenizedSplit:
    features = tuple({"input_ids": row, "token_type_ids": [0] * len(row)} for row in rows)
    return TokenizedSplit(ids=tuple(map(str, range(len(rows)))), labels=np.arange(len(rows)), features=features)


def check(checkpoint: Checkpoint, *rows: list[int], **layout: Any) -> None:
    check_inputs(checkpoint, [split(*rows)], Data(path="x", **layout), PAD)


def reads(checkpoint: Checkpoint, tokens: int) -> bool:
    """Whether the model with real weights reads a text."""
    with torch.random.fork_rng(), quiet():
        config = type(checkpoint.config).from_dict({**checkpoint.config.to_dict(), "pad_token_id": PAD})
        model = transformers.AutoModelForSequenceClassification.from_config(config)
        try:
            model(input_ids=torch.full((1, tokens), 5), attention_mask=torch.ones(1, tokens))
        except (IndexError, RuntimeError):
            return False
    return True


@pytest.mark.parametrize(("kind", "settings", "most"), ARCHITECTURES)
def test_the_longest_text_is_what_the_model_reads(kind: str, settings: dict[str, Any], most: int | None) -> None:
    tiny = checkpoint(kind, settings)
    before = torch.get_rng_state()
    if most is None:
        check(tiny, [5] * 40)
        assert reads(tiny, 40)
        return
    check(tiny, [5] * most, [6, 7])
    with pytest.raises(DataError, match=f"reads at most {most} tokens, got {most + 3}; set data.max_length={most}"):
        check(tiny, [6, 7], [5] * (most + 3))
    assert torch.equal(before, torch.get_rng_state())
    assert reads(tiny, most)
    assert not reads(tiny, most + 1)


def test_padding_to_a_fixed_length_counts() -> None:
    tiny = checkpoint(*ARCHITECTURES[0][:2])
    check(tiny, [5, 6], max_length=16)
    with pytest.raises(DataError, match="reads at most 12 tokens, got 16"):
        check(tiny, [5, 6], max_length=16, padding="max_length")


@pytest.mark.parametrize("rows", [([5, 30], [6, 7, 8]), ([5, 6], [7, 99])])
def test_tokens_that_the_model_does_not_know_are_refused(rows: tuple[list[int], ...]) -> None:
    with pytest.raises(ModelError, match=r"gives token \d+, and the model knows tokens 0 to 29"):
        check(checkpoint(*ARCHITECTURES[0][:2]), *rows)


def test_what_no_length_helps_is_the_model_s_own_reason() -> None:
    tiny = checkpoint("bert", {**SMALL, "type_vocab_size": 0})
    with pytest.raises(ModelError, match=r"model x cannot read the data: .*index"):
        check(tiny, [5, 6, 7])


def test_a_configuration_that_makes_no_model_is_refused() -> None:
    with pytest.raises(ModelError, match=r"model x cannot be loaded: .*nope"):
        check(checkpoint("bert", {**SMALL, "hidden_act": "nope"}), [5, 6, 7])
