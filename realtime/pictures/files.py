"""Pictures in files, read and written with Pillow: turned upright, in sRGB, eight bits, their transparency kept apart."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from realtime.errors import OutputError, SourceError, UserError, first_line
from realtime.frame import Image
from realtime.networks.memory import available_bytes
from realtime.pictures.colour_profiles import to_srgb
from realtime.program.notes import Note, no_note
from realtime.program.quiet import silent_libraries
from realtime.program.written_paths import whole_file
from realtime.video.excerpt import Scale, scaled_size

if TYPE_CHECKING:
    import PIL.Image  # only files need it: the live picture starts without

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_READ_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # never those that call other programs, as EPS does
_MOST_PIXELS = 500_000_000
_BYTES_PER_PIXEL = 20  # decoding, the photo, its painting and encoding together
_WHITE = 255

_WRITE_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    # Painted strokes have colours as sharp as their outlines: no subsampling.
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".png": ("PNG", {"compress_level": 4}),
    ".webp": ("WEBP", {"quality": 92, "method": 4}),
    ".bmp": ("BMP", {}),
    ".tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ".tiff": ("TIFF", {"compression": "tiff_adobe_deflate"}),
}
_LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383}
_WITH_ALPHA = ("PNG", "WEBP", "TIFF")


@dataclass(frozen=True)
class Picture:
    """A picture as a file shows it.

    image_bgr: (H, W, 3) uint8, sRGB; white where the file is fully transparent.
    alpha: (H, W) uint8, 255 where it is opaque; None where all of it is.
    """

    image_bgr: Image
    alpha: Image | None = None

    @property
    def opaque_bgr(self) -> Image:
        """(H, W, 3) uint8: on white where it is transparent."""
        return self.image_bgr if self.alpha is None else on_white(self.image_bgr, self.alpha)


def read_picture(path: Path, note: Note = no_note) -> Picture:
    """Reads a picture: its EXIF orientation applied, its colours brought to sRGB by its profile, 16 bits brought to 8.

    Args:
        note: told what is lost on the way. Of an animation the first picture is read.
    Raises:
        SourceError: not there, not a picture, cut short, or larger than fits into memory.
    """
    with open_picture(path) as opened:
        check_size(path, opened.size)
        try:
            return _convert(opened, note)
        except Exception as error:  # Pillow raises whatever its plugins stumble over: struct.error, zlib.error, ...
            raise SourceError(f"picture {path}: damaged or cut short ({first_line(error)}); nothing was made of it") from None


def scale_picture(picture: Picture, scale: Scale, path: Path) -> Picture:
    """A picture at the size that --scale asks for, its transparency too; the same picture where that is its own.

    Args:
        scale: factor, or box (width, height) that the picture is fitted into; None leaves the size.
        path: of the picture, for messages.
    Raises:
        UserError: the picture would become larger than fits into memory.
    """
    size_wh = (picture.image_bgr.shape[1], picture.image_bgr.shape[0])
    wanted_wh = scaled_size(size_wh, scale)
    if wanted_wh == size_wh:
        return picture
    problem = _problem_of_size(wanted_wh) if wanted_wh > size_wh else ""
    if problem:
        raise UserError(f"picture {path}: --scale: {size_wh[0]}x{size_wh[1]} enlarged to {problem}; give a smaller scale")
    method = cv2.INTER_AREA if wanted_wh[0] < size_wh[0] else cv2.INTER_CUBIC
    image_bgr, alpha = (
        None if plane is None else np.asarray(cv2.resize(plane, wanted_wh, interpolation=method), np.uint8)
        for plane in (picture.image_bgr, picture.alpha)
    )
    assert image_bgr is not None
    return Picture(image_bgr, alpha)


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[PIL.Image.Image]:
    """A picture file opened by Pillow, its header read and nothing decoded yet.

    Raises:
        SourceError: not there, or not a picture.
    """
    import PIL.Image
    import PIL.ImageFile

    PIL.Image.MAX_IMAGE_PIXELS = None  # checked here, with a line of our own in place of a warning
    with contextlib.ExitStack() as stack:
        try:
            # Not by its name: Pillow then maps some TIFFs into memory, and takes width for height where one lies on its side.
            file = stack.enter_context(path.open("rb"))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow tells of odd metadata in that way
                opened = stack.enter_context(PIL.Image.open(file, formats=_READ_FORMATS))
        except PIL.UnidentifiedImageError:
            raise SourceError(
                f"picture {path}: not a picture that can be read; expected JPEG, PNG, WebP, TIFF or BMP"
            ) from None
        except Exception as error:  # as above; an OSError may be the disk's or a plugin's
            reason = f"cannot be read ({error.strerror})" if isinstance(error, OSError) and error.strerror else None
            raise SourceError(f"picture {path}: {reason or f'not a picture that can be read ({first_line(error)})'}") from None
        yield opened


def write_picture(path: Path, image_bgr: Image, alpha: Image | None = None, note: Note = no_note) -> None:
    """Writes a picture beside its place and moves it there; no metadata of the photo goes along.

    Args:
        path: ends in .jpg, .png, .webp, .tif or .bmp.
        image_bgr: (H, W, 3) uint8.
        alpha: (H, W) uint8; a format without transparency gets the picture on white.
        note: told of that.
    Raises:
        OutputError: a format that is not known or too small, or a place that cannot be written.
    """
    picture, options = _to_encode(path, image_bgr, alpha, note)
    try:
        with whole_file(path) as partial, partial.open("wb") as file, silent_libraries():
            picture.save(file, **options)
    except (OSError, ValueError, RuntimeError) as error:
        # The encoders see a full disk as a failure of their own.
        reason = getattr(error, "strerror", None) or f"{first_line(error)}; is the disk full?"
        raise OutputError(f"picture {path}: cannot be written ({reason})") from None


def encode_picture(path: Path, image_bgr: Image) -> bytes:
    """The bytes that write_picture writes, for whoever compares files; nothing is written.

    Raises:
        OutputError: a format that is not known or too small.
    """
    picture, options = _to_encode(path, image_bgr, None, no_note)
    data = io.BytesIO()
    with silent_libraries():
        picture.save(data, **options)
    return data.getvalue()


def as_bgr(image: PIL.Image.Image) -> Picture:
    """A decoded picture of any mode of Pillow's, without its profile."""
    if image.mode.startswith("I") or image.mode == "F":
        return Picture(_grey_of_more_bits(np.asarray(image)))
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        alpha = np.ascontiguousarray(pixels[:, :, 3])
        image_bgr = np.ascontiguousarray(pixels[:, :, 2::-1])
        image_bgr[alpha == 0] = _WHITE  # whatever hides there is not meant to be seen, nor to colour its surroundings
        return Picture(image_bgr, alpha if alpha.min() < _WHITE else None)
    opaque = image if image.mode == "RGB" else image.convert("RGB")
    return Picture(np.asarray(cv2.cvtColor(np.asarray(opaque), cv2.COLOR_RGB2BGR), np.uint8))


