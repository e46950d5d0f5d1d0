"""Re-painting in another process, with a small program in place of the real one: it does what its test tells it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from realtime.errors import EXIT_MODEL, ModelError
from realtime.live.repaint import Repainter, RepaintSettings
from realtime.live.repaint_worker import Progress, RepaintWorker
from realtime.live.scratch import scratch_folder
from tests.fakes import noisy_picture, plain_style, wait_until, write_style

BEGINNING = """
import json, os, signal, sys, time
given = dict(zip(sys.argv, sys.argv[1:]))
output, small = given["-o"], given["--progress-picture"]
def say(**event): print(json.dumps(event), flush=True)
def progress(share):
    say(event="progress", share=share, step=1, steps=None, seconds=1.0, remaining_s=12.4, loss=0.5, picture=small)
def finish(): open(output, "wb").write(b"painted"); say(event="done", output=output, seconds=2.0, loss=0.4)
def wait_for(name):
    while not os.path.exists(os.path.join(os.path.dirname(output), name)): time.sleep(0.01)
"""
MakeDesk = Callable[..., "Desk"]


class Desk:
    """A repainter whose worker does what it is told, and what it told."""

    def __init__(self, folder: Path, program: str, settings: RepaintSettings | None = None) -> None:
        self.folder = folder
        script = folder / "worker.py"
        script.write_text(BEGINNING + program, encoding="utf-8")
        self.told: list[str] = []
        self.style_picture = folder / "style.jpg"
        self.style_picture.touch()
        self.repainter = Repainter(settings or RepaintSettings(), self.told.append, [str(script)], has_torch=lambda: True)

    def request(self, name: str = "shot") -> Path:
        """Asks for a snapshot to be re-painted; gives the place of the result."""
        painted, photo = self.folder / f"{name}.png", self.folder / f"{name}_original.png"
        painted.touch()
        photo.touch()
        self.repainter.request(photo, painted, self.style_picture)
        return self.folder / f"{name}_repainted.png"

    def line(self) -> str:
        """What the screen shows."""
        return self.repainter.status.line


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[MakeDesk]:
    made: list[Desk] = []

    def make(program: str, settings: RepaintSettings | None = None) -> Desk:
        made.append(Desk(tmp_path, program, settings))
        return made[-1]

    yield make
    for desk in made:
        desk.repainter.close()
    wait_until(lambda: not any(thread.name.startswith("repaint") for thread in threading.enumerate()))


def test_result_lies_beside_the_snapshot(make_desk: MakeDesk) -> None:
    desk = make_desk("progress(0.5); finish()")
    result = desk.request()
    wait_until(lambda: desk.told == ["re-painted: shot_repainted.png"])
    assert result.read_bytes() == b"painted"
    wait_until(lambda: desk.line() == "")


def test_worker_gets_what_it_needs(make_desk: MakeDesk, tmp_path: Path) -> None:
    vgg = tmp_path / "vgg.pth"
    vgg.touch()
    desk = make_desk("open(output, 'w').write(json.dumps(sys.argv[1:]))", RepaintSettings(vgg=vgg))
    result = desk.request()
    wait_until(lambda: desk.told == ["re-painted: shot_repainted.png"])
    text = result.read_text(encoding="utf-8")
    for part in (f'"{tmp_path}/shot_original.png", "{tmp_path}/style.jpg"', '"--preset", "fast"', '"--progress-lines"'):
        assert part in text
    assert f'"--init", "{tmp_path}/shot.png"' in text
    assert f'"--vgg", "{vgg}"' in text


@pytest.mark.parametrize("option", ["painting", "vgg"])
def test_files_that_are_not_there_are_refused_at_once(tmp_path: Path, option: str) -> None:
    settings = RepaintSettings(**{option: tmp_path / "gone"})
    with pytest.raises(ModelError, match=f"--{option} .*gone: no such file"):
        Repainter(settings, lambda _: None)


def test_progress_and_the_small_picture_are_shown(make_desk: MakeDesk) -> None:
    desk = make_desk(
        "import shutil; shutil.copy(os.path.dirname(output) + '/small', small)\n"
        "progress(0.42); wait_for('cut'); open(small, 'r+b').truncate(99)\n"
        "progress(0.5); wait_for('go'); finish()"
    )
    (desk.folder / "small").write_bytes(cv2.imencode(".png", noisy_picture())[1].tobytes())
    desk.request()
    wait_until(lambda: desk.line() == "re-painting 42%, 12 s left")
    assert desk.repainter.status.picture is not None
    np.testing.assert_array_equal(desk.repainter.status.picture, noisy_picture())
    (desk.folder / "cut").touch()
    wait_until(lambda: "50%" in desk.line())
    np.testing.assert_array_equal(desk.repainter.status.picture, noisy_picture())  # the one before
    (desk.folder / "go").touch()
    wait_until(lambda: desk.told == ["re-painted: shot_repainted.png"])


def test_requests_queue_and_are_done_in_order(make_desk: MakeDesk) -> None:
    desk = make_desk("progress(0.1); wait_for('go'); finish()")
    results = [desk.request(name) for name in ("a", "b", "c")]
    wait_until(lambda: desk.line().endswith("2 waiting"))
    assert desk.told == ["it will be re-painted after the one before"] * 2
    (desk.folder / "go").touch()
    wait_until(lambda: len(desk.told) == 5)
    assert desk.told[2:] == [f"re-painted: {name}_repainted.png" for name in "abc"]
    assert all(result.exists() for result in results)


def test_cancelling_ends_the_one_that_runs_and_the_next_begins(make_desk: MakeDesk) -> None:
    desk = make_desk("progress(0.1); wait_for('go' if 'a_rep' in output else 'small'); finish()")
    first = desk.request("a")
    wait_until(lambda: "10%" in desk.line())
    desk.request("b")
    (desk.folder / "small").touch()
    desk.repainter.cancel()
    wait_until(lambda: desk.told[-1] == "re-painted: b_repainted.png")
    assert "re-painting cancelled" in desk.told
    assert not first.exists()


def test_cancelling_one_that_is_just_being_started_ends_it(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make_desk("wait_for('never')")

    def start(arguments: list[str], threads: int) -> RepaintWorker:
        assert desk.repainter.cancel()
        return RepaintWorker(arguments, threads)

    monkeypatch.setattr("realtime.live.repaint.RepaintWorker", start)
    desk.request()
    wait_until(lambda: desk.told == ["re-painting cancelled"])


def test_worker_that_ignores_the_request_to_end_is_killed(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.live.repaint_worker._PATIENCE_S", 0.1)
    desk = make_desk("signal.signal(signal.SIGTERM, signal.SIG_IGN); progress(0.1); wait_for('never')")
    desk.request()
    wait_until(lambda: "10%" in desk.line())
    desk.repainter.cancel()
    wait_until(lambda: desk.told == ["re-painting cancelled"])


def test_cancelling_nothing_says_so(make_desk: MakeDesk) -> None:
    desk = make_desk("")
    assert not desk.repainter.cancel()
    assert desk.told == ["nothing is being re-painted"]


@pytest.mark.skipif(os.name == "nt", reason="there are no signals on Windows")
def test_worker_that_is_killed_is_told_and_the_next_one_works(make_desk: MakeDesk) -> None:
    desk = make_desk("'b_rep' in output or os.kill(os.getpid(), signal.SIGKILL); finish()")
    desk.request("a")
    wait_until(lambda: desk.told == ["not re-painted: its process was out of memory or killed (signal 9)"])
    desk.request("b")
    wait_until(lambda: desk.told[-1] == "re-painted: b_repainted.png")


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("sys.exit('error: VGG-19: no weights; put them into x, or use --vgg FILE')", "VGG-19: no weights; put them"),
        ("sys.exit(4)", "its process ended with code 4"),
        ("say(event='done', output=output)", "its process ended with code 0"),  # but there is no file
        ("raise MemoryError('no room')", "MemoryError: no room"),
        ("print('x' * 10**7, file=sys.stderr); sys.exit(1)", "its process ended with code 1"),
    ],
)
def test_failure_is_told_in_the_words_of_the_worker(make_desk: MakeDesk, program: str, message: str) -> None:
    desk = make_desk(program)
    desk.request()
    wait_until(lambda: bool(desk.told))
    assert desk.told[0].startswith(f"not re-painted: {message}")


def test_result_in_a_second_place_is_told_with_its_path(make_desk: MakeDesk) -> None:
    desk = make_desk(
        "other = output + '.elsewhere.png'; open(other, 'w').close(); say(event='done', output=other); sys.exit('error: full')"
    )
    result = desk.request()
    wait_until(lambda: desk.told == [f"re-painted: {result}.elsewhere.png"])


def test_lines_that_are_not_understood_are_passed_over(make_desk: MakeDesk) -> None:
    nonsense = [
        "hello", "[]", "{", "null", "3", '"event"', "[" * 5000, '{"event": "progress"}', '{"event": "progress", "share": "1"}',
        '{"event": "progress", "share": NaN, "remaining_s": 1}', '{"event": "progress", "share": 1e400, "remaining_s": 1}',
        '{"event": "progress", "share": true, "remaining_s": 1}', '{"event": "done", "output": 7}', '{"event": ["done"]}',
    ]  # fmt: skip
    desk = make_desk(
        f"for line in {nonsense!r}: print(line, flush=True)\n"
        "sys.stdout.buffer.write(b'\\xff\\x00\\n' + b'y' * 10**6 + b'\\n'); sys.stdout.flush()\n"
        "progress(7.0); wait_for('go'); finish()"
    )
    desk.request()
    wait_until(lambda: desk.line() == "re-painting 100%, 12 s left")
    (desk.folder / "go").touch()
    wait_until(lambda: desk.told == ["re-painted: shot_repainted.png"])


@pytest.mark.skipif(os.name == "nt", reason="there is no niceness on Windows")
def test_worker_has_low_priority_and_few_threads(make_desk: MakeDesk) -> None:
    desk = make_desk(
        "time.sleep(0.2); open(output, 'w').write(f\"{os.nice(0)} {os.environ['OMP_NUM_THREADS']}\")\n"
        "say(event='done', output=output)"
    )
    result = desk.request()
    wait_until(lambda: bool(desk.told))
    niceness, threads = result.read_text(encoding="utf-8").split()
    assert int(niceness) >= min(19, os.nice(0) + 10)
    assert int(threads) == max(1, (os.cpu_count() or 2) // 2)


def test_closing_ends_the_worker(make_desk: MakeDesk) -> None:
    desk = make_desk("open(output, 'w').write(str(os.getpid())); progress(0.1); wait_for('never')")
    result = desk.request()
    desk.request("waits")
    wait_until(lambda: "10%" in desk.line())
    desk.repainter.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(result.read_text(encoding="utf-8")), 0)
    assert desk.told[-1] == "re-painting cancelled"
    desk.request("too_late")
    assert desk.line() == ""


def test_worker_that_cannot_be_started_is_told(make_desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = make_desk("")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    desk.request()
    wait_until(lambda: bool(desk.told))
    assert desk.told[0].startswith("not re-painted: [Errno 2]")


def test_without_pytorch_it_says_so(tmp_path: Path) -> None:
    repainter = Repainter(RepaintSettings(), lambda _: None, has_torch=lambda: False)
    with pytest.raises(ModelError, match=r"needs PyTorch; pip install -r requirements\.txt"):
        repainter.style_picture(plain_style("night"))


def test_style_picture_is_the_painting_given_or_the_exemplar(tmp_path: Path) -> None:
    from realtime.gallery import read_style

    folder = write_style(tmp_path, "night")
    style = read_style(folder / "style.json")
    told: list[str] = []
    repainter = Repainter(RepaintSettings(), told.append, has_torch=lambda: True)
    with pytest.raises(ModelError, match=r"night has no exemplar\.jpg .* --painting FILE"):
        repainter.style_picture(style)
    (folder / "exemplar.jpg").touch()
    assert repainter.style_picture(style) == folder / "exemplar.jpg"
    own = tmp_path / "own.jpg"
    own.touch()
    assert Repainter(RepaintSettings(own), told.append, has_torch=lambda: True).style_picture(style) == own


def test_painting_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"--painting .*: no such file") as caught:
        Repainter(RepaintSettings(tmp_path / "nothing.jpg"), lambda _: None)
    assert caught.value.exit_code == EXIT_MODEL


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_what_a_killed_program_left_is_removed_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as folder:
        shutil.copytree(folder, tmp_path / "stylecam_abcdefgh")
    Repainter(RepaintSettings(), lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_worker_reports_to_whoever_follows(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text('print(\'{"event": "progress", "share": 0.25, "remaining_s": 3}\')', encoding="utf-8")
    found: list[Progress] = []
    assert RepaintWorker([str(script)], threads=1).follow(found.append).code == 0
    assert found == [Progress(0.25, 3.0)]


def test_long_waits_are_told_in_minutes(make_desk: MakeDesk) -> None:
    desk = make_desk("say(event='progress', share=0.01, remaining_s=6240.0); wait_for('never')")
    desk.request()
    wait_until(lambda: desk.line() == "re-painting 1%, 104 min left")
