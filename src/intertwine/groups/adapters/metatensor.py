"""metatensor's labels of spherical blocks as irreps of O(3), recognised by duck typing."""

from typing import Any

import numpy as np

from intertwine._arguments import integer
from intertwine.errors import ArgumentError
from intertwine.groups.o3 import O3
from intertwine.representations import Representation, Segment

LAMBDA, SIGMA = "o3_lambda", "o3_sigma"


def is_metatensor(value: Any) -> bool:
    """Whether ``value`` looks like a metatensor ``TensorMap`` or ``Labels``: named columns of whole numbers."""
    return _is_labels(value) or (hasattr(value, "block") and _is_labels(getattr(value, "keys", None)))


def metatensor_representation(value: Any, argument: str) -> Representation:
    """The spherical blocks of a ``TensorMap`` one after the other, or one irrep for each row of ``Labels``.

    A row (o3_lambda, o3_sigma) is the irrep of degree o3_lambda and parity o3_sigma (-1)^o3_lambda, in the order
    o3_mu = -l, ..., l about the polar axis z (the basis ``"z-axis"``). A block of values (samples, 2l+1, properties)
    has the properties innermost.

    Raises:
        ArgumentError: keys without both columns, a sigma that is no sign, a block that is not spherical.
    """
    labels = value if _is_labels(value) else value.keys
    missing = [name for name in (LAMBDA, SIGMA) if name not in labels.names]
    if missing:
        raise ArgumentError(
            argument,
            expected=f"metatensor keys with {LAMBDA} and {SIGMA}",
            got=f"keys of {', '.join(labels.names)}",
            advice="Spherical blocks have both; sigma = 1 is the parity (-1)^l of spherical harmonics.",
        )
    group = O3()
    segments: list[Segment] = []
    for row, (l, sigma) in enumerate(zip(_column(labels, LAMBDA), _column(labels, SIGMA), strict=True)):
        if sigma not in (1, -1):
            raise ArgumentError(f"{argument}: {SIGMA}", expected="1 or -1", got=sigma)
        degree = integer(f"{argument}: {LAMBDA}", l, 0)
        copies = 1 if labels is value else _properties(value.block(row), degree, f"{argument}: block {row}")
        label = f"{degree}{'e' if sigma * (-1) ** degree == 1 else 'o'}"
        segments += group.irreps(f"{copies}x{label}", basis="z-axis", layout="ir_mul").segments
    return Representation(group, tuple(segments))


def _is_labels(value: Any) -> bool:
    return isinstance(getattr(value, "names", None), list | tuple) and hasattr(value, "column")


def _column(labels: Any, name: str) -> list[int]:
    return [int(entry) for entry in np.asarray(labels.column(name))]


def _properties(block: Any, degree: int, argument: str) -> int:
    """How many properties a block has, after checking that its one component axis is o3_mu = -l, ..., l."""
    found = [np.asarray(axis.values).reshape(-1).tolist() for axis in block.components]
    if found != [list(range(-degree, degree + 1))]:
        raise ArgumentError(
            argument,
            expected=f"one component axis o3_mu = {-degree}, ..., {degree}, as {LAMBDA} = {degree} has",
            got=" and ".join(map(str, found)) or "none",
        )
    return len(block.properties)
