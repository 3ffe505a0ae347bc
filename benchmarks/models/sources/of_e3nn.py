"""Networks of e3nn's modules, which know their own irreps, and e3nn's own example networks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models import e3nn_networks as networks
from benchmarks.models.case import Case
from benchmarks.models.molecules import edges, molecule


def cases() -> list[Case]:
    """Under O(3), and where that is said under a subgroup."""
    import e3nn
    from e3nn import o3
    from e3nn.nn.models.v2106.gate_points_networks import NetworkForAGraphWithAttributes, SimpleNetwork

    source = f"e3nn {e3nn.__version__}"
    O3, OH = iw.O(3), iw.Octahedral(reflections=True)
    _, positions = molecule()
    hidden = "8x0e + 4x1o"
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(8, 20, generator=generator)

    def case(name: str, make: Callable[[], nn.Module], rep_in: Any, rep_out: Any, example: Any, size: str = "") -> Case:
        return Case(name, source, lambda: _seeded(make), rep_in, rep_out, example, size or "8 samples")

    rep = O3.irreps(hidden)
    layers = {
        "o3.Linear": lambda: o3.Linear(hidden, hidden, biases=True),
        "Gate": lambda: networks.Gated(hidden),
        "NormActivation": lambda: networks.Normed(hidden),
        "BatchNorm": lambda: networks.Batched(hidden),
        "FullyConnectedTensorProduct": lambda: networks.Squares(hidden),
        "TensorSquare": lambda: networks.Squared(hidden),
        "S2Activation": lambda: networks.OnSphere("0e + 1o + 2e"),
    }
    found = [case(name, make, rep, rep, features) for name, make in layers.items() if name != "S2Activation"]
    sphere = O3.irreps("0e + 1o + 2e")
    found.append(case("S2Activation", layers["S2Activation"], sphere, sphere, features[:, :9]))
    found += [
        case(
            f"NequIP, {group}",
            lambda: networks.NequIP(positions),
            (None, group.standard()),
            (None, group.standard()),
            (torch.arange(8) % 4, positions),
            f"8 atoms, {group}",
        )
        for group in (O3, iw.SO(3), OH)
    ]
    found.append(
        case(
            "transformer of the guide",
            networks.Attention,
            (rep, O3.standard(), None),
            rep,
            (features, positions, edges(positions)),
            "8 points",
        )
    )
    found.append(
        case(
            "SimpleNetwork",
            lambda: SimpleNetwork(
                "3x0e + 2x1o", "4x0e + 1x1o", max_radius=5.0, num_neighbors=5.0, num_nodes=8.0, mul=4, layers=2
            ),
            ({"pos": O3.standard(), "x": O3.irreps("3x0e + 2x1o")},),
            O3.irreps("4x0e + 1x1o"),
            ({"pos": positions, "x": features[:, :9]},),
            "8 points",
        )
    )
    found.append(
        case(
            "NetworkForAGraphWithAttributes",
            lambda: NetworkForAGraphWithAttributes(
                "3x0e + 2x1o",
                "4x0e + 1x1o",
                "1e",
                "3x0o + 1e",
                max_radius=5.0,
                num_neighbors=5.0,
                num_nodes=8.0,
                mul=4,
                layers=2,
            ),
            (
                {
                    "pos": O3.standard(),
                    "edge_index": None,
                    "node_input": O3.irreps("3x0e + 2x1o"),
                    "node_attr": O3.irreps("4x0e + 1x1o"),
                    "edge_attr": O3.irreps("1e"),
                },
            ),
            O3.irreps("3x0o + 1e"),
            (
                {
                    "pos": positions,
                    "edge_index": edges(positions),
                    "node_input": features[:, :9],
                    "node_attr": features[:, 9:16],
                    "edge_attr": torch.randn(edges(positions).shape[1], 3, generator=generator),
                },
            ),
            "8 points",
        )
    )
    found.append(
        case("linear layers of torch between e3nn's", lambda: networks.Mixed(hidden), rep, O3.irreps("1o"), features)
    )
    return found


def _seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make().eval()
