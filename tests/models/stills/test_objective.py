"""The loss of a still: by hand, against float64, in tiles, in regions; and its gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.losses import total_variation
from models.stills.objective import Objective, StylePicture
from models.stills.settings import GatysSettings
from models.stills.tiles import halo_of, layer_stride, tiles_of
from models.vgg import VGGFeatures
from tests.fakes_torch import made_up_vgg
from tests.models.stills.fakes import CONTENT_LAYERS, STYLE_LAYERS, network, painting, photo

SETTINGS = GatysSettings(content_layers=CONTENT_LAYERS, style_layers=STYLE_LAYERS, precision="float32")
START = photo(seed=5)[None]


def objective(features: VGGFeatures | None = None, styles: list[StylePicture] | None = None, **changes: Any) -> Objective:
    chosen = replace(SETTINGS, **changes)
    return Objective(features or network(), chosen, photo()[None], styles or [StylePicture(painting())])


def by_hand(picture: Tensor, features: VGGFeatures) -> float:
    """Eq. 7 with relative terms, spelt out in the precision of the features."""
    found, content, style = (
        {name: value[0].flatten(1) for name, value in features(batch.to(features.mean.dtype)).items()}
        for batch in (picture, photo()[None], painting()[None])
    )
    content_term = (found["relu2_1"] - content["relu2_1"]).pow(2).sum() / content["relu2_1"].pow(2).sum()
    style_term = 0.0
    for layer in STYLE_LAYERS:
        gram = found[layer] @ found[layer].T / found[layer].shape[1]
        wanted = style[layer] @ style[layer].T / style[layer].shape[1]
        style_term += float((gram - wanted).pow(2).sum() / wanted.pow(2).sum()) / 2
    return float(content_term) * SETTINGS.content_weight + style_term * SETTINGS.style_weight


def test_the_loss_is_the_papers_sum_with_relative_terms_in_float64() -> None:
    wanted = by_hand(START, network().double())
    assert objective().evaluate(START).loss == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("kind", ["relu", "conv"])
def test_the_published_terms_are_equation_1_and_4_on_rescaled_activations(kind: str) -> None:
    """Every channel divided by its mean activation, before a ReLU its mean magnitude, over the pictures at hand."""
    layers = (f"{kind}1_1", f"{kind}2_1")
    features = network(layers).double()
    pictures = {"found": START, "content": photo()[None], "style": painting()[None]}
    maps = {key: {name: v[0].flatten(1) for name, v in features(b.double()).items()} for key, b in pictures.items()}
    total = 0.0
    for layer in layers:
        means = (maps["content"][layer].abs().mean(1) + maps["style"][layer].abs().mean(1)) / 2
        means = means.clamp_min(float(means.mean()) * 0.01 + 1e-8).unsqueeze(1)
        found, content, style = (maps[key][layer] / means for key in ("found", "content", "style"))
        if layer == layers[1]:  # content as a mean
            total += 0.08 * float((found - content).pow(2).mean()) / 2
        grams = [values @ values.T / values.shape[1] for values in (found, style)]
        total += 0.5 * float((grams[0] - grams[1]).pow(2).sum()) / (4 * found.shape[0] ** 2)
    chosen = {"content_layers": {layers[1]: 1.0}, "style_layers": dict.fromkeys(layers, 1.0)}
    measured = objective(network(layers), scaling="published", content_weight=0.08, style_weight=1.0, **chosen)
    assert measured.evaluate(START).loss == pytest.approx(total, rel=1e-4)


def test_content_and_style_pictures_have_no_loss_of_their_own() -> None:
    assert objective(style_weight=0.0).evaluate(photo()[None]).loss == pytest.approx(0, abs=1e-9)
    same = [StylePicture(photo())]
    assert objective(styles=same).evaluate(photo()[None]).loss == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("statistics", ["gram", "covariance", "wasserstein"])
def test_the_gradient_is_the_slope_of_the_loss(statistics: str) -> None:
    """Central differences in float64 along random directions."""
    measured = objective(network().double(), statistics=statistics)
    start = START.double()
    gradient = measured.evaluate(start).gradient
    random = torch.Generator().manual_seed(3)
    for _ in range(3):
        direction = torch.randn(start.shape, generator=random, dtype=torch.float64)
        step = 1e-5 * direction / direction.norm()
        slope = measured.evaluate(start + step).loss - measured.evaluate(start - step).loss
        assert float((gradient * 2 * step).sum()) == pytest.approx(slope, rel=1e-4, abs=1e-10)


@pytest.mark.parametrize("statistics", ["gram", "covariance", "wasserstein"])
@pytest.mark.parametrize("normalised", [False, True])
def test_tiles_give_the_loss_and_gradient_of_the_whole(statistics: str, normalised: bool) -> None:
    content, start = photo(150, 139)[None], photo(150, 139, seed=9)[None]
    mask = (torch.arange(139) > 70).float().expand(150, -1)
    styles = [StylePicture(painting(130, 141)), StylePicture(photo(100, 90, seed=4), mask)]
    chosen = replace(SETTINGS, statistics=statistics, normalised_gradients=normalised, tv_weight=0.5)
    whole = Objective(network(), replace(chosen, tile=256), content, styles).evaluate(start)
    tiled = Objective(network(), replace(chosen, tile=64), content, styles).evaluate(start)
    assert tiled.loss == pytest.approx(whole.loss, rel=1e-5)
    torch.testing.assert_close(tiled.gradient, whole.gradient, rtol=1e-3, atol=1e-4 * float(whole.gradient.abs().max()))


def test_tiles_are_exact_down_to_the_deepest_layer() -> None:
    layers = ("relu1_1", "relu3_1", "relu5_1")
    features = VGGFeatures(layers, made_up_vgg("conv5_1"), "max")
    chosen = replace(SETTINGS, style_layers=dict.fromkeys(layers, 1.0), content_layers={"relu5_1": 1.0})
    content, start, styles = photo(208, 183)[None], photo(208, 183, seed=2)[None], [StylePicture(painting(150, 210))]
    whole = Objective(features, replace(chosen, tile=512), content, styles).evaluate(start)
    tiled = Objective(features, replace(chosen, tile=96), content, styles).evaluate(start)
    assert tiled.loss == pytest.approx(whole.loss, rel=1e-5)
    torch.testing.assert_close(tiled.gradient, whole.gradient, rtol=1e-3, atol=1e-4 * float(whole.gradient.abs().max()))


def test_the_halo_is_as_wide_as_the_deepest_feature_sees() -> None:
    assert halo_of(["relu1_1"]) == 16  # one pixel, up to the grid
    assert halo_of(["relu1_1", "conv5_1"]) == 80
    assert layer_stride("conv1_2") == 1 and layer_stride("relu5_1") == 16


@settings(deadline=None, max_examples=60)
@given(height=st.integers(32, 700), width=st.integers(32, 700), side=st.integers(64, 300))
def test_inner_parts_make_up_the_picture(height: int, width: int, side: int) -> None:
    covered = torch.zeros(height, width, dtype=torch.int32)
    whole = torch.arange((height // 16) * (width // 16)).reshape(1, 1, height // 16, width // 16)
    found = torch.full_like(whole, -1)
    for tile in tiles_of((height, width), side, 80):
        covered[tile.rows, tile.columns] += 1
        top, left = tile.rows_outer.start // 16, tile.columns_outer.start // 16
        outer = whole[..., top : tile.rows_outer.stop // 16, left : tile.columns_outer.stop // 16]
        tile.inner(found, "relu5_1").copy_(tile.inner_of_outer(outer, "relu5_1"))
        longest = max(tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
        assert longest < side + 32 or height * width <= side**2
    assert bool((covered == 1).all())
    assert torch.equal(found, whole)


def test_weights_scale_their_terms() -> None:
    once = objective(content_weight=1.0, style_weight=2.0, tv_weight=3.0).evaluate(START)
    other = objective(content_weight=4.0, style_weight=1.0, tv_weight=6.0).evaluate(START)
    for name, value in once.terms.items():
        factor = {"content": 4.0, "style": 0.5, "tv": 2.0}[name.split()[0]]
        assert other.terms[name] == pytest.approx(value * factor, rel=1e-5)
    assert once.terms["tv"] == pytest.approx(3 * float(total_variation(START)), rel=1e-5)


def test_layer_weights_are_shares_and_layers_left_out_have_no_term() -> None:
    both = objective(style_layers={"relu1_1": 3.0, "relu2_1": 1.0}).evaluate(START).terms
    even = objective(style_layers={"relu1_1": 1.0, "relu2_1": 1.0}).evaluate(START).terms
    assert both["style 0 relu1_1"] == pytest.approx(even["style 0 relu1_1"] * 1.5, rel=1e-5)
    assert both["style 0 relu2_1"] == pytest.approx(even["style 0 relu2_1"] * 0.5, rel=1e-5)
    alone = objective(style_layers={"relu1_1": 1.0, "relu2_1": 0.0}).evaluate(START).terms
    assert "style 0 relu2_1" not in alone
    before_relu = objective(network(("conv1_1", "relu2_1")), style_layers={"conv1_1": 1.0}).evaluate(START).terms
    assert before_relu["style 0 conv1_1"] != pytest.approx(alone["style 0 relu1_1"], rel=1e-3)


def test_pooling_changes_what_lies_behind_it_alone() -> None:
    average = objective(network(pooling="average")).evaluate(START).terms
    largest = objective(network(pooling="max")).evaluate(START).terms
    assert largest["style 0 relu1_1"] == pytest.approx(average["style 0 relu1_1"], rel=1e-5)
    assert largest["style 0 relu2_1"] != pytest.approx(average["style 0 relu2_1"], rel=1e-3)


def test_blend_weights_go_from_one_style_to_the_other() -> None:
    styles = [StylePicture(painting()), StylePicture(photo(seed=8))]
    losses = [
        objective(styles=styles, style_weights=weights, content_weight=0.0).evaluate(START).loss
        for weights in ((1.0, 0.0), (3.0, 1.0), (0.0, 1.0))
    ]
    alone = [objective(styles=[style], content_weight=0.0).evaluate(START).loss for style in styles]
    assert losses[0] == pytest.approx(alone[0], rel=1e-5)
    assert losses[2] == pytest.approx(alone[1], rel=1e-5)
    assert losses[1] not in (pytest.approx(losses[0], rel=1e-3), pytest.approx(losses[2], rel=1e-3))


def test_styles_share_the_loss_by_their_weights_wherever_they_are_wanted() -> None:
    blended = [StylePicture(painting()), StylePicture(photo(seed=8))]
    masked = StylePicture(photo(seed=9), torch.ones(40, 48))
    parts = [
        objective(styles=blended, style_weights=(0.75, 0.25), content_weight=0.0).evaluate(START).loss,
        objective(styles=[masked], content_weight=0.0).evaluate(START).loss,
    ]
    whole = objective(styles=[*blended, masked], style_weights=(3.0, 1.0, 12.0), content_weight=0.0).evaluate(START)
    assert whole.loss == pytest.approx(0.25 * parts[0] + 0.75 * parts[1], rel=1e-5)


def test_a_masked_style_pulls_inside_its_mask_alone() -> None:
    mask = torch.zeros(40, 48)
    mask[:, 24:] = 1
    measured = objective(styles=[StylePicture(painting(), mask)], content_weight=0.0, style_layers={"relu1_1": 1.0})
    gradient = measured.evaluate(START).gradient[0].abs().sum((0, 1))
    assert float(gradient[:23].max()) == 0  # a feature of conv1_1 sees one pixel further
    assert float(gradient[24:].min()) > 0
    there = objective(styles=[StylePicture(START[0, :, :, 24:], mask)], content_weight=0.0, style_layers={"relu1_1": 1.0})
    assert there.evaluate(START).loss < 0.02 * measured.evaluate(START).loss  # but for what is seen beyond the mask's edge
    inside = objective(styles=[StylePicture(painting(), torch.ones(40, 48))], content_weight=0.0).evaluate(START)
    assert inside.loss == pytest.approx(objective(content_weight=0.0).evaluate(START).loss, rel=1e-5)


def test_normalised_gradients_weigh_the_same_whatever_their_loss() -> None:
    """With one term, its gradient only changes its length; and that no longer depends on the weights used elsewhere."""
    plain = objective(content_weight=0.0, style_layers={"relu1_1": 1.0}).evaluate(START)
    normalised = objective(content_weight=0.0, style_layers={"relu1_1": 1.0}, normalised_gradients=True).evaluate(START)
    assert normalised.loss == pytest.approx(plain.loss)
    ratio = normalised.gradient / plain.gradient
    torch.testing.assert_close(ratio, ratio.median().expand_as(ratio), rtol=1e-2, atol=0)
    halved = objective(
        content_weight=0.0, style_layers={"relu1_1": 1.0}, normalised_gradients=True, style_weight=SETTINGS.style_weight / 2
    )
    torch.testing.assert_close(halved.evaluate(START).gradient * 2, normalised.gradient)
