"""Training crops: two aligned views of each photo, every photo in turn, unreadable ones left out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.content import ContentPhotos, Views
from models.images import resize_short_side, save_image
from realtime.errors import SourceError

SIZE = 64
LARGEST_SHIFT = 8


def detailed_photo(height: int, width: int, seed: int) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def folder_of(folder: Path, pictures: list[Tensor]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(pictures):
        save_image(folder / f"{number:03d}.png", picture)
    return folder


def open_photos(folder: Path, seed: int = 0) -> ContentPhotos:
    return ContentPhotos(folder, SIZE, torch.Generator().manual_seed(seed), LARGEST_SHIFT)


def middle(views: Views) -> Tensor:
    """The first view without the surroundings that it may bring along: as large as the second."""
    margin = (views.first.shape[-1] - views.second.shape[-1]) // 2
    return views.first[..., margin : margin + SIZE, margin : margin + SIZE]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sizes_hw = ((90, 96), (72, 100), (150, 80))
    return folder_of(tmp_path / "content", [detailed_photo(*size, seed) for seed, size in enumerate(sizes_hw)])


@pytest.fixture
def no_camera_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContentPhotos, "_camera_noise", lambda _self, shape: torch.zeros(shape))


def test_views_have_the_size_asked_for_and_lie_between_0_and_1(folder: Path) -> None:
    views = open_photos(folder).next_views(3)
    assert views.second.shape == middle(views).shape == (3, 3, SIZE, SIZE)
    for batch in (views.first, views.second):
        assert batch.shape[2] == batch.shape[3] >= SIZE
        assert batch.dtype == torch.float32
        assert float(batch.min()) >= 0
        assert float(batch.max()) <= 1
    assert views.noise_std.shape == (3,)


@pytest.mark.usefixtures("no_camera_noise")
def test_without_noise_both_views_agree_where_they_overlap(folder: Path) -> None:
    photos = open_photos(folder)
    shifts = set()
    for _ in range(12):
        views = photos.next_views(2)
        first, second = views.overlap(middle(views), views.second)
        assert first.shape == second.shape == (2, 3, SIZE - views.down, SIZE - views.right)
        assert torch.equal(first, second)
        if views.down or views.right:
            assert not torch.equal(middle(views), views.second)
        shifts.add((views.down, views.right))
    assert len(shifts) > 3
    assert all(0 <= shift <= LARGEST_SHIFT for pair in shifts for shift in pair)


def test_overlap_by_hand() -> None:
    pixels = torch.arange(16.0).reshape(1, 1, 4, 4)
    moved = torch.full((1, 1, 4, 4), -1.0)
    moved[..., :3, :2] = pixels[..., 1:, 2:]
    views = Views(pixels, moved, 1, 2, torch.zeros(1))
    first, second = views.overlap(pixels, moved)
    assert first.tolist() == second.tolist() == [[[[6.0, 7.0], [10.0, 11.0], [14.0, 15.0]]]]


def test_the_second_views_noise_has_the_strength_that_is_stated(tmp_path: Path) -> None:
    photos = open_photos(folder_of(tmp_path / "content", [torch.full((3, 80, 80), 0.5)]))
    for _ in range(6):
        views = photos.next_views(2)
        assert torch.equal(views.first, torch.full_like(views.first, 128 / 255))
        measured = (views.second - middle(views)).flatten(1).std(1)
        assert bool(((measured / views.noise_std) > 0.6).all())
        assert bool(((measured / views.noise_std) < 1.4).all())
        assert bool((views.noise_std >= math.exp(-5.8)).all())
        assert bool((views.noise_std <= math.exp(-3.2)).all())


def test_camera_noise_is_fine_and_coarse(folder: Path) -> None:
    """Of nearly unit variance; what compression leaves of it is alike over a few pixels, and nowhere beyond two blocks."""
    noise = open_photos(folder)._camera_noise(torch.Size((4, 3, 250, 260)))
    assert noise.shape == (4, 3, 250, 260)
    variance = float(noise.var())
    assert 0.80 < variance < 0.91

    def alike(first: Tensor, second: Tensor) -> float:
        return float((first * second).mean()) / variance

    for apart, low, high in ((1, 0.36, 0.47), (8, 0.06, 0.15), (24, -0.04, 0.04)):
        assert low < alike(noise[..., apart:], noise[..., :-apart]) < high
        assert low < alike(noise[..., apart:, :], noise[..., :-apart, :]) < high
    assert abs(alike(noise[:, 0], noise[:, 1])) < 0.04  # each channel has its own


def test_one_seed_gives_one_sequence(folder: Path) -> None:
    first, again, other = (open_photos(folder, seed) for seed in (5, 5, 6))
    for _ in range(3):
        one, two, three = first.next_views(2), again.next_views(2), other.next_views(2)
        assert torch.equal(one.first, two.first)
        assert torch.equal(one.second, two.second)
        assert (one.down, one.right) == (two.down, two.right)
        assert not torch.equal(one.first, three.first)


def test_every_photo_but_the_one_for_measuring_comes_once_in_a_round(tmp_path: Path) -> None:
    levels = [40, 80, 120, 160, 200]
    flat = [torch.full((3, 80, 90), level / 255) for level in levels]
    photos = open_photos(folder_of(tmp_path / "content", flat))
    assert len(photos) == 4
    for _ in range(3):
        seen = photos.next_views(4).first[:, 0, 0, 0] * 255
        assert sorted(seen.round().int().tolist()) == levels[1:]


def test_photos_are_read_once_and_kept(folder: Path) -> None:
    photos = open_photos(folder)
    photos.next_views(len(photos))
    for path in folder.iterdir():
        path.unlink()
    assert photos.next_views(4).first.shape[0] == 4
    assert photos.unreadable == 0


def test_photos_that_do_not_fit_into_memory_are_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.content._CACHE_BYTES", 0)
    photos = open_photos(folder)
    photos.next_views(len(photos))
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(SourceError):
        photos.next_views(1)


@pytest.mark.parametrize("size_hw", [(20, 30), (71, 200), (64, 64), (1, 1)])
def test_small_photos_are_enlarged(tmp_path: Path, size_hw: tuple[int, int]) -> None:
    photos = open_photos(folder_of(tmp_path / "content", [detailed_photo(*size_hw, 0)]))
    assert photos.next_views(2).second.shape == (2, 3, SIZE, SIZE)


@pytest.mark.usefixtures("no_camera_noise")
@pytest.mark.parametrize("size_hw", [(2, 4000), (4000, 2)])
def test_no_more_is_enlarged_of_a_stripe_than_a_few_crops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_hw: tuple[int, int]
) -> None:
    """Every time at another place of it."""
    sizes = []

    def resize(picture: Tensor, short_side: int) -> Tensor:
        resized = resize_short_side(picture, short_side)
        sizes.append(tuple(sorted(resized.shape[1:])))
        return resized

    monkeypatch.setattr("models.content.resize_short_side", resize)
    brightness = torch.linspace(0, 1, 4000).reshape((1, 1, -1) if size_hw[1] == 4000 else (1, -1, 1))
    photos = open_photos(folder_of(tmp_path / "content", [brightness.expand(3, *size_hw)]))
    seen = [float(photos.next_views(1).first.mean()) for _ in range(20)]
    assert len(sizes) == 20
    assert all(long == 4 * short for short, long in sizes)
    assert min(seen) < 0.25
    assert max(seen) > 0.75


def test_large_photos_are_shown_as_a_whole_not_through_a_keyhole(tmp_path: Path) -> None:
    """The left half is black and the right one white: a crop of a large photo, made smaller, meets the border often."""
    photo = torch.cat([torch.zeros(3, 400, 200), torch.ones(3, 400, 200)], 2)
    photos = open_photos(folder_of(tmp_path / "content", [photo]))
    mixed = sum(0.01 < float(middle(photos.next_views(1)).mean()) < 0.99 for _ in range(20))
    assert mixed > 10


def test_an_unreadable_photo_is_skipped_counted_and_said_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "001.png").write_bytes(b"not a picture")
    photos = open_photos(folder)
    for _ in range(4):
        photos.next_views(2)
    assert photos.unreadable == 1
    said = capsys.readouterr().err
    assert said.count("skipped:") == 1
    assert "001.png" in said


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_but_unreadable_photos_ends_in_an_error(tmp_path: Path, count: int) -> None:
    for number in range(count):
        (tmp_path / f"{number}.jpg").write_bytes(b"not a picture")
    photos = open_photos(tmp_path)
    with pytest.raises(SourceError, match="none of its pictures can be read"):
        photos.next_views(1)
    assert photos.unreadable == max(1, count - 1)


def test_a_round_is_gone_on_with_although_a_photo_of_it_cannot_be_read(tmp_path: Path) -> None:
    """A restarted training has not met the unreadable one yet; it draws the same photos all the same."""
    folder = folder_of(tmp_path / "content", [detailed_photo(90, 96, seed) for seed in range(8)])
    (folder / "003.png").write_bytes(b"not a picture")
    random = torch.Generator().manual_seed(4)
    whole = ContentPhotos(folder, SIZE, random, LARGEST_SHIFT)
    for _ in range(9):  # into the second round: the first had it
        whole.next_views(1)
    kept, kept_random = whole.state(), random.get_state()
    expected = [whole.next_views(1).first for _ in range(9)]
    again = torch.Generator()
    resumed = ContentPhotos(folder, SIZE, again, LARGEST_SHIFT)
    again.set_state(kept_random)
    resumed.restore(kept)
    for views in expected:
        assert torch.equal(resumed.next_views(1).first, views)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no photographs found"):
        open_photos(tmp_path)


@pytest.mark.usefixtures("no_camera_noise")
def test_a_photo_hardly_larger_than_a_crop_brings_its_reflection_along_instead_of_being_enlarged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.content._LARGEST_SCALE", 1.0)
    photo = detailed_photo(SIZE + 6, SIZE + 6, 0)
    photos = open_photos(folder_of(tmp_path / "content", [photo]))
    kept = (photo * 255).round().to(torch.uint8).float() / 255
    shifts = set()
    for _ in range(20):
        window = middle(photos.next_views(1))[0, :, 4:-4, 4:-4]  # the outermost pixels may be reflected ones
        found = [
            (top, left, flipped)
            for flipped, picture in ((False, kept), (True, kept.flip(2)))
            for top in range(15)
            for left in range(15)
            if torch.equal(window, picture[:, top : top + SIZE - 8, left : left + SIZE - 8])
        ]
        assert len(found) == 1  # its own pixels, nowhere resampled
        shifts.add(found[0])
    assert len(shifts) > 5
