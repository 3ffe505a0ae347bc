"""As few elements as say of a function that it commutes with the whole group."""

import numpy as np
import torch

from intertwine.groups import Group


def generating_elements(group: Group) -> list[torch.Tensor]:
    """Elements ``g``, float64, that generate a finite group, and a dense subgroup of a Lie group.

    Two random elements of a compact connected group generate a dense subgroup of it, and one of a torus. Discrete
    generators d are taken as ``d h`` with random h beside one more random element: that one and its conjugates by
    ``d h`` are dense in the connected part. So O(3) takes two elements, SO(3) two and SO(2) one.

    Examples:
        >>> import intertwine as iw
        >>> [len(generating_elements(group)) for group in (iw.Dihedral(4), iw.O(3), iw.SO(3), iw.SO(2))]
        [2, 2, 2, 1]
    """
    algebra, discrete = group.lie_algebra, list(group.generators)
    if not len(algebra):
        return discrete
    draws = torch.Generator().manual_seed(0)
    abelian = all(np.allclose(one @ two, two @ one) for one in algebra for two in algebra)
    count = len(discrete) + 1 if discrete or abelian else 2
    weights = torch.randn(count, len(algebra), generator=draws, dtype=torch.float64)
    connected = torch.linalg.matrix_exp(torch.einsum("nk,kij->nij", weights, algebra))
    return [d @ h for d, h in zip(discrete, connected, strict=False)] + list(connected[len(discrete) :])
