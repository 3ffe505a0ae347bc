"""Where a breaker is planted: the shape of the features there, and which axes the group moves."""

from dataclasses import dataclass

import torch


@dataclass
class Spot:
    """Shape behind the batch, and axes counted from the end.

    Attributes:
        shape: of the features, without the batch.
        moved: axes that the group moves.
        features: the axis of features among these; None if they are left alone.
        pixels: axes of pixels.
        vectors: whether the last axis is a vector's components.
    """

    shape: tuple[int, ...]
    moved: tuple[int, ...]
    features: int | None = -1
    pixels: tuple[int, ...] = ()
    vectors: bool = False

    def along(self, axis: int, values: torch.Tensor) -> torch.Tensor:
        """Values along one axis, to be added or multiplied."""
        shape = [1] * len(self.shape)
        shape[axis] = len(values)
        return values.reshape(shape)
