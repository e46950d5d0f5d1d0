"""Stand-ins for cameras, networks, windows, clocks and servers, and makers of tiny clips and styles.

Nothing here needs a camera, a network beyond the loopback, a GPU or PyTorch.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper

import realtime.program.quiet  # noqa: F401  (before cv2 is loaded)
from realtime.errors import SourceError
from realtime.frame import Frame, Image
from realtime.gallery import ModelFile, Style
from realtime.networks.model_choice import ModelChoice
from realtime.sinks import WindowSink
from realtime.source import Source
from realtime.stylizer import Stylizer

SMALL_WH = (64, 48)
CLIP_FRAMES = 20
CLIP_RATE = 10
LEVEL_STEP = 10  # grey levels between two frames of a clip: enough to tell them apart after H.264
FRAME_SHAPE: tuple[int | str, ...] = ("batch", "height", "width", 3)
PLANES_SHAPE: tuple[int | str, ...] = ("n", 3, "h", "w")
PIXELS_SHAPE: tuple[int | str, ...] = ("n", "h", "w", 3)
SIGNS_OF_LIFE_S = 20.0


# ---------------------------------------------------------------------------------------------------- time


class FakeClock:
    """Monotonic seconds that pass only when told to."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s
        self.slept_s: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.now_s += seconds

    def sleep(self, seconds: float) -> None:
        """In place of time.sleep: time passes at once, and is noted."""
        self.slept_s.append(seconds)
        self.now_s += seconds


def wait_until(condition: Callable[[], bool], timeout_s: float = SIGNS_OF_LIFE_S) -> None:
    """Polls until a condition holds, for what happens on other threads and in other processes.

    Raises:
        AssertionError: it does not hold in time.
    """
    give_up_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_s, f"waited {timeout_s:g} seconds in vain"
        time.sleep(0.002)


