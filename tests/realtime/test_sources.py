"""Sources: one contract for all of them, then what each does alone."""

from __future__ import annotations

import http.server
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import av
import cv2
import numpy as np
import pytest

from realtime.cameras import CameraSource, StreamSource
from realtime.capture import Capture, Policy
from realtime.demo import DEMO_SIZE_WH, DemoScene
from realtime.errors import EXIT_ARGUMENTS, SourceError, UserError
from realtime.pace import Pace
from realtime.pictures.animation import AnimatedPicture
from realtime.pictures.files import write_picture
from realtime.pictures.sequence import PictureSequence
from realtime.program.inputs import plan_work
from realtime.sources import (
    DemoSource,
    PacedFile,
    PictureSource,
    Source,
    choose_source,
)
from realtime.video.excerpt import Excerpt, Scale
from realtime.video.reader import VideoFileSource
from tests.fakes import (
    SMALL_WH,
    FakeClock,
    MjpegServer,
    ScriptedSource,
    SilentServer,
    closed_port,
    coloured_picture,
    file_of,
    flat_picture,
    wait_until,
)
from tests.films import write_film


@dataclass(frozen=True)
class Example:
    """A source of one kind, ready to be opened."""

    source: Source
    size_wh: tuple[int, int] = SMALL_WH


@dataclass(frozen=True)
class Places:
    """What examples are made of."""

    picture: Path
    clip: Path
    serve: Callable[[], str]


EXAMPLES: dict[str, Callable[[Places], Example]] = {
    "picture": lambda places: Example(PictureSource(places.picture, repeated=False)),
    "repeated picture": lambda places: Example(PictureSource(places.picture, repeated=True)),
    "demo": lambda places: Example(DemoSource((96, 64), fps=200.0), (96, 64)),
    "demo as a file": lambda places: Example(DemoSource(paced=False), DEMO_SIZE_WH),
    "file": lambda places: Example(VideoFileSource(places.clip)),
    "paced file": lambda places: Example(PacedFile(VideoFileSource(places.clip))),
    "stream": lambda places: Example(StreamSource(places.serve())),
}


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), coloured_picture())
    return path


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest, picture_file: Path, clip: Path) -> Iterator[Example]:
    with ExitStack() as open_servers:

        def serve() -> str:
            return open_servers.enter_context(MjpegServer(jpegs_of(3))).url

        made = EXAMPLES[request.param](Places(picture_file, clip, serve))
        yield made
        made.source.close()


def jpegs_of(count: int) -> list[bytes]:
    """Numbered greys, as a network camera sends them."""
    return [cv2.imencode(".jpg", flat_picture(40 * (number + 1)))[1].tobytes() for number in range(count)]


# -------------------------------------------------------------------------------------------- the contract


def test_source_describes_itself(example: Example) -> None:
    source = example.source
    assert source.description
    assert {source.is_live, source.is_mirrored, source.is_hardware, source.can_return} <= {True, False}
    assert source.fps is None or source.fps > 0
    assert source.frame_count is None or source.frame_count > 0


def test_source_gives_pictures_of_its_size(example: Example) -> None:
    example.source.open()
    found = example.source.read()
    assert found is not None
    picture, _ = found
    width, height = example.size_wh
    assert picture.shape == (height, width, 3)
    assert picture.dtype == np.uint8


def test_times_belong_to_files_and_rise(example: Example) -> None:
    example.source.open()
    times_s = [found[1] for found in (example.source.read() for _ in range(3)) if found is not None]
    if example.source.is_live or isinstance(example.source, PictureSource):
        assert set(times_s) == {None}
    else:
        assert times_s[0] == 0.0
        assert all(before is not None and after is not None and before < after for before, after in pairwise(times_s))


def test_pictures_handed_over_stay_as_they_are(example: Example) -> None:
    example.source.open()
    first = example.source.read()
    assert first is not None
    kept = first[0].copy()
    example.source.read()
    np.testing.assert_array_equal(first[0], kept)


def test_closed_source_gives_nothing_and_may_be_closed_again(example: Example) -> None:
    example.source.open()
    assert example.source.read() is not None
    example.source.close()
    assert example.source.read() is None
    example.source.close()


def test_source_that_never_opened_may_be_closed(example: Example) -> None:
    example.source.close()
    example.source.close()


def test_closed_source_opens_again(example: Example) -> None:
    example.source.open()
    example.source.close()
    example.source.open()
    found = example.source.read()
    assert found is not None
    assert found[0].shape[1::-1] == example.size_wh


