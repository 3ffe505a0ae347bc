"""The mirror that reverses one axis."""

from dataclasses import dataclass

import numpy as np

from intertwine._arguments import integer
from intertwine._numerics import INPUT_TOLERANCE, Array
from intertwine.errors import ArgumentError
from intertwine.groups.bases import FiniteGroupBase
from intertwine.groups.enumeration import Enumeration, describe
from intertwine.groups.irreps.frequencies import unknown_irrep
from intertwine.representations.representation import Representation

AXES = "xyz"
# Mulliken's names of the point group C_s, to which this is isomorphic, are understood as well.
_NAMES = {"even": "even", "odd": "odd", "A'": "even", "A''": "odd"}


@dataclass(frozen=True, repr=False)
class Mirror(FiniteGroupBase):
    """The group of two elements whose other one reverses ``axis``: ``x -> -x``.

    Images have (x, y) = (column, -row) and volumes (x, y, z) = (last, -middle, first) index, so that ``Mirror("x")``
    is the left-right flip ``torch.flip(image, (-1,))`` in every dimension, ``Mirror("y")`` the upside-down flip
    ``(-2,)`` and ``Mirror("z", dim=3)`` the flip ``(-3,)``. Convolutions, ``on_grid`` and ``geometry`` take it from
    the standard representation, so that no ``space=`` is needed. Robots that are alike left and right are typed by
    its ``permutation(images, signs=...)``.

    Irreps: ``"even"`` is trivial, ``"odd"`` changes sign (A' and A'' of the point group C_s). Its elements lie in
    O(dim), and for a plane in ``Dihedral(2)`` and ``Dihedral(4)``. (``Cyclic(2)`` has the same irreps, under other
    names, but its standard representation is the half turn.)

    Args:
        axis: the axis that is reversed, ``"x"``, ``"y"`` or ``"z"``.
        dim: dimensions of space, 1 to 3.

    Raises:
        ArgumentError: no such axis in ``dim`` dimensions.

    Source:
        Own; the group is that of two elements, Serre 1977, "Linear representations of finite groups", 5.1.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Mirror("x")
        >>> G, G.order, G.standard()
        (Mirror(x), 2, Representation(Mirror(x): odd + even))
        >>> image = torch.arange(6.0).reshape(2, 3)
        >>> G.grid(2, 3).act(G.generators[0], image.flatten()).reshape(2, 3).equal(image.flip(-1))
        True
        >>> iw.bind(torch.nn.Conv2d(1, 8, 3, bias=False), {"": (G.trivial(), 4 * G.regular())})
        Binding(Mirror(x), 1 typed, 0 unaccounted)
          weight (8, 1, 3, 3)  4xregular, even, grid[3x3]  rank 36 of 72
          space: mirror x -> -x
    """

    spellings = ((r"Mirror(?:\(\s*(?P<axis>\w)\s*(?:,\s*(?P<dim>\d)\s*)?\))?", {}),)
    spelled = "Mirror(x), Mirror(z, 3)"

    axis: str = "x"
    dim: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", integer("dim", self.dim, 1))
        if self.dim > len(AXES):
            raise ArgumentError("dim", expected="1, 2 or 3 dimensions of space", got=self.dim)
        if not isinstance(self.axis, str) or len(self.axis) != 1 or self.axis not in AXES:
            raise ArgumentError("axis", expected="'x', 'y' or 'z', the axis that is reversed", got=repr(self.axis)[:80])
        if AXES.index(self.axis) >= self.dim:
            raise ArgumentError(
                "axis",
                expected=f"one of the axes {', '.join(AXES[: self.dim])} of {self.dim} dimensions",
                got=repr(self.axis),
                advice=f"Say dim={AXES.index(self.axis) + 1}.",
            )

    @property
    def name(self) -> str:
        return f"Mirror({self.axis})" if self.dim == 2 else f"Mirror({self.axis}, {self.dim})"

    @property
    def matrix_dim(self) -> int:
        return self.dim

    def generator_matrices(self) -> Array:
        return np.diag(np.where(np.arange(self.dim) == AXES.index(self.axis), -1.0, 1.0))[None]

    def standard(self) -> Representation:
        """The coordinates of space, (x, y) or (x, y, z): odd along ``axis``, even along the others.

        Examples:
            >>> import intertwine as iw
            >>> iw.Mirror("y", dim=3).standard()
            Representation(Mirror(y, 3): even + odd + even)
        """
        return self.irreps(" + ".join("odd" if axis == self.axis else "even" for axis in AXES[: self.dim]))

    # -- elements: the identity, then the mirror --------------------------------------------------

    def enumeration(self) -> Enumeration:
        elements = np.concatenate([np.eye(self.dim)[None], self.generator_matrices()])
        return Enumeration(elements, np.array([-1, 0]), np.array([-1, 0]))

    def element_indices(self, elements: Array) -> Array:
        i = AXES.index(self.axis)
        return (elements[:, i, i] < 0).astype(np.int64)

    def membership(self, elements: Array) -> tuple[bool, str]:
        if not len(elements):
            return True, ""
        if not np.isfinite(elements).all():
            return False, "a matrix with NaN or infinity"
        own = self.element_matrices()[self.element_indices(elements)]
        defect = np.abs(elements - own).max(axis=(1, 2))
        if defect.max() > INPUT_TOLERANCE:
            return False, f"{describe(elements[int(defect.argmax())])}, which is not the flip of {self.axis}"
        return True, ""

    # -- irreps -----------------------------------------------------------------------------------

    @property
    def trivial_label(self) -> str:
        return "even"

    def irrep_labels(self, max_dim: int) -> tuple[str, ...]:
        return ("even", "odd") if max_dim >= 1 else ()

    def irrep_label(self, name: object) -> str:
        label = _NAMES.get(name) if isinstance(name, str) else None
        if label is None:
            raise unknown_irrep(self, name, "'even' or 'odd'")
        return label

    def irrep_dim(self, label: str) -> int:
        return 1

    def commutant_dim(self, label: str) -> int:
        return 1

    def irrep_matrices(self, label: str, elements: Array) -> Array:
        signs = np.ones(len(elements)) if label == "even" else 1.0 - 2.0 * self.element_indices(elements)
        return signs.reshape(-1, 1, 1)
