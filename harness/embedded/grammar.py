"""The grammar of the generated corpus: how a review of a given leaning is put into words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from harness.embedded import lexicon
from harness.embedded.lexicon import Field, Topic

MIN_WORDS, MAX_WORDS = 5, 20
DENIAL_RATE = 0.14

T = TypeVar("T")


class Dice:
    """Draws that use one method of the generator, so that the corpus depends on little of NumPy.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of every draw.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def below(self, probability: float) -> bool:
        """Return True with this probability."""
        return bool(self._rng.random() < probability)

    def pick(self, options: Sequence[T], *, skew: float = 1.0) -> T:
        """Return one of the options; a skew above 1 prefers the earlier ones."""
        return options[int(len(options) * self._rng.random() ** skew)]

    def two(self, options: Sequence[T]) -> tuple[T, T]:
        """Return two different options."""
        first = int(len(options) * self._rng.random())
        second = (first + 1 + int((len(options) - 1) * self._rng.random())) % len(options)
        return options[first], options[second]


def _with_article(phrase: str) -> str:
    vowel = phrase[0] in "aeiou" or phrase.startswith("honest")
    return f"an {phrase}" if vowel else f"a {phrase}"


class _Writer:
    """Writes clauses and sentences about one topic in one tense."""

    def __init__(self, dice: Dice, topic: Topic) -> None:
        self._dice = dice
        self._topic = topic
        self._past = dice.below(0.65)

    def sentence(self, good: bool, *, hearsay: float) -> str:
        """Write a sentence that leans one way, though its words may not."""
        if self._dice.below(hearsay):
            return self._hearsay(good)
        alone = (self._single, self._single, self._single)
        joined = (self._agreeing, self._agreeing, self._agreeing, self._agreeing)
        return self._dice.pick((*alone, *joined, self._contrast, self._contrast))(good)

    def undecided(self) -> str:
        """Write a sentence that leans neither way."""
        dice = self._dice
        thing = dice.pick(self._topic.things)
        good, bad = self._adjective(True)[0], self._adjective(False)[0]
        first, second = (good, bad) if dice.below(0.5) else (bad, good)
        aspects = [self._subject(field) for field in dice.two(self._topic.fields)]
        join = dice.pick((" and ", ", while ", "; "))
        return dice.pick(
            (
                f"{aspects[0]} {first}{join}{aspects[1]} {second}",
                f"some will call this {thing} {first}, others will call it {second}",
                f"it {self._be()} neither {first} nor {second}, just another {thing}",
                f"i still can't say whether this {thing} {self._be()} {first} or {second}",
                f"one half of this {thing} {self._be()} {first}, the other half {second}",
            )
        )

    def _be(self, plural: bool = False) -> str:
        if self._past:
            return "were" if plural else "was"
        return "are" if plural else "is"

    def _noun(self, field: Field) -> tuple[str, bool]:
        plural = self._dice.below(0.25)
        return self._dice.pick(field.plural if plural else field.singular), plural

    def _subject(self, field: Field) -> str:
        noun, plural = self._noun(field)
        return f"the {noun} {self._be(plural)}"

    def _adjective(self, good: bool, field: Field | None = None) -> tuple[str, bool]:
        """Pick an adjective of the leaning, and say whether it is a strong one."""
        field = field or self._topic.fields[0]
        kind = self._dice.pick(("field", "field", "field", "plain", "plain", "strong"))
        if kind == "field":
            return self._dice.pick(field.good if good else field.bad, skew=1.3), False
        if kind == "plain":
            return self._dice.pick(lexicon.GOOD_PLAIN if good else lexicon.BAD_PLAIN, skew=1.3), False
        return self._dice.pick(lexicon.GOOD_STRONG if good else lexicon.BAD_STRONG, skew=1.3), True

    def _denied(self, good: bool, field: Field | None = None) -> str:
        word, strong = self._adjective(not good, field)
        denial = self._dice.pick(lexicon.DENIALS if strong else lexicon.PLAIN_DENIALS)
        return f"{denial} {word}"

    def _judgement(self, good: bool, field: Field | None = None) -> str:
        """Words to follow *is*, such as *far from dull*."""
        dice = self._dice
        if dice.below(DENIAL_RATE):
            return self._denied(good, field)
        word, strong = self._adjective(good, field)
        if strong:
            return f"{dice.pick(lexicon.STRONG_INTENSIFIERS)} {word}" if dice.below(0.4) else word
        if dice.below(0.35):
            return f"{dice.pick(lexicon.INTENSIFIERS)} {word}"
        if dice.below(0.2):
            return f"{dice.pick(lexicon.GOOD_SOFTENERS if good else lexicon.BAD_SOFTENERS)} {word}"
        return word

    def _clause(self, good: bool) -> str:
        frequent = (self._aspect, self._aspect, self._aspect, self._whole, self._whole)
        return self._dice.pick((*frequent, self._feeling, self._effect, self._comparison, self._person))(good)

    def _aspect(self, good: bool) -> str:
        field = self._dice.pick(self._topic.fields)
        return f"{self._subject(field)} {self._judgement(good, field)}"

    def _whole(self, good: bool) -> str:
        dice = self._dice
        thing = dice.pick(self._topic.things)
        denial = dice.pick(("not", "never", "anything but", "hardly"))
        if dice.below(0.3):
            noun = dice.pick(lexicon.GOOD_NOUNS if good else lexicon.BAD_NOUNS)
            opposite = dice.pick(lexicon.BAD_NOUNS if good else lexicon.GOOD_NOUNS)
            description = f"{denial} {opposite}" if dice.below(DENIAL_RATE) else noun
            return f"this {thing} {self._be()} {description}"
        if dice.below(DENIAL_RATE):
            return f"it {self._be()} {denial} {_with_article(self._adjective(not good)[0])} {thing}"
        word, strong = self._adjective(good)
        if not strong and dice.below(0.3):
            word = f"{dice.pick(lexicon.INTENSIFIERS[:1] + lexicon.INTENSIFIERS[4:])} {word}"
        return f"it {self._be()} {_with_article(word)} {thing}"

    def _feeling(self, good: bool) -> str:
        dice = self._dice
        noun, _ = self._noun(dice.pick(self._topic.fields))
        who = dice.pick(("i", "we", "my sister", "everyone"))
        if who != "everyone" and dice.below(DENIAL_RATE):
            return f"{who} did not {dice.pick(lexicon.DISLIKE if good else lexicon.LIKE)} the {noun}"
        return f"{who} {dice.pick(lexicon.LIKED if good else lexicon.DISLIKED)} the {noun}"

    def _effect(self, good: bool) -> str:
        dice = self._dice
        noun = dice.pick(self._topic.things)
        if dice.below(DENIAL_RATE):
            return f"the {noun} never {dice.pick(lexicon.BAD_EFFECTS if good else lexicon.GOOD_EFFECTS)}"
        return f"the {noun} {dice.pick(lexicon.GOOD_EFFECTS if good else lexicon.BAD_EFFECTS)}"

    def _comparison(self, good: bool) -> str:
        dice = self._dice
        field = dice.pick(self._topic.fields)
        noun = self._subject(field)
        opinions = dice.pick(lexicon.OPINIONS)
        if dice.below(0.4):
            return f"{noun} {'better' if good else 'worse'} than {opinions} had promised"
        if dice.below(0.5):
            word = self._adjective(False, field)[0]
            return f"{noun} {'less' if good else 'even more'} {word} than i had feared"
        word = self._adjective(True, field)[0]
        return f"{noun} {'even more' if good else 'not nearly as'} {word} {'than' if good else 'as'} i had hoped"

    def _plan(self, good: bool) -> str:
        return f"{self._dice.pick(lexicon.GOOD_PLANS if good else lexicon.BAD_PLANS)} {self._topic.again}"

    def _person(self, good: bool) -> str:
        if self._dice.below(0.5):
            return self._plan(good)
        maker = self._dice.pick(self._topic.makers)
        return f"{maker} {self._dice.pick(lexicon.GOOD_DEEDS if good else lexicon.BAD_DEEDS)}"

    def _single(self, good: bool) -> str:
        dice = self._dice
        if dice.below(0.5):
            return f"{dice.pick(lexicon.LEADS)}, {self._clause(good)}"
        return f"{self._aspect(good)} {dice.pick(lexicon.TAILS)}"

    def _agreeing(self, good: bool) -> str:
        joint = self._dice.pick((" and ", " and ", ", and ", " because ", "; ", ", so "))
        second = self._plan(good) if joint == ", so " else self._clause(good)
        return f"{self._clause(good)}{joint}{second}"

    def _contrast(self, good: bool) -> str:
        dice = self._dice
        field = dice.pick(self._topic.fields)
        yielding, deciding = self._clause(not good), self._clause(good)
        noun, _ = self._noun(field)
        changing = f"{self._subject(field)} {self._judgement(not good, field)}"
        burden = f"the {self._adjective(not good, field)[0]} {noun}"
        return dice.pick(
            (
                f"{yielding}, but {deciding}",
                f"{yielding}, yet {deciding}",
                f"although {yielding}, {deciding}",
                f"{deciding}, although {yielding}",
                f"{deciding} even though {yielding}",
                f"despite {burden}, {deciding}",
                f"{deciding} in spite of {burden}",
                f"{changing} at first, but {self._judgement(good, field)} by the end",
            )
        )

    def _hearsay(self, good: bool) -> str:
        dice = self._dice
        thing = dice.pick(self._topic.things)
        opinions = dice.pick(lexicon.OPINIONS)
        word, opposite = self._adjective(good)[0], self._adjective(not good)[0]
        return dice.pick(
            (
                f"i expected {_with_article(opposite)} {thing} and got {_with_article(word)} one",
                f"{opinions} called it {opposite}, but {self._clause(good)}",
                f"{opinions} called it {opposite}, and they were quite wrong",
                f"{opinions} called it {word}, and they were right",
                f"{opinions} promised {_with_article(word)} {thing}, and {self._clause(good)}",
                f"do not believe {opinions} when they call this {thing} {opposite}",
                f"it could have been {_with_article(opposite)} {thing}, but {self._clause(good)}",
            )
        )


def _reads_well(text: str, topic: Topic) -> bool:
    words = text.replace(",", "").replace(";", "").split()
    nouns = {*topic.things, *(noun for field in topic.fields for noun in field.singular + field.plural)}
    named = [word for word in words if word in nouns] + ["again"] * text.count(topic.again)
    return MIN_WORDS <= len(words) <= MAX_WORDS and len(named) == len(set(named))


def write_sentence(dice: Dice, *, topic: Topic, leaning: int | None, hearsay: float) -> str:
    """Write one sentence.

    Parameters
    ----------
    dice : Dice
        Where the draws come from.
    topic : Topic
        What the sentence is about.
    leaning : int or None
        0 for a negative sentence, 1 for a positive one, None for one that leans neither way.
    hearsay : float
        How often the sentence weighs an expectation or the opinion of others, a probability.

    Returns
    -------
    str
        Lower-case words with punctuation, 5 to 20 of them, no noun of the topic twice.
    """
    while True:
        writer = _Writer(dice, topic)
        text = writer.undecided() if leaning is None else writer.sentence(leaning == 1, hearsay=hearsay)
        if _reads_well(text, topic):
            return f"{text}."
