"""A still from beginning to end: every choice changes what it says it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.losses import total_variation
from models.stills import levels
from models.stills import paint as gatys_paint
from models.stills.colours import luminance, match_colours, match_luminance, with_luminance
from models.stills.levels import level_sizes, objective_at, resize
from models.stills.minimise import Point
from models.stills.objective import Evaluation, StylePicture
from models.stills.paint import Painting, Progress, paint
from models.stills.settings import PRESETS, GatysSettings
from realtime.errors import UserError
from tests.models.stills.fakes import CONTENT_LAYERS, STYLE_LAYERS, network, painting, photo

SHORT = GatysSettings(
    content_layers=CONTENT_LAYERS, style_layers=STYLE_LAYERS, size=48, iterations=12, precision="float32", history=8
)
STYLES = [StylePicture(painting())]


def painted(start: Tensor | None = None, styles: list[StylePicture] | None = None, **changes: Any) -> Painting:
    chosen = replace(SHORT, **changes)
    features = network(chosen.layers(), pooling=chosen.pooling)
    return paint(photo(), styles or STYLES, chosen, features, start)


def difference(first: Painting, second: Painting) -> float:
    return float((first.picture - second.picture).abs().max())


def test_the_loss_falls_and_is_that_of_the_picture() -> None:
    before = objective_at((40, 48), photo()[None], STYLES, SHORT, network()).evaluate(photo()[None]).loss
    result = painted()
    again = objective_at((40, 48), photo()[None], STYLES, SHORT, network()).evaluate(result.picture[None])
    assert result.loss < 0.5 * before
    assert result.loss == pytest.approx(again.loss, rel=1e-5)
    assert sum(result.terms.values()) == pytest.approx(result.loss)
    assert result.picture.shape == (3, 40, 48)
    assert float(result.picture.min()) >= 0 and float(result.picture.max()) <= 1


def test_the_same_seed_gives_the_same_picture() -> None:
    first, again, other = (painted(init="noise", seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.picture, again.picture)
    assert difference(first, other) > 0.01


def test_content_alone_reconstructs_the_photo_from_noise() -> None:
    result = painted(style_weight=0.0, init="noise", iterations=150)
    assert result.loss < 0.01
    assert float((result.picture - photo()).abs().mean()) < 0.06


def test_style_alone_makes_the_styles_statistics_and_forgets_the_photo() -> None:
    result = painted(content_weight=0.0, init="noise", iterations=120, style_weight=1.0)
    assert result.loss < 0.02
    assert float((result.picture - photo()).abs().mean()) > 0.15


def test_it_starts_from_the_picture_that_is_given() -> None:
    start = painting(40, 48)
    nearly = painted(start, iterations=1, optimiser="adam", learning_rate=1e-4)
    assert float((nearly.picture - start).abs().max()) < 0.001
    from_photo = painted(iterations=1, optimiser="adam", learning_rate=1e-4)
    assert float((from_photo.picture - photo()).abs().max()) < 0.001


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "adam"},
        {"statistics": "covariance"},
        {"statistics": "wasserstein"},
        {"scaling": "published", "content_weight": 0.08, "style_weight": 1.0},
        {"pooling": "max"},
        {"normalised_gradients": True},
        {"style_scale": 2.0},
        {"colours": "luminance"},
        {"colours": "matched"},
        {"precision": "bfloat16"},
        {"levels": 2, "size": 140},
        {"history": 1},
    ],
    ids=lambda changes: "-".join(str(value) for value in changes.values()),
)
def test_a_choice_changes_the_picture_and_still_paints(changes: dict[str, Any]) -> None:
    plain = painted(**{key: value for key, value in changes.items() if key == "size"})
    other = painted(**changes)
    assert difference(plain, other) > 0.002
    shape_hw = (other.picture.shape[1], other.picture.shape[2])
    colours = changes.get("colours", "style")
    styles = [StylePicture(match_colours(painting(), photo()))] if colours == "matched" else STYLES
    judge = objective_at(shape_hw, photo()[None], styles, replace(SHORT, size=max(shape_hw)), network())
    start = resize(photo()[None], shape_hw)
    before, after = judge.evaluate(start).terms, judge.evaluate(other.picture[None]).terms
    style_before, style_after = (sum(v for k, v in terms.items() if k.startswith("style")) for terms in (before, after))
    assert style_after < 0.9 * style_before


def test_total_variation_smooths() -> None:
    rough, smooth = painted(tv_weight=0.0), painted(tv_weight=300.0)
    assert float(total_variation(smooth.picture[None])) < 0.7 * float(total_variation(rough.picture[None]))


def test_lightness_alone_keeps_the_photos_colours() -> None:
    result = painted(colours="luminance")
    inside = (result.picture > 0.01).all(0) & (result.picture < 0.99).all(0)
    chroma = result.picture - luminance(result.picture[None])[0]
    wanted = photo() - luminance(photo()[None])[0]
    torch.testing.assert_close(chroma[:, inside], wanted[:, inside], atol=1e-5, rtol=0)
    assert float((luminance(result.picture[None]) - luminance(photo()[None])).abs().max()) > 0.05


def test_a_matched_style_has_the_photos_colour_moments() -> None:
    small = 0.5 + 0.3 * (photo() - 0.5)  # so that nothing is clamped
    matched = match_colours(painting(), small).flatten(1)
    torch.testing.assert_close(matched.mean(1), small.flatten(1).mean(1), atol=0.02, rtol=0)
    grey = match_luminance(painting(), small)
    assert float(grey.mean()) == pytest.approx(float(luminance(small[None]).mean()), abs=1e-3)
    assert float(grey.std()) == pytest.approx(float(luminance(small[None]).std()), abs=2e-3)
    assert torch.equal(grey[0], grey[1])


def test_colours_and_lightness_come_apart_and_together_again() -> None:
    batch = photo()[None]
    torch.testing.assert_close(with_luminance(batch, luminance(batch)), batch)


def test_a_mask_keeps_a_style_out_of_the_rest() -> None:
    mask = torch.zeros(40, 48)
    mask[:, 24:] = 1
    result = painted(styles=[StylePicture(painting(), mask)])
    change = (result.picture - photo()).abs().mean((0, 1))
    assert float(change[28:].mean()) > 5 * float(change[:20].mean())


def test_blend_weights_choose_among_styles() -> None:
    styles = [*STYLES, StylePicture(photo(seed=7))]
    first = painted(styles=styles, style_weights=(1.0, 0.0))
    assert difference(first, painted()) < 1e-4
    assert difference(first, painted(styles=styles, style_weights=(0.0, 1.0))) > 0.05


def test_tiles_change_nothing_but_the_memory() -> None:
    whole = painted(size=140, iterations=5)
    tiled = painted(size=140, iterations=5, tile=64)
    assert float((whole.picture - tiled.picture).abs().mean()) < 1e-3
    assert tiled.loss == pytest.approx(whole.loss, rel=1e-3)


def test_the_pyramid_ends_at_full_size_and_leaves_out_tiny_levels() -> None:
    sizes = level_sizes((480, 640), replace(SHORT, size=512, levels=5))
    assert sizes[-1] == (384, 512)
    assert [max(size) for size in sizes] == [128, 181, 256, 362, 512]
    assert level_sizes((480, 640), replace(SHORT, size=100, levels=5)) == [(75, 100)]


@pytest.mark.parametrize(
    ("style_hw", "level_hw", "style_scale", "resized_hw"),
    [
        ((200, 100), (120, 160), 1.0, (160, 80)),  # no larger than the painted picture
        ((100, 50), (120, 160), 1.0, (100, 50)),  # and not enlarged
        ((100, 80), (60, 80), 1.0, (50, 40)),
        ((100, 80), (60, 80), 2.0, (100, 80)),
        ((100, 80), (120, 160), 2.0, (200, 160)),
    ],
)
def test_styles_shrink_with_the_level_and_grow_by_the_style_scale(
    style_hw: tuple[int, int],
    level_hw: tuple[int, int],
    style_scale: float,
    resized_hw: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(levels, "Objective", lambda *taken: given.extend(taken))
    style = StylePicture(torch.full((3, *style_hw), 0.75), torch.ones(240, 320))
    chosen = replace(SHORT, size=160, style_scale=style_scale)
    objective_at(level_hw, torch.full((1, 3, 240, 320), 0.25), [style], chosen, network())
    _, _, content, (resized,) = given
    torch.testing.assert_close(content, torch.full((1, 3, *level_hw), 0.25))
    torch.testing.assert_close(resized.picture, torch.full((3, *resized_hw), 0.75))
    torch.testing.assert_close(resized.mask, torch.ones(level_hw))


def test_progress_rises_to_the_end_and_shows_the_picture() -> None:
    seen: list[Progress] = []
    chosen = replace(SHORT, levels=2, size=140, iterations=4, coarse_factor=0.5)
    paint(photo(), STYLES, chosen, network(), progress=seen.append)
    assert [p.step for p in seen] == [1, 2, 3, 4, 5, 6]
    assert {p.steps for p in seen} == {6}
    shares = [p.share for p in seen]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    assert shares[1] == pytest.approx(2 / (2 + 4 * 2), abs=0.02)  # half the pixels, half the price
    assert seen[0].picture().shape == (3, 82, 99)
    assert seen[-1].picture().shape == (3, 117, 140)


def test_what_the_callback_raises_ends_the_search() -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        paint(photo(), STYLES, SHORT, network(), progress=stop)


def test_a_time_budget_is_shared_by_the_levels_and_ends_the_search() -> None:
    class Clock:
        seconds = 0.0

        def __call__(self) -> float:
            self.seconds += 0.25
            return self.seconds

    seen: list[Progress] = []
    chosen = replace(SHORT, levels=2, size=140, iterations=5000, seconds=20.0)
    clock = Clock()
    result = paint(photo(), STYLES, chosen, network(), progress=seen.append, clock=clock)
    assert 18 <= result.seconds <= 22
    widths = {p.picture().shape[2] for p in seen}
    assert widths == {99, 140}
    assert seen[-1].share == pytest.approx(1, abs=0.05)


class Work:
    """Objectives whose targets and evaluations take a second for each thousand pixels, on a clock of their own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.built: list[tuple[int, int]] = []
        monkeypatch.setattr(gatys_paint, "objective_at", self.objective_at)

    def objective_at(self, shape_hw: tuple[int, int], *_: Any) -> Work:
        self.built.append(shape_hw)
        self.seconds += shape_hw[0] * shape_hw[1] / 1000
        return self

    def evaluate(self, picture: Tensor) -> Evaluation:
        self.seconds += picture[0, 0].numel() / 1000
        loss = 1 + float(picture.square().mean())
        return Evaluation(loss, {"all": loss}, 2 * picture / picture.numel())

    def paint(self, **changes: Any) -> Painting:
        chosen = replace(SHORT, **{"levels": 3, "size": 200, "iterations": 5000, **changes})
        return paint(photo(), STYLES, chosen, network(), clock=lambda: self.seconds)


