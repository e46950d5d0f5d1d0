"""A fine generator out of a fast one: where the training of the tier `fine` starts, instead of from nothing."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from models.generator import CellMap, EvenConvolution, Generator, build_generator

_COARSE, _FINE = 4, 2  # sides of their cells in pixels
_SIDE = _COARSE // _FINE  # of what becomes one pixel


def refine(coarse: Generator) -> Generator:
    """A generator on cells of 2x2 pixels that paints as `coarse` paints the photograph twice enlarged.

        fine(x) = mean_2x2(coarse(repeat_2x2(x)))

    away from the border, and as far as the map of cells is the identity (how it keeps slopes even depends on the
    cells' size). So its strokes are half as wide, and training has to find their width again, but neither edges nor steadiness.

    Args:
        coarse: on cells of 4x4 pixels.
    Raises:
        ValueError: its cells are of another size.
    """
    if coarse.settings.cell != _COARSE:
        raise ValueError(f"cells of {coarse.settings.cell} pixels: expected {_COARSE}; only those can be refined")
    fine = build_generator(replace(coarse.settings, tier="fine", cell=_FINE))
    keep, paint = coarse.keep, coarse.paint
    assert isinstance(paint, EvenConvolution) and isinstance(keep, CellMap)
    weights = coarse.state_dict()
    weights["stem.weight"] = _over_pixels(coarse.stem.weight.detach(), 1).sum(2)
    weights["paint.weight"] = _over_pixels(paint.even_weight().detach(), 0).mean(1)
    weights["keep.weight"] = _over_pixels(_over_pixels(keep.even_weight().detach()[..., 0, 0], 0).mean(1), 1).sum(2)
    fine.load_state_dict(weights)
    return fine


def _over_pixels(weight: Tensor, dimension: int) -> Tensor:
    """A dimension of (row, column, colour) of a coarse cell split in two: fine pixels and colours, and what each of them holds.

    Args:
        weight: of any shape, 48 long along the dimension.
    Returns:
        12 long along the dimension, with a dimension of 4 behind it.
    """
    before, after = weight.shape[:dimension], weight.shape[dimension + 1 :]
    cells = weight.reshape(-1, _FINE, _SIDE, _FINE, _SIDE, 3, after.numel())
    parts = cells.permute(0, 1, 3, 5, 2, 4, 6)
    return parts.reshape(*before, 3 * _FINE**2, _SIDE**2, *after)
