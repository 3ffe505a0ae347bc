"""Weights on waves: which waves each of their entries acts on says how the group moves them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.projectors.projector import Projector
from intertwine.projectors.spectral.laid_out import LaidOutProjector
from intertwine.projectors.spectral.modes import SpectralProjector
from intertwine.projectors.spectral.waves import ModeOrbits, mode_orbits
from intertwine.representations import Representation
from intertwine.tracing.acting import Acting
from intertwine.tracing.axes import Axis, Nested, Wave, bare
from intertwine.tracing.bindings import UntypedError
from intertwine.tracing.normal_form import is_trivial


def has_waves(axis: Axis) -> bool:
    """Whether there are waves on an axis."""
    return any(
        isinstance(factor, Wave) or (isinstance(factor, Nested) and has_waves(factor.axis))
        for term in axis.terms
        for factor in term
    )


@dataclass(frozen=True)
class StoredWaves:
    """The waves that a weight acts on.

    Attributes:
        factors: one a coordinate, the half-stored one last.
        places: which axis of those given each of them is.
    """

    factors: tuple[Wave, ...]
    places: tuple[int, ...]

    @staticmethod
    def on(axes: Sequence[Axis]) -> "StoredWaves":
        """Those on some axes of a weight.

        Raises:
            UntypedError: waves share an axis with others, or a coordinate.
        """
        found: dict[int, Wave] = {}
        for position, axis in enumerate(axes):
            factor = bare(axis)
            if isinstance(factor, Wave) and not factor.moduli:
                found[position] = factor
            elif has_waves(axis):
                raise UntypedError(f"waves are on one axis with others, {axis}")
        places = sorted(found, key=lambda position: (found[position].half, found[position].coordinate))
        factors = tuple(found[position] for position in places)
        if len({wave.coordinate for wave in factors}) < len(factors) or any(wave.half for wave in factors[:-1]):
            raise UntypedError("several of its axes are waves along one coordinate, or halves of real transforms")
        return StoredWaves(factors, tuple(places))

    @property
    def half(self) -> bool:
        """Whether conjugates are left out."""
        return self.factors[-1].half

    @property
    def kind(self) -> tuple[tuple[int, int, bool], ...]:
        """What weights of one layer have in common."""
        return tuple((wave.coordinate, wave.side, wave.half) for wave in self.factors)

    def numbers(self) -> Array:
        """Wave vectors in C order of the weight's axes, shape (entries, coordinates)."""
        order = np.argsort(np.argsort(self.places))  # of the coordinates among the axes
        axes = sorted(range(len(self.places)), key=self.places.__getitem__)
        grid = np.meshgrid(*(np.array(self.factors[i].waves) for i in axes), indexing="ij")
        return np.stack([grid[i].reshape(-1) for i in order], -1)

    def orbits(self, acting: Acting, waves: Array) -> ModeOrbits:
        """How the group moves ``waves``.

        Raises:
            UntypedError: it exchanges these coordinates with others.
        """
        own = [wave.coordinate for wave in self.factors]
        matrices = []
        for g in acting.group.generators:
            moves = acting.moves(g)
            if np.delete(moves[own], own, axis=1).any():
                raise UntypedError("it holds waves along some coordinates only, which the group exchanges with others")
            matrices.append(moves[np.ix_(own, own)])
        return mode_orbits(waves, np.stack(matrices), [wave.side for wave in self.factors], half=self.half)


def spectral_weight(
    acting: Acting, axes: Sequence[Axis], shape: tuple[int, ...], channels: Sequence[Representation], *, pairs: bool
) -> Projector:
    """The projector of a weight with axes of waves, of up to two of channels, and (Re, Im) last if ``pairs``.

    Args:
        acting: how the group turns the pixels.
        axes: of the weight, without (Re, Im).
        shape: of the weight.
        channels: the representations on the axes that are none of waves, in order.
        pairs: whether complex numbers are stored as (Re, Im).

    Raises:
        UntypedError: it has waves that the group takes out of it, or axes that are neither.
    """
    stored = StoredWaves.on(axes)
    kept = list(zip((i for i in range(len(axes)) if i not in stored.places), channels, strict=True))
    if len(kept) > 2:
        kept = [(position, rep) for position, rep in kept if rep.dim > 1 or not is_trivial(rep)]
    if len(kept) > 2:
        raise UntypedError("a weight of waves has more than two axes of channels")
    # In the order of the axes, whatever that of the coordinates.
    own = sorted(stored.places)
    orbits = stored.orbits(acting, stored.numbers())
    first, second = [*(acting.group.trivial() for _ in range(2 - len(kept))), *(rep for _, rep in kept)]
    sides = tuple(shape[position] for position in own)
    inner = SpectralProjector(
        acting.group, first, second, sides, orbits, norm="operator", half=stored.half, pairs=pairs
    )
    order: list[int | None] = [*(None for _ in range(2 - len(kept))), *(position for position, _ in kept), *own]
    order += [len(axes)] if pairs else []
    if order == list(range(len(shape))):
        return inner
    order[:0] = [position for position in range(len(shape)) if position not in order]  # of length 1
    named = dict(kept)
    return LaidOutProjector(inner, shape, order, tuple(named.get(position) for position in range(len(shape))))


def joint_weight(
    acting: Acting, parts: Sequence[Sequence[Axis]], channels: Sequence[Representation], *, pairs: bool
) -> Projector | None:
    """The projector of several weights (in, out, *waves), their waves flattened and side by side.

    None where the group leaves each by itself, so that they are no weight of one layer.

    Raises:
        UntypedError: two of them hold one wave, or as ``spectral_weight``.
    """
    stored = [StoredWaves.on(axes) for axes in parts]
    waves = [one.numbers() for one in stored]
    lost = [len(own) - len(np.unique(one.orbits(acting, own).source)) for one, own in zip(stored, waves, strict=True)]
    if not any(lost):
        return None
    if any(other.kind != stored[0].kind for other in stored[1:]):
        raise UntypedError("weights of one module hold waves of several grids")
    whole = np.concatenate(waves)
    sides = np.array([wave.side for wave in stored[0].factors])
    if len(np.unique(whole % sides, axis=0)) < len(whole):
        raise UntypedError("two weights of one module hold one wave")
    orbits, (first, second) = stored[0].orbits(acting, whole), channels
    return SpectralProjector(
        acting.group, first, second, (len(whole),), orbits, norm="operator", half=stored[0].half, pairs=pairs
    )
