"""Settings of a study: the parts of a study file as strict, frozen models.

An adapter has peft's own names, and its fields mean what they mean there. Checking them needs no training library.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from harness.study.strict import Fraction, Scalar, Strict, invalid
from harness.study.training import Training


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _test_sets(value: Any) -> Any:
    """Turn a list into a tuple, and a list of one into the one."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise invalid(f"expected the name of a split or data file, or a list of such names, got {value!r}")
    return names[0] if len(names) == 1 else tuple(names)


def _listed(tests: tuple[str, ...]) -> str:
    return f"the split {tests[0]!r}" if len(tests) == 1 else f"{len(tests)} test sets"


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class Data(Strict):
    """Where the examples come from, and how they become tokens."""

    path: str = Field(min_length=1)
    name: str | None = None
    revision: str | None = None
    text: Annotated[Texts, Field(min_length=1, max_length=2)] = ("sentence",)
    label: str = "label"
    cluster: str | None = None
    train: str = "train"
    test: Annotated[str | tuple[str, ...], BeforeValidator(_test_sets)] = "validation"
    test_fraction: float | None = Field(None, gt=0, lt=1)
    split_seed: int = Field(0, ge=0, lt=2**32)
    train_size: int | None = Field(None, ge=2)
    test_size: int | None = Field(None, ge=2)
    resample: float | None = Field(None, gt=0, lt=1)
    max_length: int = Field(128, ge=2)
    padding: Literal["longest", "max_length"] = "longest"
    padding_side: Literal["right", "left"] = "right"

    @model_validator(mode="after")
    def _scored_on_other_data(self) -> Data:
        if self.test_fraction is None and self.split_seed:
            raise invalid("split_seed: has an effect only with test_fraction; set test_fraction: 0.2")
        if self.test_fraction is not None and self.test != type(self).model_fields["test"].default:
            raise invalid(
                f"test_fraction: draws the test rows from train, but test names {_listed(self.tests)}; "
                "leave one of the two out (data.test=validation counts as left out)"
            )
        if self.train in self.tests:
            raise invalid(f"test: {self.train!r} is what the models are trained on; score them on another split")
        twice = [name for name, count in Counter(self.tests).items() if count > 1]
        if twice:
            raise invalid(f"test: given twice: {', '.join(twice)}; each test set counts once")
        return self

    @property
    def tests(self) -> tuple[str, ...]:
        """The test sets: splits of the data set, or data files."""
        return (self.test,) if isinstance(self.test, str) else self.test


Names = Annotated[tuple[str, ...], BeforeValidator(_tuple)]
# What peft would draw LoRA from, had a user's program first shown it the data; without that it starts plain LoRA.
_DRAWN_FROM_DATA = {
    "corda": "the covariance of the layers' inputs",
    "eva": "the layers' inputs on some of the data",
    "lora_ga": "the gradient on some of the data",
}


class LoraAdapter(Strict):
    """LoRA by the field names of `peft.LoraConfig`."""

    peft_type: Literal["LORA"]
    r: int = Field(8, ge=1, le=65536)
    lora_alpha: float = Field(8, gt=0)
    lora_dropout: Fraction = 0.0
    target_modules: str | Names | None = None
    exclude_modules: str | Names | None = None
    modules_to_save: Names | None = None
    layers_to_transform: int | Annotated[tuple[int, ...], BeforeValidator(_tuple)] | None = None
    bias: Literal["none", "all", "lora_only"] = "none"
    use_rslora: bool = False
    use_dora: bool = False
    init_lora_weights: bool | str = True
    fan_in_fan_out: bool | None = None

    @model_validator(mode="after")
    def _drawn_without_data(self) -> LoraAdapter:
        kind = self.init_lora_weights.lower() if isinstance(self.init_lora_weights, str) else ""
        source = next((source for name, source in _DRAWN_FROM_DATA.items() if kind.startswith(name)), None)
        if source is not None:
            raise invalid(
                f"init_lora_weights: {self.init_lora_weights!r} starts from {source}, which no run computes; "
                "use true, gaussian, pissa, olora or orthogonal"
            )
        if kind == "loftq":
            raise invalid("init_lora_weights: 'loftq' corrects for quantisation, and the harness quantises no model")
        return self


