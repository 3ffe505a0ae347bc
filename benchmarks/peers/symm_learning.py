"""symm-learning (on escnn): changes of basis to isotypic components and back."""

from collections.abc import Callable

import numpy as np

import intertwine as iw
from benchmarks.peers.peer import Case, Peer, Weights


class SymmLearning(Peer):
    """``GroupHomomorphismBasis.orthogonal_projection``, its faster ``isotypic_expansion``."""

    @property
    def name(self) -> str:
        return "symm-learning"

    @property
    def module(self) -> str:
        return "symm_learning"

    @property
    def versions(self) -> tuple[str, ...]:
        return ("symm-learning", "escnn", "torch", "numpy")

    def cases(self, dims: tuple[int, ...]) -> list[Case]:
        from escnn import group
        from escnn.group import directsum

        c8, so3 = group.cyclic_group(8), group.so3_group(3)
        out = []
        for dim in dims:
            fields = [c8.regular_representation] * (dim // 8)
            out.append(
                Case(
                    f"C8 regular, {dim}^2", (dim // 8) * iw.Cyclic(8).regular(), _builder(lambda f=fields: directsum(f))
                )
            )
            irreps = [so3.irrep(l) for l in range(4) for _ in range(dim // 16)]
            text = " + ".join(f"{dim // 16}x{l}" for l in range(4))
            out.append(Case(f"SO(3) {text}, {dim}^2", iw.SO(3).irreps(text), _builder(lambda f=irreps: directsum(f))))
        return out


def _builder(representation: Callable[[], object]) -> Callable[[], Callable[[Weights], Weights]]:
    """The representation is theirs to build too, as ours is: escnn finds its change of basis there."""

    def build() -> Callable[[Weights], Weights]:
        import torch
        from symm_learning.representation_theory import GroupHomomorphismBasis

        rep = representation()
        basis = GroupHomomorphismBasis(rep, rep)

        @torch.no_grad()
        def project(weights: Weights) -> Weights:
            return np.stack([basis.orthogonal_projection(torch.from_numpy(W)).numpy() for W in weights])

        return project

    return build
