"""How many frames of a film are painted at a time."""

from __future__ import annotations

import pytest

from realtime import paint_ahead
from realtime.model_choice import ModelChoice
from realtime.paint_ahead import share_cores
from realtime.studio import Studio
from tests.fakes import FakeStylizer, plain_style


@pytest.fixture
def studio() -> Studio:
    return Studio([plain_style("night_sky")], ModelChoice(precision="fp32"), FakeStylizer)


@pytest.mark.parametrize(("cores", "lanes", "threads"), [(2, 2, 1), (3, 3, 1), (4, 4, 1), (8, 4, 2), (16, 4, 4), (18, 4, 4)])
def test_the_cores_are_shared_out(
    studio: Studio, cores: int, lanes: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint_ahead, "core_count", lambda: cores)
    sharing, found = share_cores(studio, "cpu")
    assert found == lanes
    assert sharing.styles is studio.styles
    assert sharing._choice == ModelChoice(precision="fp32", threads=threads, lanes=lanes)
    assert share_cores(studio, "cpu")[0] is sharing  # made once


def test_one_core_and_a_gpu_paint_one_after_the_other(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paint_ahead, "core_count", lambda: 1)
    assert share_cores(studio, "cpu") == (studio, 1)
    monkeypatch.setattr(paint_ahead, "core_count", lambda: 8)
    monkeypatch.setattr(paint_ahead, "expected_provider", lambda _: "cuda")
    assert share_cores(studio, "auto") == (studio, 1)
