"""Which nodes of a network run where: a node left on the processor costs two copies of its tensors for each frame."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Placement:
    """How a session's nodes are spread.

    total: nodes that are run, after what can be computed once was.
    elsewhere: operator -> number of its nodes that another provider than the wanted one runs.
    """

    total: int
    elsewhere: dict[str, int]

    def describe(self) -> str:
        """In words, for --doctor."""
        if not self.elsewhere:
            return f"all {self.total} nodes"
        left = ", ".join(f"{count} {operator}" for operator, count in sorted(self.elsewhere.items()))
        return f"{self.total - sum(self.elsewhere.values())} of {self.total} nodes; left on the processor: {left}"


def read_placement(session: Any, ort_name: str) -> Placement | None:
    """How a session's nodes are spread; None where this onnxruntime cannot tell.

    Args:
        session: made with the session option "session.record_ep_graph_assignment_info".
        ort_name: onnxruntime's name of the wanted provider, as "CUDAExecutionProvider".
    """
    try:
        subgraphs = session.get_provider_graph_assignment_info()
    except Exception:  # before 1.24, or not recorded; onnxruntime's own exception types have no common base but Exception
        return None
    total: Counter[str] = Counter()
    elsewhere: Counter[str] = Counter()
    for subgraph in subgraphs:
        operators = [node.op_type for node in subgraph.get_nodes()]
        total.update(operators)
        if subgraph.ep_name != ort_name:
            elsewhere.update(operators)
    return Placement(total.total(), dict(elsewhere))
