"""Stylizers made in the background: neighbours first, failures noted, memory bounded."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from realtime.errors import ModelError
from realtime.gallery import Style, style_from_file
from realtime.networks.model_choice import ModelChoice
from realtime.studio import Studio
from realtime.stylizer import Stylizer
from tests.fakes import SMALL_WH, FakeStylizer, plain_style, wait_until

Make = Callable[[Style, ModelChoice], Stylizer]
OpenStudio = Callable[..., Studio]


class Factory:
    """Makes fake stylizers, unless told to fail or to wait."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.stylizers: dict[str, FakeStylizer] = {}
        self.faults: dict[str, Exception] = {}
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.waiting = 0

    def __call__(self, style: Style, choice: ModelChoice) -> FakeStylizer:
        faults = self.faults
        self.waiting += 1
        self.may_go_on.wait(5.0)
        self.made.append(style.name)
        if style.name in faults:
            raise faults[style.name]
        self.stylizers[style.name] = FakeStylizer(style, choice)
        return self.stylizers[style.name]


@pytest.fixture
def factory() -> Factory:
    return Factory()


@pytest.fixture
def open_studio(factory: Factory) -> Iterator[OpenStudio]:
    """Makes studios with a number of styles, and closes them after the test."""
    opened: list[Studio] = []

    def open_one(count: int) -> Studio:
        studio = Studio([plain_style(f"style_{number}") for number in range(count)], ModelChoice(), factory)
        opened.append(studio)
        return studio

    yield open_one
    factory.may_go_on.set()
    for studio in opened:
        studio.close()
    wait_until(lambda: not any(thread.name == "studio" for thread in threading.enumerate()))


def test_required_style_is_made_once(open_studio: OpenStudio, factory: Factory) -> None:
    studio = open_studio(3)
    assert studio.require(1) is studio.require(1) is studio.ready(1)
    assert factory.made == ["style_1"]


def test_required_style_is_warmed_where_a_size_is_known(open_studio: OpenStudio, factory: Factory) -> None:
    open_studio(3).require(1, SMALL_WH)
    assert factory.stylizers["style_1"].warmed_wh == [SMALL_WH]


def test_error_of_a_required_style_reaches_the_caller(open_studio: OpenStudio, factory: Factory) -> None:
    factory.faults["style_0"] = ModelError("unusable")
    with pytest.raises(ModelError, match="unusable"):
        open_studio(1).require(0)


def test_wanted_style_comes_first_then_its_neighbours(open_studio: OpenStudio, factory: Factory) -> None:
    studio = open_studio(6)
    studio.warm(0, SMALL_WH)
    wait_until(lambda: len(factory.made) == 3 and studio.ready(5) is not None)
    assert factory.made == ["style_0", "style_1", "style_5"]
    assert all(stylizer.warmed_wh == [SMALL_WH] for stylizer in factory.stylizers.values())


@pytest.mark.parametrize("count", [1, 2])
def test_small_galleries(open_studio: OpenStudio, factory: Factory, count: int) -> None:
    studio = open_studio(count)
    studio.warm(0, SMALL_WH)
    wait_until(lambda: all(studio.ready(number) is not None for number in range(count)))
    assert len(factory.made) == count


def test_ready_never_waits(open_studio: OpenStudio, factory: Factory) -> None:
    factory.may_go_on.clear()
    studio = open_studio(3)
    studio.warm(1, SMALL_WH)
    assert studio.ready(1) is None
    factory.may_go_on.set()
    wait_until(lambda: studio.ready(1) is not None)


@pytest.mark.parametrize("fault", [ModelError("its file is damaged"), RuntimeError("its file is damaged")])
def test_style_that_fails_is_noted_and_the_others_are_made(open_studio: OpenStudio, factory: Factory, fault: Exception) -> None:
    factory.faults["style_1"] = fault
    studio = open_studio(4)
    studio.warm(1, SMALL_WH)
    wait_until(lambda: studio.ready(2) is not None and studio.ready(0) is not None)
    assert studio.failure(1) == "its file is damaged"
    assert studio.failure(2) is None
    assert studio.ready(1) is None
    assert factory.made.count("style_1") == 1


