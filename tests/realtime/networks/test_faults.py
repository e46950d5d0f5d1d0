"""Faults of an installation, each found on a machine made up for it."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from realtime.networks.faults import Installation, built_for_cuda, find_faults, library_file, read_packages, tensorrt_loads
from realtime.networks.nvidia import Driver, Gpu

SOUND_LIBRARIES = frozenset({"libcudart.so.13", "libcublas.so.13", "libcufft.so.12", "libcurand.so.10", "libcudnn.so.9"})
SOUND = Installation(
    {"onnxruntime-gpu": "1.31.1", "opencv-python": "4.13"},
    "1.31.1",
    13,
    Driver((13, 1), (Gpu("NVIDIA Test", 2**33, "9.0"),)),
    SOUND_LIBRARIES.__contains__,
)


@pytest.fixture(autouse=True)
def _on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.networks.faults.platform.system", lambda: "Linux")


def with_libraries(*names: str) -> Installation:
    return replace(SOUND, loads=frozenset(names).__contains__)


def test_sound_installation_has_none() -> None:
    assert find_faults(SOUND) == []


def test_machine_without_a_gpu_has_none() -> None:
    assert find_faults(replace(SOUND, driver=None, loads=lambda file: False)) == []
    assert find_faults(replace(SOUND, driver=None, cuda_major=None, packages={"onnxruntime": "1.31"})) == []


def test_both_packages_at_once() -> None:
    here = replace(SOUND, packages={"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"})
    (fault,) = find_faults(here)
    assert "both installed" in fault.what
    assert fault.mend.startswith(f"{sys.executable} -m pip uninstall -y onnxruntime onnxruntime-gpu && ")
    assert 'install "onnxruntime-gpu[cuda,cudnn]"' in fault.mend


def test_opencv_without_windows() -> None:
    (fault,) = find_faults(replace(SOUND, packages={"opencv-python-headless": "4.13"}))
    assert "no windows" in fault.what
    assert fault.mend.endswith("pip install opencv-python")


def test_gpu_with_an_onnxruntime_for_processors() -> None:
    (fault,) = find_faults(replace(SOUND, cuda_major=None, packages={"onnxruntime": "1.31.1"}))
    assert "built without CUDA" in fault.what
    assert "uninstall -y onnxruntime &&" in fault.mend


def test_missing_libcurand_is_named_with_the_command() -> None:
    (fault,) = find_faults(with_libraries(*SOUND_LIBRARIES - {"libcurand.so.10"}))
    assert fault.what == "the library libcurand (version 10) is missing"
    assert fault.mend == f'{sys.executable} -m pip install "onnxruntime-gpu[cuda,cudnn]"'


def test_cuda_of_another_major_version_is_told_from_none() -> None:
    libraries = {"libcudart.so.12", "libcublas.so.12", "libcufft.so.12", "libcurand.so.10", "libcudnn.so.9"}
    faults = find_faults(with_libraries(*libraries))
    assert [fault.what for fault in faults] == [
        "libcudart is of version 12, this onnxruntime 1.31.1 needs 13",
        "libcublas is of version 12, this onnxruntime 1.31.1 needs 13",
    ]


def test_cudnn_of_another_major_version() -> None:
    (fault,) = find_faults(with_libraries(*SOUND_LIBRARIES - {"libcudnn.so.9"}, "libcudnn.so.8"))
    assert fault.what == "libcudnn is of version 8, this onnxruntime 1.31.1 needs 9"


def test_older_onnxruntime_wants_the_older_cuda() -> None:
    libraries = {"libcudart.so.12", "libcublas.so.12", "libcufft.so.11", "libcurand.so.10", "libcudnn.so.9"}
    assert find_faults(replace(with_libraries(*libraries), onnxruntime="1.26.0", cuda_major=12)) == []


def test_driver_too_old_for_cuda_13_is_offered_the_last_package_for_12() -> None:
    (fault,) = find_faults(replace(SOUND, driver=Driver((12, 4), ())))
    assert fault.what == "the NVIDIA driver supports CUDA 12.4, this onnxruntime 1.31.1 needs 13"
    assert fault.mend.endswith('pip install "onnxruntime-gpu[cuda,cudnn]<1.27"')


def test_driver_too_old_for_anything_is_to_be_updated() -> None:
    (fault,) = find_faults(replace(SOUND, driver=Driver((11, 8), ())))
    assert fault.mend.startswith("update the NVIDIA driver")


def test_package_that_hides_cuda_is_the_first_to_mend() -> None:
    here = replace(SOUND, packages={"onnxruntime": "1", "onnxruntime-gpu": "1"}, cuda_major=None)
    assert ["both installed" in fault.what for fault in find_faults(here)] == [True, False]


def test_library_names_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert library_file("curand", 10) == "libcurand.so.10"
    monkeypatch.setattr("realtime.networks.faults.platform.system", lambda: "Windows")
    assert library_file("curand", 10) == "curand64_10.dll"
    assert tensorrt_loads({"nvinfer_10.dll"}.__contains__)


def test_this_machine_can_be_asked() -> None:
    assert "numpy" in read_packages()
    assert built_for_cuda() is None or built_for_cuda() > 10  # type: ignore[operator]