@pytest.mark.parametrize(
    ("budget_s", "sizes"),
    [
        (1.0, [(83, 100)]),  # a size there must be
        (60.0, [(83, 100)]),
        (150.0, [(83, 100), (118, 141)]),
        (900.0, [(83, 100), (118, 141), (167, 200)]),
    ],
)
def test_sizes_that_a_time_budget_has_no_time_for_are_left_out(
    budget_s: float, sizes: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(monkeypatch)
    result = work.paint(seconds=budget_s)
    height, width = sizes[-1]
    beginning_s = 2 * 83 * 100 / 1000
    assert work.built == sizes
    assert min(budget_s, beginning_s) <= result.seconds <= max(budget_s, beginning_s) + height * width / 1000
    assert result.seconds == work.seconds
    assert result.picture.shape == (3, 167, 200)
    assert result.loss == result.terms["all"] >= 1


def test_without_a_time_budget_each_size_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(monkeypatch)
    result = work.paint(iterations=2)
    assert work.built == [(83, 100), (118, 141), (167, 200)]
    assert result.evaluations == 3 * (1 + 2)
    assert result.loss == pytest.approx(1 + float(result.picture.square().mean()))


def test_adam_and_lbfgs_are_the_ones_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    for name in ("Adam", "LBFGS"):
        kind = getattr(gatys_paint, name)

        class Noted(kind):  # type: ignore[misc, valid-type]
            def propose(self, point: Point) -> Tensor:
                used.append(type(self).__bases__[0].__name__)
                return super().propose(point)

            def resized(self, shape_hw: tuple[int, int]) -> Any:
                return self

        monkeypatch.setattr(gatys_paint, name, Noted)
    painted(optimiser="adam", iterations=1)
    painted(optimiser="lbfgs", iterations=1)
    assert used == ["Adam", "LBFGS"]


@pytest.mark.parametrize(
    ("styles", "changes", "words"),
    [
        ([], {}, "no style picture"),
        (STYLES, {"style_weights": (1.0, 1.0)}, "2 given for 1 styles"),
        ([StylePicture(painting(), torch.ones(48, 40))], {}, "expected the content's size, 48x40, found 40x48"),
        ([StylePicture(painting()[:, :20])], {}, "style: 44x20 pixels; expected at least 32"),
        (STYLES, {"size": 32}, "the short side would have 27 pixels"),
    ],
)
def test_what_cannot_be_painted_is_refused(styles: list[StylePicture], changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        paint(photo(), styles, replace(SHORT, **changes), network())


def test_weights_that_overflow_are_refused_in_words() -> None:
    with pytest.raises(UserError, match="not a finite number"):
        painted(style_weight=1e308, content_weight=1e308, iterations=1)


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_are_settings_that_can_be_searched_with(name: str) -> None:
    assert PRESETS[name].layers() == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")


def test_the_paper_preset_is_the_published_recipe() -> None:
    paper = PRESETS["paper"]
    assert (paper.init, paper.optimiser, paper.iterations, paper.levels, paper.size) == ("noise", "lbfgs", 500, 1, 512)
    assert (paper.pooling, paper.scaling, paper.statistics, paper.precision) == ("average", "published", "gram", "float32")
