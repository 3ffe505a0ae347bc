"""Representations of SchNetPack on a small molecule, with energies, dipoles and forces."""

from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.models.case import Case
from benchmarks.models.molecules import edges, molecule


def cases() -> list[Case]:
    """SchNet, PaiNN, SO3net and FieldSchNet under O(3), or under SO(3) where couplings of both parities meet."""
    import torch.utils.data.dataloader as loader

    if not hasattr(loader, "T_co"):  # its own loader asks torch for this name, which is gone
        loader.T_co = Any  # type: ignore[attr-defined]
    from importlib.metadata import version

    numbers, positions = molecule()
    source, target = edges(positions)
    data = {
        "_atomic_numbers": numbers,
        "_positions": positions,
        "_idx_i": target,
        "_idx_j": source,
        "_offsets": torch.zeros(len(source), 3),
        "_idx_m": torch.zeros_like(numbers),
        "_n_atoms": torch.tensor([len(numbers)]),
        "_cell": torch.zeros(1, 3, 3),
        "_pbc": torch.zeros(3, dtype=torch.bool),
    }
    found = []
    for group in (iw.O(3), iw.SO(3), iw.Octahedral(reflections=True)):
        vector = group.standard()
        rep_in = ({**dict.fromkeys(data), **dict.fromkeys(("_positions", "_offsets", "_cell"), vector)},)
        for name, outputs in {
            "SchNet": {"energy": None},
            "SchNet, forces": {"energy": None, "forces": vector},
            "PaiNN": {"energy": None},
            "PaiNN, dipole": {"energy": None, "dipole_moment": vector},
            "PaiNN, forces": {"energy": None, "forces": vector},
            "SO3net": {"energy": None},
        }.items():
            found.append(
                Case(
                    name,
                    f"schnetpack {version('schnetpack')}",
                    lambda name=name, outputs=outputs: _potential(name.partition(",")[0], tuple(outputs)),  # type: ignore[misc]
                    rep_in,
                    outputs,
                    (data,),
                    f"8 atoms, {group}",
                )
            )
    return found


def _potential(name: str, outputs: tuple[str, ...]) -> nn.Module:
    import schnetpack as spk
    import schnetpack.nn as snn
    from schnetpack import atomistic, representation

    torch.manual_seed(0)
    options: dict[str, Any] = {
        "n_atom_basis": 16,
        "n_interactions": 2,
        "radial_basis": snn.GaussianRBF(n_rbf=8, cutoff=6.0),
        "cutoff_fn": snn.CosineCutoff(6.0),
    }
    if name == "SO3net":
        options["lmax"] = 2
    made = [atomistic.Atomwise(n_in=16, output_key="energy")]
    if "dipole_moment" in outputs:
        made.append(atomistic.DipoleMoment(n_in=16, use_vector_representation=True))
    if "forces" in outputs:
        made.append(atomistic.Forces())
    model: nn.Module = spk.model.NeuralNetworkPotential(
        representation=getattr(representation, name)(**options),
        input_modules=[atomistic.PairwiseDistances()],
        output_modules=made,
    )
    return model.eval()
