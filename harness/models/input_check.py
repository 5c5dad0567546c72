"""Input check: whether a model can read the examples, by their length and their token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import accelerate
import torch
import transformers
from torch import nn

from harness.data.tokenization import TokenizedSplit
from harness.errors import DataError, ModelError, one_line
from harness.models.checkpoints import Checkpoint
from harness.models.pretrained import as_model_error, config_for_classes
from harness.quiet import quiet
from harness.study.settings import Data

Row = Mapping[str, list[int]]


class _EnoughError(Exception):
    """The embeddings and a layer have taken the example."""


def check_inputs(
    checkpoint: Checkpoint, splits: Sequence[TokenizedSplit], data_settings: Data, pad_token_id: int
) -> None:
    """Let the model read the longest example, and refuse what it cannot: on a GPU it would break the whole process.

    No one place says how long an example may be: a configuration's number is a default that nothing uses (XLNet,
    DeBERTa-v3), or counts positions that no token gets (RoBERTa and its relatives). So the model itself is asked, with
    its layers as they are and no memory for its weights.

    Parameters
    ----------
    checkpoint : Checkpoint
        The study's checkpoint.
    splits : sequence of TokenizedSplit
        The tokenised examples.
    data_settings : Data
        How batches are padded.
    pad_token_id : int
        The tokenizer's padding token.

    Raises
    ------
    DataError
        If the longest example is longer than the model reads.
    ModelError
        If the model cannot be built, or the tokenizer gives tokens that it does not know.
    """
    rows = [row for split in splits for row in split.features]
    with quiet():
        model = _hollow(checkpoint)
        model.config.pad_token_id = pad_token_id
        _check_tokens(checkpoint, model, rows, pad_token_id)
        longest = max(rows, key=lambda row: len(row["input_ids"]))
        if data_settings.padding == "max_length":
            longest = _padded(longest, data_settings.max_length, pad_token_id)
        refused = _refusal(model, longest)
        if refused is None:
            return
        # The longest that is read: `read` tokens are, `unread` are not.
        read, unread = 0, len(longest["input_ids"])
        while unread - read > 1:
            middle = (read + unread) // 2
            short = {name: values[:middle] for name, values in longest.items()}
            read, unread = (middle, unread) if _refusal(model, short) is None else (read, middle)
    if read == 0:
        raise ModelError(f"model {checkpoint.name} cannot read the data: {one_line(refused)}")
    raise DataError(
        f"data.max_length: {checkpoint.name} reads at most {read} tokens, got {len(longest['input_ids'])}; set "
        f"data.max_length={read}"
    )


def _hollow(checkpoint: Checkpoint) -> Any:
    """Return the model with weights that take no memory: each is one zero, seen from everywhere."""
    with as_model_error(checkpoint), accelerate.init_empty_weights(include_buffers=False):
        model = transformers.AutoModelForSequenceClassification.from_config(
            config_for_classes(checkpoint.config, 2), trust_remote_code=False
        )
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            hollow = torch.zeros((), dtype=torch.float32).expand(parameter.shape)
            setattr(module, name, nn.Parameter(hollow, requires_grad=False))
        # What a layer does with an example does not depend on how many follow it.
        if isinstance(module, nn.ModuleList) and len(module) and not isinstance(module[0], nn.Embedding):
            module[0].register_forward_hook(_enough)
    return model.eval()


def _enough(*_: Any) -> None:
    raise _EnoughError


def _refusal(model: Any, row: Row) -> Exception | None:
    """Return why the model cannot read an example, or None."""
    inputs = {name: torch.tensor([values]) for name, values in row.items()}
    try:
        with torch.inference_mode():
            model(**inputs, attention_mask=torch.ones_like(inputs["input_ids"]))
    except _EnoughError:
        return None
    except Exception as error:  # each architecture has its own way to break
        return error
    return None


def _padded(row: Row, length: int, pad_token_id: int) -> Row:
    missing = length - len(row["input_ids"])
    return {name: [*values, *[pad_token_id if name == "input_ids" else 0] * missing] for name, values in row.items()}


def _check_tokens(checkpoint: Checkpoint, model: Any, rows: list[Row], pad_token_id: int) -> None:
    try:
        known = model.get_input_embeddings().num_embeddings
    except (AttributeError, NotImplementedError):  # CANINE reads characters
        return
    highest = max(pad_token_id, *(max(row["input_ids"]) for row in rows))
    if highest >= known:
        raise ModelError(
            f"model {checkpoint.name}: its tokenizer gives token {highest}, and the model knows tokens 0 to "
            f"{known - 1}; the two do not belong together"
        )
