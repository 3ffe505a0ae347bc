"""Metal artefacts by physics: implants of our own, projections with several energies, filtered back projection."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from intertwine.errors import ShapeError, missing_extra

# Photon energies 40, 50, 60, 80 and 100 keV and their shares: a coarse spectrum of our own, of a tube at 120 kV.
SHARES = (0.15, 0.2, 0.3, 0.25, 0.1)
# Linear attenuation at these energies, per mm: mass attenuation times density, from NIST's tables (SRD 126).
WATER = tuple(0.1 * 1.0 * mu for mu in (0.2683, 0.2269, 0.2059, 0.1837, 0.1707))
METALS = {
    "titanium": tuple(0.1 * 4.54 * mu for mu in (2.214, 1.213, 0.7661, 0.4052, 0.2721)),
    "iron": tuple(0.1 * 7.874 * mu for mu in (3.629, 1.958, 1.205, 0.5952, 0.3717)),
}
# Photons that leave the tube for each ray. Rays through much metal keep a handful: photon starvation.
PHOTONS = 1e6
# What scanners store, in Hounsfield units.
LOWEST, HIGHEST = -1024, 3071
# Thicknesses of water, in mm, at which the scanner's own correction is tabulated.
_THICKNESSES = np.linspace(0, 4000, 8001)


@dataclass(frozen=True, eq=False)
class SimulatedPair:
    """One slice with implants, int16 Hounsfield units, shape (side, side) each, all by the same back projection.

    Attributes:
        artefact: what the scanner shows.
        clean: the slice without metal, of one energy and without noise.
        interpolated: the correction by linear interpolation of the projections (LI-MAR).
        metal: where the implants are, bool.
    """

    artefact: np.ndarray
    clean: np.ndarray
    interpolated: np.ndarray
    metal: np.ndarray


@dataclass(frozen=True)
class Geometry:
    """Parallel rays over half a turn about the middle pixel of odd squares, so that quarter turns are exact.

    Attributes:
        side: pixels of the image, odd.
        pixel: their size in mm.
    """

    side: int
    pixel: float

    def __post_init__(self) -> None:
        if self.side % 2 == 0 or self.side < 3:
            raise ShapeError(
                "side", expected="an odd number of pixels >= 3", got=self.side,
                advice="The scanner turns about the middle pixel; an even square has none.",
            )  # fmt: skip

    @property
    def angles(self) -> np.ndarray:
        """Degrees, shape (num_angles,); a multiple of 4 of them, as many as 1.5 a pixel of the side."""
        count = 4 * round(1.5 * self.side / 4)
        return np.arange(count) * (180 / count)

    @property
    def detectors(self) -> int:
        """Rays of an angle: an odd number that sees the corners too."""
        return 2 * int(np.ceil(self.side // 2 * np.sqrt(2))) + 1

    def project(self, image: np.ndarray) -> np.ndarray:
        """Line integrals in mm times the image's units, shape (detectors, num_angles)."""
        margin = (self.detectors - self.side) // 2
        rays: np.ndarray = _transform().radon(np.pad(image, margin), theta=self.angles, circle=True) * self.pixel
        return rays

    def reconstruct(self, rays: np.ndarray) -> np.ndarray:
        """Filtered back projection (ramp filter) of line integrals, shape (side, side)."""
        image = _transform().iradon(rays / self.pixel, theta=self.angles, circle=True)
        margin = (self.detectors - self.side) // 2
        cropped: np.ndarray = image[margin:-margin, margin:-margin]
        return cropped


def _transform() -> Any:
    try:
        from skimage import transform
    except ModuleNotFoundError as error:
        raise missing_extra("skimage", "ct") from error
    return transform


def body_mask(slice_hu: np.ndarray) -> np.ndarray:
    """The largest connected part denser than fat, its holes filled: where implants may lie."""
    dense = ndimage.binary_opening(slice_hu > -300)
    parts, count = ndimage.label(dense)
    if not count:
        return np.zeros(slice_hu.shape, dtype=bool)
    largest = 1 + int(np.argmax(ndimage.sum_labels(dense, parts, np.arange(1, count + 1))))
    filled: np.ndarray = ndimage.binary_fill_holes(parts == largest)
    return filled