def test_capture_reads_the_source_and_leaves_no_thread(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.capture._JOIN_S", 20.0)
    capture = Capture(example.source, Policy.NEWEST if example.source.is_live else Policy.EVERY)
    capture.start()
    frame = capture.get(20.0)
    capture.stop()
    assert frame is not None
    assert frame.size_wh == example.size_wh
    assert not capture.abandoned
    wait_until(lambda: not any(thread.name == "capture" for thread in threading.enumerate()))


# ----------------------------------------------------------------------------------------------- pictures


def test_picture_of_a_file_comes_once(picture_file: Path) -> None:
    source = PictureSource(picture_file, repeated=False)
    source.open()
    found = source.read()
    assert found is not None
    np.testing.assert_array_equal(found[0], coloured_picture())
    assert source.read() is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff"])
def test_picture_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ünïcode photo{suffix}"
    path.write_bytes(cv2.imencode(suffix, coloured_picture())[1].tobytes())
    source = choose_source(str(path), has_window=False)
    source.open()
    found = source.read()
    assert found is not None
    assert np.abs(found[0].astype(int) - coloured_picture()).mean() < 6


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(flat_picture(90)[:, :, 0], id="grey"),
        pytest.param(np.dstack([flat_picture(90), flat_picture(10)[:, :, 0]]), id="transparent"),
        pytest.param((flat_picture(90).astype(np.uint16) * 257), id="16 bits"),
    ],
)
def test_pictures_of_other_kinds_become_bgr(tmp_path: Path, shown: np.ndarray) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(cv2.imencode(".png", shown)[1].tobytes())
    source = PictureSource(path, repeated=False)
    source.open()
    found = source.read()
    assert found is not None
    np.testing.assert_array_equal(found[0], flat_picture(90))


def test_transparency_of_a_picture_is_kept_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.dstack([flat_picture(90), flat_picture(10)[:, :, 0]]))
    source = PictureSource(path, repeated=False)
    source.open()
    assert source.alpha is not None
    np.testing.assert_array_equal(source.alpha, flat_picture(10)[:, :, 0])


# --------------------------------------------------------------------------------------------------- demo


def test_demo_moves_and_repeats_itself() -> None:
    scene = DemoScene((128, 96))
    start = scene.draw(0.0)
    assert np.any(start != scene.draw(1.0))
    np.testing.assert_array_equal(start, scene.draw(20.0))
    np.testing.assert_array_equal(start, scene.draw(0.0))


def test_demo_is_a_picture_and_not_noise() -> None:
    scene = DemoScene((320, 240)).draw(3.0)
    assert len(np.unique(scene.reshape(-1, 3), axis=0)) > 100
    neighbours_differ = np.abs(np.diff(scene.astype(int), axis=1)).mean()
    assert neighbours_differ < 5


@pytest.mark.parametrize("size_wh", [(64, 64), (65, 67), (300, 64), (64, 300), (1280, 720)])
def test_demo_at_any_size(size_wh: tuple[int, int]) -> None:
    source = DemoSource(size_wh, paced=False)
    source.open()
    found = source.read()
    assert found is not None
    assert found[0].shape[1::-1] == size_wh


def test_demo_that_is_too_small_is_a_wrong_argument() -> None:
    with pytest.raises(UserError, match="from 64 to 7680 pixels on a side, found 63x64") as caught:
        DemoSource((63, 64)).open()
    assert caught.value.exit_code == EXIT_ARGUMENTS


def test_demo_as_a_file_runs_by_its_frame_rate() -> None:
    source = DemoSource((64, 64), fps=20.0, paced=False)
    source.open()
    times_s = [found[1] for found in (source.read() for _ in range(3)) if found is not None]
    assert times_s == pytest.approx([0.0, 0.05, 0.1])


# --------------------------------------------------------------------------------------------------- pace


def test_pace_keeps_the_beat_without_drift(clock: FakeClock) -> None:
    pace = Pace(10.0, clock, clock.sleep)
    beats_s = []
    for _ in range(5):
        pace.wait()
        beats_s.append(clock())
        clock.advance(0.03)  # the work between two beats
    assert beats_s == pytest.approx([100.0, 100.1, 100.2, 100.3, 100.4])


def test_pace_does_not_make_up_for_missed_beats(clock: FakeClock) -> None:
    pace = Pace(10.0, clock, clock.sleep)
    pace.wait()
    clock.advance(1.0)
    pace.wait()
    assert clock() == pytest.approx(101.0)
    pace.wait()
    assert clock() == pytest.approx(101.1)


