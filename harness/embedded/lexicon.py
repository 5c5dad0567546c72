"""The words of the generated corpus: what the reviews are about, and how they praise and complain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One side of a topic that reviewers judge with the same words, such as the food of a meal.

    Parameters
    ----------
    singular, plural : tuple of str
        Nouns that take *is* and *are*.
    good, bad : tuple of str
        Adjectives for these nouns, the most frequent first. One word may be good in one field and bad in
        another: a loud concert, a loud room.
    """

    singular: tuple[str, ...]
    plural: tuple[str, ...]
    good: tuple[str, ...]
    bad: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A kind of thing that is reviewed.

    Parameters
    ----------
    things : tuple of str
        Nouns for the whole, each usable as *a good ...* with the adjectives of the first field.
    makers : tuple of str
        Who made it or works there, singular, with the article.
    again : str
        What a happy reviewer would do again, in the infinitive.
    fields : tuple of Field
        The sides that reviewers judge.
    """

    things: tuple[str, ...]
    makers: tuple[str, ...]
    again: str
    fields: tuple[Field, Field]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TOPICS = (
    Topic(
        things=_words("film movie comedy thriller drama sequel"),
        makers=("the director", "the cast", "the leading actor"),
        again="watch it again",
        fields=(
            Field(
                singular=_words("plot story script ending dialogue opening"),
                plural=_words("jokes characters twists"),
                good=_words("funny moving gripping clever witty touching original sharp dark daring"),
                bad=_words("predictable silly thin clumsy shallow confusing hollow lazy sentimental stale"),
            ),
            Field(
                singular=_words("acting photography lighting soundtrack editing"),
                plural=_words("costumes performances sets"),
                good=_words("subtle confident graceful striking warm inventive"),
                bad=_words("wooden lifeless stiff careless flat amateurish"),
            ),
        ),
    ),
    Topic(
        things=_words("book novel memoir story biography"),
        makers=("the author", "the translator", "the writer"),
        again="read it again",
        fields=(
            Field(
                singular=_words("plot ending beginning mystery romance"),
                plural=_words("characters chapters scenes"),
                good=_words("gripping moving original clever strange honest touching tender rich"),
                bad=_words("predictable slow confusing shallow contrived thin sentimental repetitive long"),
            ),
            Field(
                singular=_words("style prose language translation"),
                plural=_words("sentences descriptions"),
                good=_words("clear vivid elegant lively precise light"),
                bad=_words("heavy dry stiff clumsy wordy lifeless"),
            ),
        ),
    ),
    Topic(
        things=_words("meal dinner lunch breakfast"),
        makers=("the cook", "the chef", "the waiter"),
        again="eat here again",
        fields=(
            Field(
                singular=_words("soup bread fish sauce dessert salad cake coffee"),
                plural=_words("vegetables potatoes starters"),
                good=_words("delicious fresh tasty hot rich crisp light simple"),
                bad=_words("bland cold greasy burnt stale soggy salty raw heavy"),
            ),
            Field(
                singular=_words("service staff"),
                plural=_words("waiters"),
                good=_words("friendly quick attentive warm cheerful polite"),
                bad=_words("slow rude careless cold clumsy forgetful"),
            ),
        ),
    ),
    Topic(
        things=_words("concert album record show"),
        makers=("the singer", "the band", "the conductor"),
        again="listen to it again",
        fields=(
            Field(
                singular=_words("music sound singing rhythm melody"),
                plural=_words("songs voices lyrics"),
                good=_words("lively wild catchy tender raw loud bold haunting warm"),
                bad=_words("lifeless flat repetitive thin sleepy tired quiet hollow"),
            ),
            Field(
                singular=_words("playing performance orchestra"),
                plural=_words("musicians guitars drums"),
                good=_words("confident tight precise inspired graceful passionate"),
                bad=_words("careless sloppy stiff nervous clumsy mechanical"),
            ),
        ),
    ),
    Topic(
        things=_words("hotel guesthouse inn cottage"),
        makers=("the owner", "the manager", "the housekeeper"),
        again="stay here again",
        fields=(
            Field(
                singular=_words("room bed bathroom garden balcony"),
                plural=_words("bedrooms beds towels"),
                good=_words("clean comfortable quiet bright cosy spacious warm simple"),
                bad=_words("dirty noisy damp cramped shabby dark cold loud hot"),
            ),
            Field(
                singular=_words("reception staff welcome"),
                plural=_words("receptionists"),
                good=_words("friendly helpful polite quick cheerful patient"),
                bad=_words("rude slow unhelpful careless forgetful lazy"),
            ),
        ),
    ),
    Topic(
        things=_words("museum exhibition gallery collection"),
        makers=("the curator", "the guide", "the painter"),
        again="visit it again",
        fields=(
            Field(
                singular=_words("building display layout tour"),
                plural=_words("paintings portraits sculptures rooms"),
                good=_words("beautiful striking surprising bold vivid bright strange inventive spacious"),
                bad=_words("ugly shabby lifeless confusing crowded gloomy repetitive cramped long"),
            ),
            Field(
                singular=_words("commentary catalogue"),
                plural=_words("labels explanations"),
                good=_words("clear helpful lively precise thoughtful witty"),
                bad=_words("wordy dry vague careless unhelpful sleepy"),
            ),
        ),
    ),
)

# General adjectives: the plain ones take "very" and "a little", the strong ones "utterly" and "simply".
GOOD_PLAIN = _words("good nice pleasant enjoyable charming impressive fine likeable memorable satisfying")
GOOD_STRONG = _words("great wonderful excellent brilliant superb delightful splendid marvellous outstanding")
BAD_PLAIN = _words("bad poor weak dull boring disappointing tedious forgettable mediocre annoying")
BAD_STRONG = _words("awful terrible dreadful horrible hopeless miserable appalling unbearable")

INTENSIFIERS = _words("very really quite so remarkably surprisingly unusually deeply")
STRONG_INTENSIFIERS = _words("utterly simply absolutely truly completely")
GOOD_SOFTENERS = ("rather", "fairly", "pretty")
BAD_SOFTENERS = ("a little", "slightly", "rather", "somewhat", "too", "far too")
DENIALS = ("not", "never", "far from", "anything but", "not at all", "not exactly")
PLAIN_DENIALS = (*DENIALS, "not very", "not particularly", "hardly", "scarcely")

GOOD_NOUNS = (
    "a joy",
    "a pleasure",
    "a treat",
    "a triumph",
    "a delight",
    "a small miracle",
    "a gem",
    "a success",
)
BAD_NOUNS = (
    "a mess",
    "a disaster",
    "a bore",
    "a failure",
    "a waste of time",
    "a letdown",
    "an ordeal",
    "a mistake",
)

# What one does with a thing, in the past tense; after "did not", in the infinitive.
LIKED = _words("enjoyed loved liked admired adored appreciated")
DISLIKED = _words("disliked hated regretted resented")
LIKE = _words("enjoy love like admire appreciate")
DISLIKE = _words("dislike mind hate regret")

# What a thing did to its reviewer, in the past tense, so that "never" turns it round.
GOOD_EFFECTS = (
    "made us smile",
    "won me over",
    "lifted my spirits",
    "took my breath away",
    "kept us happy",
    "exceeded my hopes",
    "left me wanting more",
    "cheered everyone up",
)
BAD_EFFECTS = (
    "put me to sleep",
    "left me cold",
    "tested our patience",
    "got on my nerves",
    "made us want to leave",
    "let us down",
    "left me yawning",
    "outstayed its welcome",
)

GOOD_DEEDS = (
    "took great care",
    "did everything right",
    "deserves every praise",
    "thought of everything",
    "made it look easy",
)
BAD_DEEDS = (
    "did not seem to care",
    "got everything wrong",
    "lost interest halfway",
    "made one mistake after another",
    "tried too hard",
)

GOOD_PLANS = ("i would gladly", "i can't wait to", "we will soon", "i would happily", "i hope to")
BAD_PLANS = ("i would never", "nothing could make me", "we will not", "i would not", "i have no wish to")

LEADS = (
    "on the whole",
    "in the end",
    "for the most part",
    "all in all",
    "for me",
    "to be honest",
    "this time",
)
TAILS = (
    "from start to finish",
    "throughout",
    "most of the time",
    "once again",
    "for once",
    "by any standard",
)
OPINIONS = ("my friends", "the critics", "our neighbours", "other visitors", "my parents", "most reviewers")
