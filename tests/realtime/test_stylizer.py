"""Networks by the StyleCam contract and other people's, each painted with onnxruntime."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from realtime.errors import ModelError
from realtime.gallery import ModelFile, Style, read_style, style_from_file
from realtime.networks.arena import ARENA
from realtime.networks.model_choice import ModelChoice
from realtime.stylizer import Stylizer
from tests.fakes import (
    FRAME_SHAPE,
    PLANES_SHAPE,
    coloured_picture,
    noisy_picture,
    plain_style,
    style_of,
    write_foreign_onnx,
    write_nodes_onnx,
    write_style,
    write_style_onnx,
)

CPU = ModelChoice(provider="cpu", threads=1)
SIZES_WH = [(64, 48), (65, 47), (33, 32), (31, 9), (3, 2), (1, 1)]


def stylizer_of_file(path: Path) -> Stylizer:
    """As --style FILE.onnx makes one."""
    return Stylizer(style_from_file(path), CPU)


def stylizer_of(path: Path, choice: ModelChoice = CPU) -> Stylizer:
    """A session of one file on the processor."""
    return Stylizer(style_of(path), choice)


# --------------------------------------------------------------------------------------- our own contract


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_picture_keeps_its_size_and_place(inversion_onnx: Path, size_wh: tuple[int, int]) -> None:
    photo = noisy_picture(size_wh)
    painted = stylizer_of(inversion_onnx).style(photo)
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, 255 - photo)


def test_photo_is_left_as_it_is(inversion_onnx: Path) -> None:
    photo = noisy_picture()
    photo.setflags(write=False)
    stylizer_of(inversion_onnx).style(photo)
    np.testing.assert_array_equal(photo, noisy_picture())


def test_picture_that_is_a_view_is_painted(inversion_onnx: Path) -> None:
    mirrored = noisy_picture((66, 50))[:, ::-1]
    np.testing.assert_array_equal(stylizer_of(inversion_onnx).style(mirrored), 255 - mirrored)


@pytest.mark.parametrize("stride", [1, 2, 4, 8, 16, 32])
def test_network_sees_multiples_of_its_stride_made_by_reflection(tmp_path: Path, stride: int) -> None:
    seen: list[np.ndarray] = []
    stylizer = stylizer_of(write_style_onnx(tmp_path / "tiny.onnx", stride=stride))
    assert stylizer.stride == stride
    run = stylizer._run

    def watch(batch: np.ndarray) -> np.ndarray:
        seen.append(batch)
        return np.asarray(run(batch))

    stylizer._run = watch  # type: ignore[method-assign]
    photo = noisy_picture((45, 37))
    stylizer.style(photo)
    _, height, width, _ = seen[0].shape
    assert height % stride == width % stride == 0
    assert (height - 37, width - 45) == (-37 % stride, -45 % stride)
    np.testing.assert_array_equal(seen[0][0], np.pad(photo, ((0, height - 37), (0, width - 45), (0, 0)), mode="reflect"))


def test_missing_stride_is_taken_for_the_largest(tmp_path: Path) -> None:
    path = write_foreign_onnx(tmp_path / "bare.onnx", shape=FRAME_SHAPE, input_type=TensorProto.UINT8)
    assert stylizer_of(path).stride == 32


@pytest.mark.parametrize("stride", ["0", "3", "64", "-4", "four", "", "\u00b2", "9" * 5000])
def test_impossible_stride_is_refused(tmp_path: Path, stride: str) -> None:
    path = write_style_onnx(tmp_path / "odd.onnx", metadata={"stride": stride})
    with pytest.raises(ModelError, match="expected a divisor of 32"):
        stylizer_of(path)


def test_later_contract_is_refused(tmp_path: Path) -> None:
    path = write_style_onnx(tmp_path / "later.onnx", metadata={"contract": "2"})
    with pytest.raises(ModelError, match="contract '2', this program knows '1'"):
        stylizer_of(path)


def test_warm_up_runs_at_the_size(inversion_onnx: Path) -> None:
    stylizer = stylizer_of(inversion_onnx)
    stylizer.warm_up((70, 30))
    np.testing.assert_array_equal(stylizer.style(noisy_picture((70, 30))), 255 - noisy_picture((70, 30)))


def test_made_ready_beside_another_style_it_takes_none_of_that_ones_memory(
    inversion_onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_show, next_one = stylizer_of(inversion_onnx), stylizer_of(inversion_onnx)
    on_show.style(noisy_picture((64, 48)))
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(ARENA, "options_for", lambda shape: asked.append(shape))
    next_one.make_ready((64, 48))
    assert asked == []  # nothing of the arena is given back or laid out anew
    np.testing.assert_array_equal(next_one.style(noisy_picture((64, 48))), 255 - noisy_picture((64, 48)))


def test_made_ready_finds_a_network_that_fails(tmp_path: Path) -> None:
    shape = ["batch", "height", "width", 3]
    nodes = [helper.make_node("Reshape", ["frame", "size"], ["styled"])]
    size = helper.make_node("Constant", [], ["size"], value=helper.make_tensor("size", TensorProto.INT64, [4], [1, 7, 7, 3]))
    values = [("frame", TensorProto.UINT8, shape)], [("styled", TensorProto.UINT8, shape)]
    stylizer = stylizer_of(write_nodes_onnx(tmp_path / "fails.onnx", [size, *nodes], *values))
    with pytest.raises(ModelError, match="the network failed"):
        stylizer.make_ready((64, 48))


def test_somebody_elses_network_is_made_ready_at_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stylizer = stylizer_of(write_foreign_onnx(tmp_path / "foreign.onnx"))
    warmed: list[tuple[int, int]] = []
    monkeypatch.setattr(stylizer, "warm_up", warmed.append)
    stylizer.make_ready((64, 48))
    assert warmed == [(64, 48)]


def test_executing_provider_is_reported(inversion_onnx: Path) -> None:
    stylizer = stylizer_of(inversion_onnx)
    assert (stylizer.provider, stylizer.tier, stylizer.precision) == ("cpu", "fast", "fp32")


# ------------------------------------------------------------------------------------ other people's files


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("value_range", [None, (0.0, 255.0), (0.0, 1.0), (-1.0, 1.0)])
@pytest.mark.parametrize("size_wh", [(64, 48), (65, 47)])
def test_foreign_network_gets_and_gives_its_own_range(
    tmp_path: Path, layout: str, value_range: tuple[float, float] | None, size_wh: tuple[int, int]
) -> None:
    path = write_foreign_onnx(tmp_path / "foreign.onnx", layout)
    photo = noisy_picture(size_wh)
    painted = stylizer_of(path, replace(CPU, value_range=value_range)).style(photo)
    assert painted.dtype == np.uint8
    np.testing.assert_array_equal(painted, photo)


@pytest.mark.parametrize(
    ("layout", "value_range", "expected"),
    [
        ("NCHW", None, [30.0, 20.0, 10.0]),
        ("NCHW", (0.0, 1.0), [30 / 255, 20 / 255, 10 / 255]),
        ("NHWC", None, [30 / 127.5 - 1, 20 / 127.5 - 1, 10 / 127.5 - 1]),
        ("NHWC", (0.0, 255.0), [30.0, 20.0, 10.0]),
    ],
)
def test_foreign_network_sees_rgb_in_its_range(
    tmp_path: Path, layout: str, value_range: tuple[float, float] | None, expected: list[float]
) -> None:
    stylizer = stylizer_of(write_foreign_onnx(tmp_path / "foreign.onnx", layout), replace(CPU, value_range=value_range))
    seen: list[np.ndarray] = []
    run = stylizer._run

    def watch(batch: np.ndarray) -> np.ndarray:
        seen.append(batch)
        return np.asarray(run(batch))

    stylizer._run = watch  # type: ignore[method-assign]
    blue_green_red = np.full((8, 8, 3), (10, 20, 30), np.uint8)
    stylizer.style(blue_green_red)
    pixel = seen[0][0, :, 0, 0] if layout == "NCHW" else seen[0][0, 0, 0]
    assert seen[0].dtype == np.float32
    np.testing.assert_allclose(pixel, expected, atol=1e-6)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", [1, 3, 32, 40]), ("NHWC", [1, 32, 40, 3])])
def test_network_of_fixed_size_paints_any_size(tmp_path: Path, layout: str, shape: list[int]) -> None:
    stylizer = stylizer_of(write_foreign_onnx(tmp_path / "fixed.onnx", layout, shape=shape))
    photo = coloured_picture((80, 64))
    painted = stylizer.style(photo)
    assert painted.shape == photo.shape
    assert np.abs(painted.astype(int) - photo).mean() < 3


def test_values_beyond_the_range_are_cut_off(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["image", "image"], ["doubled"]), helper.make_node("Sub", ["doubled", "image"], ["same"])]
    nodes.append(helper.make_node("Add", ["same", "doubled"], ["result"]))
    path = write_nodes_onnx(
        tmp_path / "triple.onnx",
        nodes,
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, PLANES_SHAPE)],
    )
    photo = noisy_picture()
    np.testing.assert_array_equal(stylizer_of(path).style(photo), np.minimum(3 * photo.astype(int), 255))


def test_network_that_enlarges_keeps_the_whole_picture(tmp_path: Path) -> None:
    node = helper.make_node("Concat", ["image", "image"], ["wide"], axis=3)
    stacked = helper.make_node("Concat", ["wide", "wide"], ["result"], axis=2)
    path = write_nodes_onnx(
        tmp_path / "four.onnx",
        [node, stacked],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, ["n", 3, "h2", "w2"])],
    )
    painted = stylizer_of(path).style(coloured_picture((64, 48)))
    assert painted.shape == (48, 64, 3)
    np.testing.assert_allclose(painted[:, :32], painted[:, 32:], atol=1)  # four small copies, not one cut out


def test_network_that_halves_the_picture_several_times_paints_any_size(tmp_path: Path) -> None:
    """As AnimeGAN-like networks do, which join what they have made smaller and larger again with the picture."""
    nodes = [
        helper.make_node("MaxPool", ["image"], ["small"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"]),
        helper.make_node("Max", ["image", "large"], ["result"]),
    ]
    scales = numpy_helper.from_array(np.array([1, 1, 16, 16], np.float32), "scales")
    path = write_nodes_onnx(
        tmp_path / "unet.onnx",
        nodes,
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, PLANES_SHAPE)],
        [scales],
    )
    for size_wh in SIZES_WH:
        assert stylizer_of(path).style(noisy_picture(size_wh)).shape == (size_wh[1], size_wh[0], 3)


def test_border_that_a_network_adds_is_cut_off(tmp_path: Path) -> None:
    pads = numpy_helper.from_array(np.array([0, 0, 0, 0, 0, 0, 4, 4]), "pads")
    path = write_nodes_onnx(
        tmp_path / "border.onnx",
        [helper.make_node("Pad", ["image", "pads"], ["result"])],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, ["n", 3, "h2", "w2"])],
        [pads],
    )
    photo = noisy_picture((64, 48))
    np.testing.assert_array_equal(stylizer_of(path).style(photo), photo)


# ---------------------------------------------------------------------------------- weights in other files


def write_with_outside_weights(folder: Path, location: str = "weights.bin") -> Path:
    """A network that adds 100 grey levels, which it keeps in another file."""
    folder.mkdir(exist_ok=True)
    added = TensorProto(name="added", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        added.external_data.add(key=key, value=value)
    (folder / "weights.bin").write_bytes(np.float32(100).tobytes())
    return write_nodes_onnx(
        folder / "model.onnx",
        [helper.make_node("Add", ["image", "added"], ["result"])],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, PLANES_SHAPE)],
        [added],
    )


def test_weights_in_another_file_are_found_beside_the_network(tmp_path: Path) -> None:
    path = write_with_outside_weights(tmp_path / "folder")
    stylizer = stylizer_of_file(path)
    np.testing.assert_array_equal(stylizer.style(np.zeros((32, 32, 3), np.uint8)), 100)
    (path.parent / "weights.bin").write_bytes(np.float32(50).tobytes())
    assert stylizer_of_file(path).sha256 != stylizer.sha256  # what a film was begun with is all of it


def test_weights_that_are_missing_or_elsewhere_are_named(tmp_path: Path) -> None:
    (write_with_outside_weights(tmp_path).parent / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"its weights weights\.bin are not beside it; put both files into one folder"):
        stylizer_of_file(tmp_path / "model.onnx")
    for location in ("../weights.bin", "/etc/hostname", "."):
        write_with_outside_weights(tmp_path / "folder", location)
        with pytest.raises(ModelError, match=r"outside its folder|not beside it"):
            stylizer_of_file(tmp_path / "folder" / "model.onnx")


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_weights_that_are_a_link_elsewhere_are_told(tmp_path: Path) -> None:
    """As in the cache of a model hub, where both are links to files of other names; onnxruntime follows none."""
    stored = write_with_outside_weights(tmp_path / "blobs")
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "net.onnx").symlink_to(stored.rename(tmp_path / "blobs" / "aaa"))
    (tmp_path / "shown" / "weights.bin").symlink_to((tmp_path / "blobs" / "weights.bin").rename(tmp_path / "blobs" / "bbb"))
    with pytest.raises(ModelError, match="are a link to another folder; copy both files into one folder"):
        stylizer_of_file(tmp_path / "shown" / "net.onnx")


def test_property_called_location_names_no_weights(tmp_path: Path) -> None:
    model = onnx.load(write_foreign_onnx(tmp_path / "net.onnx"))
    helper.set_model_props(model, {"location": "Berlin"})
    onnx.save(model, tmp_path / "net.onnx")
    stylizer_of_file(tmp_path / "net.onnx")


def test_weights_that_are_far_too_many_are_refused_unread(tmp_path: Path) -> None:
    path = write_with_outside_weights(tmp_path)
    os.truncate(tmp_path / "weights.bin", 10**10)
    with pytest.raises(ModelError, match="10000000000 bytes, expected at most"):
        stylizer_of_file(path)


def test_style_of_a_gallery_is_one_file(tmp_path: Path) -> None:
    path = write_with_outside_weights(tmp_path)
    style = style_of(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ModelError, match="keeps weights in other files; expected all in one"):
        Stylizer(style, CPU)


# --------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("shape", "input_type"),
    [
        (["n", 1, "h", "w"], TensorProto.FLOAT),
        (["n", "h", "w", 4], TensorProto.FLOAT),
        (["n", 3, "h", "w"], TensorProto.UINT8),
        ([3, "h", "w"], TensorProto.FLOAT),
        (["n", 3, "h", "w"], TensorProto.DOUBLE),
        (["n"], TensorProto.INT64),
    ],
)
def test_unknown_input_names_what_was_found_and_what_is_known(tmp_path: Path, shape: list[int | str], input_type: int) -> None:
    path = write_foreign_onnx(tmp_path / "odd.onnx", shape=shape, input_type=input_type)
    with pytest.raises(ModelError, match=r"odd\.onnx: takes tensor.*known are uint8 \[batch, height, width, 3\]"):
        stylizer_of(path)


def test_two_inputs_or_outputs_are_refused(tmp_path: Path) -> None:
    value = ("image", TensorProto.FLOAT, PLANES_SHAPE)
    other = ("other", TensorProto.FLOAT, PLANES_SHAPE)
    result = ("result", TensorProto.FLOAT, PLANES_SHAPE)
    two_in = write_nodes_onnx(
        tmp_path / "two_in.onnx", [helper.make_node("Add", ["image", "other"], ["result"])], [value, other], [result]
    )
    two_out = write_nodes_onnx(
        tmp_path / "two_out.onnx",
        [helper.make_node("Identity", ["image"], ["result"]), helper.make_node("Neg", ["image"], ["other"])],
        [value],
        [result, other],
    )
    with pytest.raises(ModelError, match="has 2 inputs, expected one"):
        stylizer_of(two_in)
    with pytest.raises(ModelError, match="has 2 outputs, expected one"):
        stylizer_of(two_out)


def test_network_that_returns_no_picture(tmp_path: Path) -> None:
    path = write_nodes_onnx(
        tmp_path / "classifier.onnx",
        [helper.make_node("Flatten", ["image"], ["result"])],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, ["n", "classes"])],
    )
    with pytest.raises(ModelError, match="returned the shape"):
        stylizer_of(path).style(noisy_picture())


def test_network_that_returns_one_channel(tmp_path: Path) -> None:
    path = write_nodes_onnx(
        tmp_path / "depth.onnx",
        [helper.make_node("Split", ["image"], ["result", "green", "blue"], axis=1, num_outputs=3)],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, ["n", 1, "h", "w"])],
    )
    with pytest.raises(ModelError, match="three channels"):
        stylizer_of(path).style(noisy_picture())


def test_network_that_returns_less_than_it_got(tmp_path: Path) -> None:
    path = write_nodes_onnx(
        tmp_path / "small.onnx",
        [helper.make_node("MaxPool", ["image"], ["result"], kernel_shape=[2, 2], strides=[2, 2])],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, ["n", 3, "h2", "w2"])],
    )
    with pytest.raises(ModelError, match="returned 32x32 for 64x48; not a style network"):
        stylizer_of(path).style(noisy_picture((64, 48)))


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("SequenceConstruct", ["image"], ["result"]),
        helper.make_node("Greater", ["image", "image"], ["result"]),
    ],
    ids=["sequence", "truths"],
)
def test_network_that_returns_no_numbers(tmp_path: Path, node: NodeProto) -> None:
    is_sequence = node.op_type == "SequenceConstruct"
    result = helper.make_tensor_value_info("result", TensorProto.BOOL, PLANES_SHAPE)
    if is_sequence:
        result = helper.make_tensor_sequence_value_info("result", TensorProto.FLOAT, None)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, PLANES_SHAPE)
    graph = helper.make_graph([node], "graph", [image], [result])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "odd.onnx")
    with pytest.raises(ModelError, match="something else than numbers"):
        stylizer_of(tmp_path / "odd.onnx").style(noisy_picture())


def test_values_that_are_not_finite_are_painted_black(tmp_path: Path) -> None:
    path = write_nodes_onnx(
        tmp_path / "nan.onnx",
        [helper.make_node("Sub", ["image", "image"], ["zero"]), helper.make_node("Div", ["zero", "zero"], ["result"])],
        [("image", TensorProto.FLOAT, PLANES_SHAPE)],
        [("result", TensorProto.FLOAT, PLANES_SHAPE)],
    )
    assert not stylizer_of(path).style(noisy_picture()).any()


@pytest.mark.parametrize(("width", "height"), [(0, 64), (64, 0), (5000, 64), (64, 5000)])
def test_size_of_no_picture_is_refused(tmp_path: Path, width: int, height: int) -> None:
    path = write_foreign_onnx(tmp_path / "odd.onnx", shape=[1, 3, height, width])
    with pytest.raises(ModelError, match=f"takes pictures of {width} x {height} pixels; known are 1 to 4096"):
        stylizer_of(path)


def test_network_that_returns_another_type_than_bytes(tmp_path: Path) -> None:
    path = write_foreign_onnx(
        tmp_path / "floats.onnx", shape=FRAME_SHAPE, input_type=TensorProto.UINT8, output_type=TensorProto.FLOAT
    )
    with pytest.raises(ModelError, match="returned float32 for uint8"):
        stylizer_of(path).style(noisy_picture())


@pytest.mark.parametrize("shape", [[2, 3, 32, 32], [2, 3, "h", "w"], [1, 3, 200, "w"], [1, 3, "h", 200]])
def test_shapes_that_no_single_picture_fits_are_named(tmp_path: Path, shape: list[int | str]) -> None:
    with pytest.raises(ModelError, match=r"takes .*; known are "):
        stylizer_of(write_foreign_onnx(tmp_path / "odd.onnx", shape=shape))


def test_network_of_ones_own_named_as_a_file_says_what_it_is(tmp_path: Path) -> None:
    metadata = {"tier": "fine", "precision": "fp16"}
    stylizer = stylizer_of_file(write_style_onnx(tmp_path / "any_name.onnx", metadata=metadata))
    assert (stylizer.tier, stylizer.precision) == ("fine", "fp16")
    nonsense = stylizer_of_file(write_style_onnx(tmp_path / "other.onnx", metadata={"tier": "huge", "precision": "fp8"}))
    assert (nonsense.tier, nonsense.precision) == ("fast", "fp32")


@pytest.mark.parametrize("content", [b"not a network", b"\x08\x09", b"\x00" * 64])
def test_file_that_is_no_network(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "foreign.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"foreign\.onnx"):
        stylizer_of(path)


def test_exchanged_file_of_a_style_is_refused(tmp_path: Path) -> None:
    style = read_style(write_style(tmp_path, "night_sky") / "style.json")
    write_style_onnx(style.models["fast"]["fp32"].path, inverts=False)
    with pytest.raises(ModelError, match="SHA-256"):
        Stylizer(style, CPU)


# -------------------------------------------------------------------------------------- tier and precision


@pytest.fixture
def rich_style(tmp_path: Path) -> Style:
    """A style with every tier and precision, all the same tiny network."""
    files = {
        (tier, precision): ModelFile(write_style_onnx(tmp_path / f"{tier}.{precision}.onnx"), None)
        for tier in ("fast", "fine")
        for precision in ("fp32", "fp16", "int8")
    }
    models = {tier: {p: files[tier, p] for p in ("fp32", "fp16", "int8")} for tier in ("fast", "fine")}
    return Style("rich", "Rich", "", "", "", 0, models)


@pytest.mark.parametrize("has_fast_int8", [True, False])
def test_bytes_are_taken_on_a_processor_that_is_good_at_them(
    rich_style: Style, monkeypatch: pytest.MonkeyPatch, has_fast_int8: bool
) -> None:
    monkeypatch.setattr("realtime.networks.model_choice.has_fast_int8", lambda: has_fast_int8)
    stylizer = Stylizer(rich_style, CPU)
    assert (stylizer.tier, stylizer.precision) == ("fast", "int8" if has_fast_int8 else "fp32")


def test_tier_and_precision_asked_for_are_taken(rich_style: Style) -> None:
    stylizer = Stylizer(rich_style, replace(CPU, tier="fine", precision="fp16"))
    assert (stylizer.tier, stylizer.precision) == ("fine", "fp16")


def test_tier_or_precision_that_a_style_lacks_names_what_it_has(inversion_onnx: Path) -> None:
    style = style_of(inversion_onnx)
    with pytest.raises(ModelError, match="--tier fine: the style tiny has fast"):
        Stylizer(style, replace(CPU, tier="fine"))
    with pytest.raises(ModelError, match=r"--precision int8: tiny \(fast\) has fp32"):
        Stylizer(style, replace(CPU, precision="int8"))


def test_style_whose_file_vanished() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        Stylizer(plain_style("gone"), CPU)
