"""The painter: sizes, styles that change when they are warm, fades."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from realtime.auto_levels import AutoLevels, set_levels
from realtime.compositor import blend, compose, keep_colours
from realtime.controls import ControlState
from realtime.errors import ModelError
from realtime.frame import Frame, Image
from realtime.gallery import Style
from realtime.networks.model_choice import ModelChoice
from realtime.painter import _SETTLING_FRAMES, FADE_S, SIZE_FADE_S, PaintedFrame, Painter, paint_at
from realtime.steadying import Steadier
from realtime.studio import Studio
from realtime.stylizer import Stylizer
from realtime.timing import RunTimes
from tests.fakes import (
    SMALL_WH,
    FakeClock,
    FakeStylizer,
    coloured_picture,
    flat_picture,
    frame_of,
    noisy_picture,
    plain_style,
    wait_until,
)

MakePainter = Callable[..., Painter]


class FlatStylizer(FakeStylizer):
    """Paints everything in one grey, told by the style's order."""

    def style(self, image_bgr: np.ndarray) -> np.ndarray:
        """One grey."""
        assert self.made_for is not None
        return np.full_like(image_bgr, self.made_for.order)


@pytest.fixture
def make_painter(clock: FakeClock) -> Iterator[MakePainter]:
    """Makes painters with three styles, which invert unless told otherwise."""
    studios: list[Studio] = []

    def make(
        processing_wh: tuple[int, int] | None = None,
        make_stylizer: Callable[[Style, ModelChoice], Stylizer] = FakeStylizer,
        warms_neighbours: bool = False,
        **options: Any,
    ) -> Painter:
        styles = [plain_style(f"style_{number}", order=100 * number) for number in range(3)]
        studio = Studio(styles, ModelChoice(), make_stylizer)
        studios.append(studio)
        return Painter(studio, 0, processing_wh, RunTimes(clock), warms_neighbours, clock, **options)

    yield make
    for studio in studios:
        studio.close()


def stylizer_of(painter: Painter) -> FakeStylizer:
    """The fake on show."""
    assert isinstance(painter.stylizer, FakeStylizer)
    return painter.stylizer


def paint_alone(painter: Painter, frame: Frame, state: ControlState) -> PaintedFrame:
    """As a lane does, with what has to go before it."""
    return painter.paint_alone(painter.look_at(frame, state), state)


def test_frame_is_painted_at_its_own_size(make_painter: MakePainter) -> None:
    painter, photo = make_painter(), noisy_picture()
    painted = painter.paint(frame_of(photo), ControlState())
    np.testing.assert_array_equal(painted.picture_bgr, 255 - photo)
    assert painted.processed_wh == SMALL_WH
    assert painted.is_full
    assert painted.style == 0


def test_original_costs_no_painting(make_painter: MakePainter) -> None:
    painter, photo = make_painter(), noisy_picture()
    for state in (ControlState(shows_original=True), ControlState(strength=0.0)):
        np.testing.assert_array_equal(painter.paint(frame_of(photo), state).picture_bgr, photo)
    assert stylizer_of(painter).styled_wh == []


def test_strength_and_kept_colours_are_applied(make_painter: MakePainter) -> None:
    painter, photo = make_painter(), coloured_picture()
    state = ControlState(strength=0.5, colours_of_photo=True)
    expected = blend(photo, keep_colours(photo, 255 - photo), 0.5)
    np.testing.assert_array_equal(painter.paint(frame_of(photo), state).picture_bgr, expected)


def test_split_view_and_mirror_are_left_to_the_shown_picture(make_painter: MakePainter) -> None:
    painter, photo = make_painter(), noisy_picture()
    painted = painter.paint(frame_of(photo), ControlState(split=True, mirror=True))
    np.testing.assert_array_equal(painted.picture_bgr, 255 - photo)


