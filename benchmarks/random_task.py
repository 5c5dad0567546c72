"""Models and examples drawn at random, for benchmarks that need neither data nor the Hub.

The lengths of the examples follow those of SST-2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import nn

from harness.data.tokenization import TokenizedSplit
from harness.models import checkpoints
from harness.quiet import quiet
from harness.study.settings import Arm
from harness.study.trials import Trial

# How many examples of SST-2 have 0, 1, 2 ... tokens by BERT's WordPiece, the two special ones included: train and
# validation. GPT-2 is given the same lengths.
# fmt: off
TRAIN_LENGTHS = (
    0, 0, 0, 1978, 5323, 6064, 5345, 4749, 4155, 3713, 3267, 2947, 2650, 2413, 2138, 1950, 1777, 1661, 1515, 1373, 1285,
    1132, 1106, 1046, 909, 820, 806, 733, 692, 628, 538, 491, 442, 448, 400, 337, 304, 286, 242, 195, 203, 192, 155,
    148, 130, 89, 82, 85, 73, 55, 42, 50, 40, 36, 19, 21, 22, 15, 8, 6, 3, 2, 5, 5, 1, 2, 2,
)
TEST_LENGTHS = (
    0, 0, 0, 0, 2, 1, 2, 7, 12, 12, 22, 17, 28, 20, 27, 23, 23, 22, 33, 28, 38, 29, 31, 25, 26, 38, 29, 31, 26, 26, 29,
    24, 26, 17, 22, 21, 16, 11, 11, 16, 17, 15, 7, 6, 15, 4, 4, 7, 2, 6, 3, 1, 2, 4, 4, 1, 0, 1, 1, 0, 1,
)
# fmt: on
CONFIGS = {"gpt2": transformers.GPT2Config, "distilbert": transformers.DistilBertConfig}
_TINY_SIZES: dict[str, dict[str, int]] = {
    "gpt2": {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 1000, "bos_token_id": 0, "eos_token_id": 0},
    "distilbert": {"n_layers": 2, "dim": 64, "n_heads": 4, "hidden_dim": 128, "vocab_size": 1000},
}
_TARGETS = {"gpt2": ["c_attn"], "distilbert": ["q_lin", "v_lin"]}


def checkpoint(
    name: str, folder: Path, *, tiny: bool, dropout: bool = True, spread: float | None = None
) -> checkpoints.Checkpoint:
    """Write a checkpoint with random weights and return it.

    Parameters
    ----------
    name : str
        One of `CONFIGS`.
    folder : Path
        Where it is written.
    tiny : bool
        Two layers instead of the real size.
    dropout : bool
        Whether its configuration has dropout.
    spread : float, optional
        The standard deviation of every weight; default what the library draws.
    """
    config = CONFIGS[name](**(_TINY_SIZES[name] if tiny else {}))
    if not dropout:
        for key in [key for key, value in config.to_dict().items() if "drop" in key and isinstance(value, float)]:
            setattr(config, key, 0.0)
    torch.manual_seed(0)
    with quiet():
        model = transformers.AutoModel.from_config(config)
        if spread is not None:
            for parameter in model.parameters():
                nn.init.normal_(parameter, std=spread)
        model.save_pretrained(folder)
    return checkpoints.find_checkpoint(str(folder))


def random_split(counts: tuple[int, ...], n: int, vocabulary: int, rng: np.random.Generator) -> TokenizedSplit:
    """Draw examples of random tokens, their lengths with the given frequencies; no token is padding, which is 0."""
    drawn = rng.choice(len(counts), size=n, p=np.array(counts) / sum(counts))
    return TokenizedSplit(
        ids=tuple(map(str, range(n))),
        labels=np.arange(n) % 2,
        features=tuple({"input_ids": rng.integers(1, vocabulary, length).tolist()} for length in drawn),
    )


def random_splits(vocabulary: int, n_train: int, n_test: int) -> tuple[TokenizedSplit, TokenizedSplit]:
    """Draw examples to train on and to test on, always the same."""
    rng = np.random.default_rng(0)
    return (
        random_split(TRAIN_LENGTHS, n_train, vocabulary, rng),
        random_split(TEST_LENGTHS, n_test, vocabulary, rng),
    )


def trials_of(arms: Sequence[Arm]) -> tuple[Trial, ...]:
    """Return a trial of each arm, with seeds from 0."""
    return tuple(
        Trial(arm=f"{seed}", seed=seed, settings=arm, holdout=None, tuning=False, content={}, key=f"{seed}")
        for seed, arm in enumerate(arms)
    )


def padder() -> Any:
    """Return a tokenizer that can pad, which is all that a Trainer's batches need."""
    only_padding = Tokenizer(WordLevel({"[PAD]": 0}, unk_token="[PAD]"))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=only_padding, pad_token="[PAD]")


def lora(name: str, training: dict[str, Any], *, r: int = 8, dropout: float = 0.05) -> Arm:
    """Return an arm with LoRA on a model's attention."""
    adapter = {"peft_type": "LORA", "r": r, "lora_alpha": 16, "lora_dropout": dropout, "target_modules": _TARGETS[name]}
    return Arm.model_validate({"training": training, "adapter": adapter})


def full(training: dict[str, Any]) -> Arm:
    """Return an arm that trains every weight."""
    return Arm.model_validate({"training": training})