def test_pace_does_not_wait_for_what_comes_a_little_late_and_moves_no_beat(clock: FakeClock) -> None:
    pace = Pace(10.0, clock, clock.sleep)
    pace.wait()
    for taken_s in (0.15, 0.0):
        clock.advance(taken_s)
        pace.wait()
    assert clock.slept_s == pytest.approx([0.05])


class PatientEvent(threading.Event):
    """An event that nobody sets: waiting for it lets the clock's time pass."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Sleeps."""
        self._clock.sleep(timeout or 0.0)
        return False


def test_paced_file_waits_for_the_time_of_each_frame(clock: FakeClock) -> None:
    source = PacedFile(file_of(4), clock, PatientEvent(clock))
    source.open()
    seen_s = []
    for _ in range(4):
        assert source.read() is not None
        seen_s.append(clock())
    assert seen_s == pytest.approx([100.0, 100.1, 100.2, 100.3])
    assert source.read() is None


@pytest.mark.parametrize("slow", ["paced file", "demo"])
def test_waiting_for_a_frame_that_is_far_away_can_be_ended(slow: str) -> None:
    """A film of slides, twenty seconds each: the reader is not taken for one that is stuck in a driver."""
    slides = ScriptedSource([[flat_picture(1), flat_picture(2)]], frames_per_s=0.05)
    source = PacedFile(slides) if slow == "paced file" else DemoSource((64, 64), fps=0.05)
    capture = Capture(source, Policy.NEWEST)
    capture.start()
    assert capture.get(20.0) is not None
    capture.stop()
    assert not capture.abandoned
    assert source.read() is None


def test_paced_file_tells_the_damage_and_hands_on_the_end() -> None:
    file = file_of(2)
    source = PacedFile(file)
    source.open()
    source.read()
    assert source.damaged_packets == 0
    file.damaged_packets, file.source_wh = 3, (64, 48)
    source.read()
    assert (source.damaged_packets, source.source_wh) == (3, (64, 48))

    def fail() -> None:
        file.damaged_packets = 7
        raise SourceError("ends damaged")

    file.read = fail  # type: ignore[assignment]
    with pytest.raises(SourceError, match="ends damaged"):
        source.read()
    assert source.damaged_packets == 7
    cancelled = threading.Event()
    file.cancel = cancelled.set  # type: ignore[method-assign]
    source.cancel()
    assert cancelled.is_set()


# ------------------------------------------------------------------------------------ streams and cameras


def test_stream_hands_over_what_is_sent() -> None:
    with MjpegServer(jpegs_of(3)) as server:
        source = StreamSource(server.url)
        source.open()
        levels = set()
        for _ in range(12):
            found = source.read()
            assert found is not None
            levels.add(round(float(found[0].mean()) / 40))
        source.close()
    assert levels == {1, 2, 3}


def test_keyframe_by_which_a_stream_was_recognised_is_shown(tmp_path: Path) -> None:
    """Many senders give one in ten seconds; waiting for the next one outlasts the time-out, again at each new attempt."""
    clip = tmp_path / "live.ts"
    with av.open(str(clip), "w") as container:
        stream: Any = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 300
        for number in range(100):
            picture = np.full((240, 320, 3), number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    over = threading.Event()

    class Camera(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(clip.read_bytes())
            over.wait(10)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        source = StreamSource(f"tcp://127.0.0.1:{server.server_address[1]}")
        source.open()
        first = source.read()
        source.close()
        over.set()
        server.shutdown()
    assert first is not None
    assert first[0].mean() == pytest.approx(0, abs=2)


def test_stream_that_ends_gives_none() -> None:
    with MjpegServer(jpegs_of(5), repeats=False) as server:
        source = StreamSource(server.url)
        source.open()
        count = 0
        while source.read() is not None:
            count += 1
        source.close()
    assert 3 <= count <= 5


def test_stream_that_nobody_sends() -> None:
    with pytest.raises(SourceError, match="no answer with a video in it"):
        StreamSource(f"http://127.0.0.1:{closed_port()}/camera.mjpg").open()


def test_stream_that_never_answers_is_given_up() -> None:
    with SilentServer() as server, pytest.raises(SourceError, match="within 2 seconds"):
        StreamSource(server.url).open()


def test_clip_at_an_address_is_no_stream(clip: Path) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(clip.parent))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with pytest.raises(SourceError, match="a clip that ends, no live stream; download it"):
            StreamSource(f"http://127.0.0.1:{server.server_address[1]}/{clip.name}").open()
        server.shutdown()


def test_rtsp_is_asked_for_over_tcp() -> None:
    """Over UDP a lost packet smears the picture; FFmpeg itself would begin with it."""
    sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track\r\n"
    asked: list[str] = []

    class Camera(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines: list[str] = []
            for line in (raw.decode().strip() for raw in self.rfile):
                if line:
                    lines.append(line)
                    continue
                number = next(header for header in lines if header.startswith("CSeq"))
                asked.extend(header for header in lines if header.startswith("Transport"))
                if lines[0].startswith("SETUP"):
                    return
                body = sdp if lines[0].startswith("DESCRIBE") else ""
                head = f"RTSP/1.0 200 OK\r\n{number}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write((head + body).encode())
                lines = []

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Camera) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with pytest.raises(SourceError, match="no answer with a video in it"):
            StreamSource(f"rtsp://127.0.0.1:{server.server_address[1]}/live").open()
        server.shutdown()
    assert asked[0].startswith("Transport: RTP/AVP/TCP")


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://anna:s3cret@camera.example/live",
        "rtsp://anna:s3cret@more@camera.example/live",
        "rtsp://anna:s3cret/more@camera.example/live",
        "rtsp://anna:a?s3cret@camera.example/live",
        "rtsp://camera.example/live/user=admin&password=s3cret",
        "rtsp://camera.example/live/user=admin&password=s3cret&channel=1",
        "http://camera.example/live?Pwd=s3cret&size=3",
        "http://camera.example/live?access_token=s3cret",
        "http://camera.example/live?api_key=s3cret/more",
    ],
)
def test_password_of_a_stream_is_never_shown(address: str) -> None:
    shown = StreamSource(address).description
    assert "s3cret" not in shown
    assert "more" not in shown
    assert "//camera.example/live" in shown
    with pytest.raises(SourceError) as caught:
        plan_work([address, address], None)
    assert "s3cret" not in str(caught.value)


