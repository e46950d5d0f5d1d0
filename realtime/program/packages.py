"""The packages that the program cannot start without, asked for first: a missing one is a line and no traceback."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Collection

from realtime.errors import ModelError, first_line, tell_mistake

_PACKAGES = {  # the module's name, and what it is installed as
    "numpy": "numpy",
    "cv2": "opencv-python",
    "onnxruntime": "onnxruntime",
    "tqdm": "tqdm",
    "PIL": "pillow",
    "av": "av",
}
_LOADED_AT_START = ("numpy", "cv2", "onnxruntime", "tqdm")  # the others where they are first needed


def as_typed(program: str) -> str:
    """A program's path as it is written in a command; double quotes are those that every shell knows, cmd.exe included."""
    return f'"{program}"' if " " in program else program


PIP = f"{as_typed(sys.executable)} -m pip"


def check_packages() -> None:
    """Finds every package, and loads those that the program loads at its start in any case.

    Raises:
        ModelError: one is missing or does not load; without any of them no style can be run.
    """
    missing = [package for module, package in _PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ModelError(
            f"packages: {', '.join(missing)} not installed; {PIP} install -r requirements.txt "
            "(requirements-cpu.txt without NVIDIA and without training)"
        )
    for module in _LOADED_AT_START:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ModelError(_describe(_PACKAGES[module], error)) from None


def check_room(*modules: str, programs: Collection[str] | None = None) -> None:
    """Ends python -m ROOM.PROGRAM with one line where a module is missing; for the __init__ of a room, which is loaded first.

    Where the room is imported otherwise nothing happens: the import that fails tells enough.

    Args:
        programs: those of the room that need the modules; None for all of them.
    """
    is_program = sys.argv[:1] == ["-m"]  # Python puts it there for as long as it looks for the program
    if is_program and programs is not None:
        is_program = sys.orig_argv[sys.orig_argv.index("-m") + 1].rpartition(".")[2] in programs
    missing = [name for name in modules if importlib.util.find_spec(name) is None] if is_program else []
    if missing:
        found = f"packages: {', '.join(missing)} not installed; training, stills, export and measuring need all of them"
        sys.exit(tell_mistake(ModelError(f"{found}: {PIP} install -r requirements.txt")))


def _describe(package: str, error: ImportError) -> str:
    reason = first_line(error)
    if reason.startswith(("libGL", "libgthread")):  # a Linux without a desktop
        return f"packages: {package} does not load ({reason}); apt install libgl1 libglib2.0-0"
    return f"packages: {package} does not load ({reason}); {PIP} install --force-reinstall {package}"
