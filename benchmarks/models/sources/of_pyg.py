"""Networks of PyTorch Geometric on molecules, point clouds and graphs with features in space."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case
from benchmarks.models.molecules import edges, molecule, nearest, radius_graph, triplets

# Layers on graphs whose nodes have two vectors; layers of points have positions beside.
GRAPHS: dict[str, dict[str, Any]] = {
    "GCNConv": {},
    "SAGEConv": {},
    "GraphConv": {},
    "GATConv": {"heads": 2, "concat": False},
    "GATv2Conv": {"heads": 2, "concat": False},
    "TransformerConv": {"heads": 2, "concat": False},
    "SuperGATConv": {"heads": 2, "concat": False},
    "ChebConv": {"K": 2},
    "TAGConv": {"K": 2},
    "ARMAConv": {},
    "SGConv": {"K": 2},
    "ClusterGCNConv": {},
    "MFConv": {},
    "FeaStConv": {"heads": 2},
    "LEConv": {},
    "GENConv": {},
    "ResGatedGraphConv": {},
    "FiLMConv": {},
    "EGConv": {"num_heads": 4, "num_bases": 2},
    "GeneralConv": {},
}


def cases() -> list[Case]:
    """Molecules under O(3), graphs with vectors at their nodes under the octahedral group with reflections."""
    import torch_geometric
    from torch_geometric.nn.models import dimenet, gnnff, visnet

    # The compiled searches of neighbours are not installed: their answers do not depend on how they are found.
    for module in (dimenet, gnnff, visnet):
        module.radius_graph = radius_graph
    for module in (dimenet, gnnff):
        module.triplets = triplets
    source = f"torch_geometric {torch_geometric.__version__}"
    numbers, positions = molecule()
    near = nearest(positions, 3)
    O3, vector = iw.O(3), iw.O(3).irreps("1o")
    atoms, batch = (numbers, positions), torch.zeros_like(numbers)
    found = [
        Case("SchNet, given graph", source, lambda: _schnet(edges(positions)), (None, vector), None, atoms, "8 atoms"),
        Case("SchNet", source, lambda: _schnet(None), (None, vector), None, atoms, "8 atoms"),
        Case("SchNet, dipole", source, lambda: _schnet(None, dipole=True), (None, vector), None, atoms, "8 atoms"),
        Case("DimeNet", source, lambda: _dimenet("DimeNet"), (None, vector), None, atoms, "8 atoms"),
        Case("DimeNet++", source, lambda: _dimenet("DimeNetPlusPlus"), (None, vector), None, atoms, "8 atoms"),
        Case("GNNFF", source, _gnnff, (None, vector), vector, atoms, "8 atoms"),
    ]
    found += [
        Case(
            f"ViSNet, l = {lmax}",
            source,
            lambda lmax=lmax: _visnet(lmax),  # type: ignore[misc]
            (None, vector, None),
            (None, None),
            (*atoms, batch),
            "8 atoms",
        )
        for lmax in (1, 2)
    ]
    points: dict[str, Callable[[], nn.Module]] = {
        "PointNetConv": lambda: _point("PointNetConv", lambda width: (_mlp(8 + 3, width), _mlp(width, width))),
        "PointTransformerConv": lambda: _point("PointTransformerConv", lambda width: (8, width)),
        "PointGNNConv": lambda: _point("PointGNNConv", lambda width: (_mlp(8, 3), _mlp(8 + 3, 8), _mlp(8, 8))),
    }
    for group in (O3, iw.Octahedral(reflections=True)):
        rep_in = (None, group.standard(), None)
        example = (torch.randn(8, 8), positions, near)
        found += [
            Case(name, source, make, rep_in, None, example, f"8 points, {group}") for name, make in points.items()
        ]
    normals = (torch.randn(8, 8), positions, nn.functional.normalize(torch.randn(8, 3)), near)
    found.append(Case("PPFConv", source, _ppf, (None, vector, vector, None), None, normals, "8 points"))
    group = iw.Octahedral(reflections=True)
    features = (torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), near)
    found += [
        Case(
            name,
            source,
            lambda name=name, options=options: _graph(name, options),  # type: ignore[misc]
            (2 * group.standard(), None),
            None,
            features,
            "8 nodes",
        )
        for name, options in {**GRAPHS, "GINConv": {}, "EdgeConv": {}, "NNConv": {}, "GPSConv": {}}.items()
    ]
    return found


def _seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return make().eval()


def _schnet(graph: torch.Tensor | None, *, dipole: bool = False) -> nn.Module:
    from torch_geometric.nn import SchNet

    def interactions(positions: torch.Tensor, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = radius_graph(positions, 5.0) if graph is None else graph
        return found, (positions[found[0]] - positions[found[1]]).norm(dim=-1)

    return _seeded(
        lambda: SchNet(
            hidden_channels=16,
            num_filters=16,
            num_interactions=2,
            num_gaussians=8,
            interaction_graph=interactions,
            dipole=dipole,
        )
    )


def _dimenet(name: str) -> nn.Module:
    import torch_geometric.nn

    own = {"num_bilinear": 4} if name == "DimeNet" else {"int_emb_size": 8, "basis_emb_size": 4, "out_emb_channels": 8}
    options = {"num_spherical": 3, "num_radial": 4, "output_initializer": "glorot_orthogonal", **own}
    return _seeded(lambda: getattr(torch_geometric.nn, name)(16, 1, num_blocks=2, **options))


def _gnnff() -> nn.Module:
    from torch_geometric.nn import GNNFF

    return _seeded(lambda: GNNFF(16, 16, num_layers=2))


def _visnet(lmax: int) -> nn.Module:
    from torch_geometric.nn import ViSNet

    return _seeded(lambda: ViSNet(lmax=lmax, num_heads=2, num_layers=2, hidden_channels=16, num_rbf=8, vertex=True))


def _mlp(width_in: int, width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width_in, 24), nn.ReLU(), nn.Linear(24, width))


class Points(nn.Module):
    """A layer of points, and a linear readout of its mean."""

    def __init__(self, conv: nn.Module, width: int) -> None:
        super().__init__()
        self.conv = conv
        self.readout = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor, positions: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        """Features (points, 8) and positions (points, 3) to one number."""
        found: torch.Tensor = self.readout(self.conv(x, positions, edge_index)).mean(0)
        return found


def _point(name: str, arguments: Callable[[int], tuple[Any, ...]]) -> nn.Module:
    import torch_geometric.nn

    width = 8 if name == "PointGNNConv" else 24
    # With seed 0 the projected biases of PointNetConv put every ReLU to sleep.
    return _seeded(lambda: Points(getattr(torch_geometric.nn, name)(*arguments(width)), width), seed=1)


def _ppf() -> nn.Module:
    from torch_geometric.nn import PPFConv

    return _seeded(lambda: PPFConv(_mlp(8 + 4, 24), _mlp(24, 24)))


class Graph(nn.Module):
    """Two layers on a graph with a pointwise function between, and a linear readout of each node."""

    def __init__(self, one: nn.Module, two: nn.Module, width: int) -> None:
        super().__init__()
        self.one, self.two = one, two
        self.readout = nn.Linear(width, 2, bias=False)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        """Features (nodes, width) to (nodes, 2)."""
        x = torch.relu(self.one(x, edge_index))
        found: torch.Tensor = self.readout(torch.relu(self.two(x, edge_index)))
        return found


def _graph(name: str, options: dict[str, Any]) -> nn.Module:
    import torch_geometric.nn

    kind, width = getattr(torch_geometric.nn, name), 48

    def layer(width_in: int) -> nn.Module:
        if name == "GINConv":
            made: nn.Module = kind(_mlp(width_in, width))
        elif name == "EdgeConv":
            made = kind(_mlp(2 * width_in, width))
        elif name == "GPSConv":
            lift = nn.Linear(width_in, width)
            made = _Lifted(lift, kind(width, torch_geometric.nn.GCNConv(width, width), heads=2))
        elif name == "NNConv":
            made = _Offsets(kind(width_in, width, _mlp(1, width_in * width)))
        else:
            made = kind(width_in, width, **options)
        return made

    return _seeded(lambda: Graph(layer(6), layer(width), width))


class _Lifted(nn.Module):
    def __init__(self, lift: nn.Module, conv: nn.Module) -> None:
        super().__init__()
        self.lift, self.conv = lift, conv

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.conv(self.lift(x), edge_index)
        return found


class _Offsets(nn.Module):
    """Attributes of edges: how far the features at their ends are apart."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        apart = (x[edge_index[0]] - x[edge_index[1]]).norm(dim=-1, keepdim=True)
        found: torch.Tensor = self.conv(x, edge_index, apart)
        return found