def test_camera_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(SourceError, match=r"camera 97: cannot be opened; found .*Plug one in, close .*--source demo"):
        CameraSource(97).open()


def test_on_macos_a_camera_has_to_be_allowed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start fails however the user answers, since the question is asked beside it."""
    monkeypatch.setattr("realtime.cameras._open_camera", lambda *_: None)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SourceError, match=r"camera 0: cannot be opened; found no camera.*Privacy & Security\) and start again"):
        CameraSource(0).open()


def test_lost_camera_is_tried_again_without_opening_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = MagicMock()
    opened = [found, None]
    monkeypatch.setattr("realtime.cameras._open_camera", lambda *_: opened.pop(0))
    camera = CameraSource(3)
    camera.open()
    with pytest.raises(SourceError, match=r"camera 3: cannot be opened$"):
        camera.open()


# ----------------------------------------------------------------------------------------------- choosing


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", CameraSource),
        ("12", CameraSource),
        ("rtsp://host/live", StreamSource),
        ("HTTP://host/camera.mjpg", StreamSource),
        ("demo", DemoSource),
    ],
)
def test_text_names_a_source(text: str, kind: type) -> None:
    assert isinstance(choose_source(text), kind)


def test_only_cameras_are_mirrored_and_watched_for_freezing(clip: Path, picture_file: Path) -> None:
    others = [choose_source(text) for text in ("demo", "http://host/x", str(clip), str(picture_file))]
    assert not any(source.is_mirrored or source.is_hardware for source in others)
    camera = choose_source("0")
    assert camera.is_mirrored
    assert camera.is_hardware
    assert camera.can_return


@pytest.mark.parametrize(
    ("has_window", "as_camera", "live"),
    [(True, False, False), (True, True, True), (False, False, False), (False, True, True)],
)
def test_file_is_live_only_when_asked(clip: Path, has_window: bool, as_camera: bool, live: bool) -> None:
    assert choose_source(str(clip), has_window=has_window, as_camera=as_camera).is_live is live


def test_still_and_demo_are_live_for_a_window(picture_file: Path) -> None:
    for text in (str(picture_file), "demo"):
        assert choose_source(text, has_window=True).is_live
        assert not choose_source(text, has_window=False).is_live


def test_size_and_rate_are_asked_of_the_demo() -> None:
    source = choose_source("demo", size_wh=(80, 70), fps=5.0, has_window=False)
    source.open()
    found = source.read()
    assert found is not None
    assert found[0].shape == (70, 80, 3)
    assert source.fps == 5.0


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        choose_source(str(tmp_path / "missing.mp4"))
    with pytest.raises(SourceError, match="a folder"):
        choose_source(str(tmp_path))


def test_name_longer_than_a_file_system_takes(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        choose_source(str(tmp_path / ("long" * 100 + ".mp4")))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of POSIX")
@pytest.mark.parametrize("name", ["clip.mp4", "photo.png"])
def test_a_pipe_is_told_without_waiting_for_whoever_writes_it(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match="a device or a pipe, which cannot be read twice; save it to a file first"):
        choose_source(str(tmp_path / name))


def test_large_still_is_shown_smaller_and_painted_whole(tmp_path: Path) -> None:
    path, notes = tmp_path / "large.png", list[str]()
    write_picture(path, flat_picture(90, (7680, 40)))
    sizes = []
    for has_window in (True, False):
        source = choose_source(str(path), has_window=has_window, note=notes.append)
        source.open()
        found = source.read()
        assert found is not None
        sizes.append(found[0].shape)
    assert sizes == [(20, 3840, 3), (40, 7680, 3)]
    assert len(notes) == 1
    assert "7680x40 is shown smaller" in notes[0]


def test_size_of_a_picture_is_that_of_scale(picture_file: Path) -> None:
    source = choose_source(str(picture_file), has_window=False, excerpt=Excerpt(scale=0.5))
    source.open()
    found = source.read()
    assert found is not None
    assert found[0].shape == (24, 32, 3)


@pytest.mark.parametrize("text", ["0", "demo", "http://localhost/stream"])
def test_cameras_are_not_scaled(text: str) -> None:
    with pytest.raises(UserError, match="--scale: only for a file"):
        choose_source(text, excerpt=Excerpt(scale=0.5))


def test_pictures_have_no_start(picture_file: Path) -> None:
    with pytest.raises(UserError, match="--start, --end: only for a video"):
        choose_source(str(picture_file), excerpt=Excerpt(start_s=1.0))


@pytest.mark.parametrize("kind", ["picture", "animation", "pictures", "clip", "paced clip"])
def test_size_before_scaling_is_known(kind: str, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    write_picture(path, flat_picture(30))
    sources: dict[str, Callable[[], Source]] = {
        "picture": lambda: PictureSource(path, repeated=False, scale=0.5),
        "animation": lambda: AnimatedPicture(path, 0.5),
        "pictures": lambda: PictureSequence((path,), None, scale=0.5),
        "clip": lambda: VideoFileSource(clip, Excerpt(scale=0.5)),
        "paced clip": lambda: PacedFile(VideoFileSource(clip, Excerpt(scale=0.5))),
    }
    source = sources[kind]()
    source.open()
    found = source.read()
    assert found is not None
    assert found[0].shape == (SMALL_WH[1] // 2, SMALL_WH[0] // 2, 3)
    assert getattr(source, "source_wh") == SMALL_WH  # noqa: B009  (not of every source)
    source.close()


@pytest.mark.parametrize(
    ("aspect", "scale", "shown_wh"),
    [
        (Fraction(2), None, (192, 64)),
        (Fraction(1, 2), None, (96, 128)),
        (Fraction(2), 0.5, (96, 32)),
        (Fraction(2), (96, 96), (96, 32)),
        (Fraction(1), None, (96, 64)),
        (Fraction(127, 128), None, (96, 64)),
        (Fraction(40), None, (96, 64)),
    ],
)
@pytest.mark.parametrize("as_camera", [False, True])
def test_a_watched_film_has_square_pixels(
    tmp_path: Path, aspect: Fraction, scale: Scale, shown_wh: tuple[int, int], as_camera: bool
) -> None:
    film = write_film(tmp_path / "in.mp4", [coloured_picture((96, 64))] * 2, pixel_aspect=aspect)
    source = choose_source(str(film), square_pixels=True, as_camera=as_camera, excerpt=Excerpt(scale=scale))
    source.open()
    found = source.read()
    source.close()
    assert found is not None
    assert found[0].shape == (shown_wh[1], shown_wh[0], 3)
    expected = coloured_picture(shown_wh).astype(int)
    assert np.abs(found[0] - expected).mean() < 6


def test_a_film_that_is_written_keeps_its_pixels(tmp_path: Path) -> None:
    film = write_film(tmp_path / "in.mp4", [coloured_picture((96, 64))] * 2, pixel_aspect=Fraction(2))
    source = choose_source(str(film))
    source.open()
    found = source.read()
    source.close()
    assert found is not None
    assert found[0].shape == (64, 96, 3)


@pytest.mark.parametrize("name", ["/dev/video3", "camera"])
def test_device_file_of_a_camera_is_that_camera(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As /dev/v4l/by-id/ has links for, whose names stay when cameras are plugged in again."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "camera").symlink_to("/dev/video3")
    source = choose_source(name, size_wh=(640, 480))
    assert isinstance(source, CameraSource)
    assert source.description == "camera 3"
