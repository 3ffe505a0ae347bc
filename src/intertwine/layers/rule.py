"""One tensor that a typed module brings, and what the functions that find such tensors are given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from intertwine.errors import ArgumentError, GroupMismatchError, ShapeError
from intertwine.groups.adapters.notation import as_representation
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.shared_projectors import SharedProjectors
from intertwine.layers.typed import Typed
from intertwine.projectors import Projector
from intertwine.representations import Representation

Kind = Literal["weight", "bias", "parameter", "buffer"]


@dataclass(frozen=True)
class Slot:
    """A tensor of a module: its name inside it, its projector, the output fields that it feeds, how pixels move."""

    name: str
    projector: Projector
    kind: Kind
    output: OutputFields | None = None
    space: Representation | None = None


@dataclass(frozen=True, eq=False)
class Typing:
    """What ``types`` says of one module: checked representations, options, and how errors call it."""

    argument: str
    rep_in: Representation
    rep_out: Representation
    options: Typed
    projectors: SharedProjectors

    def check_width(self, name: str, rep: Representation, width: int, source: str) -> None:
        """Whether ``rep`` is as wide as the module says.

        Raises:
            ShapeError: it is not.
        """
        if rep.dim != width:
            raise ShapeError(
                self.argument,
                expected=f"{name} of dimension {width}, as {source}={width}",
                got=f"dimension {rep.dim}, from {rep}",
                advice="The pair is (rep_in, rep_out).",
            )

    def check_options(self, known: tuple[str, ...], module: nn.Module) -> None:
        """Whether only such options are given as modules of this type have.

        Raises:
            ArgumentError: another one is.
        """
        for name in self.options.options:
            if name not in known:
                raise ArgumentError(
                    f"{self.argument}.{name}", expected=f"None for a {type(module).__name__}", got="a value"
                )

    def representation(self, option: str, default: Representation | None) -> Representation | None:
        """An option that is a representation, or the default."""
        value = getattr(self.options, option)
        return default if value is None else as_representation(value, f"{self.argument}.{option}")

    @property
    def over(self) -> Representation | None:
        """How the group acts on the other axes that the layer treats alike.

        Raises:
            ArgumentError: by complex matrices, or as no representation.
            GroupMismatchError: of another group.
        """
        over = self.representation("over", None)
        if over is not None and over.group != self.rep_in.group:
            raise GroupMismatchError(
                f"{self.argument}.over", expected=f"a representation of {self.rep_in.group}", got=f"one of {over.group}"
            )
        if over is not None and (over.is_complex or over.dim == 0):
            raise ArgumentError(f"{self.argument}.over", expected="a real representation, dimension > 0", got=str(over))
        return over

    def fixed(self, rep: Representation, shape: tuple[int, ...] | None = None) -> Projector:
        """The projector on the vectors that the group leaves fixed, added alike to all components of ``over``."""
        over = self.over
        if over is None:
            return self.projectors.tensor(self.argument, (rep,), shape)
        return self.projectors.broadcast(self.argument, rep, over)

    def vector(self, name: str, rep: Representation, shape: tuple[int, ...] | None = None) -> Slot:
        """A bias: a vector that the group leaves fixed."""
        return Slot(name, self.fixed(rep, shape), "bias")


ModuleTyping = Callable[[Any, Typing], tuple[Slot, ...]]