@pytest.mark.parametrize(
    ("frame_wh", "box_wh", "share", "expected_wh"),
    [
        ((640, 480), None, 1.0, (640, 480)),
        ((640, 480), None, 0.5, (320, 240)),
        ((640, 480), (320, 320), 1.0, (320, 240)),
        ((640, 480), (9999, 240), 1.0, (320, 240)),
        ((640, 480), (320, 240), 0.5, (160, 120)),
        ((640, 480), (1280, 960), 1.0, (640, 480)),  # never enlarged
        ((48, 40), None, 0.25, (32, 32)),
        ((20, 10), None, 0.25, (20, 10)),
    ],
)
def test_processing_size(
    make_painter: MakePainter,
    frame_wh: tuple[int, int],
    box_wh: tuple[int, int] | None,
    share: float,
    expected_wh: tuple[int, int],
) -> None:
    assert make_painter(box_wh).processing_size(frame_wh, share) == expected_wh


def test_smaller_processing_size_gives_a_picture_of_the_frames_size(make_painter: MakePainter) -> None:
    painter, photo = make_painter(), coloured_picture((128, 96))
    painted = painter.paint(frame_of(photo), ControlState(processing_share=0.5))
    assert stylizer_of(painter).styled_wh == [(64, 48)]
    assert painted.picture_bgr.shape == photo.shape
    assert np.abs(painted.picture_bgr.astype(int) - (255 - photo)).mean() < 3
    assert painted.processed_wh == (64, 48)
    assert not painted.is_full


def test_smallest_size_is_remembered(make_painter: MakePainter) -> None:
    painter = make_painter()
    for share in (1.0, 0.5, 0.7):
        painter.paint(frame_of(flat_picture(0, (128, 96))), ControlState(processing_share=share))
    assert painter.smallest_processed_wh == (64, 48)


def test_strokes_of_another_size_fade_in(make_painter: MakePainter, clock: FakeClock) -> None:
    painter, photo = make_painter(), noisy_picture((128, 96))
    first = painter.paint(frame_of(photo), ControlState()).picture_bgr
    smaller = ControlState(processing_share=0.5)
    at_once = painter.paint(frame_of(photo), smaller)
    np.testing.assert_array_equal(at_once.picture_bgr, first)  # nothing jumps
    clock.advance(SIZE_FADE_S / 2)
    half_way = painter.paint(frame_of(photo), smaller).picture_bgr
    clock.advance(SIZE_FADE_S)
    after = painter.paint(frame_of(photo), smaller).picture_bgr
    np.testing.assert_allclose(half_way, (first.astype(float) + after) / 2, atol=1)


def test_gpu_gets_ready_for_another_size_off_the_live_path(make_painter: MakePainter) -> None:
    painter, frame = make_painter(), frame_of(noisy_picture((128, 96)))
    painter.paint(frame, ControlState())
    stylizer = stylizer_of(painter)
    stylizer.prepares_each_size = True
    smaller = ControlState(processing_share=0.5)
    assert painter.paint(frame, smaller).processed_wh == (128, 96)  # goes on at the size before
    wait_until(lambda: (64, 48) in stylizer.warmed_wh)
    assert painter.paint(frame, smaller).processed_wh == (64, 48)


def test_frame_painted_alone_knows_no_fade(make_painter: MakePainter) -> None:
    painter = make_painter()
    painter.paint(frame_of(noisy_picture(seed=1)), ControlState())
    painter.paint(frame_of(noisy_picture(seed=2)), ControlState(processing_share=0.75))  # begins a fade
    painted = paint_alone(painter, frame_of(noisy_picture(seed=3)), ControlState())
    np.testing.assert_array_equal(painted.picture_bgr, 255 - noisy_picture(seed=3))
    assert painted.is_full


