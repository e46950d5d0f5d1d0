"""Files of a still: pictures of 8 or 16 bits in and out, settings kept as PNG text, a second place when a disk is full."""

from __future__ import annotations

import contextlib
import struct
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.images import decode_deep_image, encode_image
from realtime.errors import OutputError, SourceError
from realtime.pictures.colour_profiles import has_other_colours
from realtime.pictures.files import open_picture, read_picture
from realtime.program.folders import user_home
from realtime.program.written_paths import check_writable, whole_file

if TYPE_CHECKING:
    import PIL.Image

OUTPUT_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_DEEP_SUFFIXES = (".png", ".tif", ".tiff")
_MOST_DEEP_PIXELS = 100_000_000
_SIGNATURE_BYTES = 8
_HEADER_CHUNK_BYTES = 25
# TIFF 6.0: fields and their values, by number
_PLANAR_CONFIGURATION, _CHANNELS_APART = 284, 2
_EXTRA_SAMPLES, _ASSOCIATED_ALPHA = 338, 1


def read_still(path: Path) -> Tensor:
    """A picture with all its bits, upright, in sRGB, on white.

    Returns:
        (3, H, W) float32, 0..1, RGB.
    Raises:
        SourceError: not there, not a picture, cut short, or too large.
    """
    deep = _read_deep(path)
    if deep is not None:
        return deep
    image_bgr = read_picture(path).opaque_bgr
    return torch.from_numpy(image_bgr[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255


def read_mask(path: Path) -> Tensor:
    """A mask: white where its style is wanted.

    Returns:
        (H, W) float32, 0..1.
    Raises:
        SourceError: as for any picture.
    """
    return read_still(path).mean(0)


def encode_still(path: Path, picture: Tensor, bits: int, text: dict[str, str]) -> bytes:
    """The bytes of a picture file.

    Args:
        path: its suffix gives the format.
        picture: (3, H, W) float 0..1.
        bits: 8, or 16 for PNG and TIFF.
        text: keyword -> Latin-1 text, kept in a PNG; other formats have no place for it.
    Raises:
        OutputError: a format that is not known, or has no 16 bits.
    """
    check_format(path, bits)
    data = encode_image(path.suffix.lower(), picture, bits)
    return with_png_text(data, text) if path.suffix.lower() == ".png" else data


def check_format(path: Path, bits: int) -> None:
    """Refuses a name that no picture can be written to.

    Raises:
        OutputError: with the formats that are known.
    """
    suffix = path.suffix.lower()
    if suffix not in OUTPUT_SUFFIXES:
        raise OutputError(f"{path}: cannot write {suffix or 'a file without suffix'}; expected {' '.join(OUTPUT_SUFFIXES)}")
    if bits == 16 and suffix not in _DEEP_SUFFIXES:
        raise OutputError(
            f"{path}: {suffix} has no 16 bits a channel; expected {' '.join(_DEEP_SUFFIXES)}, or leave out --bits"
        )


def check_place(path: Path, overwrite: bool, option: str = "") -> None:
    """Refuses a picture's place, by the option that names it or by its path alone, before the work is done.

    Raises:
        OutputError: with the reason.
    """
    check_writable(path, f"{option} {path}" if option else str(path), overwrite)


def write_somewhere(path: Path, data: bytes) -> tuple[Path, str | None]:
    """Writes a file whole: where it should be, or else into the temporary folder, or into the home folder.

    Returns:
        The place where it lies, and why it is not the one asked for, or None.
    Raises:
        OutputError: none of the places takes it.
    """
    try:
        write_whole(path, data)
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return path, None
    other = keep_somewhere(path.name, data)
    if other is None:
        raise OutputError(f"{path}: cannot be written ({reason}), nor can {tempfile.gettempdir()} and the home folder")
    return other, reason


def keep_somewhere(name: str, data: bytes) -> Path | None:
    """Writes a file whole into the temporary folder, or else into the home folder, under this name or one like it.

    Returns:
        Where it lies; None where neither takes it.
    """
    for folder in (Path(tempfile.gettempdir()), user_home()):
        path = _free_name(folder / name)
        with contextlib.suppress(OSError):
            write_whole(path, data)
            return path
    return None


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file beside its place and moves it there: whole or not at all.

    Raises:
        OSError: it cannot be written; nothing is left of it.
    """
    with whole_file(path) as partial:
        partial.write_bytes(data)


def with_png_text(png: bytes, text: dict[str, str]) -> bytes:
    """A PNG with text chunks (tEXt, PNG specification 11.3.3) after its header.

    Args:
        text: keyword (1 to 79 characters) -> text, both Latin-1.
    """
    chunks = b""
    for keyword, value in text.items():
        content = b"tEXt" + keyword.encode("latin-1")[:79] + b"\0" + value.encode("latin-1", "replace")
        chunks += struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    start = _SIGNATURE_BYTES + _HEADER_CHUNK_BYTES
    return png[:start] + chunks + png[start:]


def _read_deep(path: Path) -> Tensor | None:
    """A picture of 16 bits a channel, or None where the file is of another kind: Pillow has no such pictures.

    One in other colours than sRGB's is of another kind too, as they are brought to sRGB in 8 bits alone; so is a TIFF that
    OpenCV reads as another picture.
    """
    with open_picture(path) as opened:
        if opened.format not in ("PNG", "TIFF") or has_other_colours(opened) or _is_misread(opened):
            return None
        width, height = opened.size
        is_transparent = opened.has_transparency_data
    if width * height > _MOST_DEEP_PIXELS:
        limit = _MOST_DEEP_PIXELS // 1_000_000
        raise SourceError(
            f"picture {path}: {width}x{height} pixels; expected at most {limit} megapixels; make it smaller first"
        )
    try:
        deep = decode_deep_image(path.read_bytes())
    except OSError as error:
        raise SourceError(f"picture {path}: cannot be read ({error.strerror})") from None
    if deep is None or not is_transparent:
        return deep
    alpha = read_picture(path).alpha  # in 8 bits, which is enough for what lies on white
    if alpha is not None and alpha.shape != deep.shape[1:]:  # an OpenCV that does not turn this kind of file upright
        return None
    return deep if alpha is None else 1 - (1 - deep) * (torch.from_numpy(alpha).float() / 255)


def _is_misread(opened: PIL.Image.Image) -> bool:
    """Whether it is a TIFF whose channels lie one after the other, or whose colours are multiplied by their transparency."""
    fields = getattr(opened, "tag_v2", {})
    return fields.get(_PLANAR_CONFIGURATION) == _CHANNELS_APART or _ASSOCIATED_ALPHA in fields.get(_EXTRA_SAMPLES, ())


def _free_name(path: Path) -> Path:
    candidates = (path.with_name(f"{path.stem}_{k}{path.suffix}") for k in range(1, 1000))
    return path if not path.exists() else next((c for c in candidates if not c.exists()), path)
