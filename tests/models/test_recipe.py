"""What a checkpoint tells of its training, in one go and continued."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from models.generator import TIERS
from models.objective import TrainingSettings
from models.recipe import continued_recipe, make_recipe, recipe_until
from models.train_arguments import build_parser, given_settings
from models.trunk import is_word, load_start
from models.vgg import LossNetwork
from models.widening import can_widen
from realtime.errors import UserError
from realtime.gallery import SHIPPED


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    (tmp_path / "wave.png").write_bytes(b"a painting")
    return tmp_path / "wave.png"


def recipe_of(painting: Path, start: str | None = None, vgg: str = "0" * 64, **settings: Any) -> dict[str, Any]:
    args = Namespace(style=str(painting), start=start)
    return make_recipe(args, TrainingSettings(**settings), LossNetwork(nn.Identity(), vgg, "vgg.pth"))


@pytest.mark.parametrize(
    ("start", "word", "name"),
    [
        ("trunk", "trunk", "trunk"),
        ("munch_the_scream", "munch_the_scream", "munch_the_scream"),
        ("/runs/my wave", "RUN_OF_MY WAVE", "my wave"),
        (str(SHIPPED / "wave" / "fast.onnx"), "styles/wave/fast.onnx", "styles/wave/fast.onnx"),  # the same on every machine
    ],
)
def test_what_a_training_started_from_is_kept_when_it_goes_on(painting: Path, start: str, word: str, name: str) -> None:
    begun = recipe_until(recipe_of(painting, start), 7, 30)
    assert begun["command"].endswith(f" --from {word} --steps 7")
    for given in (None, "trunk", "/runs/another"):  # its weights come from the checkpoint, whatever is given now
        found = recipe_until(continued_recipe(recipe_of(painting, given), begun, 7), 9, 40)
        assert found["started_from"] == name
        assert found["command"] == begun["command"].replace("--steps 7", "--steps 9")
        assert found["earlier_stages"] == []


def test_a_training_from_nothing_stays_one_from_nothing(painting: Path) -> None:
    begun = recipe_until(recipe_of(painting), 7, 30)
    found = continued_recipe(recipe_of(painting, "trunk"), begun, 7)
    assert found["started_from"] is None
    assert "--from" not in found["command"]


def test_changed_settings_painting_and_vgg_make_another_stage(painting: Path) -> None:
    begun = recipe_until(recipe_of(painting, style_weight=9.0), 7, 30)
    painting.write_bytes(b"another painting")
    second = continued_recipe(recipe_of(painting), begun, 7)
    assert second["earlier_stages"] == [
        {"until_step": 7, "style_weight": 9.0, "painting": "wave.png", "painting_sha256": begun["painting_sha256"]}
    ]
    third = continued_recipe(recipe_of(painting, vgg="1" * 64), second, 9)
    assert third["earlier_stages"] == [*second["earlier_stages"], {"until_step": 9, "vgg": "vgg.pth", "vgg_sha256": "0" * 64}]


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere take no such names")
def test_names_that_are_no_text_are_told_as_far_as_they_are(tmp_path: Path) -> None:
    painting = tmp_path / os.fsdecode(b"caf\xe9.png")
    painting.write_bytes(b"a painting")
    args = Namespace(style=str(painting), start=os.fsdecode(b"/runs/f\xeate"))
    recipe = make_recipe(args, TrainingSettings(), LossNetwork(nn.Identity(), "0" * 64, os.fsdecode(b"\xe9.pth")))
    assert (recipe["painting"], recipe["started_from"], recipe["vgg"]) == ("caf?.png", "f?te", "?.pth")
    assert recipe["command"].endswith(" --from RUN_OF_F?TE")
    json.dumps(recipe, ensure_ascii=False).encode()
    assert recipe["painting_sha256"] == hashlib.sha256(b"a painting").hexdigest()


@pytest.mark.parametrize("seed", [-1, 2**31, 10**17])
def test_a_seed_that_is_none_is_refused(seed: int) -> None:
    with pytest.raises(UserError, match=f"seed {seed}: expected 0 to 2147483647"):
        TrainingSettings(seed=seed)


SHIPPED_RECIPES = [
    (description.parent.name, tier, recipe)
    for description in sorted(SHIPPED.glob("*/style.json"))
    for tier, recipe in json.loads(description.read_text(encoding="utf-8"))["recipe"].items()
]


@pytest.mark.parametrize(
    ("style", "tier", "recipe"), SHIPPED_RECIPES, ids=[f"{name} {tier}" for name, tier, _ in SHIPPED_RECIPES]
)
def test_the_command_of_a_shipped_style_can_be_run(style: str, tier: str, recipe: dict[str, Any]) -> None:
    command = shlex.split(recipe["command"])
    assert command[:3] == ["python", "-m", "models.train"]
    args = build_parser().parse_args(command[3:])
    settings = TrainingSettings(**given_settings(args))
    assert settings.tier == tier
    assert (args.style, args.content, args.out) == ("PAINTING", "FOLDER", "RUN")  # which whoever trains has to name
    assert args.steps > 0
    start = load_start(args.start if is_word(args.start) else str(SHIPPED.parent / args.start), tier)
    wanted = TIERS[tier]
    assert start.settings == wanted or can_widen(start.settings, wanted)  # without a distillation that it does not tell of
    assert {name: recipe[name] for name in asdict(settings)} == asdict(settings)
    assert (SHIPPED / style / f"{tier}.onnx").is_file()
