"""The window's side: what is shown and what is saved, keys, messages, snapshots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime.auto_levels import AutoLevels, set_levels
from realtime.controls import ControlState
from realtime.errors import ModelError
from realtime.frame import Image
from realtime.gallery import Style
from realtime.live.errands import Errands
from realtime.live.gallery_watch import Arrival, GalleryWatch
from realtime.live.messages import Messages
from realtime.live.repaint import Repainter, RepaintSettings, RepaintStatus
from realtime.live.snapshots import SnapshotFolder
from realtime.live.view import LiveView
from realtime.networks.model_choice import ModelChoice
from realtime.outlets.recorder import Recorder
from realtime.overlay import Hud
from realtime.painter import PaintedFrame, Painter
from realtime.studio import Studio
from realtime.stylizer import Stylizer
from realtime.timing import RunTimes
from tests.fakes import (
    FakeClock,
    FakeStylizer,
    FakeWindow,
    flat_picture,
    frame_of,
    noisy_picture,
    plain_style,
    read_picture,
    wait_until,
)

STATE = ControlState(style_count=2)


class Scene:
    """A live view over fakes, and what was written on its pictures."""

    def __init__(self, folder: Path, clock: FakeClock, state: ControlState, keys: list[int]) -> None:
        self.clock = clock
        self.window = FakeWindow(keys=keys)
        self.folder = folder
        self.times = RunTimes(clock)
        self.studio = Studio([plain_style("night_sky"), plain_style("plain_day")], ModelChoice(), self._make)
        self.painter = Painter(self.studio, 0, None, self.times, warms_neighbours=False, clock=clock)
        self.snapshots = SnapshotFolder(folder)
        self.huds: list[Hud] = []
        self.states: list[ControlState] = []
        self.messages = Messages(clock)
        self.recorder = Recorder(folder.with_name("recordings"), self.messages.say)
        self.watch = GalleryWatch([], [])
        self.repainter = Repainter(RepaintSettings(), self.messages.say, has_torch=lambda: False)
        errands = Errands(
            state, self.studio, self.painter, self.snapshots, self.recorder, self.repainter, self.messages, self.watch
        )
        self.view = LiveView(
            self.window, state, self.studio, self.painter, errands, self.messages, self.times, "scripted source"
        )

    def _make(self, style: Style, choice: ModelChoice) -> Stylizer:
        if style.name == "plain_day":
            raise ModelError("plain_day is damaged")
        return FakeStylizer(style, choice)

    def show(self, photo: Image, captured_at_s: float | None = None) -> PaintedFrame:
        """Paints a photo as the controls are and shows it."""
        frame = frame_of(photo, captured_at_s=self.clock() if captured_at_s is None else captured_at_s)
        painted = self.painter.paint(frame, self.view.state)
        self.view.show(painted)
        return painted

    def note(self, shown: Image, hud: Hud, state: ControlState) -> Image:
        """In place of draw_overlay: keeps the texts and leaves the picture as it is."""
        self.huds.append(hud)
        self.states.append(state)
        return shown


MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene(tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeScene]:
    scenes: list[Scene] = []

    def make(state: ControlState = STATE, keys: str = "", with_overlay: bool = False) -> Scene:
        scene = Scene(tmp_path / "snapshots", clock, state, [ord(key) for key in keys])
        if not with_overlay:
            monkeypatch.setattr("realtime.live.view.draw_overlay", scene.note)
        scenes.append(scene)
        return scene

    yield make
    for scene in scenes:
        scene.snapshots.close()
        scene.recorder.close()
        scene.studio.close()


def test_painted_picture_is_shown(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.show(noisy_picture())
    np.testing.assert_array_equal(scene.window.shown[0], 255 - noisy_picture())
    assert scene.times.shown == 1


def test_camera_is_shown_as_in_a_mirror(make_scene: MakeScene) -> None:
    scene = make_scene(replace(STATE, mirror=True))
    scene.show(noisy_picture())
    np.testing.assert_array_equal(scene.window.shown[0], 255 - noisy_picture()[:, ::-1])


@pytest.mark.parametrize("mirror", [False, True])
def test_split_view_has_the_photo_on_the_left_of_the_shown_picture(make_scene: MakeScene, mirror: bool) -> None:
    scene = make_scene(replace(STATE, split=True, mirror=mirror))
    scene.show(noisy_picture())
    seen = noisy_picture()[:, ::-1] if mirror else noisy_picture()
    np.testing.assert_array_equal(scene.window.shown[0][:, :30], seen[:, :30])
    np.testing.assert_array_equal(scene.window.shown[0][:, 34:], 255 - seen[:, 34:])


def test_overlay_is_drawn_on_the_shown_picture(make_scene: MakeScene) -> None:
    scene = make_scene(with_overlay=True)
    painted = scene.show(flat_picture(100, (640, 480)))
    assert np.any(scene.window.shown[0] != painted.picture_bgr)
    np.testing.assert_array_equal(painted.picture_bgr, flat_picture(155, (640, 480)))


def test_overlay_tells_style_rate_and_device(make_scene: MakeScene, clock: FakeClock) -> None:
    scene = make_scene()
    for _ in range(11):
        clock.advance(0.1)
        scene.show(flat_picture(0), captured_at_s=clock() - 0.03)
    hud = scene.huds[-1]
    assert (hud.style_label, hud.style_number, hud.device) == ("Night sky, Anon", 0, "fake fp32")
    assert hud.rate_fps == pytest.approx(10.0)
    assert hud.latency_ms == pytest.approx(30.0)
    assert hud.details == ()


def test_diagnostics_tell_source_sizes_and_stages(make_scene: MakeScene) -> None:
    scene = make_scene(replace(STATE, diagnostics=True, processing_share=0.5))
    scene.view.frames_dropped = 7
    scene.show(flat_picture(0, (128, 96)))
    text = "\n".join(scene.huds[0].details)
    for part in ("scripted source", "128x96", "64x48", "fast fp32 on fake", "capture", "present", "p95", "dropped 7"):
        assert part in text


def test_key_holds_from_the_next_frame_on(make_scene: MakeScene) -> None:
    scene = make_scene(keys="om")
    for _ in range(3):
        scene.show(noisy_picture())
    painted, original, mirrored = scene.window.shown
    np.testing.assert_array_equal(painted, 255 - noisy_picture())
    np.testing.assert_array_equal(original, noisy_picture())
    np.testing.assert_array_equal(mirrored, noisy_picture()[:, ::-1])


def test_keys_are_taken_between_frames(make_scene: MakeScene) -> None:
    scene = make_scene(keys="v")
    scene.view.idle()
    assert scene.view.state.split
    assert scene.window.shown == []


def test_full_screen_is_asked_of_the_window_once(make_scene: MakeScene) -> None:
    scene = make_scene(keys="fvf")
    for _ in range(4):
        scene.show(flat_picture(0))
    assert scene.window.fullscreen == [True, False]


def test_quit_by_key_and_by_close_button(make_scene: MakeScene) -> None:
    by_key = make_scene(keys="q")
    by_key.show(flat_picture(0))
    assert by_key.view.state.quit
    by_button = make_scene()
    by_button.window.close_after = 1
    by_button.show(flat_picture(0))
    assert by_button.view.state.quit


def test_waiting_shows_the_last_picture_with_the_reason(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.show(flat_picture(100))
    scene.view.wait("camera 0 lost")
    np.testing.assert_array_equal(scene.window.shown[1], flat_picture(155))
    assert scene.huds[1].message == "camera 0 lost"
    assert scene.times.shown == 1  # a repeated picture is no frame


def test_waiting_before_the_first_picture_shows_black(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.view.wait("camera 0 lost")
    assert not scene.window.shown[0].any()


def test_message_goes_after_a_few_seconds(make_scene: MakeScene, clock: FakeClock) -> None:
    scene = make_scene()
    scene.messages.say("hello")
    scene.show(flat_picture(0))
    clock.advance(2.9)
    scene.show(flat_picture(0))
    clock.advance(0.2)
    scene.show(flat_picture(0))
    assert [hud.message for hud in scene.huds] == ["hello", "hello", ""]


def test_style_that_cannot_be_made_is_told_once(make_scene: MakeScene, clock: FakeClock) -> None:
    scene = make_scene(keys="2")
    scene.show(flat_picture(0))
    scene.studio.warm(1, (64, 48))
    wait_until(lambda: scene.studio.failure(1) is not None)
    scene.show(flat_picture(0))
    assert scene.huds[-1].message == "plain_day is damaged"
    assert scene.huds[-1].style_number == 0
    clock.advance(10.0)
    scene.show(flat_picture(0))
    assert scene.huds[-1].message == ""


def test_style_that_cannot_be_made_is_told_again_when_it_is_wanted_again(make_scene: MakeScene, clock: FakeClock) -> None:
    scene = make_scene(keys="212")
    scene.studio.warm(1, (64, 48))
    wait_until(lambda: scene.studio.failure(1) is not None)
    said = []
    for _ in range(4):
        scene.show(flat_picture(0))
        said.append(scene.huds[-1].message)
        clock.advance(10.0)
    assert said == ["", "plain_day is damaged", "", "plain_day is damaged"]


def snapshot_pictures(scene: Scene) -> tuple[Image, Image]:
    """Painting and photo of the only snapshot."""
    wait_until(lambda: len(list(scene.folder.glob("*.png"))) == 2)
    scene.snapshots.close()
    photo = next(iter(scene.folder.glob("*_original.png")))
    painting = photo.with_name(photo.name.replace("_original", ""))
    return read_picture(painting), read_picture(photo)


@pytest.mark.parametrize("changes", [{}, {"mirror": True}, {"split": True}, {"help": True, "diagnostics": True}])
def test_snapshot_is_neither_mirrored_nor_split_nor_written_on(make_scene: MakeScene, changes: dict[str, bool]) -> None:
    scene = make_scene(replace(STATE, **changes), keys="s", with_overlay=True)
    scene.show(noisy_picture((320, 240)))
    painting, photo = snapshot_pictures(scene)
    np.testing.assert_array_equal(painting, 255 - noisy_picture((320, 240)))
    np.testing.assert_array_equal(photo, noisy_picture((320, 240)))


def test_snapshot_of_a_small_live_size_is_painted_again_at_full_size(make_scene: MakeScene) -> None:
    scene = make_scene(replace(STATE, processing_share=0.25), keys="s")
    scene.show(noisy_picture((320, 240)))
    painting, _ = snapshot_pictures(scene)
    np.testing.assert_array_equal(painting, 255 - noisy_picture((320, 240)))
    assert isinstance(scene.painter.stylizer, FakeStylizer)
    assert scene.painter.stylizer.styled_wh == [(80, 60), (320, 240)]


def test_snapshot_painted_again_has_the_levels_that_were_shown(make_scene: MakeScene) -> None:
    scene = make_scene(replace(STATE, processing_share=0.5), keys="s")
    scene.painter._auto_levels = AutoLevels()
    photo = np.asarray(noisy_picture((320, 240)) // 5, np.uint8)
    scene.show(photo)
    painting, original = snapshot_pictures(scene)
    np.testing.assert_array_equal(painting, 255 - set_levels(photo, AutoLevels().curve_for(photo)))
    np.testing.assert_array_equal(original, photo)


@pytest.mark.parametrize(
    ("photo", "strength", "is_told"),
    [(noisy_picture() // 5, 0.5, True), (noisy_picture() // 5, 0.0, False), (noisy_picture(), 1.0, False)],
)
def test_diagnostics_tell_that_levels_are_set(make_scene: MakeScene, photo: Image, strength: float, is_told: bool) -> None:
    scene = make_scene(replace(STATE, diagnostics=True, strength=strength))
    scene.painter._auto_levels = AutoLevels()
    scene.show(photo)
    assert ("auto levels" in " ".join(scene.huds[-1].details)) == is_told


def test_snapshot_has_the_strength_that_was_shown(make_scene: MakeScene) -> None:
    scene = make_scene(replace(STATE, strength=0.5, processing_share=0.5), keys="s")
    scene.show(flat_picture(55, (320, 240)))
    painting, _ = snapshot_pictures(scene)
    assert np.abs(painting.astype(int) - (55 + 200) / 2).max() <= 1


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("keys", ["so", "os"])
def test_snapshot_between_two_frames_is_of_the_one_on_show(make_scene: MakeScene, share: float, keys: str) -> None:
    """With the look that it has there, whatever is pressed before the next one comes."""
    scene = make_scene(replace(STATE, processing_share=share))
    scene.show(noisy_picture())
    scene.window.keys = [ord(key) for key in keys]
    scene.view.idle()
    scene.view.idle()
    scene.show(flat_picture(0))
    painting, photo = snapshot_pictures(scene)
    np.testing.assert_array_equal(painting, 255 - noisy_picture())
    np.testing.assert_array_equal(photo, noisy_picture())


@pytest.mark.parametrize("is_lost", [True, False])
def test_snapshot_is_taken_though_no_frame_comes_after_it(make_scene: MakeScene, is_lost: bool) -> None:
    scene = make_scene()
    scene.show(noisy_picture())
    scene.window.keys = [ord(key) for key in "sq"]
    for _ in range(2):
        if is_lost:
            scene.view.wait("stream lost")
        else:
            scene.view.idle()
    assert scene.view.state.quit
    painting, _ = snapshot_pictures(scene)
    np.testing.assert_array_equal(painting, 255 - noisy_picture())


def test_snapshot_before_the_first_frame_is_of_that(make_scene: MakeScene) -> None:
    scene = make_scene(keys="s")
    scene.view.wait("camera 0 lost")
    scene.show(noisy_picture())
    painting, _ = snapshot_pictures(scene)
    np.testing.assert_array_equal(painting, 255 - noisy_picture())


def test_waiting_follows_the_keys(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.show(noisy_picture())
    scene.window.keys = [ord("m")]
    scene.view.wait("camera 0 lost")
    scene.view.wait("camera 0 lost")
    np.testing.assert_array_equal(scene.window.shown[-1], 255 - noisy_picture()[:, ::-1])


def test_snapshot_is_told_on_the_picture(make_scene: MakeScene) -> None:
    scene = make_scene(keys="s")
    scene.show(noisy_picture())
    wait_until(lambda: not scene.snapshots.done.empty())
    scene.show(noisy_picture())
    assert scene.huds[-1].message.startswith("snapshot 1: ")
    assert scene.huds[-1].message.endswith("_night_sky.png")


def test_snapshot_that_fails_is_told_and_the_picture_goes_on(make_scene: MakeScene, tmp_path: Path) -> None:
    scene = make_scene(keys="s")
    (tmp_path / "snapshots").touch()  # a file where the folder should be
    scene.show(noisy_picture())
    wait_until(lambda: not scene.snapshots.done.empty())
    scene.show(noisy_picture())
    assert scene.huds[-1].message.startswith("no snapshot: ")


def test_snapshots_asked_for_before_the_start_are_not_taken(make_scene: MakeScene) -> None:
    scene = make_scene(replace(STATE, snapshots_asked=3))
    scene.show(noisy_picture())
    scene.snapshots.close()
    assert not scene.folder.exists()


def test_recording_begins_and_ends_by_key(make_scene: MakeScene) -> None:
    scene = make_scene(keys="r")
    scene.show(noisy_picture())
    scene.show(noisy_picture())
    assert scene.recorder.is_on

    def some_frames_are_written() -> bool:
        scene.recorder.offer(noisy_picture(), scene.clock())
        return bool(scene.recorder.figures()["frames_written"])

    wait_until(some_frames_are_written)
    scene.window.keys = [ord("r")]
    scene.show(noisy_picture())
    scene.show(noisy_picture())
    assert not scene.recorder.is_on
    scene.recorder.close()
    (path,) = scene.folder.with_name("recordings").iterdir()
    assert path.name.endswith("_night_sky.mp4")


def test_recording_is_shown_while_it_runs(make_scene: MakeScene) -> None:
    scene = make_scene(keys="r")
    scene.show(flat_picture(0))
    scene.show(flat_picture(0))
    assert scene.huds[-1].recording.startswith("REC 0:00")


def test_recording_that_fails_is_told_and_can_be_begun_again(make_scene: MakeScene) -> None:
    scene = make_scene(keys="r")
    folder = scene.folder.with_name("recordings")
    folder.touch()  # a file where the folder should be
    scene.show(flat_picture(0))
    scene.show(flat_picture(0))
    wait_until(lambda: not scene.recorder.is_on)
    scene.show(flat_picture(0))
    assert not scene.view.state.recording
    assert "recording stopped: " in scene.huds[-1].message
    assert scene.huds[-1].recording == ""
    folder.unlink()
    scene.window.keys = [ord("r")]
    scene.show(flat_picture(0))
    scene.show(flat_picture(0))
    assert scene.recorder.is_on


def test_recording_ends_while_the_camera_is_away(make_scene: MakeScene) -> None:
    scene = make_scene(keys="rr")
    scene.show(flat_picture(0))
    scene.view.wait("camera 0 lost")
    scene.view.wait("camera 0 lost")
    assert not scene.recorder.is_on


def test_styles_that_appear_are_taken_up_and_told(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.watch.arrived.put(Arrival(plain_style("new_style")))
    scene.watch.arrived.put(Arrival(None, "style x: cannot be read"))
    scene.watch.arrived.put(Arrival(plain_style("night_sky")))
    scene.show(noisy_picture())
    assert scene.view.state.style_count == 3
    assert scene.view.state.style == 0  # the picture stays as it is
    assert scene.huds[-1].message.splitlines() == [
        "new style: New style, Anon (key 3)",
        "left out: style x: cannot be read",
        "changed: Night sky, Anon",
    ]
    assert [style.name for style in scene.studio.styles] == ["night_sky", "plain_day", "new_style"]


def test_without_pytorch_the_key_for_re_painting_says_so_and_nothing_else_changes(make_scene: MakeScene) -> None:
    scene = make_scene(keys="g")
    scene.show(noisy_picture())
    scene.show(noisy_picture())
    assert "needs PyTorch" in scene.huds[-1].message
    assert not scene.folder.exists()


def test_re_painting_begins_with_a_snapshot_and_is_shown(
    make_scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene(replace(STATE, mirror=True), keys="gG")
    asked: list[tuple[Path, Path, Path]] = []
    cancelled: list[bool] = []
    monkeypatch.setattr(scene.repainter, "style_picture", lambda style: tmp_path / f"{style.name}.jpg")
    monkeypatch.setattr(scene.repainter, "request", lambda *paths: asked.append(paths))
    monkeypatch.setattr(scene.repainter, "cancel", lambda: cancelled.append(True))
    monkeypatch.setattr(scene.repainter, "_status", RepaintStatus("re-painting 42%", noisy_picture()))
    scene.show(noisy_picture())
    wait_until(lambda: bool(asked))
    photo, painted, style_picture = asked[0]
    np.testing.assert_array_equal(read_picture(photo), noisy_picture())
    np.testing.assert_array_equal(read_picture(painted), 255 - noisy_picture())
    assert style_picture == tmp_path / "night_sky.jpg"
    assert not cancelled
    scene.show(noisy_picture())
    scene.show(noisy_picture())
    assert cancelled == [True]
    assert scene.huds[-1].job == "re-painting 42%"
    assert scene.huds[-1].job_picture is not None
    np.testing.assert_array_equal(scene.huds[-1].job_picture, noisy_picture()[:, ::-1])


def test_re_painting_that_is_cancelled_while_its_snapshot_is_written_does_not_begin(
    make_scene: MakeScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = make_scene(keys="gG")
    asked: list[tuple[Path, ...]] = []
    may_write = threading.Event()
    monkeypatch.setattr(scene.repainter, "style_picture", lambda style: tmp_path / f"{style.name}.jpg")
    monkeypatch.setattr(scene.repainter, "request", lambda *paths: asked.append(paths))
    monkeypatch.setattr("realtime.live.snapshots.write_picture", lambda *_: may_write.wait())
    for _ in range(3):
        scene.show(noisy_picture())
    may_write.set()
    scene.snapshots.close()
    assert "re-painting cancelled" in scene.messages.current()
    assert not asked


def test_close_button_pressed_between_frames_ends_the_run(make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene()

    def press_close_button() -> int:
        scene.window.is_closed = True
        return ord("f")

    monkeypatch.setattr(scene.window, "poll", press_close_button)
    scene.view.idle()
    assert scene.view.state.quit
    assert scene.window.fullscreen == []
