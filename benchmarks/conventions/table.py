"""The table of the guide page, from the record alone."""

from typing import Any

import numpy as np

from benchmarks.conventions.points import DEGREES, turns
from intertwine._numerics import Array
from intertwine.groups.irreps.harmonic_bases import BASES, harmonic_basis
from intertwine.groups.irreps.wigner import wigner_matrices
from intertwine.representations.changed_basis import matching_basis

HEADER = ("package", "version, measured", "l = 1", "order of m", "polar axis", "signs", "norm", "to e3nn", "typing")
# basis -> l = 1, order of m, polar axis, matrix to e3nn, does typing care
TEXTS = {
    "e3nn": ("x, y, z", "-l ... l", "y", "1", "no"),
    "z-axis": ("y, z, x", "-l ... l", "z", "D_l(C)", 'where it meets x, y, z: `basis="z-axis"`'),
    "e3x": ("x, y, z", "l, -l, l-1, ..., 0", "z", "rows of D_l(C)", 'in couplings: `basis="e3x"`'),
}
NORMS = {
    "1": lambda l: 1.0,
    "sqrt(2l+1)": lambda l: np.sqrt(2 * l + 1),
    "sqrt((2l+1)/4π)": lambda l: np.sqrt((2 * l + 1) / (4 * np.pi)),
}
EXACT = 1e-6  # some packages keep float32 constants


def markdown(record: dict[str, Any]) -> str:
    """The table, one row a package."""
    rows = [HEADER, ("---",) * len(HEADER), *(row(name, entry, record["e3nn"]) for name, entry in record.items())]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def row(name: str, entry: dict[str, Any], reference: dict[str, Any]) -> tuple[str, ...]:
    """One row: what the measured matrices are."""
    changes, norm = measured_basis(entry, reference)
    basis, signs = known_basis(changes, signed="harmonics" in entry)
    first, order, axis, matrix, care = TEXTS.get(basis, ("?", "?", "?", "another", "give the matrices by hand"))
    return name, f"{entry['version']}, {entry['date']}", first, order, axis, signs, norm, matrix, care


def measured_basis(entry: dict[str, Any], reference: dict[str, Any]) -> tuple[list[Array], str]:
    """Q for each degree, ``Y = s Q Y_e3nn`` or ``D = Q D_e3nn Q^T``, and what s makes of the norm."""
    if "matrices" in entry:
        ours = [wigner_matrices(l, turns()) for l in DEGREES]
        theirs = [np.asarray(m) for m in entry["matrices"]]
        return [matching_basis(a, b, f"l = {l}") for l, a, b in zip(DEGREES, ours, theirs, strict=True)], "-"
    changes, norms = [], []
    for theirs, ours in zip(entry["harmonics"], reference["harmonics"], strict=True):
        Y, Y0 = np.asarray(theirs), np.asarray(ours)
        norms.append(float(np.linalg.norm(Y, axis=1).mean()))
        Y, Y0 = (y / np.linalg.norm(y, axis=1, keepdims=True) for y in (Y, Y0))
        Q = np.linalg.lstsq(Y0, Y, rcond=None)[0].T
        if np.abs(Y - Y0 @ Q.T).max() > EXACT or np.abs(Q @ Q.T - np.eye(len(Q))).max() > EXACT:
            raise ValueError("harmonics that are no orthogonal change of e3nn's")
        changes.append(Q)
    known = [text for text, value in NORMS.items() if all(abs(value(l) - norms[l]) < 1e-6 for l in DEGREES)]
    return changes, known[0] if known else "another"


def known_basis(changes: list[Array], *, signed: bool) -> tuple[str, str]:
    """The name of the basis that these matrices are, and the signs by degree; matrices of turns show no signs."""
    for name in BASES:
        expected = [harmonic_basis(name, l) for l in DEGREES]
        signs = [np.sign(np.sum(a * b)) for a, b in zip(changes, expected, strict=True)]
        if all(np.abs(a - s * b).max() < EXACT for a, b, s in zip(changes, expected, signs, strict=True)):
            text = "all +" if min(signs) > 0 else " ".join("+" if s > 0 else "-" for s in signs)
            return name, text if signed else "-"
    return "another", "-"
