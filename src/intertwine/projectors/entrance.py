"""``intertwine.projector``: every way to say which tensors are meant, and a warning where none but zero is fixed.

The library itself calls ``tensor_projector``, ``kernel_projector``, ...: it knows what rank 0 means where it asks, and
says so in its own words or not at all.
"""

import warnings
from collections.abc import Sequence

from intertwine._arguments import check_choice, kernel_sides
from intertwine.errors import ArgumentError, GroupMismatchError, RankZeroWarning
from intertwine.groups.adapters.notation import as_representation
from intertwine.projectors.axes.folds import fold_axes
from intertwine.projectors.dispatch import ORDER, tensor_projector
from intertwine.projectors.kernels.kernel import kernel_projector
from intertwine.projectors.kernels.steerable import Rings
from intertwine.projectors.projector import Projector
from intertwine.projectors.symmetric import SymmetricProjector, exchanged_axes
from intertwine.representations import Representation


def projector(  # noqa: PLR0913 - a keyword for each way to say which tensors are meant
    rep_in: object = None,
    rep_out: object = None,
    *,
    axes: Sequence[object] | None = None,
    shape: Sequence[int | None] | None = None,
    symmetric: Sequence[int] | Sequence[Sequence[int]] | None = None,
    kernel: Sequence[int] | None = None,
    space: object = None,
    kernel_basis: object = None,
    rings: Rings | None = None,
    method: str | None = None,
) -> Projector:
    """The orthogonal projector on the equivariant weights, biases or tensors.

    * ``projector(rep_in, rep_out)``: weights (rep_out.dim, rep_in.dim) with ``rho_out(g) W = W rho_in(g)``;
    * ``projector(rep)``: biases (rep.dim,) with ``rho(g) b = b``;
    * ``projector(rep_in, rep_out, kernel=(3, 3))``: convolution kernels (rep_out.dim, rep_in.dim, 3, 3) with
      ``K(g x) = rho_out(g) K(x) rho_in(g)^-1``;
    * ``projector(axes=(rep_0, rep_1, ...))``: tensors with one representation an axis, in the tensor's own order, None
      where the group does not act. ``projector(a, b)`` is ``projector(axes=(b, a.dual()))``.

    Args:
        rep_in: representation of the inputs. Also an e3nn or cuEquivariance ``Irreps`` or an escnn ``FieldType``.
        rep_out: representation of the outputs; None for a bias.
        axes: instead of both.
        shape: the tensor's shape, where a representation spans several consecutive axes of it: a table (H, W, D) is
            ``axes=(G.grid(H, W), rep), shape=(H, W, D)``. None on an axis of any length.
        symmetric: positions in ``axes`` whose inputs are equal, such as ``(1, 2, 3)``, or several sets of such: P then
            projects on the tensors that are symmetric in them too, as nothing else of the tensor acts.
        kernel: sides of a convolution kernel in one, two or three dimensions. Where the group maps pixels onto pixels
            P is exact; elsewhere (SO(2), C8, SO(3), ...) it projects on the span of sampled steerable kernels, and
            ``exact`` is False with the reason.
        space: how the group turns the kernel's points; its standard representation if None.
        kernel_basis: a basis of one field pair's kernels, shape (n, d_out, d_in, *kernel), to project on instead.
        rings: radial profiles and band limit of steerable kernels.
        method: None for the cheapest exact method, or one of ``"orbit"`` (permutations), ``"schur"`` (irreps),
            ``"block"`` (a basis of one tuple of fields, or a group average), ``"nullspace"`` (generators alone).

    Raises:
        GroupMismatchError: the representations are of different groups.
        ArgumentError: no representation, an unknown method, or one that does not apply.
        SizeLimitError: a null space above dimension 2000.

    Warns:
        RankZeroWarning: no non-zero equivariant tensor exists.

    Source:
        The operator: Berndt and Stuehmer, arXiv 2601.05028. Null space of generator constraints: Finzi, Welling and
        Wilson 2021, arXiv 2104.09459. Schur's lemma: Serre 1977, "Linear representations of finite groups", 2.2.
        Steerable kernels: Weiler and Cesa 2019, arXiv 1911.08251.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> P = iw.projector(16 * G.regular(), 8 * G.regular())
        >>> P.method, P.rank, P.shape
        ('orbit', 512, (32, 64))
        >>> W = torch.randn(32, 64, generator=torch.Generator().manual_seed(0))
        >>> bool(P.relative_residual(P.project(W)) < 1e-6)
        True
    """
    reps = _axes(rep_in, rep_out, axes)
    result: Projector
    check_choice("method", method, (None, *ORDER))
    if kernel is None:
        for name, value in (("space", space), ("kernel_basis", kernel_basis), ("rings", rings)):
            if value is not None:
                raise ArgumentError(name, expected="None without kernel", got=type(value).__name__)
        plain = tensor_projector(reps, method, None if shape is None else fold_axes(reps, shape))
        result = plain if symmetric is None else SymmetricProjector(plain, exchanged_axes(symmetric, reps))
    elif symmetric is not None:
        raise ArgumentError("symmetric", expected="None with kernel", got=repr(symmetric)[:80])
    elif shape is not None:
        raise ArgumentError("shape", expected="None with kernel, which says it", got=repr(shape)[:80])
    else:
        result = kernel_projector(reps, kernel_sides(kernel), space, kernel_basis, rings, method)
    if result.rank == 0 and result.numel:
        names = " and ".join(str(rep) for rep in result.axes if rep is not None)
        warnings.warn(
            f"There is no non-zero tensor on ({names}) that {result.group} leaves fixed: P is zero. Give the axes a "
            "common irrep, or use G.regular(), which contains all of them.",
            RankZeroWarning,
            stacklevel=2,
        )
    return result


def _axes(rep_in: object, rep_out: object, axes: Sequence[object] | None) -> tuple[Representation | None, ...]:
    """The axes as representations of one group, duals taken."""
    if axes is not None:
        if rep_in is not None or rep_out is not None:
            raise ArgumentError("axes", expected="either axes or rep_in and rep_out", got="both")
        if isinstance(axes, Representation | str) or not isinstance(axes, Sequence):
            raise ArgumentError(
                "axes",
                expected="a tuple with a representation (or None) per axis of the tensor",
                got=type(axes).__name__,
            )
        reps = tuple(None if axis is None else as_representation(axis, f"axes[{i}]") for i, axis in enumerate(axes))
        named = [(f"axes[{i}]", rep) for i, rep in enumerate(reps) if rep is not None]
    else:
        if rep_in is None:
            raise ArgumentError(
                "rep_in", expected="a representation", got="None", advice="For a bias give its own: projector(rep_out)."
            )
        first = as_representation(rep_in, "rep_in")
        named = [("rep_in", first)]
        if rep_out is None:
            reps = (first,)
        else:
            second = as_representation(rep_out, "rep_out")
            named.append(("rep_out", second))
            reps = (second, first.dual()) if second.group == first.group else (second, first)
    if not named:
        raise ArgumentError(
            "axes",
            expected="at least one representation",
            got=f"{len(reps)} axes without",
            advice="Use n * G.trivial() where the group acts trivially.",
        )
    for name, rep in named[1:]:
        if rep.group != named[0][1].group:
            raise GroupMismatchError(
                name,
                expected=f"a representation of {named[0][1].group}, as {named[0][0]} is",
                got=f"one of {rep.group}",
                advice="Use rep.restrict(H) with a common subgroup.",
            )
    return reps
