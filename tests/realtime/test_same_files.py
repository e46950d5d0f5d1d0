"""Results that would be written over what is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import OutputError
from realtime.inputs import Batch, Job, Sequence, Single, Work, plan_work
from realtime.same_files import check_apart, check_not_source, identities


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
    assert isinstance(work, Sequence)
    with pytest.raises(OutputError, match="source itself"):
        check_apart(work, Path("%d.png"), None)
    with pytest.raises(OutputError, match="source itself"):
        check_apart(Single("3.png"), Path("%d.png"), None)
    check_apart(work, Path("%03d.png"), None)


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
