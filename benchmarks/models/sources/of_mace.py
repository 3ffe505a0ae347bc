"""MACE on a small molecule, with random weights: modules of e3nn in generated TorchScript, and its own contraction."""

from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case
from benchmarks.models.molecules import edges, molecule


def cases() -> list[Case]:
    """Energies, and energies with forces, under O(3) and the octahedral group with reflections."""
    from importlib.metadata import version

    import mace.modules  # sets what its e3nn needs to load constants  # noqa: F401

    numbers, positions = molecule(elements=3)
    graph = edges(positions)
    data = {
        "positions": positions,
        "node_attrs": torch.nn.functional.one_hot(numbers - 1, 3).to(torch.float32),
        "edge_index": graph,
        "shifts": torch.zeros(graph.shape[1], 3),
        "unit_shifts": torch.zeros(graph.shape[1], 3),
        "cell": 20 * torch.eye(3),
        "batch": torch.zeros(len(numbers), dtype=torch.long),
        "ptr": torch.tensor([0, len(numbers)]),
    }
    found = []
    for group in (iw.O(3), iw.Octahedral(reflections=True)):
        vector = group.standard()
        rep_in = ({**dict.fromkeys(data), **dict.fromkeys(("positions", "shifts", "cell"), vector)},)
        for name, options in {
            "MACE": {},
            "MACE, residual first": {"first": "RealAgnosticResidualInteractionBlock"},
            "MACE, order 3": {"correlation": 3},
            "MACE, forces": {"forces": True},
        }.items():
            rep_out = {"energy": None, "forces": vector} if options.get("forces") else {"energy": None}
            found.append(
                Case(
                    name,
                    f"mace-torch {version('mace-torch')}",
                    lambda options=options: Energies(**options).eval(),  # type: ignore[misc]
                    rep_in,
                    rep_out,
                    (data,),
                    f"8 atoms, {group}",
                )
            )
    return found


class Energies(nn.Module):
    """MACE as it is, asked for energies or for energies and forces."""

    def __init__(
        self, *, forces: bool = False, correlation: int = 2, first: str = "RealAgnosticInteractionBlock"
    ) -> None:
        import numpy as np
        from e3nn import o3
        from mace import modules

        super().__init__()
        torch.manual_seed(0)
        self.forces = forces
        self.mace = modules.ScaleShiftMACE(
            r_max=6.0,
            num_bessel=6,
            num_polynomial_cutoff=5,
            max_ell=2,
            interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
            interaction_cls_first=modules.interaction_classes[first],
            num_interactions=2,
            num_elements=3,
            hidden_irreps=o3.Irreps("8x0e + 8x1o"),
            MLP_irreps=o3.Irreps("8x0e"),
            # Beside large constants the rounding of the rest is lost; without any, random energies nearly cancel.
            atomic_energies=np.full(3, 0.01),
            avg_num_neighbors=5.0,
            atomic_numbers=[1, 2, 3],
            correlation=correlation,
            gate=torch.nn.functional.silu,
            radial_MLP=[16, 16],
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, Any]:
        """A batch as MACE has it to energies (and forces)."""
        found = self.mace(data, compute_force=self.forces)
        return {name: found[name] for name in ("energy", "forces")[: 1 + self.forces]}
