"""L-BFGS and Adam on functions whose minimum is known, and what happens when values are not finite."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.stills.minimise import LBFGS, Adam, Minimiser, Point, Search

TARGET = 0.2 + 0.6 * torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))
STIFFNESS = torch.logspace(0, 2, 360).reshape(1, 3, 12, 10)  # a bowl a hundred times steeper along one axis
START = torch.full_like(TARGET, 0.5)


def bowl(picture: Tensor) -> Point:
    difference = picture - TARGET
    return Point(picture, float((STIFFNESS * difference.square()).sum()), 2 * STIFFNESS * difference)


def searched(minimiser: Minimiser, steps: int, follows_loss: bool = True) -> Search:
    search = Search(bowl, minimiser, START, follows_loss)
    for _ in range(steps):
        search.step()
    return search


def test_lbfgs_finds_the_bottom_of_a_stiff_bowl() -> None:
    search = searched(LBFGS(20), 120)
    torch.testing.assert_close(search.best.picture, TARGET, atol=1e-3, rtol=0)
    assert search.fallbacks == 0


def test_a_longer_history_proposes_another_direction() -> None:
    first, second = searched(LBFGS(8), 6), searched(LBFGS(8), 6)
    short = LBFGS(2)
    short._pairs.extend(list(second.minimiser._pairs))  # type: ignore[attr-defined]
    assert len(short._pairs) == 2 and len(first.minimiser._pairs) > 2  # type: ignore[attr-defined]
    assert not torch.allclose(first.minimiser.propose(first.point), short.propose(first.point))


def test_the_direction_is_that_of_the_full_bfgs_update() -> None:
    """Against the inverse Hessian built up as a matrix (Nocedal and Wright 2006, Eq. 6.17) from the same pairs."""
    search = Search(bowl, LBFGS(10), START, True)
    points = [search.point]
    for _ in range(4):
        search.step()
        points.append(search.point)
    pairs = [
        ((b.picture - a.picture).flatten().double(), (b.gradient - a.gradient).flatten().double())
        for a, b in itertools.pairwise(points)
    ]
    step, change = pairs[-1]
    inverse = torch.eye(360, dtype=torch.float64) * float(step @ change / (change @ change))
    for step, change in pairs:
        scale = 1 / float(step @ change)
        left = torch.eye(360, dtype=torch.float64) - scale * torch.outer(step, change)
        inverse = left @ inverse @ left.T + scale * torch.outer(step, step)
    wanted = -(inverse @ search.point.gradient.flatten().double())
    longest = 0.1 / float(wanted.square().mean().sqrt())
    found = search.minimiser.propose(search.point).flatten().double()
    torch.testing.assert_close(found, wanted * min(1.0, longest), rtol=1e-3, atol=1e-5)


def test_adam_takes_first_steps_of_the_learning_rate_and_finds_the_bottom() -> None:
    first = Adam(0.01).propose(bowl(START))
    torch.testing.assert_close(first.abs(), torch.full_like(first, 0.01), rtol=1e-3, atol=0)
    torch.testing.assert_close(searched(Adam(0.01), 400, False).best.picture, TARGET, atol=0.01, rtol=0)


def test_adam_begins_anew_after_it_has_forgotten() -> None:
    used = searched(Adam(0.01), 5, False).minimiser
    used.forget()
    assert torch.equal(used.propose(bowl(START)), Adam(0.01).propose(bowl(START)))


def test_pictures_stay_within_0_and_1() -> None:
    def slope(picture: Tensor) -> Point:
        return Point(picture, float(picture.sum()), torch.ones_like(picture))

    search = Search(slope, LBFGS(5), START, True)
    for _ in range(60):
        search.step()
    assert float(search.best.picture.min()) == 0


def test_a_state_carried_over_proposes_the_same_step_enlarged() -> None:
    """A loss that is a mean does not know the size: on pictures of even colour nothing but the size changes."""

    def even(shape_hw: tuple[int, int], values: tuple[float, float, float]) -> Tensor:
        return torch.tensor(values).reshape(1, 3, 1, 1).expand(1, 3, *shape_hw).clone()

    def mean_bowl(picture: Tensor) -> Point:
        difference = picture - even((picture.shape[2], picture.shape[3]), (0.2, 0.7, 0.4))
        stiffness = torch.tensor([1.0, 5.0, 20.0]).reshape(1, 3, 1, 1)
        positions = picture.shape[2] * picture.shape[3]
        return Point(
            picture, float((stiffness * difference.square()).sum() / positions), 2 * stiffness * difference / positions
        )

    for minimiser in (LBFGS(5), Adam(0.02)):
        search = Search(mean_bowl, minimiser, even((6, 8), (0.5, 0.5, 0.5)), False)
        for _ in range(3):
            search.step()
        colours = tuple(float(v) for v in search.point.picture[0, :, 0, 0])
        larger = search.minimiser.resized((12, 16))
        small = search.minimiser.propose(search.point)
        large = larger.propose(mean_bowl(even((12, 16), colours)))
        torch.testing.assert_close(large[0, :, 5, 5], small[0, :, 2, 2], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_taken_back_with_smaller_steps(value: float) -> None:
    """The bowl has a hole at first: three evaluations in a row end in it."""
    calls = 0
    tried: list[Tensor] = []

    def holed(picture: Tensor) -> Point:
        nonlocal calls
        calls += 1
        point = bowl(picture)
        if 4 <= calls <= 6:
            tried.append(picture)
            return Point(picture, value, torch.full_like(point.gradient, value))
        return point

    search = Search(holed, LBFGS(10), START, True)
    for _ in range(3):
        search.step()
    before = search.best
    for _ in range(2):
        search.step()
    assert search.best is before and search.point is before
    assert search.fallbacks == 3
    steps = [picture - before.picture for picture in tried[1:]]
    lengths = [float(step.norm()) for step in steps]
    assert lengths[1] == pytest.approx(lengths[0] / 2, rel=1e-3)
    for step in steps:  # what was learnt is forgotten: down the gradient
        downwards = -before.gradient * (step.norm() / before.gradient.norm())
        torch.testing.assert_close(step, downwards, rtol=1e-3, atol=1e-6)
    for _ in range(150):
        search.step()
    torch.testing.assert_close(search.best.picture, TARGET, atol=0.01, rtol=0)


def test_a_loss_that_is_never_finite_again_ends_the_search_at_the_last_good_picture() -> None:
    calls = 0

    def broken(picture: Tensor) -> Point:
        nonlocal calls
        calls += 1
        return bowl(picture) if calls < 5 else Point(picture, math.nan, torch.zeros_like(picture))

    search = Search(broken, LBFGS(10), START, True)
    steps = 0
    while not search.is_stuck and steps < 100:
        search.step()
        steps += 1
    assert steps < 30
    assert math.isfinite(search.best.loss) and search.best.loss < bowl(START).loss


def test_a_step_far_uphill_is_taken_back_where_the_loss_is_followed() -> None:
    """The gradient points the wrong way from the third evaluation to the fifth."""
    for follows, allowed in ((True, True), (False, False)):
        calls = 0

        def lying(picture: Tensor) -> Point:
            nonlocal calls
            calls += 1
            point = bowl(picture)
            return Point(picture, point.loss, -point.gradient) if calls in (3, 4, 5) else point

        search = Search(lying, LBFGS(10), START, follows)
        losses = []
        for _ in range(5):
            search.step()
            losses.append(search.point.loss)
        rises = any(later > 1.02 * earlier for earlier, later in itertools.pairwise(losses))
        assert rises is not allowed


class Straight:
    """In the place of a minimiser: proposes one step for ever, and counts how often it was to forget."""

    def __init__(self, change: float = 0.01) -> None:
        self.change = change
        self.forgotten = 0

    def propose(self, point: Point) -> Tensor:
        return torch.full_like(point.picture, self.change)

    def learn(self, before: Point, after: Point) -> None:
        pass

    def forget(self) -> None:
        self.forgotten += 1

    def resized(self, shape_hw: tuple[int, int]) -> Straight:
        return self


def losses_of(*losses: float) -> Callable[[Tensor], Point]:
    """An evaluation that tells one loss after the other, whatever the picture is."""
    rest = iter(losses)
    return lambda picture: Point(picture, next(rest), torch.ones_like(picture))


def test_the_best_picture_is_kept_where_the_search_goes_on_uphill() -> None:
    search = Search(losses_of(3, 2, 1, 2, 3), Straight(), START, False)
    for _ in range(4):
        search.step()
    assert (search.best.loss, search.point.loss) == (1, 3)
    torch.testing.assert_close(search.best.picture, START + 0.02)


def test_steps_grow_to_their_full_length_again_and_no_further() -> None:
    search = Search(losses_of(9, math.nan, 8, 7, 6, 5, 4), Straight(), START, True)
    places = [search.point.picture]
    for _ in range(6):
        search.step()
        places.append(search.point.picture)
    lengths = [float((after - before).mean()) for before, after in itertools.pairwise(places)]
    assert lengths[:2] == pytest.approx([0, 0.005], abs=1e-6)
    assert 0.005 < lengths[2] < 0.01
    assert lengths[4:] == pytest.approx([0.01, 0.01], abs=1e-6)


def test_a_direction_that_leads_uphill_however_short_the_step_is_given_up() -> None:
    """A little uphill is let pass; the third step in a row far uphill leads back to the best picture, and so every third."""
    minimiser = Straight()
    search = Search(losses_of(1, 1.01, *[2] * 6), minimiser, START, True)
    for forgotten, loss in ((0, 1.01), (0, 1.01), (0, 1.01), (1, 1), (1, 1), (1, 1), (2, 1)):
        search.step()
        assert (minimiser.forgotten, search.point.loss) == (forgotten, loss)


@pytest.mark.parametrize(("gone", "again"), [(0.001, 0.001), (0.3, 0.02)])
def test_down_the_gradient_lbfgs_goes_as_far_as_its_last_step_at_most(gone: float, again: float) -> None:
    minimiser = LBFGS(5)
    start, after = bowl(START), bowl(START + gone)
    assert float(minimiser.propose(start).square().mean().sqrt()) == pytest.approx(0.02)
    minimiser.learn(start, after)
    minimiser.forget()
    assert float(minimiser.propose(after).square().mean().sqrt()) == pytest.approx(again, rel=1e-3)
