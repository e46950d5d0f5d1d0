"""A style's networks, all or some."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.networks import networks_of
from realtime.errors import ModelError
from realtime.gallery import Style
from tests.fakes import style_of


@pytest.fixture
def style(inversion_onnx: Path) -> Style:
    """fast in float32 and int8, fine in float32 and float16."""
    found = style_of(inversion_onnx)
    model = found.models["fast"]["fp32"]
    return replace(found, models={"fast": {"fp32": model, "int8": model}, "fine": {"fp32": model, "fp16": model}})


@pytest.mark.parametrize(
    ("tiers", "precisions", "expected"),
    [
        (None, None, ["fast fp32", "fast int8", "fine fp32", "fine fp16"]),
        (None, ["int8"], ["fast int8"]),  # what fine does not have is no mistake
        (None, ["int8", "fp16"], ["fast int8", "fine fp16"]),
        (["fine"], None, ["fine fp32", "fine fp16"]),
        (["fast", "fine"], ["fp32"], ["fast fp32", "fine fp32"]),
    ],
)
def test_networks_are_chosen(style: Style, tiers: list[str] | None, precisions: list[str] | None, expected: list[str]) -> None:
    assert [f"{found.tier} {found.precision}" for found in networks_of(style, tiers, precisions)] == expected


def test_one_that_no_tier_has_is_a_mistake(style: Style) -> None:
    with pytest.raises(ModelError, match=r"--tier fine --precision int8: .* has fast fp32, fast int8, fine fp32, fine fp16"):
        networks_of(style, ["fine"], ["int8"])


def test_it_opens_the_network_that_it_names(style: Style) -> None:
    (found,) = networks_of(style, ["fine"], ["fp32"])
    stylizer = found.open()
    assert (stylizer.tier, stylizer.precision, stylizer.provider) == ("fine", "fp32", "cpu")