def _to_encode(path: Path, image_bgr: Image, alpha: Image | None, note: Note) -> tuple[PIL.Image.Image, dict[str, Any]]:
    """A picture as Pillow saves it, and how, by its file's name."""
    import PIL.Image

    if path.suffix.lower() not in _WRITE_FORMATS:
        known = ", ".join(sorted(_WRITE_FORMATS))
        raise OutputError(f"picture {path}: cannot write {path.suffix or 'a file without suffix'}; expected {known}")
    format_name, options = _WRITE_FORMATS[path.suffix.lower()]
    longest = max(image_bgr.shape[:2])
    if longest > _LONGEST_SIDE.get(format_name, longest):
        limit = _LONGEST_SIDE[format_name]
        raise OutputError(f"picture {path}: {format_name} holds {limit} pixels on a side, found {longest}; try .png or .tif")
    if alpha is not None and format_name not in _WITH_ALPHA:
        note(f"{format_name} has no transparency: such pictures are put on white (.png, .webp and .tif keep it)")
        image_bgr, alpha = on_white(image_bgr, alpha), None
    if alpha is None:
        picture = PIL.Image.fromarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB))
    else:
        picture = PIL.Image.fromarray(np.dstack([image_bgr[:, :, ::-1], alpha]))
    return picture, {"format": format_name, **options}


def _convert(opened: PIL.Image.Image, note: Note) -> Picture:
    import PIL.ImageOps

    if any(";16" in str(tile) for tile in getattr(opened, "tile", ())) or opened.mode.startswith("I;16"):
        note("16 bits a channel are reduced to 8, which is what the networks paint in")
    if opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1:  # a camera's MPO holds small copies beside the photo
        hint = "; give a video or %04d.png as --output to paint all" if opened.format in ("PNG", "WEBP") else ""
        note(f"the file holds several pictures and only the first is painted{hint}")
    with warnings.catch_warnings(), silent_libraries():
        warnings.simplefilter("ignore")
        opened.load()
        PIL.ImageOps.exif_transpose(opened, in_place=True)
    return as_bgr(to_srgb(opened, note))


def _grey_of_more_bits(levels: Any) -> Image:
    """(H, W) of whole numbers up to 16 bits as (H, W, 3) uint8."""
    if levels.dtype.kind not in "iu" or levels.min() < 0 or levels.max() > 65535:
        raise ValueError("grey values of 32 bits or fractions are not known; save it with 8 or 16 bits")
    grey = (levels.astype(np.uint32) * 255 + 32767) // 65535
    return np.ascontiguousarray(np.repeat(grey.astype(np.uint8)[:, :, np.newaxis], 3, axis=2))


def on_white(image_bgr: Image, alpha: Image) -> Image:
    """A picture (H, W, 3) with its transparency (H, W), laid on white."""
    darkness = cv2.multiply(_WHITE - image_bgr, cv2.merge([alpha] * 3), scale=1 / 255)
    return np.asarray(_WHITE - darkness, np.uint8)


def check_size(path: Path, size_wh: tuple[int, int]) -> None:
    """Refuses a picture that would not fit, by its header alone.

    Raises:
        SourceError: with the size found.
    """
    problem = _problem_of_size(size_wh)
    if problem:
        raise SourceError(f"picture {path}: {problem}; make it smaller first")


def _problem_of_size(size_wh: tuple[int, int]) -> str:
    """Why a picture of a size cannot be painted; empty where it can."""
    pixels = size_wh[0] * size_wh[1]
    found = f"{size_wh[0]}x{size_wh[1]} is {pixels / 1e6:.0f} megapixels"
    if pixels > _MOST_PIXELS:
        return f"{found}, expected at most {_MOST_PIXELS // 1_000_000}"
    available = available_bytes()
    if available is not None and pixels * _BYTES_PER_PIXEL > available:
        return f"{found} and needs about {pixels * _BYTES_PER_PIXEL / 1e9:.1f} GB of memory, found {available / 1e9:.1f} free"
    return ""
