"""Measurements, assertions and plots, with what is wrong for each argument."""

from typing import Any

import torch

import intertwine as iw
from intertwine import diagnostics
from tests.attack.domains import (
    C4,
    D4,
    axis,
    choice,
    count,
    count_from_0,
    elements,
    function,
    generator,
    group_any,
    model,
    of,
    rate,
    rep,
    rep_any,
    tensor,
    tolerance,
    trees,
)
from tests.attack.fixtures import (
    REP,
    WIDE,
    X,
    bound,
    convolution,
    images_rep,
    images_x,
    network,
    report,
    some_projector,
)
from tests.attack.target import Target


class Splitting(torch.nn.Module):
    """With inputs by name and a module with several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Pair()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.first(x)
        return a + b


class Pair(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x.sum(-1, keepdim=True)


class Moving(torch.nn.Module):
    """Moves pixels by functions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.pad(x, (1, 1, 1, 1)).roll((1, 1), (2, 3))
        return torch.fft.irfft2(torch.fft.rfft2(x[..., 1:-1, ::2])[..., :2, :2])


def certified(**options: Any) -> iw.Certificate:
    """Of a network that was bound from a run."""
    model = network()
    binding = iw.bind(model, rep_in=REP, rep_out=REP, example=X[:1])
    return iw.certificate(model, binding, **options)


