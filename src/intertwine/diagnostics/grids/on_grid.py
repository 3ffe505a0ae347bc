"""How a group acts on images and volumes: channels by a representation, pixels by moving them."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._arguments import check_choice, check_dense, check_instance
from intertwine.diagnostics.grids.turned_images import MODES, through_window, turned
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, ShapeError
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.groups.element_text import element_text
from intertwine.layers.grid.axis_moves import grid_space
from intertwine.layers.grid.pixel_shifts import shift_text, shifted, torus_field
from intertwine.projectors.kernels.kernel import space_representation
from intertwine.representations import Representation
from intertwine.representations.pixels import on_axes


@dataclass(frozen=True)
class GridAction:
    """``(g f)(x) = rho(g) f(g^-1 x)`` on images f, shape (batch, channels, *pixels); made by ``on_grid``.

    Calling it with an element and a tensor gives the tensor that the element makes of it. A quarter turn makes an image
    of 33 x 29 pixels of one of 29 x 33.

    Attributes:
        rep: how the group acts on the channels.
        space: how it moves the pixels; None: as the group's standard representation turns the axes.
        interpolation: how values between pixels are found, None where the group maps pixels onto pixels.

    Examples:
        >>> import intertwine as iw, torch
        >>> G, image = iw.Cyclic(4), torch.randn(1, 1, 5, 5)
        >>> action = iw.on_grid(G.trivial())
        >>> torch.equal(action(G.generators[0], image), torch.rot90(image, 1, (-2, -1)))
        True
    """

    rep: Representation
    space: Representation | None = None
    interpolation: str | None = None

    @property
    def group(self) -> Group:
        """The group that acts."""
        return self.rep.group

    def prepared(self, x: torch.Tensor, argument: str = "x") -> torch.Tensor:
        """X where the action lives: with ``interpolation`` on the disc inscribed in the image, zero outside.

        Raises:
            ShapeError, DtypeError: as the action.
        """
        self._check(x, argument)
        return x if self.interpolation is None else through_window(x)

    def __call__(self, g: torch.Tensor, x: torch.Tensor, argument: str = "x") -> torch.Tensor:
        """The image ``g x``.

        Args:
            g: an element, its defining matrix.
            x: shape (batch, rep.dim, *pixels), one to three axes of pixels.
            argument: what errors call x.

        Raises:
            ShapeError: x does not fit the representation.
            DtypeError: x is real and the representation complex.
            ArgumentError: the group does not map pixels onto pixels, and there is no ``interpolation``.
        """
        self._check(x, argument)
        return self.rep.act(g, self._moved(g, x, argument).movedim(1, -1)).movedim(-1, 1)

    def _moved(self, g: torch.Tensor, x: torch.Tensor, argument: str) -> torch.Tensor:
        torus = torus_field(self.space)
        if torus is not None:
            return shifted(torus, g, x, argument)
        if self.interpolation is not None:
            space = space_representation(self.group, (1,) * (x.ndim - 2), self.space)
            return turned(x, space.matrix(g), self.interpolation)
        space = grid_space(self.group, x.ndim - 2, self.space, "rep")
        matrix = np.rint(on_axes(space.matrix(g).cpu().numpy()))
        sources = [int(abs(row).argmax()) for row in matrix]
        moved = x.permute(0, 1, *(2 + source for source in sources))
        return moved.flip([2 + axis for axis, row in enumerate(matrix) if row.sum() < 0])

    def _check(self, x: torch.Tensor, argument: str) -> None:
        check_instance(argument, x, torch.Tensor, f"images (batch, {self.rep.dim}, *pixels)")
        check_dense(argument, x)
        if not 3 <= x.ndim <= 5 or x.shape[1] != self.rep.dim:
            raise ShapeError(
                argument,
                expected=f"(batch, {self.rep.dim}, *pixels) with one to three axes of pixels, from {self.rep}",
                got=f"shape {tuple(x.shape)}",
                advice="A layer that has averaged the pixels away takes the representation itself, not on_grid of it.",
            )
        if self.rep.is_complex and not x.is_complex():
            raise DtypeError(argument, expected=f"complex features, as {self.rep} is complex", got="real ones")

    def element_text(self, g: torch.Tensor) -> str:
        """What ``g`` does to the pixels, where ``space`` says it; else empty."""
        torus = torus_field(self.space)
        if torus is not None:
            return shift_text(torus, g)
        return "" if self.space is None or self.space.dim == 1 else element_text(self.space.matrix(g))

    def __repr__(self) -> str:
        space = "" if self.space is None else f", space={self.space}"
        interpolation = "" if self.interpolation is None else f", interpolation={self.interpolation!r}"
        return f"on_grid({self.rep}{space}{interpolation})"


def on_grid(rep: object, space: object = None, *, interpolation: str | None = None) -> GridAction:
    """The action on images whose channels carry ``rep``, for ``equivariance_error`` and ``first_breaker``.

    ``(g f)(x) = rho(g) f(g^-1 x)``. One to three axes of pixels follow the batch and the channels; the quarter turn is
    ``torch.rot90(x, 1, (-2, -1))``, of images of any sides.

    * Turns by 90 degrees and mirrors map pixels onto pixels, exactly.
    * Shifts of periodic images: ``space=iw.torus(n, n)``, by whole pixels, also exact. A generator shifts by n / t of
      the n pixels of an axis, t being the side of the torus, so that ``iw.torus(8, 8)`` shifts 16 x 16 pixels by two
      and the 8 x 8 behind a stride of 2 by one. ``iw.torus(1, 16)`` leaves the rows alone.
    * Other turns take pixels to places between pixels. With ``interpolation`` the values there are interpolated, and
      images are seen through a window that falls to 0 at the inscribed circle, the input as the output. The
      interpolation has an error of its own, which is measured (turning there and back) and stands beside that of the
      function.

    Args:
        rep: how the group acts on the channels.
        space: how it turns the pixels' axes, or ``iw.torus(...)``; the group's standard representation if None.
        interpolation: None, ``"bilinear"`` or, in the plane, ``"bicubic"``.

    Raises:
        ArgumentError: an unknown interpolation; or one where nothing is to be interpolated.
        GroupMismatchError: ``space`` is of another group.

    Source:
        The induced action on feature fields, Cohen, Geiger and Weiler 2019, arXiv 1811.02017, as in escnn (Weiler and
        Cesa 2019, arXiv 1911.08251).

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
        >>> shifts = iw.torus(9, 9)
        >>> images = iw.on_grid(8 * shifts.group.trivial(), space=shifts)
        >>> error = iw.equivariance_error(torch.nn.AvgPool2d(3, 1, 1), images, images, x)  # zeros beyond the edge
        >>> round(error.relative_worst, 1), error.worst_element_text.split()[0]
        (0.6, 'shift')
    """
    representation = as_representation(rep, "rep")
    moves = None if space is None else as_representation(space, "space")
    if moves is not None and moves.group != representation.group:
        raise GroupMismatchError(
            "space", expected=f"a representation of {representation.group}, as rep is", got=f"one of {moves.group}"
        )
    check_choice("interpolation", interpolation, (None, *MODES))
    if interpolation is not None and torus_field(moves) is not None:
        raise ArgumentError(
            "interpolation", expected="None with shifts, which are by whole pixels", got=repr(interpolation)
        )
    if interpolation is not None and not representation.group.is_compact:
        raise ArgumentError("interpolation", expected="turns, of a compact group", got=str(representation.group))
    return GridAction(representation, moves, interpolation)
