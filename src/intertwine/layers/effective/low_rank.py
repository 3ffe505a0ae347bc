"""LoRA's weights, ``W + s B A``, of linear layers, embeddings and convolutions, and DoRA's."""

from typing import Any, cast

import torch
from torch import nn

from intertwine.layers.effective.adapted import Adapted, active


class LowRank(Adapted):
    """``W + sum of s B A`` over the active adapters; with DoRA's magnitude m each output is scaled to norm m.

    A convolution's A has the whole kernel, and B a pixel of it. Where the base has groups, A still reads all channels,
    so that the sum is the kernel of an ungrouped convolution, zero between the base's groups but for B A.
    """

    def value(self, module: Any) -> torch.Tensor:
        """Dense, in the order in which the base stores it; the norm of DoRA has a gradient too."""
        W = self.base(module)
        names = [name for name in active(module) if name in _factors(module)[0]]
        if not names:
            return dense(W, groups_of(module)) if is_dense(module) else W
        V = start = dense(W, groups_of(module))
        for name in names:
            m, change = _magnitude(module, name), delta(module, name)
            if m is not None:
                n = norms(start + change, module)
                V = V + (m / n - 1) * V + m / n * change
            else:
                V = V + change
        return V

    def written(self, module: Any) -> tuple[torch.Tensor, ...]:
        """The base's weight, and DoRA's magnitudes."""
        found = [magnitude_vector(module, name) for name in active(module)]
        return (*super().written(module), *(m for m in found if m is not None))

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """``W <- V - s B A``, and ``m <- |V|`` for DoRA."""
        vectors = {name: magnitude_vector(module, name) for name in active(module)}
        scaled = [name for name, m in vectors.items() if m is not None]
        if not scaled:
            self.set_base_(module, self.base(module) + grouped(value - self.value(module), groups_of(module)))
            return
        if len(active(module)) > 1:
            raise NotImplementedError("several adapters are active, of which one scales what the others make")
        change, size, m = delta(module, scaled[0]), norms(value, module), cast(torch.Tensor, vectors[scaled[0]])
        # Outputs of norm 0 have no direction: theirs stays, at magnitude 0.
        kept = dense(self.base(module), groups_of(module)) + change
        self.set_base_(module, grouped(torch.where(size > 0, value, kept) - change, groups_of(module)))
        m.copy_(size.reshape(m.shape))

    def disagreement(self, module: Any) -> str:
        """Variants of LoRA other than DoRA."""
        variants = getattr(module, "lora_variant", {})
        others = [name for name in variants if magnitude_vector(module, name) is None]
        return f"a variant of LoRA, {type(variants[others[0]]).__name__}" if others else ""


def is_low_rank(module: Any) -> bool:
    """Whether an adapted layer has LoRA's factors, and nothing between them (AdaLoRA's singular values)."""
    return hasattr(module, "lora_A") and hasattr(module, "scaling") and not hasattr(module, "lora_E")


def groups_of(module: Any) -> int:
    """Of the base's convolution; 1 for all else."""
    return int(getattr(module.base_layer, "groups", 1))


def is_dense(module: Any) -> bool:
    """Whether the weight of a grouped base is said without its groups, which no adapter of LoRA keeps."""
    return groups_of(module) > 1


def delta(module: Any, name: str) -> torch.Tensor:
    """``s B A`` of one adapter, in the order in which the base stores its weight."""
    A, B = factors(module, name)
    rows = dense(B, groups_of(module)).flatten(1)
    found = (rows @ A.flatten(1)).reshape(len(rows), *A.shape[1:])
    return (found.T if outputs_axis(module) else found) * module.scaling[name]


def factors(module: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A (r, in, ...) and B (out, r, ...) of one adapter."""
    A, B = (found[name] for found in _factors(module))
    return (A, B) if isinstance(A, torch.Tensor) else (A.weight, B.weight)


def outputs_axis(module: Any) -> int:
    """1 where the base stores (in, out), as embeddings and transformers' Conv1D do."""
    return int(isinstance(module.base_layer, nn.Embedding) or bool(getattr(module, "fan_in_fan_out", False)))


def magnitude_vector(module: Any, name: str) -> torch.Tensor | None:
    """DoRA's magnitudes of one adapter, as they are stored."""
    found = getattr(module, "lora_magnitude_vector", {})
    return found[name].weight if name in found else None


def norms(V: torch.Tensor, module: Any) -> torch.Tensor:
    """The norm of what makes each output, with axes of length 1 for the rest."""
    axis = outputs_axis(module)
    return torch.linalg.vector_norm(V, dim=[i for i in range(V.ndim) if i != axis], keepdim=True)


def dense(W: torch.Tensor, groups: int) -> torch.Tensor:
    """The kernel (out, in, ...) of a grouped one (out, in / groups, ...): zero between the groups."""
    if groups == 1:
        return W
    found = W.new_zeros(groups, len(W) // groups, groups, *W.shape[1:])
    # (g, out / g, in / g, ...) on the diagonal of the two axes of groups.
    found.diagonal(dim1=0, dim2=2).copy_(W.unflatten(0, (groups, -1)).movedim(0, -1))
    return found.flatten(0, 1).flatten(1, 2)


def grouped(V: torch.Tensor, groups: int) -> torch.Tensor:
    """The blocks inside the groups of a dense kernel, (out, in / groups, ...)."""
    if groups == 1:
        return V
    return torch.cat([part.chunk(groups, 1)[i] for i, part in enumerate(V.chunk(groups))])


def _factors(module: Any) -> tuple[Any, Any]:
    if isinstance(module.base_layer, nn.Embedding):
        return module.lora_embedding_A, module.lora_embedding_B
    return module.lora_A, module.lora_B


def _magnitude(module: Any, name: str) -> torch.Tensor | None:
    m = magnitude_vector(module, name)
    if m is None:
        return None
    ndim, axis = module.base_layer.weight.ndim, outputs_axis(module)
    return m.reshape([-1 if i == axis else 1 for i in range(ndim)])
