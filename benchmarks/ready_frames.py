"""A source of ready frames: what a run costs beyond decoding, with or without a pace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime as ort

from realtime.capture import Capture, Policy
from realtime.controls import ControlState
from realtime.demo import DemoScene
from realtime.errors import ModelError
from realtime.frame import Image
from realtime.pace import Pace
from realtime.painter import Painter
from realtime.pipeline import Pipeline, RunOptions
from realtime.program.statistics_file import collect_stats
from realtime.sinks import NullSink
from realtime.source import Source
from realtime.studio import Studio
from realtime.timing import RunTimes

_LARGEST_STRIDE = 32  # of networks by the contract, and that of one that does not tell its own
_DIFFERENT = 16  # pictures kept: more than fit into a cache


def ready_pictures(size_wh: tuple[int, int]) -> list[Image]:
    """Some pictures of the demo."""
    scene = DemoScene(size_wh)
    return [np.ascontiguousarray(scene.draw(number * 0.1)) for number in range(_DIFFERENT)]


class ReadyFrames(Source):
    """Hands out pictures that exist already.

    Args:
        pictures: handed out in turn.
        count: of frames, after which it ends.
        fps: frames a second as a camera's; None for as fast as they are taken.
    """

    description = "ready frames"

    def __init__(self, pictures: list[Image], count: int, fps: float | None = None) -> None:
        self.is_live = fps is not None
        self.fps = fps
        self.frame_count = count
        self._pictures, self._pace = pictures, Pace(fps) if fps is not None else None
        self._index = 0

    def open(self) -> None:
        """Nothing to open."""

    def read(self) -> tuple[Image, float | None] | None:
        if self._index == self.frame_count:
            return None
        if self._pace is not None:
            self._pace.wait()
        self._index += 1
        return self._pictures[self._index % len(self._pictures)], None

    def close(self) -> None:
        """Nothing to close."""


def fitted(session: ort.InferenceSession, image_bgr: Image) -> Any:
    """A picture as a network by the contract takes it: extended to multiples of its stride, as live.

    Returns:
        (1, H, W, 3) uint8.
    Raises:
        ModelError: the network takes something else.
    """
    wanted = session.get_inputs()[0]
    if wanted.type != "tensor(uint8)":
        raise ModelError(
            f"the network takes {wanted.type}; measured are those that take frames of bytes, as export.to_onnx writes"
        )
    told = session.get_modelmeta().custom_metadata_map.get("stride", "")
    stride = int(told) if told.isdecimal() and 0 < int(told) <= _LARGEST_STRIDE else _LARGEST_STRIDE
    down, right = (-length % stride for length in image_bgr.shape[:2])
    return np.pad(image_bgr, ((0, down), (0, right), (0, 0)), "edge")[np.newaxis]


@dataclass(frozen=True)
class FinishedRun:
    """What a run reported, and the processor time that the whole process took for it."""

    stats: dict[str, Any]
    processor_s: float


def run_pipeline(studio: Studio, source: ReadyFrames, processor_clock: Callable[[], float] = time.process_time) -> FinishedRun:
    """The whole live path without decoding and without display: capture thread, painter, compositor, sink.

    Args:
        studio: with the first style made.
        processor_clock: seconds of processor time.
    """
    times = RunTimes()
    capture = Capture(source, Policy.NEWEST if source.is_live else Policy.EVERY)
    painter = Painter(studio, 0, None, times, warms_neighbours=False)
    pipeline = Pipeline(capture, painter, NullSink(), None, ControlState(), times, RunOptions(), threading.Event())
    began = processor_clock()
    capture.start()
    pipeline.run()
    processor_s = processor_clock() - began
    return FinishedRun(collect_stats(pipeline, capture, painter, times, studio.styles[0].name, 0.0), processor_s)
