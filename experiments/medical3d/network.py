"""A network on volumes with its types: what methods work on, and how far it is from equivariant."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from experiments.medical3d.rotation import turn_volume, turn_voxels, turning_rate, volume_action
from intertwine.baselines import Subject, leave, no_motion
from intertwine.binding import Binding
from intertwine.diagnostics import Breaker, EquivarianceError, equivariance_error, first_breaker, on_grid
from intertwine.groups import SO, Group, O, Octahedral
from intertwine.representations import Representation

# Random elements in ``rotation_error``.
ROTATIONS = 8


@dataclass(frozen=True, eq=False)
class TypedNetwork:
    """A network with its types.

    Attributes:
        model: volumes (batch, 1, side, side, side) -> logits (batch, classes).
        binding: its weights.
        group: the group.
        channels: by the name of a layer with volumes as output, how the group acts on their channels.
        pooled: the representation of the features behind the average over voxels, the layer ``pooled``.
        classes: how many logits.
    """

    model: nn.Sequential
    binding: Binding
    group: Group
    channels: Mapping[str, Representation]
    pooled: Representation
    classes: int

    @property
    def pixel_group(self) -> Group:
        """The elements of the group that map voxels onto voxels: rotations of the cube, with mirrors for O(3)."""
        return Octahedral(reflections=True) if self.group == O(3) else Octahedral()

    def subject(self) -> Subject:
        """For the baselines: volumes turn, logits stay; the one hidden site is behind the average over voxels."""
        lie = not self.group.is_finite
        return Subject(
            self.model,
            self.binding,
            self.group,
            act_in=volume_action(self.group),
            act_out=leave,
            hidden={"pooled": self.pooled.act},
            lie_in=turning_rate if lie else None,
            lie_out=no_motion if lie else None,
        )

    def error(self, x: torch.Tensor, model: nn.Module | None = None) -> EquivarianceError:
        """Equivariance error of the network (or of another one) under all elements that map voxels onto voxels."""
        function = self.model if model is None else model
        return equivariance_error(function, turn_voxels, leave, x, group=self.pixel_group)

    def rotation_error(
        self, x: torch.Tensor, model: nn.Module | None = None, num_samples: int = 8
    ) -> EquivarianceError:
        """The same under random elements of SO(3) or O(3), volumes interpolated: a floor of interpolation is in it.

        The elements are the same at every call. For the octahedral group it is asked how far its network goes beyond.
        """
        group = SO(3) if self.group.is_finite else self.group
        generator = torch.Generator().manual_seed(0)
        function = self.model if model is None else model
        return equivariance_error(
            function, turn_volume, leave, x, group=group, num_samples=ROTATIONS, generator=generator
        )

    def breaker(self, x: torch.Tensor) -> Breaker | None:
        """The first layer behind which the network is not equivariant under what maps voxels onto voxels."""
        G = self.pixel_group
        reps = {name: on_grid(_restricted(rep, G)) for name, rep in self.channels.items()}
        trivial = G.trivial()
        ends: dict[str, object] = {"pooled": _restricted(self.pooled, G), "head": self.classes * trivial}
        return first_breaker(self.model, reps | ends, on_grid(trivial), x)

    def with_model(self, model: nn.Sequential) -> "TypedNetwork":
        """The same types on another network of the same structure."""
        return replace(self, model=model, binding=replace(self.binding, model=model))


def _restricted(rep: Representation, group: Group) -> Representation:
    return rep if rep.group == group else rep.restrict(group)
