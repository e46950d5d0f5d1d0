"""The styles on disk: found, ordered, described, checked. Their files are foreign input."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realtime.errors import ModelError, first_line
from realtime.pictures.files import PICTURE_SUFFIXES
from realtime.program.folders import user_data_folder

SHIPPED = Path(__file__).resolve().parent.parent / "styles"
TIERS = ("fast", "fine")
PRECISIONS = ("fp32", "fp16", "int8")
DESCRIPTION = "style.json"
EXEMPLAR = "exemplar.jpg"
LAST_PLACE = 1000  # in the gallery's order, of styles that name none
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")
NEW_STYLE_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,60}")  # stricter for those we make: safe on every file system
_MAX_JSON_BYTES = 1_000_000
_MAX_MODEL_BYTES = 200_000_000
_LONGEST_TEXT = 120  # characters of a description that are shown; they are laid out anew for every frame


@dataclass(frozen=True)
class ModelFile:
    """One ONNX file of a style."""

    path: Path
    sha256: str | None  # None for a file named by the user, which nobody has vouched for
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Style:
    """A painting and the networks that imitate it: tier -> precision -> file."""

    name: str
    title: str
    artist: str
    year: str
    licence: str
    order: int
    models: dict[str, dict[str, ModelFile]]
    is_one_file: bool = False  # which serves whatever tier and precision is asked for

    @property
    def label(self) -> str:
        """Title and artist, for the screen."""
        return f"{self.title}, {self.artist}" if self.artist else self.title

    @property
    def folder(self) -> Path:
        """Where its networks lie."""
        return next(model.path.parent for files in self.models.values() for model in files.values())

    @property
    def exemplar(self) -> Path | None:
        """The picture of the painting's texture in the style's folder, which stands for the painting; None without one."""
        path = self.folder / EXEMPLAR
        return path if os.path.isfile(path) else None


def user_styles_folder() -> Path:
    """Where a user's own styles live, by the platform's convention."""
    return user_data_folder() / "styles"


def load_gallery(extra: Path | None = None) -> list[Style]:
    """All styles in the gallery's order; one in a later folder replaces one of the same name in an earlier.

    Args:
        extra: a folder of the user's (--styles), searched last.
    Raises:
        ModelError: extra is not a folder. A style whose description is unusable is left out, with a line on stderr.
    """
    if extra is not None and not os.path.isdir(extra):
        raise ModelError(f"--styles {extra}: not a folder; expected one with a folder for each style")
    if extra is not None and next(extra.glob(f"*/{DESCRIPTION}"), None) is None:
        print(f"warning: --styles {extra}: no styles there; expected a folder with style.json for each", file=sys.stderr)
    styles: dict[str, Style] = {}
    for folder in (SHIPPED, user_styles_folder(), extra):
        if folder is None or not os.path.isdir(folder):
            continue
        for description in sorted(folder.glob(f"*/{DESCRIPTION}")):
            try:
                style = read_style(description)
            except ModelError as error:
                print(f"warning: left out: {error}", file=sys.stderr)
                continue
            styles[style.name] = style
    return sorted(styles.values(), key=lambda style: (style.order, style.name))


def find_style(styles: list[Style], wanted: str | None) -> tuple[list[Style], int]:
    """The gallery to show and the number in it to begin with.

    Args:
        wanted: a style's name, an ONNX file, or None for the first.
    Raises:
        ModelError: no such style (the nearest name is suggested), no such file, or no styles at all.
    """
    if wanted is not None and (wanted.lower().endswith(".onnx") or os.path.isfile(wanted)):
        return [style_from_file(Path(wanted)), *styles], 0
    if not styles:
        raise ModelError("no styles found; expected folders with style.json in styles/, or name one with --style FILE.onnx")
    if wanted is None:
        return styles, 0
    names = [style.name for style in styles]
    if wanted in names:
        return styles, names.index(wanted)
    raise ModelError(f"--style {wanted}: no such style; {suggestion(wanted, names)} (see --list-styles)")


def suggestion(wanted: str, names: Sequence[str]) -> str:
    """The name that somebody may have meant by one that is none, or all of them, as the end of a message."""
    word = wanted.lower()
    holding = [name for name in names if word and word in name]  # "scream"
    alike = difflib.get_close_matches(word, names, n=1, cutoff=0.55)  # "munch_scream"
    alike_in_part = [name for name in names if difflib.get_close_matches(word, name.split("_"), cutoff=0.7)]  # "screem"
    near = holding or alike or alike_in_part
    return f"did you mean {near[0]}?" if len(near) == 1 else "the known ones: " + ", ".join(names)


def style_from_file(path: Path) -> Style:
    """A style of one ONNX file that the user names.

    Raises:
        ModelError: not there, empty, or a picture.
    """
    if not os.path.isfile(path):  # Path.is_file raises where a name is too long or a folder is closed
        raise ModelError(f"--style {path}: no such file; expected an ONNX file or a style's name")
    if path.suffix.lower() in PICTURE_SUFFIXES:
        raise ModelError(
            f"--style {path}: a picture; python -m models.gatys PHOTO {path} -o OUT.png paints a still like it, "
            f"python -m models.train --style {path} makes a style of it"
        )
    check_size(path)
    model = ModelFile(path.absolute(), None)  # a link is not followed: weights in other files lie beside it
    return Style(path.stem, path.stem, "", "", "", -1, {"fast": {"fp32": model}}, is_one_file=True)


def read_style(description: Path) -> Style:
    """A style from its style.json.

    Raises:
        ModelError: not JSON, a field missing or of the wrong kind, or a file outside the style's folder.
    """
    try:
        if not os.path.isfile(description):  # a pipe would be waited for
            raise ModelError(f"style {description}: not a file; expected a style's description")
        if description.stat().st_size > _MAX_JSON_BYTES:
            raise ModelError(f"style {description}: larger than {_MAX_JSON_BYTES} bytes; not a style's description")
        found = json.loads(description.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"style {description}: cannot be read as JSON ({first_line(error)})") from None
    try:
        models = {
            tier: {
                precision: _model_file(description.parent, entry)
                for precision, entry in found["tiers"][tier].items()
                if precision in PRECISIONS
            }
            for tier in TIERS
            if tier in found["tiers"]
        }
        name = str(found["name"])
        if not _NAME.fullmatch(name) or not any(models.values()):
            raise ValueError(f"name {name!r} or its tiers")
        return Style(
            name=name,
            title=_shown(found["title"]),
            artist=_shown(found["artist"]),
            year=_shown(found["year"]),
            licence=str(found["licence"]),
            order=int(found.get("order", LAST_PLACE)),
            models=models,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ModelError(f"style {description}: unusable field {error}; make it again with python -m export.to_onnx") from None


def verify(model: ModelFile) -> bytes:
    """The bytes of a model file, after checking its size and, where one is known, its SHA-256.

    Raises:
        ModelError: missing, empty, too large, or not the file that style.json describes.
    """
    check_size(model.path)
    try:
        data = model.path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {model.path}: cannot be read ({error.strerror})") from None
    if model.sha256 is not None and hashlib.sha256(data).hexdigest() != model.sha256:
        raise ModelError(f"model {model.path}: its SHA-256 is not the one in style.json; the file is damaged or was exchanged")
    return data


def check_size(path: Path) -> None:
    """Refuses a missing, empty or huge model file.

    Raises:
        ModelError: with what was found.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelError(f"model {path}: cannot be read ({error.strerror})") from None
    if size == 0:
        raise ModelError(f"model {path}: the file is empty")
    if size > _MAX_MODEL_BYTES:
        raise ModelError(f"model {path}: {size} bytes, expected at most {_MAX_MODEL_BYTES}")


def _shown(text: Any) -> str:
    """What a description says as a screen may show it: one line, not too long, no control characters, which terminals obey."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 3] + "..."


def _model_file(folder: Path, entry: Any) -> ModelFile:
    file = str(entry["file"])
    if not _NAME.fullmatch(file):
        raise ValueError(f"file {file!r}")
    figures = {
        key: float(entry[key]) for key in ("style_error", "content_error", "flicker") if isinstance(entry.get(key), int | float)
    }
    return ModelFile(folder / file, str(entry["sha256"]), figures)
