"""Sound decoded and encoded again, in step with the times of its source."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error

_OPUS_RATE = 48000
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}  # those that every encoder takes
_SMALLEST_GAP_S = Fraction(4, 100)  # times are rounded and jitter by less; from here on lips are seen to be late
_SILENCE_S = 1  # a long gap is filled in pieces of so much


class EncodedSound:
    """A sound track made anew. Its beginning keeps its time, and gaps are filled with silence.

    Encoders and files count samples: where some are missing, all later sound would come too early.

    stream: of the output.
    rate: samples a second of the output: the source's; where the encoder does not take that, the next higher one that it
        takes, or its highest.

    Args:
        source: the stream whose packets will be given.
        output: opened container.
        codec: FFmpeg's name of the encoder.
    Raises:
        av.error.FFmpegError, ValueError: the output cannot hold it.
    """

    def __init__(self, source: Any, output: Any, codec: str) -> None:
        context = source.codec_context
        self.rate = _encoded_rate(codec, int(context.sample_rate))
        self.stream: Any = output.add_stream(codec, rate=self.rate)
        self._layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
        self.stream.codec_context.layout = self._layout
        self._format = self.stream.codec_context.format
        self._resampler = self._new_resampler()
        self._resampled: tuple[Any, ...] | None = None  # format, layout and rate of what the resampler was given
        self._next_pts: int | None = None  # in samples of the output, as everything here
        self._heard_until = Fraction(0)  # what the resampler holds back included

    def take(self, packet: Any) -> Iterator[Any]:
        """Packets for the output, with their times set."""
        time_base = packet.time_base
        begins_s = packet.pts * time_base if packet.pts is not None else Fraction(0)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # one damaged packet of sound is no reason to lose the rest
            return
        for frame in frames:
            due = round(frame.pts * time_base * self.rate) if frame.pts is not None else None
            if self._next_pts is None:
                self._next_pts = round(begins_s * self.rate) if due is None else due
                self._heard_until = Fraction(self._next_pts)
            if due is not None and due - self._heard_until > _SMALLEST_GAP_S * self.rate:
                yield from self._drain()
                yield from self._fill(due)
            yield from self._resample(frame)

    def finish(self) -> Iterator[Any]:
        """What is still held back at the end."""
        yield from self._drain()
        yield from self.stream.encode(None)

    def _resample(self, frame: Any) -> Iterator[Any]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampled not in (None, kind):  # broadcasts change between stereo and 5.1
            yield from self._drain()
        self._resampled = kind
        self._heard_until += Fraction(frame.samples * self.rate, frame.sample_rate)
        yield from self._encode(self._resampler.resample(frame))

    def _drain(self) -> Iterator[Any]:
        """Takes out what the resampler holds back; afterwards it could not go on."""
        yield from self._encode(self._resampler.resample(None))
        self._resampler, self._resampled = self._new_resampler(), None
        self._heard_until = Fraction(self._next_pts or 0)

    def _fill(self, end: int) -> Iterator[Any]:
        """Silence up to a time."""
        while (missing := end - (self._next_pts or 0)) > 0:
            silence = av.AudioFrame(self._format, self._layout, min(missing, _SILENCE_S * self.rate))
            silence.sample_rate = self.rate
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            yield from self._encode([silence])
        self._heard_until = Fraction(self._next_pts or 0)

    def _encode(self, frames: list[Any]) -> Iterator[Any]:
        for frame in frames:
            frame.pts, frame.time_base = self._next_pts, Fraction(1, self.rate)
            self._next_pts = (self._next_pts or 0) + frame.samples
            yield from self.stream.encode(frame)

    def _new_resampler(self) -> Any:
        return av.AudioResampler(self._format, self._layout, self.rate)


def _encoded_rate(codec: str, rate: int) -> int:
    known = av.Codec(codec, "w").audio_rates
    if codec == "libopus":  # whose times count in this rate, whatever it is given
        return _OPUS_RATE
    if not known:  # it takes all
        return rate
    return min((other for other in known if other >= rate), default=max(known))
