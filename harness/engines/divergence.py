"""Divergence: what ends a trial whose loss, gradient, weights or logits are no longer finite."""

from __future__ import annotations


class DivergedError(ArithmeticError):
    """A loss, a gradient, a weight or a logit is not finite."""


def divergence_of_step(loss_is_finite: bool, norm_is_finite: bool) -> str | None:
    """Return what ends a trial, if not all of its losses or not all of its gradients' norms are numbers; else None.

    A gradient can overflow while the loss is a number. Clipped by an infinite norm it becomes 0 or NaN: a step that is
    lost in silence.
    """
    if not loss_is_finite:
        return "the training loss is not finite"
    return None if norm_is_finite else "the gradient is not finite"