TARGETS: tuple[Target, ...] = (
    Target(
        "certificate",
        certified,
        lambda: {"radius": 1.0, "example": X[:1]},
        {"radius": of("zero", "positive", "fraction", "float", "huge"), "example": tensor(1, 4)},
    ),
    Target("certificate of inputs", certified, lambda: {"inputs": X}, {"inputs": tensor(3, 4)}),
    Target(
        "certificate of a binding",
        iw.certificate,
        lambda: {"model": (m := network()), "binding": iw.bind(m, rep_in=REP, rep_out=REP, example=X[:1]), "inputs": X},
        {"model": model, "binding": of(wrong=(bound,))},
    ),
    Target(
        "equivariance_error",
        iw.equivariance_error,
        lambda: {
            "function": network(),
            "rep_in": REP,
            "rep_out": REP,
            "x": X,
            "num_samples": None,
            "generator": None,
            "group": None,
            "axis_in": -1,
            "axis_out": -1,
        },
        {
            "function": of("identity"),
            "rep_in": rep.but("function", "none"),  # None: left alone
            "rep_out": rep.but("function", "none"),  # None: invariant
            "x": tensor(3, 4),
            "num_samples": count.but("none", "huge"),
            "generator": generator,
            "group": of("none"),
            "axis_in": axis.but("bool"),
            "axis_out": axis.but("bool"),
        },
    ),
    Target(
        "equivariance_error on_grid",
        iw.equivariance_error,
        lambda: {
            "function": torch.nn.ReLU(),
            "rep_in": iw.on_grid(REP),
            "rep_out": iw.on_grid(REP),
            "x": torch.ones(2, 4, 6, 6),
        },
        {
            "function": of("identity"),
            "rep_in": images_rep,
            "rep_out": images_rep,
            "x": images_x,
        },
    ),
    Target(
        "equivariance_error of several",
        lambda **kw: iw.equivariance_error(lambda a, b: {"sum": a + b, "rest": (a, 3)}, **kw),
        lambda: {
            "rep_in": {"a": REP, "b": REP},
            "rep_out": {"sum": REP, "rest": (REP, None)},
            "x": {"a": X, "b": X + 1},
            "axis_in": -1,
            "axis_out": {"sum": -1},
        },
        {
            "rep_in": trees.but("none"),
            "rep_out": trees.but("none"),
            "x": of(wrong=(lambda: {"a": X}, lambda: {"a": X, "b": None}, lambda: (X, X), lambda: {"a": X, "b": {}})),
            "axis_in": of(
                "negative",
                "positive",
                "empty",
                "dict",
                wrong=(lambda: {"a": 0.5}, lambda: {"c": 1}, lambda: (1, 1), lambda: 99),
            ),
            "axis_out": of("negative", "positive", "empty", wrong=(lambda: {"sum": "a"}, lambda: [0, 1])),
        },
    ),
    Target(
        "first_breaker with trees",
        lambda **kw: iw.first_breaker(Splitting(), **kw),
        lambda: {"reps": {"first": (REP, None), "": REP}, "rep_in": {"x": REP}, "x": {"x": X}, "axis_out": -1},
        {
            "reps": of(wrong=(lambda: {"first": REP}, lambda: {"first": (REP,)}, lambda: {"": {"a": REP}}, dict)),
            # None is legitimate: the inputs are left alone then, and the first layer breaks.
            "rep_in": of("none", wrong=(lambda: {"y": REP}, lambda: (REP, REP), lambda: {"x": D4.regular()})),
            "x": of(wrong=(lambda: {"y": X}, lambda: {"x": X[:, :3]}, lambda: {"x": [X]}, lambda: (X,))),
            "axis_out": axis.but("dict", "none", "empty"),
        },
    ),
    Target(
        "geometry of functions",
        iw.geometry,
        lambda: {"model": Moving(), "x": torch.ones(2, 4, 6, 6), "group": C4, "space": None},
        {
            "model": of("module", "identity"),
            "x": of("tensor", wrong=(lambda: torch.ones(4, 6, 6)[0], lambda: (torch.ones(2, 4, 6, 6),), X.to_sparse)),
            "group": of("group", wrong=(lambda: iw.SO(3),)),
            "space": of("none"),
        },
    ),
    Target(
        "first_breaker",
        iw.first_breaker,
        lambda: {
            "model": network(),
            "reps": {"0": WIDE, "1": WIDE},
            "rep_in": REP,
            "x": X,
            "rtol": None,
            "num_samples": None,
            "generator": None,
        },
        {
            "model": of(),
            "reps": of(wrong=(lambda: {"9": REP}, lambda: {"0": 3})).but(),
            "rep_in": rep.but("function", "none"),  # None: left alone
            "x": tensor(3, 4).but("tensor", "integers"),
            "rtol": tolerance,
            "num_samples": count.but("none", "huge"),
            "generator": generator,
        },
    ),
    Target(
        "geometry",
        iw.geometry,
        lambda: {"model": convolution(), "x": torch.ones(2, 4, 6, 6), "group": C4, "space": None},
        {
            "model": of("module", "identity"),
            "x": images_x,
            "group": of("group", wrong=(lambda: iw.SO(3),)),
            "space": of("none"),
        },
    ),
    Target(
        "on_grid",
        iw.on_grid,
        lambda: {"rep": REP, "space": None, "interpolation": None},
        {"rep": rep_any, "space": of("none", "rep", "other rep"), "interpolation": choice.but("none")},
    ),
    Target(
        "on_grid(rep)(g, x)",
        iw.on_grid(REP),
        lambda: {"g": C4.generators[0], "x": torch.ones(2, 4, 6, 6)},
        {"g": elements(2), "x": images_x},
    ),
    Target(
        "data_symmetry",
        iw.data_symmetry,
        lambda: {
            "x": X.repeat(4, 1),
            "rep": REP,
            "y": None,
            "rep_y": None,
            "num_permutations": 3,
            "num_samples": 1,
            "level": 0.05,
            "blocks": None,
            "max_points": None,
            "generator": None,
            "progress": None,
        },
        {
            "x": tensor(12, 4),
            "rep": rep,
            "y": of("none"),
            "rep_y": of("none"),
            "num_permutations": count,
            "num_samples": count_from_0,
            "level": rate,
            "blocks": of("none"),
            "max_points": of("none"),
            "generator": generator,
            "progress": function.but("none"),
        },
    ),
    Target(
        "testing.assert_equivariant",
        iw.testing.assert_equivariant,
        lambda: {
            "function": torch.relu,
            "rep_in": REP,
            "rep_out": REP,
            "x": X,
            "atol": None,
            "rtol": None,
            "num_samples": None,
            "generator": None,
        },
        {
            "function": of("identity"),
            "rep_in": rep.but("function", "none"),  # None: left alone
            "rep_out": rep.but("function", "none"),  # None: invariant
            "x": tensor(3, 4).but("none"),
            "atol": tolerance,
            "rtol": tolerance,
            "num_samples": count.but("none", "huge"),
            "generator": generator,
        },
    ),
    Target(
        "testing.assert_group",
        iw.testing.assert_group,
        lambda: {"group": C4, "atol": 1e-10, "generator": None},
        {"group": group_any, "atol": tolerance, "generator": generator},
    ),
    Target(
        "testing.assert_representation",
        iw.testing.assert_representation,
        lambda: {"rep": REP, "atol": 1e-10, "generator": None},
        {"rep": rep_any, "atol": tolerance, "generator": generator},
    ),
    Target(
        "testing.assert_projector",
        iw.testing.assert_projector,
        lambda: {"P": some_projector(), "atol": 1e-10, "generator": None},
        {"P": of("projector"), "atol": tolerance, "generator": generator},
    ),
    Target(
        "diagnostics.plot_kernel",
        diagnostics.plot_kernel,
        lambda: {"P": iw.projector(REP, REP, kernel=(3, 3)), "W": torch.ones(4, 4, 3, 3), "out": 0, "in_": 0},
        {"P": of(), "W": tensor(4, 4, 3, 3), "out": count_from_0, "in_": count_from_0},
    ),
    Target(
        "diagnostics.plot_chain",
        diagnostics.plot_chain,
        lambda: {"P_chain": iw.subgroup_chain(REP, REP, [C4, iw.Cyclic(2)]), "W": torch.ones(4, 4)},
        {"P_chain": of(), "W": tensor(4, 4)},
    ),
    Target("diagnostics.plot_report", diagnostics.plot_report, lambda: {"report": report()}, {"report": of()}),
)
