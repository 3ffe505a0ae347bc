"""The classes of projectors: what users call is written once, and nothing is overridden twice on the way down."""

from collections.abc import Iterator

import pytest
import torch

import intertwine as iw
from intertwine.projectors import Projector
from intertwine.projectors.methods import average
from intertwine.projectors.methods.method import TupleProjector
from tests.laws import kinds

# Described anew by every kind: where it comes from, and what it prints.
OWN = {"__init__", "__repr__", "__doc__", "__module__", "__abstractmethods__", "_abc_impl"}
PUBLIC = ("project", "residual", "squared_residual", "squared_projection", "relative_residual", "shrink_", "folded")


def below(kind: type) -> Iterator[type]:
    for child in kind.__subclasses__():
        if child.__module__.startswith("intertwine."):
            yield child
            yield from below(child)


def bodies(kind: type, name: str) -> list[str]:
    """The classes of the chain that say what ``name`` does."""
    found = (base for base in kind.__mro__ if base is not object and name in vars(base))
    return [base.__name__ for base in found if not getattr(vars(base)[name], "__isabstractmethod__", False)]


for name in kinds.KINDS:
    kinds.built(name)  # all files are imported then
LEAVES = [kind for base in (Projector, TupleProjector) for kind in below(base)]


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_no_method_is_overridden_twice(kind: type) -> None:
    names = {name for base in kind.__mro__ if base is not object for name in vars(base)} - OWN
    assert {name: found for name in names if len(found := bodies(kind, name)) > 2} == {}


@pytest.mark.parametrize("kind", list(below(Projector)), ids=lambda kind: kind.__name__)
def test_what_users_call_is_written_once(kind: type) -> None:
    assert {name: bodies(kind, name) for name in PUBLIC} == {name: ["Projector"] for name in PUBLIC}


@pytest.mark.parametrize("name", kinds.KINDS)
def test_only_what_falls_apart_is_computed_with_others(name: str) -> None:
    P = kinds.built(name)
    assert (P.components is None) == (P.joint_entries == 0) == (not P.part_indices([n or 2 for n in P.shape]))


def test_an_average_does_not_fall_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(average, "_is_heavy", lambda fields, copies: True)
    vector = iw.Octahedral().irrep("T1")
    P = iw.projector(axes=(vector, 2 * vector, iw.Octahedral().irrep("E")))
    assert {type(part.projector) for part in P.parts} == {average.AverageProjector}
    assert (P.components, P.joint_entries) == (None, 0)
    W = torch.randn(*P.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    monkeypatch.undo()
    torch.testing.assert_close(P.project(W), iw.projector(axes=P.axes).project(W))
