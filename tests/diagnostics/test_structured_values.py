"""Several inputs and outputs: tuples, dictionaries, named tuples, dataclasses, integers, and what is left alone."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch

import intertwine as iw
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError
from intertwine.tracing.models.value_trees import children, copied, mapped, rebuilt
from tests.binding.cases import seeded

G = iw.O(3)
V, S = G.standard(), G.trivial()
A = torch.randn(4, 3, generator=seeded(), dtype=torch.float64)
B = torch.randn(4, 3, generator=seeded(1), dtype=torch.float64)


class Named(NamedTuple):
    dot: torch.Tensor
    cross: torch.Tensor


@dataclass
class Data:
    dot: torch.Tensor
    cross: torch.Tensor


class ModelOutput(OrderedDict[str, torch.Tensor]):
    """As in transformers: a dictionary whose entries are attributes too."""


def products(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return (a * b).sum(-1, keepdim=True), torch.linalg.cross(a, b)


def by_hand(a: torch.Tensor, b: torch.Tensor, rep: iw.Representation) -> tuple[float, float]:
    """Worst relative errors of both products over the group's sample, from the definition."""
    worst = [0.0, 0.0]
    for g in G.sample(32, generator=seeded()):
        turn = V.matrix(g)
        found, kept = products(a @ turn.T, b @ turn.T), products(a, b)
        expected = kept[0], rep.act(g, kept[1])
        errors = [float((f - e).norm() / k.norm()) for f, e, k in zip(found, expected, kept, strict=True)]
        worst = [max(pair) for pair in zip(worst, errors, strict=True)]
    return worst[0], worst[1]


def test_a_tuple_is_passed_by_position() -> None:
    for rep, breaks in ((V, True), (G.irrep("1e"), False)):
        error = iw.equivariance_error(products, (V, V), (S, rep), (A, B), generator=seeded())
        expected = by_hand(A, B, rep)
        assert float(error) == pytest.approx(max(expected), rel=1e-6, abs=1e-12)
        assert (float(error) > 1) == breaks
        if breaks:
            assert (error.worst_output, error.worst_output_text) == (1, "output 1")


def test_a_dictionary_is_passed_by_name() -> None:
    pseudo = G.irrep("1e")
    # The names are the other way round than the order of the arguments.
    error = iw.equivariance_error(lambda b, a: torch.linalg.cross(a, b), {"a": V, "b": V}, pseudo, {"a": A, "b": B})
    assert float(error) < 1e-12
    whole = iw.equivariance_error(
        lambda x: torch.linalg.cross(x["a"], x["b"]), ({"a": V, "b": V},), pseudo, ({"a": A, "b": B},)
    )
    assert float(whole) < 1e-12


@pytest.mark.parametrize("kind", [dict, Named, Data, ModelOutput], ids=lambda kind: kind.__name__)
def test_outputs_by_name(kind: Any) -> None:
    def f(a: torch.Tensor, b: torch.Tensor) -> Any:
        dot, cross = products(a, b)
        return kind(dot=dot, cross=cross)

    error = iw.equivariance_error(f, (V, V), {"cross": V, "dot": S}, (A, B))
    assert float(error) > 1
    assert error.worst_output_text == "output 'cross'"
    assert "output 'cross'" in str(error)
    assert float(iw.equivariance_error(f, (V, V), {"cross": G.irrep("1e"), "dot": S}, (A, B))) < 1e-12
    # What has no representation is not measured.
    assert float(iw.equivariance_error(f, (V, V), {"dot": S}, (A, B))) < 1e-12


@pytest.mark.parametrize("kind", [Named, Data])
def test_inputs_as_one_object(kind: Any) -> None:
    x = kind(dot=A, cross=B)
    error = iw.equivariance_error(lambda y: y.dot + y.cross, {"dot": V, "cross": V}, V, x)
    assert float(error) < 1e-12
    assert float(iw.equivariance_error(lambda y: y.dot + y.cross, {"dot": V, "cross": None}, V, x)) > 0.1


