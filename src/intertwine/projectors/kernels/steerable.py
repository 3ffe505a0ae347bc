"""Sampled steerable kernels: the equivariant space of a kernel whose pixels carry no exact action."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intertwine._arguments import integer, real_number
from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import ArgumentError, SeparationError
from intertwine.groups.harmonic_field import HarmonicField
from intertwine.projectors.methods.block import fixed_basis
from intertwine.representations import Field, Representation
from intertwine.representations.pixels import pixel_positions


@dataclass(frozen=True)
class Rings:
    """Radial profiles ``exp(-(|x| - r)^2 / (2 sigma^2))``, and the highest harmonic that each may carry.

    They do not depend on the group nor on the fields: for H < G every G-steerable kernel is H-steerable also after
    sampling, so that projectors along a chain of subgroups nest exactly.

    Args:
        radii: in pixels.
        widths: sigma of each, in pixels.
        band: the highest degree of each.

    Source:
        Weiler, Hamprecht and Storath 2018, arXiv 1711.07289; as in escnn, Weiler and Cesa 2019, arXiv 1911.08251.

    Examples:
        >>> import intertwine as iw
        >>> narrow = iw.Rings(radii=(0.0, 1.0), widths=(0.4, 0.4), band=(0, 2))
        >>> G = iw.SO(2)
        >>> iw.projector(G.trivial(), G.irrep(1), kernel=(3, 3), rings=narrow).rank
        2
    """

    radii: tuple[float, ...]
    widths: tuple[float, ...]
    band: tuple[int, ...]

    def __post_init__(self) -> None:
        kinds = (("radii", "numbers >= 0"), ("widths", "numbers > 0"), ("band", "degrees, integers >= 0"))
        for argument, expected in kinds:
            values = getattr(self, argument)
            if not isinstance(values, tuple | list):
                raise ArgumentError(argument, expected=f"a tuple of {expected}", got=type(values).__name__)
            for value in values:
                if argument == "band":
                    integer(argument, value, 0)
                else:
                    real_number(argument, value, expected, minimum=0, positive=argument == "widths")
            object.__setattr__(self, argument, tuple(values))
        counts = {len(self.radii), len(self.widths), len(self.band)}
        if len(counts) > 1 or counts == {0}:
            got = f"{len(self.radii)} radii, {len(self.widths)} widths, {len(self.band)} bands"
            raise ArgumentError("radii", expected="one radius, width and band a ring, at least one ring", got=got)


def default_rings(kernel: Sequence[int]) -> Rings:
    """One ring a pixel of radius: 3 x 3 has rings at 0 and 1, larger kernels evenly spaced ones short of the edge.

    From the centre (1/2 for even sizes) to 0.2 pixels inside the edge, so that the pixels sample the outermost profile
    on both of its sides: a ring on the edge itself, as escnn has it, is cut off there and turns worse. Degrees up to
    twice the radius, at most 3, on the outermost ring at most 2: higher ones fit on the pixels, but what they respond
    with is aliased. The numbers were chosen by measurement (``python -m benchmarks.rotation_error``,
    results/rotation_error): on fields up to half the Nyquist frequency the rotation error is 0.10 to 0.92 of that with
    escnn's defaults at equal rank from 5 pixels on, and equal at 3.
    """
    half = (min(kernel) - 1) / 2
    count = int(half) + 1
    if count == 1:
        return Rings((half,), (0.455 if half else 0.2,), (int(2 * half),))
    inner = half % 1
    radii = np.linspace(inner, half - 0.2 if half > 1 else 1.0, count)
    widths = [0.61 if inner else 0.2, *(count - 2) * [0.61], 0.455 if half > 1 else 0.4]
    band = [*(min(int(2 * (inner + ring)), 3) for ring in range(count - 1)), 2]
    return Rings(tuple(radii.tolist()), tuple(widths), tuple(band))


@cached(64)
def sampled_profiles(
    space: Representation, kernel: tuple[int, ...], rings: Rings
) -> tuple[tuple[HarmonicField, Array], ...]:
    """Every radial profile times every harmonic on the pixels: ``(harmonic field, values (pixels, field.dim))`` each.

    Raises:
        SeparationError: on so few pixels they are not linearly independent.
    """
    points = pixel_positions(kernel)
    distance = np.linalg.norm(points, axis=1)
    found = []
    bands = [min(band, len(points)) for band in rings.band]
    functions = sum(HarmonicField(space, degree).dim for band in bands for degree in range(band + 1))
    if functions > len(points):
        raise _dependent(kernel, f"{functions} functions for {len(points)} pixels")
    for radius, width, band in zip(rings.radii, rings.widths, rings.band, strict=True):
        profile = np.exp(-((distance - radius) ** 2) / (2 * width**2))
        for degree in range(band + 1):
            harmonics = HarmonicField(space, degree)
            found.append((harmonics, profile[:, None] * harmonics.values(points)))
    stacked = np.concatenate([values / np.linalg.norm(values) for _, values in found], axis=1)
    smallest = np.linalg.svd(stacked, compute_uv=False)
    if smallest[-1] < 1e-3 * smallest[0]:
        raise _dependent(kernel, f"{functions} functions, smallest singular value {smallest[-1] / smallest[0]:.1e}")
    return tuple(found)


def _dependent(kernel: tuple[int, ...], got: str) -> SeparationError:
    return SeparationError(
        "rings",
        expected=f"profiles that are linearly independent on {' x '.join(map(str, kernel))} pixels",
        got=got,
        advice="Lower the band limit of the outer rings, or use fewer rings.",
    )


@cached(256)
def steerable_basis(
    field_out: Field, field_in_dual: Field, space: Representation, kernel: tuple[int, ...], rings: Rings
) -> Array:
    """Orthonormal basis of the sampled steerable kernels of one field pair, shape (d_out d_in pixels, rank).

    ``K(x) = sum_m c_m phi(|x|) Y_m(x / |x|)`` with c in ``(V_out (x) V_in* (x) H_J)^G`` solves
    ``K(g x) = rho_out(g) K(x) rho_in(g)^-1`` for every radial profile phi and degree J (Weiler et al. 2018; Cohen et
    al. 2019); sampled at the pixels it is orthonormalised by QR.

    Raises:
        SizeLimitError: fields above the limit of the null space.
        SeparationError: profiles that the pixels cannot tell apart.
    """
    sizes = (field_out.dim, field_in_dual.dim)
    columns = []
    for harmonics, values in sampled_profiles(space, kernel, rings):
        fixed = fixed_basis((field_out, field_in_dual, harmonics))
        coefficients = fixed.reshape(sizes[0] * sizes[1], harmonics.dim, -1)
        sampled = np.einsum("emb,pm->epb", coefficients, values)
        columns.append(sampled.reshape(sizes[0] * sizes[1] * len(values), -1))
    stacked = np.concatenate(columns, axis=1)
    # The profiles are independent, hence so are these: QR loses no rank.
    return np.linalg.qr(stacked)[0] if stacked.shape[1] else stacked
