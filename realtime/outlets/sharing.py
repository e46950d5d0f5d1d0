"""Opens the outlets that the command line asks for: viewers on the network, a virtual camera."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence

from realtime.outlets.outlet import Outlet
from realtime.program.settings import RunSettings


def ending_without_takers(settings: RunSettings, outlets: Sequence[Outlet], end: Callable[[], None]) -> Callable[[], None]:
    """What an outlet calls when it fails: once none is left, and there is no window and no file, there is nothing to do.

    Args:
        outlets: of the run, the recorder first, which takes pictures where it was asked to alone.
        end: ends the run.
    """

    def ask() -> None:
        takers = outlets if settings.record else outlets[1:]
        if settings.headless and all(outlet.has_failed for outlet in takers):
            end()

    return ask


def open_outlets(
    settings: RunSettings, fps: float | None, tell: Callable[[str], None], on_failure: Callable[[], None]
) -> Iterator[Outlet]:
    """The outlets one by one, each ready; what each needs is loaded for those who ask for it.

    Args:
        fps: of the source, where it says so.
        tell: takes what the user should know while they work.
        on_failure: called after a failure was told.
    Raises:
        OutputError: the port is in use.
        ModelError: a package is missing.
    """
    if settings.virtual_camera is not None:
        from realtime.outlets.virtual_camera import VirtualCamera

        yield VirtualCamera(settings.virtual_camera or None, fps or settings.fps, tell, on_failure=on_failure)
    if settings.serve is not None:
        from realtime.outlets.mjpeg_server import LOOPBACK, MjpegServer

        server = MjpegServer(settings.serve, settings.serve_address or LOOPBACK)
        if server.is_public:
            who = "whoever reaches this machine on the network sees the picture"
            print(f"warning: --serve-address {settings.serve_address}: {who}", file=sys.stderr)
        print(f"serving {server.url}", flush=True)
        yield server
