"""Where nodes run, told by onnxruntime itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import onnxruntime as ort

from realtime.networks.placement import Placement, read_placement

CPU = "CPUExecutionProvider"


def session_that_tells(*spread: tuple[str, list[str]]) -> Any:
    subgraphs = [
        SimpleNamespace(ep_name=provider, get_nodes=lambda operators=operators: [SimpleNamespace(op_type=o) for o in operators])
        for provider, operators in spread
    ]
    return SimpleNamespace(get_provider_graph_assignment_info=lambda: subgraphs)


def test_real_session_tells_its_nodes(inversion_onnx: Path) -> None:
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = ort.InferenceSession(inversion_onnx, options, providers=[CPU])
    placement = read_placement(session, CPU)
    assert placement is not None
    assert placement.total > 0
    assert not placement.elsewhere
    assert read_placement(session, "CUDAExecutionProvider") != placement


def test_nodes_left_behind_are_counted_by_name() -> None:
    session = session_that_tells(("CUDAExecutionProvider", ["Conv", "Relu"]), (CPU, ["Pad", "Shape"]), (CPU, ["Pad"]))
    placement = read_placement(session, "CUDAExecutionProvider")
    assert placement == Placement(5, {"Pad": 2, "Shape": 1})
    assert placement is not None
    assert placement.describe() == "2 of 5 nodes; left on the processor: 2 Pad, 1 Shape"
    assert Placement(58, {}).describe() == "all 58 nodes"


def test_session_that_was_not_told_to_record_says_nothing(inversion_onnx: Path) -> None:
    assert read_placement(ort.InferenceSession(inversion_onnx, providers=[CPU]), CPU) is None
    assert read_placement(SimpleNamespace(), CPU) is None  # an older onnxruntime
