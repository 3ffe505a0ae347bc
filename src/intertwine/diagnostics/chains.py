"""Which symmetry a weight keeps: its squared norm split along a chain of subgroups."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from intertwine._numerics import TOLERANCES
from intertwine.diagnostics.splits import measured
from intertwine.errors import ArgumentError, GroupMismatchError, ShapeError
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.projector import Projector
from intertwine.representations.embedding import PLANES


@dataclass(frozen=True)
class ChainSplit:
    """``|W|^2`` as a sum along a chain G > H > ... > K: what G keeps, what only H keeps, ..., what no group keeps.

    Attributes:
        groups: names of the groups, the largest first.
        squared_norms: ``|P_G W|^2, |P_H W - P_G W|^2, ..., |W - P_K W|^2``, one more than groups.
        chance: the same for i.i.d. Gaussian W of norm 1: the shares of the dimension.
    """

    groups: tuple[str, ...]
    squared_norms: tuple[float, ...]
    chance: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What each component is: ``"SO(2)"``, ``"C8, not SO(2)"``, ..., ``"not C2"``."""
        steps = [f"{small}, not {large}" for large, small in pairwise(self.groups)]
        return (self.groups[0], *steps, f"not {self.groups[-1]}")

    @property
    def total(self) -> float:
        """``|W|^2``."""
        return sum(self.squared_norms)

    @property
    def shares(self) -> tuple[float, ...]:
        """The components as fractions of ``|W|^2``; all 0 for W = 0."""
        total = self.total
        return tuple(value / total if total else 0.0 for value in self.squared_norms)

    @property
    def relative_residuals(self) -> tuple[float, ...]:
        """``|W - P W| / |W|`` for each group of the chain, falling from the largest group to the smallest."""
        tails = np.cumsum(self.squared_norms[:0:-1])[::-1]
        return tuple(float((tail / self.total) ** 0.5) if self.total else 0.0 for tail in tails)

    def __str__(self) -> str:
        lines = [f"|W|^2 = {self.total:.4g}"]
        for name, value, share, chance in zip(self.names, self.squared_norms, self.shares, self.chance, strict=True):
            lines.append(f"  {name:<24} {value:>11.4g}  {share:6.1%}  (chance {chance:.1%})")
        return "\n".join(lines)


def chain_split(W: torch.Tensor, projectors: Sequence[Projector]) -> ChainSplit:
    """Which symmetry W keeps, along nested groups G > H > ... > K.

    ``|W|^2 = |P_G W|^2 + |P_H W - P_G W|^2 + ... + |W - P_K W|^2``. For H < G every G-equivariant tensor is
    H-equivariant, ``P_G P_H = P_H P_G = P_G``, so the components are orthogonal. The nesting is checked on a random
    tensor and refused if it does not hold; ``subgroup_chain`` builds nested projectors.

    Args:
        W: a tensor of the projectors' common shape.
        projectors: the largest group (smallest rank) first.

    Raises:
        ArgumentError: no projectors, or two neighbours that are not nested.
        ShapeError: W, or the projectors among themselves, differ in shape.
        NonFiniteError: W has NaN or infinity.

    Source:
        Own: for H < G, ``P_G P_H = P_G``, so that the squares add up; the subspaces are those of Finzi, Welling and
        Wilson 2021, arXiv 2104.09459.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.SO(2)
        >>> rep = G.irreps("4x0 + 2x1 + 2x2")
        >>> chain = subgroup_chain(rep, rep, [G, iw.Cyclic(8), iw.Cyclic(4), iw.Cyclic(2)])
        >>> W = chain[2].project(torch.randn(12, 12, generator=torch.Generator().manual_seed(0)))
        >>> split = chain_split(W, chain)
        >>> split.names
        ('SO(2)', 'C8, not SO(2)', 'C4, not C8', 'C2, not C4', 'not C2')
        >>> [share > 1e-3 for share in split.shares]
        [True, False, True, False, False]
    """
    if not isinstance(projectors, Sequence) or not projectors or not all(isinstance(P, Projector) for P in projectors):
        raise ArgumentError(
            "projectors", expected="at least one Projector, the largest group first", got=repr(projectors)[:80]
        )
    for P in projectors[1:]:
        if P.shape != projectors[0].shape:
            raise ShapeError("projectors", expected=f"projectors of one shape, {projectors[0].shape}", got=P.shape)
    wide = measured(W)
    images = [P.project(wide) for P in projectors]
    _check_nested(projectors, wide)
    zero = torch.zeros_like(wide)
    steps = zip([zero, *images], [*images, wide], strict=True)
    numel = max(1, projectors[0].numel)
    ranks = [0, *(P.rank for P in projectors), projectors[0].numel]
    return ChainSplit(
        groups=tuple(str(P.group) for P in projectors),
        squared_norms=tuple(float(torch.linalg.vector_norm(b - a)) ** 2 for a, b in steps),
        chance=tuple((b - a) / numel for a, b in pairwise(ranks)),
    )


