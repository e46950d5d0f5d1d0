"""How much of the processor a network uses: multiply-adds a second against one big product, and which operators take it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from realtime.networks.exact_sums import keep_sums_exact
from realtime.networks.providers import SessionSettings, create_session

_SIDE = 2048  # of the square matrices: 8.6 thousand million multiply-adds
_MACS = re.compile(r"([\d.]+) kMAC per pixel")


def macs_per_pixel(session: ort.InferenceSession) -> float | None:
    """Multiply-adds for a pixel, as the export wrote them into the metadata."""
    found = _MACS.search(session.get_modelmeta().custom_metadata_map.get("generator", ""))
    return float(found[1]) * 1000 if found else None


def peak_macs(precision: str, choice: SessionSettings, runs: int = 5) -> float:
    """Multiply-adds a second in one product of two big matrices: what onnxruntime's best kernels reach on this machine.

    Args:
        precision: "int8" for bytes times signed bytes, anything else for float32.
    """
    session, _ = create_session(_product(precision == "int8"), choice, "product")
    random = np.random.default_rng(0)
    left: Any = random.integers(0, 256, (_SIDE, _SIDE), np.uint8)
    if precision != "int8":
        left = left.astype(np.float32)
    fastest = float("inf")
    for _ in range(runs + 1):
        started = time.perf_counter()
        session.run(None, {"left": left})
        fastest = min(fastest, time.perf_counter() - started)
    return float(_SIDE**3 / fastest)


def _product(of_bytes: bool) -> bytes:
    left, right, result = (
        (TensorProto.UINT8, np.int8, TensorProto.INT32) if of_bytes else (TensorProto.FLOAT, np.float32, TensorProto.FLOAT)
    )
    weights = np.random.default_rng(1).integers(-127, 128, (_SIDE, _SIDE)).astype(right)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger" if of_bytes else "MatMul", ["left", "right"], ["product"])],
        "product",
        [helper.make_tensor_value_info("left", left, [_SIDE, _SIDE])],
        [helper.make_tensor_value_info("product", result, [_SIDE, _SIDE])],
        [numpy_helper.from_array(weights, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def operator_shares(model: Path, size_wh: tuple[int, int], threads: int, folder: Path, runs: int = 10) -> dict[str, float]:
    """Share of the time of a frame by operator, from onnxruntime's own profile; on the processor.

    Args:
        folder: where the profile may be written.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_profiling = True
    keep_sums_exact(options)
    options.profile_file_prefix = str(folder / "profile")
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    frame = np.random.default_rng(0).integers(0, 256, (1, size_wh[1], size_wh[0], 3), np.uint8)
    for _ in range(runs):
        session.run(None, {session.get_inputs()[0].name: frame})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    took: Counter[str] = Counter()
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            took[event["args"]["op_name"]] += event["dur"]
    return {operator: time_us / took.total() for operator, time_us in took.most_common()}