def test_frames_of_several_sizes_are_painted_alone_on_several_threads(make_painter: MakePainter) -> None:
    painter = make_painter(processing_wh=(48, 48))
    photos = [flat_picture(number, ((96, 64), (64, 96), (40, 40))[number % 3]) for number in range(60)]
    with ThreadPoolExecutor(4) as pool:
        painted = list(pool.map(lambda photo: paint_alone(painter, frame_of(photo), ControlState()), photos))
    for photo, one in zip(photos, painted, strict=True):
        np.testing.assert_array_equal(one.picture_bgr, 255 - photo)
    assert {one.processed_wh for one in painted} == {(48, 32), (32, 48), (40, 40)}
    assert painter.smallest_processed_wh in {(48, 32), (32, 48)}


def test_frame_that_changes_size_is_painted_at_the_new_one(make_painter: MakePainter) -> None:
    painter = make_painter()
    for size_wh in (SMALL_WH, (80, 32), (33, 65)):
        photo = noisy_picture(size_wh)
        np.testing.assert_array_equal(painter.paint(frame_of(photo), ControlState()).picture_bgr, 255 - photo)


def test_wanted_style_comes_when_it_is_warm_and_fades_in(make_painter: MakePainter, clock: FakeClock) -> None:
    painter = make_painter(make_stylizer=FlatStylizer)
    studio = painter._studio
    state, frame = ControlState(style_count=3), frame_of(flat_picture(0))
    levels = [int(painter.paint(frame, state).picture_bgr[0, 0, 0])]

    state = replace(state, style=2)
    painted = painter.paint(frame, state)
    assert painted.style == 0  # not warm yet: the style on show stays
    studio.require(2)
    painted = painter.paint(frame, state)
    assert painted.style == 2
    assert not painted.is_full  # in the middle of a fade
    levels.append(int(painted.picture_bgr[0, 0, 0]))
    for _ in range(3):
        clock.advance(FADE_S / 2)
        painted = painter.paint(frame, state)
        levels.append(int(painted.picture_bgr[0, 0, 0]))
    assert levels == [0, 0, 100, 200, 200]
    assert painted.is_full


def test_exchanged_network_of_the_style_on_show_fades_in(make_painter: MakePainter, clock: FakeClock) -> None:
    painter = make_painter(make_stylizer=FlatStylizer, warms_neighbours=True)
    state, frame = ControlState(style_count=3), frame_of(noisy_picture())
    assert painter.paint(frame, state).picture_bgr[0, 0, 0] == 0
    before = painter.stylizer
    painter._studio.take_up(plain_style("style_0", order=80))

    def is_taken() -> bool:
        painter.paint(frame, state)
        return painter.stylizer is not before

    wait_until(is_taken)
    clock.advance(FADE_S)
    assert painter.paint(frame, state).picture_bgr[0, 0, 0] == 80


def test_style_that_fails_leaves_the_one_on_show(make_painter: MakePainter) -> None:
    def make(style: Style, choice: ModelChoice) -> Stylizer:
        if style.name == "style_1":
            raise ModelError("damaged")
        return FakeStylizer(style, choice)

    painter = make_painter(make_stylizer=make, warms_neighbours=True)
    studio = painter._studio
    state, frame = ControlState(style=1, style_count=3), frame_of(flat_picture(10))
    painter.paint(frame, state)
    wait_until(lambda: studio.failure(1) is not None)
    painted = painter.paint(frame, state)
    assert painted.style == 0
    np.testing.assert_array_equal(painted.picture_bgr, flat_picture(245))


def test_neighbours_are_warmed_at_the_processing_size_once_the_run_has_settled(make_painter: MakePainter) -> None:
    painter = make_painter(warms_neighbours=True)
    studio = painter._studio
    for _ in range(_SETTLING_FRAMES + 1):
        assert studio._thread is None  # the first frames have both cores to themselves
        painter.paint(frame_of(flat_picture(0, (128, 96))), ControlState(processing_share=0.5, style_count=3))
    wait_until(lambda: studio.ready(1) is not None and studio.ready(2) is not None)
    neighbour = studio.ready(1)
    assert isinstance(neighbour, FakeStylizer)
    assert neighbour.warmed_wh == [(64, 48)]


