"""Sums of bytes that a processor cuts off are found, and the slower way is taken there alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from realtime.networks import exact_sums
from realtime.networks.exact_sums import SUMS_ONNX, sums_are_exact
from realtime.networks.providers import SessionSettings, create_session

ENTRY = "session.x64quantprecision"


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    sums_are_exact.cache_clear()
    yield
    sums_are_exact.cache_clear()


def test_it_is_one_convolution_whose_sums_do_not_fit_16_bits() -> None:
    model = onnx.load_from_string(SUMS_ONNX)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["QLinearConv"]
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert values["w"].dtype == np.int8
    total = int(values["w"][0].astype(np.int64).sum()) * 255
    assert total / values["t"] == pytest.approx(200, rel=1e-4)
    assert 2 * 127 * 255 > 2**15 - 1


@pytest.mark.parametrize("is_exact", [True, False])
def test_the_slower_way_is_taken_where_sums_are_cut_off_alone(
    monkeypatch: pytest.MonkeyPatch, inversion_onnx: Path, is_exact: bool
) -> None:
    monkeypatch.setattr(exact_sums, "sums_are_exact", lambda: is_exact)
    session, _ = create_session(inversion_onnx, SessionSettings("cpu"), "inversion")
    options = session.get_session_options()
    if is_exact:
        with pytest.raises(RuntimeError, match="does not have"):
            options.get_session_config_entry(ENTRY)
    else:
        assert options.get_session_config_entry(ENTRY) == "1"


@pytest.mark.parametrize("level", [101, 199])
def test_sums_that_are_cut_off_are_noticed(monkeypatch: pytest.MonkeyPatch, level: int) -> None:
    class Cutting:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def run(self, *_: Any) -> list[Any]:
            return [np.full((1, 16, 4, 4), level, np.uint8)]

    monkeypatch.setattr(ort, "InferenceSession", Cutting)
    assert not sums_are_exact()


def test_with_the_slower_way_the_sums_are_right_here() -> None:
    options = ort.SessionOptions()
    options.add_session_config_entry(ENTRY, "1")
    session = ort.InferenceSession(SUMS_ONNX, options, providers=["CPUExecutionProvider"])
    assert np.all(session.run(None, {"x": np.full((1, 16, 4, 4), 255, np.uint8)})[0] == 200)
