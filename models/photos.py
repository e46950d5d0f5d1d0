"""Which photographs a training works on: those of a folder, the frames of a video, or Imagenette, downloaded on request."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from models.images import picture_of, save_image
from realtime.errors import OutputError, SourceError, UserError, first_line
from realtime.frame import Image
from realtime.pictures.files import PICTURE_SUFFIXES
from realtime.pictures.photo_choice import PhotoChooser, fit_for_training
from realtime.program.folders import user_cache_folder
from realtime.source import Source

EVALUATION_EVERY = 50  # every 50th photo of a folder is kept for measuring and never trained on
IMAGENETTE = "imagenette"
_VIDEO_PHOTOS = 400
_INTERVAL_S = 0.5  # of a video that does not state its length
_COMPLETE = "complete"  # in its folder: an interrupted unpacking leaves one that looks like the whole
_IMAGENETTE_SIZE = "320px"  # short side, just above what a training crop needs


def list_photos(content: Path) -> list[Path]:
    """The photographs that --content names, sorted by name.

    Args:
        content: a folder, of which the pictures directly in it are taken; one picture; a video, whose frames are taken
            out into the user's cache folder; or "imagenette", downloaded there when it is asked for the first time.
    Raises:
        SourceError: none of these, or no pictures in it, or no network.
    """
    if os.path.isdir(content):  # Path.is_dir raises where a name is too long
        try:
            found = (p for p in content.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
            photos = sorted(p for p in found if not p.name.startswith("."))  # macOS puts a ._NAME beside each on foreign disks
        except OSError as error:
            raise SourceError(f"content folder {content}: cannot be read ({error.strerror})") from None
        if not photos:
            raise SourceError(
                f"content folder {content}: no photographs found (looked for {' '.join(sorted(PICTURE_SUFFIXES))})"
            )
        return photos
    if os.path.isfile(content):
        return [content] if content.suffix.lower() in PICTURE_SUFFIXES else video_photos(content)
    if str(content) == IMAGENETTE:
        return imagenette_photos()
    raise SourceError(
        f"content {content}: not a folder with photographs, nor a video; give one, "
        f"or '{IMAGENETTE}' to download a data set of 330 MB"
    )


def evaluation_photos(photos: list[Path]) -> list[Path]:
    """Every 50th of the sorted names: for measuring, never for training."""
    return photos[::EVALUATION_EVERY]


def training_photos(photos: list[Path]) -> list[Path]:
    """All but the evaluation photos; the only photo of a folder of one serves for both."""
    return [p for k, p in enumerate(photos) if k % EVALUATION_EVERY] or photos


def video_photos(video: Path) -> list[Path]:
    """Sharp frames of a video, spread over its length, no two alike; taken out once and kept in the user's cache folder.

    Raises:
        SourceError: not a video, or no frame in it is worth keeping.
        OutputError: the cache folder cannot be written.
    """
    try:
        about = video.stat()
        fingerprint = hashlib.sha256(os.fsencode(f"{video.resolve()} {about.st_size} {about.st_mtime_ns}")).hexdigest()[:16]
    except OSError as error:
        raise SourceError(f"content {video}: cannot be read ({error.strerror})") from None
    folder = user_cache_folder() / "content" / f"{re.sub(r'[^A-Za-z0-9_-]', '_', video.stem)}-{fingerprint}"
    if not folder.is_dir():
        partial = _temporary_folder(folder)
        try:
            _take_out(video, partial)
            _put_in_place(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise OutputError(f"cache folder {folder}: cannot be read ({error.strerror})") from None


def imagenette_photos() -> list[Path]:
    """The training pictures of Imagenette (fast.ai, ten classes of ImageNet), downloaded by torchvision.

    Raises:
        SourceError: it cannot be downloaded.
    """
    root = user_cache_folder() / IMAGENETTE
    try:
        if not (root / _COMPLETE).is_file():
            _download_imagenette(root)
        return sorted(root.glob("*/train/*/*.JPEG"))
    except UserError:
        raise
    except Exception as error:  # urllib, tarfile and torchvision each raise their own
        reason = first_line(error)
        raise SourceError(
            f"content {IMAGENETTE}: cannot be downloaded into {root} ({reason}); "
            "check the network, or give a folder or a video of your own"
        ) from None


def _download_imagenette(root: Path) -> None:
    from torchvision import datasets  # loads slowly, and is wanted here alone

    print(f"downloading Imagenette, 330 MB, into {root}", file=sys.stderr)
    partial = _temporary_folder(root)
    try:
        datasets.Imagenette(partial, split="train", size=_IMAGENETTE_SIZE, download=True)
        for archive in partial.glob("*.tgz"):
            archive.unlink()
        (partial / _COMPLETE).touch()
        if not (root / _COMPLETE).is_file():
            shutil.rmtree(root, ignore_errors=True)  # of an unpacking that was broken off
        _put_in_place(partial, root)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _take_out(video: Path, folder: Path) -> None:
    from realtime.video.reader import VideoFileSource  # PyAV loads slowly, and is wanted here alone

    source = VideoFileSource(video)
    try:
        source.open()
        length_s = source.frame_count / source.fps if source.frame_count and source.fps else None
        chooser = PhotoChooser(length_s / _VIDEO_PHOTOS if length_s else _INTERVAL_S)
        chosen = (chooser.offer(image_bgr, at_s) for image_bgr, at_s in _frames_of(source))
        kept = 0
        for photo in itertools.chain(chosen, iter(chooser.finish, None)):
            if photo is not None:
                save_image(folder / f"{photo.at_s:09.3f}.jpg", picture_of(fit_for_training(photo.image_bgr)))
                kept += 1
            if kept == _VIDEO_PHOTOS:
                break
    finally:
        source.close()
    if not kept:
        raise SourceError(f"content {video}: no usable photograph in {chooser.seen} frames; give another video or a folder")


def _frames_of(video: Source) -> Iterator[tuple[Image, float]]:
    """Every frame with its seconds from the start; of a video that ends damaged those before."""
    with contextlib.suppress(SourceError):
        for image_bgr, at_s in iter(video.read, None):
            yield image_bgr, at_s or 0.0


def _temporary_folder(beside: Path) -> Path:
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=beside.name, suffix=".partial", dir=beside.parent))
    except OSError as error:
        raise OutputError(f"cache folder {beside.parent}: cannot be written ({error.strerror})") from None


def _put_in_place(partial: Path, folder: Path) -> None:
    try:
        os.rename(partial, folder)
    except OSError as error:
        if not os.path.isdir(folder):  # else another process of the same training was faster
            raise OutputError(f"cache folder {folder}: cannot be written ({error.strerror})") from None
