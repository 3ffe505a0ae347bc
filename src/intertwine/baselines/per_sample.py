"""An own random element for each sample of a batch."""

from dataclasses import dataclass

import torch

from intertwine.baselines.subject import Action
from intertwine.errors import ArgumentError
from intertwine.groups import Group

# Groups up to this order are listed once and drawn by number; larger ones are sampled as infinite ones are.
LISTED_ORDER = 512


@dataclass(frozen=True, eq=False)
class PerSample:
    """One element of the group for each sample of a batch.

    Attributes:
        elements: the different elements, shape (k, d, d).
        which: for each sample the number of its element, shape (batch,).
    """

    elements: torch.Tensor
    which: torch.Tensor

    def act(self, action: Action, batch: torch.Tensor) -> torch.Tensor:
        """Each sample moved by its own element, samples of one element at once.

        Raises:
            ArgumentError: ``batch`` has another number of samples.
        """
        if len(batch) != len(self.which):
            raise ArgumentError("batch", expected=f"{len(self.which)} samples on axis 0", got=len(batch))
        if not len(batch):
            return batch
        order = torch.argsort(self.which, stable=True)
        numbers, counts = torch.unique_consecutive(self.which[order], return_counts=True)
        pieces = batch[order.to(batch.device)].split(counts.tolist())
        moved = [action(self.elements[n], piece) for n, piece in zip(numbers.tolist(), pieces, strict=True)]
        return torch.cat(moved)[torch.argsort(order).to(batch.device)]


def draw_per_sample(group: Group, count: int, generator: torch.Generator | None = None) -> PerSample:
    """An independent element, uniform (Haar), for each of ``count`` samples.

    Args:
        group: a compact group.
        count: how many samples.
        generator: on the CPU; torch's default one if None.

    Raises:
        ArgumentError: the group is not compact, so that there is no uniform distribution.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> drawn = draw_per_sample(G, 100, torch.Generator().manual_seed(0))
        >>> x = torch.eye(4)[torch.zeros(100, dtype=torch.long)]
        >>> drawn.act(G.regular().act, x).sum(0).gt(10).tolist()
        [True, True, True, True]
    """
    if not group.is_compact:
        raise ArgumentError("group", expected="a compact group, to draw elements uniformly", got=str(group))
    if group.is_finite and group.order <= LISTED_ORDER:
        elements = group.elements()
        return PerSample(elements, torch.randint(len(elements), (count,), generator=generator))
    return PerSample(group.sample(count, generator=generator), torch.arange(count))
