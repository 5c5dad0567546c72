"""Adapters: a peft adapter is checked against a model and added to it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from torch import nn

from harness.errors import ModelError, did_you_mean, first_line
from harness.study.settings import Adapter

# What an adapter draws from a seed of its own, under peft's several names. Its default would give every trial the same
# draw, and a verdict over seeds would speak of that draw alone.
_KEYS = ("projection_prng_key", "projection_seed", "proj_seed", "random_loc_seed", "random_seed")
# AdaLoRA starts with more ranks than its budget leaves in the end, by the share that its authors advise.
_ADALORA_START = 1.5


def add_adapter(model: Any, adapter: Adapter, *, new: Collection[str], key: int, steps: int | None) -> nn.Module:
    """Put an adapter on a model; the head and whatever else is new are trained beside it.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        The model.
    adapter : Adapter
        As the study sets it.
    new : collection of str
        The model's parameters that no checkpoint brought.
    key : int
        Draws what the adapter draws from a seed of its own.
    steps : int or None
        Optimizer steps of the whole training; None where they are not known, as in a plan.

    Raises
    ------
    ModelError
        If peft does not know the adapter, it does not fit the model, or it would not be what its name says.
    """
    import peft

    fields = adapter.model_dump(exclude_none=True)
    kind = fields.pop("peft_type")
    config_type = peft.PEFT_TYPE_TO_CONFIG_MAPPING.get(kind)
    if config_type is None:
        known = sorted(str(getattr(k, "value", k)) for k in peft.PEFT_TYPE_TO_CONFIG_MAPPING)
        raise ModelError(f"adapter.peft_type: {kind!r} is unknown to peft{did_you_mean(kind, known)}")
    known_fields = set(config_type.__dataclass_fields__)
    if "modules_to_save" not in known_fields:
        raise ModelError(f"adapter.peft_type: {kind} takes no modules_to_save, so nothing would train the new head")
    _check_keys(fields)
    fields["modules_to_save"] = _beside(model, new, fields.get("modules_to_save"))
    _check_modules(model, fields)
    _check_layers(model, fields)
    if kind == "ADALORA":
        fields |= _budget(fields, steps)
    fields |= {name: key for name in _KEYS if name in known_fields}
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    # GPT-2's c_attn is a Conv1D, which stores its weight the other way round; peft would notice and warn.
    if kind == "LORA" and "fan_in_fan_out" not in fields:
        fields["fan_in_fan_out"] = model.config.model_type == "gpt2"
    outline = next(model.parameters()).is_meta
    try:
        with_adapter: nn.Module = peft.get_peft_model(model, config_type(task_type="SEQ_CLS", **fields))
    except MemoryError:
        raise
    except Exception as error:
        if outline and isinstance(error, RuntimeError):
            raise  # it may want values, which an outline has none of
        raise ModelError(f"adapter: peft refuses it: {first_line(error)}") from None
    trained_of_adapter = (
        name for name, p in with_adapter.named_parameters() if p.requires_grad and ".modules_to_save." not in name
    )
    if next(trained_of_adapter, None) is None:
        raise ModelError(
            f"adapter: peft puts no {kind} on these modules of this model, so only the head would be trained"
        )
    _check_put(with_adapter, kind, fields)
    return with_adapter


def rank_allocator_of(model: nn.Module) -> Any:
    """Return the adapter that must hear of every optimizer step, as AdaLoRA, which takes ranks away; else None."""
    tuner = getattr(model, "base_model", None)
    return tuner if hasattr(tuner, "update_and_allocate") else None


def _budget(fields: Mapping[str, Any], steps: int | None) -> dict[str, Any]:
    """Return AdaLoRA's ranks and steps: `r` is the rank that its budget leaves for each layer in the end."""
    if "total_step" in fields:
        raise ModelError("adapter.total_step: leave it out; it is the number of the trial's own steps")
    if "r" in fields and "target_r" in fields:
        raise ModelError("adapter: for ADALORA r and target_r both mean the final rank; give one of them")
    ranks = {name: fields[name] for name in ("r", "target_r", "init_r", "tinit", "tfinal") if name in fields}
    for name, value in ranks.items():
        if not isinstance(value, int) or value < 0:
            raise ModelError(f"adapter.{name}: expected a whole number, got {value!r}")
    target = ranks.get("r", ranks.get("target_r", 8))
    start = ranks.get("init_r", math.ceil(_ADALORA_START * target))
    if not 0 < target < start:
        raise ModelError(f"adapter: ADALORA needs a final rank below its initial rank, got {target} and {start}")
    apart = ranks.get("tinit", 0) + ranks.get("tfinal", 0)
    if steps is not None and steps <= apart:
        raise ModelError(f"adapter: tinit and tfinal leave ADALORA no step to reduce the rank: {apart} of {steps}")
    # peft warns of any r but its default, and ignores it.
    return {"r": 8, "target_r": target, "init_r": start, "total_step": steps or apart + 1}