def bytes_so_far(path: Path) -> int:
    """Of a file that another process makes, and may replace at any moment; 0 while there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


# ------------------------------------------------------------------------------------------------ pictures


def flat_picture(level: int, size_wh: tuple[int, int] = SMALL_WH) -> Image:
    """A picture of one grey."""
    return np.full((size_wh[1], size_wh[0], 3), level, np.uint8)


def coloured_picture(size_wh: tuple[int, int] = SMALL_WH, seed: int = 0) -> Image:
    """Smooth colours that differ from left to right, from top to bottom and between the channels."""
    columns = np.linspace(0, 255, size_wh[0])[None, :]
    rows = np.linspace(0, 255, size_wh[1])[:, None]
    planes = [columns + 0 * rows, 0 * columns + rows, (columns + rows) / 2 + seed]
    return np.stack(planes, axis=2).clip(0, 255).astype(np.uint8)


def noisy_picture(size_wh: tuple[int, int] = SMALL_WH, seed: int = 0) -> Image:
    """Bytes without any order."""
    return np.random.default_rng(seed).integers(0, 256, (size_wh[1], size_wh[0], 3), dtype=np.uint8)


def read_picture(path: Path) -> Image:
    """A picture file, byte by byte."""
    picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def png_that_claims(width: int, height: int) -> bytes:
    """A tiny PNG whose header states another size."""
    data = bytearray(cv2.imencode(".png", flat_picture(90))[1].tobytes())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def frame_of(image_bgr: Image, index: int = 0, captured_at_s: float = 0.0, presented_at_s: float | None = None) -> Frame:
    """A frame as a capture hands it over."""
    return Frame(image_bgr, index, captured_at_s, presented_at_s)


# ------------------------------------------------------------------------------------------------- sources


def greys_and_times(source: Source) -> list[tuple[int, float | None]]:
    """The grey and the time in seconds of every frame that an open source still has."""
    frames = iter(source.read, None)
    return [(int(image_bgr[0, 0, 0]), presented_at_s) for image_bgr, presented_at_s in frames]


class End:
    """A step of a ScriptedSource: read returns None."""


class Block:
    """A step of a ScriptedSource: read does not return before `release` is called."""


Step = Image | Exception | End | Block
Session = Sequence[Step] | Exception


class ScriptedSource(Source):
    """A source that does what it is told, step by step.

    Each open begins the next session; an exception in place of a session is raised by open. A session that runs out of
    steps returns None for ever; after the last session the last one is played again.

    Args:
        sessions: what each opening gives.
        can_return, is_hardware, is_live: as in the Source protocol.
    """

    is_mirrored = False

    def __init__(
        self,
        sessions: Sequence[Session],
        *,
        can_return: bool = False,
        is_hardware: bool = False,
        is_live: bool = False,
        frames_per_s: float = CLIP_RATE,
    ) -> None:
        self.description = "scripted source"
        self.can_return, self.is_hardware, self.is_live = can_return, is_hardware, is_live
        self.fps: float | None = frames_per_s
        self.frame_count: int | None = None
        self.opened = 0
        self.closed = 0
        self.reads = 0
        self._sessions = list(sessions)
        self._steps: list[Step] = []
        self._frames = 0
        self._frames_per_s = frames_per_s
        self._released = threading.Event()

    def open(self) -> None:
        """Begins the next session."""
        session = self._sessions[min(self.opened, len(self._sessions) - 1)]
        self.opened += 1
        if isinstance(session, Exception):
            raise session
        self._steps = list(session)

    def read(self) -> tuple[Image, float | None] | None:
        """Does the next step."""
        self.reads += 1
        step = self._steps.pop(0) if self._steps else End()
        if isinstance(step, Block):
            self._released.wait()
            return None
        if isinstance(step, End):
            return None
        if isinstance(step, Exception):
            raise step
        self._frames += 1
        return step, None if self.is_live else (self._frames - 1) / self._frames_per_s

    def close(self) -> None:
        """Counts the call."""
        self.closed += 1

    def release(self) -> None:
        """Lets every blocked read return."""
        self._released.set()


def file_of(count: int, size_wh: tuple[int, int] = SMALL_WH) -> ScriptedSource:
    """A source that ends after a number of frames."""
    return ScriptedSource([[flat_picture(level, size_wh) for level in range(count)]])


def file_that_fails(count: int, error: Exception) -> ScriptedSource:
    """A source that raises after a number of frames."""
    return ScriptedSource([[*(flat_picture(level) for level in range(count)), error]])


def source_without_beginning() -> ScriptedSource:
    """A source that cannot be opened."""
    return ScriptedSource([SourceError("scripted source: cannot be opened")], can_return=True, is_live=True)


def camera_that_hangs(count: int) -> ScriptedSource:
    """A camera whose driver never answers again after a number of frames."""
    return ScriptedSource([[*(flat_picture(level) for level in range(count)), Block()]], can_return=True, is_live=True)


def camera_that_changes_size(sizes_wh: Sequence[tuple[int, int]]) -> ScriptedSource:
    """A source whose every frame has another size."""
    return ScriptedSource([[flat_picture(50, size_wh) for size_wh in sizes_wh]])


# ------------------------------------------------------------------------------------- networks and styles


class FakeStylizer(Stylizer):
    """Inverts pictures without onnxruntime, and remembers what it was asked for."""

    def __init__(self, style: Style | None = None, choice: ModelChoice | None = None) -> None:
        self.made_for = style
        self.provider, self.tier, self.precision, self.stride = "fake", "fast", "fp32", 1
        self.styled_wh: list[tuple[int, int]] = []
        self.warmed_wh: list[tuple[int, int]] = []
        self.prepares_each_size = False  # as a GPU does

    @property
    def takes_range(self) -> bool:
        """As a network of ours."""
        return False

    def is_ready_at(self, size_wh: tuple[int, int]) -> bool:
        """At once, or after a warm-up at that size."""
        return not self.prepares_each_size or size_wh in self.warmed_wh

    def style(self, image_bgr: Image) -> Image:
        """255 minus the picture."""
        self.styled_wh.append((image_bgr.shape[1], image_bgr.shape[0]))
        return np.asarray(255 - image_bgr, np.uint8)

    def warm_up(self, size_wh: tuple[int, int]) -> None:
        """Remembers the size."""
        self.warmed_wh.append(size_wh)

    make_ready = warm_up


def plain_style(name: str, order: int = 0) -> Style:
    """A style without files, for fake stylizers."""
    models = {"fast": {"fp32": ModelFile(Path(f"{name}.onnx"), None)}}
    return Style(name, name.replace("_", " ").capitalize(), "Anon", "1900", "public domain", order, models)


def style_of(path: Path, sha256: str | None = None) -> Style:
    """A style of one ONNX file."""
    return Style("tiny", "Tiny", "", "", "", 0, {"fast": {"fp32": ModelFile(path, sha256)}})


def write_style_onnx(path: Path, *, inverts: bool = True, stride: int = 4, metadata: dict[str, str] | None = None) -> Path:
    """A network by the StyleCam contract, uint8 NHWC BGR in and out, that inverts or repeats its picture.

    Args:
        metadata: entries that replace those of the contract.
    """
    if inverts:
        nodes = [
            helper.make_node("Cast", ["frame"], ["as_float"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["white", "as_float"], ["inverted"]),
            helper.make_node("Cast", ["inverted"], ["styled"], to=TensorProto.UINT8),
        ]
    else:
        nodes = [helper.make_node("Identity", ["frame"], ["styled"])]
    graph = helper.make_graph(
        nodes,
        "tiny_style",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, FRAME_SHAPE)],
        [helper.make_tensor_value_info("styled", TensorProto.UINT8, FRAME_SHAPE)],
        [helper.make_tensor("white", TensorProto.FLOAT, [1], [255.0])] if inverts else [],
    )
    props = {"contract": "1", "name": "tiny", "tier": "fast", "precision": "fp32", "stride": str(stride)} | (metadata or {})
    return _save_model(path, graph, props)


def write_foreign_onnx(
    path: Path,
    layout: str = "NCHW",
    *,
    shape: Sequence[int | str] | None = None,
    input_type: int = TensorProto.FLOAT,
    output_type: int | None = None,
) -> Path:
    """Somebody else's network: it gives back what it gets, in a layout and type of its own.

    Args:
        layout: "NCHW" or "NHWC"; only names the free dimensions where shape is None.
        shape: of input and output.
        output_type: another type than the input's.
    """
    if shape is None:
        shape = PLANES_SHAPE if layout == "NCHW" else PIXELS_SHAPE
    returned_type = input_type if output_type is None else output_type
    node = (
        helper.make_node("Identity", ["image"], ["result"])
        if returned_type == input_type
        else helper.make_node("Cast", ["image"], ["result"], to=returned_type)
    )
    graph = helper.make_graph(
        [node],
        "foreign",
        [helper.make_tensor_value_info("image", input_type, shape)],
        [helper.make_tensor_value_info("result", returned_type, shape)],
    )
    return _save_model(path, graph, {})


def write_nodes_onnx(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, int, Sequence[int | str]]],
    outputs: Sequence[tuple[str, int, Sequence[int | str]]],
    constants: Sequence[onnx.TensorProto] = (),
) -> Path:
    """Any graph: (name, type, shape) of what goes in and comes out."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        list(constants),
    )
    return _save_model(path, graph, {})


