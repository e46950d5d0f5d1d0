"""Previews: held-out photographs of a size that can be painted anywhere."""

from __future__ import annotations

from pathlib import Path

import torch

from models.generator import build_generator
from models.images import save_image
from models.preview import paint_preview, preview_photos
from tests.fakes_torch import NARROWEST


def test_a_cameras_photograph_is_made_smaller_and_a_small_one_is_not(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", torch.zeros(3, 2000, 3000))
    save_image(tmp_path / "b.png", torch.zeros(3, 80, 93))
    assert [tuple(p.shape) for p in preview_photos([tmp_path / "a.png"])] == [(3, 480, 720)]
    assert [tuple(p.shape) for p in preview_photos([tmp_path / "b.png"])] == [(3, 80, 88)]


def test_eight_photographs_are_painted_in_two_rows_and_training_goes_on_as_it_was() -> None:
    generator = build_generator(NARROWEST).train()
    photos = [torch.zeros(3, 32 + 8 * (k % 2), 40, dtype=torch.uint8) for k in range(8)]
    assert paint_preview(generator, photos, torch.device("cpu")).shape == (3, 2 * 32, 4 * 40)
    assert all(module.training for module in generator.modules())
