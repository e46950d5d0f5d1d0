"""The tiny network that proves a provider."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from realtime.networks import probe
from realtime.networks.probe import PROBE_ONNX, problem_of


def test_it_is_one_convolution_that_doubles() -> None:
    model = onnx.load_from_string(PROBE_ONNX)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Conv"]
    kernel = onnx.numpy_helper.to_array(model.graph.initializer[0])
    assert kernel.sum() == kernel[0, 0, 1, 1] == 2


def test_processor_runs_it() -> None:
    assert problem_of("cpu") is None


def test_provider_that_does_not_load_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    assert "built without it" in (problem_of("coreml") or "")


def test_provider_that_computes_nonsense_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nonsense:
        def run(self, *_: object) -> list[object]:
            return [np.zeros((1, 1, 4, 4), np.float32)]

    monkeypatch.setattr(probe, "create_session", lambda *_: (Nonsense(), "cuda"))
    assert problem_of("cuda") == "it computes wrong values"
