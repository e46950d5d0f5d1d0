"""A generator of another shape learns to paint as its teacher does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models import distil as distilling
from models.content import CONTEXT, ContentPhotos
from models.distil import distil
from models.generator import Generator, GeneratorSettings, build_generator
from models.images import save_image
from models.schedule import cosine_rate

WIDE = GeneratorSettings("fine", stem_width=8, trunk_width=8, blocks=1, cell=2)
NARROW = replace(WIDE, tier="fast", stem_width=6)
SIZE = 64


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 whatever the processor prefers."""
    monkeypatch.setattr(distilling, "bfloat16_pays", lambda _: False)


@pytest.fixture
def photos(tmp_path: Path) -> ContentPhotos:
    random = torch.Generator().manual_seed(0)
    for number in range(4):
        save_image(tmp_path / f"{number}.png", torch.rand(3, SIZE, SIZE, generator=random))
    return ContentPhotos(tmp_path, SIZE, torch.Generator().manual_seed(1))


def blue_painter() -> Generator:
    """Paints the photograph darker, and all of it a little blue."""
    torch.manual_seed(0)
    generator = build_generator(WIDE)
    with torch.no_grad():
        generator.keep.weight.mul_(0.5)
        generator.paint.bias.copy_(torch.tensor([0.0, 0.1, 0.4]))
    return generator


def difference(student: Generator, teacher: Generator, photos: ContentPhotos) -> float:
    with torch.no_grad():
        return float(distilling._difference(student, teacher, photos.next_views(1).first))


def test_it_comes_to_paint_as_its_teacher(photos: ContentPhotos) -> None:
    teacher = blue_painter()
    torch.manual_seed(3)
    before = difference(build_generator(NARROW), teacher, photos)
    student = distil(teacher, NARROW, photos, steps=150)
    assert student.settings == NARROW
    assert student.training
    assert difference(student, teacher, photos) < before / 4


def test_the_teacher_stays_as_it_is(photos: ContentPhotos) -> None:
    teacher = blue_painter()
    weights = {name: value.clone() for name, value in teacher.state_dict().items()}
    distil(teacher, NARROW, photos, steps=2)
    assert all(torch.equal(value, weights[name]) for name, value in teacher.state_dict().items())


@pytest.mark.parametrize("pays", [False, True])
def test_it_computes_in_bfloat16_where_that_pays(photos: ContentPhotos, monkeypatch: pytest.MonkeyPatch, pays: bool) -> None:
    painted = []
    compare = distilling._difference

    def watch(student: Generator, teacher: Generator, wide: torch.Tensor) -> torch.Tensor:
        painted.extend(generator(wide).dtype for generator in (student, teacher))
        return compare(student, teacher, wide)

    monkeypatch.setattr(distilling, "bfloat16_pays", lambda _: pays)
    monkeypatch.setattr(distilling, "_difference", watch)
    student = distil(blue_painter(), NARROW, photos, steps=1)
    assert painted == [torch.bfloat16 if pays else torch.float32] * 2
    assert student.paint.weight.dtype == torch.float32


def test_gradients_are_clipped(photos: ContentPhotos, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = []

    class Watched(torch.optim.Adam):
        def step(self, closure: Any = None) -> Any:
            gradients = [value.grad for group in self.param_groups for value in group["params"] if value.grad is not None]
            norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Watched)
    distil(blue_painter(), NARROW, photos, steps=3)
    assert len(norms) == 3
    assert max(norms) == pytest.approx(1, abs=1e-4)


def test_surroundings_are_not_compared() -> None:
    teacher = blue_painter()
    wide = torch.rand(1, 3, SIZE + 2 * CONTEXT, SIZE + 2 * CONTEXT)

    class InTheMiddle(nn.Module):
        def forward(self, batch: torch.Tensor, repeat_border: bool) -> torch.Tensor:
            painted = torch.zeros_like(batch)
            inner = slice(CONTEXT, -CONTEXT)
            painted[..., inner, inner] = teacher(batch, repeat_border)[..., inner, inner]
            return painted

    same = InTheMiddle()
    assert float(distilling._difference(same, teacher, wide).detach()) == 0  # type: ignore[arg-type]


def test_a_difference_of_whole_areas_counts_more_than_one_of_single_pixels() -> None:
    class Painted(nn.Module):
        def __init__(self, pattern: torch.Tensor) -> None:
            super().__init__()
            self.pattern = pattern

        def forward(self, batch: torch.Tensor, repeat_border: bool) -> torch.Tensor:
            return batch + self.pattern

    wide = torch.rand(1, 3, 160, 160)
    chequered = (torch.arange(160) % 2 * 2 - 1).float() * 0.1
    none, even, fine = (Painted(pattern) for pattern in (torch.zeros(1), torch.full((1,), 0.1), chequered))
    losses = [float(distilling._difference(student, none, wide)) for student in (fine, even)]  # type: ignore[arg-type]
    assert losses == pytest.approx([0.1, 0.1 * (1 + 3 / 2)], rel=1e-4)


def test_a_loss_that_is_not_finite_ends_it(photos: ContentPhotos) -> None:
    teacher = blue_painter()
    with torch.no_grad():
        teacher.paint.bias.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="loss not finite at step 0 of the distillation"):
        distil(teacher, NARROW, photos, steps=2)


def test_steps_grow_at_first_and_shrink_to_the_end() -> None:
    rates = [cosine_rate(1.0, step, step / 1000, 50) for step in range(1000)]
    assert rates.index(max(rates)) == 50 - 1
    assert rates[0] < max(rates) / 10
    assert rates[-1] < max(rates) / 50
