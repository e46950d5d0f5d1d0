"""Several processes, one training: torchrun's environment, or a single process without it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import distributed

from models.devices import choose_device


@dataclass(frozen=True)
class Process:
    """This process among those of one training."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def agree(self, value: float) -> float:
        """The first process's value, in all of them."""
        if self.count == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return float(shared)

    def any(self, value: bool) -> bool:
        """Whether the value is true in any process."""
        if self.count == 1:
            return value
        shared = torch.tensor([float(value)], device=self.device)
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        return bool(shared > 0)


def join_training(device: str) -> Process:
    """Joins the other processes that torchrun started; alone where there are none.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N".
    Raises:
        UserError: no such device, or one that does not answer.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if count > 1:
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    return Process(rank, count, chosen)


def leave_training(process: Process) -> None:
    """Ends the exchange with the other processes."""
    if process.count > 1:
        distributed.destroy_process_group()
