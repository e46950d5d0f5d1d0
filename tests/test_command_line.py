"""The program as its users meet it: exit codes, one line for a mistake, files that are whole."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import PIL.Image
import pytest
from onnx import TensorProto

from realtime import __version__
from realtime.errors import (
    EXIT_ARGUMENTS,
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EXIT_MODEL,
    EXIT_OUTPUT,
    EXIT_SOURCE,
)
from realtime.pictures.files import write_picture
from realtime.program.command_line import parse_arguments
from tests.fakes import (
    CLIP_FRAMES,
    FRAME_SHAPE,
    SMALL_WH,
    MjpegServer,
    SilentServer,
    bytes_so_far,
    clip_picture,
    closed_port,
    cut_short,
    damage_packet,
    flat_picture,
    noisy_picture,
    read_clip,
    read_picture,
    wait_until,
    write_clip,
    write_foreign_onnx,
    write_style,
)
from tests.films import write_film
from tests.program import ROOT, TIME_LIMIT_S, RunCam, pipe_without_reader


def levels(path: Path) -> list[int]:
    """The greys of a clip's frames, inverted back."""
    return [255 - round(float(picture.mean())) for picture in read_clip(path)]


def expected_levels(count: int) -> list[int]:
    """The greys of the first frames of the example clip."""
    return [int(clip_picture(index)[0, 0, 0]) for index in range(count)]


def stats_of(path: Path) -> dict[str, Any]:
    """The figures that a run has written."""
    found = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


# ------------------------------------------------------------------------------------------------ all well


def test_video_is_painted_frame_by_frame(run_cam: RunCam, clip: Path, work: Path) -> None:
    run_cam("--source", clip, "--output", "out.mp4", "--stats", "stats.json").succeeds()
    painted = levels(work / "out.mp4")
    assert len(painted) == CLIP_FRAMES
    np.testing.assert_allclose(painted, expected_levels(CLIP_FRAMES), atol=3)
    assert sorted(path.name for path in work.iterdir()) == ["out.mp4", "stats.json"]


def test_picture_is_painted(run_cam: RunCam, work: Path) -> None:
    cv2.imwrite(str(work / "photo.png"), noisy_picture((61, 45)))
    run_cam("--source", "photo.png", "--output", "painted.png").succeeds()
    np.testing.assert_array_equal(read_picture(work / "painted.png"), 255 - noisy_picture((61, 45)))


def test_one_frame_of_a_video_becomes_a_picture(run_cam: RunCam, clip: Path, work: Path) -> None:
    run_cam("--source", clip, "--output", "painted.png").succeeds()
    assert read_picture(work / "painted.png").shape == (SMALL_WH[1], SMALL_WH[0], 3)


def test_folder_into_folder(run_cam: RunCam, work: Path) -> None:
    (work / "photos").mkdir()
    for number in range(3):
        cv2.imwrite(str(work / "photos" / f"{number}.png"), flat_picture(50 * number))
    write_clip(work / "photos" / "clip.mp4", frames=4)
    (work / "photos" / "1b.jpg").write_bytes(b"no picture")
    arguments = ["--source", "photos", "--output", "painted", "--stats", "stats.json"]
    outcome = run_cam(*arguments)
    assert outcome.code == EXIT_SOURCE
    assert len(outcome.errors.splitlines()) == 2
    assert outcome.errors.splitlines()[0].startswith("error: picture photos/1b.jpg: not a picture")
    assert outcome.errors.splitlines()[1] == "4 of 5 files painted"
    assert sorted(path.name for path in (work / "painted").iterdir()) == ["0.png", "1.png", "2.png", "clip.mp4"]
    np.testing.assert_array_equal(read_picture(work / "painted" / "2.png"), flat_picture(155))
    assert len(levels(work / "painted" / "clip.mp4")) == 4
    stats = stats_of(work / "stats.json")
    assert (stats["painted"], stats["failed"]) == (4, 1)
    again = run_cam(*arguments)
    assert again.code == EXIT_OUTPUT
    assert again.errors.count("exists already") == 4
    assert run_cam("--source", "photos/0.png", "photos/2.png", "--output", "painted", "--overwrite").code == EXIT_DONE


def test_interrupted_folder_is_gone_on_with(
    command: list[str], run_cam: RunCam, environment: dict[str, str], work: Path
) -> None:
    (work / "photos").mkdir()
    for number in range(40):
        cv2.imwrite(str(work / "photos" / f"{number}.png"), noisy_picture((640, 480), seed=number))
    arguments = ["--source", "photos", "--output", "painted"]
    process = subprocess.Popen([*command, *arguments], cwd=work, env=environment, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (work / "painted").is_dir() and len(list((work / "painted").glob("*.png"))) >= 2, TIME_LIMIT_S)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIME_LIMIT_S)
    assert process.returncode == EXIT_INTERRUPTED
    made = sorted((work / "painted").iterdir())
    assert 2 <= len(made) < 40
    assert errors == f"{len(made)} of 40 files painted\n"
    times = [path.stat().st_mtime_ns for path in made]
    run_cam(*arguments, "--resume").succeeds()
    assert [path.stat().st_mtime_ns for path in made] == times
    assert len(list((work / "painted").iterdir())) == 40


