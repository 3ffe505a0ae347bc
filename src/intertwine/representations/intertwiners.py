"""Equivariant maps between two fields, from generators: constraints, Hom spaces, the commutant of an irrep."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array, nullspace
from intertwine.representations.derived import dual_field
from intertwine.representations.field import Field


def fixed_constraints(fields: Sequence[Field]) -> Array:
    """Rows ``C`` with ``C v = 0`` iff the tensor v in ``V_1 (x) ... (x) V_k``, flattened, is fixed by the group.

    One block of rows a discrete generator, ``rho_1(g) (x) ... (x) rho_k(g) - 1``, and one a Lie algebra element,
    ``sum_i 1 (x) ... (x) drho_i(X) (x) ... (x) 1`` (Finzi et al. 2021, equation 5).
    """
    dims = [field.dim for field in fields]
    size = int(np.prod(dims))
    rows = [np.zeros((0, size))]
    images = [field.generator_images() for field in fields]
    rows += [reduce(np.kron, matrices) - np.eye(size) for matrices in zip(*images, strict=True)]
    algebras = [field.algebra() for field in fields]
    for k in range(len(algebras[0])):
        total = np.zeros((size, size))
        for axis, algebra in enumerate(algebras):
            before, after = int(np.prod(dims[:axis])), int(np.prod(dims[axis + 1 :]))
            total = total + np.kron(np.kron(np.eye(before), algebra[k]), np.eye(after))
        rows.append(total)
    return np.concatenate(rows)


def homomorphisms(domain: Field, codomain: Field) -> Array:
    """Orthonormal basis of ``Hom_G(domain, codomain)``, shape (b, codomain.dim, domain.dim)."""
    constraints = fixed_constraints((codomain, dual_field(domain)))
    basis = nullspace(constraints, f"Hom({domain.name}, {codomain.name})")
    return np.ascontiguousarray(basis.T).reshape(-1, codomain.dim, domain.dim)


@cached(256)
def commutant(field: Field) -> Array:
    """Basis of ``End_G`` of a real irrep, shape (c, dim, dim), c = 1, 2 or 4: orthogonal matrices, the identity first.

    This is the division algebra R, C or H of Schur's lemma; ``<C_j, C_k> = dim * delta_jk``.
    """
    dim = field.dim
    identity = np.eye(dim)[None]
    if dim == 1 or (field.irreducible is not None and field.group.commutant_dim(field.irreducible) == 1):
        return identity
    basis = homomorphisms(field, field).reshape(-1, dim * dim)
    trace = np.eye(dim).reshape(-1) / np.sqrt(dim)
    # The complement of the identity inside the commutant: an SVD of the basis with the identity taken out.
    rest = basis - np.outer(basis @ trace, trace)
    _, singular, rows = np.linalg.svd(rest, full_matrices=False)
    others = rows[singular > 0.5].reshape(-1, dim, dim) * np.sqrt(dim)
    return np.concatenate([identity, others])
