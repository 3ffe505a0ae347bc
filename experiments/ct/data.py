"""Slices of three CT scans, simulated pairs of them, and splits that hold a whole scan out."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.ct.purposes import stream
from experiments.ct.simulation import METALS, SimulatedPair, draw_implants, simulate
from experiments.runs.data_folder import generated_folder, required_data, shipped_data
from intertwine.errors import ArgumentError, ShapeError, UnknownNameError, listing


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
# Slices between a validation block and the training slices that are used for neither.
GUARD = 2
# Share of a scan's slices in its validation block.
BLOCK = 0.15
# What a network corrects, by condition: the images that it sees, the one that it starts from first.
INPUTS = {"from LI-MAR": ("interpolated", "artefact"), "from artefacts": ("artefact",)}
# Densities are limited to 0 (air) .. 2 (1000 HU) times that of water: what is seen, asked for and counted.
DENSEST = 2.0


@dataclass(frozen=True, eq=False)
class CtPairs:
    """Simulated pairs as tensors, in densities of water limited to 0 .. 2, ``1 + HU / 1000``; air is 0, as padding is.

    Attributes:
        x: inputs (count, channels, side, side): the images of ``INPUTS``, then the metal's mask.
        y: the clean image (count, 1, side, side); at metal pixels that of the first input, as nothing is asked there.
    """

    x: torch.Tensor
    y: torch.Tensor

    def pick(self, indices: torch.Tensor) -> "CtPairs":
        """Some of the pairs."""
        return CtPairs(self.x[indices], self.y[indices])


@dataclass(frozen=True, eq=False)
class CtSplit:
    """Training and validation pairs of two scans, test pairs of the third, whose name is ``held_out``."""

    training: CtPairs
    validation: CtPairs
    test: CtPairs
    held_out: str


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


def load_ct_split(
    condition: str, seed: int, side: int, training: int, *, variants: int = 2, every: int = 1, test: int = 40
) -> CtSplit:
    """Scan number ``seed % 3`` is the test; the two others give training and validation.

    The validation slices of a scan are a block of neighbours somewhere in it; so many slices as ``GUARD`` on both sides
    of the block are left out. Training pairs are drawn from what remains.

    Args:
        condition: a key of ``INPUTS``.
        seed: of scan, blocks and draw.
        side: of the images.
        training: pairs to train on, as many as there are if fewer.
        variants, every: as in ``load_pairs``.
        test: pairs to test on, spread evenly over the scan.

    Raises:
        UnknownNameError: no such condition.
        ArgumentError: no training pairs asked for, or too few slices.
    """
    if condition not in INPUTS:
        raise UnknownNameError("condition", expected=f"one of {listing(INPUTS)}", got=repr(condition))
    if training < 1 or test < 1:
        raise ArgumentError("training, test", expected="numbers of pairs >= 1", got=(training, test))
    pairs = load_pairs(side, variants, every)
    names = list(SCANS)
    held_out = names[seed % len(names)]
    generator = stream(seed, "split")
    parts: dict[str, list[CtPairs]] = {"training": [], "validation": []}
    for name in names:
        if name == held_out:
            continue
        count = len(pairs[name]["clean"])
        for part, indices in zip(parts, split_slices(count, generator), strict=True):
            parts[part].append(as_pairs(pairs[name], indices, INPUTS[condition]))
    found = {part: _joined(several) for part, several in parts.items()}
    drawn = torch.randperm(len(found["training"].x), generator=generator)[:training]
    tests = as_pairs(pairs[held_out], np.arange(len(pairs[held_out]["clean"])), INPUTS[condition])
    spread = torch.from_numpy(np.unique(np.linspace(0, len(tests.x) - 1, test).astype(int)))
    return CtSplit(found["training"].pick(drawn), found["validation"], tests.pick(spread), held_out)


def split_slices(count: int, generator: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation slices of a scan: a block somewhere, and all but it and its neighbours.

    Raises:
        ArgumentError: nothing would be left to train on.

    Examples:
        >>> training, validation = split_slices(20, torch.Generator().manual_seed(0))
        >>> len(validation), int(abs(training[:, None] - validation).min()) > GUARD
        (3, True)
    """
    block = max(1, round(BLOCK * count))
    if count < block + 2 * GUARD + 1:
        raise ArgumentError("count", expected=f"at least {block + 2 * GUARD + 1} slices", got=count)
    start = int(torch.randint(count - block + 1, (1,), generator=generator))
    indices = np.arange(count)
    training = indices[(indices < start - GUARD) | (indices >= start + block + GUARD)]
    return training, indices[start : start + block]


def as_pairs(found: Mapping[str, np.ndarray], indices: np.ndarray, inputs: tuple[str, ...]) -> CtPairs:
    """The pairs of some slices of one scan, slice by slice.

    Args:
        found: arrays as ``load_pairs`` gives them for a scan.
        indices: of the slices.
        inputs: names of the images that the network sees.
    """
    images = [_density(found[key][indices]) for key in inputs]
    metal = torch.from_numpy(found["metal"][indices].astype(np.float32)).flatten(0, 1)[:, None]
    return CtPairs(torch.cat([*images, metal], 1), torch.where(metal > 0, images[0], _density(found["clean"][indices])))


def _density(hounsfield: np.ndarray) -> torch.Tensor:
    """Shape (slices, variants, side, side) to (slices * variants, 1, side, side)."""
    return (1 + torch.from_numpy(hounsfield.astype(np.float32) / 1000)).clamp(0, DENSEST).flatten(0, 1)[:, None]


def _joined(several: list[CtPairs]) -> CtPairs:
    return CtPairs(torch.cat([pairs.x for pairs in several]), torch.cat([pairs.y for pairs in several]))