def test_photograph_is_turned_upright_and_keeps_its_transparency(run_cam: RunCam, work: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    stored = PIL.Image.fromarray(np.dstack([noisy_picture((40, 30)), noisy_picture((40, 30))[:, :, 0]]))
    stored.save(work / "photo.png", exif=exif)
    run_cam("--source", "photo.png", "--output", "painted.webp").succeeds()
    with PIL.Image.open(work / "painted.webp") as painted:
        assert painted.size == (30, 40)
        np.testing.assert_array_equal(np.asarray(painted.getchannel("A")), np.rot90(noisy_picture((40, 30))[:, :, 0], -1))
    outcome = run_cam("--source", "photo.png", "--output", "painted.jpg")
    assert outcome.code == EXIT_DONE
    assert outcome.errors.startswith("note: JPEG has no transparency")
    run_cam("--source", "photo.png", "--output", "painted.jpg", "--overwrite", "--quiet").succeeds()


def test_animation_becomes_a_film_of_the_same_times(run_cam: RunCam, work: Path) -> None:
    pictures = [PIL.Image.fromarray(flat_picture(level)) for level in (10, 60, 110, 160)]
    pictures[0].save(work / "moving.png", save_all=True, append_images=pictures[1:], duration=[100, 200, 50, 100])
    run_cam("--source", "moving.png", "--output", "film.mkv").succeeds()
    with av.open(str(work / "film.mkv")) as film:
        times = [float(frame.time or 0) for frame in film.decode(video=0)]
    np.testing.assert_allclose(times, [0, 0.1, 0.3, 0.35], atol=0.002)


def test_pictures_become_a_film_and_a_film_pictures(run_cam: RunCam, work: Path) -> None:
    for number in range(1, 6):
        cv2.imwrite(str(work / f"{number:03d}.png"), flat_picture(40 * number))
    run_cam("--source", "%03d.png", "--fps", 5, "--output", "film.mkv").succeeds()
    np.testing.assert_allclose(levels(work / "film.mkv"), [40 * number for number in range(1, 6)], atol=3)
    run_cam("--source", "film.mkv", "--output", "back%d.png").succeeds()
    assert abs(int(read_picture(work / "back5.png")[0, 0, 0]) - 200) <= 3


def test_demo_without_window_and_output(run_cam: RunCam, work: Path) -> None:
    run_cam("--source", "demo", "--size", "96x64", "--headless", "--max-frames", 5, "--stats", "stats.json").succeeds()
    stats = stats_of(work / "stats.json")
    assert stats["frames_styled"] == 5
    assert stats["source_wh"] == [96, 64]


def test_strength_colours_and_split_are_saved(run_cam: RunCam, work: Path) -> None:
    cv2.imwrite(str(work / "photo.png"), flat_picture(55))
    run_cam("--source", "photo.png", "--output", "half.png", "--strength", 0.5, "--split").succeeds()
    painted = read_picture(work / "half.png")
    assert painted[0, 0, 0] == 55
    assert abs(int(painted[0, -1, 0]) - (55 + 200) / 2) <= 1


def test_rate_that_is_next_to_nothing_can_be_written(run_cam: RunCam, work: Path) -> None:
    arguments = ["--source", "demo", "--size", "64x64", "--fps", "0.0001", "--output", "out.mp4", "--max-frames", 2]
    run_cam(*arguments).succeeds()
    assert len(levels(work / "out.mp4")) == 2


@pytest.mark.parametrize("option", ["--overwrite", "--resume"])
def test_source_is_never_written_over(run_cam: RunCam, work: Path, option: str) -> None:
    (work / "films").mkdir()
    before = write_clip(work / "films" / "clip.mp4", frames=6).read_bytes()
    (work / "link.mp4").symlink_to("films/clip.mp4")
    run_cam("--source", "films/clip.mp4", "--output", "link.mp4", option).complains(EXIT_OUTPUT, "is the source itself")
    outcome = run_cam("--source", "films", "--output", "films", "--overwrite", option)
    assert outcome.code == EXIT_OUTPUT
    assert "films/clip.mp4: is the source itself" in outcome.errors
    assert (work / "films" / "clip.mp4").read_bytes() == before


def test_existing_output_is_replaced_when_asked(run_cam: RunCam, clip: Path, work: Path) -> None:
    (work / "out.mp4").write_bytes(b"the file before")
    run_cam("--source", clip, "--output", "out.mp4", "--overwrite", "--max-frames", 3).succeeds()
    assert len(levels(work / "out.mp4")) == 3


def test_file_played_as_a_camera(run_cam: RunCam, work: Path) -> None:
    clip = write_clip(work / "short.mp4", frames=5)
    run_cam("--source", clip, "--live", "--headless", "--stats", "stats.json").succeeds()
    stats = stats_of(work / "stats.json")
    assert stats["frames_in"] == 5
    assert 0 <= stats["frames_in"] - stats["frames_styled"] - stats["frames_dropped"] <= 2


def test_report_has_all_fields_of_the_plan(run_cam: RunCam, clip: Path, work: Path) -> None:
    run_cam("--source", clip, "--headless", "--processing-size", "48x48", "--stats", "stats.json").succeeds()
    stats = stats_of(work / "stats.json")
    counts = (stats["frames_in"], stats["frames_styled"], stats["frames_dropped"])
    assert counts == (CLIP_FRAMES, CLIP_FRAMES, 0)
    assert stats["start_s"] > 0
    assert stats["seconds"] > 0
    assert (CLIP_FRAMES - 1) / stats["fps"] == pytest.approx(stats["seconds"], abs=0.001)
    assert 0 < stats["latency_ms"]["p50"] <= stats["latency_ms"]["p95"] <= stats["latency_ms"]["p99"]
    assert set(stats["stage_ms"]) == {"capture", "style", "composite", "present"}
    assert (stats["provider"], stats["precision"], stats["tier"]) == ("cpu", "fp32", "fast")
    assert stats["style"] == "night_sky"
    assert stats["source_wh"] == stats["output_wh"] == list(SMALL_WH)
    assert stats["processed_wh"] == [48, 36]


def test_styles_are_listed(run_cam: RunCam) -> None:
    outcome = run_cam("--list-styles")
    outcome.succeeds()
    found = [line for line in outcome.output.splitlines() if re.search(r"night_sky|plain_day|wild_sea", line)]
    assert len(found) == 3
    assert found == sorted(found, key=lambda line: int(line.split()[0]))
    assert "Night sky, Anon (1900)" in found[0]


def test_version(run_cam: RunCam) -> None:
    outcome = run_cam("--version")
    outcome.succeeds()
    assert outcome.output.strip() == f"StyleCam {__version__}"


def test_help_names_the_options(run_cam: RunCam) -> None:
    outcome = run_cam("--help")
    outcome.succeeds()
    for option in ("--source", "--style", "--output", "--headless", "--stats", "--list-styles", "--retry", "--snapshot-dir"):
        assert option in outcome.output


# ------------------------------------------------------------------------------------------------ arguments

WRONG_ARGUMENTS = [
    ["--no-such-option"],
    ["--strength", "1.5"],
    ["--strength", "nan"],
    ["--serve-address", "127.0.0.1"],
    ["--size", "640"],
    ["--size", "8x8"],
    ["--processing-size", "0x0"],
    ["--fps", "0"],
    ["--fps", "1e-320"],  # whose inverse is infinite
    ["--fps", "1e10"],  # more than encoders count
    ["--max-frames", "0"],
    ["--max-frames", "²"],
    ["--retry", "-1"],
    ["--tier", "best"],
    ["--provider", "npu"],
    ["--precision", "fp8"],
    ["--colours", "none"],
    ["--model-range", "1..0"],
    ["--model-range"],
    ["--source"],
]


@pytest.mark.parametrize("arguments", WRONG_ARGUMENTS, ids=" ".join)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(arguments)
    assert caught.value.code == EXIT_ARGUMENTS
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert line.endswith("(see run_cam.py --help)")


def test_wrong_arguments_end_the_program(run_cam: RunCam) -> None:
    outcome = run_cam("--strength", "strong")
    assert outcome.code == EXIT_ARGUMENTS
    assert "expected a number, found 'strong'" in outcome.errors
    assert "Traceback" not in outcome.errors


@pytest.mark.parametrize("text", ["1:99", "1:60", "1:60:00", "0:99:00"])
def test_sixty_minutes_or_seconds_after_a_colon_are_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["--start", text])
    assert f"below 60 after a colon, found {text!r}" in capsys.readouterr().err


