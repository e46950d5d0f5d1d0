"""The picture over HTTP: what viewers get, who is refused, slow ones, and what it costs while nobody looks."""

from __future__ import annotations

import http.client
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from realtime.errors import OutputError
from realtime.outlets import mjpeg_server
from realtime.outlets.jpeg_slot import JpegSlot
from realtime.outlets.mjpeg_server import MjpegServer
from tests.fakes import flat_picture, noisy_picture, wait_until


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MjpegServer]:
    made = MjpegServer(0)
    yield made
    made.close()
    wait_until(lambda: not any(thread.name in ("server", "jpeg") for thread in threading.enumerate()))


def port_of(server: MjpegServer) -> int:
    return int(server.url.rstrip("/").rpartition(":")[2])


def ask(server: MjpegServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def open_stream(server: MjpegServer, receive_buffer: int | None = None) -> socket.socket:
    """A viewer that has asked for the stream."""
    viewer = socket.socket()
    if receive_buffer is not None:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    viewer.settimeout(20)
    viewer.connect(("127.0.0.1", port_of(server)))
    viewer.sendall(b"GET /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return viewer


class Parts:
    """The pictures that come out of a stream, one by one."""

    def __init__(self, viewer: socket.socket) -> None:
        self._file = viewer.makefile("rb")
        while self._file.readline().strip():
            """the headers of the answer"""

    def next(self) -> int:
        """The grey of the next picture."""
        length = 0
        while line := self._file.readline().strip():
            found = re.fullmatch(rb"Content-Length: (\d+)", line)
            length = int(found[1]) if found else length
        jpeg = self._file.read(length)
        self._file.readline()
        return round(float(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).mean()))


def test_page_shows_the_stream_and_loads_nothing_from_elsewhere(server: MjpegServer) -> None:
    status, headers, body = ask(server, "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert b'src="/stream.mjpg"' in body
    assert b"http" not in body
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/frame.jpg", "/stream.mjpg", "/elsewhere"])
def test_no_page_elsewhere_gets_hold_of_an_answer(server: MjpegServer, path: str) -> None:
    server.offer(flat_picture(1), 0.0)
    _, headers, _ = ask(server, path, "HEAD")
    assert headers["cross-origin-resource-policy"] == "same-site"
    assert headers["x-content-type-options"] == "nosniff"


def test_headers_of_the_stream_come_without_it(server: MjpegServer) -> None:
    server.offer(flat_picture(1), 0.0)
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as viewer:
        viewer.sendall(b"HEAD /stream.mjpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with viewer.makefile("rb") as answer:
            headers, _, rest = answer.read().partition(b"\r\n\r\n")
    assert b"multipart/x-mixed-replace; boundary=" in headers
    assert rest == b""
    assert server.figures()["most_viewers"] == 0


def test_single_picture_is_the_newest_one_even_after_a_pause(server: MjpegServer) -> None:
    for level in (10, 90, 170):
        server.offer(flat_picture(level), 0.0)
        _, headers, body = ask(server, "/frame.jpg?again=1")
        assert headers["content-type"] == "image/jpeg"
        assert headers["cache-control"] == "no-store"
        found = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(found.astype(int) - level).max() <= 2


def test_single_pictures_are_counted_and_headers_alone_are_not(server: MjpegServer) -> None:
    for level in range(3):
        server.offer(flat_picture(level), 0.0)
        ask(server, "/frame.jpg")
    ask(server, "/frame.jpg", "HEAD")
    ask(server, "/")
    wait_until(lambda: server.figures()["pictures_sent"] == 3)
    wait_until(lambda: not server._server._connections)
    assert server.figures() == {"pictures_encoded": 3, "pictures_sent": 3, "pictures_skipped": 0, "most_viewers": 1}


def test_picture_that_is_too_large_for_jpeg_is_left_out_and_the_next_one_comes(server: MjpegServer) -> None:
    server.offer(flat_picture(10), 0.0)
    with open_stream(server) as viewer:
        parts = Parts(viewer)
        assert parts.next() == 10
        too_large = flat_picture(50, (66_000, 4))
        server.offer(too_large, 0.0)
        wait_until(lambda: server._slot._tried == 2)
        server.offer(flat_picture(90), 0.0)
        assert parts.next() == 90
    assert server.figures()["pictures_encoded"] == 2


def test_before_the_first_picture_there_is_none(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.outlets.mjpeg_server._FIRST_PICTURE_S", 0.05)
    assert ask(server, "/frame.jpg")[0] == 503


def test_stream_gives_each_new_picture_once(server: MjpegServer) -> None:
    server.offer(flat_picture(10), 0.0)
    with open_stream(server) as viewer:
        parts = Parts(viewer)
        found = [parts.next()]
        for level in (50, 90, 130):
            server.offer(flat_picture(level), 0.0)
            found.append(parts.next())
    assert found == pytest.approx([10, 50, 90, 130], abs=2)


def test_opencv_reads_the_stream(server: MjpegServer) -> None:
    stop = threading.Event()

    def feed() -> None:
        while not stop.wait(0.01):
            server.offer(flat_picture(120), 0.0)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        reader = cv2.VideoCapture(server.url + "stream.mjpg", cv2.CAP_FFMPEG)
        found = [reader.read() for _ in range(5)]
        reader.release()
    finally:
        stop.set()
        feeder.join()
    assert all(done for done, _ in found)
    assert found[-1][1].shape == (48, 64, 3)
    assert abs(float(found[-1][1].mean()) - 120) < 3


def test_nothing_is_encoded_while_nobody_looks(server: MjpegServer) -> None:
    for level in range(50):
        server.offer(flat_picture(level), 0.0)
    assert server.figures() == {"pictures_encoded": 0, "pictures_sent": 0, "pictures_skipped": 0, "most_viewers": 0}
    ask(server, "/frame.jpg")
    for level in range(50):
        server.offer(flat_picture(level), 0.0)
    assert server.figures()["pictures_encoded"] == 1


def test_four_viewers_share_one_encoding_and_one_that_stops_reading_slows_nobody(server: MjpegServer) -> None:
    big = (640, 480)  # incompressible: some 500 kB each, so that a viewer that does not read is full at once
    server.offer(noisy_picture(big), 0.0)
    with open_stream(server, receive_buffer=4096) as lazy:
        readers = [open_stream(server) for _ in range(3)]
        parts = [Parts(reader) for reader in readers]
        assert len({part.next() for part in parts}) == 1
        for number in range(1, 15):
            server.offer(noisy_picture(big, seed=number), 0.0)
            for part in parts:
                part.next()
        figures = server.figures()
        assert figures["pictures_encoded"] == 15
        assert figures["most_viewers"] == 4
        assert figures["pictures_sent"] >= 3 * 14
        for reader in readers:
            reader.close()
        assert lazy.fileno() >= 0


def test_viewer_that_takes_nothing_is_hung_up_on(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.outlets.mjpeg_server._Handler.timeout", 0.2)
    with open_stream(server, receive_buffer=4096):
        wait_until(lambda: server.viewers == 1)

        def offer_until_it_is_gone() -> bool:
            server.offer(noisy_picture((640, 480)), 0.0)
            return server.viewers == 0

        wait_until(offer_until_it_is_gone)


@pytest.mark.parametrize("said", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: localhost\r\n"])
def test_one_who_says_what_is_wanted_byte_by_byte_is_hung_up_on(
    server: MjpegServer, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr("realtime.outlets.mjpeg_server._REQUEST_S", 0.3)
    monkeypatch.setattr("realtime.outlets.mjpeg_server._Handler.timeout", 60.0)
    with socket.create_connection(("127.0.0.1", port_of(server)), timeout=20) as viewer:
        viewer.sendall(said)

        def is_hung_up_on() -> bool:
            try:
                viewer.sendall(b"X")
                return select.select([viewer], [], [], 0.02)[0] != [] and viewer.recv(1) == b""
            except OSError:
                return True

        wait_until(is_hung_up_on)


def test_viewer_of_the_stream_may_stay_longer_than_a_request_may_take(
    server: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.outlets.mjpeg_server._REQUEST_S", 0.1)
    with open_stream(server) as viewer:
        wait_until(lambda: server.viewers == 1)
        threading.Event().wait(0.3)
        server.offer(flat_picture(7), 0.0)
        assert Parts(viewer).next() == 7


def test_sending_and_waiting_for_a_request_have_a_limit() -> None:
    assert 0 < mjpeg_server._Handler.timeout <= 10
    assert 0 < mjpeg_server._REQUEST_S <= 10


def test_viewer_that_leaves_is_forgotten(server: MjpegServer) -> None:
    with open_stream(server):
        wait_until(lambda: server.viewers == 1)

    def offer_until_it_is_gone() -> bool:
        server.offer(noisy_picture((640, 480)), 0.0)
        return server.viewers == 0

    wait_until(offer_until_it_is_gone)


@pytest.mark.parametrize("is_reset", [False, True])
def test_viewers_that_leave_while_no_picture_comes_make_room(
    server: MjpegServer, monkeypatch: pytest.MonkeyPatch, is_reset: bool
) -> None:
    monkeypatch.setattr("realtime.outlets.mjpeg_server._MOST_CONNECTIONS", 2)
    monkeypatch.setattr("realtime.outlets.mjpeg_server._LOOK_S", 0.02)
    server.offer(flat_picture(1), 0.0)
    for _ in range(3):  # more than there is room for at a time
        with open_stream(server) as viewer, open_stream(server) as other:
            assert Parts(viewer).next() == 1
            wait_until(lambda: server.viewers == 2)
            if is_reset:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: server.viewers == 0)


def test_viewer_that_says_more_than_it_has_to_goes_on_looking(server: MjpegServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.outlets.mjpeg_server._LOOK_S", 0.02)
    server.offer(flat_picture(10), 0.0)
    with open_stream(server) as viewer:
        parts = Parts(viewer)
        assert parts.next() == 10
        viewer.sendall(b"are you there?")
        time.sleep(0.1)
        server.offer(flat_picture(50), 0.0)
        assert parts.next() == 50


def test_the_33rd_viewer_is_refused(server: MjpegServer) -> None:
    server.offer(flat_picture(1), 0.0)
    viewers = []
    while server.viewers < 32:
        viewers.append(open_stream(server))
        wait_until(lambda: server.viewers == len(viewers))
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(server, "/")
    for viewer in viewers:
        viewer.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8090", "LOCALHOST.", "[::1]:8090", "192.168.1.7:80", "[::1]"])
def test_own_names_and_numbers_are_served(server: MjpegServer, host: str) -> None:
    assert ask(server, "/", Host=host)[0] == 200


@pytest.mark.parametrize("host", ["studio.example.org", "Studio", "studio.local:8090"])
def test_the_machines_own_names_are_served_where_others_may_look(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Studio.example.org")
    for address, status in (("0.0.0.0", 200), ("127.0.0.1", 403)):
        server = MjpegServer(0, address)
        try:
            assert ask(server, "/", Host=host)[0] == status
        finally:
            server.close()


def test_the_name_that_was_given_as_the_address_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    found = socket.getaddrinfo("127.0.0.1", 0, type=socket.SOCK_STREAM)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    server = MjpegServer(0, "Camera.example")
    monkeypatch.undo()
    try:
        assert ask(server, "/", Host="camera.example:80")[0] == 200
    finally:
        server.close()


@pytest.mark.parametrize(("number", "host"), [("::1", "[::1]"), ("127.0.0.1", "127.0.0.1")])
def test_an_address_with_colons_has_brackets(number: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Any = SimpleNamespace(server_name=number, server_port=8090, serve_forever=lambda _: None)  # IPv6 is not everywhere
    monkeypatch.setattr(mjpeg_server, "_open_server", lambda *_: opened)
    server = MjpegServer(8090, number)
    assert server.url == f"http://{host}:8090/"
    assert not server.is_public


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8090", "127.0.0.1.evil.example", "", "localhost.evil.example", "["]
)
@pytest.mark.parametrize("path", ["/", "/stream.mjpg", "/frame.jpg"])
def test_names_that_were_pointed_at_this_machine_are_refused(server: MjpegServer, host: str, path: str) -> None:
    server.offer(flat_picture(1), 0.0)
    assert ask(server, path, Host=host)[0] == 403
    assert server.figures()["pictures_encoded"] == 0


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/../etc/passwd", 404), ("POST", "/", 501), ("HEAD", "/", 200)])
def test_other_requests(server: MjpegServer, method: str, path: str, status: int) -> None:
    found, _, body = ask(server, path, method)
    assert found == status
    assert method != "HEAD" or body == b""


def test_it_listens_on_the_loopback_alone_unless_told_otherwise(server: MjpegServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert not server.is_public
    public = MjpegServer(0, "0.0.0.0")
    public.close()
    assert public.is_public


def test_port_in_use_is_one_line(server: MjpegServer) -> None:
    port = port_of(server)
    with pytest.raises(OutputError, match=f"--serve {port}: the port is in use; try another one") as caught:
        MjpegServer(port)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["203.0.113.7", "300.1.2.3", "no such place", "\udcff", "x" * 80])
def test_address_of_another_machine_is_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def without_network(host: str, *arguments: object, **named: object) -> object:
        if host != "203.0.113.7":
            raise socket.gaierror(-2, "Name or service not known")
        return real(host, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", without_network)
    with pytest.raises(OutputError, match="expected an address of this machine"):
        MjpegServer(0, address)


def test_closing_ends_every_stream() -> None:
    server = MjpegServer(0)
    server.offer(flat_picture(1), 0.0)
    with open_stream(server) as viewer:
        wait_until(lambda: server.viewers == 1)
        server.close()
        while viewer.recv(65536):
            """what was on its way"""
    server.close()


def test_slot_keeps_one_picture_and_encodes_the_newest() -> None:
    encoding, go_on = threading.Event(), threading.Event()
    encoded: list[int] = []

    def encode(picture: np.ndarray) -> bytes:
        encoding.set()
        go_on.wait(20)
        encoded.append(int(picture[0, 0, 0]))
        return bytes([encoded[-1]])

    slot = JpegSlot(encode)
    with slot.watch() as viewer:
        slot.put(flat_picture(1))
        encoding.wait(20)
        for level in range(2, 10):  # while the first is being encoded
            slot.put(flat_picture(level))
        go_on.set()
        wait_until(lambda: encoded == [1, 9])
        wait_until(lambda: slot.pictures_encoded == 2)
        assert viewer.next(20.0) == bytes([9])
        viewer.took_it()
        assert viewer.next(0.01) is None
    slot.close()
    assert (slot.pictures_sent, slot.pictures_skipped) == (1, 1)


def test_slot_gives_a_picture_that_cannot_be_encoded_to_the_encoder_once() -> None:
    given: list[int] = []

    def encode(picture: np.ndarray) -> bytes | None:
        given.append(int(picture[0, 0, 0]))
        return bytes(given[-1:]) if given[-1] > 1 else None

    slot = JpegSlot(encode)
    with slot.watch() as viewer:
        slot.put(flat_picture(1))
        wait_until(lambda: bool(given))
        assert viewer.next(0.1) is None
        slot.put(flat_picture(2))
        assert viewer.next(20.0) == bytes([2])
    slot.close()
    assert given == [1, 2]
