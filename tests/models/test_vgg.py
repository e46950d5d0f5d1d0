"""VGG-19 by layer name, and its weights read as foreign input.

All weights here are made up: random tensors of the right shapes, except in the tests that say otherwise.
"""

from __future__ import annotations

import hashlib
import pickle
import urllib.error
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.report import data_folder
from models import vgg
from models.vgg import (
    CONVOLUTIONS,
    LAYERS,
    WEIGHTS_VARIABLE,
    VGGFeatures,
    load_loss_network,
    read_weights,
)
from realtime.errors import ModelError, UserError
from tests.fakes_torch import POSITIONS, Trap, made_up_vgg

SHARED_FILE = data_folder() / "vgg19" / "vgg19_features.pth"


@pytest.fixture(scope="module")
def shallow() -> dict[str, Tensor]:
    return made_up_vgg("conv2_2")


def photo() -> Tensor:
    return torch.rand(1, 3, 32, 40, generator=torch.Generator().manual_seed(1))


def weights_file(folder: Path, state: Any, name: str = "vgg.pth") -> Path:
    path = folder / name
    torch.save(state, path)
    return path


def test_layers_are_named_by_block_and_number() -> None:
    assert len(CONVOLUTIONS) == 16
    assert LAYERS[:4] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2")
    assert LAYERS[-1] == "relu5_4"
    assert {"relu4_2", "conv3_4", "relu5_1"} < set(LAYERS)
    assert "relu1_3" not in LAYERS


def test_features_are_what_torchvisions_chain_of_layers_gives(shallow: dict[str, Tensor]) -> None:
    """The same computed from torchvision's description of the network: conv, ReLU, conv, ReLU, pooling, ..."""
    convolutions = []
    for position in POSITIONS[:4]:
        weight = shallow[f"{position}.weight"]
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
        layer.load_state_dict({"weight": weight, "bias": shallow[f"{position}.bias"]})
        convolutions += [layer, nn.ReLU()]
    chain = nn.Sequential(*convolutions[:4], nn.MaxPool2d(2, 2), *convolutions[4:])
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    normalised = (photo() - mean.reshape(1, 3, 1, 1)) / std.reshape(1, 3, 1, 1)
    with torch.no_grad():
        found = VGGFeatures(("relu1_1", "conv1_2", "relu2_2"), shallow)(photo())
        torch.testing.assert_close(found["relu1_1"], chain[:2](normalised))
        torch.testing.assert_close(found["conv1_2"], chain[:3](normalised))
        torch.testing.assert_close(found["relu2_2"], chain(normalised))


def test_a_relu_layer_is_the_rectified_convolution(shallow: dict[str, Tensor]) -> None:
    found = VGGFeatures(("conv2_1", "relu2_1"), shallow)(photo())
    assert float(found["conv2_1"].min()) < 0
    assert torch.equal(found["relu2_1"], F.relu(found["conv2_1"]))


def test_each_block_halves_the_size_and_has_its_channels() -> None:
    features = VGGFeatures(("relu1_2", "relu2_2", "relu3_4", "relu4_4", "relu5_4"), made_up_vgg())
    found = features(photo())
    assert {name: tuple(value.shape[1:]) for name, value in found.items()} == {
        "relu1_2": (64, 32, 40),
        "relu2_2": (128, 16, 20),
        "relu3_4": (256, 8, 10),
        "relu4_4": (512, 4, 5),
        "relu5_4": (512, 2, 2),
    }


def test_nothing_deeper_than_asked_for_is_built_or_computed(shallow: dict[str, Tensor]) -> None:
    features = VGGFeatures(("relu2_1", "relu1_1"), shallow)
    assert list(features.convolutions) == ["conv1_1", "conv1_2", "conv2_1"]
    computed: list[str] = []
    for name, layer in features.convolutions.items():
        layer.register_forward_hook(lambda *_, name=name: computed.append(name))
    found = features(photo(), ("relu1_1",))
    assert list(found) == ["relu1_1"]
    assert computed == ["conv1_1"]


def test_a_part_of_the_layers_is_the_same_as_among_all(shallow: dict[str, Tensor]) -> None:
    features = VGGFeatures(("relu1_1", "relu2_1"), shallow)
    assert torch.equal(features(photo(), ("relu2_1",))["relu2_1"], features(photo())["relu2_1"])


