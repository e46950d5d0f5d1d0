"""What the texts after --source name, and what is to be done with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import EXIT_ARGUMENTS, EXIT_SOURCE, OutputError, SourceError, UserError
from realtime.program.inputs import (
    Batch,
    PictureFilm,
    Single,
    expand,
    is_numbered,
    is_numbered_output,
    make_folder,
    natural_order,
    numbered_files,
    numbered_name,
    plan_work,
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three pictures, a clip, and what does not count."""
    folder = tmp_path / "photos"
    (folder / "subfolder.png").mkdir(parents=True)
    for name in ("b2.jpg", "b10.JPG", "a.png", "clip.avi", "notes.txt", ".hidden.jpg"):
        (folder / name).touch()
    return folder


def names(paths: list[Path] | tuple[Path, ...] | None) -> list[str]:
    assert paths is not None
    return [path.name for path in paths]


# ------------------------------------------------------------------------------------------------ expanding


def test_folder_is_read_in_natural_order(photos: Path) -> None:
    assert names(expand(str(photos))) == ["a.png", "b2.jpg", "b10.JPG", "clip.avi"]


def test_wildcards(photos: Path) -> None:
    assert names(expand(f"{photos}/b*")) == ["b2.jpg", "b10.JPG"]
    assert names(expand(f"{photos.parent}/**/*.png")) == ["a.png"]


def test_numbered_pattern_is_read_by_numbers(tmp_path: Path) -> None:
    for name in ("f8.png", "f10.png", "f9.png", "fx.png", "f10.jpg"):
        (tmp_path / name).touch()
    assert names(expand(f"{tmp_path}/f%d.png")) == ["f8.png", "f9.png", "f10.png"]
    assert names(numbered_files(tmp_path / "f%02d.png")) == ["f10.png"]


@pytest.mark.parametrize("text", ["0", "demo", "rtsp://camera/*", "http://host/a?b=%04d", "gone.mp4"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert expand(text) is None
    assert plan_work([text], None) == Single(text)


@pytest.mark.parametrize("name", ["photo[1].jpg", "what?.jpg", "100%d.jpg"])
def test_file_with_the_signs_of_a_pattern_is_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert plan_work([str(tmp_path / name)], None) == Single(str(tmp_path / name))


@pytest.mark.parametrize("pattern", ["", "*.png", "%04d.png"])
def test_nothing_found(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(SourceError, match="no pictures or videos found"):
        expand(str(tmp_path / pattern) if pattern else str(tmp_path))


def test_numbers_are_put_into_names() -> None:
    assert numbered_name(Path("out/f%04d.png"), 7) == Path("out/f0007.png")
    assert numbered_name(Path("out/f%d.png"), 7) == Path("out/f7.png")
    assert not is_numbered(Path("out/f%d_%d.png"))
    assert not is_numbered(Path("out%d/f.png"))
    assert is_numbered_output(Path("out/f%d.png"))
    assert not is_numbered_output(Path("out/f%d.mp4"))


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_in_names_count_as_numbers(one: int, other: int) -> None:
    orders = natural_order(Path(f"frame{one}b.png")), natural_order(Path(f"frame{other}b.png"))
    assert (orders[0] < orders[1]) == (one < other)


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1), min_size=2))
def test_any_names_can_be_ordered(texts: list[str]) -> None:
    assert len(sorted(map(Path, texts), key=natural_order)) == len(texts)


# ------------------------------------------------------------------------------------------------- planning


def test_folder_into_folder_keeps_the_names(photos: Path, tmp_path: Path) -> None:
    work = plan_work([str(photos)], tmp_path / "painted")
    assert isinstance(work, Batch)
    assert [str(job.output.relative_to(tmp_path)) for job in work.jobs] == [
        os.path.join("painted", name) for name in ("a.png", "b2.jpg", "b10.JPG", "clip.mp4")
    ]


def test_names_that_collide_are_numbered(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("A.PNG", "clip.mp4", "clip.mkv"):
        (other / name).touch()
    work = plan_work([str(photos), str(other)], tmp_path / "painted")
    assert isinstance(work, Batch)
    made = [job.output.name for job in work.jobs]
    assert made == ["a.png", "b2.jpg", "b10.JPG", "clip_2.mp4", "A_2.PNG", "clip.mkv", "clip.mp4"]
    assert len({name.casefold() for name in made}) == len(made)


def test_file_that_is_added_takes_over_no_name(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").touch()
    before = plan_work([str(tmp_path)], tmp_path / "painted")
    for name in ("x.avi", "x.mov", "x_2.mp4"):
        (tmp_path / name).touch()
    after = plan_work([str(tmp_path)], tmp_path / "painted")
    assert isinstance(before, Batch)
    assert isinstance(after, Batch)
    assert before.jobs[0] in after.jobs
    assert {(job.source.name, job.output.name) for job in after.jobs} == {
        ("x.mp4", "x.mp4"),
        ("x.mov", "x.mov"),
        ("x_2.mp4", "x_2.mp4"),
        ("x.avi", "x_3.mp4"),
    }


def test_one_file_into_an_existing_folder(photos: Path, tmp_path: Path) -> None:
    work = plan_work([str(photos / "a.png")], tmp_path)
    assert isinstance(work, Batch)
    assert work.jobs[0].output == tmp_path / "a.png"
    assert plan_work(["0"], tmp_path) == Single("0")


@pytest.mark.parametrize("output", ["film.mp4", "film.gif", "out/%04d.png", None])
def test_pictures_into_a_film(photos: Path, output: str | None) -> None:
    pictures = plan_work([f"{photos}/[ab]*.*"], Path(output) if output else None)
    assert isinstance(pictures, PictureFilm)
    assert names(pictures.pictures) == ["a.png", "b2.jpg", "b10.JPG"]


def test_files_that_the_shell_has_found_are_a_film_too(photos: Path) -> None:
    work = plan_work([str(photos / "b10.JPG"), str(photos / "a.png")], Path("film.mp4"))
    assert isinstance(work, PictureFilm)
    assert names(work.pictures) == ["b10.JPG", "a.png"]  # in the order given


@pytest.mark.parametrize(
    ("output", "reason"),
    [("film.mp4", "among them .*clip.avi; give a folder"), ("one.png", "among them"), (None, "among them")],
)
def test_videos_do_not_make_a_film(photos: Path, output: str | None, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        plan_work([str(photos)], Path(output) if output else None)
    assert caught.value.exit_code == EXIT_ARGUMENTS


def test_one_picture_does_not_hold_several(photos: Path) -> None:
    with pytest.raises(UserError, match="one picture for 2"):
        plan_work([f"{photos}/b*"], Path("one.png"))


def test_folder_of_one_picture_is_a_picture(photos: Path) -> None:
    assert plan_work([f"{photos}/a*"], Path("one.png")) == Single(str(photos / "a.png"))


@pytest.mark.parametrize("other", ["0", "demo", "gone.jpg", "rtsp://camera"])
def test_several_sources_are_files(photos: Path, other: str) -> None:
    with pytest.raises(SourceError, match="several sources must be files") as caught:
        plan_work([str(photos), other], photos)
    assert caught.value.exit_code == EXIT_SOURCE


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "folder")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_output_with_a_name_longer_than_a_file_system_takes_is_no_folder() -> None:
    assert plan_work(["demo"], Path("x" * 300 + ".mp4")) == Single("demo")
