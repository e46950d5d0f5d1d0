"""Programs of an installation that lacks what they need end with one line, not with what Python says of an import."""

from __future__ import annotations

import importlib.util
import sys

from realtime.errors import ModelError, tell_mistake


def check_installed(*packages: str) -> None:
    """Ends python -m ROOM.PROGRAM with 4 where a package is missing; for the __init__ of a room, which is loaded first.

    Where the room is imported otherwise nothing happens: the import that fails tells enough.
    """
    is_program = sys.argv[:1] == ["-m"]  # Python puts it there for as long as it looks for the program
    missing = [name for name in packages if importlib.util.find_spec(name) is None] if is_program else []
    if missing:
        found = f"{', '.join(missing)} not installed; training, stills and export need all of requirements.txt"
        sys.exit(tell_mistake(ModelError(f"{found}: {sys.executable} -m pip install -r requirements.txt")))
