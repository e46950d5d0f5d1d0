"""Shows the live picture to browsers, VLC and OBS: an MJPEG stream, a small page and single pictures over HTTP.

It listens on the loopback unless another address is named. Each picture is encoded at most once, and not at all while
nobody looks. A viewer always gets the newest picture, so a slow one skips some and keeps nobody waiting.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import re
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2

from realtime.errors import OutputError, reason_of
from realtime.frame import Image
from realtime.outlets.jpeg_slot import JpegSlot
from realtime.outlets.outlet import Figures

LOOPBACK = "127.0.0.1"
_BOUNDARY = "stylecam-frame"
_SEND_S = 5.0  # a viewer that has not taken a picture for so long is hung up on
_REQUEST_S = 5.0  # and so is one who has not said in this time what is wanted, however slowly it is being said
_FIRST_PICTURE_S = 3.0
_LOOK_S = 1.0  # without a picture after which a viewer is looked for
_MOST_CONNECTIONS = 32
_SEND_BUFFER_BYTES = 256 * 1024  # a slow viewer sees an old picture for no longer than this lasts
_JPEG_QUALITY = 85

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>StyleCam</title>
<style>html,body{margin:0;height:100%;background:#111}img{width:100%;height:100%;object-fit:contain;display:block}</style>
</head><body><img src="/stream.mjpg" alt="The painted live picture"></body></html>
"""
_PAGE_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"


