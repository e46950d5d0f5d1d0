"""Folders by the platform's convention."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.folders import user_cache_folder, user_data_folder


def test_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("realtime.folders.platform.system", lambda: "Linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache_folder() == tmp_path / "stylecam"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert user_cache_folder() == Path.home() / ".cache" / "stylecam"


def test_windows_and_macos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("realtime.folders.platform.system", lambda: "Windows")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert user_cache_folder() == tmp_path / "stylecam" / "cache"
    assert user_data_folder() == tmp_path / "stylecam"
    monkeypatch.setattr("realtime.folders.platform.system", lambda: "Darwin")
    assert user_cache_folder() == Path.home() / "Library" / "Caches" / "stylecam"
