"""The driver's own library, played by a stand-in."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from realtime.networks import nvidia
from realtime.networks.nvidia import Driver, Gpu, library_loads, read_driver


class DriverLibrary:
    """Answers as libcuda does: through pointers, 0 for success."""

    def __init__(self, version: int = 13010, names: tuple[str, ...] = ("NVIDIA Test",), init: int = 0) -> None:
        self.version, self.names, self.init = version, names, init

    def __call__(self, file: str) -> DriverLibrary:
        assert file == nvidia.driver_file()
        return self

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self.init

    def cuDriverGetVersion(self, into: Any) -> int:  # noqa: N802
        into._obj.value = self.version
        return 0 if self.version else 999

    def cuDeviceGetCount(self, into: Any) -> int:  # noqa: N802
        into._obj.value = len(self.names)
        return 0

    def cuDeviceGet(self, into: Any, number: int) -> int:  # noqa: N802
        into._obj.value = number
        return 0

    def cuDeviceGetName(self, into: Any, length: int, device: ctypes.c_int) -> int:  # noqa: N802
        into.value = self.names[device.value].encode()[: length - 1]
        return 0

    def cuDeviceTotalMem_v2(self, into: Any, device: ctypes.c_int) -> int:  # noqa: N802
        into._obj.value = (device.value + 1) * 2**33
        return 0

    def cuDeviceGetAttribute(self, into: Any, attribute: int, device: ctypes.c_int) -> int:  # noqa: N802
        into._obj.value = {75: 9, 76: 0}[attribute]
        return 0


def test_driver_and_its_gpus_are_read() -> None:
    driver = read_driver(DriverLibrary(names=("NVIDIA One", "NVIDIA Two")))
    assert driver == Driver((13, 1), (Gpu("NVIDIA One", 2**33, "9.0"), Gpu("NVIDIA Two", 2**34, "9.0")))


def test_machine_without_a_driver() -> None:
    def nothing(file: str) -> Any:
        raise OSError(file)

    assert read_driver(nothing) is None


def test_driver_that_does_not_start_has_no_gpus() -> None:
    assert read_driver(DriverLibrary(init=100)) == Driver((13, 1), ())
    assert read_driver(DriverLibrary(version=0)) == Driver((0, 0), ())


def test_libraries_are_tried_not_looked_up() -> None:
    assert not library_loads("libthere_is_none_of_this_name.so.1")


def test_driver_file_of_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.networks.nvidia.platform.system", lambda: "Windows")
    assert nvidia.driver_file() == "nvcuda.dll"
    monkeypatch.setattr("realtime.networks.nvidia.platform.system", lambda: "Linux")
    assert nvidia.driver_file() == "libcuda.so.1"
