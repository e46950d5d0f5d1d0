"""The program with a window, wired in this process: the window and the camera are stand-ins."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import run_cam
from realtime.errors import EXIT_DONE, EXIT_SOURCE, OutputError
from realtime.frame import Image
from realtime.overlay import Hud
from realtime.painter import Painter
from realtime.pipeline import RunOptions
from tests.fakes import (
    Block,
    FakeWindow,
    ScriptedSource,
    noisy_picture,
    read_clip,
    source_without_beginning,
    wait_until,
    write_clip,
)
from tests.films import write_film

QUIT = ord("q")


class MirroredCamera(ScriptedSource):
    """A camera that shows one picture."""

    is_mirrored = True


class Stage:
    """The windows that the program opened, and what was written on their pictures."""

    def __init__(self) -> None:
        self.windows: list[FakeWindow] = []
        self.huds: list[Hud] = []
        self.keys: list[int] = []


ENDING_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Puts a window that presses keys in place of the real one, and gives signals back afterwards."""
    found = Stage()

    class ScriptedWindow(FakeWindow):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.keys = list(found.keys)
            found.windows.append(self)

    def note(shown: Image, hud: Hud, _: object) -> Image:
        found.huds.append(hud)
        return shown

    handlers = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    monkeypatch.setattr(run_cam, "WindowSink", ScriptedWindow)
    monkeypatch.setattr("realtime.live.view.draw_overlay", note)
    yield found
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[MirroredCamera]:
    """A camera in place of whatever is asked for."""
    source = MirroredCamera([[noisy_picture(), Block()]], is_live=True, can_return=True)
    monkeypatch.setattr("realtime.program.wiring.choose_source", lambda *_, **__: source)
    monkeypatch.setattr("realtime.capture._JOIN_S", 0.1)
    yield source
    source.release()


def start(styles_folder: Path, *arguments: str, style: str = "night_sky") -> int:
    """Runs the program in this process."""
    return run_cam.main(["--styles", str(styles_folder), "--style", style, "--provider", "cpu", *arguments])


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize(("arguments", "mirrored"), [([], True), (["--no-mirror"], False)])
def test_camera_is_shown_as_in_a_mirror_unless_told_otherwise(
    stage: Stage, styles_folder: Path, arguments: list[str], mirrored: bool
) -> None:
    stage.keys = [QUIT]
    assert start(styles_folder, *arguments) == EXIT_DONE
    painted = 255 - noisy_picture()
    np.testing.assert_array_equal(stage.windows[0].shown[0], painted[:, ::-1] if mirrored else painted)
    assert stage.windows[0].finished == 1


@pytest.mark.parametrize(
    ("arguments", "steadied"),
    [
        ([], True),  # the camera, in a window
        (["--no-steady"], False),
        (["--headless", "--max-frames", "1"], True),  # the same without one
    ],
)
@pytest.mark.usefixtures("camera")
def test_a_camera_is_steadied_unless_told_otherwise(
    stage: Stage, styles_folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], steadied: bool
) -> None:
    given = note_painters(monkeypatch)
    stage.keys = [QUIT]
    assert start(styles_folder, *arguments) == EXIT_DONE
    assert [options["steadier"] is not None for options in given] == [steadied]


@pytest.mark.parametrize(
    ("arguments", "steadied"),
    [([], True), (["--output"], True), (["--live", "--output"], True), (["--no-steady", "--output"], False)],
)
def test_a_film_is_steadied_unless_told_otherwise(
    stage: Stage,
    styles_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    steadied: bool,
) -> None:
    given = note_painters(monkeypatch)
    clip = write_clip(tmp_path / "clip.mp4", frames=3)
    output = [str(tmp_path / "out.mp4")] if "--output" in arguments else []
    assert start(styles_folder, "--source", str(clip), *arguments, *output) == EXIT_DONE
    assert [options["steadier"] is not None for options in given] == [steadied]


@pytest.mark.usefixtures("camera")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], (True, True)), (["--no-auto-levels"], (False, True)), (["--no-large-strokes"], (True, False))],
)
def test_levels_and_large_strokes_are_there_unless_told_otherwise(
    stage: Stage, styles_folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: tuple[bool, bool]
) -> None:
    given = note_painters(monkeypatch)
    stage.keys = [QUIT]
    assert start(styles_folder, *arguments) == EXIT_DONE
    assert [(options["auto_levels"] is not None, options["large_strokes"]) for options in given] == [expected]


