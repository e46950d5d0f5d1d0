"""Folders by the platform's convention."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.program.folders import user_cache_folder, user_data_folder


@pytest.mark.parametrize("system", ["Linux", "Windows", "Darwin"])
def test_no_test_touches_the_folders_of_whoever_runs_it(system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: system)
    for folder in (user_data_folder(), user_cache_folder(), Path.home()):
        assert folder.is_relative_to(tmp_path)


def test_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / "stylecam"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache_folder() == Path.home() / ".cache" / "stylecam"


def test_windows_and_macos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Windows")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert user_cache_folder() == tmp_path / "stylecam" / "cache"
    assert user_data_folder() == tmp_path / "stylecam"
    monkeypatch.setattr("realtime.program.folders.platform.system", lambda: "Darwin")
    assert user_cache_folder() == Path.home() / "Library" / "Caches" / "stylecam"
