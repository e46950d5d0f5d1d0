"""Sound that is encoded again stays in step with the picture, whatever is missing of it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import av.error
import numpy as np
import pytest

from realtime.video.excerpt import Excerpt
from realtime.video.sound import EncodedSound
from tests.fakes import CLIP_FRAMES, clip_picture
from tests.films import clicks_of, copy_film, remux, write_film

CLICKS_S = (0.4, 1.6)
HOLE_S = (0.7, 1.3)


@pytest.fixture
def film(tmp_path: Path, sound: str) -> Path:
    """Two seconds with a click before and one after the place where sound will be missing."""
    pictures = [clip_picture(index % CLIP_FRAMES) for index in range(50)]
    return write_film(tmp_path / "in.mkv", pictures, sound=sound, clicks_s=CLICKS_S)


def with_hole(film: Path, path: Path) -> Path:
    """A film without the packets of sound that begin in a span."""

    def keeps(packet: Any) -> bool:
        return packet.stream.type != "audio" or not HOLE_S[0] <= packet.pts * packet.time_base < HOLE_S[1]

    return remux(film, path, keeps)


def damage_sound(film: Path, path: Path) -> Path:
    """A film whose packets of sound that begin in a span hold nonsense."""
    data = bytearray(film.read_bytes())
    container: Any
    with av.open(str(film)) as container:
        for packet in container.demux(audio=0):
            if packet.size and HOLE_S[0] <= packet.pts * packet.time_base < HOLE_S[1]:
                data[packet.pos + 4 : packet.pos + 4 + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("sound", "made"), [("pcm_s16le", "out.mp4"), ("pcm_s16le", "out.webm"), ("flac", "out.mov")])
@pytest.mark.parametrize("excerpt", [Excerpt(), Excerpt(0.2, 1.9), Excerpt(1.0)])
def test_sound_after_a_hole_comes_at_its_time(tmp_path: Path, film: Path, made: str, excerpt: Excerpt) -> None:
    copy_film(with_hole(film, tmp_path / "hole.mkv"), tmp_path / made, excerpt)
    expected = [click_s - excerpt.start_s for click_s in CLICKS_S if click_s >= excerpt.start_s]
    assert clicks_of(tmp_path / made) == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize(("sound", "made"), [("pcm_s16le", "out.mp4"), ("pcm_s16le", "out.webm")])
def test_hole_is_silent_and_the_sound_as_long_as_before(tmp_path: Path, film: Path, made: str) -> None:
    copy_film(with_hole(film, tmp_path / "hole.mkv"), tmp_path / made)
    levels, ends_s = [], 0.0
    with av.open(str(tmp_path / made)) as container:
        for frame in container.decode(audio=0):
            assert frame.time is not None
            assert frame.time == pytest.approx(max(ends_s, frame.time), abs=0.002)  # nothing is missing in between
            ends_s = frame.time + frame.samples / frame.sample_rate
            if HOLE_S[0] + 0.1 < frame.time < HOLE_S[1] - 0.1:
                levels.append(float(np.abs(frame.to_ndarray()).max()))
    assert max(levels) < 0.001
    assert ends_s == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize("sound", ["aac"])
def test_damaged_sound_does_not_pull_the_rest_forward(tmp_path: Path, film: Path) -> None:
    copy_film(damage_sound(film, tmp_path / "damaged.mkv"), tmp_path / "out.webm")
    clicks = clicks_of(tmp_path / "out.webm")
    assert [clicks[0], clicks[-1]] == pytest.approx(CLICKS_S, abs=0.04)


# ------------------------------------------------------------------------------------------ packet by packet

RATE = 8000


class Track:
    """A track whose packets are given by hand, and what the encoder gets of them."""

    def __init__(self, path: Path, codec: str = "aac") -> None:
        self._output: Any = av.open(str(path), "w")
        context = SimpleNamespace(sample_rate=RATE, layout=av.AudioLayout("mono"))
        self._track = EncodedSound(SimpleNamespace(codec_context=context), self._output, codec)
        self._encoder, self._track.stream = self._track.stream, self
        self.encoded: list[tuple[int, int]] = []  # first sample and count of what the encoder was given

    def encode(self, frame: Any) -> list[Any]:
        """In place of the output's stream."""
        if frame is not None:
            self.encoded.append((frame.pts, frame.samples))
        return list(self._encoder.encode(frame))

    def take(self, at_s: float | None, samples: int = 800, layout: str = "mono", rate: int = RATE) -> Iterator[Any]:
        """A packet with one frame."""
        channels = 1 if layout == "mono" else 2
        frame = av.AudioFrame.from_ndarray(np.zeros((1, channels * samples), np.int16), format="s16", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, 1000)
        frame.pts = None if at_s is None else round(at_s * 1000)
        packet = SimpleNamespace(pts=frame.pts, time_base=frame.time_base, decode=lambda: [frame])
        yield from self._track.take(packet)

    def finish(self) -> int:
        """Ends the track; the end of its last sample."""
        list(self._track.finish())
        self._output.close()
        ends = [first + count for first, count in self.encoded]
        assert [first for first, _ in self.encoded[1:]] == ends[:-1]  # one after the other
        return ends[-1]


def test_jitter_and_frames_without_a_time_are_no_gaps(tmp_path: Path) -> None:
    track = Track(tmp_path / "out.mp4")
    for at_s in (0.0, 0.11, None, 0.27, 0.43, 0.5):
        list(track.take(at_s))
    assert track.finish() == 6 * 800


def test_sound_never_goes_back(tmp_path: Path) -> None:
    track = Track(tmp_path / "out.mp4")
    for at_s in (0.0, 0.1, 0.05, 0.1, 0.4):
        list(track.take(at_s))
    assert track.finish() == 5 * 800


def test_long_gap_is_filled_little_by_little(tmp_path: Path) -> None:
    track = Track(tmp_path / "out.mp4")
    list(track.take(0.0))
    packets = track.take(1000.0)
    next(packets)
    assert sum(count for _, count in track.encoded) < 4 * RATE
    times = [float(packet.dts * packet.time_base) for packet in packets]
    assert times == sorted(times)
    assert max(count for _, count in track.encoded) <= RATE
    assert track.finish() == 1000 * RATE + 800


def test_sound_that_changes_its_form_goes_on(tmp_path: Path) -> None:
    track = Track(tmp_path / "out.webm", "libopus")
    for number in range(10):
        list(track.take(number / 10, **({} if number % 4 < 2 else {"layout": "stereo", "rate": 16000, "samples": 1600})))
    list(track.take(2.0))
    assert track.finish() == pytest.approx(2.1 * 48000, abs=2)
