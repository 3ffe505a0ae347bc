"""Record escnn representations, so that the adapter is tested without escnn: writes escnn.npz beside this file.

escnn 1.0.11 needs lie_learn (built against numpy < 2) and py3nj (built with gfortran), so it does not belong into
the environment of the tests. The record was made with Python 3.11, escnn 1.0.11, lie_learn 0.0.2, py3nj 0.2.1, numpy
1.26.4, scipy 1.13.1, scikit-learn 1.1.3, torch 2.13 (CPU), in an environment of its own:

    apt-get install gfortran
    python -m venv /tmp/escnn
    /tmp/escnn/bin/pip install "numpy<2" "scipy<1.14" "scikit-learn<1.2" torch joblib autograd pymanopt
    /tmp/escnn/bin/pip install --no-deps escnn==1.0.11 lie_learn==0.0.2 py3nj==0.2.1
    PYTHONPATH=src /tmp/escnn/bin/python tests/data/record_escnn.py

The file holds, for each case, what escnn's objects answer: attributes, all elements of a finite group, and of a Lie
group the elements that the adapter asks for. The pairs that the tests compare are made without the adapter: how an
escnn element moves the base space (or its standard matrix), and its matrix in the representation. So is the weight of
escnn's own equivariant Linear.
"""

import json
from pathlib import Path

import numpy as np
import torch
from escnn import group, gspaces, nn
from scipy.linalg import block_diag

from intertwine.groups.adapters.notation import as_representation

C4, D4, SO2, O2 = group.cyclic_group(4), group.dihedral_group(4), group.so2_group(3), group.o2_group(3)
SO3, O3, OCTA = group.so3_group(3), group.o3_group(2), group.octa_group()
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def field_type(space, representations):
    """An escnn FieldType on ``space``."""
    return nn.FieldType(space, representations)


def cases():
    """Name -> escnn FieldType or Representation."""
    r4, d4, o2 = gspaces.rot2dOnR2(4), gspaces.flipRot2dOnR2(4), gspaces.flipRot2dOnR2(-1, 2, axis=0.3)
    mirror, so3 = gspaces.flip2dOnR2(), gspaces.rot3dOnR3(2)
    klein = gspaces.no_base_space(group.klein4_group())
    c2, c3 = group.cyclic_group(2), group.cyclic_group(3)
    c3c3, c3d3 = (group.direct_product(c3, G) for G in (c3, group.dihedral_group(3)))
    c2c3c2 = group.direct_product(group.direct_product(c2, c3), c2)
    return {
        "C4 regular": C4.regular_representation,
        "C4 field type": field_type(r4, [r4.regular_repr] * 2 + [r4.trivial_repr, r4.irrep(1)]),
        "D4 irreps": group.directsum(list(D4.irreps())),
        "D4 field type, mirror axis y": field_type(d4, [d4.regular_repr] * 2 + list(d4.fibergroup.irreps())),
        "mirror field type": field_type(mirror, [mirror.regular_repr, mirror.trivial_repr]),
        "SO(2) irreps": group.directsum([SO2.irrep(0), SO2.irrep(2), SO2.irrep(2), SO2.irrep(1)]),
        "SO(2) regular to frequency 2": SO2.bl_regular_representation(2),
        "O(2) irreps": group.directsum(
            [O2.irrep(0, 0), O2.irrep(1, 0), O2.irrep(1, 1), O2.irrep(1, 2), O2.irrep(1, 3)]
        ),
        "O(2) field type, mirror axis 0.3": field_type(o2, [o2.irrep(1, 1), o2.irrep(1, 2), o2.irrep(1, 0)]),
        "SO(3) standard": SO3.standard_representation(),
        "SO(3) irreps": group.directsum([SO3.irrep(i) for i in (0, 1, 3, 2, 1)]),
        "SO(3) regular to degree 1": SO3.bl_regular_representation(1),
        "SO(3) field type": field_type(so3, [so3.irrep(1), so3.irrep(1), so3.irrep(2)]),
        "O(3) standard": O3.standard_representation(),
        "O(3) irreps": group.directsum([O3.irrep(j, i) for j in (0, 1) for i in range(3)]),
        "Octahedral irreps": group.directsum(list(OCTA.irreps())),
        "Octahedral standard": OCTA.standard_representation,
        "Klein4 field type": field_type(klein, [klein.regular_repr, klein.trivial_repr, *klein.fibergroup.irreps()]),
        "C3 X C3 irreps": group.directsum(list(c3c3.irreps())),
        "C3 X D3 regular": c3d3.regular_representation,
        "(C2 X C3) X C2 irreps": group.directsum(list(c2c3c2.irreps())),
    }


def own_elements(fibre):
    """Elements chosen here, as (value, parametrisation)."""
    return {
        "SO(2)": [(0.0, "radians"), (0.4, "radians"), (-2.5, "radians")],
        "O(2)": [((0, 0.4), "radians"), ((1, 0.0), "radians"), ((1, 1.9), "radians")],
        "SO(3)": [(TURN, "MAT"), (TURN @ TURN, "MAT")],
        "O(3)": [((0, TURN), "MAT"), ((1, TURN), "MAT"), ((1, TURN @ TURN), "MAT")],
    }[fibre.name]


