"""style_error and content_error of styles on the standard photos: python -m benchmarks.quality.

style_error: mean over relu1_1 .. relu5_1 of |G(y) - A|^2 / |A|^2, averaged over the photos, for the painting at four
sizes of which the best counts. content_error: |F(y) - F(x)|^2 / |F(x)|^2 at relu4_2. VGG-19 in float32. Photos are shrunk
to 288 pixels on the short side, those that are smaller stay as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

import realtime.program.quiet  # noqa: F401
from benchmarks.networks import Network, add_arguments, chosen_styles, networks_of
from benchmarks.report import check_json, data_folder, print_table, write_json
from export.description import graph_sha256
from models.devices import enough_memory
from models.images import as_batch, load_image, resize_short_side
from models.losses import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrix, relative_squared_error
from models.photos import evaluation_photos, list_photos
from models.stills.levels import SMALLEST_SIDE
from models.vgg import LossNetwork, VGGFeatures, load_loss_network
from realtime.errors import EXIT_DONE, SourceError
from realtime.frame import Image
from realtime.gallery import Style
from realtime.program import argument_types
from realtime.program.interruption import entry_point

PAINTING_SIZES = (256, 384, 512, 768)
_SHORT_SIDE = 288  # of photos: figures of larger ones compare with nothing, and VGG-19 takes 1 GB for a megapixel


Targets = dict[int, dict[str, Tensor]]  # short side of the painting -> layer -> Gram matrix


@dataclass(frozen=True)
class Photo:
    """A standard photo with its content features."""

    image_bgr: Image
    features: Tensor


def load_photos(folder: Path, vgg: VGGFeatures) -> list[Photo]:
    """Every 50th photo of a folder; one that cannot be used is left out, and no other takes its place: that was trained on.

    Raises:
        SourceError: none of them can be used.
    """
    photos = []
    for path in evaluation_photos(list_photos(folder)):
        try:
            picture = _load_photo(path)
        except SourceError as error:
            print(f"skipped: {error}", file=sys.stderr)
            continue
        features = vgg(as_batch(picture), (CONTENT_LAYER,))[CONTENT_LAYER]
        photos.append(Photo(np.ascontiguousarray(picture.numpy()[::-1].transpose(1, 2, 0)), features))
    if not photos:
        raise SourceError(f"content folder {folder}: none of the photographs to measure with can be used")
    return photos


def _load_photo(path: Path) -> Tensor:
    picture = load_image(path)
    height, width = picture.shape[1:]
    if min(height, width) < SMALLEST_SIDE:
        raise SourceError(f"photo {path}: {width}x{height} pixels; expected at least {SMALLEST_SIDE} on each side")
    return resize_short_side(picture, min(_SHORT_SIDE, height, width))


def load_targets(painting: Path, vgg: VGGFeatures) -> Targets:
    """The painting's Gram matrices at each size.

    Raises:
        SourceError: it cannot be read.
    """
    picture, targets = load_image(painting), {}
    for size in PAINTING_SIZES:
        features = vgg(as_batch(resize_short_side(picture, size)), STYLE_LAYERS)
        targets[size] = {name: gram_matrix(features[name]) for name in STYLE_LAYERS}
    return targets


def measure_quality(
    paint: Callable[[Image], Image], targets: Targets, photos: Sequence[Photo], vgg: VGGFeatures
) -> dict[str, Any]:
    """Both errors of one network, and the style error at each size of the painting."""
    style_errors: dict[int, list[float]] = {size: [] for size in targets}
    content_errors = []
    for photo in tqdm(photos, disable=None, leave=False, unit="photo"):
        painted_bgr = paint(photo.image_bgr)
        painted = torch.from_numpy(np.ascontiguousarray(painted_bgr[:, :, ::-1].transpose(2, 0, 1)))
        features = vgg(as_batch(painted))
        content_errors.append(float(content_loss(features[CONTENT_LAYER], photo.features)))
        grams = {name: gram_matrix(features[name]) for name in STYLE_LAYERS}
        for size, target in targets.items():
            terms = [float(relative_squared_error(grams[name], target[name])) for name in STYLE_LAYERS]
            style_errors[size].append(float(np.mean(terms)))
    averages = {size: float(np.mean(errors)) for size, errors in style_errors.items()}
    best = min(averages, key=lambda size: averages[size])
    return {
        "style_error": round(averages[best], 4),
        "content_error": round(float(np.mean(content_errors)), 4),
        "painting_size": best,
        "style_error_by_size": {str(size): round(value, 4) for size, value in averages.items()},
        "photos": len(photos),
    }


def paintings_of(styles: list[Style], folder: Path, named: bool) -> dict[str, Path]:
    """The styles' paintings by the styles' names, FOLDER/NAME.jpg or .png.

    Args:
        named: whether the user named the styles; else those without a painting are left out, with a line on stderr.
    Raises:
        SourceError: a named style has no painting there, or none at all has.
    """
    found = {}
    for style in styles:
        candidates = [folder / f"{style.name}{suffix}" for suffix in (".jpg", ".png")]
        painting = next((path for path in candidates if os.path.isfile(path)), None)
        if painting is not None:
            found[style.name] = painting
        elif named:
            raise SourceError(f"painting of {style.name}: no {candidates[0]}; put it there or name the folder with --paintings")
        else:
            print(f"left out: {style.name}, no painting {candidates[0]}", file=sys.stderr)
    if not found:
        raise SourceError(f"paintings: none of the gallery's styles has one in {folder}; name the folder with --paintings")
    return found


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Which photographs, paintings and loss network are measured with."""
    parser.add_argument("--content", type=Path, default=data_folder() / "content", help="photographs (default %(default)s)")
    parser.add_argument(
        "--paintings",
        type=Path,
        default=data_folder() / "styles",
        metavar="DIR",
        help="holds NAME.jpg; styles that are not named and have none are left out (default %(default)s)",
    )
    parser.add_argument("--vgg", type=Path, help="VGG-19 state dict (default: the data folder's, else as models.gatys)")


