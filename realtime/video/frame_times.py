"""When the frames of a video are shown: by its own times where they go on, else by what can be made of them."""

from __future__ import annotations

import heapq
from fractions import Fraction
from typing import Any

import av.error

# These count from wherever the sender's clock stood, and begin anew where two were joined; all others mean their times.
_CLOCKED_FORMATS = frozenset({"mpegts", "mpeg", "mpegtsraw"})
_RESTART_S = 0.5  # by so much no sender's times step back; less is jitter
# Nor goes one on by so much: FFmpeg takes a step back of over a minute for an overflow of the counter, which has 33 bits, and
# hands on one of 26 hours forward, less what was stepped back. Shorter ones are pauses.
_OVERFLOW_S = 6 * 3600.0
# AVI knows no pictures that lean on later ones. With these codecs FFmpeg hands on its times as they are, in decoding order.
_REORDERED_CODECS = frozenset({"h264", "hevc"})


class FrameTimes:
    """Times of the frames of one stream in seconds, always going on.

    is_clocked: whether the file's times count from anywhere.
    is_reordered: whether they are those of decoding, so that a frame's own tell nothing.

    Args:
        rate: frames a second, for those without a time.
        restarts_s: gets the seconds that are added behind each place where the clock began anew.
    """

    def __init__(self, container: Any, stream: Any, rate: Fraction, restarts_s: list[float]) -> None:
        context = stream.codec_context
        is_avi, codec = container.format.name == "avi", context.codec.canonical_name
        self.is_clocked = bool(_CLOCKED_FORMATS & set(container.format.name.split(",")))
        self.is_reordered = is_avi and codec in _REORDERED_CODECS and bool(context.has_b_frames)
        self._rate, self._restarts_s = float(rate), restarts_s
        self._following_s: float | None = None
        self._packet_s: float | None = None  # when the last packet is decoded, where the clock may begin anew
        self._restarts_ahead = 0  # places where it did, the frames from behind which are yet to come
        self._waiting_s: list[float] = []  # a heap: times of the packets whose frames are yet to come, where reordered
        self._keys_s: list[float] = []  # of these the ones that lean on no other, rising

    def expect(self, packet: Any) -> None:
        """Takes note of a packet before it is decoded."""
        if packet.dts is None:
            return
        at_s = float(packet.dts * packet.time_base)
        if self.is_clocked:
            # Behind a gap FFmpeg makes up a time of decoding that lies before it; one of showing is the file's own.
            shown_s = at_s if packet.pts is None else float(packet.pts * packet.time_base)
            self._restarts_ahead += self._packet_s is not None and _begins_anew(self._packet_s, shown_s)
            self._packet_s = at_s
        if self.is_reordered:
            heapq.heappush(self._waiting_s, at_s)
            if packet.is_keyframe:
                self._keys_s.append(at_s)

    def give_up_one(self) -> None:
        """Takes note of a packet that could not be decoded: nothing comes in its place."""
        if self._waiting_s:
            heapq.heappop(self._waiting_s)

    def of(self, frame: Any) -> float:
        """When the next frame is shown."""
        at_s = self._stated_s(frame)
        late_s = self._restarts_s[-1] if self._restarts_s else 0.0
        if at_s is None:
            at_s = self._following_s or 0.0
        elif self._restarts_ahead and self._following_s is not None and _begins_anew(self._following_s, at_s + late_s):
            self._restarts_ahead -= 1  # without one, where packets were lost, a decoder hands out old frames among the new ones
            self._restarts_s.append(self._following_s - at_s)
            at_s = self._following_s
        else:
            at_s += late_s
        self._following_s = at_s + 1 / self._rate
        return at_s

    def _stated_s(self, frame: Any) -> float | None:
        if not self.is_reordered:
            return None if frame.time is None else float(frame.time)
        if frame.key_frame and frame.time is not None:
            self._forget_before(max((key_s for key_s in self._keys_s if key_s <= frame.time), default=frame.time))
        return heapq.heappop(self._waiting_s) if self._waiting_s else None

    def _forget_before(self, key_s: float) -> None:
        """Those before a picture that leans on no other have come, or the decoder passed over them without a word."""
        while self._waiting_s and self._waiting_s[0] < key_s:
            heapq.heappop(self._waiting_s)
        self._keys_s = [later_s for later_s in self._keys_s if later_s > key_s]


def _begins_anew(expected_s: float, found_s: float) -> bool:
    return not expected_s - _RESTART_S <= found_s <= expected_s + _OVERFLOW_S


def keyframe_before(container: Any, stream: Any, until_s: float) -> Any | None:
    """The packet of the last keyframe that is shown before a time.

    None where there is none, or the clock begins anew before that time: then only reading up to there tells what is meant.
    """
    last_s: float | None = None
    keyframe: Any | None = None
    try:
        for packet in container.demux(stream):
            if packet.dts is None:
                continue
            at_s = float(packet.dts * packet.time_base)
            if last_s is not None and _begins_anew(last_s, at_s):
                return None
            if at_s > until_s:
                break
            last_s = at_s
            if packet.is_keyframe and packet.pts is not None and packet.pts * packet.time_base <= until_s:
                keyframe = packet
    except av.error.FFmpegError:  # damage is told by whoever decodes
        pass
    return keyframe
