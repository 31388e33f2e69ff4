"""Who trains together: processes that each learn from a part of every batch and hold the same weights."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


class Company(Protocol):
    """What one worker knows of all. Each method is called by all of them, in the same order, or they wait
    for each other."""

    @property
    def rank(self) -> int:
        """This worker's number, from 0. The first looks, keeps and reports for all."""

    @property
    def size(self) -> int:
        """How many there are."""

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """Each tensor becomes its mean over all workers, in place."""

    def decided(self, decide: Callable[[], T]) -> T:
        """What the first worker makes of it; the others wait for that, do not call, and get copies."""


class Alone:
    """One worker, who has nobody to ask."""

    rank, size = 0, 1

    def mean(self, tensors: Sequence[Tensor]) -> None:
        return

    def decided(self, decide: Callable[[], T]) -> T:
        return decide()


class Peers:
    """The processes of torch.distributed's group, which must have been set up: gloo for processors, nccl for
    GPUs. Where one raises, the others wait until their group's time is over or they are ended."""

    @property
    def rank(self) -> int:
        return dist.get_rank()

    @property
    def size(self) -> int:
        return dist.get_world_size()

    def mean(self, tensors: Sequence[Tensor]) -> None:
        """In one go; every worker gets the same bits. float32 is what travels."""
        flat = torch.cat([tensor.detach().reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def decided(self, decide: Callable[[], T]) -> T:
        box: list[T | None] = [decide() if self.rank == 0 else None]
        dist.broadcast_object_list(box, src=0)
        told: T = box[0]  # type: ignore[assignment]
        return told


ALONE = Alone()


def over_all(company: Company) -> Callable[[Tensor], Tensor]:
    """What makes of one worker's sum that of all, in the same order in each. Its gradient is such that the
    mean of the workers' gradients is that of the whole batch."""

    def total(own: Tensor) -> Tensor:
        if company.size == 1:
            return own
        mean = own.detach().clone()
        company.mean([mean])
        many = own * company.size
        return many + (mean * company.size - many).detach()

    return total
