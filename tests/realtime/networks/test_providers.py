"""Providers: what runs is found by trying, and what does not is explained."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from realtime.errors import ModelError
from realtime.networks import providers
from realtime.networks.faults import Installation
from realtime.networks.nvidia import Driver, Gpu
from realtime.networks.providers import PROVIDERS, SessionSettings, create_session, why_not
from tests.fakes import noisy_picture, write_style_onnx


@pytest.fixture
def gpu_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A machine with an NVIDIA GPU; the list holds the libraries that are missing on it."""
    missing: list[str] = []
    driver = Driver((13, 0), (Gpu("NVIDIA Test", 8 * 2**30, "9.0"),))
    here = Installation({}, "1.31", 13, driver, lambda file: file not in missing)
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.networks.providers.driver_loads", lambda: True)
    monkeypatch.setattr("realtime.networks.providers.installation", lambda: here)
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: available)
    monkeypatch.setattr("realtime.networks.providers.ort.preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr("realtime.networks.faults.platform.system", lambda: "Linux")
    providers._warn_of_idle_gpu.cache_clear()
    yield missing
    providers._warn_of_idle_gpu.cache_clear()


def test_processor_always_runs(inversion_onnx: Path) -> None:
    session, provider = create_session(inversion_onnx.read_bytes(), SessionSettings("cpu", threads=1), "inversion")
    assert provider == "cpu"
    assert session.get_providers() == ["CPUExecutionProvider"]
    batch = noisy_picture()[np.newaxis]
    np.testing.assert_array_equal(session.run(None, {"frame": batch})[0], 255 - batch)


def test_path_does_as_well_as_bytes(inversion_onnx: Path) -> None:
    _, provider = create_session(inversion_onnx, SessionSettings("cpu"), "inversion")
    assert provider == "cpu"


def test_automatic_choice_names_the_provider_that_executes(inversion_onnx: Path) -> None:
    session, provider = create_session(inversion_onnx.read_bytes(), SessionSettings("auto"), "inversion")
    assert provider in PROVIDERS[1:]
    assert provider in session.get_providers()[0].lower()


def test_automatic_choice_without_a_driver_is_the_processor(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.networks.providers.driver_loads", lambda: False)
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: available)
    _, provider = create_session(inversion_onnx.read_bytes(), SessionSettings("auto"), "inversion")
    assert provider == "cpu"


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_gpu_asked_for_without_a_driver_is_refused_with_the_reason(
    inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    available = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.networks.providers.driver_loads", lambda: False)
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: available)
    with pytest.raises(ModelError, match=f"--provider {provider}: does not load here .no NVIDIA driver.*--provider cpu"):
        create_session(inversion_onnx.read_bytes(), SessionSettings(provider), "inversion")


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "coreml"])
def test_provider_that_is_not_built_in_is_refused_with_the_reason(
    inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match="built without it"):
        create_session(inversion_onnx.read_bytes(), SessionSettings(provider), "inversion")


