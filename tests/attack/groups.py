"""Groups and representations: each with a call that is right and with what is wrong for each argument."""

import torch

import intertwine as iw
from tests.attack.domains import (
    C4,
    D4,
    EVERY,
    SO3,
    choice,
    count,
    count_from_0,
    elements,
    flag,
    generator,
    group_any,
    many_sides,
    of,
    rep,
    rep_any,
    sides,
    tensor,
)
from tests.attack.fixtures import REP, WIDE, X, _group, labels, matrices, permutations
from tests.attack.target import Target

TARGETS: tuple[Target, ...] = (
    *(_group(name, getattr(iw, name)) for name in ("Cyclic", "Dihedral", "Symmetric")),
    *(
        Target(
            name,
            getattr(iw, name),
            lambda: {"n": 3},
            {"n": of("positive", wrong=(lambda: 1.0, lambda: 4, lambda: "3"))},
        )
        for name in ("SO", "O")
    ),
    *(
        Target(name, getattr(iw, name), lambda: {"reflections": True}, {"reflections": flag})
        for name in ("Tetrahedral", "Octahedral", "Icosahedral")
    ),
    Target(
        "Mirror",
        iw.Mirror,
        lambda: {"axis": "x", "dim": 2},
        {"axis": of(wrong=(lambda: "w", lambda: "X", lambda: 0)).but(), "dim": of(wrong=(lambda: 4,)).but("positive")},
    ),
    Target(
        "FiniteGroup",
        lambda **kw: str(iw.FiniteGroup(**kw)),
        lambda: {"generators": [[1, 0]], "name": None},
        {
            "generators": of(
                "group",
                "no rows",
                wrong=(lambda: [[0, 0]], lambda: [[-1, 0]], lambda: [[0.5, 1]], lambda: [[[1.0, 1], [0, 1]]]),
            ),
            "name": of("none", "text"),
        },
    ),
    Target(
        "MatrixGroup",
        lambda **kw: str(iw.MatrixGroup(**kw)),
        lambda: {"lie_algebra": torch.tensor([[[0.0, 1], [-1, 0]]]), "discrete": None, "compact": False, "name": None},
        {
            "lie_algebra": of(
                "none", "empty", "no rows", "list", wrong=(lambda: [[0.0]], lambda: [[["a"]]], lambda: torch.eye(2))
            ),
            "discrete": of(
                "none", "empty", "no rows", "list", wrong=(lambda: torch.zeros(1, 2, 2), lambda: torch.eye(3)[None])
            ),
            "compact": flag,
            "name": of("none", "text"),
        },
    ),
    Target(
        "DirectProduct",
        iw.DirectProduct,
        lambda: {"first": C4, "second": D4},
        {"first": group_any, "second": group_any},
    ),
    Target("product", lambda other: C4 * other, lambda: {"other": D4}, {"other": group_any}),
    Target("irrep", C4.irrep, lambda: {"label": 1}, {"label": labels}),
    Target("irrep of D4", D4.irrep, lambda: {"label": 1}, {"label": labels}),
    Target(
        "irrep of O(3)",
        lambda label: iw.O(3).irrep(label),
        lambda: {"label": "1o"},
        {"label": of(wrong=(lambda: "1", lambda: "-1o", lambda: "1x0o", lambda: 1.0)).but()},
    ),
    Target(
        "irrep of a product",
        (C4 * D4).irrep,
        lambda: {"label": "1*0+"},
        {"label": of(wrong=(lambda: "1*", lambda: "*", lambda: "1*0+:7"))},
    ),
    Target(
        "irreps",
        SO3.irreps,
        lambda: {"text": "2x0 + 1"},
        {
            "text": of(
                "text",
                wrong=(lambda: "2x", lambda: "x1", lambda: "-2x1", lambda: "1e5x0", lambda: "1 + + 1", lambda: "1.0"),
            )
        },
    ),
    Target(
        "quotient",
        lambda subgroup, axis: iw.Octahedral().quotient(subgroup, axis=axis),
        lambda: {"subgroup": C4, "axis": "z"},
        {"subgroup": of("group", wrong=(lambda: SO3, lambda: iw.Cyclic(7), lambda: C4 * D4)), "axis": of()},
    ),
    Target(
        "permutation",
        lambda images, signs: C4.permutation(images, signs=signs),
        lambda: {"images": [[1, 0]], "signs": None},
        {"images": permutations.but("range"), "signs": permutations.but("none", "list")},
    ),
    Target(
        "representation",
        lambda images, lie: iw.O(2).representation(images, lie),
        lambda: {"images": [[[1.0, 0], [0, -1]]], "lie": [[[0.0, -1], [1, 0]]]},
        {"images": matrices, "lie": matrices},
    ),
    Target(
        "grid",
        lambda sides: C4.grid(*sides),
        lambda: {"sides": (3, 3)},
        {"sides": of(*EVERY, wrong=sides.wrong)},
    ),
    Target(
        "sample",
        lambda n, generator: SO3.sample(n, generator=generator),
        lambda: {"n": 2, "generator": None},
        {"n": count_from_0, "generator": generator},
    ),
    Target(
        "lift",
        lambda rep, which: (C4 * D4).lift(rep, which=which),
        lambda: {"rep": REP, "which": 0},
        {"rep": rep_any, "which": of("none", "zero")},
    ),
    Target(
        "outer",
        (C4 * D4).outer,
        lambda: {"rep_first": REP, "rep_second": D4.regular()},
        {"rep_first": rep, "rep_second": of("other rep")},
    ),
    Target(
        "Segment",
        lambda mul, field, layout: iw.Segment(mul, field, layout).name,
        lambda: {"mul": 2, "field": REP.segments[0].field, "layout": "mul_ir"},
        {"mul": count_from_0, "field": of(), "layout": choice},
    ),
    Target(
        "Representation",
        lambda group, segments: str(iw.Representation(group, segments)),
        lambda: {"group": C4, "segments": REP.segments},
        {"group": of("group"), "segments": of("empty")},
    ),
    Target("direct_sum", REP.direct_sum, lambda: {"other": WIDE}, {"other": rep}),
    Target("tensor", REP.tensor, lambda: {"other": WIDE}, {"other": rep}),
    Target(
        "restrict",
        lambda subgroup, axis: SO3.standard().restrict(subgroup, axis=axis),
        lambda: {"subgroup": C4, "axis": "z"},
        {
            "subgroup": of("group", "infinite"),
            "axis": of(*EVERY, wrong=(lambda: "w", lambda: 3, list, lambda: None, lambda: "xy")),
        },
    ),
    Target("matrix", REP.matrix, lambda: {"g": C4.generators[0]}, {"g": elements(2).but()}),
    Target("matrix of SO(3)", SO3.irrep(2).matrix, lambda: {"g": torch.eye(3)}, {"g": elements(3)}),
    Target("character", REP.character, lambda: {"g": C4.generators[0]}, {"g": elements(2)}),
    Target(
        "act",
        REP.act,
        lambda: {"g": C4.generators[0], "x": X},
        {"g": elements(2), "x": tensor(3, 4).but("tensor", "no rows", "meta")},
    ),
    Target("as_representation", iw.as_representation, lambda: {"value": REP}, {"value": rep_any}),
    Target("decompose", iw.decompose, lambda: {"rep": REP}, {"rep": rep_any}),
    Target(
        "conventions.e3x_features",
        iw.conventions.e3x_features,
        lambda: {"shape": (2, 9, 4), "cartesian_order": True},
        {"shape": of(*EVERY, wrong=(*many_sides.wrong, lambda: (3, 9, 4), lambda: (2, 8, 4))), "cartesian_order": flag},
    ),
    Target(
        "conventions.fairchem_features",
        iw.conventions.fairchem_features,
        lambda: {"max_degree": 3, "max_order": 2, "channels": 4, "mirror": False},
        {
            "max_degree": count_from_0,
            "max_order": count_from_0,
            "channels": count,
            "mirror": flag,
        },
    ),
    Target(
        "conventions.fairchem_mirror",
        iw.conventions.fairchem_mirror,
        lambda: {"shape": (6, 4)},
        {"shape": of(*EVERY, wrong=(*many_sides.wrong, lambda: (3, 4), lambda: (4, 4, 4), lambda: (4,), lambda: 4))},
    ),
    Target(
        "torus",
        lambda sides: iw.torus(*sides),
        lambda: {"sides": (3, 3)},
        {
            "sides": of(
                *EVERY,
                wrong=many_sides.wrong,
            )
        },
    ),
)
