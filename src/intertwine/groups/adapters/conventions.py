"""Feature arrays of e3x and fairchem as representations, where their order of components matters for a type.

Neither package is imported. For other orders ``G.irreps(text, basis=..., layout=...)`` is all that it takes.
"""

from collections.abc import Sequence
from math import isqrt

from intertwine._arguments import flag, integer
from intertwine.errors import ArgumentError, ShapeError
from intertwine.groups.cyclic import Cyclic
from intertwine.groups.o2 import O2
from intertwine.groups.o3 import O3
from intertwine.groups.so2 import SO2
from intertwine.representations import Representation


def e3x_features(shape: Sequence[int], *, cartesian_order: bool = True) -> Representation:
    """O(3) on the features of e3x, arrays (..., parity, (L+1)^2, features), flattened.

    With a parity axis of size 2 the even irreps 0e, 1e, 2e, ... come first, then the odd ones 0o, 1o, 2o, ...; with one
    of size 1 degree l has the parity (-1)^l: 0e, 1o, 2e, ... The features are innermost.

    Kernels of ``e3x.nn.Dense`` need no type: they hold one number for each pair of features and irrep, and are
    equivariant whatever they are. A plain layer on flattened features does.

    Args:
        shape: the shape of the array; its last three sizes count.
        cartesian_order: e3x's option of the same name. True is its default, x, y, z at l = 1.

    Returns:
        A representation of O(3) of dimension parity (L+1)^2 features; ``rep.restrict(iw.SO(3))`` forgets reflections.

    Raises:
        ShapeError: no such shape.

    Examples:
        >>> import intertwine as iw
        >>> rep = iw.conventions.e3x_features((100, 2, 9, 4))  # 100 atoms
        >>> rep.dim == 2 * 9 * 4
        True
        >>> iw.conventions.e3x_features((1, 4, 8))
        Representation(O(3): 8x0e + 8x1o (ir_mul))
    """
    sizes = _sizes(shape, at_least=3, expected="(..., 1 or 2, (L+1)^2, features)")[-3:]
    parities, components, features = sizes
    degree = isqrt(components) - 1
    if parities not in (1, 2) or components != (degree + 1) ** 2 or degree < 0:
        raise ShapeError("shape", expected="(..., 1 or 2, (L+1)^2, features)", got=repr(tuple(sizes)))
    natural = ["eo"[l % 2] for l in range(degree + 1)]
    rows = [natural] if parities == 1 else [["e"] * (degree + 1), ["o"] * (degree + 1)]
    text = " + ".join(f"{features}x{l}{p}" for row in rows for l, p in enumerate(row))
    basis = "e3x" if flag("cartesian_order", cartesian_order) else "z-axis"
    return O3().irreps(text, basis=basis, layout="ir_mul")


def fairchem_features(max_degree: int, max_order: int, channels: int, *, mirror: bool = False) -> Representation:
    """SO(2) on the edge features of eSEN and UMA, (coefficients, channels) in the order by m, flattened.

    fairchem turns each edge to +y and sorts the coefficients (l, m): all l at m = 0, then for m = 1, 2, ... all l at +m
    and all l at -m. A turn by a about the edge acts on the pair (+m, -m) as the irrep ``"m"``, and mirrors through the
    edge keep +m and flip -m.

    Args:
        max_degree: fairchem's ``lmax``.
        max_order: fairchem's ``mmax``.
        channels: channels of one coefficient.
        mirror: give the representation of O(2), with the mirrors through the edge.

    Raises:
        ArgumentError: not whole numbers, or ``max_order`` above ``max_degree``.

    Examples:
        >>> import intertwine as iw
        >>> iw.conventions.fairchem_features(3, 2, 16)
        Representation(SO(2): 64x0 + 48x1 (ir_mul) + 32x2 (ir_mul))
    """
    degree, order = integer("max_degree", max_degree, 0), integer("max_order", max_order, 0)
    copies = integer("channels", channels, 1)
    if order > degree:
        raise ArgumentError("max_order", expected=f"at most max_degree = {degree}", got=order)
    group = O2() if flag("mirror", mirror) else SO2()
    terms = [(degree + 1 - m, m if m else group.trivial_label) for m in range(order + 1)]
    return group.irreps(" + ".join(f"{n * copies}x{label}" for n, label in terms), layout="ir_mul")


def fairchem_mirror(shape: Sequence[int]) -> tuple[Representation, Representation]:
    """The type worth penalising on ``SO2_m_Conv.fc.weight``: mirrors through the edge.

    The stored weight is [W_r; W_i], shape (2 n, k), and stands for the map [[W_r, -W_i], [W_i, W_r]] between pairs
    (+m, -m). Every such map commutes with turns about the edge, so SO(2) leaves nothing to penalise; it commutes with
    the mirrors through the edge iff W_i = 0. Under this type P keeps W_r and zeroes W_i, and the relative residual is
    |W_i| / |W|, that of the whole map under O(2).

    Args:
        shape: the shape of the stored weight.

    Returns:
        ``(rep_in, rep_out)`` of a group of order 2: trivial, and n times even beside n times odd.

    Raises:
        ShapeError: not two sizes, the first of them even.

    Examples:
        >>> import intertwine as iw, torch
        >>> W = torch.cat([torch.full((3, 4), 4.0), torch.full((3, 4), 3.0)])  # W_r, W_i
        >>> P = iw.projector(*iw.conventions.fairchem_mirror(W.shape))
        >>> P.rank, float(P.relative_residual(W))
        (12, 0.6)
    """
    sizes = _sizes(shape, at_least=2, expected="(2 n, k)")
    if len(sizes) != 2 or sizes[0] % 2:
        raise ShapeError("shape", expected="(2 n, k)", got=repr(tuple(sizes)))
    group, half = Cyclic(2), sizes[0] // 2
    return group.irreps(f"{sizes[1]}x0"), group.irreps(f"{half}x0 + {half}x1")


def _sizes(shape: object, *, at_least: int, expected: str) -> list[int]:
    """A shape as whole numbers."""
    if isinstance(shape, str) or not isinstance(shape, Sequence) or len(shape) < at_least:
        raise ShapeError("shape", expected=expected, got=repr(shape)[:80])
    return [integer(f"shape[{i}]", size, 1) for i, size in enumerate(shape)]
