"""A tensor that a typed module brings, and what is said of the module."""

from dataclasses import dataclass
from typing import Literal

from torch import nn

from intertwine.errors import ArgumentError, GroupMismatchError, ShapeError, with_article
from intertwine.groups.adapters.notation import as_representation
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.shared_projectors import Axes, SharedProjectors
from intertwine.layers.typed import OPTIONS, Typed
from intertwine.projectors import Projector
from intertwine.representations import Representation

Kind = Literal["weight", "bias", "parameter", "buffer"]


@dataclass(frozen=True)
class Slot:
    """A tensor of a module with its projector.

    Attributes:
        name: its name inside the module, such as ``"weight"`` or ``"out_proj.bias"``.
        projector: the projector on its equivariant values.
        kind: ``"weight"``, ``"bias"`` or ``"buffer"`` (``"parameter"`` where a tensor is typed by its own name).
        output: which output field each entry feeds; None for biases and diagonals, whose norms mean nothing.
        space: how the group moves the pixels of a kernel; None for all else.

    Examples:
        >>> import intertwine as iw
        >>> R = iw.Cyclic(4).regular()
        >>> Slot("scale", iw.diagonal_projector(R), "weight").projector.rank
        1
    """

    name: str
    projector: Projector
    kind: Kind
    output: OutputFields | None = None
    space: Representation | None = None


@dataclass(frozen=True, eq=False)
class LayerType:
    """What is said of one module: checked representations and options; what rules make slots of.

    Attributes:
        argument: what errors call it, such as ``"types['0']"``.
        rep_in: how the group acts on what goes in.
        rep_out: and on what comes out.
        options: the options of ``Typed``, all None where the type is a plain pair.
        projectors: the projectors that this call of ``bind`` has built.

    Examples:
        >>> import intertwine as iw
        >>> def parameters(module, layer_type):
        ...     weight = layer_type.matrix("mix", layer_type.rep_in, layer_type.rep_out)
        ...     return weight, layer_type.vector("shift", layer_type.rep_out)
        >>> rule = iw.LayerRule(parameters)
    """

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
            advice = "The pair is (rep_in, rep_out)."
            if self.over is None and 0 < width < rep.dim and rep.dim % width == 0:
                advice += f" Channels with another axis of {rep.dim // width} are typed by iw.Typed(..., over=...)."
            raise ShapeError(
                self.argument,
                expected=f"{name} of dimension {width}, as {source}={width}",
                got=f"dimension {rep.dim}, from {rep}",
                advice=advice,
            )

    def check_options(self, known: tuple[str, ...], module: nn.Module) -> None:
        """Whether only such options are given as modules of this type have.

        Raises:
            ArgumentError: another one is.
        """
        for name in OPTIONS:
            value = getattr(self.options, name)
            if name not in known and value is not None:
                raise ArgumentError(
                    f"{self.argument}.{name}",
                    expected=f"nothing for {with_article(type(module).__name__)}",
                    got=str(value) if isinstance(value, Representation) else with_article(type(value).__name__),
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
        over = None if self.options.over is None else self.representation("over", None)
        if over is not None and over.group != self.rep_in.group:
            raise GroupMismatchError(
                f"{self.argument}.over", expected=f"a representation of {self.rep_in.group}", got=f"one of {over.group}"
            )
        if over is not None and (over.is_complex or over.dim == 0):
            raise ArgumentError(f"{self.argument}.over", expected="a real representation, dimension > 0", got=str(over))
        return over

    def tensor(self, axes: Axes, shape: tuple[int, ...] | None = None) -> Projector:
        """The projector on tensors that carry one representation (or None) an axis."""
        return self.projectors.tensor(self.argument, axes, shape)

    def matrix(self, name: str, rep_in: Representation, rep_out: Representation, *, transposed: bool = False) -> Slot:
        """The weight of a linear map: W (out, in), or (in, out) where it is stored ``transposed``."""
        axes = (rep_in.dual(), rep_out) if transposed else (rep_out, rep_in.dual())
        return Slot(name, self.tensor(axes), "weight", OutputFields(rep_out, axis=int(transposed)))

    def diagonal(self, name: str, rep: Representation, shape: tuple[int, ...], kind: Kind = "weight") -> Slot:
        """Scales of features, one each: a diagonal map that commutes with the group."""
        return Slot(name, self.projectors.diagonal(self.argument, rep, shape), kind)

    def vector(self, name: str, rep: Representation, shape: tuple[int, ...] | None = None, kind: Kind = "bias") -> Slot:
        """A bias: a vector that the group leaves fixed, added alike to all components of ``over``."""
        over = self.over
        if over is None:
            return Slot(name, self.tensor((rep,), shape), kind)
        return Slot(name, self.projectors.broadcast(self.argument, rep, over), kind)
