"""Parameter counts of known encoders: how many each has and trains, to check published counts against.

The sizes are those of the published checkpoints: GPT-2 (Radford et al. 2019), DistilBERT and DistilRoBERTa (Sanh et al.
2019), BERT (Devlin et al. 2019), RoBERTa (Liu et al. 2019). LoRA is Hu et al. (2022), counted as peft builds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCounts:
    """The parameters of one model.

    Parameters
    ----------
    total : int
        All of them, as peft's ``print_trainable_parameters`` counts: for an adapter, the checkpoint with its head, the
        adapter, and the copy of the head that peft trains.
    trainable : int
        Those that are trained.
    """

    total: int
    trainable: int


@dataclass(frozen=True, slots=True)
class _Encoder:
    family: str
    owner: str
    hidden: int
    layers: int
    vocabulary: int
    positions: int
    token_types: int = 0

    @property
    def embeddings(self) -> int:
        norm = 0 if self.family == "gpt2" else 2 * self.hidden
        return (self.vocabulary + self.positions + self.token_types) * self.hidden + norm

    @property
    def layer(self) -> int:
        # Query, key, value, output; two feed-forward layers, four times as wide inside; two norms.
        return 4 * _linear(self.hidden, self.hidden) + 8 * self.hidden**2 + 5 * self.hidden + 4 * self.hidden

    @property
    def after_layers(self) -> int:
        # Of the checkpoint, not of the head: GPT-2's last norm, BERT's pooler.
        return {"gpt2": 2 * self.hidden, "bert": _linear(self.hidden, self.hidden)}.get(self.family, 0)

    def head(self, classes: int) -> int:
        # peft copies and trains the modules whose names end in `classifier` or `score`. That is the whole head in every
        # family: DistilBERT's `pre_classifier` ends so too, and RoBERTa's `classifier` holds both of its layers.
        if self.family == "gpt2":
            return self.hidden * classes
        dense = 0 if self.family == "bert" else _linear(self.hidden, self.hidden)
        return dense + _linear(self.hidden, classes)


def _linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


_ENCODERS = {
    "gpt2": _Encoder("gpt2", "openai-community", 768, 12, 50257, 1024),
    "gpt2-medium": _Encoder("gpt2", "openai-community", 1024, 24, 50257, 1024),
    "gpt2-large": _Encoder("gpt2", "openai-community", 1280, 36, 50257, 1024),
    "gpt2-xl": _Encoder("gpt2", "openai-community", 1600, 48, 50257, 1024),
    "distilbert-base-uncased": _Encoder("distilbert", "distilbert", 768, 6, 30522, 512),
    "distilbert-base-cased": _Encoder("distilbert", "distilbert", 768, 6, 28996, 512),
    "bert-base-uncased": _Encoder("bert", "google-bert", 768, 12, 30522, 512, 2),
    "bert-base-cased": _Encoder("bert", "google-bert", 768, 12, 28996, 512, 2),
    "bert-large-uncased": _Encoder("bert", "google-bert", 1024, 24, 30522, 512, 2),
    "bert-large-cased": _Encoder("bert", "google-bert", 1024, 24, 28996, 512, 2),
    "roberta-base": _Encoder("roberta", "FacebookAI", 768, 12, 50265, 514, 1),
    "roberta-large": _Encoder("roberta", "FacebookAI", 1024, 24, 50265, 514, 1),
    "distilroberta-base": _Encoder("roberta", "distilbert", 768, 6, 50265, 514, 1),
}

# Inputs plus outputs of the modules of this name in one layer, in hidden widths; GPT-2 has two named c_proj. `dense` is
# left out: it also names BERT's pooler, which peft adapts, and a part of RoBERTa's head, which it does not.
_ATTENTION = {"query": 2, "key": 2, "value": 2}
_TARGETS = {
    "gpt2": {"c_attn": 4, "c_proj": 7, "c_fc": 5},
    "distilbert": {"q_lin": 2, "k_lin": 2, "v_lin": 2, "out_lin": 2, "lin1": 5, "lin2": 5},
    "bert": _ATTENTION,
    "roberta": _ATTENTION,
}


def known_model(model: str) -> str | None:
    """Short name of a model whose sizes are known; None for any other, and for another owner's model of that name.

    Parameters
    ----------
    model : str
        A name on the Hub, with or without its owner.

    Examples
    --------
    >>> known_model("openai-community/gpt2")
    'gpt2'
    >>> known_model("somebody-else/gpt2") is None
    True
    """
    owner, slash, name = model.rpartition("/")
    encoder = _ENCODERS.get(name)
    return name if encoder is not None and (not slash or owner == encoder.owner) else None


def same_model(name: str, other: str) -> bool:
    """Return whether two names stand for one model.

    Examples
    --------
    >>> same_model("gpt2", "openai-community/gpt2"), same_model("gpt2", "gpt2-large")
    (True, False)
    """
    return (known_model(name) or name) == (known_model(other) or other)


def sequence_classifier_parameters(
    model: str,
    *,
    classes: int,
    lora_rank: int | None = None,
    target_modules: Sequence[str] = (),
    frozen_layers: int | None = None,
) -> ParameterCounts | None:
    """Parameters of a model with transformers' head for classifying sequences; None where the model is not known.

    Parameters
    ----------
    model : str
        A name on the Hub, with or without its owner.
    classes : int
        Number of labels; 2 or more.
    lora_rank : int or None
        Rank of a LoRA adapter without biases (peft, task ``SEQ_CLS``); None for none.
    target_modules : sequence of str
        The modules that LoRA adapts in every layer, by the last part of their names; with a rank only.
    frozen_layers : int or None
        How many layers are frozen after the embeddings, which then are frozen too; None for nothing frozen.

    Raises
    ------
    ValueError
        If a number is outside its range, a target is unknown or missing, or LoRA is combined with freezing.

    Examples
    --------
    >>> sequence_classifier_parameters("gpt2", classes=2)
    ParameterCounts(total=124441344, trainable=124441344)
    >>> sequence_classifier_parameters("gpt2", classes=2, lora_rank=4, target_modules=["c_attn"])
    ParameterCounts(total=124590336, trainable=148992)
    """
    if classes < 2:
        raise ValueError(f"classes: expected 2 or more, got {classes!r}")
    if lora_rank is not None and lora_rank < 1:
        raise ValueError(f"lora_rank: expected 1 or more, got {lora_rank!r}")
    if lora_rank is not None and frozen_layers is not None:
        raise ValueError(f"expected lora_rank or frozen_layers, got both: {lora_rank!r} and {frozen_layers!r}")
    if lora_rank is None and target_modules:
        raise ValueError(f"target_modules: expected none without lora_rank, got {list(target_modules)!r}")
    name = known_model(model)
    if name is None:
        return None
    encoder = _ENCODERS[name]
    head = encoder.head(classes)
    total = encoder.embeddings + encoder.layers * encoder.layer + encoder.after_layers + head
    if lora_rank is not None:
        widths, targets = _TARGETS[encoder.family], set(target_modules)
        if not targets or not targets <= set(widths):
            expected = f"expected one or more of {', '.join(widths)} for {name}"
            raise ValueError(f"target_modules: {expected}, got {list(target_modules)!r}")
        adapter = lora_rank * encoder.layers * encoder.hidden * sum(widths[target] for target in targets)
        return ParameterCounts(total=total + adapter + head, trainable=adapter + head)
    if frozen_layers is None:
        return ParameterCounts(total=total, trainable=total)
    if not 0 <= frozen_layers <= encoder.layers:
        raise ValueError(f"frozen_layers: expected 0 to {encoder.layers}, the layers of {name}, got {frozen_layers!r}")
    return ParameterCounts(total=total, trainable=total - encoder.embeddings - frozen_layers * encoder.layer)