def _save_model(path: Path, graph: onnx.GraphProto, props: dict[str, str]) -> Path:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, props)
    if not any(constant.data_location == TensorProto.EXTERNAL for constant in graph.initializer):
        onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def write_style(base: Path, folder_name: str, *, order: int = 0, inverts: bool = True, **changes: Any) -> Path:
    """A style's folder with style.json and one network.

    Args:
        base: folder of the styles.
        folder_name: also the style's name.
        changes: fields of style.json that replace the usual ones.
    Returns:
        The style's folder.
    """
    folder = base / folder_name
    folder.mkdir(parents=True)
    data = write_style_onnx(folder / "fast.onnx", inverts=inverts, metadata={"name": folder_name}).read_bytes()
    entry = {
        "file": "fast.onnx",
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "style_error": 0.25,
        "flicker": 1.5,
    }
    described = {
        "name": folder_name,
        "title": folder_name.replace("_", " ").capitalize(),
        "artist": "Anon",
        "year": "1900",
        "licence": "public domain",
        "order": order,
        "tiers": {"fast": {"fp32": entry}},
    }
    (folder / "style.json").write_text(json.dumps(described | changes), encoding="utf-8")
    return folder


# --------------------------------------------------------------------------------------------------- clips


def clip_picture(index: int, size_wh: tuple[int, int] = SMALL_WH) -> Image:
    """The frame of a clip: one grey that tells its number."""
    return flat_picture(20 + LEVEL_STEP * index, size_wh)


