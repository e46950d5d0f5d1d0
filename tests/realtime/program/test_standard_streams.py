"""stdout and stderr that take nothing, or few letters, or are not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.errors import EXIT_SOURCE
from tests.program import pipe_without_reader

ROOT = Path(__file__).resolve().parents[3]
BEGINNING = """
import sys
from realtime.program.quiet import silent_libraries
from realtime.program.standard_streams import lose_unread
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")


@pytest.fixture(autouse=True, params=["", "1"], ids=["buffered", "unbuffered"])
def buffering(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is flush that fails, or write already."""
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


def exit_code(code: str) -> int:
    """Of a program whose stdout and stderr nobody reads."""
    with pipe_without_reader() as pipe:
        command = [sys.executable, "-c", BEGINNING + code]
        return subprocess.run(command, cwd=ROOT, stdout=pipe, stderr=pipe, check=False).returncode


@posix
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_what_nobody_reads_is_lost_without_an_error(name: str) -> None:
    said = f"print('x' * 100_000, file=sys.{name}, flush=True)\nprint('y', file=sys.{name}, flush=True)\nsys.exit(7)"
    assert exit_code(said) in (1, 120)  # the second where Python fails once more on what is still to be written
    assert exit_code(f"lose_unread('stdout', 'stderr')\n{said}") == 7


@posix
def test_a_short_message_that_nobody_reads_is_lost_as_the_program_ends() -> None:
    assert exit_code("lose_unread('stdout', 'stderr')\nprint('x')\nsys.exit(7)") == 7


@posix
def test_what_is_said_while_libraries_are_silent_is_lost_without_an_error() -> None:
    assert exit_code("lose_unread('stderr')\nwith silent_libraries():\n    print('x', file=sys.stderr)\nsys.exit(7)") == 7


def test_what_is_read_comes_through() -> None:
    code = "lose_unread('stdout')\nlose_unread('stdout')\nprint('told', sys.stdout.fileno(), sys.stdout.isatty())"
    done = subprocess.run([sys.executable, "-c", BEGINNING + code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("told 1 False\n", "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_messages_that_a_disk_does_not_take_end_nothing() -> None:
    code = "lose_unread('stderr')\nprint('x', file=sys.stderr)"
    with open("/dev/full", "wb") as full:
        assert subprocess.run([sys.executable, "-c", BEGINNING + code], cwd=ROOT, stderr=full, check=False).returncode == 0


@posix
@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-"])
@pytest.mark.parametrize("named", ["'stdout', 'stderr'", "'stderr'"])
def test_closed_streams_are_replaced_by_ones_that_go_nowhere(closed: str, named: str) -> None:
    code = f"lose_unread({named})\nfor stream in (sys.stdout, sys.stderr): stream.write('x'); stream.flush()\nsys.exit(7)"
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", BEGINNING + code]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 7


@posix
@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_file_is_never_taken_for_a_stream_that_was_closed(closed: str, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"x" * 1000)
    code = "lose_unread('stderr')\nwith open(sys.argv[1], 'rb', buffering=0) as file, silent_libraries():\n"
    code += "    sys.exit(7 if len(file.read()) == 1000 else 8)"
    command = ["sh", "-c", f'exec "$0" "$@" {closed}', sys.executable, "-c", BEGINNING + code, str(tmp_path / "picture")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 7


@posix
def test_a_program_started_from_one_without_streams_has_them(tmp_path: Path) -> None:
    child = "import os, sys; sys.exit(7 if all(os.fstat(number) for number in range(3)) else 8)"
    code = f"import subprocess\nsys.exit(subprocess.call([sys.executable, '-c', {child!r}]))"
    command = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', sys.executable, "-c", BEGINNING + code]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 7


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", r"L\xe9ger \udce9"), ("utf-8:strict", r"Léger \udce9")])
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_names_that_a_stream_cannot_show_are_escaped(encoding: str, shown: str, name: str) -> None:
    code = f"lose_unread()\nprint('L\\xe9ger \\udce9', file=sys.{name})"
    changed = os.environ | {"PYTHONIOENCODING": encoding}
    command = [sys.executable, "-c", BEGINNING + code]
    done = subprocess.run(command, cwd=ROOT, env=changed, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, (done.stdout + done.stderr).strip()) == (0, shown)


@posix
def test_names_that_are_no_text_end_nothing_where_there_are_no_streams() -> None:
    code = "lose_unread()\nfor stream in (sys.stdout, sys.stderr): print('\\udce9', file=stream)\nsys.exit(7)"
    command = ["sh", "-c", 'exec "$0" "$@" >&- 2>&-', sys.executable, "-c", BEGINNING + code]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 7


@posix
def test_a_program_that_has_no_stderr_ends_with_its_own_code(tmp_path: Path) -> None:
    arguments = ["-m", "models.gatys", str(tmp_path / "gone.png"), str(tmp_path / "gone.png"), "-o", str(tmp_path / "out.png")]
    command = ["sh", "-c", 'exec "$0" "$@" 2>&-', sys.executable, *arguments]
    assert subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=60, check=False).returncode == EXIT_SOURCE
