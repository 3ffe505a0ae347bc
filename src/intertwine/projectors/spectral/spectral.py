"""Fourier-neural-operator weights: one complex matrix a wave vector, half of them stored where signals are real."""

import warnings
from typing import Literal

from intertwine._arguments import check_choice, check_sides
from intertwine.errors import DtypeError, GroupMismatchError, RankZeroWarning
from intertwine.groups.adapters.notation import as_representation
from intertwine.projectors.kernels.kernel import space_representation
from intertwine.projectors.projector import Projector
from intertwine.projectors.spectral.modes import NORMS, Norm, SpectralProjector
from intertwine.projectors.spectral.waves import ORDERS, mode_orbits, space_on_indices, stored_waves


def spectral_projector(  # noqa: PLR0913 - which modes, which signals, which norm: each has its default
    rep_in: object,
    rep_out: object,
    modes: tuple[int, ...],
    *,
    order: Literal["shifted", "fft"] = "shifted",
    grid: tuple[int, ...] | None = None,
    signals: Literal["real", "complex"] = "real",
    norm: Norm = "operator",
    pairs: bool = False,
    space: object = None,
) -> Projector:
    r"""The projector on equivariant weights of a Fourier layer, complex, shape (rep_in.dim, rep_out.dim, *modes).

    The layer maps ``y^(k) = R(k)^T x^(k)`` for the wave vectors k that it stores, and a turn of the grid turns wave
    vectors as it turns pixels: ``(g.R)(k) = rho_out(g) R(g^-1 k) rho_in(g)^-1`` (as maps from in to out). Of a real
    field's spectrum half is stored, the other half reads ``R(-k) = conj R(k)``; hence P acts on (Re, Im) with signs
    and is linear over the real numbers only (``P(iW)`` is not ``i P W``), and ``rank`` is a real dimension, of
    ``2 numel``. Where the last component of k is 0 a real inverse transform reads half the sum of ``R(k)`` and
    ``conj R(-k)``, and so does P. Of a wave there whose partner is not stored (the first row, if their number is even)
    half is read, and that half, ``conj`` at -k, closes its orbit: under C4 ``R(-m/2, 0) = 2 R(0, m/2)`` commutes.
    Wave vectors whose orbit leaves what is read project to 0. So the image of P is the null space of the layer's own
    commutator, without the weights that the layer does not see (the imaginary part of ``R(0)``).

    P is exact: with ``W = P W`` the layer commutes with the group on every periodic grid fine enough for the modes,
    about pixels and about centres between pixels alike, as these turns differ by a shift and the layer commutes with
    shifts.

    Layouts. ``neuraloperator`` (>= 0.3) stores (in, out, m1, ..., m_d // 2 + 1), all axes but the last shifted to
    -m/2, ..., (m-1)/2: this is ``order="shifted"``, and ``modes`` is ``weight.shape[2:]``. (Its 2.0.0 undoes the shift
    with ``fftshift``, which moves the waves on grids with an odd side: only even sides are equivariant there.) The
    layer of Li et al. keeps ``weights1`` and ``weights2`` of shape (in, out, m1, m2), first component 0 .. m1-1 and
    -m1 .. -1: ``torch.cat([weights1, weights2], 2)`` is ``order="fft"`` with ``modes=(2 * m1, m2)``.

    Args:
        rep_in: representation of the input channels; a real one for real signals.
        rep_out: likewise of the output channels.
        modes: lengths of the mode axes as stored.
        order: the order of the wave vectors on all axes but a half-stored last one.
        grid: sides of the grid, needed only where modes reach its Nyquist waves, where k and k - n are one.
        signals: what the layer acts on. ``"complex"``: all modes are stored, no conjugation, and P is linear over the
            complex numbers.
        norm: P is orthogonal in the norm of the ``"operator"``, the mean over the group: every pair of conjugate
            waves counts once, as it is read, which counts entries on the line that is stored twice by 1/2, and those
            of its waves without a partner by 1/4; or in the plain norm of the ``"stored"`` tensor, as weight decay
            has it. The equivariant weights are the same; P differs for groups that turn that line into others (C4).
        pairs: the weights are real with (Re, Im) as a last axis, as some checkpoints hold them; shape (..., 2).
        space: how the group turns the wave vectors; its standard representation if None.

    Raises:
        ArgumentError: modes, order, signals or norm are none of the above.
        GroupMismatchError: the group does not map wave vectors onto wave vectors.
        DtypeError: complex representations under real signals.

    Warns:
        RankZeroWarning: nothing is equivariant.

    Source: Li et al. 2021 (Fourier neural operator); Helwig et al. 2023 (group-equivariant ones).

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> P = iw.spectral_projector(G.trivial(), G.trivial(), (3, 2))
        >>> W = torch.arange(6.0).reshape(1, 1, 3, 2).to(torch.complex64)
        >>> P.project(W)[0, 0].real.tolist()
        [[2.5, 3.0], [2.0, 2.5], [2.5, 3.0]]
    """
    first, second = as_representation(rep_in, "rep_in"), as_representation(rep_out, "rep_out")
    if first.group != second.group:
        raise GroupMismatchError(
            "rep_out", expected=f"a representation of {first.group}, as rep_in is", got=f"one of {second.group}"
        )
    for name, value, allowed in (
        ("order", order, ORDERS),
        ("signals", signals, ("real", "complex")),
        ("norm", norm, NORMS),
    ):
        check_choice(name, value, allowed)
    sides = check_sides("modes", modes)
    limits = None if grid is None else check_sides("grid", grid, len(sides))
    group, half = first.group, signals == "real"
    if not group.is_finite:
        raise GroupMismatchError(
            "rep_in",
            expected="a finite group, which maps wave vectors onto wave vectors",
            got=str(group),
            advice="Restrict to Cyclic(4) or Dihedral(4).",
        )
    points = space_representation(group, sides, space)
    matrices = space_on_indices(points.as_field().generator_images(), group, limits)
    orbits = mode_orbits(stored_waves(sides, order, half=half), matrices, limits, half=half)
    if half and (first.is_complex or second.is_complex):
        raise DtypeError("rep_in", expected="real representations, as signals are real", got=f"{first}, {second}")
    result = SpectralProjector(group, first.dual(), second, sides, orbits, norm=norm, half=half, pairs=pairs)
    if result.rank == 0:
        warnings.warn(
            f"No spectral weight from ({first}) to ({second}) on modes {sides} is equivariant: P is zero.",
            RankZeroWarning,
            stacklevel=2,
        )
    return result
