"""How a group acts on images and volumes: channels by a representation, pixels by moving them."""

from dataclasses import dataclass

import torch

from intertwine.diagnostics.axis_moves import grid_space, on_axes
from intertwine.errors import DtypeError, ShapeError
from intertwine.groups.adapters import as_representation
from intertwine.representations import Group, Representation


@dataclass(frozen=True)
class GridAction:
    """``(g f)(x) = rho(g) f(g^-1 x)`` on images f, shape (batch, channels, *pixels); made by ``on_grid``.

    Calling it with an element and a tensor gives the tensor that the element makes of it.

    Attributes:
        rep: how the group acts on the channels.
        space: how it turns the pixels' axes; None: as the group's standard representation does.
    """

    rep: Representation
    space: Representation | None = None

    @property
    def group(self) -> Group:
        """The group that acts."""
        return self.rep.group

    def __call__(self, g: torch.Tensor, x: torch.Tensor, argument: str = "x") -> torch.Tensor:
        """The image ``g x``.

        Args:
            g: an element, its defining matrix.
            x: shape (batch, rep.dim, *pixels), one to three axes of pixels.
            argument: what errors call x.

        Raises:
            ShapeError: x does not fit the representation, or the element turns its pixels into another shape.
            DtypeError: x is real and the representation complex.
            ArgumentError: the group does not map pixels onto pixels.
        """
        if not 3 <= x.ndim <= 5 or x.shape[1] != self.rep.dim:
            raise ShapeError(
                argument,
                expected=f"(batch, {self.rep.dim}, *pixels) with one to three axes of pixels, from {self.rep}",
                got=f"shape {tuple(x.shape)}",
                advice="A layer that has averaged the pixels away takes the representation itself, not on_grid of it.",
            )
        if self.rep.is_complex and not x.is_complex():
            raise DtypeError(argument, expected=f"complex features, as {self.rep} is complex", got="real ones")
        space = grid_space(self.group, x.ndim - 2, self.space, "rep")
        matrix = on_axes(space.matrix(g).cpu().numpy()[None])[0]
        sources = [int(abs(row).argmax()) for row in matrix]
        sides = tuple(x.shape[2:])
        if tuple(sides[source] for source in sources) != sides:
            raise ShapeError(
                argument,
                expected=f"equal sides along the axes that {self.group} exchanges",
                got=" x ".join(map(str, sides)),
                advice="Crop or pad to equal sides, or use the subgroup that keeps this grid (Cyclic(2) keeps every "
                "rectangle).",
            )
        moved = x.permute(0, 1, *(2 + source for source in sources))
        moved = moved.flip([2 + axis for axis, row in enumerate(matrix) if row.sum() < 0])
        return self.rep.act(g, moved.movedim(1, -1)).movedim(-1, 1)

    def __repr__(self) -> str:
        return f"on_grid({self.rep})" if self.space is None else f"on_grid({self.rep}, space={self.space})"


def on_grid(rep: object, space: object = None) -> GridAction:
    """The action on images whose channels carry ``rep``, for ``equivariance_error`` and ``first_breaker``.

    ``(g f)(x) = rho(g) f(g^-1 x)``, exact: the group must map pixels onto pixels, so that nothing is interpolated.
    One to three axes of pixels follow the batch and the channels; the quarter turn is
    ``torch.rot90(x, 1, (-2, -1))``.

    Args:
        rep: how the group acts on the channels.
        space: how it turns the pixels' axes; the group's standard representation if None.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Dihedral(4)
        >>> blur = torch.nn.AvgPool2d(3, stride=2)
        >>> x = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(0))
        >>> on_regular = iw.on_grid(G.regular())
        >>> float(iw.equivariance_error(blur, on_regular, on_regular, x)) < 1e-6
        True
        >>> float(iw.equivariance_error(blur, on_regular, on_regular, x[..., :8, :8])) > 0.1  # 8: off the centre
        True
    """
    representation = as_representation(rep, "rep")
    return GridAction(representation, None if space is None else as_representation(space, "space"))
