"""An adapter of peft is put on a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from harness.errors import ModelError, did_you_mean, first_line
from harness.settings import Adapter


def adapted(model: Any, adapter: Adapter) -> nn.Module:
    """Put an adapter on a model; what stands outside the pretrained backbone is trained beside it.

    Raises
    ------
    ModelError
        If peft does not know the adapter, or it does not fit the model.
    """
    import peft

    fields = adapter.model_dump(exclude_none=True)
    kind = fields.pop("peft_type")
    config_type = peft.PEFT_TYPE_TO_CONFIG_MAPPING.get(kind)
    if config_type is None:
        known = sorted(str(getattr(k, "value", k)) for k in peft.PEFT_TYPE_TO_CONFIG_MAPPING)
        raise ModelError(f"adapter.peft_type: {kind!r} is unknown to peft{did_you_mean(kind, known)}")
    heads = _heads(model)
    saved = fields.get("modules_to_save")
    if saved is None:
        fields["modules_to_save"] = heads
    elif not set(heads) <= set(saved):
        # A head that is neither trained nor saved stays as it was drawn, and a reload draws another.
        raise ModelError(f"adapter.modules_to_save: must hold the new head ({', '.join(heads)}), got {list(saved)}")
    _check_modules(model, fields)
    fields = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    # GPT-2's c_attn is a Conv1D, which stores its weight the other way round; peft would notice and warn.
    if kind == "LORA" and "fan_in_fan_out" not in fields:
        fields["fan_in_fan_out"] = model.config.model_type == "gpt2"
    try:
        with_adapter: nn.Module = peft.get_peft_model(model, config_type(task_type="SEQ_CLS", **fields))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ModelError(f"adapter: peft refuses it: {first_line(error)}") from None
    return with_adapter


def _check_modules(model: nn.Module, fields: Mapping[str, Any]) -> None:
    """Name every target that is no module of the model, and the modules there are."""
    targets = fields.get("target_modules")
    if targets is None or isinstance(targets, str):
        return
    heads = set(_heads(model))
    inside = [
        name
        for name, module in model.named_modules()
        if name.split(".")[0] not in heads and "weight" in dict(module.named_parameters(recurse=False))
    ]
    for target in targets:
        if not any(name == target or name.endswith(f".{target}") for name in inside):
            endings = sorted({name.rsplit(".", 1)[-1] for name in inside})
            raise ModelError(
                f"adapter.target_modules: this model has no module {target!r}{did_you_mean(target, endings)}; "
                f"there are {', '.join(endings)}"
            )


def _heads(model: nn.Module) -> list[str]:
    """Return the modules that stand outside the pretrained backbone: they are new, so they must be trained."""
    return [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]
