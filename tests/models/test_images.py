"""Pictures read as a viewer would show them, and written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.images import (
    as_batch,
    crop_to_multiple,
    cut_long_side,
    decode_deep_image,
    load_image,
    resize_short_side,
    save_image,
)
from realtime.errors import OutputError, SourceError
from tests.fakes import png_that_claims

RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(suffix: str, image_bgr: Any) -> bytes:
    done, data = cv2.imencode(suffix, image_bgr)
    assert done
    return bytes(data.tobytes())


def jpeg_with_orientation(image_bgr: Any, orientation: int) -> bytes:
    """A JPEG with one EXIF entry: 0x0112, a short."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\0\0" + tiff
    data = encoded(".jpg", image_bgr)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]


def red_left_blue_right() -> Any:
    image_bgr = np.zeros((32, 64, 3), np.uint8)
    image_bgr[:, :32], image_bgr[:, 32:] = RED[::-1], BLUE[::-1]
    return image_bgr


def is_near(picture_rgb: torch.Tensor, colour: tuple[int, int, int]) -> bool:
    return bool(((picture_rgb.float() - torch.tensor(colour).reshape(3, 1, 1)).abs() < 40).all())


def test_colours_are_read_as_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(encoded(".png", red_left_blue_right()))
    picture = load_image(path)
    assert picture.shape == (3, 32, 64)
    assert picture.dtype == torch.uint8
    assert is_near(picture[:, :, :32], RED)
    assert is_near(picture[:, :, 32:], BLUE)


@pytest.mark.parametrize(("orientation", "first"), [(6, RED), (8, BLUE)])
def test_a_picture_taken_on_its_side_is_turned_upright(tmp_path: Path, orientation: int, first: tuple[int, int, int]) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(jpeg_with_orientation(red_left_blue_right(), orientation))
    picture = load_image(path)
    assert picture.shape == (3, 64, 32)
    assert is_near(picture[:, :28], first)
    assert is_near(picture[:, 36:], BLUE if first == RED else RED)


def test_a_picture_taken_upside_down_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(jpeg_with_orientation(red_left_blue_right(), 3))
    assert is_near(load_image(path)[:, :, :28], BLUE)


def test_a_grey_picture_has_three_equal_channels(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    path.write_bytes(encoded(".png", np.arange(48, dtype=np.uint8).reshape(6, 8)))
    picture = load_image(path)
    assert picture.shape == (3, 6, 8)
    assert torch.equal(picture[0], picture[1])
    assert torch.equal(picture[0], picture[2])
    assert picture[0, 5, 7] == 47


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep{suffix}"
    path.write_bytes(encoded(suffix, np.full((6, 8, 3), 40000, np.uint16)))
    picture = load_image(path)
    assert picture.dtype == torch.uint8
    assert abs(int(picture[0, 0, 0]) - round(40000 / 257)) <= 1


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    """Red hides under the left half; the right half is half blue, half nothing."""
    alpha = np.zeros((32, 64), np.uint8)
    alpha[:, 32:] = 128
    path = tmp_path / "alpha.png"
    path.write_bytes(encoded(".png", np.dstack([red_left_blue_right(), alpha])))
    picture = load_image(path)
    assert picture.shape == (3, 32, 64)
    assert bool((picture[:, :, :32] == 255).all())
    assert picture[:, 0, 40].tolist() == pytest.approx([127, 127, 255], abs=1)


def test_colours_of_a_profile_are_read_as_a_viewer_shows_them(tmp_path: Path) -> None:
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("LAB", 5000)).tobytes()
    PIL.Image.new("LAB", (8, 6), (137, 208, 195)).save(tmp_path / "red.tif", icc_profile=profile)
    assert is_near(load_image(tmp_path / "red.tif"), RED)


def test_a_photograph_cut_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(
        encoded(".jpg", np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))[:-900]
    )
    with pytest.raises(SourceError, match="damaged or cut short"):
        load_image(tmp_path / "photo.jpg")


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", encoded(".png", red_left_blue_right())[:40], png_that_claims(60000, 60000)],
    ids=["empty", "text", "cut short", "billions of pixels"],
)
def test_what_is_not_a_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"photo\.png: (not a picture|damaged or cut short|60000x60000)"):
        load_image(path)


