"""Picture files of every kind: turned upright, in sRGB, eight bits, transparency kept; damaged and huge ones refused."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.errors import OutputError, SourceError, UserError
from realtime.frame import Image
from realtime.pictures import files as picture_files
from realtime.pictures.colour_profiles import has_other_colours
from realtime.pictures.files import Picture, encode_picture, read_picture, scale_picture, write_picture
from realtime.video.excerpt import Scale
from tests.colour_profiles import linear_profile, linear_to_srgb
from tests.fakes import coloured_picture, flat_picture, noisy_picture, png_that_claims

ALPHA = noisy_picture()[:, :, 1]


def as_rgb(image_bgr: Image) -> PIL.Image.Image:
    """A picture as Pillow holds it."""
    return PIL.Image.fromarray(np.ascontiguousarray(image_bgr[:, :, ::-1]))


# ------------------------------------------------------------------------------------------------ orientation

TURNS = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_picture_is_turned_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    stored = np.ascontiguousarray(TURNS[orientation](coloured_picture()))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if suffix == ".webp" else {"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}
    as_rgb(stored).save(tmp_path / f"photo{suffix}", exif=exif, **options)
    found = read_picture(tmp_path / f"photo{suffix}").image_bgr
    assert found.shape == coloured_picture().shape
    assert np.abs(found.astype(int) - coloured_picture()).max() <= (6 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("compression", ["raw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA"])
def test_tiff_of_every_kind_is_turned_upright(tmp_path: Path, mode: str, compression: str, orientation: int) -> None:
    """Also where Pillow could map the file into memory instead of reading it."""
    upright = coloured_picture()[:, :, :1].repeat(3, 2)
    stored = np.ascontiguousarray(TURNS[orientation](upright))
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    grey = PIL.Image.fromarray(stored[:, :, 0])
    picture = grey.convert("RGB").convert(mode) if mode in ("CMYK", "RGBA") else grey.convert(mode)
    picture.save(tmp_path / "photo.tif", exif=exif, compression=compression)
    found = read_picture(tmp_path / "photo.tif").image_bgr
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() <= 1


# ------------------------------------------------------------------------------------------------- kinds


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    notes: list[str] = []
    for name in ("photo.png", "photo.tif"):
        cv2.imwrite(str(tmp_path / name), coloured_picture().astype(np.uint16) * 257)
        np.testing.assert_array_equal(read_picture(tmp_path / name, notes.append).image_bgr, coloured_picture())
    assert notes == ["16 bits a channel are reduced to 8, which is what the networks paint in"] * 2


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_of_grey(tmp_path: Path, suffix: str) -> None:
    levels = coloured_picture()[:, :, 0]
    cv2.imwrite(str(tmp_path / f"photo{suffix}"), levels.astype(np.uint16) * 257)
    found = read_picture(tmp_path / f"photo{suffix}").image_bgr
    np.testing.assert_array_equal(found, np.repeat(levels[:, :, None], 3, axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "LA"])
def test_modes_become_bgr(tmp_path: Path, mode: str) -> None:
    as_rgb(flat_picture(255)).convert(mode).save(tmp_path / "photo.tif")
    found = read_picture(tmp_path / "photo.tif")
    np.testing.assert_array_equal(found.image_bgr, flat_picture(255))
    assert found.alpha is None


def test_fractions_are_refused(tmp_path: Path) -> None:
    PIL.Image.fromarray(np.full((48, 64), 0.5, np.float32)).save(tmp_path / "photo.tif")
    with pytest.raises(SourceError, match="8 or 16 bit"):
        read_picture(tmp_path / "photo.tif")


def test_colours_of_a_profile_become_srgb(tmp_path: Path) -> None:
    notes: list[str] = []
    lab = PIL.Image.new("LAB", (64, 48), (137, 208, 195))  # L*, a*, b* of sRGB's red: 53, 80, 67
    lab.save(tmp_path / "red.tif", icc_profile=PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("LAB", 5000)).tobytes())
    blue, green, red = read_picture(tmp_path / "red.tif", notes.append).image_bgr[0, 0].tolist()
    assert red > 240
    assert blue < 20
    assert green < 20
    assert len(notes) == 1
    assert notes[0].startswith("colours are converted from ")


@pytest.mark.parametrize("name", ["photo.png", "photo.tif"])
@pytest.mark.parametrize("kind", ["palette", "16 bits of grey"])
def test_profile_counts_in_every_mode(tmp_path: Path, kind: str, name: str) -> None:
    if kind == "palette":
        picture, space = as_rgb(flat_picture(60)).quantize(4), b"RGB "
    else:
        picture, space = PIL.Image.fromarray(np.full((48, 64), 60 * 257, np.uint16)), b"GRAY"
    picture.save(tmp_path / name, icc_profile=linear_profile(space))
    found = read_picture(tmp_path / name).image_bgr
    assert np.abs(found.astype(int) - linear_to_srgb(60)).max() <= 1


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA"])
def test_profile_leaves_the_transparency(tmp_path: Path, mode: str) -> None:
    grey = PIL.Image.fromarray(flat_picture(60)[:, :, 0])
    grey.putpixel((5, 7), 200)
    options: dict[str, object] = {}
    if mode.endswith("A"):
        alpha = PIL.Image.new("L", grey.size, 255)
        alpha.putpixel((5, 7), 0)
        picture = grey.convert(mode[:-1])
        picture.putalpha(alpha)
    else:
        picture = grey.convert(mode)
        options["transparency"] = (200, 200, 200) if mode == "RGB" else 200
    picture.save(tmp_path / "photo.png", icc_profile=linear_profile(b"GRAY" if mode.startswith("L") else b"RGB "), **options)
    found = read_picture(tmp_path / "photo.png")
    assert found.alpha is not None
    assert (found.alpha == 0).sum() == 1
    assert found.alpha[7, 5] == 0
    assert abs(int(found.image_bgr[0, 0, 0]) - linear_to_srgb(60)) <= 1


def test_profile_leaves_the_colours_of_what_is_transparent(tmp_path: Path) -> None:
    picture = PIL.Image.new("RGBA", (64, 48), (60, 120, 180, 255))
    picture.putpixel((5, 7), (0, 0, 0, 0))
    picture.save(tmp_path / "photo.png", icc_profile=linear_profile(b"RGB "))
    found = read_picture(tmp_path / "photo.png").image_bgr[0, 0].tolist()
    assert found == pytest.approx([linear_to_srgb(level) for level in (180, 120, 60)], abs=1)


def test_pages_of_a_tiff_are_no_film(tmp_path: Path) -> None:
    notes: list[str] = []
    pages = [as_rgb(flat_picture(level)) for level in (10, 20)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    read_picture(tmp_path / "pages.tif", notes.append)
    assert notes == ["the file holds several pictures and only the first is painted"]


def test_srgb_and_broken_profiles_leave_the_colours(tmp_path: Path) -> None:
    notes: list[str] = []
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    as_rgb(coloured_picture()).save(tmp_path / "srgb.png", icc_profile=srgb)
    np.testing.assert_array_equal(read_picture(tmp_path / "srgb.png", notes.append).image_bgr, coloured_picture())
    assert notes == []
    as_rgb(coloured_picture()).save(tmp_path / "broken.png", icc_profile=b"no profile")
    np.testing.assert_array_equal(read_picture(tmp_path / "broken.png", notes.append).image_bgr, coloured_picture())
    assert notes == ["a colour profile that cannot be used is left aside"]


def test_only_a_usable_profile_tells_other_colours() -> None:
    picture = as_rgb(flat_picture(60))
    assert not has_other_colours(picture)
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    for profile, others in ((linear_profile(b"RGB "), True), (srgb, False), (b"no profile", False)):
        picture.info["icc_profile"] = profile
        assert has_other_colours(picture) == others


def test_nothing_hidden_shows(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.dstack([flat_picture(10), flat_picture(0)[:, :, 0]]))
    found = read_picture(tmp_path / "photo.png")
    assert found.image_bgr.min() == 255
    assert found.alpha is not None
    assert found.alpha.max() == 0


def test_what_is_transparent_is_laid_on_white(tmp_path: Path) -> None:
    half = np.full((48, 64), 128, np.uint8)
    cv2.imwrite(str(tmp_path / "photo.png"), np.dstack([flat_picture(0), half]))
    assert abs(int(read_picture(tmp_path / "photo.png").opaque_bgr[5, 5, 0]) - 127) <= 1
    write_picture(tmp_path / "opaque.png", coloured_picture())
    np.testing.assert_array_equal(read_picture(tmp_path / "opaque.png").opaque_bgr, coloured_picture())


# ---------------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_file_that_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "photo.png").write_bytes(content)
    with pytest.raises(SourceError, match="not a picture"):
        read_picture(tmp_path / "photo.png")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_picture_cut_short(tmp_path: Path, suffix: str, share: float) -> None:
    write_picture(tmp_path / f"whole{suffix}", noisy_picture())
    data = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(data[: round(len(data) * share)])
    with pytest.raises(SourceError, match=r"damaged or cut short|not a picture"):
        read_picture(tmp_path / f"cut{suffix}")


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from([".jpg", ".png", ".webp", ".tif", ".bmp"]))
def test_any_damage_gives_a_picture_or_a_clear_error(tmp_path: Path, data: st.DataObject, suffix: str) -> None:
    write_picture(tmp_path / f"whole{suffix}", coloured_picture((32, 24)))
    content = bytearray((tmp_path / f"whole{suffix}").read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / f"damaged{suffix}").write_bytes(content)
    with contextlib.suppress(SourceError):  # anything else would be a bug
        picture = read_picture(tmp_path / f"damaged{suffix}").image_bgr
        assert picture.dtype == np.uint8
        assert picture.ndim == 3


def test_suffix_may_be_wrong(tmp_path: Path) -> None:
    write_picture(tmp_path / "photo.png", coloured_picture())
    (tmp_path / "photo.png").rename(tmp_path / "photo.jpg")
    np.testing.assert_array_equal(read_picture(tmp_path / "photo.jpg").image_bgr, coloured_picture())


def test_huge_picture_is_refused_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "huge.png").write_bytes(png_that_claims(60_000, 60_000))
    with pytest.raises(SourceError, match=r"60000x60000 is 3600 megapixels, expected at most 500"):
        read_picture(tmp_path / "huge.png")


def test_picture_beyond_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files, "available_bytes", lambda: 1_000_000_000)
    (tmp_path / "large.png").write_bytes(png_that_claims(10_000, 10_000))
    with pytest.raises(SourceError, match=r"100 megapixels and needs about 2.0 GB of memory, found 1.0 free"):
        read_picture(tmp_path / "large.png")


def test_picture_that_vanished_or_is_closed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_picture(tmp_path / "gone.png")
    with pytest.raises(SourceError, match="cannot be read"):
        read_picture(tmp_path)


# ------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_picture_is_written_byte_by_byte(tmp_path: Path, suffix: str) -> None:
    write_picture(tmp_path / f"gemälde{suffix}", noisy_picture())
    np.testing.assert_array_equal(read_picture(tmp_path / f"gemälde{suffix}").image_bgr, noisy_picture())
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_are_written_in_good_quality(tmp_path: Path, suffix: str) -> None:
    write_picture(tmp_path / f"out{suffix}", coloured_picture())
    found = read_picture(tmp_path / f"out{suffix}").image_bgr
    assert np.abs(found.astype(int) - coloured_picture()).mean() < 2


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparency_is_written(tmp_path: Path, suffix: str) -> None:
    write_picture(tmp_path / f"out{suffix}", flat_picture(90), ALPHA)
    found = read_picture(tmp_path / f"out{suffix}").alpha
    assert found is not None
    np.testing.assert_array_equal(found, ALPHA)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_picture_has_the_same_bytes_in_memory_as_on_the_disk(tmp_path: Path, suffix: str) -> None:
    write_picture(tmp_path / f"out{suffix}", noisy_picture((640, 480)))
    assert encode_picture(Path(f"out{suffix}"), noisy_picture((640, 480))) == (tmp_path / f"out{suffix}").read_bytes()


def test_jpeg_puts_transparent_pictures_on_white(tmp_path: Path) -> None:
    notes: list[str] = []
    half = flat_picture(128)[:, :, 0]
    write_picture(tmp_path / "out.jpg", flat_picture(0), half, notes.append)
    assert abs(float(read_picture(tmp_path / "out.jpg").image_bgr.mean()) - 127) <= 1
    assert "JPEG has no transparency" in notes[0]


@pytest.mark.parametrize("name", ["out", "out.xyz", "out.eps"])
def test_picture_of_an_unknown_kind(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_picture(tmp_path / name, noisy_picture())
    assert list(tmp_path.iterdir()) == []


def test_picture_too_long_for_its_format(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"WEBP holds 16383 pixels on a side, found 16384; try \.png"):
        write_picture(tmp_path / "out.webp", flat_picture(1, (16384, 1)))


def test_picture_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "out.png").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_picture(tmp_path / "out.png", noisy_picture())
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_full_disk_is_told(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"out{suffix}.partial").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="cannot be written"):
        write_picture(tmp_path / f"out{suffix}", noisy_picture((640, 480)))
    assert list(tmp_path.iterdir()) == []


def test_no_metadata_of_the_photo_goes_along(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010F] = "the maker of the camera"
    as_rgb(coloured_picture()).save(tmp_path / "photo.jpg", exif=exif)
    write_picture(tmp_path / "out.jpg", read_picture(tmp_path / "photo.jpg").image_bgr)
    with PIL.Image.open(io.BytesIO((tmp_path / "out.jpg").read_bytes())) as written:
        assert not written.getexif()


# ------------------------------------------------------------------------------------------------- scaling


FILE = Path("a.png")


def test_picture_is_scaled_with_its_transparency() -> None:
    picture = Picture(coloured_picture(), ALPHA)
    half = scale_picture(picture, 0.5, FILE)
    assert half.image_bgr.shape == (24, 32, 3)
    assert half.alpha is not None
    assert half.alpha.shape == (24, 32)
    assert np.abs(cv2.resize(half.image_bgr, (64, 48)).astype(int) - coloured_picture()).mean() < 4
    assert scale_picture(Picture(coloured_picture()), (1280, 1280), FILE).image_bgr.shape == (960, 1280, 3)


def test_size_that_does_not_fit_is_refused_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Picture(coloured_picture())
    with pytest.raises(
        UserError, match=r"a\.png: --scale: 64x48 enlarged to 64000x48000 is 3072 megapixels, expected at most 500;"
    ):
        scale_picture(picture, 1000.0, FILE)
    monkeypatch.setattr(picture_files, "available_bytes", lambda: 10_000)
    with pytest.raises(UserError, match=r"--scale: 64x48 enlarged to 128x96 is 0 megapixels and needs about 0\.0 GB of memory"):
        scale_picture(picture, 2.0, FILE)
    assert scale_picture(picture, 0.5, FILE).image_bgr.shape == (24, 32, 3)


@pytest.mark.parametrize("scale", [None, 1.0, (64, 999)])
def test_own_size_is_left_alone(scale: Scale) -> None:
    picture = Picture(noisy_picture())
    assert scale_picture(picture, scale, FILE) is picture
