"""emlp (on JAX): an orthonormal basis from the generators' constraints, one tuple of fields at a time."""

from collections.abc import Callable

import numpy as np

import intertwine as iw
from benchmarks.peers.peer import Case, Peer, Weights


class EMLP(Peer):
    """``(rep >> rep).equivariant_projector()``, a lazy operator on flattened weights."""

    @property
    def name(self) -> str:
        return "emlp"

    @property
    def module(self) -> str:
        return "emlp"

    @property
    def versions(self) -> tuple[str, ...]:
        return ("emlp", "jax", "objax", "numpy", "torch")

    def cases(self, dims: tuple[int, ...]) -> list[Case]:
        import emlp.groups
        from emlp.reps import Scalar, V

        out = []
        for dim in dims:
            cyclic, vectors = dim // 8, dim // 4
            rep = (dim // 8) * iw.Cyclic(8).regular()
            out.append(Case(f"C8 regular, {dim}^2", rep, _builder(lambda n=cyclic: n * V(emlp.groups.Z(8)))))
            text = f"{vectors}x0 + {vectors}x1"
            irreps = _builder(lambda n=vectors: (n * Scalar + n * V)(emlp.groups.SO(3)))
            out.append(Case(f"SO(3) {text}, {dim}^2", iw.SO(3).irreps(text), irreps))
        return out


def _builder(representation: Callable[[], object]) -> Callable[[], Callable[[Weights], Weights]]:
    def build() -> Callable[[Weights], Weights]:
        import jax

        rep = representation()
        operator = (rep >> rep).equivariant_projector()
        apply = jax.jit(lambda W: operator @ W)  # as inside a jitted training step

        def project(weights: Weights) -> Weights:
            # One flattened weight after the other: as columns of one matrix they would have to be transposed first.
            images = [np.asarray(jax.block_until_ready(apply(W.reshape(-1)))) for W in weights]
            return np.stack(images).reshape(weights.shape)

        return project

    return build
