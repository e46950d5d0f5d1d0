"""Colour profiles in picture files: where there is one of other colours than sRGB's, they are brought to sRGB."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from realtime.program.notes import Note

if TYPE_CHECKING:
    import PIL.Image  # only files need it: the live picture starts without
    import PIL.ImageCms

_MODES = frozenset({"RGB", "RGBA", "L", "LA", "P", "PA", "CMYK", "LAB", "I;16", "I;16L", "I;16B"})


def has_other_colours(image: PIL.Image.Image) -> bool:
    """Whether a picture brings along a usable profile of colours that are not sRGB's."""
    try:
        return _other_profile(image) is not None
    except ValueError:
        return False


def _other_profile(image: PIL.Image.Image) -> PIL.ImageCms.ImageCmsProfile | None:
    """The profile of a picture whose colours are not sRGB's.

    Raises:
        ValueError: it has one that cannot be used.
    """
    data = image.info.get("icc_profile")
    if not data or image.mode not in _MODES:
        return None
    import PIL.ImageCms

    try:
        profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(data))
        return None if "srgb" in PIL.ImageCms.getProfileDescription(profile).lower() else profile
    except (PIL.ImageCms.PyCMSError, OSError, TypeError) as error:
        raise ValueError(f"profile: {error}") from None


def to_srgb(image: PIL.Image.Image, note: Note) -> PIL.Image.Image:
    """The picture with its colours brought to sRGB by the profile in its file, if there is one."""
    try:
        source = _other_profile(image)
        if source is None:
            return image
        opaque, alpha = _without_transparency(image)
        converted, name = _converted(opaque, source)
    except ValueError:
        note("a colour profile that cannot be used is left aside")
        return image
    note(f"colours are converted from {name or 'the profile of the picture'} to sRGB")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _without_transparency(image: PIL.Image.Image) -> tuple[PIL.Image.Image, PIL.Image.Image | None]:
    """A picture in a mode that can be converted, and its transparency, be it a channel, in a palette or one colour's."""
    if not image.has_transparency_data or image.mode.startswith("I"):
        return image.convert("RGB") if image.mode == "P" else image, None
    is_grey = image.mode in ("L", "LA")
    with_alpha = image.convert("LA" if is_grey else "RGBA")
    return with_alpha.convert("L" if is_grey else "RGB"), with_alpha.getchannel("A")


def _converted(image: PIL.Image.Image, source: PIL.ImageCms.ImageCmsProfile) -> tuple[PIL.Image.Image, str]:
    """A picture brought from a profile to sRGB, and the profile's name.

    Raises:
        ValueError: the profile is of another kind of picture.
    """
    import PIL.ImageCms

    try:
        name = PIL.ImageCms.getProfileDescription(source).strip()
        found = PIL.ImageCms.profileToProfile(image, source, PIL.ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (PIL.ImageCms.PyCMSError, OSError, TypeError) as error:
        raise ValueError(f"profile: {error}") from None
    assert found is not None
    return found, name
