"""A training from its command line to its checkpoint.

VGG-19's weights are made up: random tensors of the right shapes. Where VGG-19 does not matter, a stand-in takes its place.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import objective, train, training
from models.checkpoint import CHECKPOINT_NAME, generator_from_checkpoint, load_checkpoint
from models.content import ContentPhotos, Views
from models.distil import distil
from models.distributed import Process, join_training
from models.generator import TIERS, Generator, GeneratorSettings, build_generator
from models.images import as_batch, load_image, save_image
from models.losses import (
    COARSE_STYLE_LAYERS,
    STYLE_LAYERS,
    gram_matrix,
    picture_pyramid,
    relative_squared_error,
    total_variation,
)
from models.objective import PerceptualLoss, TrainingSettings, ViewPainter, bfloat16_pays
from models.schedule import Progress, cosine_rate
from models.train_arguments import build_parser, given_settings
from models.training import Training
from models.vgg import LossNetwork, VGGFeatures, load_loss_network
from realtime.errors import UserError
from tests.fakes import closed_port, wait_until
from tests.fakes_torch import NARROWEST, TERMS, BrightnessLoss, as_if_trained, made_up_vgg, make_vgg_narrow, train_without_vgg
from tests.program import mistake_of

ROOT = Path(__file__).resolve().parents[2]
CPU = torch.device("cpu")


def write_made_up_vgg(path: Path) -> Path:
    """Random weights down to conv5_1, in half precision."""
    torch.save({name: value.half() for name, value in made_up_vgg("conv5_1").items()}, path)
    return path


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_made_up_vgg(tmp_path_factory.mktemp("vgg") / "made_up.pth")


@pytest.fixture
def small_vgg_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_vgg_narrow(monkeypatch)
    return write_made_up_vgg(tmp_path / "made_up.pth")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures this small are trained on no faster by several threads, and much slower where the machine is busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    """Red and yellow stripes."""
    path = tmp_path / "stripes.png"
    picture = torch.zeros(3, 80, 96)
    picture[0] = 0.9
    picture[1, :, ::2] = 0.8
    picture[1, ::8] = 0.4
    save_image(path, picture)
    return path


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Three soft pictures; the first is kept for measuring."""
    folder = tmp_path / "content"
    folder.mkdir()
    for number in range(3):
        coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(number))
        soft = nn.functional.interpolate(coarse, (84, 90), mode="bilinear")[0]
        save_image(folder / f"{number}.png", soft * torch.tensor([0.4, 0.7, 1.0]).reshape(3, 1, 1))
    return folder


@pytest.fixture
def arguments(painting: Path, content: Path, tmp_path: Path) -> list[str]:
    options = ["--out", str(tmp_path / "run"), "--size", "64", "--style-size", "64", "--batch", "1", "--device", "cpu"]
    return ["--style", str(painting), "--content", str(content), "--quiet", "--log-every", "1", *options]


class StandInLoss(BrightnessLoss):
    """Fails at the calls named in `not_finite_at`."""

    not_finite_at: tuple[int, ...] = ()
    calls = 0

    def __call__(self, *given: Any) -> tuple[Tensor, dict[str, float]]:
        total, _ = super().__call__(*given)
        type(self).calls += 1
        if type(self).calls in self.not_finite_at:
            total = total * float("nan")
        return total, dict.fromkeys(TERMS, float(total.detach()))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandInLoss]:
    """A narrow generator, and no VGG-19 at all."""
    return train_without_vgg(monkeypatch, StandInLoss)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """VGG-19 in float32 whatever the processor prefers."""
    monkeypatch.setattr(objective, "bfloat16_pays", lambda _: False)


def read_log(run: Path) -> list[dict[str, float]]:
    """One row for each step: step, seconds, and the terms."""
    rows = []
    for line in (run / "log.tsv").read_text().splitlines():
        step, seconds, *terms = line.split("\t")
        rows.append({"step": float(step), "seconds": float(seconds)} | {k: float(v) for k, v in (t.split("=") for t in terms)})
    return rows


class Painter(nn.Module):
    """Stands for a generator, whether training hands it the views together or one by one."""

    def forward(self, *views: Tensor) -> Any:
        painted = tuple(self.paint(batch_rgb) for batch_rgb in views)
        return painted if len(painted) > 1 else painted[0]

    def paint(self, batch_rgb: Tensor) -> Tensor:
        """The photo itself."""
        return batch_rgb


class OneColour(Painter):
    """Paints grey."""

    def paint(self, batch_rgb: Tensor) -> Tensor:
        return torch.full_like(batch_rgb, 0.5)


class Forger(Painter):
    """Paints one picture whatever it sees, its edge repeated around it."""

    def __init__(self, picture_rgb: Tensor) -> None:
        super().__init__()
        self.picture_rgb = as_batch(picture_rgb)

    def paint(self, batch_rgb: Tensor) -> Tensor:
        margin = (batch_rgb.shape[-1] - self.picture_rgb.shape[-1]) // 2
        framed = nn.functional.pad(self.picture_rgb, (margin,) * 4, mode="replicate")
        return framed.expand(len(batch_rgb), -1, -1, -1)


