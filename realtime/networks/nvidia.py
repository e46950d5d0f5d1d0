"""The NVIDIA driver, asked through its own library: is there one, what does it support, which GPU is it for."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_COMPUTE_MAJOR, _COMPUTE_MINOR = 75, 76  # CUdevice_attribute
_NAME_BYTES = 100


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver describes it.

    memory_bytes: all of it, free or not.
    compute: capability, as in "9.0".
    """

    name: str
    memory_bytes: int
    compute: str


@dataclass(frozen=True)
class Driver:
    """An NVIDIA driver that loads.

    cuda: the highest CUDA version it supports, (major, minor).
    gpus: may be empty: a driver without a device.
    """

    cuda: tuple[int, int]
    gpus: tuple[Gpu, ...]


def driver_file() -> str:
    """File name of the driver's library on this platform."""
    return "nvcuda.dll" if platform.system() == "Windows" else "libcuda.so.1"


def library_loads(file: str) -> bool:
    """Whether the dynamic loader finds a library, its own dependencies included."""
    try:
        ctypes.CDLL(file)
    except OSError:
        return False
    return True


@lru_cache(maxsize=1)
def driver_loads() -> bool:
    """Whether this machine has an NVIDIA driver at all. Takes no part of the GPU into use."""
    return library_loads(driver_file())


def read_driver(open_library: Callable[[str], Any] = ctypes.CDLL) -> Driver | None:
    """The driver and its GPUs; None without one.

    Args:
        open_library: exchanged in tests.
    """
    try:
        library = open_library(driver_file())
    except OSError:
        return None
    version = ctypes.c_int(0)
    if library.cuDriverGetVersion(ctypes.byref(version)):
        return Driver((0, 0), ())
    cuda = (version.value // 1000, version.value % 1000 // 10)
    count = ctypes.c_int(0)
    if library.cuInit(0) or library.cuDeviceGetCount(ctypes.byref(count)):
        return Driver(cuda, ())
    return Driver(cuda, tuple(_read_gpu(library, number) for number in range(count.value)))


def _read_gpu(library: Any, number: int) -> Gpu:
    device, size = ctypes.c_int(0), ctypes.c_size_t(0)
    name = ctypes.create_string_buffer(_NAME_BYTES)
    library.cuDeviceGet(ctypes.byref(device), number)
    library.cuDeviceGetName(name, _NAME_BYTES, device)
    library.cuDeviceTotalMem_v2(ctypes.byref(size), device)
    compute = []
    for attribute in (_COMPUTE_MAJOR, _COMPUTE_MINOR):
        value = ctypes.c_int(0)
        library.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        compute.append(str(value.value))
    return Gpu(name.value.decode("utf-8", "replace"), size.value, ".".join(compute))
