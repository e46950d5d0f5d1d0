"""Animated PNG and WebP: each picture once, at its time, on white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from realtime.errors import SourceError
from realtime.pictures.animation import AnimatedPicture, is_animated
from realtime.pictures.files import read_picture, write_picture
from realtime.sources import PictureSource, choose_source
from tests.colour_profiles import linear_profile, linear_to_srgb
from tests.fakes import coloured_picture, flat_picture, greys_and_times, noisy_picture

LEVELS = (10, 60, 110, 160)
DURATIONS_MS = [100, 200, 50, 100]


def write_animation(path: Path) -> Path:
    """Four greys, each shown for another time."""
    pictures = [PIL.Image.fromarray(flat_picture(level)) for level in LEVELS]
    options = {"lossless": True} if path.suffix == ".webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=DURATIONS_MS, **options)
    return path


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_pictures_come_once_at_their_times(tmp_path: Path, suffix: str) -> None:
    source = choose_source(str(write_animation(tmp_path / f"film{suffix}")), has_window=False)
    assert isinstance(source, AnimatedPicture)
    for _ in range(2):
        source.open()
        assert greys_and_times(source) == [(10, 0.0), (60, 0.1), (110, 0.3), (160, 0.35)]
        assert (source.frame_count, source.fps) == (4, 10.0)
    source.close()
    source.close()
    assert source.read() is None


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_pictures_that_are_passed_over_take_their_time(tmp_path: Path, suffix: str) -> None:
    source = AnimatedPicture(write_animation(tmp_path / f"film{suffix}"))
    source.skipped_frames = 2
    source.open()
    assert greys_and_times(source) == [(110, 0.3), (160, 0.35)]
    source.open()
    source.cancel()
    assert source.read() is None


def test_picture_for_other_programs_is_no_part_of_the_film(tmp_path: Path) -> None:
    pictures = [PIL.Image.fromarray(flat_picture(level)) for level in (250, *LEVELS)]
    pictures[0].save(tmp_path / "film.png", save_all=True, append_images=pictures[1:], default_image=True, duration=100)
    source = AnimatedPicture(tmp_path / "film.png")
    source.open()
    assert [level for level, _ in greys_and_times(source)] == list(LEVELS)


def test_transparent_pictures_lie_on_white(tmp_path: Path) -> None:
    clear = [PIL.Image.new("RGBA", (64, 48), (level, 0, 0, 0)) for level in LEVELS]
    clear[0].save(tmp_path / "film.png", save_all=True, append_images=clear[1:], duration=100)
    source = AnimatedPicture(tmp_path / "film.png")
    source.open()
    found = source.read()
    assert found is not None
    np.testing.assert_array_equal(found[0], flat_picture(255))


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_colours_of_a_profile_become_srgb(tmp_path: Path, suffix: str) -> None:
    pictures = [PIL.Image.fromarray(flat_picture(level)) for level in LEVELS]
    profile = linear_profile(b"RGB ")
    options = {"lossless": True} if suffix == ".webp" else {}
    pictures[0].save(tmp_path / f"film{suffix}", save_all=True, append_images=pictures[1:], icc_profile=profile, **options)
    source = AnimatedPicture(tmp_path / f"film{suffix}")
    source.open()
    assert [level for level, _ in greys_and_times(source)] == pytest.approx([linear_to_srgb(level) for level in LEVELS], abs=1)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_last_picture_tells_how_long_it_is_shown(tmp_path: Path, suffix: str) -> None:
    source = AnimatedPicture(write_animation(tmp_path / f"film{suffix}"))
    source.open()
    greys_and_times(source)
    assert source.last_shown_s() == (0.35, 0.1)


def test_still_is_no_animation(tmp_path: Path) -> None:
    write_picture(tmp_path / "still.webp", coloured_picture())
    (tmp_path / "nonsense.png").write_bytes(b"nonsense")
    assert not any(is_animated(tmp_path / name) for name in ("still.webp", "nonsense.png", "gone.png", "clip.mp4"))


def test_first_picture_is_a_still_where_one_is_wanted(tmp_path: Path) -> None:
    notes: list[str] = []
    path = write_animation(tmp_path / "film.png")
    assert isinstance(choose_source(str(path), has_window=False, as_still=True), PictureSource)
    assert read_picture(path, notes.append).image_bgr[0, 0, 0] == LEVELS[0]
    assert "the first is painted" in notes[0]


def test_damaged_animation_keeps_what_came_before(tmp_path: Path) -> None:
    pictures = [PIL.Image.fromarray(noisy_picture(seed=seed)) for seed in range(4)]
    pictures[0].save(tmp_path / "film.png", save_all=True, append_images=pictures[1:], duration=100)
    data = (tmp_path / "film.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: round(len(data) * 0.6)])
    source = AnimatedPicture(tmp_path / "cut.png")
    source.open()
    assert source.read() is not None
    with pytest.raises(SourceError, match="ends damaged after 2 pictures"):
        greys_and_times(source)