def test_times_of_a_video() -> None:
    starts = [parse_arguments(["--start", text]).start for text in ("90", "99:59.5", "1:02:03", "0")]
    assert starts == [90.0, 5999.5, 3723.0, 0.0]


def test_a_picture_as_style_is_told_where_to_go(run_cam: RunCam, work: Path) -> None:
    (work / "painting.JPG").write_bytes(b"any")
    outcome = run_cam("--source", "demo", "--headless", "--style", "painting.JPG")
    outcome.complains(EXIT_MODEL, "python -m models.gatys PHOTO painting.JPG", "python -m models.train --style painting.JPG")


def test_linked_output_stays_a_link(run_cam: RunCam, clip: Path, work: Path) -> None:
    (work / "far").mkdir()
    for name in ("film.mp4", "photo.png"):
        (work / name).symlink_to(work / "far" / name)
        run_cam("--source", clip, "--output", name, "--max-frames", 2).succeeds()
        run_cam("--source", clip, "--output", name, "--max-frames", 2, "--overwrite").succeeds()
        assert (work / name).is_symlink()
        assert (work / "far" / name).stat().st_size > 0


def test_kind_of_an_output_is_by_the_name_that_was_given(run_cam: RunCam, clip: Path, work: Path) -> None:
    """Whatever the file behind a link is called."""
    (work / "latest.mp4").symlink_to(work / "store")
    run_cam("--source", clip, "--output", "latest.mp4", "--max-frames", 2).succeeds()
    assert (work / "latest.mp4").is_symlink()
    assert len(read_clip(work / "store")) == 2


def test_links_in_a_folder_of_many_stay_links(run_cam: RunCam, work: Path) -> None:
    for folder in ("photos", "painted", "far"):
        (work / folder).mkdir()
    write_picture(work / "photos" / "a.png", noisy_picture())
    (work / "painted" / "a.png").symlink_to(work / "far" / "a.png")
    run_cam("--source", "photos", "--output", "painted", "--overwrite", "--live", "--retry", "3").succeeds()
    assert (work / "painted" / "a.png").is_symlink()
    np.testing.assert_array_equal(read_picture(work / "far" / "a.png"), 255 - noisy_picture())


def test_recording_that_cannot_begin_keeps_nobody_waiting(run_cam: RunCam, work: Path) -> None:
    (work / "recordings").write_bytes(b"a file in the way")
    began_s = time.monotonic()
    outcome = run_cam("--source", "demo", "--headless", "--record", "--max-frames", 2)
    assert outcome.code == EXIT_OUTPUT
    assert outcome.errors.count("recording stopped") == 1
    assert time.monotonic() - began_s < 60


