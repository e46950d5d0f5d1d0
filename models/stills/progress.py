"""What is shown while a still is painted: a bar, or JSON lines and a small picture for a program that watches."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from models.stills.files import encode_still, write_whole
from models.stills.levels import resize
from models.stills.paint import Progress

_SECONDS_BETWEEN = 0.5
_PICTURE_SIDE = 256


class ProgressBar:
    """A bar on stderr, where stderr is a terminal."""

    def __init__(self, quiet: bool) -> None:
        self._bar = tqdm(total=1.0, disable=True if quiet else None, file=sys.stderr, bar_format=_BAR)

    def __call__(self, progress: Progress) -> None:
        self._bar.set_postfix_str(f"step {progress.step}/{progress.steps}, loss {progress.loss:.4g}", refresh=False)
        self._bar.update(progress.share - self._bar.n)

    def close(self) -> None:
        """Ends the line."""
        self._bar.close()


_BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class ProgressLines:
    """One JSON object a line on stdout, at most two a second, with a small picture beside.

    Args:
        speaks: whether lines are written at all; else the picture alone.
        picture: file that is rewritten, or None.
    """

    def __init__(self, speaks: bool, picture: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._speaks = speaks
        self._picture = picture
        self._clock = clock
        self._next = clock()

    def __call__(self, progress: Progress) -> None:
        """Writes a line where it is time for one."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + _SECONDS_BETWEEN
        shown = self._show(progress.picture()) if self._picture is not None else None
        if not self._speaks:
            return
        write_line(
            event="progress",
            share=round(progress.share, 4),
            step=progress.step,
            steps=progress.steps,
            seconds=round(progress.seconds, 2),
            remaining_s=round(progress.remaining_s, 1),
            loss=progress.loss,
            picture=shown,
        )

    def _show(self, picture: Tensor) -> str | None:
        """Rewrites the small picture; a disk that is full now may have room at the end, so that is no error yet."""
        assert self._picture is not None
        height, width = picture.shape[1:]
        scale = min(1.0, _PICTURE_SIDE / max(height, width))
        small = resize(picture[None], (max(1, round(height * scale)), max(1, round(width * scale))))[0]
        try:
            write_whole(self._picture, encode_still(self._picture, small, 8, {}))
        except OSError:
            return None
        return str(self._picture)


def write_line(**values: Any) -> None:
    """One JSON object on stdout; a reader that has gone ends the work.

    Raises:
        KeyboardInterrupt: nobody reads any more.
    """
    try:
        print(json.dumps(values), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        raise KeyboardInterrupt from None