def test_silent_fall_back_to_the_processor_is_noticed(inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session_type = ort.InferenceSession

    def fall_back(source: bytes, options: ort.SessionOptions, providers: list[object]) -> ort.InferenceSession:
        return session_type(source, options, providers=["CPUExecutionProvider"])

    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr("realtime.networks.providers.ort.InferenceSession", fall_back)
    monkeypatch.setattr("realtime.networks.providers.ort.preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr("realtime.networks.providers.driver_loads", lambda: True)
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: available)
    with pytest.raises(ModelError, match="--provider cuda: does not load here"):
        create_session(inversion_onnx.read_bytes(), SessionSettings("cuda"), "inversion")
    _, provider = create_session(inversion_onnx.read_bytes(), SessionSettings("auto"), "inversion")
    assert provider == "cpu"


def test_file_that_is_no_model(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelError, match="model junk: onnxruntime cannot load it") as caught:
        create_session(b"junk", SessionSettings("cpu"), "junk")
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")  # onnxruntime itself stays silent


def test_driver_that_is_missing_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.networks.providers.driver_loads", lambda: False)
    monkeypatch.setattr("realtime.networks.providers.ort.get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert why_not("cuda").startswith("no NVIDIA driver was found")


def test_missing_library_is_named_with_the_command_that_brings_it(gpu_machine: list[str]) -> None:
    gpu_machine.append("libcurand.so.10")
    assert re.fullmatch(
        r"the library libcurand \(version 10\) is missing; \S+ -m pip install \"onnxruntime-gpu.*\"", why_not("cuda")
    )


def test_tensorrt_that_is_not_installed_is_named(gpu_machine: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.networks.faults.tensorrt_loads", lambda: False)
    assert "libnvinfer is missing" in why_not("tensorrt")
    assert "pip install tensorrt" in why_not("tensorrt")


def test_gpu_that_lies_idle_is_warned_of_once(
    inversion_onnx: Path, gpu_machine: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    session_type = ort.InferenceSession

    def fail_on_gpu(source: bytes, options: ort.SessionOptions, providers: list[object]) -> ort.InferenceSession:
        if providers != ["CPUExecutionProvider"]:
            raise RuntimeError("CUDA failure 100")
        return session_type(source, options, providers=providers)

    monkeypatch.setattr("realtime.networks.providers.ort.InferenceSession", fail_on_gpu)
    gpu_machine.extend(f"libcudnn.so.{major}" for major in (8, 9, 10))
    for _ in range(2):
        _, provider = create_session(inversion_onnx.read_bytes(), SessionSettings("auto"), "inversion")
        assert provider == "cpu"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("warning: NVIDIA Test is not used (the library libcudnn (version 9) is missing; ")
    assert said[0].endswith("running on the processor")


def test_processor_asked_for_gives_no_warning(
    inversion_onnx: Path, gpu_machine: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    create_session(inversion_onnx.read_bytes(), SessionSettings("cpu"), "inversion")
    assert capsys.readouterr().err == ""


@pytest.fixture
def made_with(monkeypatch: pytest.MonkeyPatch, gpu_machine: list[str]) -> dict[str, Any]:
    """What a GPU session was asked for, as a machine with a GPU would see it."""
    seen: dict[str, Any] = {}

    class Session:
        def __init__(self, source: bytes, options: ort.SessionOptions, providers: list[Any]) -> None:
            seen["providers"] = dict(entry if isinstance(entry, tuple) else (entry, {}) for entry in providers)
            seen["options"] = options

        def get_providers(self) -> list[str]:
            return list(seen["providers"])

    monkeypatch.setattr("realtime.networks.providers.ort.InferenceSession", Session)
    return seen


@pytest.mark.parametrize(("precision", "nhwc"), [("fp16", "1"), ("fp32", "0")])
def test_cuda_gets_its_options(made_with: dict[str, Any], precision: str, nhwc: str) -> None:
    create_session(b"", SessionSettings("cuda", cuda_graph=True, precision=precision), "any")
    assert made_with["providers"]["CUDAExecutionProvider"] == {
        "cudnn_conv_algo_search": "HEURISTIC",
        "prefer_nhwc": nhwc,
        "enable_cuda_graph": "1",
    }
    assert made_with["options"].get_session_config_entry("session.record_ep_graph_assignment_info") == "1"


def test_tensorrt_keeps_engines_and_timings_in_the_users_cache(
    made_with: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Linux")
    create_session(b"", SessionSettings("tensorrt", precision="fp16"), "any")
    options = made_with["providers"]["TensorrtExecutionProvider"]
    folder = tmp_path / "stylecam" / "tensorrt"
    assert folder.is_dir()
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(folder)
    assert (options["trt_engine_cache_enable"], options["trt_timing_cache_enable"]) == ("1", "1")
    assert options["trt_fp16_enable"] == "1"
    assert list(made_with["providers"])[1:] == ["CUDAExecutionProvider", "CPUExecutionProvider"]


def test_tensorrt_works_without_a_place_for_its_cache(
    made_with: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Linux")
    create_session(b"", SessionSettings("tensorrt"), "any")
    options = made_with["providers"]["TensorrtExecutionProvider"]
    assert options["trt_engine_cache_enable"] == "0"
    assert "trt_engine_cache_path" not in options


def test_sizes_that_are_fixed_leave_no_shape_to_compute(tmp_path: Path) -> None:
    path = write_style_onnx(tmp_path / "tiny.onnx")
    session, _ = create_session(path, SessionSettings("cpu", sizes={"batch": 1, "height": 8, "width": 12}), "tiny")
    assert session.get_inputs()[0].shape == [1, 8, 12, 3]
