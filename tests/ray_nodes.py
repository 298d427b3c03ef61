"""Ray nodes on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def ray_nodes(*cores: int) -> Iterator[Any]:
    """A cluster of nodes with so many cores each; the test is skipped where they do not start."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": cores[0], "include_dashboard": False})
        for number in cores[1:]:
            made.add_node(num_cpus=number)
    except Exception as error:  # Ray gives its nodes 30 seconds to start, which a busy machine may not
        pytest.skip(f"RAY IS NOT TESTED: its nodes did not start ({str(error)[:100]})")
    yield made
    made.shutdown()
