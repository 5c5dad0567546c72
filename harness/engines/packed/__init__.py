"""Many trials as one computation: each gets exactly what it would get alone. docs/engines.md explains how."""

from harness.engines.packed.engine import PackedEngine

__all__ = ["PackedEngine"]
