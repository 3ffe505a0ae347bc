"""Any tuple of fields: the orthonormal basis of one tuple, its copies batched."""

from collections.abc import Sequence

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import Array, nullspace
from intertwine.errors import SizeLimitError
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.method import TupleProjector, copies_first, interleaved
from intertwine.projectors.methods.zero_weight import fixed_by_lie_group
from intertwine.representations.field import Field
from intertwine.representations.intertwiners import fixed_constraints

# Set-up is O(size^3) per distinct tuple of fields: 2000 takes seconds, 10 000 would take hours.
NULLSPACE_LIMIT = 2000
# Of an orthonormal basis in float64.
ROUNDING = 1e-15


class BasisProjector(TupleProjector):
    """``P x = Q Q^* x`` with Q, shape (d_1 ... d_k, rank), the orthonormal basis of one tuple of fields."""

    needs = "a compact group"

    def __init__(self, basis: Array, dims: Sequence[int]) -> None:
        self.dims = tuple(dims)
        # Entries that are zero but for rounding make denormal products in float32, which are ten times slower.
        self._basis = np.where(np.abs(basis) > ROUNDING, basis, 0.0)
        self.constants = Constants(basis=self._basis) if basis.size else Constants()

    @classmethod
    def applies(cls, axes: Sequence[Sequence[Field]], copies: int = 1) -> bool:
        """Whether the group is compact; without that it is the null space of whatever acts."""
        del copies
        return all(field.group.is_compact for axis in axes for field in axis)

    @classmethod
    def of(cls, fields: tuple[Field, ...]) -> "BasisProjector":
        return cls(fixed_basis(fields), [field.dim for field in fields])

    @property
    def rank(self) -> int:
        return int(self._basis.shape[1])

    def project(self, block: torch.Tensor) -> torch.Tensor:
        if self.rank == 0:
            return torch.zeros_like(block)
        basis = self.constants.get("basis", block)
        turned = copies_first(block)
        rows = turned.reshape(-1, basis.shape[0])
        return interleaved(((rows @ basis.conj()) @ basis.T).reshape(turned.shape))

    def basis(self) -> Array:
        return np.ascontiguousarray(self._basis.T).reshape(-1, *self.dims)


@cached(512)
def fixed_basis(fields: tuple[Field, ...]) -> Array:
    """Orthonormal basis, shape (d_1 ... d_k, rank), of the fixed tensors in ``F_1 (x) ... (x) F_k``.

    Raises:
        SizeLimitError: ``d_1 ... d_k`` is above 2000.
    """
    size = int(np.prod([field.dim for field in fields]))
    if size > NULLSPACE_LIMIT:
        names = " x ".join(f"{field.name} ({field.dim})" for field in fields)
        raise SizeLimitError(
            "representation",
            expected=f"one tuple of fields of dimension <= {NULLSPACE_LIMIT} for the null space of {fields[0].group}",
            got=f"{names} = {size}",
            advice="Give it as a sum of smaller fields (rep.decompose() finds irreps), or use a finite subgroup.",
        )
    if fields[0].group.is_compact and len(fields[0].algebra()) and all(field.is_orthogonal for field in fields):
        return fixed_by_lie_group(fields)
    return nullspace(fixed_constraints(fields), "representation")
