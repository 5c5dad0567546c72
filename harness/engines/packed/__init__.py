"""Packed training: many trials as one computation, each as if it were alone. docs/engines.md explains how."""

from harness.engines.packed.engine import PackedEngine

__all__ = ["PackedEngine"]