def test_what_is_played_as_a_camera_loses_its_sound_and_says_so(run_cam: RunCam, work: Path) -> None:
    write_film(work / "film.mp4", [clip_picture(index) for index in range(10)], sound="aac")
    outcome = run_cam("--source", "film.mp4", "--live", "--output", "out.mp4")
    assert outcome.code == EXIT_DONE
    assert "--live: the sound is left out" in outcome.errors


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--fullscreen"], "there is no window"),
        (["--no-mirror"], "only a camera in a window is mirrored"),
        (["--painting", "photo.png"], "key G needs the window"),
        (["--vgg", "photo.png"], "key G needs the window"),
        (["--snapshot-dir", "shots"], "key S needs the window"),
        (["--recording-dir", "films"], "nothing is recorded"),
        (["--retry", "5"], "only cameras and streams are waited for"),
        (["--overwrite"], "there is no --output"),
        (["--live"], "only films are played as a camera"),
        (["--model-range", "0..1"], "only foreign networks have one"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_option_that_has_no_effect_is_told(run_cam: RunCam, work: Path, options: list[str], reason: str) -> None:
    write_picture(work / "photo.png", noisy_picture())
    outcome = run_cam("--source", "photo.png", "--headless", *options)
    assert (outcome.code, outcome.errors) == (EXIT_DONE, f"note: {options[0]}: has no effect here, {reason}\n")
    assert run_cam("--source", "photo.png", "--headless", *options, "--quiet").errors == ""


def test_recording_from_the_start_has_the_first_frame(run_cam: RunCam, work: Path) -> None:
    options = ["--source", "demo", "--live", "--size", "64x64", "--headless", "--max-frames", 3, "--record"]
    run_cam(*options, "--stats", "stats.json")
    (recording,) = (work / "recordings").iterdir()
    assert len(read_clip(recording)) == stats_of(work / "stats.json")["frames_styled"] == 3


def test_demo_that_is_too_small_is_a_wrong_argument(run_cam: RunCam) -> None:
    run_cam("--source", "demo", "--size", "32x32", "--headless").complains(EXIT_ARGUMENTS, "from 64 to 7680 pixels")


@pytest.mark.parametrize(
    "arguments", [["--model-range", "-1..1"], ["--model-range=-1..1"], ["--split", "--model-range", "-1..1", "--live"]]
)
def test_range_that_begins_with_a_minus(arguments: list[str]) -> None:
    assert parse_arguments(arguments).model_range == (-1.0, 1.0)


def test_defaults() -> None:
    args = parse_arguments([])
    assert (args.source, args.style, args.strength, args.colours) == (["0"], None, 1.0, "style")
    assert (args.tier, args.provider, args.precision, args.model_range) == ("auto", "auto", "auto", None)
    assert not any((args.headless, args.live, args.overwrite, args.split, args.no_mirror, args.fullscreen))


# -------------------------------------------------------------------------------------------------- sources


def test_missing_source(run_cam: RunCam) -> None:
    run_cam("--source", "missing.mp4", "--headless").complains(EXIT_SOURCE, "missing.mp4", "no such file")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.jpg"])
def test_text_in_place_of_a_clip_or_picture(run_cam: RunCam, work: Path, name: str) -> None:
    (work / name).write_text("Dear diary, " * 50, encoding="utf-8")
    run_cam("--source", name, "--headless").complains(EXIT_SOURCE, name)


def test_empty_file(run_cam: RunCam, work: Path) -> None:
    (work / "empty.mp4").touch()
    run_cam("--source", "empty.mp4", "--output", "out.mp4").complains(EXIT_SOURCE, "the file is empty")
    assert not (work / "out.mp4").exists()


def test_folder_in_place_of_a_source(run_cam: RunCam) -> None:
    run_cam("--source", ".", "--headless").complains(EXIT_SOURCE, "no pictures or videos found")


def test_clip_cut_short_keeps_the_frames_before(run_cam: RunCam, clip: Path, work: Path) -> None:
    cut_short(clip, work / "cut.mp4")
    outcome = run_cam("--source", "cut.mp4", "--output", "out.mp4", "--stats", "stats.json")
    outcome.complains(EXIT_SOURCE, "ends damaged after")
    painted = levels(work / "out.mp4")
    assert 0 < len(painted) < CLIP_FRAMES
    np.testing.assert_allclose(painted, expected_levels(len(painted)), atol=3)
    assert f"after {len(painted)} frames" in outcome.errors
    assert stats_of(work / "stats.json")["frames_styled"] == len(painted)


def test_damage_in_the_middle_is_skipped_and_counted(run_cam: RunCam, work: Path) -> None:
    whole = write_clip(work / "whole.mp4", every_frame_alone=True)
    damage_packet(whole, work / "damaged.mp4", 8)
    outcome = run_cam("--source", "damaged.mp4", "--output", "out.mp4", "--stats", "stats.json")
    assert (outcome.code, outcome.errors) == (EXIT_DONE, "note: video damaged.mp4: damaged packets skipped: 1\n")
    assert len(levels(work / "out.mp4")) == CLIP_FRAMES - 1
    assert stats_of(work / "stats.json")["damaged_packets"] == 1


def test_camera_that_does_not_exist(run_cam: RunCam) -> None:
    run_cam("--source", "97", "--headless").complains(EXIT_SOURCE, "camera 97", "--source demo")


def test_address_that_refuses(run_cam: RunCam) -> None:
    url = f"http://127.0.0.1:{closed_port()}/camera.mjpg"
    run_cam("--source", url, "--headless").complains(EXIT_SOURCE, url, "check the address")


def test_server_that_never_answers(run_cam: RunCam) -> None:
    with SilentServer() as server:
        run_cam("--source", server.url, "--headless").complains(EXIT_SOURCE, server.url, "within 2 seconds")


def test_stream_is_painted(run_cam: RunCam, work: Path) -> None:
    jpeg = cv2.imencode(".jpg", flat_picture(55))[1].tobytes()
    with MjpegServer([jpeg]) as server:
        run_cam("--source", server.url, "--output", "out.mp4", "--max-frames", 4).succeeds()
    np.testing.assert_allclose(levels(work / "out.mp4"), [55] * 4, atol=3)


def test_stream_that_is_lost_for_good_keeps_what_was_made(run_cam: RunCam, work: Path) -> None:
    jpeg = cv2.imencode(".jpg", flat_picture(55))[1].tobytes()
    with MjpegServer([jpeg] * 30, repeats=False) as server:
        outcome = run_cam("--source", server.url, "--output", "out.mp4", "--retry", 0.2)
    outcome.complains(EXIT_SOURCE, "lost, and not back within 0.2 seconds")
    assert len(levels(work / "out.mp4")) >= 1


# --------------------------------------------------------------------------------------------------- styles


def test_misspelt_style_suggests_the_nearest(run_cam: RunCam) -> None:
    run_cam("--style", "nigth_sky", "--headless").complains(EXIT_MODEL, "did you mean night_sky?")


def test_styles_folder_that_is_missing(run_cam: RunCam) -> None:
    run_cam("--styles", "nowhere", "--headless").complains(EXIT_MODEL, "nowhere", "not a folder")


def test_missing_network(run_cam: RunCam) -> None:
    run_cam("--style", "missing.onnx", "--source", "demo", "--headless").complains(EXIT_MODEL, "missing.onnx", "no such file")


@pytest.mark.parametrize(("content", "reason"), [(b"", "the file is empty"), (b"not a network", "onnxruntime cannot load it")])
def test_file_that_is_no_network(run_cam: RunCam, work: Path, content: bytes, reason: str) -> None:
    (work / "odd.onnx").write_bytes(content)
    run_cam("--style", "odd.onnx", "--source", "demo", "--headless").complains(EXIT_MODEL, "odd.onnx", reason)


def test_foreign_network_of_an_unknown_shape(run_cam: RunCam, work: Path) -> None:
    write_foreign_onnx(work / "odd.onnx", shape=["n", 7])
    outcome = run_cam("--style", "odd.onnx", "--source", "demo", "--headless")
    outcome.complains(EXIT_MODEL, "odd.onnx", "['n', 7]", "uint8 [batch, height, width, 3]")


def test_network_that_fails_on_the_first_frame_leaves_no_output(run_cam: RunCam, clip: Path, work: Path) -> None:
    write_foreign_onnx(work / "floats.onnx", shape=FRAME_SHAPE, input_type=TensorProto.UINT8, output_type=TensorProto.FLOAT)
    outcome = run_cam("--style", "floats.onnx", "--source", clip, "--output", "out.mp4")
    outcome.complains(EXIT_MODEL, "returned float32 for uint8")
    assert not (work / "out.mp4").exists()


def test_foreign_network_of_a_known_shape_paints(run_cam: RunCam, work: Path) -> None:
    write_foreign_onnx(work / "zoo.onnx", "NCHW")
    cv2.imwrite(str(work / "photo.png"), noisy_picture())
    run_cam("--style", "zoo.onnx", "--model-range", "-1..1", "--source", "photo.png", "--output", "same.png").succeeds()
    np.testing.assert_array_equal(read_picture(work / "same.png"), noisy_picture())


def test_damaged_network_of_a_style(run_cam: RunCam, work: Path, styles_folder: Path) -> None:
    style = work / "styles" / "night_sky"
    style.mkdir(parents=True)
    for name in ("style.json", "fast.onnx"):
        (style / name).write_bytes((styles_folder / "night_sky" / name).read_bytes())
    (style / "fast.onnx").write_bytes((style / "fast.onnx").read_bytes()[:-1])
    run_cam("--styles", "styles", "--source", "demo", "--headless").complains(EXIT_MODEL, "SHA-256")


# ------------------------------------------------------------------------------------------------- outputs


def test_existing_output_is_refused(run_cam: RunCam, clip: Path, work: Path) -> None:
    (work / "out.mp4").write_bytes(b"precious")
    run_cam("--source", clip, "--output", "out.mp4").complains(EXIT_OUTPUT, "out.mp4", "--overwrite")
    assert (work / "out.mp4").read_bytes() == b"precious"


def test_folder_of_the_output_that_is_missing(run_cam: RunCam, clip: Path) -> None:
    run_cam("--source", clip, "--output", "missing/out.mp4").complains(EXIT_OUTPUT, "does not exist")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write into")
def test_folder_that_cannot_be_written(run_cam: RunCam, clip: Path) -> None:
    run_cam("--source", clip, "--output", "/proc/out.mp4").complains(EXIT_OUTPUT, "cannot be written")


def test_unknown_kind_of_output(run_cam: RunCam, clip: Path) -> None:
    run_cam("--source", clip, "--output", "out.avi").complains(EXIT_OUTPUT, "out.avi", ".mp4")


def test_report_that_cannot_be_written(run_cam: RunCam, clip: Path) -> None:
    outcome = run_cam("--source", clip, "--headless", "--stats", "missing/stats.json")
    outcome.complains(EXIT_OUTPUT, "--stats missing/stats.json")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="only X11 can be absent")
