"""The networks on volumes, what carries which representation in them, and the group of each."""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn

from experiments.medical3d.data import stream
from experiments.medical3d.layers import AtVoxels, FieldBatchNorm, ResidualBlock
from experiments.medical3d.network import TypedNetwork
from intertwine.binding import bind
from intertwine.errors import UnknownNameError, listing
from intertwine.groups import SO, Group, O, Octahedral
from intertwine.nn import Gate
from intertwine.representations import Representation

# The last feature map has this side before it is averaged; sides halve until then.
LAST_SIDE = 4


@dataclass(frozen=True)
class Architecture:
    """One kind of network.

    Attributes:
        group: the group that types it.
        kind: ``"regular"``, ``"gated"`` or ``"dense"``.
        text: what it is, for the notes.
    """

    group: Group
    kind: str
    text: str


_GATED = "irreps l <= 2, gates, one batch norm a field; kernels are sampled steerable ones, so P is not exact"
_DENSE = "the paper's dense residual network: channels typed as irreps, pointwise ELU, per-channel BatchNorm"
ARCHITECTURES = {
    "octahedral regular": Architecture(Octahedral(), "regular", "regular fields (24 channels each), ReLU, field norms"),
    "SO(3) gated": Architecture(SO(3), "gated", _GATED),
    "O(3) gated": Architecture(O(3), "gated", _GATED),
    "SO(3) dense": Architecture(SO(3), "dense", _DENSE),
    "O(3) dense": Architecture(O(3), "dense", _DENSE),
}


def typed_network(name: str, classes: int, side: int, width: int, seed: int) -> TypedNetwork:
    """One of ``ARCHITECTURES`` with torch's own initialisation, the same for every method of a seed.

    Sides halve down to 4 with strides that keep the centre of the grid (kernels of 4 for an even side, 3 for an odd
    one). ``width`` scales all layers:

    * regular: ``width`` fields, then ``2 width``, in the last layer ``8 width``: so many invariants has an exact one;
    * gated: ``4 width x 0 + 2 width x 1 + width x 2``, behind the last convolution ``16 width`` scalars alone, all that
      an invariant linear head can read;
    * dense: the same irreps in all layers.

    Args:
        name: a key of ``ARCHITECTURES``.
        classes: how many logits.
        side: of the volumes.
        width: at least 1.
        seed: of the weights.

    Raises:
        UnknownNameError: no such architecture.
    """
    if name not in ARCHITECTURES:
        raise UnknownNameError("condition", expected=f"one of {listing(ARCHITECTURES)}", got=repr(name))
    architecture = ARCHITECTURES[name]
    builder = _Builder(architecture.group)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "weights").initial_seed())
        {"regular": _regular, "gated": _gated, "dense": _dense}[architecture.kind](builder, side, width)
        return builder.finished(classes)


class _Builder:
    """Layers and their types, in order."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.trivial: Representation = group.trivial()
        self.rep = self.trivial
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.types: dict[str, object] = {}
        self.channels: dict[str, Representation] = {}
        self.number = 0

    def add(self, name: str, layer: nn.Module, rep: Representation) -> None:
        """A layer without typed weights that leaves volumes with ``rep`` on their channels."""
        self.layers[name], self.channels[name], self.rep = layer, rep, rep

    def convolution(self, rep: Representation, kernel: int, padding: int) -> None:
        """A convolution with stride 2 to ``rep``."""
        self.number += 1
        layer = nn.Conv3d(self.rep.dim, rep.dim, kernel, stride=2, padding=padding, bias=False)
        self.types[f"conv{self.number}"] = (self.rep, rep)
        self.add(f"conv{self.number}", layer, rep)

    def field_norm(self) -> None:
        """A batch norm of whole fields."""
        name, norm = f"norm{self.number}", FieldBatchNorm(self.rep)
        self.types |= norm.types(name)
        self.add(name, norm, self.rep)

    def finished(self, classes: int) -> TypedNetwork:
        """With the average over voxels and a linear head."""
        pooled = self.rep
        self.layers["average"] = nn.AdaptiveAvgPool3d(1)
        self.layers["pooled"] = nn.Flatten()
        self.layers["head"] = nn.Linear(pooled.dim, classes)
        self.types["head"] = (pooled, classes * self.trivial)
        model = nn.Sequential(self.layers)
        return TypedNetwork(model, bind(model, self.types), self.group, self.channels, pooled, classes)


def halvings(side: int) -> list[tuple[int, int]]:
    """Kernel and padding of the strides of 2 that take ``side`` to ``LAST_SIDE`` and keep the centre.

    Examples:
        >>> halvings(28)  # 28, 14, 7, 4
        [(4, 1), (4, 1), (3, 1)]
    """
    found = []
    while side > LAST_SIDE:
        kernel = 3 if side % 2 else 4
        found.append((kernel, 1))
        side = (side + 2 - kernel) // 2 + 1
    return found


def _regular(builder: _Builder, side: int, width: int) -> None:
    regular: Representation = builder.group.regular()
    steps = [*halvings(side), (2, 0)]
    for i, (kernel, padding) in enumerate(steps):
        fields = 8 if i == len(steps) - 1 else 1 if i == 0 else 2
        builder.convolution(fields * width * regular, kernel, padding)
        builder.field_norm()
        builder.add(f"act{builder.number}", nn.ReLU(), builder.rep)


def _gated(builder: _Builder, side: int, width: int) -> None:
    for kernel, padding in halvings(side):
        gate = Gate(_irreps(builder.group, width))
        builder.convolution(gate.rep_in, kernel, padding)
        builder.field_norm()
        builder.add(f"act{builder.number}", AtVoxels(gate), gate.rep_out)
    builder.convolution(16 * width * builder.trivial, 2, 0)
    builder.field_norm()
    builder.add(f"act{builder.number}", nn.SiLU(), builder.rep)


def _dense(builder: _Builder, side: int, width: int) -> None:
    irreps = _irreps(builder.group, width)
    for i, (kernel, padding) in enumerate(halvings(side)):
        if i == 0:
            builder.convolution(irreps, kernel, padding)
            builder.add("norm1", nn.BatchNorm3d(irreps.dim), irreps)
            builder.add("act1", nn.ELU(), irreps)
        else:
            name, rep_in = f"block{i + 1}", builder.rep
            builder.add(name, ResidualBlock(rep_in.dim, irreps.dim, side), irreps)
            builder.types |= {f"{name}.conv1": (rep_in, irreps), f"{name}.conv2": (irreps, irreps)}
            builder.types[f"{name}.skip"] = (rep_in, irreps)
            del builder.channels[name]
            inside = ("conv1", "norm1", "act1", "conv2", "norm2", "skip", "act2")
            builder.channels |= {f"{name}.{part}": irreps for part in inside}
        side = (side + 2 - kernel) // 2 + 1


def _irreps(group: Group, width: int) -> Representation:
    """Fields of degree 0, 1, 2; for O(3) with the parity of a harmonic."""
    labels = ("0e", "1o", "2e") if group == O(3) else ("0", "1", "2")
    terms = " + ".join(f"{mul * width}x{label}" for mul, label in zip((4, 2, 1), labels, strict=True))
    rep: Representation = group.irreps(terms)
    return rep
