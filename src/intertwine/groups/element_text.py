"""A group element in words: which turn, mirror, shift or permutation it is."""

import re

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.groups.fields.signed_permutations import cycles
from intertwine.groups.group import DirectProduct
from intertwine.representations import AbstractGroup, Representation
from intertwine.representations.field import block_permutation

# Matrices larger than this are named by their size alone.
PRINTED_SIZE = 6


def element_text(g: torch.Tensor, group: AbstractGroup | None = None) -> str:
    """What the defining matrix ``g``, shape (d, d), does, in a few words.

    Plane and space rotations are named by angle and axis, mirrors by what they reverse, permutation matrices by
    their cycles (on 0 .. d - 1) or as a shift, with the points whose sign they change; pairs of a direct product part
    by part; other matrices are printed.

    Args:
        g: the element.
        group: its group, to take pairs of a product apart, and to tell turns of space from permutations of points.

    Examples:
        >>> import torch
        >>> element_text(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))
        'turn by 90 degrees'
        >>> element_text(torch.tensor([[-1.0, 0.0], [0.0, 1.0]]))
        'mirror x -> -x'
        >>> element_text(torch.eye(4)[[1, 0, 3, 2]])
        'permutation (0 1)(2 3)'
        >>> import intertwine as iw
        >>> cycle = torch.eye(3)[[2, 0, 1]]
        >>> element_text(cycle, iw.Symmetric(3)), element_text(cycle, iw.Tetrahedral())
        ('shift by 1', 'turn by 120 degrees about (0.577, 0.577, 0.577)')
    """
    matrix = g.detach().cpu().numpy().astype(np.float64)
    size = len(matrix)
    if size == 0 or np.abs(matrix - np.eye(size)).max() < 1e-9:
        return "the identity"
    if isinstance(group, DirectProduct):
        parts = (torch.from_numpy(part[0]) for part in group.factor_elements(matrix[None]))
        return f"({', '.join(element_text(part, factor) for part, factor in zip(parts, group.factors, strict=True))})"
    signed = block_permutation(matrix[None])
    # Three points that are exchanged without signs are named by their cycles, unless the group does other things too.
    points = size > 2 and signed is not None and not (signed[1] < 0).any() and _permutes(group)
    if size <= 3 and not points and np.abs(matrix.T @ matrix - np.eye(size)).max() < 1e-6:
        return (_line, _plane, _space)[size - 1](matrix)
    if signed is not None:
        return _permutation(signed[0][0], signed[1][0])
    return f"a {size} x {size} matrix" if size > PRINTED_SIZE else str(np.round(matrix, 4).tolist())


def action_text(g: torch.Tensor, rep: Representation) -> str:
    """What ``g`` does to features of ``rep``: of fields that permute, such as left and right joints, what goes where.

    A group of order two has one element besides the identity whatever it stands for; what it is called is what the
    representation makes of it. Other fields (irreps, pixels) are moved as ``element_text`` says.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(2)
        >>> action_text(G.generators[0], G.permutation([[1, 0, 2]], signs=[[1, 1, -1]]))
        'permutation (0 1), signs of 2'
        >>> action_text(G.generators[0], G.standard())
        'turn by 180 degrees'
        >>> rep = iw.torus(4, 6)
        >>> action_text(rep.group.generators[1], rep)
        'shift by (0, 1)'
    """
    names = {segment.field.name.partition("[")[0] for segment in rep.segments}
    if names not in ({"torus"}, {"permutation"}):
        return element_text(g, rep.group)
    matrix, texts = g.detach().cpu().double().numpy()[None], []
    for segment in rep.segments:
        signed = block_permutation(segment.field.matrices(matrix))
        if signed is None:
            return element_text(g, rep.group)
        if names == {"torus"}:
            sides = [int(side) for side in re.findall(r"\d+", segment.field.name)]
            texts.append(
                f"shift by ({', '.join(str(int(step)) for step in np.unravel_index(int(signed[0][0, 0]), sides))})"
            )
        else:
            texts.append(_permutation(signed[0][0], signed[1][0]))
    return "; ".join(dict.fromkeys(texts))


