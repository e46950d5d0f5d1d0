"""The packets of a source's sound and subtitles that belong into an output: in its time, rising, cut where it is cut."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error

from realtime.video.tracks import Track

_LONGEST_WORDS_S = 30.0  # before a cut so much is searched for words that are still shown at it
Timed = tuple[float, int, Any]


@dataclass(frozen=True)
class Soundtrack:
    """Where the tracks beside the picture come from.

    path: the source.
    origin_s: its time that is zero in the output.
    is_cut: whether the output begins later than the source.
    end_s: output time after which nothing is taken over; None for all of it.
    ends_with_picture: whether nothing is taken over behind the last picture, wherever that may be.
    restarts_s: seconds to be added to the source's times behind each place where its clock began anew.
    """

    path: Path
    origin_s: float = 0.0
    is_cut: bool = False
    end_s: float | None = None
    ends_with_picture: bool = False
    restarts_s: Sequence[float] = ()


def other_packets(source: Any, tracks: dict[int, Track], soundtrack: Soundtrack, holds_negative_times: bool) -> Iterator[Timed]:
    """Packets of the other tracks that belong into the output, in its time.

    Args:
        source: opened container.
        tracks: by the number of their stream in it.
        holds_negative_times: whether the file can say that what comes before zero is not heard.
    """
    if not tracks:
        return
    at_s = 0.0
    packets = source.demux([stream for stream in source.streams if stream.index in tracks])
    clocks = {index: _Clock(soundtrack.restarts_s) for index in tracks}
    orders = {index: _Order() for index in tracks}
    if soundtrack.is_cut and not soundtrack.restarts_s:
        _seek(source, soundtrack.origin_s - (_LONGEST_WORDS_S if _holds_words(source, tracks) else 0))
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):  # a damaged end; what came before is kept
            break
        time = packet.dts if packet.dts is not None else packet.pts
        if not packet.size or time is None:
            continue
        index = packet.stream.index
        late_s = clocks[index].late_s(float(time * packet.time_base)) - soundtrack.origin_s
        at_s = float(time * packet.time_base) + late_s
        if soundtrack.end_s is not None and at_s > soundtrack.end_s + 10:  # tracks are interleaved, but not to the second
            break
        shift = round(late_s / packet.time_base)
        packet.dts = None if packet.dts is None else packet.dts + shift
        packet.pts = None if packet.pts is None else packet.pts + shift
        if _cut(packet, soundtrack, holds_negative_times):
            for made in tracks[index].take(packet):
                if orders[index].admits(made):
                    yield _time_of(made, at_s), 1, made
    for track in tracks.values():
        for made in track.finish():
            yield _time_of(made, at_s), 1, made


def _seek(source: Any, at_s: float) -> None:
    with contextlib.suppress(av.error.FFmpegError):  # then all that comes before is passed over
        source.seek(max(int(at_s * 1_000_000), source.start_time or 0), backward=True)


def _holds_words(source: Any, tracks: dict[int, Track]) -> bool:
    return any(source.streams[index].type == "subtitle" for index in tracks)


def _cut(packet: Any, soundtrack: Soundtrack, holds_negative_times: bool) -> bool:
    """Whether a packet in the output's time belongs into it; words are made shorter where they are shown at a cut."""
    tick = packet.time_base
    time = packet.dts if packet.dts is not None else packet.pts
    end = time + (packet.duration or 0)
    if soundtrack.end_s is not None and time * tick >= soundtrack.end_s:
        return False
    if packet.stream.type == "subtitle":
        if time < 0:
            if end <= 0:
                return False
            packet.pts = packet.dts = time = 0
        if soundtrack.end_s is not None:
            packet.duration = min(end, round(soundtrack.end_s / tick)) - time
        else:
            packet.duration = end - time
        return True
    # Codecs of sound run in before zero. MP4 says so; Matroska would move the whole film instead.
    return time >= 0 or not (soundtrack.is_cut or (not holds_negative_times and end <= 0))


class _Clock:
    """Follows a track's clock to the places where it begins anew, which the pictures have told.

    Args:
        restarts_s: seconds to be added behind each; fewer than before where the clock went ahead.
    """

    def __init__(self, restarts_s: Sequence[float]) -> None:
        self._added_s = (0.0, *restarts_s)
        self._passed = 0
        self._last_s: float | None = None

    def late_s(self, at_s: float) -> float:
        """What is to be added to the time of the next packet."""
        if self._last_s is not None and self._passed + 1 < len(self._added_s):
            back_s = (self._added_s[self._passed + 1] - self._added_s[self._passed]) / 2  # no track ends to the tick where
            step_s = at_s - self._last_s  # the pictures do
            self._passed += step_s < -back_s if back_s > 0 else step_s > -back_s
        self._last_s = at_s
        return self._added_s[self._passed]


class _Order:
    """Makes the decoding times of a track rise: files refuse those that do not, and with them the track."""

    def __init__(self) -> None:
        self._last: Fraction | None = None

    def admits(self, packet: Any) -> bool:
        """Whether a packet belongs into the file: not sound that steps back behind what is there; all else comes next."""
        tick = packet.time_base
        is_sound = packet.stream.type == "audio"
        if packet.dts is not None and self._last is not None:
            if is_sound and (packet.dts + (packet.duration or 0)) * tick < self._last:
                return False
            file_tick = max(tick, packet.stream.time_base or tick) if is_sound else 0  # words may coincide
            next_dts = math.ceil((self._last + file_tick) / tick)
            if packet.dts < next_dts:
                packet.dts = next_dts
                packet.pts = None if packet.pts is None else max(packet.pts, next_dts)
        if packet.dts is not None:
            self._last = packet.dts * tick
        return True


def _time_of(made: Any, otherwise_s: float) -> float:
    """When a packet belongs into the file: silence for a gap is known at its end and lies before it."""
    return otherwise_s if made.dts is None else float(made.dts * made.time_base)