# --- the losses together


def loss_of(vgg_file: Path, painting: Tensor, scales: int = TrainingSettings().style_scales) -> PerceptualLoss:
    network = load_loss_network((*train.STYLE_LAYERS, train.CONTENT_LAYER), vgg_file)
    return PerceptualLoss(network, painting, TrainingSettings(style_scales=scales), CPU)


@pytest.fixture
def loss(vgg_file: Path, painting: Path) -> PerceptualLoss:
    return loss_of(vgg_file, load_image(painting))


@pytest.fixture
def views(content: Path) -> Views:
    return ContentPhotos(content, 64, torch.Generator().manual_seed(0)).next_views(1)


@pytest.mark.usefixtures("exact")
def test_a_generator_that_changes_nothing_is_faithful_and_steady(loss: PerceptualLoss, views: Views) -> None:
    _, terms = loss(Painter(), views)
    margin = (views.first.shape[-1] - 64) // 2
    photo = views.first[..., margin : margin + 64, margin : margin + 64]
    assert tuple(terms) == TERMS
    assert terms["content"] == pytest.approx(0, abs=1e-6)
    assert terms["stability"] == pytest.approx(0, abs=1e-6)
    assert terms["tv"] == pytest.approx(float(total_variation(photo).mean()), rel=1e-4)
    assert terms["style"] > 0.01


@pytest.mark.usefixtures("exact")
def test_a_painting_of_the_painting_has_no_style_error(vgg_file: Path, painting: Path, views: Views) -> None:
    picture = load_image(painting)[:, :64, :64]
    _, terms = loss_of(vgg_file, picture)(Forger(picture), views)
    assert terms["style"] == pytest.approx(0, abs=1e-5)
    assert terms["repetition"] == pytest.approx(0, abs=1e-5)
    assert terms["content"] > 0.1


@pytest.mark.usefixtures("exact")
def test_style_is_the_mean_over_the_layers_of_all_scales(vgg_file: Path, painting: Path, views: Views) -> None:
    picture = load_image(painting)
    loss = loss_of(vgg_file, picture, scales=2)
    _, terms = loss(Painter(), views)
    expected, pyramids = [], [picture_pyramid(p, 2) for p in (views.middle(views.first), as_batch(picture))]
    for layers, (photo, target) in zip((STYLE_LAYERS, COARSE_STYLE_LAYERS), zip(*pyramids, strict=True), strict=True):
        found, wanted = (loss._features(p, layers) for p in (photo, target))
        expected += [relative_squared_error(gram_matrix(found[name]), gram_matrix(wanted[name])) for name in layers]
    assert len(expected) == 8
    assert terms["style"] == pytest.approx(float(torch.stack(expected).mean()), rel=1e-4)
    assert terms["style"] != pytest.approx(loss_of(vgg_file, picture, scales=1)(Painter(), views)[1]["style"], rel=1e-3)


@pytest.mark.usefixtures("exact")
def test_the_total_is_the_weighted_sum_and_stability_comes_in_slowly(loss: PerceptualLoss, views: Views) -> None:
    weights = {name: getattr(TrainingSettings(), f"{name}_weight") for name in TERMS}
    for share, ramp in ((0.0, 0.0), (objective._STABILITY_RAMP / 2, 0.5), (1.0, 1.0)):
        total, terms = loss(OneColour(), views, share)
        assert terms["stability"] > 0.1
        expected = sum(weights[name] * terms[name] * (ramp if name == "stability" else 1) for name in TERMS)
        assert float(total) == pytest.approx(expected, rel=1e-5)


@pytest.mark.usefixtures("exact")
def test_a_batch_costs_the_mean_of_its_photos_at_the_shift_of_its_turn(
    small_vgg_file: Path, painting: Path, content: Path
) -> None:
    loss, painter = loss_of(small_vgg_file, load_image(painting)), ViewPainter(as_if_trained())
    both = ContentPhotos(content, 64, torch.Generator().manual_seed(0)).next_views(2)
    batches = zip(both.first.split(1), both.second.split(1), both.noise_std.split(1), strict=True)
    alone = [replace(both, first=first, second=second, noise_std=noise) for first, second, noise in batches]
    with torch.no_grad():
        _, terms = loss(painter, both, turn=3)
        costs = [loss(painter, views, turn=3)[1] for views in alone]
        _, at_first = loss(painter, both, turn=0)
    for name in TERMS:
        assert costs[0][name] != pytest.approx(costs[1][name], rel=1e-2)
        assert terms[name] == pytest.approx((costs[0][name] + costs[1][name]) / 2, rel=1e-4)
    assert [name for name in TERMS if at_first[name] != terms[name]] == ["repetition"]


