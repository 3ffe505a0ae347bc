"""What a method works on: a typed model and the group's action on its two sides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from intertwine._arguments import check_function, check_instance
from intertwine.binding import Binding
from intertwine.errors import ArgumentError, UnknownNameError, listing
from intertwine.groups import Group

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

    Raises:
        ArgumentError: a value of another kind, or a binding of another model.
        UnknownNameError: ``hidden`` names a module that the model does not have.

    Examples:
        >>> import intertwine as iw, torch
        >>> G, model = iw.Cyclic(4), torch.nn.Linear(4, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> subject.act_in(G.generators[0], torch.tensor([1.0, 0.0, 0.0, 0.0])).tolist()
        [0.0, 1.0, 0.0, 0.0]
    """

    model: nn.Module
    binding: Binding
    group: Group
    act_in: Action
    act_out: Action
    hidden: Mapping[str, Action] = field(default_factory=dict)
    lie_in: Action | None = None
    lie_out: Action | None = None

    def __post_init__(self) -> None:
        check_instance("model", self.model, nn.Module, "a torch.nn.Module")
        check_instance("binding", self.binding, Binding, "a Binding of the model")
        if self.binding.model is not self.model:
            raise ArgumentError("binding", expected="the binding of this very model", got="one of another model")
        check_instance("group", self.group, Group, "a group, such as Cyclic(4)")
        actions = {"act_in": self.act_in, "act_out": self.act_out, "lie_in": self.lie_in, "lie_out": self.lie_out}
        for name, action in actions.items():
            if action is not None or name.startswith("act"):
                check_function(name, action, "a function (g, x) -> g x", takes=2)
        check_instance("hidden", self.hidden, Mapping, "a dictionary from names of modules to actions")
        modules = dict(self.model.named_modules())
        for name, action in self.hidden.items():
            if name not in modules:
                raise UnknownNameError("hidden", expected=f"names of modules: {listing(modules)}", got=repr(name))
            check_function(f"hidden[{name!r}]", action, "a function (g, x) -> g x", takes=2)


def leave(_: torch.Tensor, batch: torch.Tensor) -> torch.Tensor:
    """The trivial action ``(g, y) -> y``: what a group does to logits and other invariants.

    Examples:
        >>> leave(torch.eye(2), torch.ones(1)).item()
        1.0
    """
    return batch
