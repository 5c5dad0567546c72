"""The generated sentiment corpus: short reviews in the columns and splits of SST-2.

A grammar writes each sentence for a chosen leaning, good or bad. Negation, contrast and reported opinions
often put words of the opposite leaning into it, so that counting words is not enough. The noise is of two
kinds, and no model can learn either: some sentences lean neither way and have a label drawn by a fair coin,
and a share of all other labels is turned round.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.embedded import lexicon
from harness.embedded.grammar import Dice, write_sentence

SIZES = {"train": 6000, "validation": 800, "test": 800}
UNDECIDED_RATE = 0.06
FLIP_RATE = 0.04
# The reviews for pretraining hold no hearsay: what it does to a verdict is left for fine-tuning to learn.
HEARSAY_RATE = 0.25

_LABELLED_SEED = 20_240_611
_UNLABELLED_SEED = 20_240_612
_STARS_WHEN_GOOD = (5, 5, 5, 5, 5, 5, 4, 4, 4, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled sentence.

    Parameters
    ----------
    sentence : str
        Lower-case English of 5 to 20 words.
    label : int
        0 for negative, 1 for positive.
    leaning : int or None
        What the grammar meant, 0 or 1; None where the sentence leans neither way and the label is a coin's.
    """

    sentence: str
    label: int
    leaning: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One unlabelled text for pretraining.

    Parameters
    ----------
    text : str
        One to three sentences.
    stars : int
        What the reviewer gave, 1 to 5.
    """

    text: str
    stars: int

    @property
    def rating(self) -> str:
        """The stars in words, such as *two stars*."""
        return ("one star", "two stars", "three stars", "four stars", "five stars")[self.stars - 1]


@cache
def labelled() -> dict[str, tuple[Example, ...]]:
    """Generate the three labelled splits; no sentence occurs twice, within a split or between them.

    Returns
    -------
    dict
        The examples of ``train``, ``validation`` and ``test``, in that order; always the same ones.
    """
    dice = Dice(np.random.Generator(np.random.PCG64(_LABELLED_SEED)))
    examples: dict[str, Example] = {}
    while len(examples) < sum(SIZES.values()):
        leaning = None if dice.below(UNDECIDED_RATE) else int(dice.below(0.5))
        text = write_sentence(dice, topic=dice.pick(lexicon.TOPICS), leaning=leaning, hearsay=HEARSAY_RATE)
        meant = int(dice.below(0.5)) if leaning is None else leaning
        flipped = leaning is not None and dice.below(FLIP_RATE)
        examples.setdefault(text, Example(sentence=text, label=1 - meant if flipped else meant, leaning=leaning))
    remaining = iter(examples.values())
    return {name: tuple(next(remaining) for _ in range(size)) for name, size in SIZES.items()}


def unlabelled(size: int) -> Iterator[Review]:
    """Generate reviews without labels, for language modelling.

    The sentences of one review share their topic and their leaning, and its stars follow the leaning loosely.
    No sentence is in the validation or the test split.

    Parameters
    ----------
    size : int
        Number of reviews drawn; the few that the held-out splits leave empty are dropped.
    """
    held_out = {example.sentence for name in ("validation", "test") for example in labelled()[name]}
    dice = Dice(np.random.Generator(np.random.PCG64(_UNLABELLED_SEED)))
    for _ in range(size):
        topic, leaning = dice.pick(lexicon.TOPICS), int(dice.below(0.5))
        sentences: list[str] = []
        for _ in range(dice.pick((1, 1, 1, 2, 3))):
            meant = None if dice.below(UNDECIDED_RATE) else leaning
            text = write_sentence(dice, topic=topic, leaning=meant, hearsay=0.0)
            if text not in held_out:
                sentences.append(text)
        happiness = dice.pick(_STARS_WHEN_GOOD)
        if sentences:
            yield Review(text=" ".join(sentences), stars=happiness if leaning == 1 else 6 - happiness)


def fingerprint() -> str:
    """Hash every sentence and label of the labelled corpus (SHA-256, hexadecimal)."""
    digest = hashlib.sha256()
    for name, examples in labelled().items():
        for example in examples:
            digest.update(f"{name}\t{example.label}\t{example.sentence}\n".encode())
    return digest.hexdigest()
