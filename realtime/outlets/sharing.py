"""Opens the outlets that the command line asks for: viewers on the network, a virtual camera."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from realtime.outlets.outlet import Outlet


def wants_to_share(args: argparse.Namespace) -> bool:
    """Whether other programs or a recording get the picture, at the pace of its source."""
    return args.serve is not None or args.virtual_camera is not None or args.record


def is_only_recorded(args: argparse.Namespace) -> bool:
    """Whether nobody takes the picture beside the recording: when that fails there is nothing left to do."""
    return args.record and args.headless and args.serve is None and args.virtual_camera is None


def open_outlets(args: argparse.Namespace, fps: float | None, tell: Callable[[str], None]) -> Iterator[Outlet]:
    """The outlets one by one, each ready; what each needs is loaded for those who ask for it.

    Args:
        fps: of the source, where it says so.
        tell: takes what the user should know while they work.
    Raises:
        OutputError: the port is in use, a package or driver is missing.
    """
    if args.virtual_camera is not None:
        from realtime.outlets.virtual_camera import VirtualCamera

        yield VirtualCamera(args.virtual_camera or None, fps or args.fps, tell)
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
