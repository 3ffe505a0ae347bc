"""Translations: dense layers between grids become circulant or Toeplitz."""

from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
import torch

from intertwine._arguments import check_choice, check_sides, integer
from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.groups import Cyclic, DirectProduct, Group
from intertwine.projectors.closed_form import ClosedFormProjector
from intertwine.projectors.constants import Constants
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.projector import Projector
from intertwine.representations import Representation
from intertwine.representations.permutation_field import PermutationField

Boundary = Literal["periodic", "bounded"]
# The orbit method holds two indices per pair of pixels; above this many pixels the Fourier transform takes over.
ORBIT_PIXELS = 1024


@dataclass(frozen=True)
class TorusField(PermutationField):
    """The pixels of a periodic grid under its translations.

    Args:
        sides: of the grid.
    """

    sides: tuple[int, ...] = ()

    def steps(self, element: Array) -> tuple[int, ...]:
        """By how many pixels an element (d, d) shifts each axis, without listing the group."""
        group, rest, steps = self.group, element[None], list[int]()
        while isinstance(group, DirectProduct):
            rest, last = group.factor_elements(rest)
            steps.insert(0, int(group.second.element_indices(last)[0]))
            group = group.first
        return int(group.element_indices(rest)[0]), *steps


def torus(*sides: int) -> Representation:
    """The pixels of a periodic grid under its translations, flattened in C order: ``(rho(g) f)(x) = f(x - g)``.

    The group is ``Cyclic(n_1) * ... * Cyclic(n_d)``, whose regular representation this is: each generator rolls one
    axis by one pixel.

    Raises:
        ArgumentError: no sides, or not positive integers.

    Source:
        Own.

    Examples:
        >>> import intertwine as iw, torch
        >>> rep = iw.torus(2, 3)
        >>> rep, rep.group
        (Representation(C2 * C3: torus[2x3]), C2 * C3)
        >>> rep.act(rep.group.generators[1], torch.arange(6.0)).tolist()
        [2.0, 0.0, 1.0, 5.0, 3.0, 4.0]
    """
    checked = check_sides("sides", sides)
    group = translations(checked)
    pixels = np.arange(int(np.prod(checked))).reshape(checked)
    # rho(g) e_x = e_(x + g): the pixel at x goes to where a roll back by one finds it.
    images = [np.roll(pixels, -1, axis).reshape(-1) for axis, side in enumerate(checked) if side > 1]
    label = f"torus[{'x'.join(map(str, checked))}]"
    permutations = tuple(tuple(image.tolist()) for image in images)
    field = TorusField(group, label, permutations, size=pixels.size, sides=tuple(checked))
    return Representation.of(field)


def translation_projector(
    channels_in: int,
    channels_out: int,
    grid: tuple[int, ...],
    *,
    boundary: Boundary = "periodic",
    method: Literal["orbit", "fft"] | None = None,
) -> Projector:
    """The projector on convolutions among dense layers, weights (channels_out * pixels, channels_in * pixels).

    Features are flattened images, channel by channel, as ``x.flatten(1)`` of (batch, channels, H, W) gives. Equivariant
    weights depend on differences of positions alone, ``W[(o, x), (i, y)] = k[o, i](x - y)``, and P takes the mean over
    the pairs (x, y) of each difference.

    * ``"periodic"``: differences modulo the grid, circulant blocks, the group average over all translations; by orbits,
      or (the default above 1024 pixels) by the Fourier transform, in which P keeps the diagonal.
    * ``"bounded"``: plain differences, Toeplitz blocks, each diagonal with its own mean. A shift leaves a bounded grid,
      so there is no action: ``exact`` is False, while ``W = P W`` is a convolution with zero padding all the same. With
      ``grid=(scales,)`` this is the truncated scale axis of a scale-equivariant layer, whose shifts are scalings.

    Args:
        channels_in: number of input channels.
        channels_out: number of output channels.
        grid: sides of the grid.
        boundary: what happens at its edge.
        method: None for the cheaper one; ``"fft"`` is for periodic grids.

    Raises:
        ArgumentError: sizes that are no positive integers, an unknown boundary or method.

    Source:
        Own; circulant matrices are the convolutions on a torus, Serre 1977, "Linear representations of finite
        groups", 6.1 for cyclic groups.

    Examples:
        >>> import intertwine as iw, torch
        >>> W = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
        >>> iw.translation_projector(1, 1, (3,)).project(W).tolist()
        [[5.0, 5.0, 5.0], [5.0, 5.0, 5.0], [5.0, 5.0, 5.0]]
        >>> iw.translation_projector(1, 1, (3,), boundary="bounded").project(W).tolist()
        [[5.0, 4.0, 3.0], [6.0, 5.0, 4.0], [7.0, 6.0, 5.0]]
    """
    sides = check_sides("grid", grid)
    sizes = integer("channels_in", channels_in, 1), integer("channels_out", channels_out, 1)
    check_choice("boundary", boundary, ("periodic", "bounded"))
    check_choice("method", method, (None, "orbit", "fft"))
    if method is not None and boundary == "bounded":
        raise ArgumentError("method", expected="'orbit', 'fft' or None, and None for bounded grids", got=repr(method))
    pixels = int(np.prod(sides))
    if boundary == "bounded":
        return ToeplitzProjector(*sizes, sides)
    if method == "fft" or (method is None and pixels > ORBIT_PIXELS):
        return CirculantProjector(*sizes, sides)
    rep = torus(*sides)
    return tensor_projector((sizes[1] * rep, (sizes[0] * rep).dual()))


