"""From a finished training into the user's gallery: the export, run as programs of their own.

models/ never imports onnxruntime; the export does. So it is started, not imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from models.images import cut_long_side, load_image, resize_short_side, save_image
from models.photos import IMAGENETTE
from realtime.errors import EXIT_DONE, OutputError, UserError
from realtime.gallery import DESCRIPTION, EXEMPLAR, NEW_STYLE_NAME, user_styles_folder

_EXEMPLAR_SIDE = 512  # pixels of its short side
_PROJECT = Path(__file__).resolve().parent.parent


def style_name(wanted: str, painting: Path) -> str:
    """The name under which a style is installed: as wanted, or made of the painting's file name.

    Raises:
        UserError: not a name that a style folder can have.
    """
    name = wanted or re.sub(r"[^a-z0-9]+", "_", painting.stem.lower()).strip("_")
    if not NEW_STYLE_NAME.fullmatch(name):
        raise UserError(f"--install {name}: expected small letters, digits and _, beginning with a letter or digit")
    return name


def check_other_tiers(name: str, tier: str, painting: Path) -> None:
    """Refuses a name under which a network of another tier would stay that imitates another painting: a style has one.

    Args:
        tier: that is to be installed.
        painting: a file that can be read.
    Raises:
        OutputError: with that tier.
    """
    folder = user_styles_folder() / name
    try:
        style = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        learnt_from = {other: style["recipe"][other]["painting_sha256"] for other in style["tiers"] if other != tier}
    except (OSError, ValueError, RecursionError, KeyError, TypeError):  # no style there, or none that tells
        return
    digest = hashlib.sha256(painting.read_bytes()).hexdigest()
    for other, found in learnt_from.items():
        if found != digest:
            raise OutputError(
                f"--install {name}: the style in {folder} has a {other} network of another painting; give another name, or "
                "remove that folder"
            )


def install(run: Path, name: str, content: str, tier: str, painting: Path) -> int:
    """Exports a run into the user's gallery with its painting and its int8 network; a network of that tier there is replaced.

    Args:
        run: folder of the finished training.
        content: photographs on which int8 is calibrated, as for the training.
        tier: of the generator that was trained.
        painting: that it was trained on.
    Returns:
        The exit code of the first program that failed, or 0.
    """
    folder = user_styles_folder() / name
    # The programs run in the project's folder; the data set that is downloaded has no path.
    photos = content if content == IMAGENETTE and not os.path.exists(content) else str(Path(content).resolve())
    quantise = ["export.quantise", str(folder), "--content", photos, "--tier", tier]
    done_so_far = "not installed; the training itself is done and kept"
    try:
        code = _run(["export.to_onnx", str(run.resolve()), "--name", name, "--overwrite"])
        if code == EXIT_DONE:
            done_so_far = f"installed in float32; int8 is missing: {shlex.join(['python', '-m', *quantise])}"
            _put_exemplar_or_warn(painting, folder)
            code = _run(quantise)
    except KeyboardInterrupt:
        print(done_so_far, file=sys.stderr)
        raise
    if code == EXIT_DONE:
        print(f"installed: python run_cam.py --style {name}")
    else:
        print(done_so_far, file=sys.stderr)
    return code


def put_exemplar(painting: Path, folder: Path) -> None:
    """Puts a small copy of a painting beside a style's networks, from which pictures are painted by optimisation.

    Raises:
        UserError: the painting cannot be read, or the copy not be written.
    """
    place, picture = folder / EXEMPLAR, cut_long_side(load_image(painting))
    if not (os.path.exists(place) and os.path.samefile(painting, place)):  # it was trained on, and is never written over
        save_image(place, resize_short_side(picture, min(_EXEMPLAR_SIDE, *picture.shape[1:])))


def _put_exemplar_or_warn(painting: Path, folder: Path) -> None:
    try:
        put_exemplar(painting, folder)
    except UserError as error:  # the style is there and paints; key G alone goes without
        print(f"warning: {error}", file=sys.stderr)


def _run(step: list[str]) -> int:
    with subprocess.Popen([sys.executable, "-m", *step], cwd=_PROJECT) as program:
        try:
            return program.wait()
        except KeyboardInterrupt:
            program.terminate()  # a signal to this process alone has not reached it
            program.wait()  # until it has cleaned up
            raise
