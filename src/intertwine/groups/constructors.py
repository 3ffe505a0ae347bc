"""What every group can build: its representations."""

import numpy as np

from intertwine._arguments import integer, permutation_table
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.groups.fields.given_images import Images, given_field
from intertwine.groups.fields.permutations import (
    grid_field,
    quotient_field,
    regular_field,
)
from intertwine.groups.fields.signed_permutations import (
    check_permutations,
    count_of_generators,
    permutation_label,
    permuting_field,
    read_signs,
)
from intertwine.groups.irreps.strings import parse_irreps
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField, named_irrep
from intertwine.representations.permutation_field import DefiningField, PermutationField
from intertwine.representations.representation import Representation
from intertwine.representations.segment import Layout, Segment


class Constructors(AbstractGroup):
    """A group with the constructors of its representations.

    Source:
        Serre 1977, "Linear representations of finite groups", 1.2 (regular, permutation), 3.3 (induced from a
        subgroup: quotient).

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Dihedral(4)
        >>> 2 * G.regular() + G.standard() + G.irreps("3x0+ + 0-")
        Representation(D4: 2xregular + 1 + 3x0+ + 0-)
    """

    def trivial(self) -> Representation:
        """The trivial representation ``rho(g) = 1``, of dimension 1.

        Examples:
            >>> import intertwine as iw
            >>> 3 * iw.SO(3).trivial()
            Representation(SO(3): 3x0)
        """
        return Representation.of(IrrepField(self, self.trivial_label))

    def defining(self) -> Representation:
        """``rho(g) = g``: the group's own matrices, of dimension ``matrix_dim``, under the name ``defining``.

        Examples:
            >>> import intertwine as iw
            >>> iw.Symmetric(5).defining().dim
            5
        """
        return Representation.of(DefiningField(self))

    def standard(self) -> Representation:
        """The representation that the group is known by: the defining matrices, as a named irrep if they are one.

        Positions and vectors carry it: it acts on (x, y) in two dimensions and on (x, y, z) in three.

        Examples:
            >>> import intertwine as iw
            >>> iw.SO(3).standard(), iw.O(3).standard(), iw.Octahedral().standard()
            (Representation(SO(3): 1), Representation(O(3): 1o), Representation(O: T1))
        """
        field = DefiningField(self)
        return Representation.of(named_irrep(field) or field)

    def irrep(self, label: object, *, basis: str | None = None) -> Representation:
        """One irreducible real representation, by name.

        Args:
            label: the name, such as ``"1o"``; an integer where names are numbers.
            basis: as for ``irreps``.

        Raises:
            UnknownNameError: the group has no irrep of that name; the message lists those that it has.
            ArgumentError: an unknown basis.

        Examples:
            >>> import intertwine as iw
            >>> iw.SO(3).irrep(2).dim
            5
        """
        if not isinstance(label, int | str | tuple | list | np.integer) or isinstance(label, bool):
            raise UnknownNameError(
                "label", expected="the name of an irrep, a string or an integer", got=repr(label)[:80]
            )
        return Representation.of(self._named_field(self.irrep_label(label), basis))

    def irreps(self, text: str, *, basis: str | None = None, layout: Layout = "mul_ir") -> Representation:
        """A sum of irreps, as e3nn writes it: ``"16x0 + 8x1"``.

        ``G.irreps(str(rep))`` is ``rep`` again for every sum of named irreps in our own basis and layout.

        Args:
            text: terms ``N x label`` or ``label``, joined by ``+``; spaces do not matter.
            basis: of SO(3) and O(3), the order of the 2l+1 harmonics: ``"e3nn"`` (our own, polar axis y),
                ``"z-axis"`` (m = -l, ..., l with polar axis z: SchNetPack, sphericart, featomic) or ``"e3x"`` (e3x's
                default). It matters where axes meet that do not share it, and for tensors of three axes in ``"e3x"``.
            layout: ``"mul_ir"`` stores each term copy after copy, ``"ir_mul"`` component after component, the copies
                innermost, as arrays (..., components, channels) do.

        Raises:
            UnknownNameError: a label that the group does not have.
            ArgumentError: not a sum of irreps, or an unknown basis or layout.

        Examples:
            >>> import intertwine as iw
            >>> iw.O(3).irreps("8x0e+4x1o").dim
            20
            >>> iw.SO(3).irreps("8x0 + 4x2", basis="e3x", layout="ir_mul")
            Representation(SO(3): 8x0 + 4x2 (e3x) (ir_mul))
        """
        if layout not in ("mul_ir", "ir_mul"):
            raise ArgumentError("layout", expected="'mul_ir' or 'ir_mul'", got=repr(layout)[:80])
        if not isinstance(text, str):
            raise ArgumentError("text", expected="a string such as '16x0 + 8x1'", got=repr(text))
        terms = parse_irreps(text, self.irrep_label)
        segments = [Segment(mul, self._named_field(label, basis), layout) for mul, label in terms]
        return Representation.of(*segments) if segments else 0 * self.trivial()

    def _named_field(self, label: str, basis: str | None) -> Field:
        """The irrep ``label``, in the basis of that name where the group has several."""
        if basis is not None:
            raise ArgumentError("basis", expected=f"None, as irreps of {self} have one basis", got=repr(basis)[:80])
        return IrrepField(self, label)

    def regular(self) -> Representation:
        """``rho(g) e_h = e_gh``: one basis vector an element, in the order of ``elements()``; finite groups only.

        Raises:
            ArgumentError: the group is infinite.
            SizeLimitError: it is too large to list.

        Examples:
            >>> import intertwine as iw
            >>> iw.Octahedral().regular().dim
            24
        """
        return Representation.of(regular_field(self))

    def quotient(self, subgroup: AbstractGroup, *, axis: str | None = None) -> Representation:
        """``rho(g) e_xH = e_gxH``: one basis vector a coset of ``subgroup``, its own first; finite groups only.

        Args:
            subgroup: a finite group H whose elements lie in this one.
            axis: ``"x"``, ``"y"`` or ``"z"`` for plane turns inside a group of 3 x 3 matrices.

        Raises:
            ArgumentError: a group is infinite, or ``axis`` is missing or out of place.
            GroupMismatchError: not a subgroup.

        Examples:
            >>> import intertwine as iw
            >>> iw.Octahedral().quotient(iw.Cyclic(4), axis="z").dim
            6
        """
        return Representation.of(quotient_field(self, subgroup, axis))

    def permutation(self, images: Images, *, signs: Images | None = None) -> Representation:
        """A permutation of a basis, with signs if wanted: ``rho(g) e_i = signs[i] e_images[i]`` for each generator.

        The Lie algebra of an infinite group acts by zero.

        Args:
            images: one permutation of 0, ..., n-1 a discrete generator, in the order of ``G.generators``, shape (m, n).
            signs: likewise, of +1 and -1.

        Raises:
            ShapeError, ArgumentError: not m permutations of one length.
            NotARepresentationError: they do not multiply as the generators do.

        Examples:
            >>> import intertwine as iw
            >>> iw.Cyclic(2).permutation([[1, 0, 2]], signs=[[1, 1, -1]])
            Representation(C2: permutation[1 0 -2])
        """
        count = count_of_generators(self, "images", images)
        table = permutation_table("images", images, count)
        sign_table = None if signs is None else read_signs(signs, table)
        label = permutation_label(table, np.ones_like(table) if sign_table is None else sign_table)
        field = permuting_field(self, table, sign_table, label)
        if isinstance(field, PermutationField):
            check_permutations(field)
        return Representation.of(field)

    def representation(self, images: Images | None = None, lie_images: Images | None = None) -> Representation:
        """The representation with the given images of the generators, after checking that it is one.

        Args:
            images: matrices of the discrete generators, in the order of ``G.generators``, shape (m, D, D), real
                or complex.
            lie_images: matrices of the Lie algebra basis, in the order of ``G.lie_algebra``, shape (k, D, D).

        Raises:
            ArgumentError: images of some generators are missing.
            ShapeError, NonFiniteError: not that many square matrices of one size.
            NotARepresentationError: they do not multiply as the generators do.
            NotOrthogonalError: they are not orthogonal (unitary), and the group is compact.

        Examples:
            >>> import intertwine as iw
            >>> turn = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]
            >>> iw.Cyclic(4).representation([turn])
            Representation(C4: images[1 -0 -2])
        """
        return Representation.of(given_field(self, images, lie_images))

    def grid(self, *shape: int) -> Representation:
        """The pixels of a grid, flattened: ``(rho(g) f)(x) = f(g^-1 x)``, for finite groups that preserve it.

        In two dimensions (x, y) = (column, -row) about the centre, in three (x, y, z) = (last, -middle, first) index,
        so that the quarter turn, and the turn about z, is ``torch.rot90(image, 1, (-2, -1))``. Sides may be even.

        Args:
            shape: the sides, as many as the group's matrices are wide.

        Raises:
            ArgumentError: a side is no positive integer, or the group is infinite.
            GroupMismatchError: the group does not map the grid onto itself; the message says which generator.

        Examples:
            >>> import intertwine as iw
            >>> import torch
            >>> G, image = iw.Cyclic(4), torch.arange(9.0).reshape(3, 3)
            >>> G.grid(3, 3).act(G.generators[0], image.flatten()).reshape(3, 3).equal(torch.rot90(image, 1, (-2, -1)))
            True
        """
        if len(shape) == 1 and isinstance(shape[0], tuple | list):
            shape = tuple(shape[0])
        if not shape:
            raise ArgumentError("shape", expected="the sides of a grid, as in G.grid(5, 5)", got="nothing")
        return Representation.of(grid_field(self, tuple(integer("shape", side, 1) for side in shape)))