@pytest.mark.parametrize("display", [None, ":99999"])
def test_no_display(run_cam: RunCam, display: str | None) -> None:
    changes = {} if display is None else {"DISPLAY": display}
    outcome = run_cam("--source", "demo", **changes)
    outcome.complains(EXIT_OUTPUT, "display", "--output FILE or --headless")


# -------------------------------------------------------------------------------------------- interruption


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interruption_while_the_program_is_loading(command: list[str], work: Path, environment: dict[str, str]) -> None:
    told = [command[0], "-X", "importtime", *command[1:], "--source", "demo", "--headless"]
    with subprocess.Popen(told, cwd=work, env=environment, stderr=subprocess.PIPE, text=True) as program:
        assert program.stderr is not None
        try:
            assert any("numpy" in line for line in program.stderr)
            program.send_signal(signal.SIGINT)
            errors = program.communicate(timeout=TIME_LIMIT_S)[1]
        finally:
            program.kill()
    assert program.returncode == EXIT_INTERRUPTED
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_interruption_while_a_stream_is_being_opened(command: list[str], work: Path, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/camera.mjpg"
        program = subprocess.Popen(
            [*command, "--source", url, "--headless"], cwd=work, env=environment, stderr=subprocess.PIPE, text=True
        )
        server.settimeout(TIME_LIMIT_S)
        connection, _ = server.accept()
        with connection:
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=TIME_LIMIT_S)
    assert (program.returncode, errors) == (EXIT_INTERRUPTED, "")