def test_the_network_is_not_trained_but_lets_gradients_through(shallow: dict[str, Tensor]) -> None:
    features = VGGFeatures(("relu1_2",), shallow)
    picture = photo().requires_grad_()
    features(picture)["relu1_2"].sum().backward()
    assert not any(parameter.requires_grad for parameter in features.parameters())
    assert not features.training
    assert picture.grad is not None
    assert float(picture.grad.abs().sum()) > 0


@pytest.mark.parametrize("layers", [("relu6_1",), ("relu1_1", "22"), ("pool1",), ("Relu1_1",)])
def test_an_unknown_layer_is_named(layers: tuple[str, ...], shallow: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match=f"no layer {layers[-1]}; known: conv1_1 relu1_1"):
        VGGFeatures(layers, shallow)


def test_no_layers_at_all_are_refused(shallow: dict[str, Tensor]) -> None:
    with pytest.raises(UserError, match="none given"):
        VGGFeatures((), shallow)


@pytest.mark.parametrize("key", ["0.weight", "2.bias", "5.weight"])
def test_a_missing_tensor_is_named_with_its_layer(key: str, shallow: dict[str, Tensor]) -> None:
    layer = {"0": "conv1_1", "2": "conv1_2", "5": "conv2_1"}[key.split(".")[0]]
    state = {name: value for name, value in shallow.items() if name != key}
    with pytest.raises(ModelError, match=rf"the tensor {key} \({layer}\) is missing"):
        VGGFeatures(("relu2_1",), state)


def test_what_is_not_a_tensor_counts_as_missing(shallow: dict[str, Tensor]) -> None:
    with pytest.raises(ModelError, match=r"the tensor 0\.bias \(conv1_1\) is missing"):
        VGGFeatures(("relu1_1",), shallow | {"0.bias": [0.0] * 64})


def test_a_tensor_of_another_shape_is_named_with_both_shapes(shallow: dict[str, Tensor]) -> None:
    state = shallow | {"2.weight": torch.zeros(64, 3, 3, 3)}
    expected = r"2\.weight \(conv1_2\) has shape \(64, 3, 3, 3\), expected \(64, 64, 3, 3\)"
    with pytest.raises(ModelError, match=expected):
        VGGFeatures(("relu1_2",), state)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_tensor_that_is_not_finite_is_named(value: float, shallow: dict[str, Tensor]) -> None:
    damaged = shallow["2.bias"].clone()
    damaged[7] = value
    with pytest.raises(ModelError, match=r"2\.bias \(conv1_2\) holds values that are not finite"):
        VGGFeatures(("relu1_2",), shallow | {"2.bias": damaged})


def test_half_precision_weights_are_computed_in_float32(shallow: dict[str, Tensor]) -> None:
    halved = {name: value.half() for name, value in shallow.items()}
    features = VGGFeatures(("relu1_1",), halved)
    assert features(photo())["relu1_1"].dtype == torch.float32


def test_a_file_is_read_with_its_sha256(tmp_path: Path, shallow: dict[str, Tensor]) -> None:
    path = weights_file(tmp_path, shallow)
    state, sha256 = read_weights(path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert state.keys() == shallow.keys()
    assert torch.equal(state["5.weight"], shallow["5.weight"])


def test_a_whole_vgg_with_its_classifier_is_read_too(tmp_path: Path, shallow: dict[str, Tensor]) -> None:
    whole = {f"features.{name}": value for name, value in shallow.items()} | {"classifier.0.bias": torch.zeros(4)}
    network = load_loss_network(("relu2_1",), weights_file(tmp_path, whole))
    alone = VGGFeatures(("relu2_1",), shallow)
    assert torch.equal(network.features(photo())["relu2_1"], alone(photo())["relu2_1"])


def test_the_network_says_where_its_weights_came_from(tmp_path: Path, shallow: dict[str, Tensor]) -> None:
    path = weights_file(tmp_path, shallow, "oxford.pth")
    network = load_loss_network(("relu1_1",), path)
    assert network.source == "oxford.pth"
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_variable_names_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow: dict[str, Tensor]) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(weights_file(tmp_path, shallow, "from_variable.pth")))
    assert load_loss_network(("relu1_1",)).source == "from_variable.pth"


def test_a_file_that_is_named_goes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow: dict[str, Tensor]
) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "missing.pth"))
    assert load_loss_network(("relu1_1",), weights_file(tmp_path, shallow)).source == "vgg.pth"


