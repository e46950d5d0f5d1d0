"""The banner of the README: photograph and paintings side by side."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.previews import banner
from tests.fakes import flat_picture


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (4, 1, 4), (5, 2, 3), (12, 2, 6)])
def test_every_painting_has_its_place_beside_the_photograph(count: int, rows: int, columns: int) -> None:
    greys = [10 + 15 * number for number in range(count)]
    made = banner(flat_picture(255, (64, 64)), [flat_picture(grey, (64, 64)) for grey in greys])
    cell = made.shape[0] // rows
    assert made.shape == (rows * cell, (rows + columns) * cell, 3)
    assert (made[:, : rows * cell] == 255).all()
    middles = made[cell // 2 :: cell, rows * cell + cell // 2 :: cell, 0].ravel()
    np.testing.assert_array_equal(middles[:count], greys)
    assert (middles[count:] == 255).all()
