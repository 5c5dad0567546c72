"""Random streams: one seed becomes three, for initialisation, data order and dropout, so that arms stay paired.

With one global generator, drawing an adapter of another rank would shift the data order and every dropout mask after
it; with consecutive integers, neighbouring seeds share whole epochs of data order. Each stream here is derived by
`numpy.random.SeedSequence` from the seed and the stream's name.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass

import numpy as np

# The draws that belong to the study, not to a seed: the subset of train, the hold-out.
_STUDY = "study"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """The three streams of a trial, each a whole number below 2**32 that seeds a generator.

    Parameters
    ----------
    initialisation : int
        Draws the classification head, then the adapter.
    data_order : int
        Draws the order of the examples; each epoch derives its own from it.
    dropout : int
        Draws everything random during training.
    """

    initialisation: int
    data_order: int
    dropout: int

    def to_dict(self) -> dict[str, int]:
        """Return the streams by name."""
        return asdict(self)


def _derive(*words: int | str) -> int:
    entropy = [zlib.crc32(word.encode()) if isinstance(word, str) else word for word in words]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint32)[0])


def streams(seed: int) -> Streams:
    """Return the streams of one seed.

    Parameters
    ----------
    seed : int
        At least 0 and below 2**32.

    Examples
    --------
    >>> streams(0) == streams(0), streams(0).data_order == streams(1).data_order
    (True, False)
    """
    return Streams(
        initialisation=_derive(seed, "initialisation"),
        data_order=_derive(seed, "data order"),
        dropout=_derive(seed, "dropout"),
    )


def crossed_streams(initialisation: int, data_order: int) -> Streams:
    """Return the streams of a trial whose initialisation and data order have a seed each.

    Dropout is drawn anew for every pair: neither seed decides it alone, so what it changes counts as interaction.

    Parameters
    ----------
    initialisation, data_order : int
        At least 0 and below 2**32. Trials that share one of them share that stream, and it is the stream of the same
        number as a plain seed.

    Examples
    --------
    >>> one, other = crossed_streams(0, 1), crossed_streams(0, 2)
    >>> one.initialisation == other.initialisation, one.dropout == other.dropout
    (True, False)
    """
    return Streams(
        initialisation=_derive(initialisation, "initialisation"),
        data_order=_derive(data_order, "data order"),
        dropout=_derive(initialisation, data_order, "dropout"),
    )


def projection_key(initialisation: int) -> int:
    """Return what seeds the part of an adapter that is drawn apart from the rest and never trained, as in VeRA."""
    return _derive(initialisation, "projection")


def example_order(data_order: int, epoch: int, n: int) -> np.ndarray:
    """Return the order of `n` examples in the given epoch, counted from 0."""
    return np.random.default_rng(_derive(data_order, epoch)).permutation(n)


def dropout_mask_seed(dropout: int, step: int) -> int:
    """Return what seeds the masks of one optimizer step, counted from 0, where each step draws its own."""
    return _derive(dropout, step)


def training_set_order(seed: int, n: int) -> np.ndarray:
    """Return the order in which a seed draws its own training set from `n` examples, where the study resamples them."""
    return np.random.default_rng(_derive(seed, "training set")).permutation(n)


def study_permutation(purpose: str, n: int) -> np.ndarray:
    """Return a permutation of `n` examples that is the same for every seed and arm: for subsets and hold-outs."""
    return np.random.default_rng(_derive(_STUDY, purpose)).permutation(n)
