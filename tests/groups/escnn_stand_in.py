"""Objects with escnn's attribute names that replay tests/data/escnn.npz.

They are stand-ins, not escnn: what they answer was recorded from escnn 1.0.11 by tests/data/record_escnn.py, and an
element that was not recorded is an error. A change of escnn itself would not be noticed here; run the script for that.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

RECORD = Path(__file__).parents[1] / "data" / "escnn.npz"


@dataclass(frozen=True)
class StandInElement:
    """escnn's GroupElement: a position in the record, and its parameters."""

    index: int
    parameters: Any = field(compare=False)

    def to(self, parametrisation: str) -> Any:
        return self.parameters[parametrisation]


@dataclass
class StandInRepresentation:
    """escnn's Representation."""

    name: str
    group: Any
    size: int
    irreps: list[tuple[int, ...]]
    change_of_basis: np.ndarray
    matrices: np.ndarray

    def __call__(self, element: StandInElement) -> np.ndarray:
        return self.matrices[element.index]


class StandInGroup:
    """escnn's Group: name, continuous, elements, generators, element(value, param), irrep(*id); factors."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.name, self.continuous, self._asked = case["group"], case["continuous"], case["asked"]
        parameters = [
            {key: _tuple(case[key][i]) for key in ("int", "MAT") if case[key]} for i in range(len(self._asked))
        ]
        listed = [StandInElement(i, known) for i, known in enumerate(parameters)]
        self.elements = None if self.continuous else listed
        self.generators = None if self.continuous else [listed[i] for i in case["generators"]]
        self.known_irreps: dict[tuple[int, ...], StandInRepresentation] = {}
        if case.get("product"):
            self.G1, self.G2 = (StandInGroup(factor["case"]) for factor in case["product"])
            pairs = zip(*(factor["parts"] for factor in case["product"]), strict=True)
            pieces = [(self.G1.elements[i], self.G2.elements[j]) for i, j in pairs]
            self.split_element = lambda element: pieces[element.index]

    def element(self, value: Any, param: str) -> StandInElement:
        wanted = _flat(value)
        for index, (recorded, recorded_param) in enumerate(self._asked):
            if recorded_param == param and np.abs(_flat(recorded) - wanted).max() < 1e-9:
                return StandInElement(index, {})
        raise KeyError(f"{param} element {value} of {self.name} was not recorded: run tests/data/record_escnn.py again")

    def irrep(self, *identity: int) -> StandInRepresentation:
        return self.known_irreps[identity]


@dataclass
class StandInSpace:
    """escnn's GSpace."""

    fibergroup: StandInGroup
    basespace_action: StandInRepresentation | None


@dataclass
class StandInFieldType:
    """escnn's FieldType."""

    gspace: StandInSpace
    representations: list[StandInRepresentation]

    @property
    def fibergroup(self) -> StandInGroup:
        return self.gspace.fibergroup

    @property
    def size(self) -> int:
        return sum(piece.size for piece in self.representations)


@dataclass(frozen=True)
class Replayed:
    """A recorded case.

    ``value`` is the stand-in; ``ours[i]`` says how an escnn element moves the base space (or its standard matrix) and
    ``theirs[i]`` is its image; ``weight`` is that of an escnn Linear between two copies, of ``parameters`` numbers.
    """

    value: StandInFieldType | StandInRepresentation
    ours: np.ndarray
    theirs: np.ndarray
    weight: np.ndarray
    parameters: int


def names() -> list[str]:
    """Names of the recorded cases."""
    with np.load(RECORD) as record:
        return list(json.loads(str(record["header"]))["cases"])


def replay(name: str) -> Replayed:
    """The recorded case ``name``."""
    with np.load(RECORD) as record:
        case = json.loads(str(record["header"]))["cases"][name]
        arrays = {key.partition(".")[2]: record[key] for key in record.files if key.startswith(f"{case['prefix']}.")}
    group = StandInGroup(case)
    for i, identity in enumerate(case["irreps"]):
        matrices = arrays[f"irrep{i}"]
        size = matrices.shape[-1]
        irrep = StandInRepresentation(f"irrep_{identity}", group, size, [_deep(identity)], np.eye(size), matrices)
        group.known_irreps[_deep(identity)] = irrep
    pieces = [
        StandInRepresentation(
            piece["name"],
            group,
            piece["size"],
            [_deep(i) for i in piece["irreps"]],
            arrays[f"basis{i}"],
            arrays[f"piece{i}"],
        )
        for i, piece in enumerate(case["pieces"])
    ]
    value: StandInFieldType | StandInRepresentation = pieces[0]
    if case["field_type"]:
        base = arrays.get("base")
        size = 0 if base is None else base.shape[-1]
        action = None if base is None else StandInRepresentation("base", group, size, [], np.eye(size), base)
        value = StandInFieldType(StandInSpace(group, action), [pieces[i] for i in case["representations"]])
    return Replayed(value, arrays["ours"], arrays["theirs"], arrays["weight"], case["parameters"])


def _deep(identity: Any) -> Any:
    """Names of irreps, which those of products nest."""
    return tuple(map(_deep, identity)) if isinstance(identity, list) else identity


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) and not isinstance(value[0], list) else value


def _flat(value: Any) -> np.ndarray:
    if isinstance(value, tuple | list):
        return np.concatenate([_flat(v) for v in value])
    return np.asarray(value, dtype=float).reshape(-1)
