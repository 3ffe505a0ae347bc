"""Layers of e2cnn on plain tensors: what the field's own library puts in the place of ours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

# The method's key, and what tables call it.
E2CNN = "e2cnn"
E2CNN_LABEL = "exactly equivariant, e2cnn"


class SteerableConvolution(nn.Module):
    """e2cnn's ``R2Conv``, ``kappa = sum_i w_i kappa_i`` over a basis of steerable kernels, with a bias.

    In training the kernel is made anew from the weights w at each call; ``eval()`` makes it once and keeps it.

    Shapes: (batch, type_in.size, height, width) -> (batch, type_out.size, height', width').

    Args:
        type_in: an ``e2cnn.nn.FieldType``.
        type_out: another of the same group.
        kernel: pixels along its side.
        padding: pixels of zeros around the image.
        stride: pixels from one place of the kernel to the next.

    Source:
        Weiler and Cesa 2019, arXiv 1911.08251.
    """

    def __init__(self, type_in: Any, type_out: Any, kernel: int, *, padding: int = 0, stride: int = 1) -> None:
        from e2cnn.nn import R2Conv

        super().__init__()
        self.convolution = R2Conv(type_in, type_out, kernel, padding=padding, stride=stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from e2cnn.nn import GeometricTensor

        return self.convolution(GeometricTensor(x, self.convolution.in_type)).tensor


class GatedFields(nn.Module):
    """SiLU on scalars and e2cnn's ``GatedNonLinearity1`` on the other fields: ``sigmoid(s_c - b_c) x_c``.

    Shapes: (batch, type_in.size, height, width) -> (batch, type_in.size - gates, height, width).

    Args:
        gspace: of ``e2cnn.gspaces``.
        scalars: how many.
        gated: representations of e2cnn, one a field.

    Attributes:
        type_in: the scalars, one gate s for each field, and the fields.
        type_out: the scalars and the fields.
    """

    def __init__(self, gspace: Any, scalars: int, gated: list[Any]) -> None:
        from e2cnn.nn import FieldType, GatedNonLinearity1

        super().__init__()
        first, gates = scalars * [gspace.trivial_repr], len(gated) * [gspace.trivial_repr]
        # All scalars side by side, gates among them: R2Conv is faster where fields of a kind are.
        self.type_in, self.type_out = FieldType(gspace, first + gates + gated), FieldType(gspace, first + gated)
        self.scalars = scalars
        self.gate = GatedNonLinearity1(FieldType(gspace, gates + gated))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from e2cnn.nn import GeometricTensor

        gated = self.gate(GeometricTensor(x[:, self.scalars :], self.gate.in_type)).tensor
        return torch.cat([nn.functional.silu(x[:, : self.scalars]), gated], 1)


@contextmanager
def e2cnn_draw(seed: int) -> Iterator[None]:
    """Layers of e2cnn made inside have the library's own initial draw from this seed; torch's global one is left alone.

    Its D4 and SO(2) need ``support_numpy_2``, which is called.
    """
    support_numpy_2()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # It indexes with uint8 where torch wants bool.
        warnings.filterwarnings("ignore", "indexing with dtype torch.uint8", UserWarning)
        torch.manual_seed(seed)
        yield


@cache
def support_numpy_2() -> None:
    """Lets e2cnn 0.2.3 run on NumPy 2, which has no ``ndarray.tostring`` and whose ``array(copy=False)`` never copies.

    Both stand in its kernels of D4 and SO(2). The names in its modules are bound to what they meant on NumPy 1, once
    for the process: torch asks for the hashes whenever it walks over a network. No number changes.
    """
    from e2cnn.kernels import irreps_basis, utils

    utils.np = SimpleNamespace(**{**vars(np), "array": _array})
    for kind in vars(irreps_basis).values():
        own = vars(kind).get("__hash__") if isinstance(kind, type) else None
        if own is not None and "tostring" in own.__code__.co_names:
            kind.__hash__ = _hash


def _array(values: Any, *, copy: bool = True) -> np.ndarray:
    """``numpy.array``, in which ``copy=False`` means: only where it has to."""
    return np.array(values) if copy else np.asarray(values)


def _hash(basis: Any) -> int:
    """Of a basis of kernels between two irreps: of what e2cnn compares."""
    return hash((basis.in_irrep, basis.out_irrep, basis.mu.tobytes(), np.asarray(basis.gamma).tobytes()))
