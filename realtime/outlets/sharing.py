"""Opens the outlets that the command line asks for: viewers on the network, a virtual camera."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence

from realtime.outlets.outlet import Outlet


def wants_to_share(args: argparse.Namespace) -> bool:
    """Whether other programs or a recording get the picture, at the pace of its source."""
    return args.serve is not None or args.virtual_camera is not None or args.record


def ending_without_takers(args: argparse.Namespace, outlets: Sequence[Outlet], end: Callable[[], None]) -> Callable[[], None]:
    """What an outlet calls when it fails: once none is left, and there is no window and no file, there is nothing to do.

    Args:
        outlets: of the run, the recorder first, which takes pictures where it was asked to alone.
        end: ends the run.
    """

    def ask() -> None:
        takers = outlets if args.record else outlets[1:]
        if args.headless and all(outlet.has_failed for outlet in takers):
            end()

    return ask


def open_outlets(
    args: argparse.Namespace, fps: float | None, tell: Callable[[str], None], on_failure: Callable[[], None]
) -> Iterator[Outlet]:
    """The outlets one by one, each ready; what each needs is loaded for those who ask for it.

    Args:
        fps: of the source, where it says so.
        tell: takes what the user should know while they work.
        on_failure: called after a failure was told.
    Raises:
        OutputError: the port is in use, a package or driver is missing.
    """
    if args.virtual_camera is not None:
        from realtime.outlets.virtual_camera import VirtualCamera

        yield VirtualCamera(args.virtual_camera or None, fps or args.fps, tell, on_failure=on_failure)
    if args.serve is not None:
        from realtime.outlets.mjpeg_server import LOOPBACK, MjpegServer

        server = MjpegServer(args.serve, args.serve_address or LOOPBACK)
        if server.is_public:
            warning = (
                f"warning: --serve-address {args.serve_address}: whoever reaches this machine on the network sees the picture"
            )
            print(warning, file=sys.stderr)
        print(f"serving {server.url}", flush=True)
        yield server