LONG = "x" * 300


@pytest.mark.skipif(sys.platform == "win32", reason="file systems of POSIX")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--output", f"{LONG}.mp4"), EXIT_OUTPUT),
        (("--output", f"{'x' * 243}.mp4"), EXIT_OUTPUT),  # the file itself could be written, the notes beside it could not
        (("--styles", LONG), EXIT_MODEL),
    ],
)
def test_names_longer_than_a_file_system_takes(run_cam: RunCam, clip: Path, arguments: tuple[str, str], code: int) -> None:
    run_cam("--source", clip, "--headless", *arguments).complains(code, "x" * 240)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--list-styles", "--doctor", "--help", "--version"])
def test_an_answer_that_nobody_reads_ends_with_5_in_silence(
    command: list[str], work: Path, environment: dict[str, str], unbuffered: str, option: str
) -> None:
    changed = environment | {"PYTHONUNBUFFERED": unbuffered}
    with pipe_without_reader() as pipe:
        done = subprocess.run(
            [*command, option], cwd=work, env=changed, stdout=pipe, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (EXIT_OUTPUT, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("option", ["--list-styles", "--help", "--version"])
def test_an_answer_that_a_disk_does_not_take_ends_with_5(
    command: list[str], work: Path, environment: dict[str, str], unbuffered: str, option: str
) -> None:
    changed = environment | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*command, option], cwd=work, env=changed, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (EXIT_OUTPUT, b"error: the output cannot be written (No space left on device)\n")


def test_names_are_told_to_a_terminal_of_few_letters(run_cam: RunCam, tmp_path: Path) -> None:
    write_style(tmp_path / "mine", "leger", artist="Fernand Léger")
    outcome = run_cam("--list-styles", "--styles", tmp_path / "mine", PYTHONIOENCODING="ascii")
    outcome.succeeds()
    assert r"Fernand L\xe9ger" in outcome.output


def run_unread(command: list[str], work: Path, environment: dict[str, str], *arguments: object) -> int:
    """Exit code of a run whose messages nobody reads."""
    told = [*command, *map(str, arguments)]
    with pipe_without_reader() as pipe:
        return subprocess.run(told, cwd=work, env=environment, stdout=pipe, stderr=pipe, timeout=60, check=False).returncode


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_film_is_painted_though_nobody_reads_the_notes(command: list[str], work: Path, environment: dict[str, str]) -> None:
    odd = write_film(work / "odd.mkv", [noisy_picture((65, 47))] * 3, codec="ffv1", pixel_format="bgr0")
    assert run_unread(command, work, environment, "--source", odd, "--output", "out.mp4") == EXIT_DONE
    assert len(read_clip(work / "out.mp4")) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_folder_is_painted_to_its_end_though_nobody_reads_what_failed(
    command: list[str], work: Path, environment: dict[str, str]
) -> None:
    (work / "photos").mkdir()
    (work / "photos" / "a.png").write_bytes(b"no picture")
    write_picture(work / "photos" / "b.png", noisy_picture())
    assert run_unread(command, work, environment, "--source", "photos", "--output", "painted") == EXIT_SOURCE
    assert (work / "painted" / "b.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_recording_is_made_though_nobody_reads_of_it(command: list[str], work: Path, environment: dict[str, str]) -> None:
    arguments = ("--source", "demo", "--headless", "--max-frames", 3, "--record", "--serve", 0)
    assert run_unread(command, work, environment, *arguments) == EXIT_DONE
    (recording,) = (work / "recordings").iterdir()
    assert len(read_clip(recording)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_mistake_that_nobody_reads_of_keeps_its_exit_code(
    command: list[str], work: Path, environment: dict[str, str]
) -> None:
    assert run_unread(command, work, environment, "--source", "missing.mp4", "--headless") == EXIT_SOURCE


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_a_film_is_painted_without_stdout_and_stderr(command: list[str], work: Path, environment: dict[str, str]) -> None:
    line = f"{shlex.join([*command, '--source', 'demo', '--max-frames', '3', '--output', 'out.mp4'])} >&- 2>&-"
    done = subprocess.run(["sh", "-c", line], cwd=work, env=environment, timeout=60, check=False)
    assert done.returncode == EXIT_DONE
    assert len(read_clip(work / "out.mp4")) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("closed", ["<&- 2>&-", "<&- >&- 2>&-"])
def test_pictures_are_read_and_painted_without_stdin_and_stderr(
    command: list[str], work: Path, environment: dict[str, str], closed: str
) -> None:
    write_picture(work / "photo.png", noisy_picture())
    line = f"{shlex.join([*command, '--source', 'photo.png', '--output', 'out.png'])} {closed}"
    done = subprocess.run(["sh", "-c", line], cwd=work, env=environment, stdout=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == EXIT_DONE
    assert (work / "out.png").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_signal_while_networks_are_measured_ends_the_program_at_once(
    command: list[str], work: Path, environment: dict[str, str]
) -> None:
    measured = "lambda *_, **__: (print('measuring', flush=True), time.sleep(60))"
    busy = f"import sys, time, realtime.networks.calibration as c; c.calibrate = {measured}"
    arguments = ["run_cam.py", *command[2:], "--source", "demo", "--headless"]
    code = f"{busy}; import runpy; sys.argv = {arguments!r}; runpy.run_path({command[1]!r}, run_name='__main__')"
    changed = environment | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=work, env=changed, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "measuring\n"
            program.send_signal(signal.SIGINT)
            assert program.wait(timeout=20) == EXIT_INTERRUPTED
        finally:
            program.kill()


def test_nothing_is_told_to_the_maker_of_onnxruntime(run_cam: RunCam, tmp_path: Path) -> None:
    """Its packages would keep a device's number in the cache folder, and send what they queue there."""
    run_cam("--source", "demo", "--headless", "--max-frames", 2, XDG_CACHE_HOME=str(tmp_path / "cache")).succeeds()
    assert [path for path in (tmp_path / "cache").rglob("*") if "stylecam" not in str(path.relative_to(tmp_path)).lower()] == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_finishes_the_file(
    command: list[str], work: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    arguments = ["--source", "demo", "--size", "64x64", "--output", "out.mp4", "--stats", "stats.json"]
    with subprocess.Popen(
        [*command, *arguments], cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            partial = work / "out.mp4.partial"
            wait_until(lambda: bytes_so_far(partial) > 0, timeout_s=120.0)
            program.send_signal(number)
            output, errors = program.communicate(timeout=TIME_LIMIT_S)
        finally:
            program.kill()
    painted = read_clip(work / "out.mp4")
    assert (program.returncode, output) == (EXIT_INTERRUPTED, "")
    assert errors == f"interrupted: {len(painted)} frames are in out.mp4\n"
    assert len(painted) >= 1
    assert stats_of(work / "stats.json")["frames_styled"] == len(painted)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_report_that_cannot_be_written_does_not_hide_what_went_wrong_before(run_cam: RunCam, clip: Path, work: Path) -> None:
    damaged = cut_short(clip, work / "damaged.mp4")
    outcome = run_cam("--source", damaged, "--headless", "--stats", "/dev/full")
    assert outcome.code == EXIT_SOURCE
    assert "damaged.mp4" in outcome.errors
    assert "--stats /dev/full" in outcome.errors


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="terminals of POSIX")
def test_a_closed_terminal_finishes_the_recording(command: list[str], work: Path, environment: dict[str, str]) -> None:
    arguments = ["--source", "demo", "--live", "--size", "64x64", "--headless", "--record"]
    with subprocess.Popen([*command, *arguments], cwd=work, env=environment, stderr=subprocess.PIPE, text=True) as program:
        try:
            wait_until(lambda: any(path.stat().st_size > 0 for path in work.glob("recordings/*.mp4")), timeout_s=120.0)
            program.send_signal(signal.SIGHUP)
            program.communicate(timeout=TIME_LIMIT_S)
        finally:
            program.kill()
    (recording,) = work.glob("recordings/*.mp4")
    assert program.returncode == EXIT_INTERRUPTED
    assert len(read_clip(recording)) >= 1


def test_port_in_use_is_one_line(run_cam: RunCam) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        run_cam("--source", "demo", "--headless", "--serve", port).complains(EXIT_OUTPUT, f"--serve {port}", "in use")


def test_clip_is_served_without_a_window_at_its_own_pace(run_cam: RunCam, clip: Path, work: Path) -> None:
    outcome = run_cam("--source", clip, "--headless", "--serve", 0, "--stats", work / "stats.json")
    assert outcome.code == EXIT_DONE
    assert re.fullmatch(r"serving http://127\.0\.0\.1:\d+/\n", outcome.output)
    found = stats_of(work / "stats.json")
    assert found["frames_styled"] == CLIP_FRAMES
    assert found["seconds"] >= 1.8
    assert found["serving"]["pictures_encoded"] == 0


def test_address_of_everyone_is_warned_of(run_cam: RunCam, clip: Path) -> None:
    arguments = ("--source", clip, "--headless", "--max-frames", 1, "--serve", 0)
    outcome = run_cam(*arguments, "--serve-address", "0.0.0.0")
    assert (outcome.code, outcome.errors.count("\n")) == (EXIT_DONE, 1)
    assert outcome.errors.startswith("warning: --serve-address 0.0.0.0: ")
    assert run_cam(*arguments).errors == ""


@pytest.mark.parametrize("arguments", [("--serve", "eighty"), ("--serve", "70000"), ("--output", "o.mp4", "--serve")])
def test_ports_that_are_none_and_serving_a_file_run(run_cam: RunCam, arguments: tuple[str, ...]) -> None:
    outcome = run_cam("--source", "demo", *arguments)
    assert outcome.code == EXIT_ARGUMENTS
    assert "--serve" in outcome.errors


@pytest.mark.skipif(importlib.util.find_spec("pyvirtualcam") is not None, reason="pyvirtualcam is installed here")
def test_virtual_camera_without_its_package_is_one_line(run_cam: RunCam) -> None:
    outcome = run_cam("--source", "demo", "--headless", "--virtual-camera")
    outcome.complains(EXIT_MODEL, "pip install -r requirements-virtual-camera.txt")


def test_recording_without_a_window(run_cam: RunCam, clip: Path, work: Path) -> None:
    outcome = run_cam("--source", clip, "--headless", "--record", "--live", "--stats", work / "stats.json")
    assert outcome.code == EXIT_DONE
    assert re.fullmatch(r"recorded .*_night_sky\.mp4: \d\.\d s, 0\.0 MB\n", outcome.errors)
    (path,) = (work / "recordings").iterdir()
    assert len(read_clip(path)) == stats_of(work / "stats.json")["recording"]["frames_written"] > 0


def test_recording_and_output_at_once_are_refused(run_cam: RunCam, clip: Path) -> None:
    assert run_cam("--source", clip, "--output", "o.mp4", "--record").code == EXIT_ARGUMENTS


def test_recording_that_cannot_begin_ends_a_run_that_nobody_else_sees(run_cam: RunCam, work: Path) -> None:
    (work / "recordings").touch()
    outcome = run_cam("--source", "demo", "--live", "--headless", "--record", "--stats", work / "stats.json")
    assert outcome.code == EXIT_OUTPUT
    assert re.fullmatch(r"recording stopped: folder recordings: .*\n", outcome.errors)
    assert stats_of(work / "stats.json")["frames_styled"] == 0


def test_recording_that_fails_leaves_viewers_their_picture(run_cam: RunCam, clip: Path, work: Path) -> None:
    (work / "recordings").touch()
    arguments = ["--source", clip, "--headless", "--record", "--serve", 0, "--stats", work / "stats.json"]
    outcome = run_cam(*arguments)
    assert outcome.code == EXIT_OUTPUT
    assert outcome.errors.startswith("recording stopped: folder recordings: ")
    assert stats_of(work / "stats.json")["frames_styled"] == CLIP_FRAMES


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody remove a file that is being written")
def test_recording_that_is_removed_ends_a_run_that_nobody_else_sees(
    command: list[str], work: Path, environment: dict[str, str]
) -> None:
    arguments = ["--source", "demo", "--live", "--size", "64x64", "--headless", "--record"]
    with subprocess.Popen([*command, *arguments], cwd=work, env=environment, stderr=subprocess.PIPE, text=True) as program:
        try:
            wait_until(lambda: any(path.stat().st_size > 0 for path in work.glob("recordings/*.mp4")), timeout_s=120.0)
            shutil.rmtree(work / "recordings")
            errors = program.communicate(timeout=TIME_LIMIT_S)[1]
        finally:
            program.kill()
    assert program.returncode == EXIT_OUTPUT
    assert re.fullmatch(r"recording stopped: .*\.mp4: cannot be written \(it was removed\)\n", errors)


# ------------------------------------------------------------------------------------------- places and files


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that a program works in")
@pytest.mark.parametrize("arguments", [["--source", "clip.mp4", "--headless"], ["--source", "demo", "--output", "out.png"]])
def test_folder_that_is_gone(command: list[str], work: Path, environment: dict[str, str], arguments: list[str]) -> None:
    line = 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"'
    told = ["sh", "-c", line, *command, *arguments]
    done = subprocess.run(told, cwd=work, env=environment, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == EXIT_ARGUMENTS
    assert re.fullmatch(r"error: the folder in which the program was started cannot be found \(.*\n", done.stderr)


def test_one_file_goes_into_a_folder_that_is_not_there_yet(run_cam: RunCam, clip: Path, work: Path) -> None:
    run_cam("--source", clip, "--max-frames", 2, "--output", "painted/").succeeds()
    assert len(read_clip(work / "painted" / clip.name)) == 2


@pytest.mark.parametrize(("option", "value"), [("--size", "32x32"), ("--fps", "5")])
def test_what_is_asked_of_a_file_in_vain_is_told(run_cam: RunCam, clip: Path, work: Path, option: str, value: str) -> None:
    outcome = run_cam("--source", clip, "--max-frames", 2, "--output", "out.mp4", option, value)
    assert (outcome.code, outcome.errors.count("\n")) == (EXIT_DONE, 1)
    assert outcome.errors.startswith(f"note: {option}: ")
    run_cam("--source", clip, "--max-frames", 2, "--output", "quiet.mp4", option, value, "--quiet").succeeds()


def test_folder_without_styles_is_warned_of(run_cam: RunCam, work: Path) -> None:
    outcome = run_cam("--source", "demo", "--headless", "--max-frames", 1, "--styles", work, "--style", "munch_the_scream")
    assert outcome.code == EXIT_DONE
    assert outcome.errors.startswith(f"warning: --styles {work}: no styles there; expected a folder with style.json for each")


@pytest.mark.parametrize("options", [("--tier", "fine"), ("--precision", "int8"), ("--tier", "fine", "--precision", "fp16")])
def test_a_file_of_ones_own_serves_whatever_is_asked(run_cam: RunCam, inversion_onnx: Path, options: tuple[str, ...]) -> None:
    run_cam("--source", "demo", "--headless", "--max-frames", 1, "--style", inversion_onnx, *options).succeeds()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of POSIX")
def test_statistics_do_not_replace_a_pipe(run_cam: RunCam, tmp_path: Path) -> None:
    pipe = tmp_path / "stats"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    run_cam("--source", "demo", "--headless", "--max-frames", 2, "--stats", pipe).succeeds()
    found = json.loads(os.read(reader, 1 << 20))
    os.close(reader)
    assert (found["frames_styled"], pipe.is_fifo()) == (2, True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe of POSIX")
def test_statistics_that_nobody_reads_keep_no_interrupted_run(
    command: list[str], work: Path, environment: dict[str, str]
) -> None:
    os.mkfifo(work / "stats")
    arguments = ["--source", "demo", "--live", "--size", "64x64", "--headless", "--record", "--stats", "stats"]
    with subprocess.Popen([*command, *arguments], cwd=work, env=environment, stderr=subprocess.PIPE, text=True) as program:
        try:
            wait_until(lambda: any(path.stat().st_size > 0 for path in work.glob("recordings/*.mp4")), timeout_s=120.0)
            program.send_signal(signal.SIGTERM)
            errors = program.communicate(timeout=TIME_LIMIT_S)[1]
        finally:
            program.kill()
    assert program.returncode == EXIT_INTERRUPTED
    assert errors.splitlines()[-1] == "error: --stats stats: not written, as nobody read it until the program was interrupted"


@pytest.mark.skipif(sys.platform != "linux", reason="how Linux knows homes")
def test_without_a_home_there_is_a_picture_all_the_same(
    command: list[str], work: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    nobody = "import pathlib, runpy, sys\ndef none(): raise RuntimeError('no home')\npathlib.Path.home = none\n"
    arguments = [*command[1:], "--source", "demo", "--output", "out.png", "--quiet"]
    code = f"{nobody}sys.argv = {arguments!r}; runpy.run_path({command[1]!r}, run_name='__main__')"
    changed = environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=work, env=changed, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (EXIT_DONE, b"")
    assert (work / "out.png").is_file()