def standard(fibre, element):
    """How the element moves the plane or space: in escnn the standard representation, or the first frequency."""
    if fibre.name not in ("SO(2)", "O(2)", "SO(3)", "O(3)", "Octahedral") and hasattr(fibre, "split_element"):
        blocks = [standard(G, e) for G, e in zip((fibre.G1, fibre.G2), fibre.split_element(element), strict=True)]
        return block_diag(*blocks)
    if fibre.name[0] == "C" and fibre.order() == 2:
        return np.asarray(fibre.irrep(1)(element)) * np.eye(2)
    if fibre.name[0] in "CD":
        return np.asarray(fibre.irrep(*((1,) if fibre.name[0] == "C" else (1, 1)))(element))
    known = fibre.standard_representation
    return np.asarray(known(element) if hasattr(known, "irreps") else known()(element))


class Recorder:
    """What one escnn object answers."""

    def __init__(self, value) -> None:
        self.is_field_type = hasattr(value, "gspace")
        self.fibre = value.fibergroup if self.is_field_type else value.group
        self.base = value.gspace.basespace_action if self.is_field_type else None
        self.pieces = list(value.representations) if self.is_field_type else [value]
        self.whole = value.representation if self.is_field_type else value
        self.elements, self.asked = [], []
        if self.fibre.continuous:
            self._listen(value)
        else:
            self.elements = list(self.fibre.elements)
            self.asked = [None] * len(self.elements)

    def _listen(self, value) -> None:
        """Note which elements the adapter builds."""
        original = self.fibre.element

        def element(parameters, parametrisation=None):
            self.asked.append((parameters, parametrisation))
            self.elements.append(original(parameters, parametrisation))
            return self.elements[-1]

        self.fibre.element = element
        as_representation(value)
        del self.fibre.element

    def record(self, arrays, prefix):
        """The header of the case; its matrices go to ``arrays``."""
        ids = list(dict.fromkeys(i for piece in self.pieces for i in piece.irreps))
        unique = {id(piece): piece for piece in self.pieces}
        order = {key: number for number, key in enumerate(unique)}
        for number, piece in enumerate(unique.values()):
            arrays[f"{prefix}.piece{number}"] = np.array([piece(e) for e in self.elements])
            arrays[f"{prefix}.basis{number}"] = np.asarray(piece.change_of_basis)
        for number, i in enumerate(ids):
            irrep = self.fibre.irrep(*i)
            arrays[f"{prefix}.irrep{number}"] = np.array([irrep(e) for e in self.elements])
        if self.base is not None:
            arrays[f"{prefix}.base"] = np.array([self.base(e) for e in self.elements])
        own = (
            list(self.fibre.elements)
            if not self.fibre.continuous
            else [self.fibre.element(*v) for v in own_elements(self.fibre)]
        )
        arrays[f"{prefix}.ours"] = np.array(
            [standard(self.fibre, e) if self.base is None else self.base(e) for e in own]
        )
        arrays[f"{prefix}.theirs"] = np.array([self.whole(e) for e in own])
        # escnn's own equivariant layer between two copies of the field type: weight (float32), number of parameters.
        flat = field_type(gspaces.no_base_space(self.fibre), self.pieces)
        torch.manual_seed(0)
        layer = nn.Linear(flat, flat, bias=False)
        arrays[f"{prefix}.weight"] = layer.expand_parameters()[0].detach().numpy()
        return {
            "field_type": self.is_field_type,
            "parameters": int(layer.basisexpansion.dimension()),
            "group": self.fibre.name,
            "continuous": self.fibre.continuous,
            "asked": [None if a is None else [listed(a[0]), a[1]] for a in self.asked],
            "int": [listed(e.to("int")) for e in self.elements] if "int" in self.fibre.PARAMETRIZATIONS else None,
            "product": product(self.fibre, self.elements),
            "MAT": [listed(e.to("MAT")) for e in self.elements] if self.fibre.name == "Octahedral" else None,
            "generators": None if self.fibre.continuous else [self.elements.index(g) for g in self.fibre.generators],
            "irreps": [list(i) for i in ids],
            "pieces": [
                {"name": p.name, "size": p.size, "irreps": [list(i) for i in p.irreps]} for p in unique.values()
            ],
            "representations": [order[id(piece)] for piece in self.pieces],
        }


def product(fibre, elements):
    """The factors of a direct product, and the positions of each element's parts in them."""
    if fibre.continuous or not hasattr(fibre, "split_element"):
        return None
    parts, factors = list(zip(*map(fibre.split_element, elements), strict=True)), []
    for factor, mine in zip((fibre.G1, fibre.G2), parts, strict=True):
        own = list(factor.elements)
        known = [listed(e.to("int")) for e in own] if "int" in factor.PARAMETRIZATIONS else None
        inner = {"group": factor.name, "continuous": False, "asked": [None] * len(own), "int": known, "MAT": None}
        inner |= {"generators": [own.index(g) for g in factor.generators], "product": product(factor, own)}
        factors.append({"case": inner, "parts": [own.index(e) for e in mine]})
    return factors


def listed(value):
    """Element parameters as JSON."""
    if isinstance(value, tuple):
        return [listed(v) for v in value]
    return (
        value.tolist() if isinstance(value, np.ndarray) else value if isinstance(value, int | float) else float(value)
    )


def main() -> None:
    """Record all cases."""
    arrays, header = (
        {},
        {"escnn": "1.0.11", "lie_learn": "0.0.2", "py3nj": "0.2.1", "numpy": np.__version__, "cases": {}},
    )
    for number, (name, value) in enumerate(cases().items()):
        header["cases"][name] = {"prefix": str(number), **Recorder(value).record(arrays, str(number))}
        print(name, flush=True)
    np.savez_compressed(Path(__file__).with_name("escnn.npz"), header=np.array(json.dumps(header)), **arrays)


if __name__ == "__main__":
    main()