def test_a_variable_that_names_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "missing.pth"))
    with pytest.raises(ModelError, match=r"missing\.pth: cannot be read"):
        load_loss_network(("relu1_1",))


def torchvision_path(hub: Path) -> Path:
    from torchvision.models import VGG19_Weights

    return hub / "hub" / "checkpoints" / VGG19_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[1]


def test_torchvisions_weights_are_taken_from_the_hubs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow: dict[str, Tensor]
) -> None:
    """The file bears torchvision's name, but its weights are made up: no network is needed."""
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    path = torchvision_path(tmp_path)
    path.parent.mkdir(parents=True)
    torch.save({f"features.{name}": value for name, value in shallow.items()}, path)
    network = load_loss_network(("relu2_1",))
    assert network.source == "torchvision VGG19_Weights.IMAGENET1K_V1"
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(network.features(photo())["relu2_1"], VGGFeatures(("relu2_1",), shallow)(photo())["relu2_1"])


def test_without_network_the_message_says_where_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded: the download is replaced by one that fails as it does without a network."""
    import torchvision.models._api

    def fail(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fail)
    with pytest.raises(ModelError) as caught:
        load_loss_network(("relu1_1",))
    message = str(caught.value)
    assert str(torchvision_path(tmp_path)) in message
    assert "no route to host" in message
    assert WEIGHTS_VARIABLE in message


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.pth: cannot be read \(No such file or directory\).*--vgg"):
        read_weights(tmp_path / "gone.pth")


@pytest.mark.parametrize("data", [b"not weights", b"\x80\x02}q\x00.", b"PK\x03\x04rest", bytes(range(256))])
def test_what_is_no_pytorch_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "vgg.pth"
    path.write_bytes(data)
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        read_weights(path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vgg.pth").touch()
    with pytest.raises(ModelError, match="found 0"):
        read_weights(tmp_path / "vgg.pth")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="VGG weights"):
        read_weights(tmp_path)


def test_a_huge_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow: dict[str, Tensor]) -> None:
    path = weights_file(tmp_path, shallow)
    monkeypatch.setattr(vgg, "_MAX_FILE_BYTES", path.stat().st_size - 1)
    with pytest.raises(ModelError, match="expected at most"):
        read_weights(path)


def test_a_compressed_file_is_refused(tmp_path: Path, shallow: dict[str, Tensor]) -> None:
    path = weights_file(tmp_path, shallow)
    with zipfile.ZipFile(path) as archive:
        parts = [(part.filename, archive.read(part)) for part in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts:
            archive.writestr(name, data)
    with pytest.raises(ModelError, match="compressed, or expected at most"):
        read_weights(path)


def test_a_truncated_file_is_refused(tmp_path: Path, shallow: dict[str, Tensor]) -> None:
    path = weights_file(tmp_path, shallow)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        read_weights(path)


def test_a_file_that_holds_code_is_refused_and_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "run"
    path = weights_file(tmp_path, {"0.weight": Trap(marker)})
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        read_weights(path)
    path.write_bytes(pickle.dumps(Trap(marker)))
    with pytest.raises(ModelError, match="not a PyTorch file of plain tensors"):
        read_weights(path)
    assert not marker.exists()


def test_a_tensor_instead_of_a_state_dict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a state dict, found Tensor"):
        read_weights(weights_file(tmp_path, torch.zeros(3)))


@pytest.mark.skipif(not SHARED_FILE.is_file(), reason=f"no {SHARED_FILE}; name the data folder with STYLECAM_DATA")
def test_the_shared_oxford_weights_give_finite_features_at_all_layers() -> None:
    network = load_loss_network(LAYERS, SHARED_FILE)
    with SHARED_FILE.open("rb") as file:
        assert network.sha256 == hashlib.file_digest(file, "sha256").hexdigest()
    with torch.no_grad():
        found = network.features(photo())
    assert found.keys() == set(LAYERS)
    for name, value in found.items():
        assert bool(torch.isfinite(value).all()), name
        assert float(value.std()) > 0, name


def test_weights_that_are_known_to_be_for_other_pictures_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shallow: dict[str, Tensor]
) -> None:
    path = weights_file(tmp_path, shallow)
    monkeypatch.setattr(vgg, "_FOR_CAFFE", hashlib.sha256(path.read_bytes()).hexdigest()[:8])
    with pytest.raises(ModelError, match=r"made for Caffe's pictures \(BGR in 0\.\.255\); expected those for RGB"):
        read_weights(path)
