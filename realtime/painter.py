"""One frame painted: the style on show, the processing size, and the fade from the style before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import cv2
import numpy as np

from realtime.auto_levels import AutoLevels, Curve, set_levels
from realtime.compositor import compose, cross_fade
from realtime.controls import ControlState
from realtime.frame import Frame, Image
from realtime.steadying import Steadier
from realtime.strokes import coarser_sizes, paint_at_scales
from realtime.studio import Studio
from realtime.stylizer import Stylizer
from realtime.timing import RunTimes

FADE_S = 0.5
SIZE_FADE_S = 0.2  # from one processing size to the next: brush strokes would otherwise jump
_SMALLEST_SIDE = 32
# Painted before other styles are made ready beside them: the first frames wait for memory and for the window already, and
# a camera does not wait for them.
_SETTLING_FRAMES = 10
_LARGEST_PREPARED = 3840 * 2160  # pixels; a camera asked for more gives something else
_RUNS_TO_PREPARE = 2  # onnxruntime lays out its memory in the first run of a size, and takes it in the second


@dataclass(frozen=True)
class SeenFrame:
    """A frame with what the frames before it say of it: what the network gets to see.

    photo_bgr: of the frame's size, averaged over time where it stands still; the frame's own picture without a steadier.
    moving: where it does not, as SteadyPhoto has it.
    levels: at which it is to be painted; None for its own.
    """

    frame: Frame
    photo_bgr: Image
    moving: Image | None = None
    levels: Curve | None = None


@dataclass(frozen=True)
class PaintedFrame:
    """A frame with what became of it, all of the frame's size.

    picture_bgr: painted, colours and strength applied; neither split nor mirrored.
    is_full: painted at the frame's own size and not in the middle of a fade.
    state: the controls by which it was painted.
    """

    seen: SeenFrame
    picture_bgr: Image
    style: int
    processed_wh: tuple[int, int]
    is_full: bool
    state: ControlState

    @property
    def frame(self) -> Frame:
        """As it came from the source."""
        return self.seen.frame


class Painter:
    """Keeps the style on show and changes it once the wanted one is warm.

    smallest_processed_wh: of all frames so far.

    Args:
        studio: where stylizers come from.
        style: number of the first style, made at once.
        processing_wh: box that bounds the size at which the network runs; None for the frame's size.
        times: gets the stages "style" and "composite".
        warms_neighbours: whether other styles may be asked for.
        steadier: averages what stands still, before it is painted and after; None for the frames and paintings as they are.
        auto_levels: brings dark and pale frames to full levels; None to paint them as they are.
        large_strokes: whether large pictures get coarse strokes below the network's own.
        keeps_pace: frames come at their own pace and do without them; what is painted at full size later does not.
    Raises:
        ModelError: the first style is unusable.
    """

    def __init__(
        self,
        studio: Studio,
        style: int,
        processing_wh: tuple[int, int] | None,
        times: RunTimes,
        warms_neighbours: bool = True,
        clock: Callable[[], float] = time.perf_counter,
        steadier: Steadier | None = None,
        auto_levels: AutoLevels | None = None,
        large_strokes: bool = False,
        keeps_pace: bool = False,
    ) -> None:
        self.style = style
        self.stylizer: Stylizer = studio.require(style)
        self.smallest_processed_wh: tuple[int, int] | None = None
        self._studio, self._box_wh, self._times = studio, processing_wh, times
        self._warms_neighbours, self._clock = warms_neighbours, clock
        self._steadier, self._auto_levels = steadier, auto_levels
        self._large_strokes, self._keeps_pace = large_strokes, keeps_pace
        self._followed = 0  # frames
        self._noting = threading.Lock()
        self._last: Image | None = None
        self._fading_from: Image | None = None
        self._fade_s, self._fade_began_s = FADE_S, 0.0
        self._sizes: tuple[tuple[int, int], tuple[int, int]] | None = None  # of the last frame, and at which it was painted

    def prepare(self, frame_wh: tuple[int, int]) -> None:
        """Paints black frames of a size that is expected, until no run needs new memory: a camera does not wait for that."""
        size_wh = self.processing_size(frame_wh, share=1.0)
        if size_wh[0] * size_wh[1] <= _LARGEST_PREPARED:
            for _ in range(_RUNS_TO_PREPARE):
                self.stylizer.warm_up(size_wh)

    def paint(self, frame: Frame, state: ControlState) -> PaintedFrame:
        """Paints a frame as the controls ask for it, one after the other: what is shown fades from the frame before.

        Raises:
            ModelError: the network failed.
        """
        size_wh = self.processing_size(frame.size_wh, state.processing_share)
        self._follow(state.style, size_wh)
        size_wh = self._ready_size(frame.size_wh, size_wh)
        with self._times.stage("style"):
            seen = self.look_at(frame, state)
            painted = self._style_frame(seen, state, size_wh)
        with self._times.stage("composite"):
            composed = compose(seen.photo_bgr, painted, state, seen.levels)
            picture, is_fading = self._fade(self._steady(seen, composed, state, size_wh))
        self._last = picture
        self._note_size(size_wh)
        is_full = size_wh == frame.size_wh and not is_fading
        return PaintedFrame(seen, picture, self.style, size_wh, is_full, state)

    def look_at(self, frame: Frame, state: ControlState) -> SeenFrame:
        """What the network is to see of a frame; every frame once, in their order."""
        photo, moving = frame.image_bgr, None
        if self._steadier is not None and state.effective_strength > 0:
            steady = self._steadier.look_at(photo)
            photo, moving = steady.picture_bgr, steady.moving
        elif self._steadier is not None:
            self._steadier.forget()  # it sees nothing of what passes now
        levels = None if self._auto_levels is None else self._auto_levels.curve_for(photo)  # noise would pass for contrast
        return SeenFrame(frame, photo, moving, levels)

    def at_full_size(self, painted: PaintedFrame) -> Callable[[], Image]:
        """The picture as shown, or a way to paint it as a still is painted, on another thread and later."""
        lacks_strokes = self._large_strokes and self._keeps_pace and bool(coarser_sizes(painted.frame.size_wh))
        if painted.is_full and not lacks_strokes:
            return lambda: painted.picture_bgr
        photo, levels = painted.seen.photo_bgr, painted.seen.levels
        paint = partial(paint_at, self.stylizer, photo, painted.frame.size_wh, levels, self._large_strokes)
        return lambda: compose(photo, paint(), painted.state, levels)

    def paint_alone(self, seen: SeenFrame, state: ControlState) -> PaintedFrame:
        """Paints a frame in the style on show, without regard to any other: several threads may do so at the same time.

        Each is then to go through `put_in_line`, in the order of the frames.

        Raises:
            ModelError: the network failed.
        """
        frame_wh = seen.frame.size_wh
        size_wh = self.processing_size(frame_wh, state.processing_share)
        with self._times.stage("style"):
            painted = self._style_frame(seen, state, size_wh)
        with self._times.stage("composite"):
            picture = compose(seen.photo_bgr, painted, state, seen.levels)
        self._note_size(size_wh)
        return PaintedFrame(seen, picture, self.style, size_wh, size_wh == frame_wh, state)

    def put_in_line(self, painted: PaintedFrame, state: ControlState) -> PaintedFrame:
        """A frame that was painted alone, after the one before it: steadied, where there is a steadier.

        Not timed: the frame's "composite" has been noted already.
        """
        picture = self._steady(painted.seen, painted.picture_bgr, state, painted.processed_wh)
        return replace(painted, picture_bgr=picture)

    def processing_size(self, frame_wh: tuple[int, int], share: float) -> tuple[int, int]:
        """Size at which the network runs: the frame's, fitted into the box, times the share that [ and ] set."""
        width, height = frame_wh
        scale = 1.0
        if self._box_wh is not None:
            scale = min(1.0, self._box_wh[0] / width, self._box_wh[1] / height)
        scale *= share
        return max(min(width, _SMALLEST_SIDE), round(width * scale)), max(min(height, _SMALLEST_SIDE), round(height * scale))

    def _style_frame(self, seen: SeenFrame, state: ControlState, size_wh: tuple[int, int]) -> Image:
        """The network's painting, of the frame's size; the frame itself where nothing of the painting would be seen."""
        if state.effective_strength <= 0:
            return seen.photo_bgr
        return paint_at(self.stylizer, seen.photo_bgr, size_wh, seen.levels, self._large_strokes and not self._keeps_pace)

    def _steady(self, seen: SeenFrame, picture: Image, state: ControlState, size_wh: tuple[int, int]) -> Image:
        if self._steadier is None or state.effective_strength <= 0:
            return picture
        circumstances = (self.stylizer, size_wh, state.effective_strength, state.colours_of_photo)
        return self._steadier.steady(picture, seen.moving, circumstances)

    def _follow(self, wanted: int, size_wh: tuple[int, int]) -> None:
        """Takes the wanted style once it is warm; until then the one on show stays."""
        self._followed += 1
        if self._warms_neighbours and (wanted != self.style or self._followed > _SETTLING_FRAMES):
            self._studio.warm(wanted, size_wh)
        stylizer = self._studio.ready(wanted)
        if stylizer is not None and stylizer is not self.stylizer:  # another style, or this one's network was exchanged
            self.style, self.stylizer = wanted, stylizer
            self._start_fade(FADE_S)

    def _ready_size(self, frame_wh: tuple[int, int], wanted_wh: tuple[int, int]) -> tuple[int, int]:
        """The wanted size, or the one before while a GPU gets ready for the wanted one in the background."""
        size_wh = wanted_wh
        if self._sizes is not None and self._sizes[0] == frame_wh and self._sizes[1] != wanted_wh:
            if self._studio.is_ready_at(self.style, wanted_wh):
                self._start_fade(SIZE_FADE_S)
            else:
                size_wh = self._sizes[1]
        self._sizes = (frame_wh, size_wh)
        return size_wh

    def _start_fade(self, seconds: float) -> None:
        self._fading_from, self._fade_s, self._fade_began_s = self._last, seconds, self._clock()

    def _fade(self, picture: Image) -> tuple[Image, bool]:
        if self._fading_from is None:
            return picture, False
        share = (self._clock() - self._fade_began_s) / self._fade_s
        if share >= 1:
            self._fading_from = None
            return picture, False
        return cross_fade(self._fading_from, picture, share), True

    def _note_size(self, size_wh: tuple[int, int]) -> None:
        with self._noting:
            smallest = self.smallest_processed_wh
            if smallest is None or size_wh[0] * size_wh[1] < smallest[0] * smallest[1]:
                self.smallest_processed_wh = size_wh


def paint_at(
    stylizer: Stylizer, image_bgr: Image, size_wh: tuple[int, int], levels: Curve | None = None, large_strokes: bool = False
) -> Image:
    """Paints a picture at another size, and at other levels, and brings it back to its own size.

    Args:
        large_strokes: whether at a large size it is painted at smaller ones too.
    """
    own_wh = (image_bgr.shape[1], image_bgr.shape[0])
    if size_wh != own_wh:
        image_bgr = np.asarray(cv2.resize(image_bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    seen = set_levels(image_bgr, levels)
    painted = paint_at_scales(stylizer.style, seen) if large_strokes else stylizer.style(seen)
    return painted if size_wh == own_wh else np.asarray(cv2.resize(painted, own_wh, interpolation=cv2.INTER_CUBIC), np.uint8)