class OtherAdapter(BaseModel):
    """Any other adapter of peft: its fields pass through, and peft checks them."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    peft_type: str = Field(pattern=r"^[A-Z0-9_]+$")


def _adapter_kind(value: Any) -> str:
    kind = value.get("peft_type") if isinstance(value, Mapping) else getattr(value, "peft_type", "LORA")
    return "<other>" if isinstance(kind, str) and kind != "LORA" else "<lora>"


Adapter = Annotated[
    Annotated[LoraAdapter, Tag("<lora>")] | Annotated[OtherAdapter, Tag("<other>")],
    Discriminator(_adapter_kind),
]


class Freeze(Strict):
    """The embeddings and the first `layers` layers keep their pretrained weights, if asked all but their biases."""

    layers: int = Field(ge=0)
    dropout: Literal["on", "off"] = "on"
    biases: Literal["frozen", "trained"] = "frozen"


class BestEpoch(Strict):
    """Keep the epoch that is best on a held-out part of train, or, to reproduce a protocol, on the test split."""

    best: Literal["accuracy", "loss"]
    on: Literal["holdout", "test"] = "holdout"
    fraction: float = Field(0.1, gt=0, lt=1)
    patience: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _patience_needs_a_holdout(self) -> BestEpoch:
        given = self.model_fields_set & {"fraction", "patience"}
        if self.on == "test" and given:
            raise invalid(f"{' and '.join(sorted(given))}: only with on: holdout; the test split never stops training")
        return self


Selection = Annotated[
    Annotated[Literal["last"], Tag("<last>")] | Annotated[BestEpoch, Tag("<best>")],
    Discriminator(lambda value: "<last>" if isinstance(value, str) else "<best>"),
]


class Range(Strict):
    """One dimension of a search: between two numbers, on a log scale or not, or one of several."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: Annotated[tuple[Scalar, ...], BeforeValidator(_tuple)] | None = None

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Range:
        if (self.choices is None) == (self.low is None or self.high is None):
            raise invalid("expected either low and high, or choices")
        if self.low is not None and self.high is not None:
            if self.low >= self.high:
                raise invalid(f"expected low below high, got {self.low:g} and {self.high:g}")
            if self.log and self.low <= 0:
                raise invalid(f"expected low above 0 on a log scale, got {self.low:g}")
        return self


class SeedPair(Strict):
    """The seed of a trial's initialisation, and the seed of its order of the data."""

    initialisation: int
    data_order: int


class Search(Strict):
    """A search for an arm's settings on a held-out part of train, before its seeds run."""

    trials: int = Field(ge=1, le=10_000)
    on: Literal["holdout"] = "holdout"
    best: Literal["accuracy", "loss"] = "accuracy"
    fraction: float = Field(0.1, gt=0, lt=1)
    # How many candidates are proposed together, and so train together.
    batch: int = Field(4, ge=1, le=1_000)
    space: Mapping[str, Range] = Field(min_length=1)


class SeedsBySource(Strict):
    """Seeds of two kinds that cross: every initialisation with every order of the data."""

    initialisation: int = Field(ge=4, le=100)
    data_order: int = Field(ge=4, le=100)

    @property
    def pairs(self) -> tuple[SeedPair, ...]:
        """Every pair, by initialisation; its position is the number of the trial's seed."""
        return tuple(
            SeedPair(initialisation=i, data_order=j) for i in range(self.initialisation) for j in range(self.data_order)
        )


class Arm(Strict):
    """One arm with all settings filled in: what its trials are trained with."""

    training: Training = Field(default_factory=Training)
    adapter: Adapter | None = None
    freeze: Freeze | None = None
    selection: Selection = "last"
    search: Search | None = None
    factors: Mapping[str, Scalar] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way_of_freezing(self) -> Arm:
        if self.adapter is not None and self.freeze is not None:
            raise invalid("an adapter freezes the whole backbone already; leave out either adapter or freeze")
        return self

    @model_validator(mode="after")
    def _adalora_is_what_it_says(self) -> Arm:
        if self.adapter is None or self.adapter.peft_type != "ADALORA":
            return self
        # The Trainer computes a smoothed loss itself, from the logits, and leaves out what AdaLoRA adds to the model's.
        if self.training.label_smoothing_factor:
            raise invalid("adapter: ADALORA needs a loss without label smoothing; leave one of the two out")
        if isinstance(self.selection, BestEpoch) and self.selection.on == "holdout":
            raise invalid("adapter: ADALORA reaches its final rank only at the end of training; use selection: last")
        return self


class ArmBlock(Strict):
    """An arm as it is written: only what differs from the study, and a grid to make several arms of it."""

    training: Training = Field(default_factory=Training)
    adapter: Adapter | None = None
    freeze: Freeze | None = None
    selection: Selection | None = None
    search: Search | None = None
    grid: Mapping[str, list[Any]] = Field(default_factory=dict)


def is_whole(key: str) -> bool:
    """Whether the setting at a dotted key is a whole number."""
    part, _, name = key.partition(".")
    models: dict[str, type[BaseModel]] = {"training": Training, "adapter": LoraAdapter, "freeze": Freeze}
    model = models.get(part)
    return model is not None and name in model.model_fields and model.model_fields[name].annotation is int
