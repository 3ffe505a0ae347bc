"""Models, measurements, layers, assertions and baselines, with what is wrong for each argument."""

import torch

import intertwine as iw
from intertwine import baselines, diagnostics
from tests.attack.domains import (
    C4,
    SO3,
    axis,
    choice,
    count,
    count_from_0,
    elements,
    flag,
    function,
    generator,
    group_any,
    model,
    of,
    rate,
    rep,
    rep_any,
    strength,
    tensor,
    tolerance,
)
from tests.attack.fixtures import (
    REP,
    TYPES,
    WIDE,
    X,
    bound,
    convolution,
    decay,
    images_x,
    mapping_of_types,
    network,
    report,
    some_projector,
    step,
    step_arguments,
    subject,
)
from tests.attack.target import Target

TARGETS: tuple[Target, ...] = (
    Target("bind", iw.bind, lambda: {"model": network(), "types": TYPES}, {"model": model, "types": mapping_of_types}),
    Target(
        "Typed",
        lambda **kw: iw.bind(convolution(), {"0": iw.Typed(**kw)}),
        lambda: {
            "rep_in": REP,
            "rep_out": WIDE,
            "space": None,
            "kernel_basis": None,
            "rings": None,
            "hidden": None,
            "rep_key": None,
            "rep_value": None,
        },
        {
            "rep_in": rep,
            "rep_out": rep,
            "space": of("none"),
            "kernel_basis": of("none"),
            "rings": of("none"),
            "hidden": of("none"),
            "rep_key": of("none"),
            "rep_value": of("none"),
        },
    ),
    Target(
        "binding.penalty",
        lambda **kw: bound().penalty(**kw),
        lambda: {"strength": 1.0, "equivariant_strength": 0.0, "form": "squared"},
        {
            "strength": strength.but("empty", "huge"),
            "equivariant_strength": strength.but("empty", "huge"),
            "form": choice,
        },
    ),
    Target(
        "binding.project_",
        lambda preserve_norm: bound().project_(preserve_norm=preserve_norm),
        lambda: {"preserve_norm": True},
        {"preserve_norm": flag},
    ),
    Target(
        "binding.initialize_",
        lambda generator: bound().initialize_(generator=generator),
        lambda: {"generator": None},
        {"generator": generator},
    ),
    Target("binding[name]", lambda name: bound()[name], lambda: {"name": "0.weight"}, {"name": of()}),
    Target(
        "penalty",
        iw.penalty,
        lambda: {"terms": [(bound(), 1.0)], "form": "squared"},
        {
            "terms": of(
                "empty", wrong=(lambda: [(bound(), -1.0)], lambda: [(bound(),)], lambda: [bound()], lambda: [(3, 1.0)])
            ),
            "form": choice,
        },
    ),
    Target(
        "EquivarianceDecay",
        decay,
        lambda: {"binding": bound(), "strength": 1.0, "optimizer": None},
        {
            "binding": of(),
            "strength": strength.but("function", "class", "module", "infinity", "empty", "huge"),
            "optimizer": of("none"),
        },
    ),
    Target("report", iw.report, lambda: {"binding": bound(), "split": True}, {"binding": of(), "split": flag}),
    Target(
        "report.to_html",
        lambda path: report().to_html(path),
        lambda: {"path": "/tmp/attack.html"},
        {"path": of("none", "text", wrong=(lambda: "/no/such/folder/a.html", lambda: "/tmp", lambda: "\x00"))},
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
            "function": of("grid"),
            "rep_in": rep.but("function", "module"),
            "rep_out": rep.but("function", "module"),
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
            "function": of("module", "grid"),
            "rep_in": of("none", "function", "module"),
            "rep_out": of("none", "function", "module"),
            "x": images_x,
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
            "rep_in": rep.but("function", "module"),
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
        {"model": of("module"), "x": images_x, "group": of(), "space": of("none")},
    ),
    Target(
        "on_grid",
        iw.on_grid,
        lambda: {"rep": REP, "space": None},
        {"rep": rep_any, "space": of("none", "rep", "other rep")},
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
            "progress": of("none", "function", "class", "module"),
        },
    ),
    *(
        Target(f"nn.{name}", getattr(iw.nn, name), lambda: {"rep": WIDE + 8 * C4.trivial()}, {"rep": rep_any.but()})
        for name in ("FieldNorm", "Gate", "InvariantReadout", "NormActivation", "PointwiseActivation")
        if name != "PointwiseActivation"
    ),
    Target(
        "nn.PointwiseActivation",
        iw.nn.PointwiseActivation,
        lambda: {"rep": WIDE, "activation": torch.relu},
        {"rep": of("rep", "other rep", wrong=(lambda: SO3.irrep(1), lambda: C4.irrep(2))), "activation": function},
    ),
    Target(
        "nn.NormActivation",
        iw.nn.NormActivation,
        lambda: {"rep": SO3.irreps("0 + 1"), "activation": torch.relu, "eps": 1e-6},
        {"activation": function, "eps": of("fraction", "positive", "zero", "float", "huge")},
    ),
    Target(
        "nn.FieldNorm eps",
        iw.nn.FieldNorm,
        lambda: {"rep": WIDE, "eps": 1e-5, "affine": True},
        {"eps": of("fraction", "positive", "zero", "float", "huge"), "affine": flag},
    ),
    *(
        Target(
            f"nn.{name}(x)",
            lambda x, name=name: getattr(iw.nn, name)(WIDE + 8 * C4.trivial())(x),
            lambda: {"x": torch.ones(3, 16)},
            {"x": tensor(3, 16)},
        )
        for name in ("FieldNorm", "InvariantReadout", "NormActivation")
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
            "function": of("grid"),
            "rep_in": rep.but("function", "module"),
            "rep_out": rep.but("function", "module"),
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
    Target(
        "baselines.make_method",
        baselines.make_method,
        lambda: {"name": "penalty", "subject": subject(), "strength": 0.1, "generator": None},
        {
            "name": of(wrong=(lambda: "penalti",)),
            "subject": of(),
            "strength": of("fraction", "positive", "zero", "float", "huge"),
            "generator": generator,
        },
    ),
    *(
        Target(
            f"baselines {name}",
            lambda name=name, **kw: baselines.make_method(name, **kw),
            lambda method=method: {"subject": subject(), "strength": 0.1 if method.tuned else None, "generator": None},
            {
                "subject": of(),
                "strength": of("fraction", "positive", "zero", "float", "huge") if method.tuned else of("none"),
                "generator": generator,
            },
        )
        for name, method in baselines.BASELINES.items()
        if name not in ("lie_derivative", "relaxed_constraint")  # they need another group, and another model
    ),
    Target(
        "baselines.training_step",
        step,
        step_arguments,
        {
            "method": of(),
            "optimizer": of(),
            "x": of("tensor", "integers"),
            "y": of("tensor", "integers"),
            "criterion": of("function", "module", "class"),
        },
    ),
    Target(
        "baselines.Subject",
        lambda **kw: baselines.make_method("augmentation", baselines.Subject(**kw)),
        lambda: vars(subject()) | {"act_in": baselines.leave},
        {"model": of(), "binding": of(), "group": of(), "act_in": function, "act_out": function},
    ),
    Target("baselines.peak_memory", baselines.peak_memory, lambda: {"work": (lambda: None)}, {"work": function}),
)