def _check_keys(fields: Mapping[str, Any]) -> None:
    """Refuse a seed of the adapter's own: it would be the same for every seed of the study."""
    for name in fields:
        if re.search(r"(^|_)(seed|prng_key)$", name):
            raise ModelError(f"adapter.{name}: leave it out; each trial's seed sets it, or all would draw the same")


def _beside(model: Any, new: Collection[str], asked: Any) -> list[str]:
    """Return the modules that are trained beside the adapter: the head, what else is new, and what the study names."""
    heads, fresh = _heads(model), new_modules(model, new)
    if asked is None:
        return [*heads, *fresh]
    if not set(heads) <= set(asked):
        # A head that is neither trained nor saved stays as it was drawn, and a reload draws another.
        raise ModelError(f"adapter.modules_to_save: must include the new head ({', '.join(heads)}), got {list(asked)}")
    names = [name for name, _ in model.named_modules()]
    _check_named("modules_to_save", asked, names)
    named = [name for name in names if any(_is_named(name, module) for module in asked)]
    # What stands within a module that the study names is trained with it.
    return [
        *asked,
        *(module for module in fresh if not any(module == name or module.startswith(f"{name}.") for name in named)),
    ]


def new_modules(model: Any, new: Collection[str]) -> list[str]:
    """Return the backbone's modules that no checkpoint brought, such as BERT's pooler after pretraining without it."""
    heads = set(_heads(model))
    return [
        name
        for name, module in model.named_modules()
        if name.split(".")[0] not in heads
        and any(f"{name}.{parameter}" in new for parameter, _ in module.named_parameters(recurse=False))
    ]


def _check_modules(model: nn.Module, fields: Mapping[str, Any]) -> None:
    """Name every target that is no module of the model, and the modules there are."""
    heads = set(_heads(model))
    names = [name for name, _ in model.named_modules()]
    inside = [
        name
        for name, module in model.named_modules()
        if name.split(".")[0] not in heads and "weight" in dict(module.named_parameters(recurse=False))
    ]
    for field in ("target_modules", "feedforward_modules"):
        _check_named(field, fields.get(field), inside)
    _check_named("exclude_modules", fields.get("exclude_modules"), names)


def _check_named(field: str, targets: Any, names: Sequence[str]) -> None:
    if not isinstance(targets, list | tuple):
        return
    for target in targets:
        if not any(_is_named(name, target) for name in names):
            endings = sorted({name.rsplit(".", 1)[-1] for name in names if name} - {str(i) for i in range(len(names))})
            raise ModelError(
                f"adapter.{field}: this model has no module {target!r}{did_you_mean(target, endings)}; "
                f"there are {', '.join(endings)}"
            )


def _is_named(name: str, target: str) -> bool:
    """Whether peft means a module by a target: its whole name, or the end of it."""
    return name == target or name.endswith(f".{target}")


def _check_put(model: nn.Module, kind: str, fields: Mapping[str, Any]) -> None:
    """Refuse a target that peft passed over without a word, and a pattern that is for none of the adapted modules."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    put = [name for name, module in model.named_modules() if isinstance(module, BaseTunerLayer)]
    targets = fields.get("target_modules")
    for target in targets if isinstance(targets, list) else []:
        if not any(_is_named(name, target) for name in put):
            limits = [name for name in ("layers_to_transform", "exclude_modules") if name in fields]
            why = f"; {' and '.join(limits)} may leave it out" if limits else ""
            raise ModelError(f"adapter.target_modules: peft puts no {kind} on {target!r} of this model{why}")
    for field in ("rank_pattern", "alpha_pattern"):
        for pattern in fields.get(field) or ():
            if not any(re.match(rf"(.*\.)?({pattern})$", name) for name in put):
                raise ModelError(f"adapter.{field}: {pattern!r} matches no module that has an adapter")


def _check_layers(model: Any, fields: Mapping[str, Any]) -> None:
    """Refuse a layer that the model does not have: peft would leave it out without a word."""
    asked = fields.get("layers_to_transform")
    n_layers = getattr(model.config, "num_hidden_layers", None)
    if asked is None or n_layers is None:
        return
    for layer in asked if isinstance(asked, list | tuple) else [asked]:
        if isinstance(layer, bool) or layer not in range(n_layers):
            raise ModelError(
                f"adapter.layers_to_transform: expected 0 to {n_layers - 1}, the layers of this model, got {layer!r}"
            )


def _heads(model: nn.Module) -> list[str]:
    """Return the modules that stand outside the pretrained backbone: they are new, so they must be trained."""
    return [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]