def test_a_damaged_picture_makes_no_library_print(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = encoded(".png", np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "broken.png").write_bytes(whole[:60] + bytes(20) + whole[80:])
    for name in ("cut.png", "broken.png"):
        with contextlib.suppress(SourceError):
            load_image(tmp_path / name)
        decode_deep_image((tmp_path / name).read_bytes())
    assert capfd.readouterr().err == ""


def test_a_missing_picture_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.jpg: cannot be read \(No such file"):
        load_image(tmp_path / "gone.jpg")


def test_a_folder_is_not_a_picture(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        load_image(tmp_path)


def test_a_saved_png_is_read_back_unchanged(tmp_path: Path) -> None:
    picture = torch.randint(0, 256, (3, 6, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    save_image(tmp_path / "picture.png", picture)
    assert torch.equal(load_image(tmp_path / "picture.png"), picture)


def test_floats_are_rounded_and_clamped(tmp_path: Path) -> None:
    picture = torch.tensor([-0.5, 0.0, 0.499 / 255, 0.501 / 255, 0.5, 1.0, 2.0]).reshape(1, 1, -1).expand(3, 1, 7)
    save_image(tmp_path / "picture.png", picture)
    assert load_image(tmp_path / "picture.png")[0, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_a_saved_jpeg_is_near_the_picture_and_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for suffix in (".jpg", ".png"):
        save_image(tmp_path / f"picture{suffix}", torch.full((3, 16, 16), 0.5))
    assert is_near(load_image(tmp_path / "picture.jpg"), (128, 128, 128))
    assert capfd.readouterr().err == ""


def test_saving_leaves_nothing_but_the_picture(tmp_path: Path) -> None:
    save_image(tmp_path / "picture.png", torch.zeros(3, 8, 8))
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_a_failed_save_keeps_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.png"
    save_image(path, torch.zeros(3, 8, 8))

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OutputError, match="No space left on device"):
        save_image(path, torch.ones(3, 8, 8))
    assert int(load_image(path).max()) == 0
    assert [found.name for found in tmp_path.iterdir()] == ["picture.png"]


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "missing" / "picture.png", tmp_path / "file" / "picture.png"):
        with pytest.raises(OutputError, match=r"picture\.png: cannot be written"):
            save_image(path, torch.zeros(3, 8, 8))


@pytest.mark.parametrize("name", ["picture.xyz", "picture"])
def test_an_unknown_format_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"OpenCV cannot write .*; try \.png"):
        save_image(tmp_path / name, torch.zeros(3, 8, 8))
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60))
def test_the_short_side_is_as_asked_and_the_aspect_kept(height: int, width: int, short_side: int) -> None:
    resized = resize_short_side(torch.zeros(3, height, width, dtype=torch.uint8), short_side)
    assert min(resized.shape[1:]) == short_side
    exact = max(height, width) * short_side / min(height, width)
    assert abs(max(resized.shape[1:]) - exact) <= 0.5 + 1e-9  # halves go either way


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = torch.zeros(3, 8, 12, dtype=torch.uint8)
    assert resize_short_side(picture, 8) is picture


def test_shrinking_averages_areas() -> None:
    checks = torch.tensor([[0, 255], [255, 0]], dtype=torch.uint8).repeat(8, 8).expand(3, 16, 16)
    assert set(resize_short_side(checks, 8).unique().tolist()) <= {127, 128}
    dots = torch.zeros(3, 16, 16, dtype=torch.uint8)
    dots[:, ::4, ::4] = 240
    assert resize_short_side(dots, 4).unique().tolist() == [240 // 16]


@pytest.mark.parametrize("turned", [False, True])
def test_a_stripe_is_cut_to_four_times_its_short_side(turned: bool) -> None:
    stripe = torch.arange(100).expand(3, 5, 100)
    for cut, begins in ((cut_long_side, 40), (lambda picture: cut_long_side(picture, lambda excess: excess), 80)):
        found = cut(stripe.transpose(1, 2)).transpose(1, 2) if turned else cut(stripe)
        assert torch.equal(found, stripe[:, :, begins : begins + 20])


@pytest.mark.parametrize("size_hw", [(5, 20), (20, 5), (1, 1), (30, 40)])
def test_any_other_picture_is_not_cut(size_hw: tuple[int, int]) -> None:
    picture = torch.zeros(3, *size_hw)
    assert cut_long_side(picture) is picture


def test_a_batch_is_scaled_to_0_1() -> None:
    batch = as_batch(torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1))
    assert batch.shape == (1, 3, 1, 1)
    torch.testing.assert_close(batch.flatten(), torch.tensor([0.0, 0.2, 1.0]))


def test_cropping_cuts_the_bottom_and_the_right() -> None:
    picture = torch.arange(3 * 19 * 13).reshape(3, 19, 13)
    assert torch.equal(crop_to_multiple(picture, 8), picture[:, :16, :8])
