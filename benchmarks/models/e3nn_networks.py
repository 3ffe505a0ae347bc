"""Small networks of e3nn's modules; the package is imported where they are made."""

from typing import Any

import torch
from torch import nn

from benchmarks.models.molecules import edges


def _gate(irreps: Any) -> nn.Module:
    from e3nn import nn as enn
    from e3nn import o3

    scalars = o3.Irreps([(mul, ir) for mul, ir in o3.Irreps(irreps) if ir.l == 0])
    rest = o3.Irreps([(mul, ir) for mul, ir in o3.Irreps(irreps) if ir.l > 0])
    gates = o3.Irreps(f"{rest.num_irreps}x0e")
    made: nn.Module = enn.Gate(scalars, [torch.nn.functional.silu], gates, [torch.sigmoid], rest)
    return made


class Gated(nn.Module):
    """Linear, gate, linear."""

    def __init__(self, irreps: str) -> None:
        from e3nn import o3

        super().__init__()
        self.gate = _gate(irreps)
        self.one, self.two = o3.Linear(irreps, self.gate.irreps_in), o3.Linear(irreps, irreps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features to features."""
        found: torch.Tensor = self.two(self.gate(self.one(x)))
        return found


class Normed(nn.Module):
    """Linear, a function of norms, linear; the norms themselves beside."""

    def __init__(self, irreps: str) -> None:
        from e3nn import nn as enn
        from e3nn import o3

        super().__init__()
        known = o3.Irreps(irreps)  # both fail on text
        self.act, self.norm = enn.NormActivation(known, torch.tanh, bias=True), o3.Norm(known)
        self.one, self.two = o3.Linear(irreps, irreps), o3.Linear(irreps, irreps)
        self.scale = nn.Linear(self.norm.irreps_out.dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features to features."""
        x = self.one(x)
        found: torch.Tensor = self.two(self.act(x)) * torch.sigmoid(self.scale(self.norm(x)))
        return found


class Batched(nn.Module):
    """Batch norm and dropout, in eval mode."""

    def __init__(self, irreps: str) -> None:
        from e3nn import nn as enn
        from e3nn import o3

        super().__init__()
        self.norm, self.drop = enn.BatchNorm(irreps), enn.Dropout(irreps, 0.1)
        self.linear = o3.Linear(irreps, irreps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features to features."""
        found: torch.Tensor = self.linear(self.drop(self.norm(x)))
        return found


class Squares(nn.Module):
    """The fully connected product of features with themselves."""

    def __init__(self, irreps: str) -> None:
        from e3nn import o3

        super().__init__()
        self.product = o3.FullyConnectedTensorProduct(irreps, irreps, irreps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features to features."""
        found: torch.Tensor = x + self.product(x, x)
        return found


class Squared(nn.Module):
    """All products of features of one sample, and a linear layer of them."""

    def __init__(self, irreps: str) -> None:
        from e3nn import o3

        super().__init__()
        self.square = o3.TensorSquare(irreps)
        self.linear = o3.Linear(self.square.irreps_out, irreps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features to features."""
        found: torch.Tensor = self.linear(self.square(x))
        return found


class OnSphere(nn.Module):
    """A pointwise function on a grid of the sphere: approximately equivariant, by its own documentation."""

    def __init__(self, irreps: str) -> None:
        from e3nn import nn as enn
        from e3nn import o3

        super().__init__()
        self.act = enn.S2Activation(irreps, torch.tanh, 6)
        self.linear = o3.Linear(irreps, irreps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Coefficients to coefficients."""
        found: torch.Tensor = self.act(self.linear(x))
        return found


class Mixed(nn.Module):
    """Layers of torch before and after a gate of e3nn: their types follow from its irreps."""

    def __init__(self, irreps: str) -> None:
        from e3nn import o3

        super().__init__()
        self.gate = _gate(irreps)
        self.one = nn.Linear(o3.Irreps(irreps).dim, self.gate.irreps_in.dim)
        self.two = nn.Linear(o3.Irreps(irreps).dim, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features to a vector."""
        found: torch.Tensor = self.two(self.gate(self.one(x)))
        return found


class Interaction(nn.Module):
    """NequIP's layer: products with harmonics of the edges, weighted by an MLP of their lengths."""

    def __init__(self, irreps_in: Any, irreps_edge: Any, irreps_out: Any) -> None:
        from e3nn import nn as enn
        from e3nn import o3

        super().__init__()
        irreps_in, irreps_edge, irreps_out = map(o3.Irreps, (irreps_in, irreps_edge, irreps_out))
        self.gate = _gate(irreps_out)
        middle, instructions = [], []
        for i, (mul, ir_in) in enumerate(irreps_in):
            for j, (_, ir_edge) in enumerate(irreps_edge):
                for ir in ir_in * ir_edge:
                    if ir in self.gate.irreps_in:
                        instructions.append((i, j, len(middle), "uvu", True))
                        middle.append((mul, ir))
        irreps_middle, order, _ = o3.Irreps(middle).sort()
        instructions = [(i, j, order[k], mode, train) for i, j, k, mode, train in instructions]
        options = {"shared_weights": False, "internal_weights": False}
        self.product = o3.TensorProduct(irreps_in, irreps_edge, irreps_middle, instructions, **options)
        self.radial = enn.FullyConnectedNet([8, 16, self.product.weight_numel], torch.nn.functional.silu)
        self.one = o3.Linear(irreps_in, irreps_in)
        self.two = o3.Linear(irreps_middle.simplify(), self.gate.irreps_in)
        self.skip = o3.FullyConnectedTensorProduct(irreps_in, "4x0e", self.gate.irreps_in)

    def forward(self, x: torch.Tensor, kinds: torch.Tensor, graph: Any, harmonics: Any, radial: Any) -> torch.Tensor:
        """Features of atoms to features of atoms."""
        target, source = graph
        skip = self.skip(x, kinds)
        messages = self.product(self.one(x)[source], harmonics, self.radial(radial))
        x = messages.new_zeros(len(x), messages.shape[1]).index_add(0, target, messages) / len(x) ** 0.5
        found: torch.Tensor = self.gate(self.two(x) + skip)
        return found


class NequIP(nn.Module):
    """Energy and dipole of a molecule, after NequIP."""

    def __init__(self, positions: torch.Tensor) -> None:
        from e3nn import o3

        super().__init__()
        self.edges = edges(positions)
        self.harmonics = o3.SphericalHarmonics("0e + 1o + 2e", normalize=True, normalization="component")
        hidden = "8x0e + 4x1o + 2x2e"
        self.embed = o3.Linear("4x0e", "8x0e")
        self.layers = nn.ModuleList(
            [Interaction("8x0e", "0e + 1o + 2e", hidden), Interaction(hidden, "0e + 1o + 2e", hidden)]
        )
        self.out = o3.Linear(hidden, "0e + 1o")

    def forward(self, species: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Species (atoms,) and positions (atoms, 3) to an energy and a vector."""
        from e3nn.math import soft_one_hot_linspace

        source, target = self.edges
        offsets = positions[source] - positions[target]
        radial = soft_one_hot_linspace(offsets.norm(dim=-1), 0.0, 6.0, 8, basis="smooth_finite", cutoff=True)
        kinds = torch.nn.functional.one_hot(species, 4).to(positions.dtype)
        x = self.embed(kinds)
        for layer in self.layers:
            x = layer(x, kinds, (target, source), self.harmonics(offsets), radial)
        out = self.out(x).sum(0)
        return out[:1], out[1:]


class Attention(nn.Module):
    """The equivariant transformer of e3nn's user guide."""

    def __init__(self) -> None:
        from e3nn import nn as enn
        from e3nn import o3

        super().__init__()
        irreps, key, edge = "8x0e + 4x1o", "8x0e + 4x1o", "0e + 1o"
        self.query = o3.Linear(irreps, key)
        self.keys = o3.FullyConnectedTensorProduct(irreps, edge, key, shared_weights=False)
        self.values = o3.FullyConnectedTensorProduct(irreps, edge, irreps, shared_weights=False)
        self.key_net = enn.FullyConnectedNet([8, 16, self.keys.weight_numel], torch.nn.functional.silu)
        self.value_net = enn.FullyConnectedNet([8, 16, self.values.weight_numel], torch.nn.functional.silu)
        self.dot = o3.FullyConnectedTensorProduct(key, key, "0e")

    def forward(self, x: torch.Tensor, positions: torch.Tensor, graph: torch.Tensor) -> torch.Tensor:
        """Features, positions and edges to features."""
        from e3nn import o3
        from e3nn.math import soft_one_hot_linspace, soft_unit_step

        source, target = graph
        offsets = positions[source] - positions[target]
        lengths = offsets.norm(dim=1)
        radial = soft_one_hot_linspace(lengths, 0.0, 6.0, 8, basis="smooth_finite", cutoff=True) * 8**0.5
        cutoff = soft_unit_step(10 * (1 - lengths / 6.0))
        harmonics = o3.spherical_harmonics([0, 1], offsets, True, normalization="component")
        keys = self.keys(x[source], harmonics, self.key_net(radial))
        values = self.values(x[source], harmonics, self.value_net(radial))
        weights = cutoff[:, None] * self.dot(self.query(x)[target], keys).exp()
        total = weights.new_zeros(len(x), 1).index_add(0, target, weights)
        total = torch.where(total == 0, torch.ones_like(total), total)
        alpha = weights / total[target]
        found: torch.Tensor = torch.zeros_like(x).index_add(0, target, alpha.relu().sqrt() * values)
        return found