@pytest.mark.usefixtures("exact")
def test_a_grey_picture_is_as_unsteady_as_the_photo_over_its_noise(loss: PerceptualLoss, views: Views) -> None:
    """By hand: the photo changes by 0.1, the painting not at all; 0.1^2 / (noise^2 + 0.01^2)."""
    first, second = torch.full_like(views.first, 0.4), torch.full_like(views.second, 0.5)
    changed = replace(views, first=first, second=second, noise_std=torch.full((1,), 0.02))
    _, terms = loss(OneColour(), changed)
    assert terms["stability"] == pytest.approx(0.01 / (0.02**2 + 0.01**2), rel=1e-3)


@pytest.mark.parametrize(("instructions", "pays"), [({"avx512_bf16"}, True), ({"amx_tile"}, True), (set(), False)])
def test_bfloat16_is_chosen_by_what_the_processor_has(
    monkeypatch: pytest.MonkeyPatch, instructions: set[str], pays: bool
) -> None:
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda name=name: name in instructions)
    assert bfloat16_pays(CPU) is pays


def test_a_pytorch_that_cannot_be_asked_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.delattr(torch.cpu, f"_is_{name}_supported")
    assert not bfloat16_pays(CPU)


@pytest.mark.parametrize(("capability", "hip", "pays"), [((7, 5), None, False), ((9, 0), None, True), ((0, 0), "6.0", True)])
def test_a_gpu_that_only_emulates_bfloat16_is_not_given_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], hip: str | None, pays: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)  # as CUDA says of both
    monkeypatch.setattr(torch.version, "hip", hip)
    assert bfloat16_pays(torch.device("cuda:0")) is pays


def test_in_bfloat16_the_terms_are_nearly_those_of_float32(
    small_vgg_file: Path, painting: Path, views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    generator = build_generator(GeneratorSettings("fast", stem_width=16, trunk_width=16, blocks=1, cell=4))
    terms, seen = {}, []
    for pays in (False, True):
        monkeypatch.setattr(objective, "bfloat16_pays", lambda _, pays=pays: pays)
        loss = loss_of(small_vgg_file, load_image(painting))
        features = loss._features

        def spy(batch_rgb: Tensor, layers: Any, features: Any = features) -> Any:
            seen.append(batch_rgb.dtype)
            return features(batch_rgb, layers)

        monkeypatch.setattr(loss, "_features", spy)
        generator.zero_grad()
        total, terms[pays] = loss(ViewPainter(generator), views)
        total.backward()
        gradients = [parameter.grad for parameter in generator.parameters() if parameter.requires_grad]
        assert all(g is not None and g.dtype == torch.float32 and bool(torch.isfinite(g).all()) for g in gradients)
    assert set(seen) == {torch.float32}
    assert terms[True] != terms[False]
    # Both views are rounded to eight bits, which looks like so much unsteadiness at most.
    rounding = 2 * (2**-9) ** 2 / (float(views.noise_std.square()) + objective._STABILITY_FLOOR**2)
    assert terms[True].pop("stability") == pytest.approx(terms[False].pop("stability"), abs=rounding)
    assert terms[True] == pytest.approx(terms[False], rel=0.03)


# --- training


@pytest.mark.usefixtures("exact")
def test_a_few_dozen_steps_lower_the_loss(
    arguments: list[str], small_vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TIERS, "fast", GeneratorSettings("fast", stem_width=16, trunk_width=16, blocks=1, cell=4))
    options = ["--steps", "60", "--learning-rate", "1e-2", "--stability-weight", "0.001", "--vgg", str(small_vgg_file)]
    assert train.main([*arguments, *options]) == 0
    rows = read_log(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(1, 61))
    recipe = load_checkpoint(tmp_path / "run")["recipe"]
    totals = [sum(recipe[f"{name}_weight"] * row[name] for name in TERMS) for row in rows]
    assert sum(totals[-8:]) < 0.8 * sum(totals[:8])
    assert sum(row["style"] for row in rows[-8:]) < 0.8 * sum(row["style"] for row in rows[:8])


def test_the_recipe_is_kept_with_what_it_was_trained_on(
    arguments: list[str], small_vgg_file: Path, painting: Path, tmp_path: Path
) -> None:
    options = ["--steps", "1", "--vgg", str(small_vgg_file), "--style-weight", "7.5", "--seed", "3"]
    assert train.main([*arguments, *options]) == 0
    found = load_checkpoint(tmp_path / "run")
    recipe = found["recipe"]
    assert recipe["computed_in"] == ("bfloat16" if bfloat16_pays(CPU) else "float32")
    assert found["settings"] == asdict(TIERS["fast"])
    assert recipe["vgg"] == "made_up.pth"
    assert recipe["vgg_sha256"] == hashlib.sha256(small_vgg_file.read_bytes()).hexdigest()
    assert recipe["painting"] == "stripes.png"
    assert recipe["painting_sha256"] == hashlib.sha256(painting.read_bytes()).hexdigest()
    assert recipe["started_from"] is None
    assert (recipe["style_weight"], recipe["seed"], recipe["size"], recipe["steps"]) == (7.5, 3, 64, 1)
    assert "--style-weight 7.5" in recipe["command"]
    assert str(tmp_path) not in recipe["command"]


@pytest.mark.usefixtures("stand_in")
def test_a_finished_run_holds_checkpoint_log_and_preview_and_nothing_else(arguments: list[str], tmp_path: Path) -> None:
    assert train.main([*arguments, "--steps", "2"]) == 0
    run = tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == [CHECKPOINT_NAME, "log.tsv", "preview_000002.jpg"]
    assert load_image(run / "preview_000002.jpg").shape == (3, 80, 88)  # the photo kept for measuring, cut to the stride
    assert generator_from_checkpoint(load_checkpoint(run)).settings == NARROWEST


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("every", "steps"), [(20, [3]), (2, [2, 3]), (3, [3])])
def test_the_last_step_is_logged_however_few_they_are(
    arguments: list[str], tmp_path: Path, every: int, steps: list[int]
) -> None:
    assert train.main([*arguments, "--steps", "3", "--log-every", str(every)]) == 0
    assert [row["step"] for row in read_log(tmp_path / "run")] == steps
    assert train.main([*arguments, "--steps", "3", "--log-every", str(every), "--resume"]) == 0  # is done already
    assert [row["step"] for row in read_log(tmp_path / "run")] == steps


