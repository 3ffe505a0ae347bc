"""Models, their types, decay, reports and layers, with what is wrong for each argument."""

import torch

import intertwine as iw
from tests.attack.domains import (
    C4,
    SO3,
    choice,
    flag,
    function,
    generator,
    model,
    of,
    rep,
    rep_any,
    strength,
    tensor,
)
from tests.attack.fixtures import (
    REP,
    TYPES,
    WIDE,
    adapted,
    bound,
    convolution,
    decay,
    factors,
    mapping_of_types,
    network,
    report,
)
from tests.attack.target import Target

# From 0 to 1; of the junk some are right and some wrong.
SHARE = of(
    *("zero", "positive", "fraction", "float", "empty"),
    wrong=(lambda: {"no such": 0.5}, lambda: 1.1, lambda: {"0": -1}),
)
CALLABLE = ("function", "other function", "class", "module", "identity", "group", "grid")


def inferred() -> dict[str, object]:
    """What infers the types of ``network()``."""
    return {
        "rep_in": REP,
        "rep_out": REP,
        "example": torch.ones(2, 4),
        "hidden": None,
        "group": C4,
        "overrides": None,
        "rules": None,
    }


# A model without weights is legitimate: it has calls to check, and may be equivariant.
NO_MODEL = of("identity", wrong=(lambda: torch.nn.Linear, lambda: torch.nn.LazyLinear(3)))
INFERRED = {
    "rep_in": rep.but("none", "empty"),
    "rep_out": rep.but("none", "empty"),
    "example": tensor(2, 4).but("tensor"),
    "hidden": of("none", *CALLABLE),
    "group": of("none", "group"),
    "overrides": of("none", "empty"),
    "rules": of("none", "empty"),
}


TARGETS: tuple[Target, ...] = (
    Target("bind", iw.bind, lambda: {"model": network(), "types": TYPES}, {"model": model, "types": mapping_of_types}),
    *(
        Target(name, function, lambda: inferred() | {"model": network()}, {"model": NO_MODEL} | INFERRED)
        for name, function in (("bind inferred", iw.bind), ("check", iw.check))
    ),
    Target(
        "bind strictly",
        lambda **kw: iw.bind(network(), **kw),
        lambda: inferred() | {"strict": False, "check": True},
        {"strict": flag, "check": flag},
    ),
    Target(
        "LayerRule",
        iw.LayerRule,
        lambda: {"parameters": None, "grid": None, "fits": None, "propagate": None, "same": False, "note": ""},
        dict.fromkeys(("parameters", "grid", "fits", "propagate"), of("none", *CALLABLE))
        | {"same": flag, "note": of("text")},
    ),
    Target(
        "layers.Effective",
        iw.layers.Effective,
        lambda: {"compute": torch.nn.Module.parameters, "assign": None, "assigned": None},
        {"compute": of(*CALLABLE), "assign": of("none", *CALLABLE), "assigned": of("none", *CALLABLE)},
    ),
    Target("effective_weights", iw.effective_weights, lambda: {"binding": factors()}, {"binding": of()}),
    Target(
        "start_adapters_",
        lambda rank, generator: iw.start_adapters_(adapted(), rank, generator=generator),
        lambda: {"rank": REP, "generator": None},
        {"rank": rep.but("none"), "generator": generator},
    ),
    Target("start_adapters_ of", iw.start_adapters_, lambda: {"binding": adapted()}, {"binding": of()}),
    Target("layer_rule", iw.layer_rule, lambda: {"rule": iw.LayerRule()}, {"rule": of()}),
    Target(
        "bind with rules",
        lambda rules: iw.bind(network(), TYPES, rules=rules),
        lambda: {"rules": {torch.nn.ReLU: iw.LayerRule(alike=True)}},
        {"rules": of("none", "empty", wrong=(lambda: {torch.nn.Linear: 3}, lambda: {"Linear": iw.LayerRule()}))},
    ),
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
        "Typed of a linear layer",
        lambda **kw: iw.bind(network(), {"0": iw.Typed(**kw)}),
        lambda: {"rep_in": REP, "rep_out": WIDE, "over": None},
        {"rep_in": rep, "rep_out": rep, "over": of("none", "rep")},
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
        "binding.blend_",
        lambda alpha: bound().blend_(alpha),
        lambda: {"alpha": 0.5},
        {"alpha": SHARE},
    ),
    Target(
        "Target",
        lambda residual: iw.Target(bound(), residual),
        lambda: {"residual": 0.1},
        {"residual": SHARE},
    ),
    Target("Target of what", iw.Target, lambda: {"binding": bound(), "residual": 0.1}, {"binding": of()}),
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
            "strength": strength.but("function", "module", "identity", "infinity", "empty", "huge"),
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
)
