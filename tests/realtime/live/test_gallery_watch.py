"""Styles that appear while the program runs: noticed once, when they are whole."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from pathlib import Path

import pytest

from realtime.live import gallery_watch
from realtime.live.gallery_watch import Arrival, GalleryWatch
from tests.fakes import wait_until, write_style


def arrivals(watch: GalleryWatch) -> list[Arrival]:
    """What has been noticed since the last call."""
    found = []
    while not watch.arrived.empty():
        found.append(watch.arrived.get())
    return found


def names_after_checks(watch: GalleryWatch, checks: int = 2) -> list[str]:
    """Names of the styles that are noticed by a number of looks."""
    for _ in range(checks):
        watch.check()
    return [arrival.style.name for arrival in arrivals(watch) if arrival.style is not None]


@pytest.fixture
def watch(tmp_path: Path) -> GalleryWatch:
    """A watch over a folder that has one style, and one that does not exist yet; its thread does not run."""
    write_style(tmp_path / "styles", "old")
    watch = GalleryWatch([tmp_path / "styles", tmp_path / "later"], ["old"])
    watch.start()
    watch.close()
    return watch


def test_known_styles_are_not_announced(watch: GalleryWatch) -> None:
    assert names_after_checks(watch, 3) == []


def test_new_style_is_noticed_once(watch: GalleryWatch, tmp_path: Path) -> None:
    write_style(tmp_path / "styles", "new")
    watch.check()
    assert arrivals(watch) == []  # it may still be in the making
    assert names_after_checks(watch) == ["new"]
    assert names_after_checks(watch, 3) == []


def test_folder_may_appear_later(watch: GalleryWatch, tmp_path: Path) -> None:
    write_style(tmp_path / "later", "new")
    assert names_after_checks(watch) == ["new"]


def test_style_that_is_being_written_is_waited_for(watch: GalleryWatch, tmp_path: Path) -> None:
    folder = write_style(tmp_path / "styles", "new")
    for size in range(1, 4):
        (folder / "fast.int8.onnx").write_bytes(b"x" * size)
        watch.check()
        assert arrivals(watch) == []
    assert names_after_checks(watch, 1) == ["new"]


def rename(folder: Path, title: str) -> None:
    """Gives a style another title."""
    description = folder / "style.json"
    description.write_text(json.dumps(json.loads(description.read_text()) | {"title": title}))


def test_changed_style_is_noticed(watch: GalleryWatch, tmp_path: Path) -> None:
    rename(tmp_path / "styles" / "old", "Another title")
    watch.check()
    watch.check()
    assert [arrival.style.title for arrival in arrivals(watch) if arrival.style] == ["Another title"]


def test_style_that_came_while_the_gallery_was_loading_is_new(tmp_path: Path) -> None:
    write_style(tmp_path, "old")
    write_style(tmp_path, "new")
    watch = GalleryWatch([tmp_path], ["old"])
    watch.start()
    watch.close()
    assert names_after_checks(watch) == ["new"]


def test_unusable_style_is_told_once(watch: GalleryWatch, tmp_path: Path) -> None:
    (tmp_path / "styles" / "new").mkdir()
    (tmp_path / "styles" / "new" / "style.json").write_text("no json")
    for _ in range(4):
        watch.check()
    found = arrivals(watch)
    assert len(found) == 1
    assert found[0].style is None
    assert "cannot be read as JSON" in found[0].problem


def test_style_that_goes_is_no_news_and_one_that_comes_back_is(watch: GalleryWatch, tmp_path: Path) -> None:
    (tmp_path / "styles").rename(tmp_path / "away")
    assert names_after_checks(watch) == []
    (tmp_path / "away").rename(tmp_path / "styles")
    assert names_after_checks(watch) == ["old"]
    assert names_after_checks(watch, 3) == []


def test_thread_looks_by_itself_and_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_watch, "_EVERY_S", 0.01)
    watch = GalleryWatch([tmp_path], [])
    watch.start()
    write_style(tmp_path, "new")
    wait_until(lambda: not watch.arrived.empty())
    watch.close()
    assert not any(thread.name == "gallery watch" for thread in threading.enumerate())


def test_style_that_another_folder_hides_is_not_announced(tmp_path: Path) -> None:
    """The gallery shows the one of the later folder, now and at the next start."""
    own, extra = tmp_path / "own", tmp_path / "extra"
    write_style(extra, "mine")
    watch = GalleryWatch([own, extra], ["mine"])
    watch.start()
    watch.close()
    write_style(own, "mine")
    assert names_after_checks(watch) == []
    rename(extra / "mine", "Changed")
    assert names_after_checks(watch) == ["mine"]
    shutil.rmtree(extra / "mine")
    watch.check()
    rename(own / "mine", "Changed too")
    assert names_after_checks(watch) == ["mine"]


def test_folder_that_cannot_be_read_for_a_moment_is_looked_at_again(
    watch: GalleryWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.check()

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "glob", fail)
        assert names_after_checks(watch, 3) == []
    assert names_after_checks(watch, 3) == []  # what was there is not new
    write_style(tmp_path / "styles", "new")
    assert names_after_checks(watch) == ["new"]
