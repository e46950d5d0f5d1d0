"""Distillation: a new generator first learns to paint as a trained one of another shape does (Hinton et al. 2015).

Without a loss network a step costs a tenth of a training step, and a small generator soon finds what only a large one,
or long training, finds by perceptual losses. It starts its own training from there.
"""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from models.content import ContentPhotos, Views
from models.devices import bfloat16_pays
from models.generator import Generator, GeneratorSettings, build_generator
from models.schedule import cosine_rate

STEPS = 3000
_LEARNING_RATE = 4e-3
_WARM_UP_STEPS = 50
_GRADIENT_NORM = 1.0
_COARSER = (2, 4, 8)  # pixels over which differences are averaged too: colours count beside strokes
_COARSER_WEIGHT = 0.5


def distil(
    teacher: Generator,
    settings: GeneratorSettings,
    photos: ContentPhotos,
    steps: int = STEPS,
    device: torch.device | None = None,
    quiet: bool = True,
) -> Generator:
    """A generator that paints the photographs about as the teacher does.

    Args:
        teacher: of any shape; left as it is.
        settings: shape of the new one.
        photos: a photograph a step.
        steps: how many; Adam, cosine schedule.
        device: where to compute; None for the processor.
        quiet: no progress bar.
    Raises:
        FloatingPointError: the loss is not finite.
    """
    device = device or torch.device("cpu")
    teacher = teacher.to(device).to(memory_format=torch.channels_last).eval()
    student = build_generator(settings).to(device).to(memory_format=torch.channels_last).train()
    is_half = bfloat16_pays(device)
    optimizer = torch.optim.Adam(student.parameters(), betas=(0.9, 0.99))
    for step in tqdm(range(steps), unit="step", desc="distilling", disable=quiet or None, file=sys.stderr):
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(_LEARNING_RATE, step, step / steps, _WARM_UP_STEPS)
        with torch.autocast(device.type, torch.bfloat16, enabled=is_half):
            loss = _difference(student, teacher, photos.next_views(1).first.to(device))
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"loss not finite at step {step} of the distillation")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), _GRADIENT_NORM)
        optimizer.step()
    return student


def _difference(student: Generator, teacher: Generator, wide: Tensor) -> Tensor:
    """Mean absolute difference of both paintings, and of coarser and coarser copies of them.

        L = |s - t|_1 + 1/2 sum_k |mean_kxk(s) - mean_kxk(t)|_1,    k = 2, 4, 8

    Args:
        wide: (1, 3, H, W) float, 0..1, a first view of Views: its surroundings are painted and not compared.
    """
    with torch.no_grad():
        wanted = teacher(wide, repeat_border=False)
    painted = student(wide, repeat_border=False)
    difference = Views.middle(painted.float() - wanted.float())
    coarser = [F.avg_pool2d(difference, size).abs().mean() for size in _COARSER]
    return difference.abs().mean() + _COARSER_WEIGHT * torch.stack(coarser).sum()
