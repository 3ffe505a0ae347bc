"""Vectors that a layer adds alike to every component of another axis, as a Linear on (atoms, 3, channels) its bias."""

import numpy as np

from intertwine._numerics import INPUT_TOLERANCE, Array
from intertwine.errors import ArgumentError
from intertwine.projectors import Projector
from intertwine.projectors.axes.plan import plan_axis
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.dispatch import tensor_projector
from intertwine.representations import Field, Representation


def broadcast_projector(rep: Representation, over: Representation) -> Projector:
    r"""The orthogonal projector on the vectors b, shape (rep.dim,), for which ``b (x) 1`` is fixed by ``rep (x) over``.

    1 is the vector of ones on the other axis. ``rho(g) b (x) sigma(g) 1 = b (x) 1`` holds for some b other than zero
    iff ``sigma(g) 1 = c(g) 1``, and then for the b with ``rho(g) b = c(g)^-1 b``, c being a sign. (A weight that is
    shared by the components, ``W (x) 1``, commutes with ``rep (x) over`` iff W commutes with ``rep``: no commutant of
    ``over`` enters, as the layer holds no other map along that axis than the identity.)

    Args:
        rep: how the group acts on the channels.
        over: how it acts on the other axis.

    Raises:
        ArgumentError: ``over`` scales the vector of ones.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.SO(3)
        >>> broadcast_projector(8 * G.trivial(), G.irrep(1)).rank
        0
        >>> R = iw.Cyclic(4).regular()
        >>> broadcast_projector(2 * R, R).rank
        2
    """
    found = ones_character(over)
    if found is None:
        reason = f"the same for every component of {over}, of which the group fixes no sum, so that only zero is fixed"
        # The reason is that of rank 0.
        return BlocksProjector(rep.group, (rep,), (plan_axis(rep),), (), "block", reason=reason, exact=True)
    if (found == 1).all():
        return tensor_projector((rep,))
    images = np.zeros((len(found), 1), dtype=np.int64)
    sign = rep.group.permutation(images, signs=found[:, None])
    return tensor_projector((rep.tensor(sign),))


def ones_character(rep: Representation) -> Array | None:
    """``signs_of_ones`` of a whole representation: one for all of its fields, or None."""
    found = [signs_of_ones(segment.field) for segment in rep.segments]
    first = found[0] if found else np.ones(len(rep.group.generator_matrices()), dtype=np.int64)
    if first is None or any(signs is None or (signs != first).any() for signs in found):
        return None
    return first


def signs_of_ones(field: Field) -> Array | None:
    """``c`` with ``rho(g) 1 = c(g) 1`` for the discrete generators, (m,), 1 the vector of ones; None if there is none.

    Raises:
        ArgumentError: the matrices are not orthogonal and scale it.
    """
    table = field.generator_permutations()
    if table is not None:
        signs = table[1]
        return np.asarray(signs[:, 0]) if (signs == signs[:, :1]).all() else None
    ones = np.ones(field.dim)
    moved, images = field.algebra() @ ones, field.generator_images() @ ones
    if any(np.abs(rows - rows[:, :1]).max(initial=0.0) > INPUT_TOLERANCE for rows in (moved, images)):
        return None
    signs = np.sign(images[:, 0].real)
    if max(np.abs(moved).max(initial=0.0), np.abs(images - signs[:, None]).max(initial=0.0)) > INPUT_TOLERANCE:
        raise ArgumentError(
            "rep", expected="signs, or no multiples at all, of the vector of ones", got=f"{field.name}, which scales it"
        )
    return signs.astype(np.int64)
