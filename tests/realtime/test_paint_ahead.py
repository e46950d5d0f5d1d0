"""How many frames of a film are painted at a time, and what becomes of them at a stop."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from realtime import paint_ahead
from realtime.controls import ControlState
from realtime.frame import Frame
from realtime.networks.model_choice import ModelChoice
from realtime.paint_ahead import PaintAhead, share_cores, share_out
from realtime.painter import PaintedFrame, SeenFrame
from realtime.studio import Studio
from tests.fakes import SIGNS_OF_LIFE_S, SMALL_WH, FakeStylizer, flat_picture, frame_of, plain_style, wait_until


@pytest.fixture
def studio() -> Studio:
    return Studio([plain_style("night_sky")], ModelChoice(precision="fp32"), FakeStylizer)


@pytest.mark.parametrize(
    ("cores", "lanes", "threads"),
    [
        (1, 1, 1),
        (2, 2, 1),
        (3, 3, 1),
        (4, 4, 1),
        (5, 4, 1),  # never one frame alone: the fifth core decodes and encodes
        (6, 3, 2),
        (7, 3, 2),
        (8, 4, 2),
        (9, 3, 3),
        (10, 2, 5),
        (12, 4, 3),
        (16, 4, 4),
        (18, 3, 6),
    ],
)
def test_few_cores_are_left_idle(cores: int, lanes: int, threads: int) -> None:
    assert share_out(cores) == (lanes, threads)


@pytest.mark.parametrize(("cores", "lanes", "threads"), [(2, 2, 1), (6, 3, 2)])
def test_the_cores_are_shared_out(
    studio: Studio, cores: int, lanes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint_ahead, "core_count", lambda: cores)
    sharing, found = share_cores(studio, "cpu")
    assert found == lanes
    assert sharing.styles is studio.styles
    assert sharing._choice == ModelChoice(precision="fp32", threads=threads, lanes=lanes)
    assert share_cores(studio, "cpu")[0] is sharing  # made once


def test_one_core_and_coreml_paint_one_after_the_other(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paint_ahead, "core_count", lambda: 1)
    assert share_cores(studio, "cpu") == (studio, 1)
    monkeypatch.setattr(paint_ahead, "core_count", lambda: 8)
    monkeypatch.setattr(paint_ahead, "expected_provider", lambda _: "coreml")
    assert share_cores(studio, "auto") == (studio, 1)


def test_an_nvidia_gpu_copies_one_frame_while_it_paints_another(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paint_ahead, "expected_provider", lambda _: "cuda")
    sharing, lanes = share_cores(studio, "auto")
    assert lanes == 2
    assert sharing._choice == ModelChoice(precision="fp32", threads=0, lanes=2)


class HeldPainting:
    """Painting that lasts until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.let_go = threading.Event()

    def __call__(self, frame: Frame) -> PaintedFrame:
        """Paints nothing, but for long."""
        self.begun.append(frame.index)
        assert self.let_go.wait(SIGNS_OF_LIFE_S)
        return PaintedFrame(SeenFrame(frame, frame.image_bgr), frame.image_bgr, 0, SMALL_WH, is_full=True, state=ControlState())


def test_a_stop_finishes_what_has_begun_and_begins_nothing() -> None:
    painting, stop = HeldPainting(), threading.Event()
    ahead = PaintAhead(2, stop)
    for index in range(3):
        assert not ahead.is_full
        ahead.put(partial(painting, frame_of(flat_picture(0), index)))
    assert ahead.is_full
    wait_until(lambda: len(painting.begun) == 2)
    stop.set()
    painting.let_go.set()
    taken = [ahead.take() for _ in range(3)]
    assert [painted.frame.index for painted in taken if painted is not None] == [0, 1]
    assert taken[2] is None
    assert ahead.close() == 1
    assert sorted(painting.begun) == [0, 1]


def test_what_was_not_taken_is_counted_at_the_end() -> None:
    painting = HeldPainting()
    ahead = PaintAhead(2)
    for index in range(3):
        ahead.put(partial(painting, frame_of(flat_picture(0), index)))
    painting.let_go.set()
    assert ahead.take() is not None
    assert ahead.close() == 2
    assert len(ahead) == 0
