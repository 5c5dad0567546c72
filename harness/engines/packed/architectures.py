"""Architectures that can be packed: how the embeddings, the last layer and the head of each are called.

The head reads one token of each example, the pooled token. So the last layer is computed for that token alone: the
other tokens' outputs would be thrown away, and no gradient comes from them. Its keys and values are of all tokens.
Only ModernBERT's head may read the mean of all tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from harness.engines.packed.context import PooledToken

# Ids, positions (`PackedBatch.positions`), and token types, where the tokenizer gives them.
Embed = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


class Pooling(Protocol):
    """What the last layer calls to go over from all tokens to the pooled ones."""

    def take(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return of (1, N, d) the pooled tokens, or the means, (1, E, d); from here on a row is an example."""
        ...

    def attend(self, module: nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend from the pooled token of each example, (1, E, d), to all of its tokens, (1, N, d)."""
        ...


LastLayer = Callable[..., torch.Tensor]
# For a layer, its input and the positions what else it is called with.
LayerInputs = Callable[[Any, torch.Tensor, torch.Tensor], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """How to call the parts of a classifier; modules are looked up at every call, so they may be replaced.

    Parameters
    ----------
    embed : callable
        Takes ids, positions and token types, (1, N) each, and returns (1, N, d). Types are None where the tokenizer
        gives none: to some architectures that means something else than types of zero.
    last_layer : callable
        Takes the last layer, its input, (1, N, d), the pooling, and its `layer_inputs`; returns the layer's output for
        the pooled tokens, (1, E, d).
    classify : callable
        Takes that, and returns the logits, (E, C).
    pooled_modules : tuple of modules
        The modules whose input has one row per example: a part of the last layer, and those of the head.
    pooled_token : str
        Whether the head reads the first or the last token of an example, or the mean of all.
    causal : bool
        Whether a token sees only those before it.
    drop_twice : tuple of modules
        The modules that apply their dropout twice in one pass: each time it drops other elements.
    layer_inputs : callable
        Takes a layer, its input, (1, N, d), and positions, (1, N); returns what else the layer is called with.
    attends_pooled : bool
        Whether the last layer attends from the pooled tokens alone.
    dropout_widths : mapping of module to int
        For each dropout of rows that are not as wide as the hidden state how wide they are.
    """

    embed: Embed
    last_layer: LastLayer
    classify: Callable[[torch.Tensor], torch.Tensor]
    pooled_modules: tuple[nn.Module, ...]
    pooled_token: PooledToken
    causal: bool
    drop_twice: tuple[nn.Module, ...] = ()
    layer_inputs: LayerInputs = lambda *_: {}
    attends_pooled: bool = True
    dropout_widths: Mapping[nn.Module, int] = field(default_factory=dict)


def _bert_last(layer: Any, hidden: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    attention = layer.attention.self
    key, value = attention.key(hidden), attention.value(hidden)
    pooled = pooling.take(hidden)
    attended = pooling.attend(attention, attention.query(pooled), key, value)
    return layer.feed_forward_chunk(layer.attention.output(attended, pooled))  # type: ignore[no-any-return]


def _bert_pooled_modules(layer: Any) -> tuple[nn.Module, ...]:
    return layer.attention.self.query, layer.attention.output, layer.intermediate, layer.output


def _bert(model: Any) -> Architecture:
    backbone = model.bert
    return Architecture(
        embed=lambda ids, positions, types: backbone.embeddings(ids, types, positions),
        last_layer=_bert_last,
        classify=lambda pooled: model.classifier(model.dropout(backbone.pooler(pooled.transpose(0, 1)))),
        pooled_modules=(
            *_bert_pooled_modules(backbone.encoder.layer[-1]),
            backbone.pooler,
            model.dropout,
            model.classifier,
        ),
        pooled_token="first",
        causal=False,
    )


def _with_own_head(model: Any, backbone: Any, embed: Embed) -> Architecture:
    """Return a relative of BERT whose head reads the first token itself, and applies its dropout twice."""
    return Architecture(
        embed=embed,
        last_layer=_bert_last,
        classify=lambda pooled: model.classifier(pooled.transpose(0, 1)),
        pooled_modules=(*_bert_pooled_modules(backbone.encoder.layer[-1]), model.classifier),
        pooled_token="first",
        causal=False,
        drop_twice=(model.classifier,),
    )


def _roberta(model: Any) -> Architecture:
    backbone = model.roberta

    def embed(ids: torch.Tensor, positions: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        positions = _roberta_positions(ids, positions, backbone.embeddings.padding_idx)
        return backbone.embeddings(ids, types, positions)  # type: ignore[no-any-return]

    return _with_own_head(model, backbone, embed)


def _electra(model: Any) -> Architecture:
    backbone = model.electra

    def embed(ids: torch.Tensor, positions: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        vectors = backbone.embeddings(ids, types, positions)
        # A model whose embeddings are as wide as its layers has none.
        return backbone.embeddings_project(vectors) if hasattr(backbone, "embeddings_project") else vectors  # type: ignore[no-any-return]

    return _with_own_head(model, backbone, embed)


def _roberta_positions(ids: torch.Tensor, positions: torch.Tensor, padding: int) -> torch.Tensor:
    """Return RoBERTa's positions: from the one after the padding token's; padding tokens in a text are not counted.

    `positions` begin at 0: a model that reads the first token is not packed with padding on the left.
    """
    is_padding = (ids == padding).long()
    padding_so_far = is_padding.cumsum(1)
    # Padding tokens of the examples before this one do not count.
    first = torch.arange(ids.shape[1], device=ids.device) - positions
    within_example = padding_so_far - (padding_so_far - is_padding).gather(1, first)
    return torch.where(is_padding.bool(), padding, positions + padding + 1 - within_example)


def _distilbert_last(layer: Any, hidden: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    attention = layer.attention
    key, value = attention.k_lin(hidden), attention.v_lin(hidden)
    pooled = pooling.take(hidden)
    attended = attention.out_lin(pooling.attend(attention, attention.q_lin(pooled), key, value))
    normal = layer.sa_layer_norm(attended + pooled)
    return layer.output_layer_norm(layer.ffn(normal) + normal)  # type: ignore[no-any-return]


def _distilbert(model: Any) -> Architecture:
    backbone = model.distilbert
    layer: Any = backbone.transformer.layer[-1]
    pooled_part = (
        layer.attention.q_lin,
        layer.attention.out_lin,
        layer.sa_layer_norm,
        layer.ffn,
        layer.output_layer_norm,
    )
    return Architecture(
        embed=lambda ids, positions, _: backbone.embeddings(ids, None, positions),
        last_layer=_distilbert_last,
        classify=lambda pooled: model.classifier(model.dropout(torch.relu(model.pre_classifier(pooled[0])))),
        pooled_modules=(*pooled_part, model.pre_classifier, model.dropout, model.classifier),
        pooled_token="first",
        causal=False,
    )


def _gpt2_last(layer: Any, hidden: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    attention = layer.attn
    # One layer makes queries, keys and values, so it makes them for all tokens.
    query, key, value = attention.c_attn(layer.ln_1(hidden)).split(attention.split_size, dim=-1)
    attended = pooling.attend(attention, pooling.take(query), key, value)
    residual = attention.resid_dropout(attention.c_proj(attended)) + pooling.take(hidden)
    return residual + layer.mlp(layer.ln_2(residual))  # type: ignore[no-any-return]


def _gpt2(model: Any) -> Architecture:
    backbone = model.transformer

    def embed(ids: torch.Tensor, positions: torch.Tensor, types: torch.Tensor | None) -> torch.Tensor:
        # GPT-2 has no table of types. It looks a type up in the table of words, and adds that vector.
        words = backbone.wte(ids) if types is None else backbone.wte(torch.stack((ids, types), -1)).sum(-2)
        return backbone.drop(words + backbone.wpe(positions))  # type: ignore[no-any-return]

    layer: Any = backbone.h[-1]
    pooled_part = (layer.attn.c_proj, layer.attn.resid_dropout, layer.ln_2, layer.mlp)
    return Architecture(
        embed=embed,
        last_layer=_gpt2_last,
        classify=lambda pooled: model.score(backbone.ln_f(pooled))[0],
        pooled_modules=(*pooled_part, backbone.ln_f, model.score),
        pooled_token="last",
        causal=True,
    )


def _modernbert(model: Any) -> Architecture:
    backbone, config = model.model, model.config

    def layer_inputs(layer: Any, hidden: torch.Tensor, positions: torch.Tensor) -> Mapping[str, Any]:
        return {"position_embeddings": backbone.rotary_emb(hidden, positions, layer.attention_type)}

    def last_layer(layer: Any, hidden: torch.Tensor, pooling: Pooling, **inputs: Any) -> torch.Tensor:
        # For all tokens, whatever the head reads of them.
        return pooling.take(backbone.final_norm(layer(hidden, **inputs)))

    return Architecture(
        embed=lambda ids, *_: backbone.embeddings(ids),
        last_layer=last_layer,
        classify=lambda pooled: model.classifier(model.drop(model.head(pooled[0]))),
        pooled_modules=(model.head, model.drop, model.classifier),
        pooled_token="mean" if config.classifier_pooling == "mean" else "first",
        causal=False,
        layer_inputs=layer_inputs,
        attends_pooled=False,
        dropout_widths={layer.mlp.drop: config.intermediate_size for layer in backbone.layers},
    )


ARCHITECTURES: Mapping[str, Callable[[Any], Architecture]] = {
    "bert": _bert,
    "distilbert": _distilbert,
    "electra": _electra,
    "gpt2": _gpt2,
    "modernbert": _modernbert,
    "roberta": _roberta,
}
