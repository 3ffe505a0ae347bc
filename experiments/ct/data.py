"""Slices of three CT scans, and simulated pairs of them."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.ct.simulation import METALS, SimulatedPair, draw_implants, simulate
from experiments.runs.data_folder import generated_folder, required_data, shipped_data
from intertwine.errors import ShapeError


@dataclass(frozen=True)
class Scan:
    """One of the volumes, and which part of it is used.

    Attributes:
        axis: of the slices in the file.
        first, last: slices used, the last one excluded.
        step: every so many of them is used, so that slices are 3 mm (6 mm) apart.
        pixel: in mm, in the file.
        crop: side of the square in the file's pixels, per output pixel at side 65; missing pixels are air.
        centre: row and column of the square's middle, as shares of the slice.
    """

    axis: int
    first: int
    last: int
    step: int
    pixel: float
    crop: int
    centre: tuple[float, float] = (0.5, 0.5)


# Left out: the lowest torso slices, which show a real hip implant with its own artefacts, and the uppermost ones of the
# chest, where dense contrast and metal saturate the scanner.
SCANS = {
    "torso": Scan(2, 20, 112, 2, 3.0, 2),
    "chest": Scan(2, 0, 114, 2, 1.5, 2),
    "abdomen": Scan(0, 0, 20, 1, 0.9765625, 6, (0.6, 0.5)),
}
VOLUMES = {"torso": "torso_3mm", "chest": "aorta_1p5mm", "abdomen": "dicom_512"}
SHIPPED_SIDE = 65


def cut_slices(volume: np.ndarray, scan: Scan, side: int) -> np.ndarray:
    """The slices of one volume as squares, int16 Hounsfield units, shape (count, side, side).

    Pixels are averaged over blocks, so that one output pixel is ``crop * 65 / side`` pixels of the file. All scans are
    shown as radiologists see them: front on top, the patient's left on the right.

    Raises:
        ShapeError: a side whose pixels are no whole number of the file's.
    """
    block = round(scan.crop * SHIPPED_SIDE / side)
    size, wanted = block * side, scan.crop * SHIPPED_SIDE
    if block < 1 or abs(size - wanted) > 0.02 * wanted:
        raise ShapeError("side", expected="65 or 129, which cut the slices into whole pixels", got=side)
    slices = np.moveaxis(volume, scan.axis, 0)[scan.first : scan.last : scan.step].astype(np.float64)
    if scan.axis == 2:
        # (x, y) with x to the patient's right and y to the front, in the volumes that came as NIfTI.
        slices = slices.transpose(0, 2, 1)[:, ::-1, ::-1]
    height, width = slices.shape[1:]
    top, left = _start(height, size, scan.centre[0]), _start(width, size, scan.centre[1])
    padded = np.pad(slices, ((0, 0), (size, size), (size, size)), constant_values=-1000.0)
    squares = padded[:, size + top : 2 * size + top, size + left : 2 * size + left]
    means = squares.reshape(len(squares), side, block, side, block).mean((2, 4))
    return np.rint(means).astype(np.int16)


def _start(length: int, size: int, share: float) -> int:
    """Where the square begins: inside the slice if that is longer, and around its middle if it is shorter."""
    if length < size:
        return -((size - length) // 2)
    return min(max(round(share * length - size / 2), 0), length - size)


def load_slices(side: int) -> dict[str, np.ndarray]:
    """By scan: int16 Hounsfield units, shape (count, side, side). Shipped at side 65, else cut from the user's volumes.

    Raises:
        ArgumentError: another side, and no folder with ``ct/ct_volumes_hu.npz`` was named.
    """
    if side == SHIPPED_SIDE:
        with np.load(shipped_data("ct", "ct_slices_65.npz")) as file:
            return {name: file[name] for name in SCANS}
    path = required_data("ct", "ct_volumes_hu.npz", advice=f"Slices of side {SHIPPED_SIDE} are shipped.")
    with np.load(path) as file:
        return {name: cut_slices(file[VOLUMES[name]], scan, side) for name, scan in SCANS.items()}


def pixel_size(name: str, side: int) -> float:
    """Of the squares, in mm."""
    scan = SCANS[name]
    return scan.pixel * round(scan.crop * SHIPPED_SIDE / side)


def simulate_pair(name: str, slice_hu: np.ndarray, index: int, variant: int) -> SimulatedPair:
    """Pair number ``variant`` of slice number ``index``: implants, metal and photons depend on these numbers alone."""
    rng = np.random.default_rng(np.random.SeedSequence([list(SCANS).index(name), index, variant]))
    metal = draw_implants(slice_hu, rng)
    kind = list(METALS)[rng.integers(len(METALS))]
    return simulate(slice_hu, metal, pixel_size(name, len(slice_hu)), METALS[kind], rng)


def load_pairs(
    side: int, variants: int, every: int = 1, *, folder: Path | None = None, advance: Callable[[], None] | None = None
) -> dict[str, dict[str, np.ndarray]]:
    """Simulated pairs by scan, made at the first call and kept in a file.

    Args:
        side: of the images.
        variants: pairs of each slice, which differ in implants and noise.
        every: use every so many of the slices.
        folder: where the file is; the folder of generated data if None.
        advance: called for every pair that is made.

    Returns:
        By scan: arrays ``artefact``, ``clean``, ``interpolated`` (int16) and ``metal`` (bool), each of shape
        (slices, variants, side, side).
    """
    slices = {name: found[::every] for name, found in load_slices(side).items()}
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(simulate.__code__.co_filename).read_bytes())
    for name in SCANS:
        digest.update(np.ascontiguousarray(slices[name]).tobytes())
    folder = generated_folder("ct") if folder is None else folder
    path = folder / f"pairs_{side}_{variants}_{every}_{digest.hexdigest()[:12]}.npz"
    if not path.exists():
        _keep(path, {name: _simulated(name, slices[name], variants, advance) for name in SCANS})
    with np.load(path) as file:
        return {name: {key: file[f"{name}_{key}"] for key in _KEYS} for name in SCANS}


_KEYS = ("artefact", "clean", "interpolated", "metal")


def _simulated(
    name: str, slices: np.ndarray, variants: int, advance: Callable[[], None] | None
) -> dict[str, np.ndarray]:
    pairs = []
    for index, slice_hu in enumerate(slices):
        for variant in range(variants):
            pairs.append(simulate_pair(name, slice_hu, index, variant))
            if advance is not None:
                advance()
    shape = (len(slices), variants, *slices.shape[1:])
    return {key: np.stack([getattr(pair, key) for pair in pairs]).reshape(shape) for key in _KEYS}


def _keep(path: Path, pairs: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Written under another name first, as several processes may make the same file."""
    unfinished = path.with_suffix(f".{os.getpid()}.npz")
    arrays: dict[str, Any] = {f"{name}_{key}": array for name, found in pairs.items() for key, array in found.items()}
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(path)