def subgroup_chain(
    rep_in: object, rep_out: object | None, groups: Sequence[Group], *, axis: str | None = None
) -> tuple[Projector, ...]:
    """The projectors of a chain of subgroups, by restriction, for ``chain_split``.

    Args:
        rep_in: representation of the inputs, of the first group of the chain.
        rep_out: representation of the outputs; None for a bias on ``rep_in``.
        groups: G, H, ..., K, each a subgroup of the one before, as ``[SO(2), Cyclic(8), Cyclic(4), Cyclic(2)]``.
        axis: ``"x"``, ``"y"`` or ``"z"`` where the chain steps from three dimensions to turns about an axis.

    Raises:
        GroupMismatchError: a group is no subgroup of the one before.
        ArgumentError: an empty chain, or one that does not start at the representations' group.

    Source:
        Own.

    Examples:
        >>> import intertwine as iw
        >>> vector = iw.SO(3).irreps("1")
        >>> [P.rank for P in subgroup_chain(vector, vector, [iw.SO(3), iw.SO(2), iw.Cyclic(2)], axis="z")]
        [1, 3, 5]
    """
    reps = [as_representation(rep_in, "rep_in")]
    if rep_out is not None:
        reps.append(as_representation(rep_out, "rep_out"))
        if reps[1].group != reps[0].group:
            raise GroupMismatchError(
                "rep_out", expected=f"a representation of {reps[0].group}, as rep_in is", got=f"one of {reps[1].group}"
            )
    if not isinstance(groups, Sequence) or not groups or not all(isinstance(group, Group) for group in groups):
        raise ArgumentError("groups", expected="groups, the largest first", got=repr(groups)[:80])
    if groups[0] != reps[0].group:
        raise ArgumentError(
            "groups", expected=f"a chain that starts at {reps[0].group}, the group of rep_in", got=str(groups[0])
        )
    if axis is not None and (not isinstance(axis, str) or axis not in PLANES):
        raise ArgumentError("axis", expected="'x', 'y' or 'z', or None", got=repr(axis)[:80])
    out = []
    for group in groups:
        if group != reps[0].group:
            plane = (group.matrix_dim, reps[0].group.matrix_dim) == (2, 3)
            reps = [rep.restrict(group, axis=axis if plane else None) for rep in reps]
        # A group that leaves nothing fixed is a finding here, and the split shows it: no warning.
        out.append(tensor_projector((reps[1], reps[0].dual()) if len(reps) == 2 else (reps[0],)))
    return tuple(out)


def _check_nested(projectors: Sequence[Projector], like: torch.Tensor) -> None:
    probe = torch.randn(like.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(
        like.device, like.dtype
    )
    norm = float(torch.linalg.vector_norm(probe))
    for large, small in pairwise(projectors):
        inner, outer = large.project(probe), small.project(probe)
        defect = max(
            float(torch.linalg.vector_norm(large.project(outer) - inner)),
            float(torch.linalg.vector_norm(small.project(inner) - inner)),
        )
        if defect > 100 * TOLERANCES[torch.float64] * max(norm, 1.0):
            raise ArgumentError(
                "projectors",
                expected="nested projectors, the largest group first: P_G P_H = P_H P_G = P_G",
                got=f"{large.group} and {small.group}, whose products differ by {defect / norm:.1e} (relative)",
                advice="Restrict one representation along the chain, as subgroup_chain does.",
            )