def clip_index(image_bgr: Image) -> int:
    """The number of a clip's frame, from its grey."""
    return round((float(image_bgr.mean()) - 20) / LEVEL_STEP)


def write_clip(
    path: Path,
    frames: int = CLIP_FRAMES,
    size_wh: tuple[int, int] = SMALL_WH,
    *,
    pictures: Sequence[Image] | None = None,
    every_frame_alone: bool = False,
) -> Path:
    """An H.264 clip whose header comes first, so that the beginning of a cut file can be played.

    Args:
        pictures: in place of the numbered greys.
        every_frame_alone: no frame leans on another; damage stays in one of them.
    """
    shown = list(pictures) if pictures is not None else [clip_picture(index, size_wh) for index in range(frames)]
    options = {"crf": "10", "preset": "ultrafast"} | ({"g": "1"} if every_frame_alone else {})
    container_options = {"movflags": "faststart"} if path.suffix != ".mkv" else {}
    with av.open(str(path), "w", options=container_options) as container:
        stream: Any = container.add_stream("libx264", rate=CLIP_RATE)
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = options
        for index, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, CLIP_RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def cut_short(clip: Path, path: Path, share: float = 0.6) -> Path:
    """The beginning of a clip, as an interrupted download leaves it."""
    data = clip.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    return path


def damage_packet(clip: Path, path: Path, number: int) -> Path:
    """A clip in which one packet holds nonsense."""
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        position, size = packets[number].pos, packets[number].size
    assert position is not None
    data = bytearray(clip.read_bytes())
    data[position : position + size] = b"\xff" * size
    path.write_bytes(data)
    return path


def read_clip(path: Path) -> list[Image]:
    """Every frame of a video file."""
    with av.open(str(path)) as container:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in container.decode(video=0)]


# -------------------------------------------------------------------------------------------------- window


@dataclass
class FakeWindow(WindowSink):
    """A window that keeps what it is shown and presses keys by a script.

    keys: one for each call of poll; afterwards none is pressed.
    close_after: pictures after which the close button is pressed.
    """

    keys: list[int] = field(default_factory=list)
    close_after: int | None = None

    def __post_init__(self) -> None:
        self.is_closed = False
        self.shown: list[Image] = []
        self.polled = 0
        self.fullscreen: list[bool] = []
        self.finished = 0

    def write(self, image_bgr: Image, presented_at_s: float | None = None) -> None:
        """Keeps a copy of the picture."""
        self.shown.append(image_bgr.copy())
        if self.close_after is not None and len(self.shown) >= self.close_after:
            self.is_closed = True

    def poll(self) -> int:
        """Counts the call and presses the next key."""
        self.polled += 1
        return self.keys.pop(0) if self.keys else -1

    def set_fullscreen(self, wanted: bool) -> None:
        """Keeps the wish."""
        self.fullscreen.append(wanted)

    def close(self, complete: bool = True) -> None:
        """Counts the call."""
        self.finished += 1


# ------------------------------------------------------------------------------------------------- servers


class MjpegServer:
    """Sends JPEG pictures over HTTP on the loopback, as network cameras do.

    Args:
        jpegs: encoded pictures.
        repeats: whether to begin again after the last one; otherwise the stream and the whole server end there.
    """

    def __init__(self, jpegs: Sequence[bytes], repeats: bool = True) -> None:
        self._jpegs, self._repeats = list(jpegs), repeats
        self._stop = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._send(self)

            def log_message(self, *_: Any) -> None:
                """Stays silent."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A reader that hangs up is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/camera.mjpg"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> MjpegServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _send(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        handler.end_headers()
        while not self._stop.is_set():
            for jpeg in self._jpegs:
                header = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                handler.wfile.write(header.encode() + jpeg + b"\r\n")
                if self._stop.wait(0.01):
                    return
            if not self._repeats:
                self._stop.set()
                self._server.shutdown()
                self._server.server_close()


class SilentServer:
    """Accepts connections and never says a word."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=8)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/camera.mjpg"

    def __enter__(self) -> SilentServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def closed_port() -> int:
    """A port of the loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
