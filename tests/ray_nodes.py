"""A Ray cluster of a head and two nodes in one machine, started by hand and ended again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_MEMORY = {"object_store_memory": 100 << 20}
# A dead node is noticed in seconds.
_SOON = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 1000, "health_check_timeout_ms": 5000}


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A head that trains nothing, and two nodes with a core each; skips by name where Ray is missing."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster as Nodes

    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": _SOON, **_MEMORY}
    nodes = Nodes(initialize_head=True, head_node_args=head)
    for _ in range(2):
        add_node(nodes)
    yield nodes
    nodes.shutdown()


def add_node(nodes: Any) -> None:
    """Let a node with one core join."""
    for again in reversed(range(10)):
        try:
            nodes.add_node(num_cpus=1, **_MEMORY)
            return
        except Exception as error:  # Ray gives a node 30 s, which on a busy machine are not enough
            if not again or "timed out during startup" not in str(error):
                raise


def lose(nodes: Any, node: Any) -> None:
    """Kill a node with SIGKILL."""
    nodes.remove_node(node, allow_graceful=False)
