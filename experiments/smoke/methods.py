"""Which network each method of the smoke plumes trains, and how."""

from dataclasses import dataclass
from typing import Any

import torch

from experiments.smoke.model import NETWORKS, symmetry
from intertwine.baselines import BASELINES, Method, Subject, make_method
from intertwine.errors import UnknownNameError, listing


@dataclass(frozen=True)
class SmokeMethod:
    """A row of the table.

    Attributes:
        label: what tables call it.
        network: which network it trains; None for the convolutional one under rotation and the relaxed one elsewhere.
        baseline: a key of ``BASELINES``.
    """

    label: str
    network: str | None
    baseline: str


_CONVOLUTIONAL = (
    "plain",
    "weight_decay",
    "augmentation",
    "sampled_operator",
    "sampled_activation",
    "remul",
    "rpp",
    "per",
    "penalty",
    "decay",
    "split",
)
# Not in the tables of this task: `python -m experiments reproduce split` has it beside penalty, decay and exact.
ELSEWHERE = ("split",)
METHODS: dict[str, SmokeMethod] = {
    **{name: SmokeMethod(BASELINES[name].label, "convolutional", name) for name in _CONVOLUTIONAL},
    "exact": SmokeMethod(BASELINES["exact"].label, None, "exact"),
    "e2cnn": SmokeMethod(f"{BASELINES['exact'].label}, e2cnn", "e2cnn", "plain"),
    **{
        network + suffix: SmokeMethod(label + ending, network, baseline)
        for network, label in (("relaxed_group", "relaxed group"), ("relaxed_steerable", "relaxed steerable"))
        for suffix, ending, baseline in (
            ("", "", "plain"),
            ("_constraint", ", own constraint", "relaxed_constraint"),
            ("_penalty", ", penalty", "penalty"),
        )
    },
}


def method_network(condition: str, name: str) -> str:
    """The network that a method trains.

    Under rotation the exactly equivariant network is the convolutional one on regular fields, a group convolution, and
    beside it that of e2cnn; elsewhere it is the relaxed one with equal weights.

    Raises:
        UnknownNameError: no such method.

    Examples:
        >>> method_network("rotation", "exact"), method_network("scale", "exact")
        ('convolutional', 'relaxed_group')
    """
    if name not in METHODS:
        raise UnknownNameError("method", expected=f"one of {listing(METHODS, 20)}", got=repr(name))
    found = METHODS[name].network
    if found is not None:
        return found
    return "convolutional" if symmetry(condition) == "rotation" else "relaxed_group"


def smoke_method(
    name: str, subject: Subject, strength: float | None, generator: torch.Generator, **options: Any
) -> Method:
    """The method around a subject with its network; options as of ``make_method``.

    Raises:
        UnknownNameError: no such method.
        ArgumentError: a strength that does not fit.
    """
    if name not in METHODS:
        raise UnknownNameError("method", expected=f"one of {listing(METHODS, 20)}", got=repr(name))
    return make_method(METHODS[name].baseline, subject, strength, generator=generator, **options)


def applies(condition: str, name: str) -> bool:
    """Whether a method makes sense for a condition.

    Methods that move data or project a convolutional network's weights need C4, and so does e2cnn's network; under
    translation and scale the convolutional network is the plain control.

    Examples:
        >>> applies("rotation", "rpp"), applies("translation", "rpp"), applies("scale", "relaxed_steerable")
        (True, False, False)
    """
    network = method_network(condition, name)
    kind = symmetry(condition)
    return network in NETWORKS[kind] and (kind == "rotation" or network != "convolutional" or name == "plain")
