"""The other tracks of a source: which a file of a kind can hold as they are, which are made anew, which are left out."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Protocol, TypeVar

import av
import av.error

from realtime.errors import reason_of
from realtime.program.notes import Note
from realtime.video.sound import EncodedSound

# What players of these files expect. MP4 could hold more by the letter of its standard.
_MP4_SOUND = frozenset({"aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"})
_PCM = frozenset({"pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le", "pcm_f32le", "pcm_u8"})
_COPIED_SOUND = {
    ".mp4": _MP4_SOUND,
    ".m4v": _MP4_SOUND,
    ".mov": (_MP4_SOUND - {"opus", "flac"}) | _PCM,
    ".webm": frozenset({"opus", "vorbis"}),
}
_NEW_SOUND = {".webm": "libopus", ".mkv": "flac"}
_COPIED_TEXT = {
    ".mkv": frozenset({"subrip", "ass", "ssa", "webvtt", "dvd_subtitle", "hdmv_pgs_subtitle", "dvb_subtitle"}),
    ".webm": frozenset({"webvtt"}),
}
_MP4_TEXT = frozenset({"mov_text"})
_NEW_TEXT = {".mkv": "srt", ".webm": "webvtt"}


_Added = TypeVar("_Added")


class Track(Protocol):
    """Takes the packets of one stream of the source and gives those for the output."""

    def take(self, packet: Any) -> Iterator[Any]:
        """Packets for the output, with their stream and times set."""

    def finish(self) -> Iterator[Any]:
        """What is still held back at the end."""


def choose_tracks(source: Any, output: Any, suffix: str, kinds: frozenset[str], note: Note) -> dict[int, Track]:
    """The tracks to keep, by their stream's number in the source; their streams are added to the output.

    Args:
        source, output: opened containers.
        kinds: "audio" and "subtitle", or one of them.
        suffix: the ending of the output's name.
        note: told what is made anew or left out.
    """
    chosen: dict[int, Track] = {}
    counts = dict.fromkeys(kinds, 0)
    for stream in source.streams:
        if stream.type not in counts:
            continue
        counts[stream.type] += 1
        name = f"{'sound' if stream.type == 'audio' else 'subtitle'} track {counts[stream.type]}"
        if stream.codec_context is None:
            note(f"{name} is in a format that is not known here; left out")
            continue
        track = (
            _sound(stream, output, suffix, name, note) if stream.type == "audio" else _text(stream, output, suffix, name, note)
        )
        if track is not None:
            chosen[stream.index] = track
    return chosen


class _Copied:
    """Packets handed on as they are."""

    def __init__(self, stream: Any, output: Any) -> None:
        self._stream = output.add_stream_from_template(stream, opaque=True)
        _describe(stream, self._stream)

    def take(self, packet: Any) -> Iterator[Any]:
        packet.stream = self._stream
        yield packet

    def finish(self) -> Iterator[Any]:
        return iter(())


class _PlainText:
    """Subtitles of one text format written in another; their looks are lost, words and times stay."""

    def __init__(self, stream: Any, output: Any, codec: str) -> None:
        self._stream: Any = output.add_stream(codec)
        self._stream.time_base = Fraction(1, 1000)
        self._is_mov_text = codec == "mov_text"
        self._stream.codec_context.subtitle_header = _ASS_HEADER
        _describe(stream, self._stream)

    def take(self, packet: Any) -> Iterator[Any]:
        pts, duration, time_base = packet.pts, packet.duration, packet.time_base
        try:
            texts = [_words(rect) for rect in packet.decode()]
        except av.error.FFmpegError:
            return
        text = "\n".join(filter(None, texts)).encode()
        if not text or pts is None:
            return
        made = av.Packet(struct.pack(">H", len(text)) + text if self._is_mov_text else text)
        made.pts = made.dts = pts
        made.duration, made.time_base, made.stream = duration or 0, time_base, self._stream
        yield made

    def finish(self) -> Iterator[Any]:
        return iter(())


_ASS_HEADER = (
    b"[Script Info]\r\nScriptType: v4.00+\r\n\r\n[V4+ Styles]\r\nFormat: Name, Fontname, Fontsize, PrimaryColour, "
    b"SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
    b"BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\r\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n\r\n"
    b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def _words(rect: Any) -> str:
    said = getattr(rect, "dialogue", b"") or getattr(rect, "text", b"")
    return said.decode("utf-8", "replace").replace("\\N", "\n")


def _sound(stream: Any, output: Any, suffix: str, name: str, note: Note) -> Track | None:
    context = stream.codec_context
    codec = context.codec.canonical_name
    if not context.sample_rate:
        note(f"{name} ({codec}) left out: no sound of it was found at the beginning of the file")
        return None
    held = _COPIED_SOUND.get(suffix)
    is_known = codec in held if held is not None else context.name in output.supported_codecs
    if is_known:
        with contextlib.suppress(av.error.FFmpegError, ValueError):  # then made anew
            return _try_out(lambda file: _Copied(stream, file), output)
    new = _NEW_SOUND.get(suffix, "aac")
    try:
        track = _try_out(lambda file: EncodedSound(stream, file, new), output)
        _describe(stream, track.stream)
    except (av.error.FFmpegError, ValueError) as error:
        note(f"{name} ({codec}) can neither be copied nor encoded again ({reason_of(error)}); left out")
        return None
    made = f"{new.removeprefix('lib')}{f' of {track.rate} Hz' if track.rate < context.sample_rate else ''}"
    note(f"{name} ({codec}) encoded again as {made}, since {suffix} files hold no {'such ' if is_known else ''}{codec}")
    return track


def _try_out(add: Callable[[Any], _Added], output: Any) -> _Added:
    """Adds a track to the output once a file of its kind has begun with it in memory.

    A file refuses all its tracks for one of them, and what was added cannot be taken out again.

    Args:
        add: adds the track to a file.
    Returns:
        What was added to the output.
    Raises:
        av.error.FFmpegError, ValueError: such a file cannot hold it.
    """
    trial: Any = av.open(io.BytesIO(), "w", format=output.format.name)
    try:
        add(trial)
        trial.start_encoding()
    finally:
        with contextlib.suppress(av.error.FFmpegError, ValueError):  # some want a packet before they end
            trial.close()
    return add(output)


def _text(stream: Any, output: Any, suffix: str, name: str, note: Note) -> Track | None:
    codec = stream.codec_context.codec.canonical_name
    try:
        if codec in _COPIED_TEXT.get(suffix, _MP4_TEXT):
            return _try_out(lambda file: _Copied(stream, file), output)
        if codec in ("subrip", "mov_text", "ass", "ssa", "webvtt", "text"):
            new = _NEW_TEXT.get(suffix, "mov_text")
            track = _PlainText(stream, output, new)
            note(f"{name} ({codec}) written as {new}, since {suffix} files hold no {codec}")
            return track
    except (av.error.FFmpegError, ValueError):
        pass
    note(f"{name} ({codec}) left out: {suffix} files cannot hold it")
    return None


def _describe(stream: Any, made: Any) -> None:
    """Language, title and purpose of a track."""
    for key in ("language", "title"):
        if key in stream.metadata:
            made.metadata[key] = stream.metadata[key]
    made.disposition = stream.disposition
