"""Files of a still: bits, orientation, text in a PNG, and what is left behind when a disk is full."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from models.images import load_image
from models.stills import files as gatys_files
from models.stills.files import (
    check_place,
    encode_still,
    read_mask,
    read_still,
    with_png_text,
    write_somewhere,
    write_whole,
)
from realtime.errors import OutputError, SourceError
from realtime.sinks import check_output
from tests.models.stills.fakes import photo, picture_file

RAMP = torch.linspace(0, 1, 40 * 48).reshape(1, 40, 48).repeat(3, 1, 1) * torch.tensor([1.0, 0.6, 0.3]).reshape(3, 1, 1)


@pytest.mark.parametrize(("suffix", "bits"), [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".jpg", 8)])
def test_a_picture_comes_back_with_its_bits_and_colours(suffix: str, bits: int, tmp_path: Path) -> None:
    path = tmp_path / f"ramp{suffix}"
    path.write_bytes(encode_still(path, RAMP, bits, {}))
    step = {8: 1 / 255, 16: 1 / 65535}[bits] * (6 if suffix == ".jpg" else 0.51)
    torch.testing.assert_close(read_still(path), RAMP, atol=step, rtol=0)


def test_values_outside_are_clamped() -> None:
    data = encode_still(Path("a.png"), RAMP * 3 - 1, 16, {})
    levels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert levels.min() == 0 and levels.max() == 65535


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_photo_is_turned_upright(orientation: int, tmp_path: Path) -> None:
    upright = photo()
    turns = {3: 2, 6: 1, 8: 3}[orientation]  # quarters against the clock, from what is seen to what lies in the file
    stored = torch.rot90(upright, turns, (1, 2))
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray((stored * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()).save(path, exif=exif)
    torch.testing.assert_close(read_still(path), upright, atol=0.51 / 255, rtol=0)


def test_a_mask_is_read_as_grey_from_0_to_1(tmp_path: Path) -> None:
    white = torch.zeros(3, 40, 48)
    white[:, :, 24:] = 1
    mask = read_mask(picture_file(tmp_path / "mask.png", white))
    assert mask.shape == (40, 48)
    assert float(mask[:, :24].max()) == 0 and float(mask[:, 24:].min()) == pytest.approx(1)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_transparent_lies_on_white(suffix: str, bits: int, tmp_path: Path) -> None:
    """Red all over: hidden, half to be seen, to be seen."""
    highest, kind = (65535, np.uint16) if bits == 16 else (255, np.uint8)
    picture = np.zeros((40, 48, 4), kind)
    picture[:, :, 2] = highest
    picture[:, 16:32, 3], picture[:, 32:, 3] = highest // 2, highest
    cv2.imwrite(str(tmp_path / f"red{suffix}"), picture)
    found = read_still(tmp_path / f"red{suffix}")
    for column, expected in ((8, (1.0, 1.0, 1.0)), (24, (1.0, 0.5, 0.5)), (40, (1.0, 0.0, 0.0))):
        torch.testing.assert_close(found[:, 20, column], torch.tensor(expected), atol=0.005, rtol=0)


def test_a_deep_picture_in_other_colours_is_brought_to_srgb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV knows no profiles: it is read in 8 bits, in which they are known."""
    path = tmp_path / "ramp.png"
    path.write_bytes(encode_still(path, RAMP, 16, {}))
    monkeypatch.setattr(gatys_files, "has_other_colours", lambda _: True)
    levels = read_still(path) * 255
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)


def write_tiff(path: Path, levels: np.ndarray, compression: int, planar: int, extra_sample: int | None = None) -> Path:
    """A TIFF of 16 bits by hand: OpenCV and Pillow write neither layout.

    Args:
        levels: (H, W, C) uint16; the fourth channel is of the kind that `extra_sample` tells.
        compression: 1 none, 8 deflate.
        planar: 1 pixel by pixel, 2 channel by channel.
    """
    height, width, channels = levels.shape
    parts = [levels] if planar == 1 else [levels[..., channel] for channel in range(channels)]
    pack = zlib.compress if compression == 8 else bytes
    strips = [pack(part.astype("<u2").tobytes()) for part in parts]
    places = [8 + sum(map(len, strips[:number])) for number in range(len(strips))]
    fields = {256: [width], 257: [height], 258: [16] * channels, 259: [compression], 262: [2], 273: places, 277: [channels]}
    fields |= {278: [height], 279: [len(strip) for strip in strips], 284: [planar]}
    fields |= {} if extra_sample is None else {338: [extra_sample]}
    lists, entries = b"", b""
    first_list = 8 + sum(map(len, strips)) + 2 + 12 * len(fields) + 4
    for tag, values in sorted(fields.items()):
        data = struct.pack(f"<{len(values)}I", *values)
        if len(values) > 1:
            data, lists = struct.pack("<I", first_list + len(lists)), lists + data
        entries += struct.pack("<HHI", tag, 4, len(values)) + data
    header = struct.pack("<2sHI", b"II", 42, 8 + sum(map(len, strips)))
    path.write_bytes(header + b"".join(strips) + struct.pack("<H", len(fields)) + entries + bytes(4) + lists)
    return path


