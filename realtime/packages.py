"""The packages that the program cannot start without, asked for first: a missing one is a line and no traceback."""

from __future__ import annotations

import importlib
import importlib.util
import sys

from realtime.errors import ModelError

_PACKAGES = {  # the module's name, and what it is installed as
    "numpy": "numpy",
    "cv2": "opencv-python",
    "onnxruntime": "onnxruntime",
    "tqdm": "tqdm",
    "PIL": "pillow",
    "av": "av",
}
_LOADED_AT_START = ("numpy", "cv2", "onnxruntime", "tqdm")  # the others where they are first needed
_PIP = f"{sys.executable} -m pip install"


def check_packages() -> None:
    """Finds every package, and loads those that the program loads at its start in any case.

    Raises:
        ModelError: one is missing or does not load; without any of them no style can be run.
    """
    missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ModelError(
            f"packages: {', '.join(missing)} not installed; {_PIP} -r requirements.txt "
            "(requirements-cpu.txt without NVIDIA and without training)"
        )
    for module in _LOADED_AT_START:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ModelError(_describe(_PACKAGES[module], error)) from None


def _describe(package: str, error: ImportError) -> str:
    reason = (str(error) or type(error).__name__).splitlines()[0][:160]
    if reason.startswith(("libGL", "libgthread")):  # a Linux without a desktop
        return f"packages: {package} does not load ({reason}); apt install libgl1 libglib2.0-0"
    return f"packages: {package} does not load ({reason}); {_PIP} --force-reinstall {package}"
