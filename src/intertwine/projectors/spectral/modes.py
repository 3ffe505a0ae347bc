"""P on the modes of a Fourier layer whose orbits are stored, conjugates included."""

from typing import Literal

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.errors import DtypeError
from intertwine.groups import Cyclic, DirectProduct, Group
from intertwine.projectors.closed_form import WeightedProjector
from intertwine.projectors.constants import Constants
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.projector import Projector
from intertwine.projectors.spectral.waves import ModeOrbits
from intertwine.projectors.weights import shape_text
from intertwine.representations import Representation
from intertwine.representations.permutation_field import PermutationField

Norm = Literal["operator", "stored"]
NORMS = ("operator", "stored")


class SpectralProjector(WeightedProjector):
    """P on the modes whose orbits are stored: read out to all waves, projected there by orbits, and written back.

    Real fields add the conjugation to the group: P is the projector of ``G * Cyclic(2)`` on (Re, Im) of all waves.
    """

    def __init__(
        self,
        group: Group,
        first: Representation,
        second: Representation,
        sides: tuple[int, ...],
        orbits: ModeOrbits,
        *,
        norm: Norm,
        half: bool,
        pairs: bool,
    ) -> None:
        self._half, self._orbits, self._norm = half, orbits, norm
        self._stored = int(np.prod(sides))
        self._inner = _wave_projector(group, first, second, orbits, half=half)
        self._first, self._second = first, second
        axes = (first, second, *(None for _ in sides))
        method = "orbit" if self._inner is None else self._inner.method
        self._entries = first.dim * second.dim * self._stored
        own = ~orbits.conjugate
        entries = orbits.source[own]
        # A wave is `share` of its entry, so that on an orbit entries are `1 / share` of one and the same number.
        share, counts = orbits.share[orbits.source], orbits.reads[orbits.source]
        self._metric = metric = np.ones(self._stored)
        if norm == "operator":
            if half:
                self._metric = metric = orbits.reads / 2 * orbits.share**2
            before, after = counts**-0.5, orbits.reads[entries] ** 0.5
        else:
            size, squares = np.bincount(orbits.labels), np.bincount(orbits.labels[own], weights=share[own] ** -2)
            before, after = (size / squares)[orbits.labels] / (share * counts), 1 / orbits.share[entries]
        shape, weighted = (first.dim, second.dim, *sides), bool((metric != 1).any())
        super().__init__(group, axes, shape, method, weighted=weighted, pairs=pairs, real_linear=half)
        signs = np.where(orbits.conjugate, -1.0, 1.0)
        self._constants = Constants(
            source=orbits.source,
            before=np.stack([before, before * signs], -1) if half else before,
            own=np.flatnonzero(own),
            entries=entries,
            after=after,
            root=np.sqrt(metric).reshape((*sides, 1) if pairs else sides),
            metric=metric,
            orbit=orbits.labels[own],
            squares=share[own] ** -2,
        )

    @property
    def rank(self) -> int:
        """Dimension of the equivariant subspace: real (out of ``2 numel``) for real signals, else complex."""
        return 0 if self._inner is None else self._inner.rank

    @property
    def chance(self) -> float:
        """Relative residual to expect of i.i.d. complex Gaussian weights, in the norm of P."""
        if not self._entries:
            return 0.0
        if not self._half:
            return float(np.sqrt(max(0.0, 1 - self.rank / self._entries)))
        kept, total = float(self.rank), 2.0 * self._metric.sum() * self._entries / self._stored
        if self.has_own_norm and self._inner is not None:
            # Equivariant weights have one norm at all waves of an orbit, so that entries weigh as their waves count.
            sums = np.bincount(self._orbits.labels, weights=self._metric[self._orbits.source])
            kept = float(self._orbit_ranks() @ (sums / np.bincount(self._orbits.labels)))
        return float(np.sqrt(max(0.0, 1 - kept / total)))

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return self._constants.nbytes + (0 if self._inner is None else self._inner.constant_bytes)

    def basis(self) -> torch.Tensor:
        """Basis of the equivariant subspace, complex128 (float64 for pairs), shape (rank, *shape); for small cases.

        Orthonormal in the norm of P; for real signals over the real numbers, in ``Re <a, b>``.
        """
        shape = [n for n in self.shape if n is not None]
        rows = torch.zeros(self.rank, *(shape[:-1] if self._pairs else shape), dtype=torch.complex128)
        if self._inner is not None:
            rows = self._written(self._inner.basis(), rows)
        # A basis vector lives on one orbit, on which the norms of waves and of entries are proportional.
        rows = rows / torch.linalg.vector_norm(rows.flatten(1), dim=1).reshape(-1, *(1,) * (rows.ndim - 1))
        return self._from_coordinates(torch.view_as_real(rows) if self._pairs else rows)

    def _complex_formula(self, W: torch.Tensor) -> torch.Tensor:
        if self._inner is None:
            return torch.zeros_like(W)
        get = self._constants.get
        flat = W.reshape(W.shape[0], W.shape[1], self._stored)
        waves = flat.index_select(2, get("source", W))
        if self._half:
            pairs = torch.view_as_real(waves)
            waves = (pairs * get("before", pairs)).flatten(2)
        else:
            waves = waves * get("before", W)
        return self._written(self._inner.checked_map(waves, projected=True)(waves), W)

    def _written(self, waves: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """Waves (..., in, out, n) put back as stored entries of the shape of ``like``."""
        get = self._constants.get
        if self._half:
            waves = torch.view_as_complex(waves.unflatten(-1, (-1, 2)).contiguous())
        own = waves.index_select(-1, get("own", waves)) * get("after", waves)
        out = torch.zeros(*own.shape[:-1], self._stored, dtype=own.dtype, device=own.device)
        return out.index_copy(-1, get("entries", own), own).reshape(like.shape)

    def _root_of(self, like: torch.Tensor) -> torch.Tensor:
        return self._constants.get("root", like)

    def _metric_of(self, like: torch.Tensor) -> torch.Tensor:
        return self._constants.get("metric", like).reshape(self._constants.get("root", like).shape)

    def _nearest(self, W: torch.Tensor, metric: torch.Tensor) -> torch.Tensor:
        # On an orbit all entries of an equivariant tensor have one norm, up to their share, so that another metric
        # weighs entries before their mean is taken and leaves all else of P as it is.
        entries, orbit = (self._constants.get(name, metric) for name in ("entries", "orbit"))
        old, new = (m.reshape(-1).index_select(0, entries) for m in (self._metric_of(metric), metric))
        both = torch.stack([old, new]) * self._constants.get("squares", metric)
        sums = new.new_zeros(2, len(entries)).index_add_(1, orbit, both)
        weights = (new / old) * (sums[0] / sums[1]).index_select(0, orbit)
        shaped = torch.ones_like(metric).reshape(-1).index_copy(0, entries, weights).reshape(metric.shape)
        return self.project(W * shaped)

    def _orbit_ranks(self) -> Array:
        """The rank that each orbit of waves contributes, by characters, shape (orbits,)."""
        if self._inner is None:
            return np.zeros(0)
        first, second, modes = (rep for rep in self._inner.axes if rep is not None)
        elements = modes.group.element_matrices()
        images, signs = modes.segments[0].field.signed_permutations(elements)  # type: ignore[misc]
        fixed = (images == np.arange(modes.dim)) * signs
        labels = np.repeat(self._orbits.labels, 2)
        traces = np.stack([np.bincount(labels, weights=row) for row in fixed])
        channels = first.character_values(elements) * second.character_values(elements)
        return np.rint(np.mean(traces * channels[:, None], axis=0))

    def check(self, W: torch.Tensor) -> None:
        super().check(W)
        if self._pairs and W.is_complex():
            raise DtypeError("W", expected="a real tensor with (Re, Im) last, as pairs=True says", got=str(W.dtype))
        if not self._pairs and not W.is_complex():
            raise DtypeError(
                "W",
                expected="a complex tensor, as Fourier layers store",
                got=str(W.dtype),
                advice="Say pairs=True for weights stored with (Re, Im) last.",
            )

    def __repr__(self) -> str:
        rank = f"real rank {self.rank} of {2 * self._entries}" if self._half else f"rank {self.rank} of {self._entries}"
        return (
            f"SpectralProjector({self.group}, {self._first} and {self._second}, shape {shape_text(self.shape)}, "
            f"{rank}, method={self.method!r}, norm={self._norm!r})"
        )


def _wave_projector(
    group: Group, first: Representation, second: Representation, orbits: ModeOrbits, *, half: bool
) -> Projector | None:
    """The projector on all waves that live: (in, out, waves), with (Re, Im) innermost for real signals."""
    count = len(orbits.source)
    if not count:
        return None
    if not half:
        modes = PermutationField.of(group, f"waves[{count}]", orbits.images, size=count)
        return tensor_projector((first, second, Representation.of(modes)))
    product = DirectProduct(group, Cyclic(2))
    pairs = (2 * orbits.images[..., None] + np.arange(2)).reshape(len(orbits.images), -1)
    signs = np.ones_like(pairs)
    signs[-1, 1::2] = -1
    modes = PermutationField.of(product, f"waves[{count}]", pairs, signs, size=2 * count)
    return tensor_projector((product.lift(first, which=0), product.lift(second, which=0), Representation.of(modes)))
