"""The file of --stats: whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from realtime.errors import OutputError
from realtime.program.statistics_file import write_stats


def test_figures_replace_those_before(tmp_path: Path) -> None:
    path = tmp_path / "stats.json"
    for fps in (25.0, 30.0):
        write_stats(path, {"fps": fps})
        assert json.loads(path.read_text()) == {"fps": fps}
    assert list(tmp_path.iterdir()) == [path]


def test_full_disk_leaves_the_figures_before_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stats.json"
    write_stats(path, {"fps": 25.0})

    def begin_and_fail(self: Path, text: str, encoding: str) -> int:
        self.write_bytes(text[:5].encode(encoding))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", begin_and_fail)
    with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
        write_stats(path, {"fps": 30.0})
    assert list(tmp_path.iterdir()) == [path]
    assert json.loads(path.read_text()) == {"fps": 25.0}
