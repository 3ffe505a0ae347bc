"""Splits of simulated pairs that hold a whole scan out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from experiments.ct.data import SCANS, load_pairs
from experiments.ct.purposes import stream
from intertwine.errors import ArgumentError, UnknownNameError, listing

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