def note_painters(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of the painters that the program makes."""
    given: list[dict[str, Any]] = []

    def note(*rest: Any, **options: Any) -> Painter:
        given.append(options)
        return Painter(*rest, **options)

    monkeypatch.setattr(run_cam, "Painter", note)
    return given


def test_clip_is_shown_to_its_end_at_its_own_pace(
    stage: Stage, styles_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[RunOptions] = []

    def note(**options: Any) -> RunOptions:
        given.append(RunOptions(**options))
        return given[0]

    monkeypatch.setattr("realtime.program.wiring.RunOptions", note)
    clip = write_clip(tmp_path / "clip.mp4", frames=4)
    stats = tmp_path / "stats.json"
    assert start(styles_folder, "--source", str(clip), "--stats", str(stats)) == EXIT_DONE
    assert len(stage.windows[0].shown) == 4
    found = json.loads(stats.read_text(encoding="utf-8"))
    assert (found["frames_in"], found["frames_styled"], found["frames_dropped"]) == (4, 4, 0)
    assert given == [RunOptions(max_frames=None, paced=True, progress=False)]


def test_clip_whose_pixels_are_not_square_is_shown_as_players_show_it(
    stage: Stage, styles_folder: Path, tmp_path: Path
) -> None:
    film = write_film(tmp_path / "in.mp4", [noisy_picture((96, 64))] * 2, pixel_aspect=Fraction(4, 3))
    assert start(styles_folder, "--source", str(film)) == EXIT_DONE
    assert [picture.shape for picture in stage.windows[0].shown] == [(64, 128, 3)] * 2


@pytest.mark.usefixtures("camera")
def test_full_screen_split_and_strength_hold_from_the_start(stage: Stage, styles_folder: Path) -> None:
    stage.keys = [QUIT]
    assert start(styles_folder, "--fullscreen", "--split", "--strength", "0", "--no-mirror") == EXIT_DONE
    window = stage.windows[0]
    assert window.fullscreen == [True]
    np.testing.assert_array_equal(window.shown[0][:, :30], noisy_picture()[:, :30])
    np.testing.assert_array_equal(window.shown[0][:, 34:], noisy_picture()[:, 34:])


@pytest.mark.usefixtures("camera")
def test_gallery_begins_with_the_style_asked_for(stage: Stage, styles_folder: Path) -> None:
    stage.keys = [QUIT]
    assert start(styles_folder, style="plain_day") == EXIT_DONE
    assert stage.huds[0].style_label == "Plain day, Anon"
    assert stage.huds[0].device == "cpu fp32"


@pytest.mark.usefixtures("camera")
def test_snapshot_asked_for_is_written_before_the_program_ends(stage: Stage, styles_folder: Path, tmp_path: Path) -> None:
    stage.keys = [ord("s"), QUIT]
    assert start(styles_folder, "--snapshot-dir", str(tmp_path / "shots")) == EXIT_DONE
    names = sorted(path.name for path in (tmp_path / "shots").iterdir())
    assert [name.partition("_night_sky")[2] for name in names] == [".png", "_original.png"]


@pytest.mark.usefixtures("camera")
def test_snapshot_that_fails_after_the_window_is_gone_is_told(
    stage: Stage, styles_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Path:
        wait_until(lambda: stage.windows[0].finished > 0)
        raise OutputError("folder shots: cannot be made (No space left on device)")

    monkeypatch.setattr("realtime.live.snapshots.dated_path", fail)
    stage.keys = [ord("s"), QUIT]
    assert start(styles_folder) == EXIT_DONE
    assert "no snapshot: folder shots: cannot be made (No space left on device)" in capsys.readouterr().err.splitlines()


def test_camera_that_never_opens_ends_the_program(
    stage: Stage, styles_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = source_without_beginning()
    monkeypatch.setattr("realtime.program.wiring.choose_source", lambda *_, **__: source)
    assert start(styles_folder) == EXIT_SOURCE
    assert capsys.readouterr().err == "error: scripted source: cannot be opened\n"
    assert source.opened == 1
    assert all(window.shown == [] for window in stage.windows)


def test_recording_from_the_start_holds_the_unmirrored_picture_and_is_counted(
    stage: Stage, styles_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slope = np.tile(np.linspace(20, 235, 64).astype(np.uint8)[None, :, None], (48, 1, 3))
    source = MirroredCamera([[slope] * 100], frames_per_s=100)
    monkeypatch.setattr("realtime.program.wiring.choose_source", lambda *_, **__: source)
    monkeypatch.setattr("realtime.outlets.recorder._QUEUE_FRAMES", 200)
    stats = tmp_path / "stats.json"
    folder = tmp_path / "recordings"
    code = start(styles_folder, "--record", "--recording-dir", str(folder), "--stats", str(stats))
    assert code == EXIT_DONE
    assert len(stage.windows[0].shown) == 100
    (path,) = folder.iterdir()
    pictures = read_clip(path)
    figures = json.loads(stats.read_text(encoding="utf-8"))["recording"]
    assert figures == {"files": 1, "frames_written": len(pictures), "frames_dropped": 0}
    assert np.abs(pictures[-1].astype(int) - (255 - slope)).mean() < 4
    assert np.abs(stage.windows[0].shown[-1].astype(int) - (255 - slope[:, ::-1])).mean() == 0
