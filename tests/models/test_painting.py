"""The painting that is learnt: its size, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models import painting
from models.images import save_image
from models.painting import load_painting
from realtime.errors import SourceError, UserError


def test_a_painting_is_made_as_large_as_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "painting.png"
    save_image(path, torch.zeros(3, 100, 150))
    assert load_painting(path, 80).shape == (3, 80, 120)
    assert load_painting(path, 200).shape == (3, 200, 300)


def test_a_painting_that_is_too_large_is_told_with_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise MemoryError

    save_image(tmp_path / "painting.png", torch.zeros(3, 80, 80))
    monkeypatch.setattr(painting, "resize_short_side", fail)
    with pytest.raises(UserError, match=r"^not enough memory for --style-size 100; try a smaller one$"):
        load_painting(tmp_path / "painting.png", 100)


@pytest.mark.parametrize(("short_side", "style_size"), [(63, 64), (90, 200)])
def test_a_painting_that_is_too_small_is_refused_with_both_sizes(tmp_path: Path, short_side: int, style_size: int) -> None:
    path = tmp_path / "painting.png"
    save_image(path, torch.zeros(3, short_side, 300))
    with pytest.raises(SourceError, match=f"short side has {short_side} pixels, expected at least {max(64, style_size // 2)}"):
        load_painting(path, style_size)