def load_network(weights: Path | None) -> LossNetwork:
    """VGG-19 as far as the measures need it.

    Args:
        weights: of --vgg; None for the data folder's, or where there is none for those that models.gatys takes.
    Raises:
        UserError: they cannot be loaded.
    """
    default = data_folder() / "vgg19" / "vgg19_features.pth"
    return load_loss_network((*STYLE_LAYERS, CONTENT_LAYER), weights or (default if default.is_file() else None))


def standard_measures(args: argparse.Namespace, network: LossNetwork) -> Iterator[tuple[Network, Targets, Sequence[Photo]]]:
    """Each network that the arguments choose, with its painting's targets and the photos.

    Raises:
        UserError: a style, a painting or the photos cannot be used; before the first network.
    """
    chosen = chosen_styles(args.style, args.styles)
    paintings = paintings_of(chosen, args.paintings, args.style is not None)
    photos = load_photos(args.content, network.features)
    # All of them before anything is measured: one that cannot be used must not cost what was measured before it.
    targets = {name: load_targets(painting, network.features) for name, painting in paintings.items()}
    for style in (style for style in chosen if style.name in targets):
        for found in networks_of(style, args.tier, args.precision):
            yield found, targets[style.name], photos


@contextmanager
def measuring() -> Iterator[None]:
    """Without gradients, and with a mistake of one line where the memory does not suffice."""
    with torch.no_grad(), enough_memory("to measure with; try other photographs or paintings, or fewer of them"):
        yield


@entry_point
def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argument_types.Parser(prog="python -m benchmarks.quality", description=__doc__)
    add_arguments(parser)
    add_data_arguments(parser)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    check_json(args.json)
    network = load_network(args.vgg)
    rows = []
    with measuring():
        for found, targets, photos in standard_measures(args, network):
            figures = measure_quality(found.open().style, targets, photos, network.features)
            rows.append(found.names | {"graph_sha256": graph_sha256(found.model.path)} | figures)
    write_json(args.json, {"vgg": network.source, "vgg_sha256": network.sha256, "quality": rows})
    print_table(
        ("style", "network", "style_error", "content_error", "painting at"),
        [
            (
                r["style"],
                f"{r['tier']} {r['precision']}",
                f"{r['style_error']:.3f}",
                f"{r['content_error']:.3f}",
                r["painting_size"],
            )
            for r in rows
        ],
    )
    print(f"VGG-19: {network.source}, {len(photos)} photos")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