def test_an_expected_size_is_painted_before_the_first_frame_and_a_huge_one_is_not(make_painter: MakePainter) -> None:
    painter = make_painter(processing_wh=(64, 64))
    assert isinstance(painter.stylizer, FakeStylizer)
    painter.prepare((128, 96))
    assert painter.stylizer.warmed_wh == [(64, 48)] * 2
    assert painter.smallest_processed_wh is None  # no frame was painted
    unbounded = make_painter()
    assert isinstance(unbounded.stylizer, FakeStylizer)
    unbounded.prepare((100_000, 100_000))
    assert unbounded.stylizer.warmed_wh == []


def test_another_style_is_made_at_once_when_it_is_asked_for(make_painter: MakePainter) -> None:
    painter = make_painter(warms_neighbours=True)
    painter.paint(frame_of(flat_picture(0)), ControlState(style=2, style_count=3))
    wait_until(lambda: painter._studio.ready(2) is not None)


def test_other_styles_are_left_alone_where_nobody_can_ask_for_them(make_painter: MakePainter) -> None:
    painter = make_painter(warms_neighbours=False)
    painter.paint(frame_of(flat_picture(0)), ControlState(style_count=3))
    assert painter._studio._thread is None


def test_first_style_that_is_unusable_is_an_error(make_painter: MakePainter) -> None:
    def fail(style: Style, choice: ModelChoice) -> Stylizer:
        raise ModelError("damaged")

    with pytest.raises(ModelError, match="damaged"):
        make_painter(make_stylizer=fail)


def test_stages_are_timed(clock: FakeClock) -> None:
    class SlowStylizer(FakeStylizer):
        def style(self, image_bgr: np.ndarray) -> np.ndarray:
            clock.advance(0.04)
            return super().style(image_bgr)

    times = RunTimes(clock)
    painter = Painter(Studio([plain_style("slow")], ModelChoice(), SlowStylizer), 0, None, times, False, clock)
    painter.paint(frame_of(flat_picture(0)), ControlState())
    assert times.stage_medians_ms()["style"] == pytest.approx(40.0)


def test_paint_at_another_size_and_back() -> None:
    stylizer, photo = FakeStylizer(), coloured_picture((65, 47))
    assert paint_at(stylizer, photo, (65, 47)).shape == photo.shape
    assert paint_at(stylizer, photo, (32, 32)).shape == photo.shape
    assert stylizer.styled_wh == [(65, 47), (32, 32)]


class WaveringStylizer(FakeStylizer):
    """Paints everything lighter by 100 at every second frame."""

    frames = 0

    def style(self, image_bgr: np.ndarray) -> np.ndarray:
        """One grey: 50, 150, 50 ..."""
        self.frames += 1
        return np.full_like(image_bgr, 50 if self.frames % 2 else 150)


def test_a_painting_of_what_stands_still_is_steadied(make_painter: MakePainter) -> None:
    painter, frame = make_painter(make_stylizer=WaveringStylizer, steadier=Steadier()), frame_of(noisy_picture())
    shown = [int(painter.paint(frame, ControlState()).picture_bgr[0, 0, 0]) for _ in range(3)]
    assert shown == [50, 75, 69]


def test_without_a_steadier_it_is_what_the_network_paints(make_painter: MakePainter) -> None:
    painter, frame = make_painter(make_stylizer=WaveringStylizer), frame_of(noisy_picture())
    assert [int(painter.paint(frame, ControlState()).picture_bgr[0, 0, 0]) for _ in range(3)] == [50, 150, 50]


def test_at_strength_0_the_photo_is_never_averaged(make_painter: MakePainter) -> None:
    painter = make_painter(steadier=Steadier())
    for level in (100, 102, 101):
        photo = flat_picture(level)
        np.testing.assert_array_equal(painter.paint(frame_of(photo), ControlState(strength=0.0)).picture_bgr, photo)


