"""Modules without parameters that compute with components, as written-out spherical harmonics do: types by values.

Of ``y = f(x)`` with ``f(rho(g) x) = M(g) f(x)`` the matrices M(g) follow from values: least squares over random x, for
generators g and for ``exp(t X)``, X from the Lie algebra. They are taken as a representation if they are orthogonal
and fit; fields are the blocks that no g mixes.
"""

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.errors import IntertwineError
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.axes import Carried
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.normal_form import carried, resolved
from intertwine.tracing.whole.branches import DRAWS, Reading

# How far along the Lie algebra the function is asked: a logarithm comes back from there.
STEP = 0.5
# How well matrices have to fit values, and to be orthogonal: constants of a module may be float32.
CLOSE = 1e-6
WIDEST = 64


def fitted(ctx: Context, out: Any, module: Any, *args: Any, **kwargs: Any) -> Axes:
    """``f(x)`` of one tensor of a known representation along the last axis, for one along the last axis of the result.

    Raises:
        ConflictError: it takes or gives something else, or no representation fits.
    """
    if kwargs or len(args) != 1 or not isinstance(args[0], torch.Tensor) or not isinstance(out, torch.Tensor):
        raise ConflictError("its values were not fitted, as it takes or gives more than one tensor")
    x = args[0]
    *lead, last = ctx.axes(x)
    rep = _known(last)
    if rep is None or out.ndim != x.ndim or out.shape[:-1] != x.shape[:-1] or out.shape[-1] > WIDEST:
        raise ConflictError("its values were not fitted, as its axes are not those of its argument but for the last")
    ctx.need_all(lead)
    return [*lead, carried(representation_behind(module, rep, x.ndim))]


def representation_behind(function: nn.Module, rep: Representation, ndim: int) -> Representation:
    """The representation that ``function`` has on the last axis of its result, by values.

    Raises:
        ConflictError: there is none.
    """
    group = rep.group
    double = copy.deepcopy(function).double()
    elements = [g.double() for g in group.generators]
    elements += [torch.linalg.matrix_exp(STEP * X) for X in group.lie_algebra]
    x = torch.randn(256, *[1] * (ndim - 2), rep.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    try:
        matrices = _matrices(double, rep, elements, x)
    except ConflictError:  # some are meant for vectors of length 1 alone
        matrices = _matrices(double, rep, elements, x / x.norm(dim=-1, keepdim=True))
    _hold_elsewhere(double, rep, elements, x, matrices)
    count = len(group.generators)
    whole = Representation(group, ())
    for start, stop in _blocks(matrices):
        block = matrices[:, start:stop, start:stop]
        whole = whole + _field(group, block[:count], block[count:])
    return whole


def _matrices(function: nn.Module, rep: Representation, elements: Sequence[torch.Tensor], x: torch.Tensor) -> Array:
    try:
        y = function(x).reshape(len(x), -1).numpy()
        moved = [function(rep.act(g, x)).reshape(len(x), -1).numpy() for g in elements]
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ConflictError(f"its values were not fitted: {error}") from error
    return np.stack([_matrix(y, values) for values in moved])


def _hold_elsewhere(
    function: nn.Module, rep: Representation, elements: Sequence[torch.Tensor], x: torch.Tensor, matrices: Array
) -> None:
    """Where Python reads values, these may decide what is done: the matrices must hold at others too, a few at a time.

    Raises:
        ConflictError: they do not.
    """
    with Reading() as reading:
        function(x)
    for few in x.split(8)[:DRAWS] if reading.seen else ():
        y = function(few).reshape(len(few), -1).numpy()
        for g, matrix in zip(elements, matrices, strict=True):
            moved = function(rep.act(g, few)).reshape(len(few), -1).numpy()
            if np.abs(y @ matrix.T - moved).max() > CLOSE * max(float(np.abs(moved).max()), 1e-30):
                raise ConflictError("values that Python reads decide what it does, and the group moves these")


def _known(axis: Any) -> Representation | None:
    terms = resolved(axis).terms
    factor = terms[0][0] if len(terms) == len(terms[0]) == 1 else None
    return factor.rep if isinstance(factor, Carried) else None


def _matrix(y: Array, moved: Array) -> Array:
    """``M`` with ``moved = M y`` for every sample."""
    solved, _, rank, _ = np.linalg.lstsq(y, moved, rcond=1e-10)
    matrix: Array = solved.T
    scale = max(float(np.abs(moved).max()), 1e-30)
    if rank < y.shape[1]:
        raise ConflictError("its results depend on each other linearly, so that their values fit several actions")
    if np.abs(y @ matrix.T - moved).max() > CLOSE * scale:
        raise ConflictError("the group acts on its results in no linear way")
    if np.abs(matrix @ matrix.T - np.eye(len(matrix))).max() > CLOSE:
        raise ConflictError("the group acts on its results by matrices that are not orthogonal")
    return matrix


def _blocks(matrices: Array) -> list[tuple[int, int]]:
    """The smallest runs of features that no matrix mixes with others."""
    mixed: Array = np.any(np.abs(matrices) > CLOSE, axis=0)
    bounds, reach = [0], 0
    for i in range(len(mixed)):
        reach = max(reach, int(np.flatnonzero(mixed[i] | mixed[:, i])[-1]))
        if reach == i:
            bounds.append(i + 1)
    return list(pairwise(bounds))


def _field(group: Group, images: Array, steps: Array) -> Representation:
    """One field by its matrices for generators and for steps along the algebra: by name where one has them."""
    algebra = np.stack([_logarithm(step) / STEP for step in steps]) if len(steps) else np.zeros((0, *images.shape[1:]))
    size = images.shape[-1] if len(images) else algebra.shape[-1]
    for label in group.irrep_candidates(size, algebra):
        if group.irrep_dim(label) == size and _same(group.irrep(label), images, algebra):
            return group.irrep(label)
    try:
        made: Representation = group.representation(images, algebra if len(algebra) else None)
    except IntertwineError as error:
        raise ConflictError(f"its values fit no representation: {error}") from error
    return made


def _logarithm(matrix: Array) -> Array:
    from scipy.linalg import logm  # which takes long to load

    found = np.real(logm(matrix))
    skew: Array = (found - found.T) / 2
    return skew


def _same(rep: Representation, images: Array, algebra: Array) -> bool:
    field = rep.as_field()
    pairs: Sequence[tuple[Array, Array]] = ((field.generator_images(), images), (field.algebra(), algebra))
    return all(one.shape == two.shape and np.allclose(one, two, atol=1e-7) for one, two in pairs)
