"""The styles that are warm: sessions made and tried off the live path, so that a swap costs no frame."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from realtime.gallery import Style
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer

_KEPT = 4  # the style on show, its two neighbours, and the one before


class Studio:
    """Makes and keeps stylizers, the next ones in the background.

    Args:
        styles: the gallery, in its order.
        choice: tier, precision and provider for all of them.
        make: builds a stylizer; exchanged in tests.
    """

    def __init__(
        self, styles: list[Style], choice: ModelChoice, make: Callable[[Style, ModelChoice], Stylizer] = Stylizer
    ) -> None:
        self.styles = styles
        self._choice = choice
        self._make = make
        self._ready: OrderedDict[int, Stylizer] = OrderedDict()
        self._failed: dict[int, str] = {}
        self._wanted: list[int] = []
        self._size_wh: tuple[int, int] | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._sharing: dict[tuple[int, int], Studio] = {}

    def in_lanes(self, lanes: int, threads: int) -> Studio:
        """A studio of the same styles for painting several pictures at a time; made once, closed with this one.

        Args:
            lanes: pictures that share the memory of a session.
            threads: of each picture's painting.
        """
        if (lanes, threads) not in self._sharing:
            choice = replace(self._choice, lanes=lanes, threads=threads)
            self._sharing[lanes, threads] = Studio(self.styles, choice, self._make)
        return self._sharing[lanes, threads]

    def require(self, number: int, size_wh: tuple[int, int] | None = None) -> Stylizer:
        """The stylizer of a style, made now if need be.

        Raises:
            ModelError: its file is unusable.
        """
        stylizer = self.ready(number)
        if stylizer is None:
            style = self.styles[number]
            stylizer = self._make(style, self._choice)
            if size_wh is not None:
                stylizer.warm_up(size_wh)
            self._keep(number, stylizer, style)
        return stylizer

    def ready(self, number: int) -> Stylizer | None:
        """The stylizer of a style if it is warm; never waits."""
        with self._lock:
            stylizer = self._ready.get(number)
            if stylizer is not None:
                self._ready.move_to_end(number)
            return stylizer

    def is_ready_at(self, number: int, size_wh: tuple[int, int]) -> bool:
        """Whether a style paints a size without preparation; where it does not, that is begun in the background."""
        stylizer = self.ready(number)
        if stylizer is None or stylizer.is_ready_at(size_wh):
            return True
        self.warm(number, size_wh)
        return False

    def failure(self, number: int) -> str | None:
        """Why a style could not be made in the background, if so."""
        with self._lock:
            return self._failed.get(number)

    def take_up(self, style: Style) -> tuple[int, bool]:
        """Adds a style at the gallery's end, or exchanges the one of its name; the numbers of the others stay.

        Returns:
            Its number, and whether it is new.
        """
        with self._lock:
            names = ["" if known.is_one_file else known.name for known in self.styles]  # a file that was named stays
            is_new = style.name not in names
            number = len(names) if is_new else names.index(style.name)
            self.styles[number : number + 1] = [style]
            self._ready.pop(number, None)
            self._failed.pop(number, None)
        self._wake.set()
        return number, is_new

    def warm(self, number: int, size_wh: tuple[int, int]) -> None:
        """Asks for a style and its neighbours in the gallery's order to be made ready in the background.

        Args:
            number: of the style wanted first.
            size_wh: at which they will be run.
        """
        count = len(self.styles)
        wanted = list(dict.fromkeys([number, (number + 1) % count, (number - 1) % count]))
        with self._lock:
            if self._wanted == wanted and self._size_wh == size_wh:
                return
            self._wanted, self._size_wh = wanted, size_wh
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="studio", daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """Ends the background thread after the style it is at."""
        for studio in self._sharing.values():
            studio.close()
        self._stop = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while not self._stop:
            number = self._next_wanted()
            if number is None:
                self._wake.wait()
                self._wake.clear()
                continue
            style = self.styles[number]
            try:
                stylizer = self.ready(number) or self._make(style, self._choice)
                assert self._size_wh is not None
                stylizer.make_ready(self._size_wh)
            except Exception as error:  # one style's failure must not keep the others from being made
                with self._lock:
                    if self.styles[number] is style:
                        self._failed[number] = str(error) or type(error).__name__
                continue
            self._keep(number, stylizer, style)

    def _next_wanted(self) -> int | None:
        with self._lock:
            for number in self._wanted:
                if number not in self._failed and not self._is_warm(number):
                    return number
            return None

    def _is_warm(self, number: int) -> bool:
        stylizer = self._ready.get(number)
        return stylizer is not None and (self._size_wh is None or stylizer.is_ready_at(self._size_wh))

    def _keep(self, number: int, stylizer: Stylizer, style: Style) -> None:
        with self._lock:
            if self.styles[number] is not style:  # exchanged in the meantime
                return
            self._ready[number] = stylizer
            self._ready.move_to_end(number)
            for old in list(self._ready):
                if len(self._ready) <= _KEPT:
                    break
                if old not in self._wanted:
                    del self._ready[old]