@pytest.mark.parametrize("change", [{}, {"strength": 0.5}, {"colours_of_photo": True}], ids=str)
def test_a_camera_s_noise_is_averaged_before_it_is_painted(make_painter: MakePainter, change: dict[str, float]) -> None:
    """The network gets the average, and so does what is mixed with its painting; the frame stays as it came."""
    random, painter, state = np.random.default_rng(0), make_painter(steadier=Steadier()), replace(ControlState(), **change)
    frames = [frame_of(np.clip(random.normal(120, 6, (48, 64, 3)), 0, 255).astype(np.uint8), index) for index in range(20)]
    for frame in frames:
        painted = painter.paint(frame, state)
    photo = painted.seen.photo_bgr
    assert float(photo.std()) < 0.5 * float(frame.image_bgr.std())
    assert painted.frame is frames[-1]
    at_full_size = painter.at_full_size(replace(painted, is_full=False))()
    np.testing.assert_array_equal(at_full_size, compose(photo, 255 - photo, state))


@pytest.mark.parametrize("change", [{"strength": 0.5}, {"colours_of_photo": True}, {"processing_share": 0.5}], ids=str)
def test_a_key_is_answered_at_once_though_the_picture_stands_still(
    make_painter: MakePainter, clock: FakeClock, change: dict[str, float]
) -> None:
    """Not blended with what was shown before (a change of size has a fade of its own)."""
    steadied, plain = make_painter(steadier=Steadier()), make_painter()
    frame = frame_of(noisy_picture())
    for painter in (steadied, plain):
        painter.paint(frame, ControlState())
        painter.paint(frame, replace(ControlState(), **change))
    clock.advance(SIZE_FADE_S)
    pictures = [painter.paint(frame, replace(ControlState(), **change)).picture_bgr for painter in (steadied, plain)]
    np.testing.assert_array_equal(*pictures)


def test_frames_painted_alone_are_steadied_in_their_order(make_painter: MakePainter) -> None:
    painter, frame = make_painter(make_stylizer=WaveringStylizer, steadier=Steadier()), frame_of(noisy_picture())
    alone = [paint_alone(painter, frame, ControlState()) for _ in range(3)]
    assert [int(painted.picture_bgr[0, 0, 0]) for painted in alone] == [50, 150, 50]
    shown = [painter.put_in_line(painted, ControlState()) for painted in alone]
    assert [int(painted.picture_bgr[0, 0, 0]) for painted in shown] == [50, 75, 69]
    assert [painted.processed_wh for painted in shown] == [SMALL_WH] * 3


LARGE_WH = (1440, 1080)


@pytest.mark.parametrize(
    ("options", "share", "painted_wh"),
    [
        ({"large_strokes": True}, 1.0, [(720, 540), LARGE_WH]),
        ({"large_strokes": True}, 0.5, [(720, 540)]),
        ({}, 1.0, [LARGE_WH]),
        ({"large_strokes": True, "keeps_pace": True}, 1.0, [LARGE_WH]),
    ],
)
def test_a_large_frame_is_painted_small_too(
    make_painter: MakePainter, options: dict[str, bool], share: float, painted_wh: list[tuple[int, int]]
) -> None:
    painter, state = make_painter(**options), ControlState(processing_share=share)
    frame = frame_of(flat_picture(90, LARGE_WH))
    for painted in (painter.paint(frame, state), paint_alone(painter, frame, state)):
        assert painted.processed_wh == painted_wh[-1]
        np.testing.assert_array_equal(painted.picture_bgr, 255 - frame.image_bgr)
    assert stylizer_of(painter).styled_wh == painted_wh * 2


