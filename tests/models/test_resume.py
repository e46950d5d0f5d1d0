"""A training that goes on: with its own settings, its own photographs, and an optimiser that fits.

In the place of VGG-19 and its losses stands how bright the painting is.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import train
from models.checkpoint import load_checkpoint, save_checkpoint
from models.content import Views
from models.images import save_image
from models.objective import TrainingSettings
from models.resume import settings_to_resume
from models.train_arguments import build_parser
from models.vgg import LossNetwork
from realtime.errors import UserError
from tests.fakes_torch import BrightnessLoss, train_without_vgg

OTHER: dict[str, Any] = {
    "tier": "fast",
    "batch": 2,
    "size": 64,
    "style_size": 70,
    "style_scales": 2,
    "style_weight": 7.5,
    "content_weight": 1.5,
    "tv_weight": 0.25,
    "stability_weight": 0.125,
    "repetition_weight": 0.75,
    "learning_rate": 0.004,
    "seed": 5,
}


class Brightness(BrightnessLoss):
    """May ask the training to stop, as Ctrl-C does, while a step is computed."""

    stops_at: int | None = None

    def __call__(self, generator: nn.Module, views: Views, share: float, turn: int) -> tuple[Tensor, dict[str, float]]:
        if turn + 1 == self.stops_at:
            signal.raise_signal(signal.SIGINT)
        return super().__call__(generator, views, share, turn)


@pytest.fixture(autouse=True)
def brightness(monkeypatch: pytest.MonkeyPatch) -> type[Brightness]:
    return train_without_vgg(monkeypatch, Brightness)


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    path = tmp_path / "stripes.png"
    save_image(path, torch.rand(3, 80, 96, generator=torch.Generator().manual_seed(0)))
    return path


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Nine photographs, of which eight are trained on."""
    folder = tmp_path / "content"
    folder.mkdir()
    for number in range(9):
        save_image(folder / f"{number}.png", torch.rand(3, 72, 80, generator=torch.Generator().manual_seed(number)))
    return folder


@pytest.fixture
def go(painting: Path, content: Path, tmp_path: Path) -> Callable[..., int]:
    """Trains with nothing given but what always has to be, and what the test gives."""

    def run(*options: Any, out: str = "run") -> int:
        words = [
            "--style",
            str(painting),
            "--content",
            str(content),
            "--out",
            str(tmp_path / out),
            "--device",
            "cpu",
            "--quiet",
        ]
        return train.main([*words, *map(str, options)])

    return run


def options_of(settings: dict[str, Any]) -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]


def settings_in(recipe: dict[str, Any]) -> dict[str, Any]:
    return {field.name: recipe[field.name] for field in fields(TrainingSettings)}


def rewrite(run: Path, **changed: Any) -> None:
    content = load_checkpoint(run)
    content.pop("format")
    save_checkpoint(run, content | changed)


