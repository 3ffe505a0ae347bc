"""The gated network on volumes as e3nn builds it: equivariant by its parameters, without types of ours."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from experiments.medical3d.data import stream
from experiments.medical3d.layers import AtVoxels
from experiments.medical3d.model import ARCHITECTURES, halvings
from experiments.medical3d.network import TypedNetwork
from intertwine.binding import Binding
from intertwine.errors import UnknownNameError, listing, missing_extra
from intertwine.groups import Group, O

E3NN, E3NN_LABEL = "e3nn", "exactly equivariant, e3nn"
# Of e3nn's networks on volumes there are those of these conditions.
CONDITIONS = tuple(name for name, architecture in ARCHITECTURES.items() if architecture.kind == "gated")


class VoxelConvolution(nn.Module):
    r"""``kernel(p) = sum_k b_k(|p|) w_k (CG . Y(p))`` on the voxels of a cube, with a stride, and a part at the centre.

    ``b_k`` are as many radial functions as the cube has distances from its centre, so that they tell all of these
    apart; ``Y`` the harmonics of all degrees that lead from an irrep of the input to one of the output. A cube of odd
    side has a voxel at its centre, which gets a linear map of its own.

    Shapes:
        (batch, irreps_in.dim, *voxels) -> (batch, irreps_out.dim, *voxels).

    Args:
        irreps_in: of the channels that come in.
        irreps_out: of those that go out.
        size: voxels along a side of the kernel.
        stride: of the convolution.
        padding: zeros around the volumes.

    Source:
        ``e3nn.nn.models.v2103.voxel_convolution.Convolution``, which has no stride at its centre and, in a cube of four
        voxels, a ball that holds eight of the 64.
    """

    def __init__(self, irreps_in: Any, irreps_out: Any, size: int, stride: int, padding: int) -> None:
        super().__init__()
        from e3nn import o3
        from e3nn.math import soft_one_hot_linspace

        self.stride, self.padding = stride, padding
        axis = torch.arange(size) - (size - 1) / 2
        lattice = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)
        # Squares are quarters of integers: no rounding tells apart what is one distance.
        shells = lattice.square().sum(-1).unique().sqrt()
        shells = shells[shells > 0]
        first, last, number = float(shells[0]), float(shells[-1]), len(shells)
        step = (last - first) / (number - 1) if number > 1 else first
        radial = soft_one_hot_linspace(
            lattice.norm(dim=-1), first - step, last + step, number, basis="smooth_finite", cutoff=True
        )
        irreps_sh = _harmonics(irreps_in, irreps_out)
        self.register_buffer("radial", radial / size**1.5)
        self.register_buffer("angular", o3.spherical_harmonics(irreps_sh, lattice, True, "component"))
        self.product = o3.FullyConnectedTensorProduct(
            irreps_in, irreps_sh, irreps_out, shared_weights=False, compile_left_right=False, compile_right=True
        )
        self.weight = nn.Parameter(torch.randn(number, self.product.weight_numel))
        self.centre = o3.Linear(irreps_in, irreps_out) if size % 2 else None
        self.radial: torch.Tensor
        self.angular: torch.Tensor

    def kernel(self) -> torch.Tensor:
        """Shape (irreps_out.dim, irreps_in.dim, size, size, size); without the part at the centre."""
        pairs: torch.Tensor = self.product.right(self.angular, self.radial @ self.weight)
        return pairs.movedim((-1, -2), (0, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result = F.conv3d(x, self.kernel(), stride=self.stride, padding=self.padding)
        if self.centre is None:
            return result
        # The voxel under the centre of the kernel, for each voxel of the result.
        start, step = self.radial.shape[0] // 2 - self.padding, self.stride
        first, middle, last = (start + step * (n - 1) + 1 for n in result.shape[2:])
        below = x[:, :, start:first:step, start:middle:step, start:last:step]
        at_centre: torch.Tensor = self.centre(below.movedim(1, -1))
        return result + at_centre.movedim(-1, 1)


def e3nn_network(name: str, classes: int, side: int, width: int, seed: int) -> TypedNetwork:
    """The network of ``typed_network`` by the same name, its layers e3nn's: the same kernels, strides and fields.

    Args:
        name: one of ``CONDITIONS``.
        classes: how many logits.
        side: of the volumes.
        width: at least 1.
        seed: of the weights.

    Returns:
        The network, with no typed weight.

    Raises:
        UnknownNameError: e3nn has no such network.
        MissingExtraError: e3nn is not installed.

    Source:
        Geiger and Smidt 2022, "e3nn: Euclidean neural networks", arXiv 2207.09453.
    """
    if name not in CONDITIONS:
        raise UnknownNameError("condition", expected=f"one of {listing(CONDITIONS)}, as it is e3nn's", got=repr(name))
    group = ARCHITECTURES[name].group
    with _without_compilation(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "weights").initial_seed())
        model = nn.Sequential(_layers(group, classes, side, width))
    trivial = group.trivial()
    return TypedNetwork(model, Binding(model, ()), group, {}, 16 * width * trivial, classes)


def _harmonics(irreps_in: Any, irreps_out: Any) -> Any:
    """Degrees up to the sum of the largest two; without mirrors, as in SO(3), all count as even."""
    mirrors = any(ir.p < 0 for _, ir in irreps_in + irreps_out)
    degrees = range(irreps_in.lmax + irreps_out.lmax + 1)
    return type(irreps_in)([(1, (degree, (-1) ** degree if mirrors else 1)) for degree in degrees])


def _layers(group: Group, classes: int, side: int, width: int) -> "OrderedDict[str, nn.Module]":
    from e3nn import o3
    from e3nn.nn import Activation, BatchNorm, Gate

    # Without mirrors every irrep is even.
    parities = (1, -1, 1) if group == O(3) else (1, 1, 1)
    fields = [(mul * width, (degree, p)) for degree, (mul, p) in enumerate(zip((4, 2, 1), parities, strict=True))]
    scalars, gated = o3.Irreps(fields[:1]), o3.Irreps(fields[1:])
    gates = o3.Irreps([(gated.num_irreps, (0, 1))])
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    irreps = o3.Irreps("0e")
    for i, (kernel, padding) in enumerate(halvings(side), 1):
        gate = Gate(scalars, [F.silu], gates, [torch.sigmoid], gated)
        layers[f"conv{i}"] = VoxelConvolution(irreps, gate.irreps_in, kernel, 2, padding)
        layers[f"norm{i}"] = AtVoxels(BatchNorm(gate.irreps_in))
        layers[f"act{i}"] = AtVoxels(gate)
        irreps = gate.irreps_out
    number, invariants = len(halvings(side)) + 1, o3.Irreps([(16 * width, (0, 1))])
    layers[f"conv{number}"] = VoxelConvolution(irreps, invariants, 2, 2, 0)
    layers[f"norm{number}"] = AtVoxels(BatchNorm(invariants))
    layers[f"act{number}"] = AtVoxels(Activation(invariants, [F.silu]))
    layers["average"] = nn.AdaptiveAvgPool3d(1)
    layers["pooled"] = nn.Flatten()
    layers["head"] = o3.Linear(invariants, o3.Irreps([(classes, (0, 1))]), biases=True)
    return layers


@contextmanager
def _without_compilation() -> Iterator[None]:
    """Layers made inside are plain Python: TorchScript is deprecated, and workers would compile anew."""
    try:
        import e3nn
    except ModuleNotFoundError as error:
        raise missing_extra("e3nn", "medical") from error
    before = e3nn.get_optimization_defaults()
    e3nn.set_optimization_defaults(jit_script_fx=False)
    try:
        yield
    finally:
        e3nn.set_optimization_defaults(**before)