@pytest.mark.parametrize("share", [1.0, 0.25])
def test_what_is_painted_later_at_full_size_has_large_strokes(make_painter: MakePainter, share: float) -> None:
    """However fast the machine was at that moment."""
    painter, frame = make_painter(large_strokes=True, keeps_pace=True), frame_of(flat_picture(90, LARGE_WH))
    later = painter.at_full_size(painter.paint(frame, ControlState(processing_share=share)))
    stylizer_of(painter).styled_wh.clear()
    np.testing.assert_array_equal(later(), 255 - frame.image_bgr)
    assert stylizer_of(painter).styled_wh == [(720, 540), LARGE_WH]


def dark_picture(seed: int = 0) -> Image:
    """Of a room with little light."""
    return np.asarray(noisy_picture(seed=seed) // 5, np.uint8)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_dark_frame_is_painted_at_full_levels_and_stays_as_it_is(make_painter: MakePainter, share: float) -> None:
    painter, photo = make_painter(auto_levels=AutoLevels()), dark_picture()
    state = ControlState(processing_share=share)
    painted = painter.paint(frame_of(photo), state)
    assert painted.seen.levels is not None
    plain = make_painter().paint(frame_of(set_levels(photo, painted.seen.levels)), state)
    assert np.abs(painted.picture_bgr.astype(int) - plain.picture_bgr).max() <= (0 if share == 1 else 40)  # scaled, then curved
    assert painted.picture_bgr.mean() < 255 - 1.5 * photo.mean()  # the negative of a brighter picture
    np.testing.assert_array_equal(painted.frame.image_bgr, dark_picture())


def test_a_dark_frame_is_painted_as_it_is_without_auto_levels(make_painter: MakePainter) -> None:
    painted = make_painter().paint(frame_of(dark_picture()), ControlState())
    assert painted.seen.levels is None
    np.testing.assert_array_equal(painted.picture_bgr, 255 - dark_picture())


def test_at_strength_0_a_dark_frame_is_shown_as_it_is(make_painter: MakePainter) -> None:
    painter = make_painter(auto_levels=AutoLevels())
    painted = painter.paint(frame_of(dark_picture()), ControlState(strength=0.0))
    np.testing.assert_array_equal(painted.picture_bgr, dark_picture())


def test_the_colours_of_a_dark_photo_are_kept_as_bright_as_it_was_painted(make_painter: MakePainter) -> None:
    painter = make_painter(auto_levels=AutoLevels())
    photo = np.asarray(coloured_picture() // 5, np.uint8)
    painted = painter.paint(frame_of(photo), ControlState(colours_of_photo=True))
    seen = set_levels(photo, painted.seen.levels)
    np.testing.assert_array_equal(painted.picture_bgr, keep_colours(seen, 255 - seen))


def test_frames_painted_alone_have_the_levels_of_their_place_in_the_row(make_painter: MakePainter) -> None:
    """Measured in order, painted in any."""
    frames = [frame_of(dark_picture(seed) + np.uint8(seed), seed) for seed in range(6)]
    in_line, alone = (make_painter(auto_levels=AutoLevels()) for _ in range(2))
    expected = [in_line.paint(frame, ControlState()).picture_bgr for frame in frames]
    seen = [alone.look_at(frame, ControlState()) for frame in frames]
    painted = [alone.paint_alone(of_it, ControlState()) for of_it in reversed(seen)][::-1]
    for ours, theirs in zip(painted, expected, strict=True):
        np.testing.assert_array_equal(ours.picture_bgr, theirs)


def test_a_frame_painted_alone_counts_once_in_each_stage(make_painter: MakePainter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second, shorter value of each frame would halve what the statistics call its time."""
    noted, stage = [], RunTimes.stage

    def note(times: RunTimes, name: str) -> AbstractContextManager[None]:
        noted.append(name)
        return stage(times, name)

    monkeypatch.setattr(RunTimes, "stage", note)
    painter = make_painter(steadier=Steadier())
    painter.put_in_line(paint_alone(painter, frame_of(noisy_picture()), ControlState()), ControlState())
    assert noted == ["style", "composite"]