@pytest.mark.parametrize(("compression", "planar"), [(1, 1), (8, 1), (8, 2)])
@pytest.mark.parametrize("extra_sample", [None, 1, 2], ids=["opaque", "associated alpha", "alpha"])
def test_a_deep_tiff_shows_the_same_whatever_its_layout(
    compression: int, planar: int, extra_sample: int | None, tmp_path: Path
) -> None:
    """By OpenCV it would be another picture where channels lie apart, or where colours are multiplied by their alpha."""
    alpha = torch.linspace(0.2, 1, 48).expand(1, 40, 48)
    stored = RAMP * alpha if extra_sample == 1 else RAMP
    levels = (torch.cat([stored, alpha]) * 65535).round().permute(1, 2, 0).numpy().astype(np.uint16)
    levels = levels[..., : 3 if extra_sample is None else 4]
    path = write_tiff(tmp_path / "ramp.tif", levels, compression, planar, extra_sample)
    found, shown = read_still(path), RAMP if extra_sample is None else RAMP * alpha + 1 - alpha
    torch.testing.assert_close(found, shown, atol=3 / 255, rtol=0)
    torch.testing.assert_close(found, load_image(path).float() / 255, atol=2 / 255, rtol=0)


def test_text_lies_in_chunks_with_a_right_checksum(tmp_path: Path) -> None:
    png = encode_still(Path("a.png"), RAMP, 8, {"Software": "StyleCam", "StyleCam": '{"a": 1}'})
    found, place = {}, 8
    while place < len(png):
        length = struct.unpack(">I", png[place : place + 4])[0]
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + content)
        if kind == b"tEXt":
            keyword, _, value = content.partition(b"\0")
            found[keyword.decode()] = value.decode()
        place += 12 + length
    assert found == {"Software": "StyleCam", "StyleCam": '{"a": 1}'}
    assert with_png_text(png, {}) == png
    (tmp_path / "a.png").write_bytes(png)
    torch.testing.assert_close(read_still(tmp_path / "a.png"), RAMP, atol=0.51 / 255, rtol=0)


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_picture_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.png"):
        read_still(tmp_path / "a.png")


def test_a_deep_picture_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_still(path, RAMP, 16, {})[:600])
    with pytest.raises(SourceError, match="damaged or cut short"):
        read_still(path)


def test_a_huge_deep_picture_is_refused_by_its_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode_still(path, RAMP, 16, {}))
    monkeypatch.setattr(gatys_files, "_MOST_DEEP_PIXELS", 40 * 48 - 1)
    with pytest.raises(SourceError, match="48x40 pixels; expected at most"):
        read_still(path)


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")

    def full(_self: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"after")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_bytes() == b"before"


def test_a_second_place_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = tmp_path / "spare"
    spare.mkdir()
    (spare / "a.png").write_bytes(b"somebody's")
    monkeypatch.setattr(gatys_files.tempfile, "tempdir", str(spare))
    place, reason = write_somewhere(tmp_path / "gone" / "a.png", b"picture")
    assert place == spare / "a_1.png" and place.read_bytes() == b"picture"
    assert reason == "No such file or directory"
    assert (spare / "a.png").read_bytes() == b"somebody's"


def test_no_place_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatys_files.tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "nobody")
    with pytest.raises(OutputError, match="cannot be written"):
        write_somewhere(tmp_path / "gone" / "a.png", b"picture")


@pytest.mark.parametrize("name", ["", "there.png", "gone/a.png", f"{'x' * 250}.png"])
def test_a_place_is_refused_in_the_words_that_the_live_filter_has(name: str, tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    said = []
    for check in (check_output, check_place):
        with pytest.raises(OutputError) as caught:
            check(tmp_path / name, False)
        said.append(str(caught.value))
    assert said[0] == f"--output {said[1]}"
    with pytest.raises(OutputError, match=r"^--progress-picture "):
        check_place(tmp_path / name, False, "--progress-picture")
