"""Videos that were broken off and are continued: the same frames at the same times as in one go."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.video.codecs import Encoding
from realtime.video.encoder import PartFile, VideoForm
from realtime.video.parts import Part, count_frames, trim_part, whole_frames
from realtime.video.resume import UnfinishedVideo, discard_unfinished, find_unfinished, is_unfinished, network_before
from realtime.video.side_files import resume_file_path
from realtime.video.writer import VideoFileSink, check_whole
from tests.fakes import clip_index, coloured_picture, read_clip, write_clip

SETTINGS: dict[str, Any] = {"source": "clip.mp4, 7 bytes", "strength": 0.5, "processing_size": (64, 48)}
TIMES_S = [0.0, 0.05, 0.2, 0.21, 0.5, 0.98, 1.0, 1.3, 1.31, 1.4]
PICTURES = [coloured_picture((65, 47), seed) for seed in range(len(TIMES_S))]
CODECS = [("out.mkv", "ffv1"), ("out.mp4", "h264"), ("out.webm", "vp9"), ("out.gif", "gif")]


def sink_for(path: Path, codec: str, unfinished: UnfinishedVideo | None = None) -> VideoFileSink:
    form = VideoForm(Fraction(25), Fraction(1, 1000), start_s=0.0 if codec == "gif" else 0.25)
    return VideoFileSink(
        path, form, overwrite=False, encoding=Encoding(codec), unfinished=unfinished or UnfinishedVideo(path, SETTINGS)
    )


def write(sink: VideoFileSink, first: int, end: int, complete: bool) -> None:
    for index in range(first, end):
        sink.write(PICTURES[index], TIMES_S[index])
    sink.close(complete)


def frames_of(path: Path) -> list[tuple[float, Any]]:
    with av.open(str(path)) as container:
        return [(float(frame.time or 0), frame.to_ndarray(format="bgr24")) for frame in container.decode(video=0)]


def check_same(path: Path, whole: Path, codec: str) -> None:
    """Two files have the same number of frames at the same times, the same to the bit where nothing is lost."""
    found, expected = frames_of(path), frames_of(whole)
    if codec == "gif":  # FFmpeg reads on behind what other players take for the file's end
        assert path.read_bytes() == whole.read_bytes()
    assert [at_s for at_s, _ in found] == pytest.approx([at_s for at_s, _ in expected], abs=0.0101 if codec == "gif" else 1e-6)
    for (_, picture), (_, other) in zip(found, expected, strict=True):
        if codec in ("ffv1", "gif"):
            np.testing.assert_array_equal(picture, other)
        else:
            assert np.abs(picture.astype(int) - other).mean() < 4


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_interrupted_twice_and_continued_is_as_in_one_go(tmp_path: Path, name: str, codec: str) -> None:
    whole = tmp_path / f"whole{Path(name).suffix}"
    write(sink_for(whole, codec), 0, 10, complete=True)
    path = tmp_path / name
    write(sink_for(path, codec), 0, 4, complete=False)
    for end in (7, 10):
        assert is_unfinished(path)
        found = find_unfinished(path, SETTINGS)
        assert found is not None
        assert len(frames_of(path)) == found.frames
        write(sink_for(path, codec, found), found.frames, end, complete=end == 10)
    check_same(path, whole, codec)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, whole.name])


@pytest.mark.parametrize(("name", "codec"), [("out.mkv", "ffv1"), ("out.gif", "gif")])
def test_crash_in_the_middle_and_continued_is_as_in_one_go(tmp_path: Path, name: str, codec: str) -> None:
    whole = tmp_path / f"whole{Path(name).suffix}"
    write(sink_for(whole, codec), 0, 10, complete=True)
    # What a crash leaves: a part that ends in the middle of a frame, and notes that do not know how long it is.
    path, crashed = tmp_path / name, tmp_path / f"crashed{Path(name).suffix}"
    unfinished = UnfinishedVideo(crashed, None)
    write(sink_for(crashed, codec, unfinished), 0, 6, complete=True)
    part = UnfinishedVideo(path, SETTINGS).new_part
    data = crashed.read_bytes()
    crashed.unlink()
    part.write_bytes(data[: round(len(data) * 0.8)])
    UnfinishedVideo(path, SETTINGS).remember([], running=Part(part, 0))
    found = find_unfinished(path, SETTINGS)
    assert found is not None
    assert 1 <= found.frames < 6
    write(sink_for(path, codec, found), found.frames, 10, complete=True)
    check_same(path, whole, codec)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, whole.name])


def test_only_frames_that_lean_on_nothing_lost_count(tmp_path: Path) -> None:
    path = tmp_path / "part.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"g": "4", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(PICTURES[index][:46, :64], format="bgr24").reformat(64, 48)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert whole_frames(path) == 8
    assert whole_frames(tmp_path / "missing.mp4") == 0
    path.write_bytes(b"nothing of a film")
    assert whole_frames(path) == 0


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    write(sink_for(path, "h264"), 0, 4, complete=False)
    with pytest.raises(OutputError, match=r"strength was 0\.5 and is 0\.7"):
        find_unfinished(path, SETTINGS | {"strength": 0.7})
    assert len(read_clip(path)) == 4


def test_nothing_there_is_nothing_to_continue(tmp_path: Path) -> None:
    assert find_unfinished(tmp_path / "out.mp4", SETTINGS) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 2, "settings": {}, "parts": []}',
        '{"version": 1, "settings": {}, "parts": [{"file": "../../elsewhere", "frames": 3, "start_s": 0}]}',
        '{"version": 1, "settings": {}, "parts": [{"file": "/etc/passwd", "frames": 3, "start_s": 0}]}',
        '{"version": 1, "settings": {}, "parts": [{}]}',
        '{"version": 1, "settings": {}, "parts": ["out.mp4"]}',
        '{"version": 1, "settings": {}, "parts": 7}',
        *(
            f'{{"version": 1, "settings": {{}}, "parts": [{{"file": "out.mp4", "frames": {frames}, "start_s": {start_s}}}]}}'
            for frames, start_s in [
                *((frames, "0") for frames in ('"x"', "-3", "2.5", "true", "[]")),
                *(("3", start_s) for start_s in ("NaN", "Infinity", '"x"', "null", "1" + 400 * "0")),
            ]
        ),
        '{"version": 1, "settings": {}, "parts": [{"file": "out.mp4", "frames": 3, "bytes": -1, "start_s": 0}]}',
    ],
)
def test_notes_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "out.mp4"
    resume_file_path(path).write_text(text)
    with pytest.raises(OutputError, match="use --overwrite without --resume to start over"):
        find_unfinished(path, {})
    assert find_unfinished(tmp_path / "other.mp4", {}) is None


def test_part_that_was_removed_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    UnfinishedVideo(path, SETTINGS).remember([Part(tmp_path / "out.mp4.partial", 5)])
    with pytest.raises(OutputError, match=r"out\.mp4\.partial is missing"):
        find_unfinished(path, SETTINGS)


@pytest.mark.parametrize("frames", [3, 4, 6])
@pytest.mark.parametrize("says_bytes", [False, True])
def test_part_that_was_replaced_is_noticed(tmp_path: Path, frames: int, says_bytes: bool) -> None:
    path = tmp_path / "out.mp4"
    write(sink_for(path, "h264"), 0, 4, complete=False)
    if not says_bytes:  # as earlier versions wrote
        notes = json.loads(resume_file_path(path).read_text())
        assert notes["parts"][0].pop("bytes") == path.stat().st_size
        resume_file_path(path).write_text(json.dumps(notes))
    assert find_unfinished(path, SETTINGS) is not None
    other = write_clip(tmp_path / "other.mp4", frames=frames).read_bytes()
    path.write_bytes(other)
    if frames < 4 or says_bytes:
        with pytest.raises(OutputError, match=rf"out\.mp4 holds {frames} frames in \d+ bytes, the earlier run left 4 frames"):
            find_unfinished(path, SETTINGS)
    assert path.read_bytes() == other


def test_parts_of_several_sizes_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    first, second = tmp_path / "out.mp4.partial", tmp_path / "out.mp4.2.partial"
    write_clip(tmp_path / "one.mp4", frames=4).rename(first)
    write_clip(tmp_path / "two.mp4", frames=4, size_wh=(128, 96)).rename(second)
    UnfinishedVideo(path, SETTINGS).remember([Part(first, 4), Part(second, 4)])
    with pytest.raises(OutputError, match=r"\(out\.mp4\.partial 64x48, out\.mp4\.2\.partial 128x96\)"):
        find_unfinished(path, SETTINGS)


def test_beginning_again_removes_what_was_left(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    for name in ("out.mp4", "out.mp4.partial", "out.mp4.2.partial", "precious.mp4"):
        (tmp_path / name).write_bytes(b"x")
    listed = [{"file": name, "frames": 1} for name in ("out.mp4", "out.mp4.partial", "out.mp4.2.partial")]
    resume_file_path(path).write_text(json.dumps({"version": 1, "settings": {}, "parts": listed}))
    discard_unfinished(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["out.mp4", "precious.mp4"]


def test_source_that_cannot_be_read_again_leaves_no_notes(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    write(sink_for(path, "h264", UnfinishedVideo(path, None)), 0, 3, complete=False)
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]
    assert clip_index(read_clip(path)[0]) >= 0


def test_fragment_that_was_cut_is_trimmed_away(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    write(sink_for(path, "ffv1", UnfinishedVideo(path, None)), 0, 1, complete=True)  # any file of another kind stays
    before = path.read_bytes()
    trim_part(path)
    assert path.read_bytes() == before
    part = tmp_path / "part.mp4"
    encoder = PartFile(part, VideoForm(Fraction(25)), Encoding("ffv1"), (65, 47))
    for picture in PICTURES:
        encoder.encode(picture, None)
    encoder.finish()
    assert count_frames(part) == 10
    whole = part.read_bytes()
    part.write_bytes(whole[: round(len(whole) * 0.7)])
    trim_part(part)
    kept = len(read_clip(part))
    assert 3 <= kept < 10
    assert count_frames(part) == kept


def test_file_that_lost_its_end_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    write(sink_for(path, "ffv1", UnfinishedVideo(path, None)), 0, 10, complete=True)
    check_whole(path, 10)
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(OSError, match="No space left"):
        check_whole(path, 10)


def test_network_of_what_was_broken_off_is_known(tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("complete.mp4", "damaged.mp4", "old.mp4", "out.mp4")]
    assert network_before(outputs) is None
    resume_file_path(outputs[1]).write_text("{")
    resume_file_path(outputs[2]).write_text('{"settings": {}}')
    UnfinishedVideo(outputs[3], SETTINGS | {"network": "ab12"}).remember([])
    assert network_before(outputs) == "ab12"
