"""Trials: one arm with one seed, and the content key that identifies it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness import seeding
from harness.study.settings import Arm, BestEpoch, SeedPair
from harness.study.strict import Strict
from harness.study.study import Study

# A change of what is hashed, or of how a trial is trained, is a new version: old records stay, under their old keys.
KEY_VERSION = "v2"
# A tuning trial's seed. Every candidate of a search gets the same one, so that candidates differ in settings only.
TUNING_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One arm with one seed: what an engine trains.

    Parameters
    ----------
    arm : str
        Name of the arm.
    seed : int
        The seed that the streams are derived from; with seeds by source only its number among them.
    pair : SeedPair or None
        With seeds by source, the two that the streams are derived from; else None.
    settings : Arm
        Everything that the arm sets.
    holdout : BestEpoch or None
        The hold-out that selects the epoch and may stop the training; None where nothing is held out.
    resample : float or None
        The share of the training split that the seed draws as its own training set; None where it takes all of it.
    tuning : bool
        Whether the trial belongs to a search: it is scored on its hold-out only, never on the test split.
    content : mapping
        All that decides the outcome, as JSON can hold it.
    key : str
        Versioned hash of `content`.
    """

    arm: str
    seed: int
    pair: SeedPair | None = None
    settings: Arm
    holdout: BestEpoch | None
    resample: float | None = None
    tuning: bool
    content: Mapping[str, Any]
    key: str

    @property
    def streams(self) -> seeding.Streams:
        """The trial's streams of random numbers."""
        if self.pair is None:
            return seeding.streams(self.seed)
        return seeding.crossed_streams(self.pair.initialisation, self.pair.data_order)


def expand(study: Study, *, arms: Mapping[str, Arm], model: str, data: str) -> tuple[Trial, ...]:
    """Return the study's trials, seed by seed, so that a run cut short has whole seeds for every arm.

    Parameters
    ----------
    study : Study
        The study.
    arms : mapping of str to Arm
        The arms with the winners of their searches filled in.
    model, data : str
        What identifies the checkpoint's content and the processed data's.
    """
    return tuple(
        make_trial(study, name, arm, seed=seed, pair=pair, model=model, data=data)
        for seed, pair in study.numbered_seeds.items()
        for name, arm in arms.items()
    )


def make_trial(
    study: Study,
    name: str,
    arm: Arm,
    *,
    seed: int,
    pair: SeedPair | None = None,
    model: str,
    data: str,
    tuning: bool = False,
) -> Trial:
    """Return one trial with its key."""
    holdout = arm.selection if isinstance(arm.selection, BestEpoch) and arm.selection.on == "holdout" else None
    if tuning and arm.search is not None:
        # A candidate stops and picks its epoch as the arm will; the search judges it on its own hold-out.
        judged = {"best": arm.search.best} if holdout is None else {"best": holdout.best, "patience": holdout.patience}
        holdout = BestEpoch.model_validate({"on": "holdout", "fraction": arm.search.fraction, **judged})
    content = {
        "model": model,
        "data": {
            "fingerprint": data,
            "padding": study.data.padding,
            "padding_side": study.data.padding_side,
            "max_length": study.data.max_length if study.data.padding == "max_length" else None,
            # Left out where it is off, so that trials from before it was a setting keep their keys.
            **({} if study.data.resample is None else {"resample": study.data.resample}),
        },
        "training": _settings(arm.training, later="tf32"),
        "adapter": arm.adapter.model_dump(mode="json") if arm.adapter else None,
        "freeze": _settings(arm.freeze, later="biases") if arm.freeze else None,
        "holdout": holdout.model_dump(mode="json", include={"best", "fraction", "patience"}) if holdout else None,
        # With seeds by source a trial is its pair, whatever its number among them.
        "seed": seed if pair is None else pair.model_dump(),
    }
    if tuning:
        content["tuning"] = True
    return Trial(
        arm=name,
        seed=seed,
        pair=pair,
        settings=arm,
        holdout=holdout,
        resample=study.data.resample,
        tuning=tuning,
        content=content,
        key=key_of(content),
    )


def _settings(settings: Strict, *, later: str) -> dict[str, Any]:
    """Return settings as JSON; a field that came later is left out where it is off, so that older keys stay."""
    off = type(settings).model_fields[later].default
    return settings.model_dump(mode="json", exclude={later} if getattr(settings, later) == off else None)


def key_of(content: Mapping[str, Any]) -> str:
    """Return the versioned hash of what decides a trial's outcome.

    Examples
    --------
    >>> key_of({"seed": 0}) == key_of({"seed": 0}) != key_of({"seed": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{KEY_VERSION}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"
