"""Styles that appear while the window is open: folders looked at every second or two, off the live path."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from realtime.errors import ModelError
from realtime.gallery import DESCRIPTION, Style, read_style

_EVERY_S = 1.5

Signature = tuple[tuple[str, int, int], ...]  # name, time of change in ns and bytes of each file


@dataclass(frozen=True)
class Arrival:
    """A style that has appeared or changed, or why it cannot be used."""

    style: Style | None
    problem: str = ""


class GalleryWatch:
    """Notices new and changed styles once they are completely written.

    arrived: what was noticed, to be taken by the live view.

    Args:
        folders: with a folder for each style; they need not exist yet. A style in a later one hides its namesake in an earlier.
        known: names of the styles that the gallery has already.
    """

    def __init__(self, folders: Iterable[Path], known: Iterable[str]) -> None:
        self.arrived: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._folders = list(folders)
        self._known = set(known)
        self._taken: dict[Path, Signature] = {}
        self._seen: dict[Path, Signature] = {}
        self._names: dict[Path, str] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Looks at the folders now, and then every second or two on a thread of its own."""
        self._taken = {folder: found for folder, found in self._look().items() if self._is_known(folder)}
        self._thread = threading.Thread(target=self._run, name="gallery watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def check(self) -> None:
        """Looks at the folders once. What differs from what was taken counts once it has stayed the same between two looks."""
        before, self._seen = self._seen, self._look()
        # What has gone is new when it comes back: its files could not be read meanwhile, as on a disk that was taken out.
        self._taken = {folder: taken for folder, taken in self._taken.items() if folder in self._seen}
        for folder, found in self._seen.items():
            if before.get(folder) != found or self._taken.get(folder) == found:
                continue
            self._taken[folder] = found
            try:
                style = read_style(folder / DESCRIPTION)
            except ModelError as error:
                self.arrived.put(Arrival(None, str(error)))
                continue
            self._names[folder] = style.name
            if not self._is_hidden(folder, style.name):
                self.arrived.put(Arrival(style))

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self.check()

    def _look(self) -> dict[Path, Signature]:
        found: dict[Path, Signature] = {}
        for base in self._folders:
            try:
                descriptions = list(base.glob(f"*/{DESCRIPTION}"))
            except OSError:  # taken away in this moment, or of a disk that does not answer
                found |= {folder: signature for folder, signature in self._seen.items() if folder.parent == base}
                continue
            for description in descriptions:
                signature = _signature(description.parent)
                if signature is not None:
                    found[description.parent] = signature
        return found

    def _is_hidden(self, folder: Path, name: str) -> bool:
        """Whether a later folder has a style of this name, which the gallery shows in its place."""
        later = self._folders[self._folders.index(folder.parent) + 1 :]
        return any(self._names.get(other) == name for other in self._seen if other.parent in later)

    def _is_known(self, folder: Path) -> bool:
        """Whether the gallery has a style already; one that came while it was loading is new."""
        try:
            name = self._names[folder] = read_style(folder / DESCRIPTION).name
        except ModelError:
            return True  # the gallery has said so
        return name in self._known


def _signature(folder: Path) -> Signature | None:
    """What tells a folder's state; None while files come and go."""
    try:
        files = [(path.name, path.stat()) for path in sorted(folder.iterdir())]
    except OSError:
        return None
    return tuple((name, about.st_mtime_ns, about.st_size) for name, about in files)
