"""Which photographs a training works on: folders, single pictures, videos, Imagenette."""

from __future__ import annotations

import os
import sys
import urllib.error
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torchvision.datasets
from hypothesis import given, settings
from hypothesis import strategies as st

from models import photos, train
from models.images import load_image, save_image
from models.photos import EVALUATION_EVERY, evaluation_photos, list_photos, training_photos
from realtime.errors import EXIT_SOURCE, OutputError, SourceError
from tests.fakes import cut_short, write_clip
from tests.realtime.pictures.test_photo_choice import scene


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the user's, and no options that tests of streams have left behind."""
    monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", raising=False)
    monkeypatch.setattr(photos, "user_cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def test_photos_are_listed_by_name_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "c.webp", "notes.txt", "clip.mp4", "._b.jpg", ".hidden.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.jpg").mkdir()
    assert [path.name for path in list_photos(tmp_path)] == ["a.PNG", "b.jpg", "c.webp"]


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no photographs found"):
        list_photos(tmp_path)


def test_a_missing_content_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a folder"):
        list_photos(tmp_path / "missing")


def refused(*_: Any) -> Any:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("asked", ["iterdir", "is_file"])
def test_a_folder_that_may_not_be_read_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    (tmp_path / "photo.jpg").touch()
    monkeypatch.setattr(Path, asked, refused)
    with pytest.raises(SourceError, match=r"cannot be read \(Permission denied\)"):
        list_photos(tmp_path)


@settings(deadline=None)
@given(st.integers(2, 260))
def test_no_photo_is_both_trained_on_and_measured_with(count: int) -> None:
    photos = [Path(f"{number:04d}.jpg") for number in range(count)]
    kept, trained = evaluation_photos(photos), training_photos(photos)
    assert kept == [path for number, path in enumerate(photos) if number % 50 == 0]
    assert not set(kept) & set(trained)
    assert sorted(kept + trained) == photos


def test_every_fiftieth_photo_is_kept_for_measuring() -> None:
    assert EVALUATION_EVERY == 50


def test_a_single_photo_serves_for_both() -> None:
    photos = [Path("only.jpg")]
    assert training_photos(photos) == evaluation_photos(photos) == photos


def test_one_picture_is_enough(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    assert list_photos(tmp_path / "photo.jpg") == [tmp_path / "photo.jpg"]


# ------------------------------------------------------------------------------------------------- videos


def test_frames_of_a_video_are_taken_out_once(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = write_clip(tmp_path / "my clip.mp4", pictures=[scene(number // 10) for number in range(40)])
    found = list_photos(clip)
    assert len(found) == 4
    assert all(cache in path.parents and path.suffix == ".jpg" for path in found)
    assert [int(float(path.stem)) for path in found] == [0, 1, 2, 3]
    picture = np.ascontiguousarray(load_image(found[2]).numpy()[::-1].transpose(1, 2, 0))
    assert float(np.abs(picture.astype(int) - scene(2)).mean()) < 8
    monkeypatch.setattr(photos, "_take_out", None)  # not read again
    assert list_photos(clip) == found


def test_changed_video_is_read_again(tmp_path: Path, cache: Path) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip, pictures=[scene(1)] * 3)
    assert len(list_photos(clip)) == 1
    write_clip(clip, pictures=[scene(number) for number in range(5)])
    assert len(list_photos(clip)) == 5
    assert list(cache.rglob("*.partial")) == []


@pytest.mark.parametrize(("content", "reason"), [(b"", "is empty"), (b"no video", "not a video that can be read")])
def test_file_that_is_no_video(
    tmp_path: Path, cache: Path, content: bytes, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(SourceError, match=f"clip.mp4: .*{reason}"):
        list_photos(tmp_path / "clip.mp4")
    assert capfd.readouterr().err == ""
    assert list((cache / "content").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
def test_video_whose_name_is_no_text(tmp_path: Path, cache: Path) -> None:
    video = write_clip(tmp_path / "clip.mp4", pictures=[scene(1)]).rename(tmp_path / os.fsdecode(b"caf\xe9.mp4"))
    assert len(list_photos(video)) == 1


def test_photographs_are_spread_over_a_videos_length(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "_VIDEO_PHOTOS", 2)
    clip = write_clip(tmp_path / "clip.mp4", pictures=[scene(number // 10) for number in range(40)])
    first, second = (float(path.stem) for path in list_photos(clip))
    assert first < 2 <= second


def test_of_a_video_that_ends_damaged_the_frames_before_are_taken(tmp_path: Path, cache: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures=[scene(number // 10) for number in range(40)])
    found = [int(float(path.stem)) for path in list_photos(cut_short(clip, tmp_path / "cut.mp4"))]
    assert found == list(range(len(found)))
    assert 1 <= len(found) < 4


def test_dark_video_has_no_photographs(tmp_path: Path, cache: Path) -> None:
    clip = write_clip(tmp_path / "dark.mp4", pictures=[np.zeros((48, 64, 3), np.uint8)] * 5)
    with pytest.raises(SourceError, match="no usable photograph in 5 frames"):
        list_photos(clip)
    assert list((cache / "content").iterdir()) == []


def test_cache_that_cannot_be_written(tmp_path: Path, cache: Path) -> None:
    cache.touch()
    with pytest.raises(OutputError, match="cannot be written"):
        list_photos(write_clip(tmp_path / "clip.mp4", pictures=[scene(1)]))


@pytest.mark.parametrize("step", ["rename", "listing"])
def test_cache_that_is_closed_on_the_way(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    clip = write_clip(tmp_path / "clip.mp4", pictures=[scene(1)])
    if step == "rename":
        monkeypatch.setattr(photos.os, "rename", refused)
    else:
        monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(OutputError, match=r"cache folder .*clip-.* cannot be (written|read) \(Permission denied\)"):
        list_photos(clip)
    assert list(cache.rglob("*.partial")) == []


# ---------------------------------------------------------------------------------------------- Imagenette


class FakeImagenette:
    """In place of torchvision's: unpacks three pictures, or fails as the network does."""

    downloads = 0
    fault: Exception | None = None

    def __init__(self, root: Path, *, split: str, size: str, download: bool) -> None:
        assert (split, size, download) == ("train", "320px", True)
        type(self).downloads += 1
        (root / "imagenette2-320.tgz").touch()
        folder = root / "imagenette2-320" / "train" / "n01440764"
        folder.mkdir(parents=True)
        if self.fault is not None:
            raise self.fault
        for number in range(3):
            cv2.imwrite(str(folder / f"{number}.JPEG"), scene(number))


@pytest.fixture
def imagenette(monkeypatch: pytest.MonkeyPatch) -> type[FakeImagenette]:
    class Fresh(FakeImagenette):
        downloads = 0

    monkeypatch.setattr(torchvision.datasets, "Imagenette", Fresh)
    return Fresh


def test_imagenette_is_downloaded_once(
    cache: Path, imagenette: type[FakeImagenette], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert [path.name for path in list_photos(Path("imagenette"))] == ["0.JPEG", "1.JPEG", "2.JPEG"]
    assert imagenette.downloads == 1
    assert not list(cache.rglob("*.tgz"))
    assert capsys.readouterr().err.count("downloading") == 1


NETWORK_FAULTS: list[Exception] = [
    urllib.error.URLError("[Errno -3] Temporary failure in name resolution"),
    RuntimeError("File not found or corrupted."),
    EOFError("Compressed file ended before the end-of-stream marker was reached"),
]


@pytest.mark.parametrize("fault", NETWORK_FAULTS)
def test_imagenette_without_a_network(cache: Path, imagenette: type[FakeImagenette], fault: Exception) -> None:
    imagenette.fault = fault
    with pytest.raises(SourceError, match=r"imagenette: cannot be downloaded into .*; check the network") as caught:
        list_photos(Path("imagenette"))
    assert caught.value.exit_code == EXIT_SOURCE
    imagenette.fault = None  # what the failure left behind is not taken for the whole
    assert len(list_photos(Path("imagenette"))) == 3


def test_two_processes_that_fetch_imagenette_at_once_do_each_other_no_harm(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[list[Path]] = []

    class Overtaken(FakeImagenette):
        """While its files are half there, another process does it all."""

        def __init__(self, root: Path, **options: Any) -> None:
            if not found:
                found.append([])
                (root / "imagenette2-320" / "train" / "n01440764").mkdir(parents=True)
                (root / "imagenette2-320" / "train" / "n01440764" / "0.JPEG").touch()
                found[0] = list_photos(Path("imagenette"))
                (root / "imagenette2-320" / "train" / "n01440764" / "0.JPEG").unlink()
                (root / "imagenette2-320" / "train" / "n01440764").rmdir()
            super().__init__(root, **options)

    monkeypatch.setattr(torchvision.datasets, "Imagenette", Overtaken)
    found.append(list_photos(Path("imagenette")))
    for photos_found in found:
        assert [path.name for path in photos_found] == ["0.JPEG", "1.JPEG", "2.JPEG"]
        assert all(path.stat().st_size for path in photos_found)
    assert [path.name for path in cache.iterdir()] == ["imagenette"]


def test_an_unpacking_that_was_broken_off_is_not_taken_for_the_whole(cache: Path, imagenette: type[FakeImagenette]) -> None:
    half = cache / "imagenette" / "imagenette2-320" / "train" / "n01440764"
    half.mkdir(parents=True)
    (half / "half.JPEG").touch()
    assert [path.name for path in list_photos(Path("imagenette"))] == ["0.JPEG", "1.JPEG", "2.JPEG"]
    assert imagenette.downloads == 1


def test_training_says_that_there_is_no_network(
    tmp_path: Path, cache: Path, imagenette: type[FakeImagenette], capsys: pytest.CaptureFixture[Any]
) -> None:
    imagenette.fault = NETWORK_FAULTS[0]
    save_image(tmp_path / "painting.png", load_image(_picture(tmp_path)))
    arguments = ["--style", str(tmp_path / "painting.png"), "--content", "imagenette", "--out", str(tmp_path / "run")]
    assert train.main([*arguments, "--steps", "1", "--style-size", "96"]) == EXIT_SOURCE
    errors = capsys.readouterr().err.splitlines()
    assert [line for line in errors if line.startswith("error: content imagenette: cannot be downloaded")] == errors[-1:]


def _picture(folder: Path) -> Path:
    cv2.imwrite(str(folder / "scene.png"), scene(0))
    return folder / "scene.png"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_name_with_a_colon_is_no_protocol(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "clip.mp4", pictures=[scene(1)]).rename(tmp_path / "12:30.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(list_photos(Path("12:30.mp4"))) == 1