def space_text(space: Representation) -> str:
    """How a group moves the points of space, by its generators: what the pixels of a convolution do.

    Examples:
        >>> import intertwine as iw
        >>> space_text(iw.Dihedral(4).standard())
        'turn by 90 degrees, mirror y -> -y'
        >>> space_text(iw.Cyclic(2).standard()), space_text(2 * iw.Cyclic(2).trivial())
        ('turn by 180 degrees', 'stays as it is')
    """
    field = space.as_field()
    moves = [f"turns of {space.group}"] if np.any(field.algebra()) else []
    images = (torch.from_numpy(image.copy()) for image in field.generator_images())
    moves += [text for text in map(element_text, images) if text != "the identity"]
    return ", ".join(dict.fromkeys(moves)) or "stays as it is"


def _permutes(group: AbstractGroup | None) -> bool:
    """Whether a group does nothing but exchange points, as far as is known."""
    if group is None:
        return True
    signed = block_permutation(group.generator_matrices())
    return len(group.algebra_matrices()) == 0 and signed is not None and not (signed[1] < 0).any()


def _line(matrix: Array) -> str:
    return "mirror x -> -x"


def _plane(matrix: Array) -> str:
    angle = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    if np.linalg.det(matrix) > 0:
        return f"turn by {_degrees(angle % 360)}"
    line = round((angle / 2) % 180, 2) % 180
    if line in (0, 90):
        return "mirror y -> -y" if line == 0 else "mirror x -> -x"
    return f"mirror in the line at {_degrees(line)}"


def _space(matrix: Array) -> str:
    improper = np.linalg.det(matrix) < 0
    rotation = -matrix if improper else matrix
    angle = float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))
    if angle < 1e-6:
        return "the inversion"
    # The axis is the eigenvector of eigenvalue 1, its sign taken from the antisymmetric part below a half turn.
    values, vectors = np.linalg.eigh((rotation + rotation.T) / 2)
    axis = vectors[:, int(values.argmax())]
    skew = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    if axis @ skew < 0 or (np.abs(skew).max() < 1e-9 and axis[np.abs(axis).argmax()] < 0):
        axis = -axis
    about = ", ".join(f"{entry + 0.0:.3g}" for entry in np.round(axis, 6))
    if improper and abs(angle - 180) < 1e-6:
        main = int(np.abs(axis).argmax())
        if abs(axis[main]) > 1 - 1e-9:
            return f"mirror {'xyz'[main]} -> -{'xyz'[main]}"
        return f"mirror in the plane across ({about})"
    return f"{'inversion and turn' if improper else 'turn'} by {_degrees(angle)} about ({about})"


def _degrees(angle: float) -> str:
    return f"{round(angle, 2):g} degrees"


def _permutation(images: Array, signs: Array) -> str:
    count, step = len(images), int(images[0]) if len(images) else 0
    negated = np.flatnonzero(signs < 0).tolist()
    if (images == np.arange(count)).all():
        moved = ""
    elif not negated and 2 * step != count and (images == (np.arange(count) + step) % count).all():
        moved = f"shift by {step}"
    else:
        loops = [" ".join(map(str, cycle)) for cycle in cycles(images) if len(cycle) > 1]
        moved = f"permutation {''.join(f'({loop})' for loop in loops)}"
    if not negated:
        return moved or "the identity"
    changed = "all signs" if len(negated) == count else f"signs of {', '.join(map(str, negated))}"
    return f"{moved}, {changed}" if moved else changed


def generators_text(group: AbstractGroup) -> str:
    """The discrete generators in their order, in words.

    Examples:
        >>> import intertwine as iw
        >>> generators_text(iw.Dihedral(4))
        'turn by 90 degrees, mirror y -> -y'
    """
    return ", ".join(element_text(g, group) for g in group.generators)
