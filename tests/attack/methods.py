"""Baselines and training, with what is wrong for each argument."""

import torch

from intertwine import baselines, training
from tests.attack.domains import (
    action,
    count,
    count_from_0,
    function,
    generator,
    group_any,
    of,
)
from tests.attack.fixtures import (
    REP,
    X,
    step,
    step_arguments,
    subject,
)
from tests.attack.target import Target

STRENGTHS = of("fraction", "positive", "zero", "float", "huge")

TARGETS: tuple[Target, ...] = (
    Target(
        "baselines.make_method",
        baselines.make_method,
        lambda: {"name": "penalty", "subject": subject(), "strength": 0.1, "generator": None},
        {
            "name": of(wrong=(lambda: "penalti",)),
            "subject": of(),
            "strength": STRENGTHS,
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
                "strength": (STRENGTHS.but("infinity") if method.infinite else STRENGTHS)
                if method.tuned
                else of("none"),
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
            "x": of("tensor", "integers", "scalar"),
            "y": of("tensor", "integers", "scalar"),
            "criterion": function,
        },
    ),
    Target(
        "baselines.Subject",
        lambda **kw: baselines.make_method("augmentation", baselines.Subject(**kw)),
        lambda: vars(subject()) | {"act_in": baselines.leave},
        {
            "model": of(),
            "binding": of(),
            "group": group_any,  # what augments need not be what types: the binding's may be a subgroup, or empty
            "act_in": action,
            "act_out": action,
            "lie_in": action.but("none"),
            "lie_out": action.but("none"),
            "hidden": of("empty", wrong=(lambda: {"9": REP.act}, lambda: {"0": 3}, lambda: {"0": len})),
        },
    ),
    Target(
        "training.train_epochs",
        training.train_epochs,
        lambda: step_arguments() | {"schedule": None, "epochs": 1, "batch_size": 2, "batches": None, "generator": None},
        {
            "method": of(),
            "optimizer": of(),
            "schedule": of("none"),
            "x": of("tensor", "integers", "scalar", wrong=(lambda: torch.ones(2, 4), X.to_sparse)),
            "y": of("tensor", "integers", "scalar", wrong=(lambda: torch.ones(2, 4), X.to_sparse)),
            "criterion": function,
            "epochs": count_from_0,
            "batch_size": count.but("none", "huge"),
            "batches": count.but("none", "huge"),
            "generator": generator,
        },
    ),
    Target(
        "baselines.peak_memory",
        baselines.peak_memory,
        lambda: {"work": (lambda: None)},
        {"work": function.but("other function")},
    ),
)
