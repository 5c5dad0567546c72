"""Messages about claims files: what each key may hold, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import get_args

from analysis.problems import Allowed, either
from analysis.published.claims_epochs import Criterion, Log, PublishedSelection
from analysis.published.claims_fields import MOST_EXAMPLES
from analysis.published.claims_schema import ClaimedRelation, Pair, ReportBlock, RunsSd, SeedSd, System
from analysis.published.claims_tuning import Freeze, Lora, Tuning
from analysis.published.spreads import SpreadKind

_FIGURE = "a share such as 0.883 or 88.3%"
_DDOF = "0 (divided by the number of runs) or 1 (divided by one less)"

# Both a report and a system may state a selection and settings.
_SHARED_KEYS: Mapping[tuple[str, ...], Sequence[str]] = {("selection",): tuple(PublishedSelection.model_fields)}
_SHARED_CHOICES: Mapping[tuple[str, ...], Sequence[str]] = {
    ("selection", "best"): get_args(Criterion),
    ("selection", "on"): ("test", "holdout"),
    ("spread",): get_args(SpreadKind),
}
_SHARED_VALUES: Mapping[tuple[str, ...], str] = {
    **{path: either(choices) for path, choices in _SHARED_CHOICES.items()},
    ("settings",): "a mapping of settings to values",
}

TOP = Allowed(
    keys={
        (): ("title", "reports", *ReportBlock.model_fields),
        ("seed_sd",): tuple(SeedSd.model_fields),
        **_SHARED_KEYS,
    },
    values={
        ("source",): "a text that says where the figures come from",
        ("n",): f"a whole number of test examples from 1 to {MOST_EXAMPLES:,}",
        ("model",): "a text with the name of a model",
        ("data",): "a text with the name of a data set",
        ("classes",): "a mapping of classes to their numbers of test examples",
        ("seed_sd",): f"{_FIGURE}, or {{value: 0.8%, runs: 5, ddof: 1}}",
        ("seed_sd", "value"): _FIGURE,
        ("seed_sd", "runs"): "a whole number of runs, 2 or more",
        ("seed_sd", "ddof"): _DDOF,
        **_SHARED_VALUES,
        ("systems",): "a mapping of names to figures, such as {full: {accuracy: 0.883}}",
    },
    choices=_SHARED_CHOICES,
)
REPORT = dataclasses.replace(TOP, keys={**TOP.keys, (): tuple(ReportBlock.model_fields)})
SYSTEM = Allowed(
    keys={
        (): tuple(System.model_fields),
        **_SHARED_KEYS,
        ("log",): tuple(Log.model_fields),
        ("sd",): tuple(RunsSd.model_fields),
        ("tuning",): tuple(Tuning.model_fields),
        ("tuning", "lora"): tuple(Lora.model_fields),
        ("tuning", "freeze"): tuple(Freeze.model_fields),
    },
    values={
        ("tuning", "lora"): "a mapping such as {r: 4, target_modules: [c_attn]}",
        ("tuning", "lora", "r"): "a whole number above 0",
        ("tuning", "lora", "target_modules"): "a list of module names such as [c_attn]",
        ("tuning", "lora", "target_modules", "[]"): "the name of a module",
        ("tuning", "freeze"): "a mapping such as {layers: 3}",
        ("tuning", "freeze", "layers"): "a whole number of layers, 0 or more",
        **_SHARED_VALUES,
        ("log",): "a mapping such as {accuracy: [0.852, 0.862], loss: [0.33, 0.32]}",
        ("arm",): "a text with the name of an arm",
        ("sd",): f"{_FIGURE}, or {{value: 0.8%, ddof: 1}}",
        ("sd", "value"): _FIGURE,
        ("sd", "ddof"): _DDOF,
    },
    choices=_SHARED_CHOICES,
)
PAIR = Allowed(
    keys={(): tuple(Pair.model_fields)},
    values={
        ("treatment",): "the name of a system",
        ("baseline",): "the name of a system",
        ("said",): either(get_args(ClaimedRelation)),
        ("words",): "a text",
    },
    choices={("said",): get_args(ClaimedRelation)},
)
