"""Results that would be written over what is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime.errors import OutputError
from realtime.program.inputs import Batch, Job, PictureFilm, Single, Work, plan_work
from realtime.program.same_files import check_apart, check_not_source, identities


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A film under three names, numbered pictures, and another film."""
    monkeypatch.chdir(tmp_path)
    for name in ("film.mkv", "other.mkv", "1.png", "2.png", "3.png"):
        (tmp_path / name).write_bytes(b"precious")
    (tmp_path / "link.mkv").symlink_to("film.mkv")
    (tmp_path / "hard.mkv").hardlink_to(tmp_path / "film.mkv")
    return tmp_path


@pytest.mark.parametrize("output", ["film.mkv", "./film.mkv", "link.mkv", "hard.mkv"])
def test_output_is_the_source_by_whatever_name(output: str) -> None:
    with pytest.raises(OutputError, match=f"{output.removeprefix('./')}: is the source itself; name another file"):
        check_apart(Single("film.mkv"), Path(output), None)


@pytest.mark.parametrize("output", ["other.mkv", "new.mkv", "nowhere/%d.png", "painted%d.png", None])
def test_other_outputs_are_fine(output: str | None) -> None:
    check_apart(Single("film.mkv"), None if output is None else Path(output), Path("stats.json"))
    check_apart(Single("0"), None if output is None else Path(output), Path("stats.json"))


def test_numbered_pictures_onto_themselves() -> None:
    work = plan_work(["%d.png"], Path("%d.png"))
    assert isinstance(work, PictureFilm)
    with pytest.raises(OutputError, match="source itself"):
        check_apart(work, Path("%d.png"), None)
    with pytest.raises(OutputError, match="source itself"):
        check_apart(Single("3.png"), Path("%d.png"), None)
    check_apart(work, Path("%03d.png"), None)


def test_video_whose_name_holds_the_sign_of_a_number_is_no_pattern(folder: Path) -> None:
    (folder / "film%d.mkv").hardlink_to(folder / "film.mkv")
    with pytest.raises(OutputError, match=r"film%d\.mkv: is the source itself"):
        check_apart(Single("film%d.mkv"), Path("film%d.mkv"), None)
    check_apart(Single("film.mkv"), Path("new%d.mkv"), None)


def test_only_names_that_will_be_written_count(folder: Path) -> None:
    for name in ("0.png", "0001.png", "0002.png"):
        (folder / name).write_bytes(b"precious")
    check_apart(plan_work(["%04d.png"], Path("%d.png")), Path("%d.png"), None)
    check_apart(Single("0.png"), Path("%d.png"), None)  # the first is 1
    with pytest.raises(OutputError, match=r"0002\.png: is the source itself"):
        check_apart(Single("0002.png"), Path("%04d.png"), None)


WORKS: list[Work] = [Single("film.mkv"), Batch((Job(Path("film.mkv"), Path("new.mkv")),))]


@pytest.mark.parametrize("work", WORKS)
def test_statistics_over_source_or_output(work: Work) -> None:
    with pytest.raises(OutputError, match=r"--stats link\.mkv: is the source itself"):
        check_apart(work, Path("new.mkv"), Path("link.mkv"))
    with pytest.raises(OutputError, match=r"--stats new\.mkv: is the output itself"):
        check_apart(work, Path("new.mkv"), Path("new.mkv"))


def test_paths_that_cannot_be_asked() -> None:
    names = [Path("missing"), Path("x" * 300), Path("a\0b"), Path("film.mkv/inside")]
    assert identities(names) == frozenset()
    for name in names:
        check_not_source(name, identities([Path("film.mkv")]))


# ------------------------------------------------------------------------------ files on the way to a result

SIDE_NAMES = ["out.mp4.partial", "out.mp4.finishing", "out.mp4.resume.json", "out.mp4.resume.json.partial"]


@pytest.mark.parametrize("name", [*SIDE_NAMES, "out.mp4.3.partial", "out.mp4.2.partial"])
@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_source_that_a_run_would_write_over_on_its_way(folder: Path, name: str, link: str | None) -> None:
    listed = [{"file": part} for part in ("out.mp4", "out.mp4.3.partial")]
    if name != "out.mp4.resume.json":
        (folder / "out.mp4.resume.json").write_text(json.dumps({"parts": listed}))
    (folder / name).write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"precious")
    if link == "symbolic":
        (folder / "other name.mp4").symlink_to(name)
    elif link == "hard":
        (folder / "other name.mp4").hardlink_to(folder / name)
    source = name if link is None else "other name.mp4"
    with pytest.raises(OutputError, match=f"--output out.mp4: would be written through {name}, the source itself"):
        check_apart(Single(source), Path("out.mp4"), None)
    check_apart(Single(source), Path("out2.mp4"), None)


@pytest.mark.parametrize("name", SIDE_NAMES)
def test_statistics_in_a_file_on_the_way_to_the_output(name: str) -> None:
    with pytest.raises(OutputError, match=f"--stats {name}: is a file that is made on the way to the output"):
        check_apart(Single("film.mkv"), Path("out.mp4"), Path(name))


def test_statistics_made_by_way_of_the_source(folder: Path) -> None:
    (folder / "stats.json.partial").write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"--stats stats\.json: would be written through stats\.json\.partial"):
        check_apart(Single("stats.json.partial"), None, Path("stats.json"))


@pytest.mark.parametrize(
    "text", ["", "[]", '{"parts": [{"file": "../film.mkv"}]}', '{"parts": [{"file": "out.mp4 film.mkv"}]}']
)
def test_notes_without_sense_name_no_files(folder: Path, text: str) -> None:
    (folder / "out.mp4.resume.json").write_text(text)
    check_apart(Single("film.mkv"), Path("out.mp4"), None)
