"""Volumes of MedMNIST3D: AdrenalMNIST3D is shipped, others come from the user's folder or through ``medmnist``."""

from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from experiments.runs.data_folder import generated_folder, given_data, shipped_data
from experiments.runs.stream import purpose_stream
from intertwine.errors import ArgumentError, UnknownNameError, listing, missing_extra

# Name of each data set, the flag of its file, the class in ``medmnist``, and the number of its classes.
DATASETS = {
    "adrenal": ("adrenalmnist3d", "AdrenalMNIST3D", 2),
    "organ": ("organmnist3d", "OrganMNIST3D", 11),
    "nodule": ("nodulemnist3d", "NoduleMNIST3D", 2),
    "synapse": ("synapsemnist3d", "SynapseMNIST3D", 2),
}
SIDES = (28, 64)
# One stream of random numbers for each purpose, so that a change in one leaves the others alone.
STREAMS = ("split", "weights", "batches", "method", "rotations")
stream = partial(purpose_stream, STREAMS)


@dataclass(frozen=True, eq=False)
class Volumes:
    """One part of the data.

    Attributes:
        x: grey values in [0, 1], shape (count, 1, side, side, side).
        y: labels, shape (count,).
    """

    x: torch.Tensor
    y: torch.Tensor

    def to(self, device: torch.device | str) -> "Volumes":
        """The same on a device."""
        return Volumes(self.x.to(device), self.y.to(device))

    def first(self, count: int) -> "Volumes":
        """The first ``count`` of them."""
        return Volumes(self.x[:count], self.y[:count])


@dataclass(frozen=True, eq=False)
class MedicalSplit:
    """Training, validation and test volumes, disjoint; the test is the official one, whole."""

    training: Volumes
    validation: Volumes
    test: Volumes


def num_classes(dataset: str) -> int:
    """How many classes a data set has.

    Raises:
        UnknownNameError: no such data set.
    """
    if dataset not in DATASETS:
        raise UnknownNameError("dataset", expected=f"one of {listing(DATASETS)}", got=repr(dataset))
    return DATASETS[dataset][2]


def load_medical_split(
    dataset: str, seed: int, *, side: int = 28, pool: int = 1, training: int | None = None
) -> MedicalSplit:
    """The official split, of whose training part a random ``training`` volumes are trained on.

    The rest of the training part joins the official validation part, which alone (98 volumes of AdrenalMNIST3D, 22 of
    them positive) is too small to choose a strength by. With ``training=None`` all is as the official split has it.

    Args:
        dataset: a key of ``DATASETS``.
        seed: of the draw.
        side: of the official files, 28 or 64.
        pool: volumes are averaged over cubes of so many voxels a side; it must divide ``side``, so that turns about the
            centre still map voxels onto voxels.
        training: how many volumes to train on; None for all.

    Raises:
        UnknownNameError: no such data set.
        ArgumentError: no such side, a ``pool`` that does not divide it, or too large a ``training``.
        MissingExtraError: the data are not at hand and ``medmnist``, which downloads them, is not installed.
    """
    num_classes(dataset)
    if side not in SIDES:
        raise ArgumentError("side", expected=f"one of {listing(SIDES)}", got=side)
    if pool < 1 or side % pool:
        raise ArgumentError("pool", expected=f"a divisor of {side}", got=pool)
    parts = _pooled(dataset, side, pool)
    if training is None:
        return MedicalSplit(*parts)
    official, validation, test = parts
    count = len(official.y)
    if not 1 <= training <= count:
        raise ArgumentError("training", expected=f"1 to {count}, the size of the training part, or None", got=training)
    chosen, rest = torch.randperm(count, generator=stream(seed, "split")).split([training, count - training])
    return MedicalSplit(
        Volumes(official.x[chosen], official.y[chosen]),
        Volumes(torch.cat([validation.x, official.x[rest]]), torch.cat([validation.y, official.y[rest]])),
        test,
    )


# The runs of a worker share their volumes.
@lru_cache(maxsize=1)
def _pooled(dataset: str, side: int, pool: int) -> tuple[Volumes, Volumes, Volumes]:
    with np.load(data_file(dataset, side)) as arrays:
        found = [_part(arrays[f"{part}_images"], arrays[f"{part}_labels"], pool) for part in ("train", "val", "test")]
    return found[0], found[1], found[2]


def _part(images: NDArray[Any], labels: NDArray[Any], pool: int) -> Volumes:
    x = torch.from_numpy(images).float()[:, None] / 255
    return Volumes(F.avg_pool3d(x, pool) if pool > 1 else x, torch.from_numpy(labels).flatten().long())


def data_file(dataset: str, side: int = 28) -> Path:
    """The official file of a data set: under the user's folder, shipped, or downloaded by ``medmnist`` and kept.

    In the folder that ``--data`` names it lies as ``medmnist3d/adrenalmnist3d.npz``, with ``_64`` for that side.

    Raises:
        MissingExtraError: it is not at hand, and ``medmnist`` is not installed.
        ArgumentError: ``medmnist`` could not download it.
    """
    flag, class_name, _ = DATASETS[dataset]
    name = f"{flag}.npz" if side == 28 else f"{flag}_{side}.npz"
    given = given_data("medmnist3d", name)
    if given is not None:
        return given
    if dataset == "adrenal" and side == 28:
        return shipped_data(flag, name)
    folder = generated_folder("medmnist3d")
    if not (folder / name).is_file():
        _download(class_name, side, folder)
    return folder / name


def _download(class_name: str, side: int, folder: Path) -> None:
    """Asks ``medmnist`` for a file; it checks the digest."""
    try:
        medmnist = import_module("medmnist")
    except ModuleNotFoundError as error:
        raise missing_extra("medmnist", "medical") from error
    try:
        getattr(medmnist, class_name)(split="train", download=True, root=str(folder), size=side)
    except (RuntimeError, OSError) as error:
        raise ArgumentError(
            "dataset",
            expected=f"{class_name} of side {side}, downloaded by medmnist to {folder}",
            got=str(error).strip()[:200],
            advice="Without internet put the official file into the folder medmnist3d of --data.",
        ) from error