class _GridProjector(ClosedFormProjector):
    """Dense weights seen as (out, in, pixel out, pixel in)."""

    def __init__(self, channels_in: int, channels_out: int, sides: tuple[int, ...], method: str, reason: str) -> None:
        self.sides, self.pixels = sides, int(np.prod(sides))
        self._channels = (channels_out, channels_in)
        rep = torus(*sides)
        axes = (None, None) if reason else (channels_out * rep, channels_in * rep)
        shape = (channels_out * self.pixels, channels_in * self.pixels)
        super().__init__(rep.group, axes, tuple((n,) for n in shape), method, reason=reason)

    def _split(self, W: torch.Tensor) -> torch.Tensor:
        return W.unflatten(1, (-1, self.pixels)).unflatten(0, (-1, self.pixels)).permute(0, 2, 1, 3)

    def _dense(self, pairs: torch.Tensor) -> torch.Tensor:
        return pairs.permute(0, 2, 1, 3).reshape(self._channels[0] * self.pixels, self._channels[1] * self.pixels)

    def basis(self) -> torch.Tensor:
        """Orthonormal basis of the equivariant subspace, float64, shape (rank, *shape); for small cases."""
        labels, counts = _differences(self.sides, periodic=self.method == "fft")
        kernels = torch.from_numpy(
            (labels[None] == np.arange(len(counts))[:, None, None]) / np.sqrt(counts)[:, None, None]
        )
        out = torch.zeros(self.rank, *self._channels, self.pixels, self.pixels, dtype=torch.float64)
        for i in range(self._channels[0]):
            for j in range(self._channels[1]):
                start = (i * self._channels[1] + j) * len(counts)
                out[start : start + len(counts), i, j] = kernels
        return torch.stack([self._dense(row) for row in out])


class CirculantProjector(_GridProjector):
    """Periodic translations by the Fourier transform: ``F W F^-1`` with all but its diagonal set to zero."""

    def __init__(self, channels_in: int, channels_out: int, sides: tuple[int, ...]) -> None:
        super().__init__(channels_in, channels_out, sides, "fft", "")

    @property
    def rank(self) -> int:
        """Dimension of the equivariant subspace."""
        return self._channels[0] * self._channels[1] * self.pixels

    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        pairs = self._split(W)
        rows, columns = (range(2, 2 + len(self.sides)), range(2 + len(self.sides), 2 + 2 * len(self.sides)))
        grid = pairs.reshape(*pairs.shape[:2], *self.sides, *self.sides)
        spectrum = torch.fft.ifftn(torch.fft.fftn(grid, dim=tuple(rows)), dim=tuple(columns))
        spectrum = spectrum.reshape(pairs.shape)
        diagonal = torch.diag_embed(torch.diagonal(spectrum, dim1=2, dim2=3)).reshape(grid.shape)
        back = torch.fft.fftn(torch.fft.ifftn(diagonal, dim=tuple(rows)), dim=tuple(columns)).reshape(pairs.shape)
        return self._dense(back if W.is_complex() else back.real)


class ToeplitzProjector(_GridProjector):
    """Bounded translations: the mean over all pairs of pixels with the same difference."""

    def __init__(self, channels_in: int, channels_out: int, sides: tuple[int, ...]) -> None:
        reason = "shifts leave a bounded grid: Toeplitz matrices are not the fixed space of a group"
        super().__init__(channels_in, channels_out, sides, "orbit", reason)
        labels, counts = _differences(sides, periodic=False)
        self._count = len(counts)
        self._constants = Constants(labels=labels.reshape(-1), counts=counts.astype(np.float64))

    @property
    def rank(self) -> int:
        """Dimension of the space of convolutions."""
        return self._channels[0] * self._channels[1] * self._count

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return self._constants.nbytes

    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        pairs = self._split(W)
        flat = pairs.flatten(2)
        labels, counts = self._constants.get("labels", W), self._constants.get("counts", W)
        sums = flat.new_zeros(*flat.shape[:2], self._count).index_add(2, labels, flat)
        return self._dense((sums / counts).index_select(2, labels).reshape(pairs.shape))


def _differences(sides: tuple[int, ...], *, periodic: bool) -> tuple[Array, Array]:
    """The label of the difference of each pair of pixels, shape (pixels, pixels), and how many pairs have each."""
    points = np.stack(np.meshgrid(*(np.arange(n) for n in sides), indexing="ij"), -1).reshape(-1, len(sides))
    difference = points[:, None] - points[None]
    lengths = np.array(sides)
    difference = difference % lengths if periodic else difference + lengths - 1
    labels = np.ravel_multi_index(np.moveaxis(difference, -1, 0), tuple(lengths if periodic else 2 * lengths - 1))
    return labels, np.bincount(labels.reshape(-1))


def translations(sides: tuple[int, ...] | list[int]) -> Group:
    """The product of one cyclic group a side; sides of 1 have no generator."""
    cyclic: list[Group] = [Cyclic(n) for n in sides]
    return reduce(DirectProduct, cyclic)


def permuting(group: Group, label: str, images: list[Array], size: int) -> Representation:
    """The permutation of ``size`` basis vectors with these images, one array a generator."""
    return Representation.of(PermutationField.of(group, label, images, size=size))