def test_only_a_few_styles_are_kept(open_studio: OpenStudio) -> None:
    studio = open_studio(12)

    def warm_and_wait(number: int) -> None:
        studio.warm(number, SMALL_WH)
        wait_until(lambda: all(studio.ready(near % 12) is not None for near in (number - 1, number, number + 1)))

    for number in range(1, 12):
        warm_and_wait(number)
        assert sum(studio.ready(other) is not None for other in range(12)) <= 4


def test_jump_across_the_gallery_keeps_what_is_wanted(open_studio: OpenStudio) -> None:
    studio = open_studio(12)
    for number in (0, 6, 3, 9, 0):
        studio.warm(number, SMALL_WH)
    wait_until(lambda: all(studio.ready(number) is not None for number in (11, 0, 1)))
    assert sum(studio.ready(other) is not None for other in range(12)) <= 4


def test_close_ends_the_thread_and_may_come_twice(open_studio: OpenStudio) -> None:
    studio = open_studio(3)
    studio.warm(0, SMALL_WH)
    studio.close()
    studio.close()
    assert not any(thread.name == "studio" for thread in threading.enumerate())


def test_new_style_is_added_at_the_end(open_studio: OpenStudio, factory: Factory) -> None:
    studio = open_studio(2)
    assert studio.take_up(plain_style("new")) == (2, True)
    assert [style.name for style in studio.styles] == ["style_0", "style_1", "new"]
    studio.warm(2, SMALL_WH)
    wait_until(lambda: studio.ready(2) is not None)


def test_file_that_was_named_is_not_exchanged_for_a_style_of_its_name(tmp_path: Path, inversion_onnx: Path) -> None:
    path = shutil.copy(inversion_onnx, tmp_path / "style_0.onnx")
    styles = [style_from_file(Path(path)), plain_style("style_0")]
    studio = Studio(styles, ModelChoice())
    assert studio.take_up(plain_style("style_0", order=5)) == (1, False)
    assert studio.styles[0] is styles[0]


def test_exchanged_style_is_made_again(open_studio: OpenStudio, factory: Factory) -> None:
    factory.faults["style_1"] = ModelError("damaged")
    studio = open_studio(3)
    studio.warm(0, SMALL_WH)
    wait_until(lambda: studio.failure(1) is not None and studio.ready(0) is not None and studio.ready(2) is not None)
    before, kept = studio.ready(0), studio.ready(2)
    del factory.faults["style_1"]
    assert studio.take_up(plain_style("style_1")) == (1, False)
    assert studio.take_up(plain_style("style_0")) == (0, False)
    wait_until(lambda: studio.ready(0) is not None and studio.ready(1) is not None)
    assert studio.ready(0) is not before
    assert studio.ready(2) is kept
    assert studio.failure(1) is None


def test_style_exchanged_while_it_is_made_is_not_kept(open_studio: OpenStudio, factory: Factory) -> None:
    factory.may_go_on.clear()
    studio = open_studio(1)
    studio.warm(0, SMALL_WH)
    exchanged = plain_style("style_0", order=5)
    studio.take_up(exchanged)
    factory.may_go_on.set()
    wait_until(lambda: studio.ready(0) is not None)
    assert getattr(studio.ready(0), "made_for", None) is exchanged


def test_failure_of_a_style_exchanged_while_it_was_made_is_not_the_new_ones(open_studio: OpenStudio, factory: Factory) -> None:
    factory.may_go_on.clear()
    factory.faults["style_0"] = ModelError("its file is damaged")
    studio = open_studio(1)
    studio.warm(0, SMALL_WH)
    wait_until(lambda: factory.waiting > 0)
    studio.take_up(plain_style("style_0", order=5))
    factory.faults = {}
    factory.may_go_on.set()
    wait_until(lambda: studio.ready(0) is not None)
    assert studio.failure(0) is None


def test_wanted_styles_are_not_made_again_and_again(open_studio: OpenStudio, factory: Factory) -> None:
    """Those that go are the ones that nobody wants, even where a wanted one was made longer ago."""
    studio = open_studio(12)
    for number in (0, 1, 2, 3, 2, 1):
        studio.warm(number, SMALL_WH)
        wait_until(lambda: studio._next_wanted() is None)
    assert factory.made.count("style_2") == 1
