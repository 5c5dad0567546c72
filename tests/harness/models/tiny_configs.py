"""Tiny configurations of BERT and GPT-2, for checkpoints that a test makes."""

from __future__ import annotations

import transformers

BERT = transformers.BertConfig(
    vocab_size=30,
    max_position_embeddings=16,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=8,
)
GPT2 = transformers.GPT2Config(
    vocab_size=30, n_positions=16, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
)
