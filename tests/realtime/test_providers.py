"""Providers: what runs is found by trying, and what does not is explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from realtime.errors import ModelError
from realtime.providers import PROVIDERS, Choice, create_session, has_fast_int8, why_not
from tests.fakes import noisy_picture


def test_processor_always_runs(inversion_onnx: Path) -> None:
    session, provider = create_session(inversion_onnx.read_bytes(), Choice("cpu", threads=1), "inversion")
    assert provider == "cpu"
    assert session.get_providers() == ["CPUExecutionProvider"]
    batch = noisy_picture()[np.newaxis]
    np.testing.assert_array_equal(session.run(None, {"frame": batch})[0], 255 - batch)


def test_path_does_as_well_as_bytes(inversion_onnx: Path) -> None:
    _, provider = create_session(inversion_onnx, Choice("cpu"), "inversion")
    assert provider == "cpu"


def test_automatic_choice_names_the_provider_that_executes(inversion_onnx: Path) -> None:
    session, provider = create_session(inversion_onnx.read_bytes(), Choice("auto"), "inversion")
    assert provider in PROVIDERS[1:]
    assert provider in session.get_providers()[0].lower()


def test_automatic_choice_without_a_driver_is_the_processor(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.providers.nvidia_driver_loads", lambda: False)
    monkeypatch.setattr("realtime.providers.ort.get_available_providers", lambda: available)
    _, provider = create_session(inversion_onnx.read_bytes(), Choice("auto"), "inversion")
    assert provider == "cpu"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_gpu_asked_for_without_a_driver_is_refused_with_the_reason(
    inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.providers.nvidia_driver_loads", lambda: False)
    monkeypatch.setattr("realtime.providers.ort.get_available_providers", lambda: available)
    with pytest.raises(ModelError, match=f"--provider {provider}: does not load here .no NVIDIA driver.*--provider cpu"):
        create_session(inversion_onnx.read_bytes(), Choice(provider), "inversion")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "coreml"])
def test_provider_that_is_not_built_in_is_refused_with_the_reason(
    inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setattr("realtime.providers.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="built without it"):
        create_session(inversion_onnx.read_bytes(), Choice(provider), "inversion")


def test_silent_fall_back_to_the_processor_is_noticed(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session_type = ort.InferenceSession

    def fall_back(source: bytes, options: ort.SessionOptions, providers: list[object]) -> ort.InferenceSession:
        return session_type(source, options, providers=["CPUExecutionProvider"])

    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.providers.ort.InferenceSession", fall_back)
    monkeypatch.setattr("realtime.providers.ort.preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr("realtime.providers.nvidia_driver_loads", lambda: True)
    monkeypatch.setattr("realtime.providers.ort.get_available_providers", lambda: available)
    with pytest.raises(ModelError, match="--provider cuda: does not load here"):
        create_session(inversion_onnx.read_bytes(), Choice("cuda"), "inversion")
    _, provider = create_session(inversion_onnx.read_bytes(), Choice("auto"), "inversion")
    assert provider == "cpu"


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.providers.ort.get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr("realtime.providers._loads", lambda file: "curand" not in file)
    assert "libcurand is missing" in why_not("cuda")


def test_file_that_is_no_model(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="model junk: onnxruntime cannot load it") as caught:
        create_session(b"junk", Choice("cpu"), "junk")
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")  # onnxruntime itself stays silent


def test_processor_that_is_good_at_bytes_is_known_by_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.providers.Path.read_text", lambda *_, **__: "flags: fpu avx512_vnni")
    assert has_fast_int8()
    monkeypatch.setattr("realtime.providers.Path.read_text", lambda *_, **__: "flags: fpu sse2")
    assert not has_fast_int8()