class MjpegServer:
    """Listens from the moment it is made.

    Args:
        port: 0 for one that is free.
        address: of this machine, a number or a name.
    Raises:
        OutputError: the port is in use or forbidden, or the address is not this machine's.
    """

    name = "serving"
    has_failed = False  # a viewer that fails is hung up on, and the next may come

    def __init__(self, port: int, address: str = LOOPBACK) -> None:
        self._slot = JpegSlot(_encode)
        self._server = _open_server(port, address, self._slot)
        number = ipaddress.ip_address(self._server.server_name)
        host = f"[{number}]" if number.version == 6 else str(number)
        self.url = f"http://{host}:{self._server.server_port}/"
        self.is_public = not number.is_loopback
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="server", daemon=True)
        self._thread.start()

    @property
    def viewers(self) -> int:
        """Who looks at this moment."""
        return self._slot.viewers

    def offer(self, picture_bgr: Image, captured_at_s: float) -> None:
        """Makes a picture the newest one."""
        self._slot.put(picture_bgr)

    def figures(self) -> Figures:
        """Pictures encoded, sent, and skipped by viewers that were slow; how many looked at the same time at most."""
        slot = self._slot
        return {
            "pictures_encoded": slot.pictures_encoded,
            "pictures_sent": slot.pictures_sent,
            "pictures_skipped": slot.pictures_skipped,
            "most_viewers": slot.most_viewers,
        }

    def close(self) -> None:
        """Hangs up on everyone and frees the port."""
        self._slot.close()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join(2.0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _MOST_CONNECTIONS  # that may come at once
    # On Windows the same option would let two programs listen on one port.
    allow_reuse_address = os.name != "nt"

    def __init__(self, family: int, address: Any, slot: JpegSlot, names: frozenset[str]) -> None:
        self.address_family = family
        self.slot, self.own_names = slot, names
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without the look-up of the own name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        if self.allow_reuse_address:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Takes a connection, or hangs up at once where there are too many."""
        with self._lock:
            is_full = len(self._connections) >= _MOST_CONNECTIONS
            if not is_full:
                self._connections.add(request)
        if is_full:
            super().shutdown_request(request)
        else:
            super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Ends a connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends all connections, so that their threads end."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            _hang_up_on(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that goes away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "StyleCam"
    sys_version = ""
    timeout = _SEND_S

    def setup(self) -> None:
        """A connection is there, and a request is waited for."""
        super().setup()
        self._deadline = threading.Timer(_REQUEST_S, _hang_up_on, (self.connection,))
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        """The connection is over."""
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:
        """The page, the stream, or one picture."""
        self._deadline.cancel()
        path = self.path.partition("?")[0]
        if not _is_own_name(self.headers.get("Host", ""), self.server.own_names):
            # A page elsewhere whose name was pointed at this machine must not see the camera (DNS rebinding).
            self._answer(403, "text/plain", b"This name is not served here.\n")
        elif path == "/":
            self._answer(200, "text/html; charset=utf-8", _PAGE, {"Content-Security-Policy": _PAGE_POLICY})
        elif path == "/frame.jpg":
            self._send_picture()
        elif path == "/stream.mjpg":
            self._send_stream()
        else:
            self._answer(404, "text/plain", b"Known: / /stream.mjpg /frame.jpg\n")

    def do_HEAD(self) -> None:
        """The headers alone."""
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Stays silent."""

    def _send_picture(self) -> None:
        with self.server.slot.watch() as viewer:
            jpeg = viewer.next(_FIRST_PICTURE_S)
        if jpeg is None:
            self._answer(503, "text/plain", b"There is no picture yet.\n")
        else:
            self._answer(200, "image/jpeg", jpeg)
            if self.command != "HEAD":
                self.server.slot.count(sent=1, skipped=0)

    def _send_stream(self) -> None:
        self._begin(200, f"multipart/x-mixed-replace; boundary={_BOUNDARY}", {})
        if self.command == "HEAD":
            return
        with self.server.slot.watch() as viewer:
            while not viewer.is_over:
                jpeg = viewer.next(_LOOK_S)
                if jpeg is None:
                    if _has_left(self.connection):  # nothing is sent meanwhile that would fail
                        return
                else:
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.connection.sendall(head.encode() + jpeg + b"\r\n")
                    viewer.took_it()

    def _answer(self, status: int, kind: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._begin(status, kind, {"Content-Length": str(len(body)), **(headers or {})})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _begin(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self.send_response(status)
        common = {
            "Content-Type": kind,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-site",
            "Connection": "close",
        }
        for name, value in (common | headers).items():
            self.send_header(name, value)
        self.end_headers()


def _open_server(port: int, address: str, slot: JpegSlot) -> _Server:
    where = f"--serve {port}" if address == LOOPBACK else f"--serve {port} --serve-address {address}"
    try:
        family, _, _, _, target = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
        )[0]
        names = {"localhost", address.lower()}
        if not ipaddress.ip_address(str(target[0])).is_loopback:
            own = socket.gethostname().lower()
            names |= {own, own.partition(".")[0], f"{own.partition('.')[0]}.local"}
        return _Server(family, target, slot, frozenset(names))
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise OutputError(f"{where}: the port is in use; try another one, as in --serve {port + 1}") from None
        if number == errno.EACCES:
            raise OutputError(f"{where}: this port is not allowed; try one above 1023, as in --serve 8090") from None
        raise OutputError(f"{where}: cannot listen there ({reason_of(error)}); expected an address of this machine") from None


def _hang_up_on(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # gone already
        connection.shutdown(socket.SHUT_RDWR)


def _has_left(connection: socket.socket) -> bool:
    """Whether the other end of a connection is closed; what it may have sent before is of no interest."""
    try:
        is_heard = bool(select.select([connection], [], [], 0)[0])
        return is_heard and not connection.recv(65536)
    except (OSError, ValueError):  # reset, or hung up on
        return True


def _is_own_name(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this machine: a number always does, for only names can be pointed elsewhere."""
    bracketed = re.fullmatch(r"\[(.*)\](:\d*)?", host)
    name = bracketed[1] if bracketed else re.sub(r":\d*$", "", host)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower().rstrip(".") in names
    return True


def _encode(picture_bgr: Image) -> bytes | None:
    """None for a picture that JPEG cannot hold: of more than 65,500 pixels on a side."""
    with contextlib.suppress(cv2.error):  # as some versions say it
        done, data = cv2.imencode(".jpg", picture_bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        if done:
            return data.tobytes()
    return None