def test_lists_and_nesting() -> None:
    x = {"positions": [A, B], "cell": (torch.eye(3, dtype=torch.float64), 7)}

    def f(positions: list[torch.Tensor], cell: tuple[torch.Tensor, int]) -> dict[str, Any]:
        assert isinstance(positions, list)
        assert cell[1] == 7
        return {"all": [positions[0] + cell[0][:1], positions[1]]}

    types = {"positions": [V, V], "cell": (V, None)}
    assert float(iw.equivariance_error(f, types, {"all": [V, V]}, x)) < 1e-12
    alone = iw.equivariance_error(f, {"positions": [V, V], "cell": None}, {"all": [V, V]}, x)
    assert float(alone) > 0.1
    assert alone.worst_output_text == "output 'all'[0]"


def test_functions_act_on_whole_structures() -> None:
    def turn(g: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return pair[0] @ g.T, pair[1] @ g.T

    def swap(g: torch.Tensor, found: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return found[0], torch.linalg.det(g) * found[1] @ g.T

    assert float(iw.equivariance_error(products, turn, swap, (A, B), group=G)) < 1e-12


def test_axes_by_structure() -> None:
    atoms = torch.randn(5, 3, 8, generator=seeded(), dtype=torch.float64)

    def f(x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return x + v[:, :, None]

    error = iw.equivariance_error(f, (V, V), V, (atoms, torch.ones(5, 3).double()), axis_in=(1, -1), axis_out=1)
    assert float(error) < 1e-12
    named = iw.equivariance_error(f, {"x": V, "v": V}, V, {"x": atoms, "v": A[:1]}, axis_in={"x": 1}, axis_out=1)
    assert float(named) < 1e-12


def test_integers_that_the_group_permutes() -> None:
    swap = iw.Cyclic(2).permutation([[7, 6, 5, 4, 3, 2, 1, 0]])
    tokens = torch.randint(4, (2, 8), generator=seeded())
    kept = tokens.clone()
    embedding = torch.nn.Embedding(4, 3).double()
    assert float(iw.equivariance_error(embedding, swap, swap, tokens, axis_out=1)) == 0
    places = torch.linspace(1, 2, 8, dtype=torch.float64)[:, None]
    placed = iw.equivariance_error(lambda ids: embedding(ids) * places, swap, swap, tokens, axis_out=1)
    assert float(placed) > 0.1
    assert placed.tolerance == 1e-10  # of the outputs
    assert torch.equal(tokens, kept)
    mask = tokens > 1
    assert float(iw.equivariance_error(lambda m: m.double(), swap, swap, mask)) == 0
    found = iw.first_breaker(torch.nn.Sequential(embedding, torch.nn.Softmax(1)), {"0": swap}, swap, tokens, axis_out=1)
    assert found is None
    with pytest.raises(DtypeError, match=r"x: expected floating-point numbers, as rep_in does not map .*permuted"):
        iw.equivariance_error(lambda t: t.double(), iw.Cyclic(8).standard(), None, torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(DtypeError, match="uint8"):  # -1 would wrap around
        iw.equivariance_error(
            lambda t: t.double(), iw.Mirror("x", 1).standard(), None, torch.ones(2, 1, dtype=torch.uint8)
        )


def test_none_passes_anything_and_is_invariant() -> None:
    big = torch.tensor([[2**60 + 1, 0, 0]])
    mask = torch.tensor([[0.0, float("-inf"), 0.0]], dtype=torch.float64)

    def f(a: torch.Tensor, ids: torch.Tensor, mask: torch.Tensor, name: str) -> torch.Tensor:
        assert ids[0, 0] == 2**60 + 1
        assert name == "n"
        return (a.square().sum(-1, keepdim=True) + mask).softmax(-1)

    error = iw.equivariance_error(f, (V, None, None, None), None, (A, big, mask, "n"))
    assert float(error) < 1e-12
    assert error.tested


def test_messages() -> None:
    def named(a: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"norm": a.norm(dim=-1, keepdim=True), "x": a}

    cases: list[tuple[Any, ...]] = [
        (
            named,
            V,
            (S, V),
            A,
            "function: expected 2 outputs, as rep_out has; got a dictionary with 'norm', 'x'. Give rep_",
        ),
        (
            named,
            V,
            {"nrm": S},
            A,
            "function: expected outputs 'nrm', as rep_out has; got a dictionary with 'norm', 'x'",
        ),
        (named, V, V, A, "got a dictionary with 'norm', 'x'. For several outputs give a dictionary as rep_out"),
        (products, (V, V, V), S, (A, B), "x: expected 3 entries, as rep_in has; got 2"),
        (products, V, S, (A, B), "x: expected a torch tensor; got a tuple of 2. For several tensors give a tuple"),
        (
            products,
            {"a": V},
            S,
            {"a": A, "b": B},
            "x: expected entries 'a', as rep_in has; got a dictionary with 'a', 'b'",
        ),
        (products, {"a": V}, S, {"a": A, "b": B}, "Give None in rep_in for an input that the group leaves alone"),
        (products, (V, {"b": V}), S, (A, B), r"x\[1\]: expected entries 'b', as rep_in\[1\] has; got a tensor"),
        (products, (V, V), S, (A, B[:, :2]), r"x\[1\]: expected length 3 on axis -1, from rep_in\[1\]"),
        (products, (V, V), (S, 2 * V), (A, B), r"output 1 of function: expected length 6"),
        (products, (V, "v"), S, (A, B), r"rep_in\[1\]: expected a Representation"),
        (products, (V, V), {}, (A, B), "rep_out: expected at least one"),
        (lambda a: {"x": a > 0}, V, {"x": V}, A, "floating-point or complex tensors as outputs; got torch.bool"),
    ]
    for function, rep_in, rep_out, x, message in cases:
        with pytest.raises((ArgumentError, iw.errors.ShapeError), match=message):
            iw.equivariance_error(function, rep_in, rep_out, x)
    with pytest.raises(GroupMismatchError, match=r"rep_in\['b'\]: expected a representation of O\(3\)"):
        iw.equivariance_error(products, {"a": V, "b": iw.SO(3).standard()}, S, {"a": A, "b": B})


def test_value_trees() -> None:
    value = {"a": (A, 3), "b": Named(A, B), "c": [Data(A, B)]}
    doubled = mapped(value, lambda x: 2 * x)
    assert isinstance(doubled["b"], Named)
    assert isinstance(doubled["c"][0], Data)
    assert torch.equal(doubled["c"][0].cross, 2 * B)
    assert doubled["a"][1] == 3
    assert copied(value)["b"].dot.data_ptr() != A.data_ptr()
    output = ModelOutput(dot=A, cross=B)
    assert type(mapped(output, lambda x: 2 * x)) is ModelOutput
    assert torch.equal(output["dot"], A)
    assert rebuilt(Named(A, B), {"cross": A, "dot": B}).dot is B
    assert children("abc") is None


@pytest.mark.parametrize("output", [None, "text", (None, {"a": None})])
def test_a_function_that_gives_no_tensor_is_refused(output: object) -> None:
    with pytest.raises(iw.errors.ArgumentError, match="function: expected at least one tensor among the measured"):
        iw.equivariance_error(lambda x: output, iw.Cyclic(4).regular(), None, torch.randn(2, 4))


def test_outputs_without_a_representation_are_named():
    V = iw.SO(3).irrep(1)
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    error = iw.equivariance_error(lambda a: {"y": a, "z": a[:, :1], "none": None}, V, {"y": V}, x)
    assert error.unmeasured == ("output 'z'",)
    assert "not measured, as rep_out has no entry for it: output 'z'" in str(error)
    assert iw.equivariance_error(lambda a: {"y": a}, V, {"y": V}, x).unmeasured == ()