@pytest.mark.usefixtures("stand_in")
def test_one_seed_gives_one_result(arguments: list[str], tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert train.main([*arguments, "--steps", "2", "--seed", seed, "--out", str(tmp_path / name)]) == 0
        weights.append(load_checkpoint(tmp_path / name)["generator"]["paint.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.usefixtures("stand_in")
def test_resume_goes_on_from_the_step_it_stopped_at(arguments: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train.main([*arguments, "--steps", "2"]) == 0
    before = load_checkpoint(run)
    assert train.main([*arguments, "--steps", "5", "--resume"]) == 0
    after = load_checkpoint(run)
    assert (before["step"], after["step"]) == (2, 5)
    assert after["seconds"] > before["seconds"]
    assert {float(state["step"]) for state in after["optimizer"]["state"].values()} == {5.0}
    assert [row["step"] for row in read_log(run)] == [1, 2, 3, 4, 5]
    assert not torch.equal(before["random"], after["random"])


@pytest.mark.usefixtures("stand_in")
def test_resuming_a_finished_run_changes_nothing(arguments: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train.main([*arguments, "--steps", "2"]) == 0
    before = load_checkpoint(run)["generator"]
    assert train.main([*arguments, "--steps", "2", "--resume"]) == 0
    after = load_checkpoint(run)["generator"]
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.usefixtures("stand_in")
def test_a_training_may_start_from_another_runs_generator(arguments: list[str], tmp_path: Path) -> None:
    assert train.main([*arguments, "--steps", "3", "--seed", "5"]) == 0
    started = tmp_path / "started"
    options = ["--from", str(tmp_path / "run"), "--out", str(started), "--learning-rate", "1e-12"]
    assert train.main([*arguments, "--steps", "1", *options]) == 0
    first, second = load_checkpoint(tmp_path / "run"), load_checkpoint(started)
    torch.testing.assert_close(second["generator"]["paint.weight"], first["generator"]["paint.weight"], rtol=0, atol=1e-6)
    assert second["recipe"]["started_from"] == "run"
    assert second["step"] == 1


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("first", "second"), [("fine", "fast"), ("fast", "fine")])
def test_a_training_may_start_by_learning_from_a_generator_of_another_shape(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str
) -> None:
    monkeypatch.setitem(TIERS, "fine", replace(TIERS["fast"], tier="fine", cell=2, stem_width=7))
    asked: list[tuple[Any, ...]] = []

    def watched(teacher: Generator, *rest: Any) -> Generator:
        asked.append((teacher.settings, *rest))
        return distil(teacher, *rest)

    monkeypatch.setattr(training, "distil", watched)
    assert train.main([*arguments, "--steps", "1", "--tier", first]) == 0
    taught = tmp_path / "taught"
    options = ["--tier", second, "--from", str(tmp_path / "run"), "--out", str(taught), "--distil-steps", "3"]
    assert train.main([*arguments, "--steps", "1", *options]) == 0
    (teacher, wanted, _photos, steps, device, quiet) = asked[0]
    assert (teacher, wanted, steps, device.type, quiet) == (TIERS[first], TIERS[second], 3, "cpu", "--quiet" in arguments)
    found = load_checkpoint(taught)
    assert generator_from_checkpoint(found).settings == TIERS[second]
    assert (found["recipe"]["started_from"], found["recipe"]["distil_steps"]) == ("run", 3)
    assert found["step"] == 1
    assert train.main([*arguments, "--steps", "2", *options, "--resume"]) == 0
    assert len(asked) == 1  # what goes on has learnt already
    recipe = load_checkpoint(taught)["recipe"]
    assert recipe["distil_steps"] == 3
    assert recipe["command"].endswith(" --from RUN_OF_RUN --distil-steps 3 --steps 2")


@pytest.mark.usefixtures("stand_in")
def test_a_training_of_the_same_shape_needs_no_teacher(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "distil", None)
    assert train.main([*arguments, "--steps", "1"]) == 0
    started = tmp_path / "started"
    assert train.main([*arguments, "--steps", "1", "--from", str(tmp_path / "run"), "--out", str(started)]) == 0
    assert "distil_steps" not in load_checkpoint(started)["recipe"]


@pytest.mark.usefixtures("stand_in")
def test_a_larger_generator_starts_as_the_smaller_one_and_needs_no_teacher(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = TIERS["fast"]
    larger = {"stem_width": 2 * fast.stem_width, "trunk_width": 2 * fast.trunk_width, "blocks": fast.blocks + 1}
    monkeypatch.setitem(TIERS, "fine", replace(fast, tier="fine", **larger))
    monkeypatch.setattr(training, "distil", None)
    assert train.main([*arguments, "--steps", "1"]) == 0
    started = tmp_path / "started"
    options = ["--from", str(tmp_path / "run"), "--out", str(started), "--tier", "fine", "--learning-rate", "1e-12"]
    assert train.main([*arguments, "--steps", "1", *options]) == 0
    narrow, found = (load_checkpoint(run) for run in (tmp_path / "run", started))
    photo = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        painted, expected = (generator_from_checkpoint(content)(photo) for content in (found, narrow))
    torch.testing.assert_close(painted, expected, rtol=1e-4, atol=1e-4)
    assert (found["settings"]["tier"], found["recipe"]["started_from"]) == ("fine", "run")
    assert "distil_steps" not in found["recipe"]


@pytest.fixture
def taught(stand_in: type[StandInLoss], arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command of a training that begins with learning from a network of another shape, which was trained already."""
    monkeypatch.setitem(TIERS, "fine", replace(TIERS["fast"], tier="fine", cell=2, stem_width=7))
    assert train.main([*arguments, "--steps", "1", "--tier", "fine"]) == 0
    return [*arguments, "--steps", "1", "--from", str(tmp_path / "run"), "--out", str(tmp_path / "taught")]


def test_a_teacher_that_paints_nothing_finite_leaves_no_checkpoint(
    taught: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> Generator:
        raise FloatingPointError("loss not finite at step 7 of the distillation")

    monkeypatch.setattr(training, "distil", fails)
    assert train.main(taught) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("stopped: loss not finite at step 7 of the distillation")
    assert not (tmp_path / "taught" / CHECKPOINT_NAME).exists()


def test_a_distillation_that_is_interrupted_is_not_kept_and_says_so(
    taught: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> Generator:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "distil", interrupted)
    capsys.readouterr()
    assert train.main(taught) == 130
    told = "the distillation was broken off: nothing of it is kept; the same command begins it again\ninterrupted\n"
    assert capsys.readouterr().err == told
    assert not (tmp_path / "taught" / CHECKPOINT_NAME).exists()


@pytest.mark.usefixtures("stand_in")
def test_a_training_that_goes_on_keeps_what_it_started_from(arguments: list[str], tmp_path: Path) -> None:
    assert train.main([*arguments, "--steps", "1"]) == 0
    started = ["--out", str(tmp_path / "started")]
    assert train.main([*arguments, "--steps", "1", *started, "--from", str(tmp_path / "run")]) == 0
    (tmp_path / "run" / CHECKPOINT_NAME).unlink()  # it is not needed any more
    assert train.main([*arguments, "--steps", "2", *started, "--resume"]) == 0
    recipe = load_checkpoint(tmp_path / "started")["recipe"]
    assert (recipe["started_from"], recipe["earlier_stages"]) == ("run", [])
    assert recipe["command"].endswith(" --from RUN_OF_RUN --steps 2")


class Among(Process):
    """One of several processes, of which another may have been asked to stop."""

    elsewhere = False

    def agree(self, value: float) -> float:
        return value

    def any(self, value: bool) -> bool:
        return value or self.elsewhere


@pytest.mark.usefixtures("stand_in")
def test_several_processes_that_go_on_see_other_photographs_than_before(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train.main([*arguments, "--steps", "2"]) == 0
    monkeypatch.setattr(training, "DistributedDataParallel", lambda views: views)
    seeds = set()
    for rank in range(2):
        for options in (["--steps", "5", "--out", str(tmp_path / "new")], ["--steps", "5", "--resume"]):
            args = build_parser().parse_args([*arguments, *options])
            network = LossNetwork(nn.Identity(), "0" * 64, "none")
            earlier = load_checkpoint(tmp_path / "run") if args.resume else None
            settings = TrainingSettings(**given_settings(args))
            run = Training(args, settings, Among(rank, 2, CPU), network, torch.zeros(1), earlier)
            seeds.add(run.random.initial_seed())
    assert len(seeds) == 4


def test_a_process_stops_when_another_one_was_asked_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for rank, said in ((0, "interrupted at step 0; go on with --resume\n"), (1, "")):
        process = Among(rank, 2, CPU)
        object.__setattr__(process, "elsewhere", True)
        nothing = SimpleNamespace(unreadable=0)
        run: Any = SimpleNamespace(progress=Progress(8, None), process=process, run=tmp_path, photos=nothing)
        run.save = run.preview = lambda *_: None
        assert train._loop(run, argparse.Namespace(quiet=True), []) == 130
        assert capsys.readouterr().err == said


@pytest.mark.usefixtures("stand_in")
def test_sigterm_before_the_first_step_ends_with_130(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "load_loss_network", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert train.main([*arguments, "--steps", "1"]) == 130


@pytest.mark.usefixtures("stand_in")
def test_a_log_that_cannot_be_written_ends_with_5(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run" / "log.tsv").mkdir(parents=True)
    assert train.main([*arguments, "--steps", "1"]) == 5
    assert "log.tsv: cannot be written" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("option", "code"), [("--style", 3), ("--content", 3), ("--out", 5), ("--from", 4)])
def test_a_path_that_is_too_long_is_told_in_one_line(
    arguments: list[str], option: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error_of([*arguments, "--steps", "1", option, "x" * 300], capsys)[0] == code


@pytest.mark.usefixtures("stand_in")
def test_unreadable_photos_are_said_at_the_end(arguments: list[str], content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (content / "1.png").write_bytes(b"not a picture")
    assert train.main([*arguments, "--steps", "4"]) == 0
    assert "1 unreadable pictures were skipped" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("kind", ["unreadable", "tiny"])
def test_an_unusable_photo_for_the_preview_does_no_harm(arguments: list[str], content: Path, tmp_path: Path, kind: str) -> None:
    if kind == "unreadable":
        (content / "0.png").write_bytes(b"not a picture")
    else:
        save_image(content / "0.png", torch.zeros(3, 5, 40))
    assert train.main([*arguments, "--steps", "1"]) == 0
    assert not list((tmp_path / "run").glob("preview_*"))


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_checkpoint(
    arguments: list[str], tmp_path: Path, stand_in: type[StandInLoss], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.not_finite_at = (3,)
    assert train.main([*arguments, "--steps", "6", "--checkpoint-every", "1"]) == 1
    found = load_checkpoint(tmp_path / "run")
    assert found["step"] == 2
    assert all(bool(torch.isfinite(value).all()) for value in found["generator"].values())
    said = capsys.readouterr().err
    assert "loss not finite at step 2" in said
    assert "last good checkpoint is kept" in said
    assert "Traceback" not in said


def test_a_loss_that_is_never_finite_leaves_no_checkpoint(
    arguments: list[str], tmp_path: Path, stand_in: type[StandInLoss], capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in.not_finite_at = (1,)
    assert train.main([*arguments, "--steps", "6"]) == 1
    assert not (tmp_path / "run" / CHECKPOINT_NAME).exists()
    assert "no checkpoint yet. Try a smaller --learning-rate or lower weights." in capsys.readouterr().err


@pytest.mark.usefixtures("stand_in")
def test_weights_that_are_not_finite_are_never_written(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def poison(parameters: Iterable[nn.Parameter], _: float) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            for parameter in parameters:
                assert parameter.grad is not None
                parameter.grad.fill_(float("nan"))

    monkeypatch.setattr(nn.utils, "clip_grad_norm_", poison)
    assert train.main([*arguments, "--steps", "6", "--checkpoint-every", "1"]) == 1
    assert load_checkpoint(tmp_path / "run")["step"] == 2


# --- schedules


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    warm_up = [cosine_rate(1.0, step, 0.0, 30) for step in range(40)]
    assert warm_up[0] == pytest.approx(1 / 30)
    assert warm_up[:30] == sorted(warm_up[:30])
    assert warm_up[29:] == pytest.approx([1.0] * 11)
    falling = [cosine_rate(1.0, 1000, share / 10, 30) for share in range(11)]
    assert falling == sorted(falling, reverse=True)
    assert falling[5] == pytest.approx(0.505)
    assert falling[10] == pytest.approx(0.01)


def test_progress_is_measured_in_what_was_asked_for() -> None:
    assert Progress(8, None, step=2, seconds=1000).share() == 0.25
    assert Progress(8, None, step=9).share() == 1.0
    assert Progress(None, 2.0, step=1000, seconds=30).share() == 0.25
    assert Progress(None, 2.0, seconds=500).share() == 1.0


@pytest.mark.usefixtures("stand_in")
def test_a_training_by_minutes_ends(arguments: list[str], tmp_path: Path) -> None:
    assert train.main([*arguments, "--minutes", "0.001"]) == 0
    assert load_checkpoint(tmp_path / "run")["step"] >= 1


def test_the_learning_rate_in_use_is_the_schedules(
    arguments: list[str], tmp_path: Path, stand_in: type[StandInLoss], monkeypatch: pytest.MonkeyPatch
) -> None:
    del stand_in
    monkeypatch.setattr(training, "cosine_rate", lambda _largest, step, share, _warm_up: 1e-3 * (step + 1) + share)
    assert train.main([*arguments, "--steps", "4"]) == 0
    assert load_checkpoint(tmp_path / "run")["optimizer"]["param_groups"][0]["lr"] == pytest.approx(4e-3 + 0.75)


def test_the_loss_is_told_how_far_the_training_is(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """By the share done stability comes in; by the number of the step the shifts take turns."""
    told = []

    class Told(StandInLoss):
        def __call__(self, *given: Any) -> tuple[Tensor, dict[str, float]]:
            told.append(given[2:])
            return super().__call__(*given)

    train_without_vgg(monkeypatch, Told)
    assert train.main([*arguments, "--steps", "4"]) == 0
    assert told == [(0.0, 0), (0.25, 1), (0.5, 2), (0.75, 3)]


# --- mistakes and their exit codes


error_of = functools.partial(mistake_of, train.main)


def test_an_empty_content_folder_ends_with_3(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    code, said = error_of([*arguments, "--steps", "1", "--content", str(tmp_path / "empty")], capsys)
    assert code == 3
    assert "no photographs found" in said


@pytest.mark.usefixtures("stand_in")
def test_content_that_cannot_be_read_ends_with_3(
    arguments: list[str], content: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in content.iterdir():
        path.write_bytes(b"not a picture")
    assert train.main([*arguments, "--steps", "1"]) == 3
    assert "error: content folder: none of its pictures can be read" in capsys.readouterr().err


def test_a_painting_that_is_too_small_ends_with_3(
    arguments: list[str], painting: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_image(painting, torch.zeros(3, 40, 90))
    code, said = error_of([*arguments, "--steps", "1"], capsys)
    assert code == 3
    assert "short side has 40 pixels" in said


def test_a_missing_painting_ends_with_3(arguments: list[str], painting: Path, capsys: pytest.CaptureFixture[str]) -> None:
    painting.unlink()
    assert error_of([*arguments, "--steps", "1"], capsys)[0] == 3


def test_resume_without_a_checkpoint_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, said = error_of([*arguments, "--steps", "1", "--resume"], capsys)
    assert code == 2
    assert f"--resume: no {CHECKPOINT_NAME}" in said


@pytest.mark.usefixtures("stand_in")
def test_an_existing_run_is_not_overwritten(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([*arguments, "--steps", "1"]) == 0
    before = (tmp_path / "run" / CHECKPOINT_NAME).read_bytes()
    code, said = error_of([*arguments, "--steps", "1"], capsys)
    assert code == 5
    assert "holds a training already; go on with --resume" in said
    assert (tmp_path / "run" / CHECKPOINT_NAME).read_bytes() == before


@pytest.mark.usefixtures("stand_in")
def test_an_unwritable_folder_ends_with_5(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        code, said = error_of([*arguments, "--steps", "1", "--out", str(out)], capsys)
        assert code == 5
        assert "cannot be written" in said


@pytest.mark.parametrize("data", [b"not weights", None], ids=["not weights", "missing"])
def test_a_bad_vgg_file_ends_with_4(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes | None
) -> None:
    path = tmp_path / "vgg.pth"
    if data is not None:
        path.write_bytes(data)
    code, said = error_of([*arguments, "--steps", "1", "--vgg", str(path)], capsys)
    assert code == 4
    assert str(path) in said


def test_a_vgg_file_that_lacks_a_layer_ends_with_4(
    arguments: list[str], tmp_path: Path, vgg_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = torch.load(vgg_file, weights_only=True)
    del state["28.bias"]
    torch.save(state, tmp_path / "vgg.pth")
    code, said = error_of([*arguments, "--steps", "1", "--vgg", str(tmp_path / "vgg.pth")], capsys)
    assert code == 4
    assert "28.bias (conv5_1) is missing" in said


@pytest.mark.usefixtures("stand_in")
def test_resuming_a_damaged_checkpoint_ends_with_4(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*arguments, "--steps", "1"]) == 0
    path = tmp_path / "run" / CHECKPOINT_NAME
    path.write_bytes(path.read_bytes()[:-100])
    assert error_of([*arguments, "--steps", "2", "--resume"], capsys)[0] == 4


@pytest.mark.usefixtures("stand_in")
def test_a_generator_of_other_widths_is_not_resumed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*arguments, "--steps", "1"]) == 0
    monkeypatch.setitem(TIERS, "fast", GeneratorSettings("fast", stem_width=5, trunk_width=4, blocks=1, cell=4))
    code, said = error_of([*arguments, "--steps", "2", "--resume"], capsys)
    assert code == 2
    assert "trains another generator" in said


@pytest.mark.usefixtures("stand_in")
def test_starting_from_a_run_that_is_not_there_ends_with_4(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error_of([*arguments, "--steps", "1", "--from", str(tmp_path / "gone")], capsys)[0] == 4


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize("device", ["tpu9000", "cuda:99", "cuda:200", "mps", "meta"])
def test_a_device_that_is_not_there_ends_with_2(arguments: list[str], device: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = error_of([*arguments, "--steps", "1", "--device", device], capsys)
    assert code == 2
    assert f"--device {device}" in said


@pytest.mark.usefixtures("stand_in")
def test_wanting_memory_ends_with_2_and_names_what_to_lower(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(StandInLoss, "__call__", fail)
    code, said = error_of([*arguments, "--steps", "1"], capsys)
    assert code == 2
    assert said == "error: not enough memory for --batch 1 and --size 64; try smaller ones\n"


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--steps", "0"],
        ["--steps", "1", "--minutes", "1"],
        ["--minutes", "nan"],
        ["--minutes", "-1"],
        ["--steps", "1", "--size", "100"],
        ["--steps", "1", "--size", "32"],
        ["--steps", "1", "--size", "40000"],
        ["--steps", "1", "--style-size", "4097"],
        ["--steps", "1", "--batch", "none"],
        ["--steps", "1", "--style-weight", "-1"],
        ["--steps", "1", "--content-weight", "inf"],
        ["--steps", "1", "--tier", "finest"],
        ["--steps", "1", "--style-size", "1"],
        ["--steps", "1", "--style-weight", "much"],
    ],
    ids=lambda wrong: " ".join(wrong) or "no length",
)
def test_wrong_arguments_end_with_2(arguments: list[str], wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.main([*arguments, *wrong])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith("(see python -m models.train --help)\n")


def test_a_single_process_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    process = join_training("cpu")
    assert (process.rank, process.count, process.device, process.is_first) == (0, 1, CPU, True)
    assert process.agree(0.25) == 0.25
    assert process.any(True)
    assert not process.any(False)
    with pytest.raises(UserError, match="expected auto, cpu, cuda or cuda:N"):
        join_training("gpu please")


# --- other processes


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_training_keeps_a_checkpoint_and_ends_with_130(
    arguments: list[str], vgg_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "models.train", *arguments, "--minutes", "60", "--vgg", str(vgg_file)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: (run / "log.tsv").exists() or process.poll() is not None, timeout_s=300)
        assert not (run / CHECKPOINT_NAME).exists()
        process.send_signal(number)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, said
    found = load_checkpoint(run)
    assert found["step"] >= 1
    assert generator_from_checkpoint(found).settings == TIERS["fast"]
    assert f"interrupted at step {found['step']}; go on with --resume" in said
    assert "Traceback" not in said


KEEPS_EVERY_PROCESS = """
import sys
import torch
from models import train

loop = train._loop

def loop_and_keep(training, args, previews):
    code = loop(training, args, previews)
    found = {name: value.detach() for name, value in training.generator.named_parameters()}
    torch.save({"parameters": found, "count": training.process.count}, training.run / f"rank{training.process.rank}.kept")
    return code

train._loop = loop_and_keep
sys.exit(train.main())
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch was built without torch.distributed")
def test_two_processes_train_one_network(arguments: list[str], vgg_file: Path, tmp_path: Path) -> None:
    script, run = tmp_path / "train_and_keep.py", tmp_path / "run"
    script.write_text(KEEPS_EVERY_PROCESS)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    command += ["--master-port", str(closed_port()), str(script), *arguments, "--steps", "2", "--vgg", str(vgg_file)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(run / f"rank{rank}.kept", weights_only=True) for rank in range(2))
    assert first["count"] == second["count"] == 2
    assert all(torch.equal(first["parameters"][name], value) for name, value in second["parameters"].items())
    found = load_checkpoint(run)
    assert found["step"] == 2
    assert all(torch.equal(found["generator"][name], value) for name, value in first["parameters"].items())
    assert sorted(path.name for path in run.iterdir() if path.suffix != ".kept") == [
        CHECKPOINT_NAME,
        "log.tsv",
        "preview_000002.jpg",
    ]
    assert len(read_log(run)) == 2


def test_the_loss_network_holds_every_layer_that_training_needs(vgg_file: Path) -> None:
    network = load_loss_network((*train.STYLE_LAYERS, train.CONTENT_LAYER), vgg_file)
    assert isinstance(network.features, VGGFeatures)
    assert list(network.features.convolutions)[-1] == "conv5_1"
    assert math.isfinite(float(network.features(torch.zeros(1, 3, 32, 32))["relu5_1"].sum()))


def test_view_painter_paints_the_first_view_raw_and_the_second_as_live() -> None:
    generator = build_generator(GeneratorSettings("fast", stem_width=8, trunk_width=8, blocks=1, cell=4))
    wide, second = torch.rand(1, 3, 96, 96), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        first_painted, second_painted = ViewPainter(generator)(wide, second)
        assert torch.equal(first_painted, generator(wide, repeat_border=False))
        assert torch.equal(second_painted, generator(second))