def test_a_training_goes_on_with_every_setting_of_its_own(
    go: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(OTHER) == set(asdict(TrainingSettings()))
    assert go("--steps", 1, *options_of(OTHER)) == 0
    capsys.readouterr()
    assert go("--steps", 2, "--resume") == 0
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    assert settings_in(recipe) == OTHER
    assert recipe["earlier_stages"] == []
    assert capsys.readouterr().err == ""


def test_settings_given_anew_hold_and_are_told(
    go: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    capsys.readouterr()
    assert go("--steps", 2, "--resume", "--content-weight", "0.5", "--batch", "2") == 0
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    assert settings_in(recipe) == OTHER | {"content_weight": 0.5}
    assert recipe["earlier_stages"] == [{"until_step": 1, "content_weight": 1.5}]
    assert capsys.readouterr().err == "--resume: from step 1 on with content_weight 0.5, was 1.5\n"


@pytest.mark.parametrize(("seed", "is_same"), [(5, True), (6, False)])
def test_a_seed_given_anew_draws_other_photographs(go: Callable[..., int], tmp_path: Path, seed: int, is_same: bool) -> None:
    for out, given in (("run", ()), ("other", ("--seed", seed))):
        assert go("--steps", 1, *options_of(OTHER), out=out) == 0
        assert go("--steps", 3, "--resume", *given, out=out) == 0
    first, second = (load_checkpoint(tmp_path / out)["generator"]["stem.weight"] for out in ("run", "other"))
    assert torch.equal(first, second) is is_same


def test_another_painting_and_another_vgg_are_told(
    go: Callable[..., int], painting: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    save_image(painting, torch.zeros(3, 80, 80))
    monkeypatch.setattr(train, "load_loss_network", lambda *_: LossNetwork(nn.Identity(), "1" * 64, "other.pth"))
    capsys.readouterr()
    assert go("--steps", 2, "--resume") == 0
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("--resume: from step 1 on with painting stripes.png (")
    assert second == "--resume: from step 1 on with vgg other.pth (11111111), was none (00000000)"


def test_settings_that_an_earlier_version_did_not_know_are_off(
    go: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert go("--steps", 1, *options_of(OTHER)) == 0
    recipe = load_checkpoint(run)["recipe"]
    for name in ("repetition_weight", "style_scales"):
        del recipe[name]
    rewrite(run, recipe=recipe)
    capsys.readouterr()
    assert go("--steps", 2, "--resume") == 0
    recipe = load_checkpoint(run)["recipe"]
    assert settings_in(recipe) == OTHER | {"repetition_weight": 0.0, "style_scales": 1}
    assert recipe["earlier_stages"] == []
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("found", "reason"),
    [("many", "--batch"), (0, "--batch"), (1.5, "--batch"), (None, "does not tell all of its settings; give --batch")],
)
def test_a_checkpoint_whose_settings_are_none_is_refused(found: Any, reason: str) -> None:
    words = ["--style", "a", "--content", "b", "--out", "run", "--steps", "2", "--resume"]
    with pytest.raises(UserError, match=reason):
        settings_to_resume(build_parser().parse_args(words), OTHER | {"batch": found})
    given = build_parser().parse_args([*words, "--batch", "3"])
    assert settings_to_resume(given, OTHER | {"batch": found}).batch == 3


def test_without_options_a_new_training_has_the_defaults_of_its_settings() -> None:
    args = build_parser().parse_args(["--style", "a", "--content", "b", "--out", "run", "--steps", "2"])
    assert TrainingSettings(**train.given_settings(args)) == TrainingSettings()


def test_a_training_broken_off_ends_as_if_it_had_not_been(
    go: Callable[..., int], tmp_path: Path, brightness: type[Brightness]
) -> None:
    """To the bit, on a processor; stopped in the middle of a round of photographs."""
    options = ("--steps", 10, *options_of(OTHER | {"batch": 1}))
    assert go(*options, out="whole") == 0
    brightness.stops_at = 3
    assert go(*options) == 130
    assert load_checkpoint(tmp_path / "run")["step"] == 3
    brightness.stops_at = None
    assert go("--steps", 10, "--resume") == 0
    whole, resumed = (load_checkpoint(tmp_path / name) for name in ("whole", "run"))
    assert resumed["photos"] == whole["photos"]
    assert torch.equal(resumed["random"], whole["random"])
    assert all(torch.equal(resumed["generator"][name], value) for name, value in whole["generator"].items())


@pytest.mark.parametrize("photos", [None, {}, [], {"count": 8}, {"count": 8, "queue": [8]}, {"count": 8, "queue": "abc"}])
def test_a_checkpoint_without_a_usable_round_begins_a_new_one(go: Callable[..., int], tmp_path: Path, photos: Any) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    rewrite(tmp_path / "run", photos=photos)
    assert go("--steps", 2, "--resume") == 0
    assert load_checkpoint(tmp_path / "run")["step"] == 2


@pytest.mark.parametrize("name", ["exp_avg", "exp_avg_sq", "step"])
def test_an_optimiser_of_other_shapes_ends_with_2(
    go: Callable[..., int], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    optimizer = load_checkpoint(tmp_path / "run")["optimizer"]
    optimizer["state"][0][name] = torch.zeros(3, 3)
    rewrite(tmp_path / "run", optimizer=optimizer)
    capsys.readouterr()
    assert go("--steps", 2, "--resume") == 2
    said = capsys.readouterr().err
    assert f"cannot be continued (optimiser: {name} " in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("exp_avg", lambda moment: moment.to_sparse()),
        ("exp_avg", lambda moment: moment.fill_(math.nan)),
        ("exp_avg_sq", lambda moment: moment.fill_(math.inf)),
        ("exp_avg_sq", lambda moment: moment.fill_(-1e-9)),
        ("exp_avg", lambda moment: moment.to("meta")),
        ("step", lambda _: torch.tensor(-1.0)),
        ("step", lambda _: torch.tensor(0.0)),
        ("step", lambda _: torch.tensor(math.nan)),
    ],
    ids=["sparse", "nan", "inf", "below 0", "meta", "step -1", "step 0", "step nan"],
)
def test_an_optimiser_that_no_training_leaves_ends_with_2(
    go: Callable[..., int], tmp_path: Path, name: str, change: Callable[[Tensor], Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    optimizer = load_checkpoint(tmp_path / "run")["optimizer"]
    optimizer["state"][0][name] = change(optimizer["state"][0][name])
    rewrite(tmp_path / "run", optimizer=optimizer)
    refused(go, capsys)


@pytest.mark.parametrize(
    "changed", [{"step": -5}, {"step": math.nan}, {"seconds": math.nan}, {"seconds": math.inf}, {"seconds": -1e9}]
)
def test_a_step_and_seconds_that_no_training_comes_to_end_with_2(
    go: Callable[..., int], tmp_path: Path, changed: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    rewrite(tmp_path / "run", **changed)
    refused(go, capsys)


def refused(go: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    """Checks that a run does not go on, for a reason in one line."""
    capsys.readouterr()
    assert go("--steps", 2, "--resume") == 2
    said = capsys.readouterr().err
    assert "cannot be continued (" in said
    assert len(said.splitlines()) == 1


def test_how_the_optimiser_steps_is_not_read_from_a_checkpoint(go: Callable[..., int], tmp_path: Path) -> None:
    assert go("--steps", 1, *options_of(OTHER)) == 0
    optimizer = load_checkpoint(tmp_path / "run")["optimizer"]
    optimizer["param_groups"][0] |= {"betas": (7.0, 7.0), "weight_decay": "much"}
    rewrite(tmp_path / "run", optimizer=optimizer)
    assert go("--steps", 2, "--resume") == 0
    group = load_checkpoint(tmp_path / "run")["optimizer"]["param_groups"][0]
    assert (group["betas"], group["weight_decay"]) == ((0.9, 0.99), 0)
