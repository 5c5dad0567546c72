"""Reference studies: which studies the pages rest on, and what a small stand-in for the reports' models changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One reference study.

    Parameters
    ----------
    title : str
        What it is about, as a heading.
    file : str
        The name of its file in `studies/`, without the ending.
    own : tuple of str
        Overrides that make it the study that it is.
    stand_in : tuple of str
        Overrides for an encoder in the place of the reports' models, and for less time.
    """

    title: str
    file: str
    own: tuple[str, ...] = ()
    stand_in: tuple[str, ...] = ()


# The reports' LoRA is on GPT-2's c_attn, which an encoder has not. They have one test set; the other is twice as large.
_ADAPTED = "arms.lora.adapter.target_modules=[query,value]"
_SETS = "data.test=[validation,test]"
_SIZE, _SMALL = ("data.train_size=4000", "seeds=10"), ("data.train_size=1000", "seeds=10")
# Many arms on few sentences: a rate at which the stand-in learns from them, and no trial that decides nothing.
_MANY_ARMS = (*_SMALL, "training.learning_rate=1e-4", "analysis.looks=auto")

PLANNED = {
    "lora_rank": Planned(
        title="Full fine-tuning and LoRA of three ranks", file="lora_rank", stand_in=(_ADAPTED, _SETS, *_SIZE)
    ),
    "lora_rank_later": Planned(
        title="Full fine-tuning and LoRA at the rates of the later notebook",
        file="lora_rank",
        own=(
            "name=lora_rank_later",
            "arms.full.training.learning_rate=2e-4",
            "arms.lora.training.learning_rate=2e-4",
            "arms.lora.grid={adapter.r: [4]}",
            "analysis.comparisons=[]",
        ),
        stand_in=(_ADAPTED, _SETS, *_SIZE),
    ),
    "lora_rank_tuned": Planned(
        title="Full fine-tuning and LoRA, every learning rate tuned",
        file="lora_rank_tuned",
        stand_in=(_ADAPTED, *_SMALL, "search.trials=8", "search.fraction=0.2"),
    ),
    # An epoch cannot be picked on two test sets. What picking it on the first would do, the report of a study says.
    "distilbert": Planned(
        title="Freezing, and a cosine schedule", file="distilbert", stand_in=(_SETS, "selection=last", *_SIZE)
    ),
    "freeze_depth": Planned(title="How deep to freeze", file="freeze_depth", stand_in=_MANY_ARMS),
    "schedulers": Planned(title="The schedule and nothing else", file="schedulers", stand_in=_MANY_ARMS),
    "epochs": Planned(title="How many epochs", file="epochs", stand_in=_MANY_ARMS),
    "one_recipe": Planned(title="One recipe, many seeds", file="one_recipe"),
}
"""By name, in the order of docs/answer.md; the last has a page of its own."""
