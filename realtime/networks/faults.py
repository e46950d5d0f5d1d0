"""Known faults of an installation, each with the command that mends it: what onnxruntime itself will not say."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

import onnxruntime as ort

from realtime.networks.nvidia import Driver, library_loads
from realtime.program.packages import PIP

_GPU_PACKAGE = '"onnxruntime-gpu[cuda,cudnn]"'
INSTALL_GPU = f"{PIP} uninstall -y onnxruntime && {PIP} install {_GPU_PACKAGE}"
_LAST_FOR_CUDA_12 = '"onnxruntime-gpu[cuda,cudnn]<1.27"'  # from 1.27 on the wheels are built for CUDA 13
_CUDNN_MAJOR = 9
_CUFFT_MAJOR = {12: 11, 13: 12}
_CURAND_MAJOR = 10
_TENSORRT_MAJORS = (10, 11)
_OTHER_CUDA_MAJORS = (11, 12, 13, 14)
_OTHER_CUDNN_MAJORS = (8, 9, 10)


@dataclass(frozen=True)
class Fault:
    """Something wrong with the installation.

    what: found and expected, in one line.
    mend: a command for a shell, or an instruction where no command can do it.
    """

    what: str
    mend: str


@dataclass(frozen=True)
class Installation:
    """What is installed, as far as faults hang on it.

    packages: names in lower case -> versions.
    onnxruntime: its version.
    cuda_major: CUDA version that this onnxruntime was built for; None for a build without CUDA.
    driver: None without an NVIDIA driver.
    loads: whether a library is found by its file name.
    """

    packages: dict[str, str]
    onnxruntime: str
    cuda_major: int | None
    driver: Driver | None
    loads: Callable[[str], bool] = library_loads


def read_packages() -> dict[str, str]:
    """Installed Python packages, names in lower case."""
    return {
        name.lower(): distribution.version
        for distribution in metadata.distributions()
        if (name := distribution.metadata["Name"]) is not None
    }


def built_for_cuda() -> int | None:
    """CUDA's major version that the installed onnxruntime was built for."""
    found = re.match(r"\d+", str(getattr(ort, "cuda_version", "") or ""))
    return int(found[0]) if found else None


def find_faults(here: Installation) -> list[Fault]:
    """All known faults, the one to mend first at the beginning."""
    return [*_package_faults(here), *gpu_faults(here)]


def gpu_faults(here: Installation) -> list[Fault]:
    """Why CUDA cannot load although there is a driver; nothing without a driver, which is no fault."""
    if here.driver is None:
        return []
    if here.cuda_major is None:
        what = f"an NVIDIA driver is there, but this onnxruntime {here.onnxruntime} was built without CUDA"
        return [Fault(what, INSTALL_GPU)]
    if 0 < here.driver.cuda[0] < here.cuda_major:
        return [_driver_too_old(here.driver, here)]
    return _library_faults(here, here.cuda_major)


def _package_faults(here: Installation) -> list[Fault]:
    faults = []
    if {"onnxruntime", "onnxruntime-gpu"} <= here.packages.keys():
        faults.append(
            Fault(
                "onnxruntime and onnxruntime-gpu are both installed, which hides CUDA",
                f"{PIP} uninstall -y onnxruntime onnxruntime-gpu && {PIP} install --force-reinstall --no-deps onnxruntime-gpu "
                f"&& {PIP} install {_GPU_PACKAGE}",
            )
        )
    if "opencv-python-headless" in here.packages:
        faults.append(
            Fault(
                "opencv-python-headless is installed, which has no windows",
                f"{PIP} uninstall -y opencv-python-headless opencv-python && {PIP} install opencv-python",
            )
        )
    return faults


def _driver_too_old(driver: Driver, here: Installation) -> Fault:
    supported = f"{driver.cuda[0]}.{driver.cuda[1]}"
    what = f"the NVIDIA driver supports CUDA {supported}, this onnxruntime {here.onnxruntime} needs {here.cuda_major}"
    if driver.cuda[0] == 12:
        return Fault(what, f"update the NVIDIA driver, or {PIP} install {_LAST_FOR_CUDA_12}")
    return Fault(what, "update the NVIDIA driver (https://www.nvidia.com/drivers)")


def _library_faults(here: Installation, cuda_major: int) -> list[Fault]:
    """Missing libraries, told apart from those of the wrong major version."""
    faults = []
    for stem, major, others in (
        ("cudart", cuda_major, _OTHER_CUDA_MAJORS),
        ("cublas", cuda_major, _OTHER_CUDA_MAJORS),
        ("cufft", _CUFFT_MAJOR.get(cuda_major, cuda_major), ()),
        ("curand", _CURAND_MAJOR, ()),
        ("cudnn", _CUDNN_MAJOR, _OTHER_CUDNN_MAJORS),
    ):
        if here.loads(library_file(stem, major)):
            continue
        mend = f"{PIP} install {_GPU_PACKAGE}"
        wrong = [other for other in others if other != major and here.loads(library_file(stem, other))]
        if wrong:
            what = f"lib{stem} is of version {wrong[0]}, this onnxruntime {here.onnxruntime} needs {major}"
        else:
            what = f"the library lib{stem} (version {major}) is missing"
        faults.append(Fault(what, mend))
    return faults


def tensorrt_loads(loads: Callable[[str], bool] = library_loads) -> bool:
    """Whether TensorRT's own library, which comes in a package of its own, is found."""
    names = ("nvinfer_{}.dll" if platform.system() == "Windows" else "libnvinfer.so.{}").format
    return any(loads(names(major)) for major in _TENSORRT_MAJORS)


def library_file(stem: str, major: int) -> str:
    """File name by which a CUDA library is loaded on this platform, as libcurand.so.10 or curand64_10.dll."""
    return f"{stem}64_{major}.dll" if platform.system() == "Windows" else f"lib{stem}.so.{major}"
