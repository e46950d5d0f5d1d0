"""Where a user's own files live, by the platform's convention."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from realtime.errors import UserError

_NAME = "stylecam"


def user_data_folder() -> Path:
    """Styles of the user's own."""
    return _folder("LOCALAPPDATA", "Application Support", "XDG_DATA_HOME", ".local/share")


def user_cache_folder() -> Path:
    """What can be made again: measured times, TensorRT's engines."""
    base = _folder("LOCALAPPDATA", "Caches", "XDG_CACHE_HOME", ".cache")
    return base / "cache" if platform.system() == "Windows" else base  # Windows has one folder for both


def _folder(windows_variable: str, macos_name: str, linux_variable: str, linux_default: str) -> Path:
    if platform.system() == "Windows":
        return Path(os.environ.get(windows_variable) or user_home() / "AppData" / "Local") / _NAME
    if platform.system() == "Darwin":
        return user_home() / "Library" / macos_name / _NAME
    return Path(os.environ.get(linux_variable) or user_home() / linux_default) / _NAME


def check_working_folder() -> None:
    """Refuses to run where names of files mean nothing.

    Raises:
        UserError: the folder in which the program was started is gone, or closed to the user.
    """
    try:
        os.getcwd()
    except OSError as error:
        found = f"the folder in which the program was started cannot be found ({error.strerror})"
        raise UserError(f"{found}; cd to one that is there") from None


def user_home() -> Path:
    """The user's home; of one who has none, as in some containers, a place where nothing is found nor can be written."""
    try:
        return Path.home()
    except RuntimeError:
        return Path(os.devnull)