def draw_implants(slice_hu: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One to three implants inside the body: discs, ellipses and screws (thin rods), with equal chance.

    Radii are 2 to 4 % of the side for discs, half axes 1.5 to 5 % for ellipses; screws are 8 to 16 % long and 2.5 %
    thick. Centres are uniform over body pixels at least 6 % of the side away from its surface.

    Returns:
        A mask, bool, shape (side, side); empty if there is no body.
    """
    side = len(slice_hu)
    inside = ndimage.binary_erosion(body_mask(slice_hu), iterations=max(1, round(0.06 * side)))
    places = np.argwhere(inside)
    metal = np.zeros(slice_hu.shape, dtype=bool)
    if not len(places):
        return metal
    rows, columns = np.mgrid[:side, :side]
    for _ in range(rng.integers(1, 4)):
        row, column = places[rng.integers(len(places))] + rng.uniform(-0.5, 0.5, 2)
        angle, shape = rng.uniform(0, np.pi), rng.integers(3)
        along = np.cos(angle) * (columns - column) + np.sin(angle) * (rows - row)
        across = np.cos(angle) * (rows - row) - np.sin(angle) * (columns - column)
        if shape == 2:
            length, thickness = side * rng.uniform(0.08, 0.16), 0.025 * side
            metal |= (abs(along) <= length / 2) & (abs(across) <= thickness / 2)
        else:
            axes = side * (np.full(2, rng.uniform(0.02, 0.04)) if shape == 0 else rng.uniform(0.015, 0.05, 2))
            metal |= (along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1
    return metal


def measured_rays(
    tissue: np.ndarray, metal: np.ndarray, attenuation: tuple[float, ...], rng: np.random.Generator | None
) -> np.ndarray:
    """What the scanner makes of its photon counts: millimetres of water for each ray.

    ``I = N sum_E share_E exp(-mu_water(E) tissue - mu_metal(E) metal)`` photons arrive, Poisson distributed, at least
    one is counted, and the thickness of water that would let as many through is looked up. So water alone comes out
    right, and metal does not: its rays are hardened and starved, which is what streaks the image.

    Args:
        tissue: mm of water along each ray, of tissue taken as water of its own density; any shape.
        metal: mm of metal along each ray.
        attenuation: of the metal at the energies of ``SHARES``, per mm.
        rng: of the photons; None for the expected number of them, without the floor of one.
    """
    energies = zip(SHARES, WATER, attenuation, strict=True)
    photons = PHOTONS * sum(share * np.exp(-mu * tissue - other * metal) for share, mu, other in energies)
    if rng is not None:
        photons = np.maximum(rng.poisson(photons), 1)
    of_water = -np.log(sum(s * np.exp(-mu * _THICKNESSES) for s, mu in zip(SHARES, WATER, strict=True)))
    return np.interp(-np.log(photons / PHOTONS), of_water, _THICKNESSES)


def interpolate_trace(rays: np.ndarray, trace: np.ndarray) -> np.ndarray:
    """Replaces the rays through metal, angle by angle, by straight lines between their neighbours.

    Args:
        rays: shape (detectors, num_angles).
        trace: which rays meet metal, of the same shape.

    Source:
        Kalender, Hebel and Ebersberger 1987, Reduction of CT artifacts caused by metallic implants, Radiology 164.
    """
    result, places = rays.copy(), np.arange(len(rays))
    for angle in range(rays.shape[1]):
        hidden = trace[:, angle]
        if hidden.any() and not hidden.all():
            result[hidden, angle] = np.interp(places[hidden], places[~hidden], rays[~hidden, angle])
    return result


def simulate(
    slice_hu: np.ndarray,
    metal: np.ndarray,
    pixel: float,
    attenuation: tuple[float, ...],
    rng: np.random.Generator | None,
) -> SimulatedPair:
    """One pair: the slice scanned with the implants, and without.

    Args:
        slice_hu: Hounsfield units, shape (side, side), side odd.
        metal: the implants, which replace the tissue, bool.
        pixel: in mm.
        attenuation: one of ``METALS``.
        rng: of the photons; None for none of their noise.

    Examples:
        >>> phantom = np.full((33, 33), -1000.0)
        >>> phantom[8:25, 8:25] = 0
        >>> none = np.zeros((33, 33), dtype=bool)
        >>> pair = simulate(phantom, none, 6.0, METALS["iron"], None)
        >>> int(abs(pair.artefact - pair.clean).max()) <= 1  # without metal and noise there is no artefact
        True
    """
    geometry = Geometry(len(slice_hu), pixel)
    density = np.maximum(1 + slice_hu / 1000, 0)
    without = geometry.project(density)
    # Rays of the holes are those of the density in them, so that no image is projected twice.
    replaced, thickness = geometry.project(density * metal), geometry.project(metal.astype(float))
    measured = measured_rays(np.maximum(without - replaced, 0), thickness, attenuation, rng)
    trace = thickness > 1e-3 * pixel
    return SimulatedPair(
        artefact=_stored(geometry.reconstruct(measured)),
        clean=_stored(geometry.reconstruct(without)),
        interpolated=_stored(geometry.reconstruct(interpolate_trace(measured, trace))),
        metal=metal,
    )


def _stored(density: np.ndarray) -> np.ndarray:
    """Densities of water as int16 Hounsfield units."""
    return np.rint(np.clip(1000 * (density - 1), LOWEST, HIGHEST)).astype(np.int16)
