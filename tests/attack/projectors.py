"""Projectors: each with a call that is right and with what is wrong for each argument."""

import math

import torch

import intertwine as iw
from tests.attack.domains import (
    C4,
    D4,
    SO3,
    choice,
    count,
    flag,
    many_sides,
    of,
    rep,
    rep_any,
    sides,
    tensor,
)
from tests.attack.fixtures import REP, WIDE, some_projector
from tests.attack.target import Target

TARGETS: tuple[Target, ...] = (
    Target(
        "projector",
        iw.projector,
        lambda: {
            "rep_in": REP,
            "rep_out": WIDE,
            "kernel": (3, 3),
            "space": None,
            "kernel_basis": None,
            "rings": None,
            "method": None,
        },
        {
            "rep_in": rep,
            "rep_out": rep.but("none"),
            "kernel": sides.but("none"),
            "space": of("none"),
            "kernel_basis": of(
                "none",
                wrong=(
                    lambda: torch.zeros(2, 4, 4, 3, 3)[:, :3],
                    lambda: torch.full((1, 4, 4, 3, 3), math.nan),
                ),
            ),
            "rings": of("none"),
            "method": choice.but("none"),
        },
    ),
    Target(
        "projector of axes",
        lambda axes, shape: iw.projector(axes=axes, shape=shape),
        lambda: {"axes": (REP, None, WIDE), "shape": (4, None, 8)},
        {
            "axes": of(wrong=(lambda: (REP, D4.regular()), lambda: (None, None), lambda: (REP, "x"), lambda: REP)),
            "shape": of("none", wrong=(lambda: (4, 3), lambda: (4, 1.5, 8), lambda: (2, None, 16), lambda: "abc")),
        },
    ),
    *(
        Target(
            f"P.{name}",
            lambda W, name=name: getattr(some_projector(), name)(W),
            lambda: {"W": torch.ones(8, 4)},
            {"W": tensor(8, 4).but("meta")},
        )
        for name in ("project", "residual", "squared_residual", "relative_residual")
    ),
    Target(
        "P.shrink_",
        lambda W, factor: some_projector().shrink_(W, factor),
        lambda: {"W": torch.ones(8, 4), "factor": 0.5},
        {
            "W": tensor(8, 4).but("meta"),
            "factor": of("fraction", "zero", "positive", "scalar", wrong=(lambda: 2.0, lambda: -1.0)),
        },
    ),
    Target(
        "P of a kernel",
        lambda W: iw.projector(SO3.irreps("0 + 1"), SO3.irrep(1), kernel=(3, 3, 3)).project(W),
        lambda: {"W": torch.ones(3, 4, 3, 3, 3)},
        {"W": tensor(3, 4, 3, 3, 3)},
    ),
    Target(
        "diagonal_projector",
        iw.diagonal_projector,
        lambda: {"rep": REP, "shape": None},
        {"rep": rep_any, "shape": of("none", wrong=(lambda: (3,), lambda: (4, 4), lambda: "a", lambda: (4.0,)))},
    ),
    Target(
        "residual_by_irreps",
        iw.residual_by_irreps,
        lambda: {"P": some_projector(), "W": torch.ones(8, 4)},
        {"P": of(), "W": tensor(8, 4)},
    ),
    Target(
        "chain_split",
        iw.chain_split,
        lambda: {"W": torch.ones(8, 4), "projectors": [some_projector()]},
        {"W": tensor(8, 4), "projectors": of(wrong=(lambda: [some_projector(), 3], some_projector))},
    ),
    Target(
        "subgroup_chain",
        iw.subgroup_chain,
        lambda: {"rep_in": REP, "rep_out": WIDE, "groups": [C4, iw.Cyclic(2)], "axis": None},
        {
            "rep_in": rep,
            "rep_out": rep.but("none"),
            "groups": of("empty", wrong=(lambda: [SO3], lambda: [3], lambda: C4)),
            "axis": of("none"),
        },
    ),
    Target(
        "spectral_projector",
        iw.spectral_projector,
        lambda: {
            "rep_in": REP,
            "rep_out": WIDE,
            "modes": (3, 2),
            "order": "shifted",
            "grid": None,
            "signals": "real",
            "norm": "operator",
        },
        {
            "rep_in": rep,
            "rep_out": rep,
            "modes": sides,
            "order": choice,
            "grid": sides.but("none"),
            "signals": choice,
            "norm": choice,
        },
    ),
    Target(
        "spherical_projector",
        iw.spherical_projector,
        lambda: {
            "degrees": 3,
            "orders": None,
            "channels": (2, 2),
            "signals": "real",
            "norm": "operator",
            "pairs": False,
        },
        {
            "degrees": count,
            "orders": count.but("none"),
            "channels": of(wrong=(lambda: (1.5, 2), lambda: "ab")),
            "signals": choice,
            "norm": choice,
            "pairs": flag,
        },
    ),
    Target(
        "translation_projector",
        iw.translation_projector,
        lambda: {"channels_in": 2, "channels_out": 2, "grid": (3, 3), "boundary": "periodic", "method": None},
        {
            "channels_in": count,
            "channels_out": count,
            "grid": many_sides,
            "boundary": choice,
            "method": choice.but("none"),
        },
    ),
    Target(
        "position_projector",
        iw.position_projector,
        lambda: {"shape": (4, 3, 3), "positions": (1, 2), "boundary": "periodic"},
        {
            "shape": many_sides.but("list"),
            "positions": of("list", wrong=(lambda: (7,), lambda: (1, 1), lambda: (1.0,), lambda: "12", lambda: [[1]])),
            "boundary": choice,
        },
    ),
    Target(
        "relaxed_projector",
        iw.relaxed_projector,
        lambda: {"shape": (4, 3), "positions": (1,), "filters": None, "bank": None, "boundary": "periodic"},
        {
            "shape": many_sides,
            "positions": of(
                "list", wrong=(lambda: (7,), lambda: (1, 1), lambda: (1.0,), lambda: ["a"], lambda: [None])
            ),
            "filters": of("none"),
            "bank": of("none"),
            "boundary": choice,
        },
    ),
    Target(
        "Rings",
        iw.Rings,
        lambda: {"radii": (0.0, 1.0), "widths": (0.5, 0.5), "band": (1, 2)},
        {
            "radii": of(wrong=(lambda: (1.0,), lambda: (-1.0, 1.0), lambda: (math.nan, 1.0))),
            "widths": of(wrong=(lambda: (0.0, 1.0), lambda: ("a", 1.0))),
            "band": of(wrong=(lambda: (-1, 1), lambda: (0.5, 1))),
        },
    ),
)
