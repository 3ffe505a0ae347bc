"""One typed tensor of a model: where it lives and the projector that it carries."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.effective.computed import Computed
from intertwine.layers.effective.parametrized import Parametrized, parametrized_names
from intertwine.layers.layer_type import Kind
from intertwine.projectors import Projector
from intertwine.representations import Representation


@dataclass(frozen=True)
class Entry:
    """A parameter (or buffer) of a model by name, and the projector on its equivariant values.

    An entry holds names, never the tensor: the tensor is read from the model at each use, so that ``model.to()``,
    ``model.half()`` and ``load_state_dict`` need not know of it.

    Attributes:
        name: full name, such as ``"encoder.0.weight"``.
        module: name of the module that owns it, such as ``"encoder.0"``; ``""`` for the model itself.
        attribute: its name inside that module, such as ``"weight"``.
        projector: the projector P on the equivariant values.
        kind: ``"weight"`` and ``"bias"`` of a typed module, ``"parameter"`` typed by its name, or ``"buffer"``.
        output: which output field each entry feeds; None for biases and diagonals, whose norms mean nothing.
        space: how the group moves the pixels of a kernel; None for all else.
        path: the names of the modules on the way to the one that owns it.
        effective: how its module computes it of others (an adapter's weight), where it does not store it; None of a
            tensor that is stored, or that ``torch.nn.utils.parametrize`` computes.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> binding = iw.bind(torch.nn.Linear(4, 8), {"": (G.regular(), 2 * G.regular())})
        >>> [(entry.name, entry.kind, entry.projector.rank) for entry in binding]
        [('weight', 'weight', 8), ('bias', 'bias', 2)]
    """

    name: str
    module: str
    attribute: str
    projector: Projector
    kind: Kind
    output: OutputFields | None = None
    space: Representation | None = None
    effective: Computed | None = None
    path: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Not a cached property, whose lock is more than torch.compile takes.
        object.__setattr__(self, "path", tuple(self.module.split(".")) if self.module else ())

    def owner(self, model: nn.Module) -> nn.Module:
        """The module of ``model`` that owns the tensor.

        Raises:
            UnknownNameError: the model no longer has that module.
        """
        # `get_submodule` takes as long as the arithmetic of a small weight.
        module: nn.Module | None = model
        for name in self.path:
            module = None if module is None else module._modules.get(name)
        if module is None:
            raise self._gone()
        return module

    def computed(self, model: nn.Module) -> Computed | None:
        """How the model computes the tensor: by a parametrisation, by an adapter; None where it stores it."""
        owner = self.owner(model)
        # An adapter that was merged and unloaded has left its layer to what stores the weight.
        if owner._parameters.get(self.attribute) is not None:
            return None
        return Parametrized(self.attribute) if self.attribute in parametrized_names(owner) else self.effective

    def tensor(self, model: nn.Module) -> torch.Tensor:
        """The tensor itself; of one that is computed (parametrisations, adapters) the effective one, by this call.

        Raises:
            UnknownNameError: the model no longer has it.
        """
        owner = self.owner(model)
        value: Any = owner._parameters.get(self.attribute)
        if value is None:
            value = self._read(owner)
        if not isinstance(value, torch.Tensor):
            raise self._gone()
        if is_sharded(value):
            raise sharded(self.name, "model")
        return value

    def _read(self, owner: nn.Module) -> Any:
        if self.effective is None or self.attribute in parametrized_names(owner):
            return getattr(owner, self.attribute, None)
        try:
            return self.effective.value(owner)
        except AttributeError as error:
            raise self._gone() from error

    def sources(self, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """The parameters that an optimiser updates: the tensor itself, or those that it is computed from."""
        owner = self.owner(model)
        stored = owner._parameters.get(self.attribute)
        # Nearly all are stored, and this is asked for in every step of an optimiser.
        if type(stored) is nn.Parameter:
            return (stored,)
        computed = self.computed(model)
        return (self.tensor(model),) if computed is None else computed.parameters(owner)

    def underlying(self, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """What the model stores of it: the tensor itself, or parameters and buffers that it is computed from."""
        computed = self.computed(model)
        return (self.tensor(model),) if computed is None else computed.stored(self.owner(model))

    def is_computed(self, model: nn.Module) -> bool:
        """Whether the module computes the tensor of others, to which what is written to it has to be written."""
        return self.computed(model) is not None

    def is_hooked(self, model: nn.Module) -> bool:
        """Whether hooks compute the tensor anew in every forward pass (pruning, the older ``weight_norm``)."""
        owner = self.owner(model)
        if self.attribute in owner._parameters or self.attribute in owner._buffers or self.is_computed(model):
            return False
        return isinstance(getattr(owner, self.attribute, None), torch.Tensor)

    def _gone(self) -> UnknownNameError:
        return UnknownNameError(
            "model",
            expected=f"a tensor {self.name!r}, as when it was bound",
            got="none",
            advice="Bind the changed model anew.",
        )

    def __deepcopy__(self, memo: object) -> "Entry":
        # Names and constants only, so that a copied binding shares them.
        return self


def is_sharded(tensor: torch.Tensor) -> bool:
    """Whether this process holds a part of the tensor only: ``DTensor`` (FSDP2, tensor parallel), ``ShardedTensor``.

    Told by their attributes, as ``torch.distributed`` is not imported for that.
    """
    # Nearly all are of these types, and a missing attribute takes as long as the arithmetic of a small weight.
    if type(tensor) in (nn.Parameter, torch.Tensor):
        return False
    return hasattr(tensor, "device_mesh") or hasattr(tensor, "local_shards")


def sharded(name: str, argument: str) -> ArgumentError:
    """The error for a tensor of which this process holds a part."""
    return ArgumentError(
        argument,
        expected=f"{name} as a whole in each process",
        got="a sharded tensor (DTensor, as FSDP2 and tensor parallelism make)",
        advice="This version does not work on shards: initialise and project before sharding, and measure a model "
        "that is loaded from a full state dict. Data parallelism (DDP) is no obstacle.",
    )
