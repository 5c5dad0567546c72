"""The parts of the models that can be packed: embeddings, layers, and the head, which reads one token of a sentence.

The last layer is computed for the token that the head reads: the others' outputs would be thrown away, and no gradient
comes from them. Its keys and values are those of all tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import nn

# Ids, positions within the sentence, and token types, where the tokenizer gives them.
Embed = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


class Reading(Protocol):
    """How the last layer goes over from all tokens to those that are read."""

    def take(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return of (1, N, d) the tokens that are read, (1, S, d); from here on a row is a sentence."""
        ...

    def attend(self, module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend from one token of each sentence, (1, S, d), to all of its tokens, (1, N, d)."""
        ...


LastLayer = Callable[[Any, torch.Tensor, Reading], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """A classifier taken apart; its modules are looked up anew at every call, so they may be exchanged.

    Parameters
    ----------
    embed : callable
        Takes ids, positions and token types, (1, N) each, and returns (1, N, d). Types are None where the tokenizer
        gives none: to some architectures that is something else than types of zero.
    last : callable
        Takes the last layer, its input, (1, N, d), and the way to the tokens that are read; returns the layer's output
        for these, (1, S, d).
    classify : callable
        Takes that, and returns the logits, (S, C).
    reading : tuple of modules
        What runs on sentences' rows: a part of the last layer, and what `classify` runs through.
    reads : str
        Which token of a sentence the head reads.
    causal : bool
        Whether a token sees only those before it.
    """

    embed: Embed
    last: LastLayer
    classify: Callable[[torch.Tensor], torch.Tensor]
    reading: tuple[nn.Module, ...]
    reads: Literal["first", "last"]
    causal: bool


def _bert_last(layer: Any, hidden: torch.Tensor, reading: Reading) -> torch.Tensor:
    attention = layer.attention.self
    key, value = attention.key(hidden), attention.value(hidden)
    read = reading.take(hidden)
    attended = reading.attend(attention, attention.query(read), key, value)
    return layer.feed_forward_chunk(layer.attention.output(attended, read))  # type: ignore[no-any-return]


def _bert_reading(layer: Any) -> tuple[nn.Module, ...]:
    return layer.attention.self.query, layer.attention.output, layer.intermediate, layer.output


def _bert(model: Any) -> Anatomy:
    backbone = model.bert
    return Anatomy(
        embed=lambda ids, positions, types: backbone.embeddings(ids, types, positions),
        last=_bert_last,
        classify=lambda read: model.classifier(model.dropout(backbone.pooler(read.transpose(0, 1)))),
        reading=(*_bert_reading(backbone.encoder.layer[-1]), backbone.pooler, model.dropout, model.classifier),
        reads="first",
        causal=False,
    )


def _roberta(model: Any) -> Anatomy:
    backbone = model.roberta
    return Anatomy(
        embed=lambda ids, positions, types: backbone.embeddings(
            ids, types, _roberta_positions(ids, positions, backbone.embeddings.padding_idx)
        ),
        last=_bert_last,
        classify=lambda read: model.classifier(read.transpose(0, 1)),
        reading=(*_bert_reading(backbone.encoder.layer[-1]), model.classifier),
        reads="first",
        causal=False,
    )


def _roberta_positions(ids: torch.Tensor, positions: torch.Tensor, padding: int) -> torch.Tensor:
    """Return what it counts positions as: from the one after the padding token's, over a padding token in a text."""
    passed = (ids == padding).long()
    before = passed.cumsum(1)
    # What the sentences before it hold does not count.
    first = torch.arange(ids.shape[1], device=ids.device) - positions
    own = before - (before - passed).gather(1, first)
    return torch.where(passed.bool(), padding, positions + padding + 1 - own)


def _distilbert_last(layer: Any, hidden: torch.Tensor, reading: Reading) -> torch.Tensor:
    attention = layer.attention
    key, value = attention.k_lin(hidden), attention.v_lin(hidden)
    read = reading.take(hidden)
    attended = attention.out_lin(reading.attend(attention, attention.q_lin(read), key, value))
    normal = layer.sa_layer_norm(attended + read)
    return layer.output_layer_norm(layer.ffn(normal) + normal)  # type: ignore[no-any-return]


def _distilbert(model: Any) -> Anatomy:
    backbone = model.distilbert
    layer: Any = backbone.transformer.layer[-1]
    part = (layer.attention.q_lin, layer.attention.out_lin, layer.sa_layer_norm, layer.ffn, layer.output_layer_norm)
    return Anatomy(
        embed=lambda ids, positions, _: backbone.embeddings(ids, None, positions),
        last=_distilbert_last,
        classify=lambda read: model.classifier(model.dropout(torch.relu(model.pre_classifier(read[0])))),
        reading=(*part, model.pre_classifier, model.dropout, model.classifier),
        reads="first",
        causal=False,
    )


def _gpt2_last(layer: Any, hidden: torch.Tensor, reading: Reading) -> torch.Tensor:
    attention = layer.attn
    # One layer makes queries, keys and values, so it makes them for all tokens.
    query, key, value = attention.c_attn(layer.ln_1(hidden)).split(attention.split_size, dim=-1)
    attended = reading.attend(attention, reading.take(query), key, value)
    between = attention.resid_dropout(attention.c_proj(attended)) + reading.take(hidden)
    return between + layer.mlp(layer.ln_2(between))  # type: ignore[no-any-return]


def _gpt2(model: Any) -> Anatomy:
    backbone = model.transformer

    def embed(ids: torch.Tensor, positions: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        # It has no table of types: it adds the word whose number the type is, and learns both in one table.
        words = backbone.wte(ids) if types is None else backbone.wte(torch.stack((ids, types), -1)).sum(-2)
        return backbone.drop(words + backbone.wpe(positions))  # type: ignore[no-any-return]

    layer: Any = backbone.h[-1]
    part = (layer.attn.c_proj, layer.attn.resid_dropout, layer.ln_2, layer.mlp)
    return Anatomy(
        embed=embed,
        last=_gpt2_last,
        classify=lambda read: model.score(backbone.ln_f(read))[0],
        reading=(*part, backbone.ln_f, model.score),
        reads="last",
        causal=True,
    )


ARCHITECTURES: Mapping[str, Callable[[Any], Anatomy]] = {
    "bert": _bert,
    "distilbert": _distilbert,
    "gpt2": _gpt2,
    "roberta": _roberta,
}
