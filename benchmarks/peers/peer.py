"""What the comparison needs of another library."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import intertwine as iw

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """The same projector in both libraries.

    Attributes:
        name: group and representation, in words.
        rep: ours, of inputs and outputs alike.
        build: the peer's: makes its projector, and returns the function that projects a batch of weights (n, dim, dim).
    """

    name: str
    rep: iw.Representation
    build: Callable[[], Callable[[Weights], Weights]]


class Peer(ABC):
    """One library."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As pip knows it."""

    @property
    @abstractmethod
    def module(self) -> str:
        """As Python imports it."""

    @property
    @abstractmethod
    def versions(self) -> tuple[str, ...]:
        """Distributions whose versions the record states."""

    @abstractmethod
    def cases(self, dims: tuple[int, ...]) -> list[Case]:
        """Cases at the given widths."""
