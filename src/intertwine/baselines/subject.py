"""What a method works on: a typed model and the group's action on its two sides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from intertwine.binding import Binding
from intertwine.representations import Group

Action = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Subject:
    """A model, what of it is typed, and how the group acts on batches of its inputs and outputs.

    Actions take an element (its defining matrix, as ``group.elements()`` and ``group.sample(n)`` give it) and a batch,
    and return the moved batch, of the batch's dtype and device.

    Attributes:
        model: the module.
        binding: projectors of its weights; ``binding.model`` is ``model``.
        group: the group that acts.
        act_in: ``(g, x) -> g x`` on inputs; it may interpolate where the group does not map pixels onto pixels.
        act_out: ``(g, y) -> g y`` on outputs.
        hidden: by the name of a module inside the model, the action on that module's output: what penalties on
            activations look at beside the output.
        lie_in: ``(A, x) -> d rho_in(A) x`` for an element A of the Lie algebra, a matrix; None for finite groups.
        lie_out: the same for outputs.
    """

    model: nn.Module
    binding: Binding
    group: Group
    act_in: Action
    act_out: Action
    hidden: Mapping[str, Action] = field(default_factory=dict)
    lie_in: Action | None = None
    lie_out: Action | None = None


def leave(_: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
    """The trivial action ``(g, y) -> y``: what a group does to logits and other invariants.

    Examples:
        >>> leave(torch.eye(2), torch.ones(1)).item()
        1.0
    """
    return batch
