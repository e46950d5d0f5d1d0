"""Many files one after the other: failures are told and do not stop the others."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from realtime.errors import EXIT_DONE, EXIT_INTERRUPTED, EXIT_OUTPUT, EXIT_SOURCE, OutputError, SourceError
from realtime.program.batch import Existing, Report, is_done, paint_batch
from realtime.program.inputs import Batch, Job
from realtime.video.side_files import resume_file_path

NEITHER = Existing()
JOBS = tuple(Job(Path(f"{name}.png"), Path(f"painted/{name}.png")) for name in "abcd")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder into which the jobs go."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "painted").mkdir()


class Painter:
    """Paints nothing, fails where it is told to, and may be stopped."""

    def __init__(self, faults: dict[str, Exception] | None = None, stop_at: str = "") -> None:
        self.faults, self.stop_at = faults or {}, stop_at
        self.stop = threading.Event()
        self.painted: list[str] = []
        self.reports: list[dict[str, Any]] = []

    def __call__(self, job: Job, report: Report) -> int:
        if job.source.stem in self.faults:
            raise self.faults[job.source.stem]
        self.painted.append(job.source.stem)
        report({"frames_styled": 1})
        if job.source.stem == self.stop_at:
            self.stop.set()
            return EXIT_INTERRUPTED
        return EXIT_DONE

    def run(self, existing: Existing = NEITHER) -> int:
        return paint_batch(Batch(JOBS), existing, self, self.reports.append, self.stop)


def test_all_well(capsys: pytest.CaptureFixture[str]) -> None:
    painter = Painter()
    assert painter.run() == EXIT_DONE
    assert capsys.readouterr().err == ""
    assert (painter.reports[0]["painted"], painter.reports[0]["failed"]) == (4, 0)
    assert painter.reports[0]["files"][2] == {
        "source": "c.png",
        "output": str(Path("painted/c.png")),
        "frames_styled": 1,
        "exit_code": EXIT_DONE,
    }


def test_failures_are_told_and_the_first_one_decides(capsys: pytest.CaptureFixture[str]) -> None:
    painter = Painter({"b": SourceError("b is damaged"), "d": OutputError("d exists")})
    assert painter.run() == EXIT_SOURCE
    assert painter.painted == ["a", "c"]
    assert capsys.readouterr().err.splitlines() == ["error: b is damaged", "error: d exists", "2 of 4 files painted"]
    assert [entry["exit_code"] for entry in painter.reports[0]["files"]] == [EXIT_DONE, EXIT_SOURCE, EXIT_DONE, EXIT_OUTPUT]


def test_interruption_ends_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    painter = Painter(stop_at="b")
    assert painter.run() == EXIT_INTERRUPTED
    assert painter.painted == ["a", "b"]
    assert capsys.readouterr().err == "1 of 4 files painted\n"


def test_existing_pictures_are_refused_replaced_or_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    JOBS[1].output.touch()
    refusing, replacing, resuming = Painter(), Painter(), Painter()
    assert refusing.run() == EXIT_OUTPUT
    assert refusing.painted == ["a", "c", "d"]
    assert "b.png: exists already; add --overwrite" in capsys.readouterr().err
    assert replacing.run(Existing(overwrite=True)) == EXIT_DONE
    assert replacing.painted == ["a", "b", "c", "d"]
    assert resuming.run(Existing(resume=True)) == EXIT_DONE
    assert resuming.painted == ["a", "c", "d"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("existing", [NEITHER, Existing(overwrite=True), Existing(resume=True)])
def test_no_source_of_any_job_is_written_over(existing: Existing, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("painted/a.png", "b.png", "painted/b.png"):
        Path(name).write_bytes(b"precious")
    own = Job(Path("painted/a.png"), Path("painted/a.png"))
    of_another = Job(Path("b.png"), Path("painted/b.png"))  # which the last job has yet to read
    batch = Batch((own, of_another, Job(Path("painted/b.png"), Path("painted/b_2.png"))))
    painter = Painter()
    assert paint_batch(batch, existing, painter, painter.reports.append, painter.stop) == EXIT_OUTPUT
    assert capsys.readouterr().err.count("is the source itself") == 2
    assert [entry["exit_code"] for entry in painter.reports[0]["files"]] == [EXIT_OUTPUT, EXIT_OUTPUT, EXIT_DONE]


def test_bug_is_not_taken_for_a_bad_file() -> None:
    with pytest.raises(ZeroDivisionError):
        Painter({"b": ZeroDivisionError()}).run()


def test_what_is_done_and_what_was_broken_off(tmp_path: Path) -> None:
    for name in ("photo.png", "whole.mp4", "broken.mp4"):
        (tmp_path / name).touch()
    resume_file_path(tmp_path / "broken.mp4").touch()
    assert is_done(tmp_path / "photo.png")
    assert is_done(tmp_path / "whole.mp4")
    assert not is_done(tmp_path / "broken.mp4")
    assert not is_done(tmp_path / "gone.png")
