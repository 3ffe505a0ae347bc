"""The networks that are timed: groups times kinds of model times widths, typed, with a batch each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from experiments.runtime.actions import image_action, image_derivative
from intertwine.baselines import Criterion, Subject, leave, lie_action, no_motion
from intertwine.binding import Binding, bind
from intertwine.errors import UnknownNameError, listing
from intertwine.groups import SO, Cyclic, Dihedral, Group, Octahedral
from intertwine.nn import Gate
from intertwine.representations import Representation

# Constructors, so that importing this module builds nothing whose set-up is timed later.
GROUPS: Mapping[str, Callable[[], Group]] = {
    "C4": partial(Cyclic, 4),
    "D4": partial(Dihedral, 4),
    "O": Octahedral,
    "SO(2)": partial(SO, 2),
    "SO(3)": partial(SO, 3),
}
KINDS = {
    "mlp": "perceptron of w/4 -> w -> w -> 64 features",
    "cnn2d": "2D CNN, kernels 3 x 3, 1 -> w -> w -> w, then 1 x 1 to 10 and the mean",
    "cnn3d": "3D CNN, kernels 3 x 3 x 3, 1 -> w -> w -> w, then 1 x 1 x 1 to 10 and the mean",
}
# Groups of the plane act on images, groups of space on volumes, all of them on features.
PAIRS = {"mlp": ("C4", "D4", "O", "SO(2)", "SO(3)"), "cnn2d": ("C4", "D4", "SO(2)"), "cnn3d": ("O", "SO(3)")}
CLASSES = 10
FEATURES_OUT = 64


@dataclass(frozen=True)
class Case:
    """One network and its batch.

    Attributes:
        group: a key of ``GROUPS``.
        kind: a key of ``KINDS``.
        width: hidden features asked for; ``rep`` says how many whole fields that makes.
        batch: samples.
        side: pixels along each axis of an image.
        seed: of weights and data.
        device: where everything lies.
    """

    group: str
    kind: str
    width: int
    batch: int
    side: int = 1
    seed: int = 0
    device: str = "cpu"

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Case":
        """The case of a run's settings.

        Raises:
            UnknownNameError: no such group, or no such kind of model for it.
        """
        case = cls(**{name: settings[name] for name in cls.__dataclass_fields__})
        if case.kind not in KINDS:
            raise UnknownNameError("kind", expected=f"one of {listing(KINDS)}", got=repr(case.kind))
        if case.group not in PAIRS[case.kind]:
            raise UnknownNameError("group", expected=f"one of {listing(PAIRS[case.kind])}", got=repr(case.group))
        return case

    @property
    def dims(self) -> int:
        """Dimensions of an image; 0 for features."""
        return {"mlp": 0, "cnn2d": 2, "cnn3d": 3}[self.kind]

    @property
    def positions(self) -> int:
        """Batch times positions: how often every typed weight is used in a forward pass."""
        return self.batch * self.side**self.dims

    @property
    def is_permuted(self) -> bool:
        """Whether hidden features are regular fields, with ReLU; irreps with gates otherwise."""
        return not self.group.startswith("SO")

    def fields(self, width: int) -> Representation:
        """About ``width`` features: regular fields, or as many copies of each of the first four irreps."""
        group = GROUPS[self.group]()
        field = group.regular() if self.is_permuted else group.irreps("0 + 1 + 2 + 3")
        copies = max(1, round(width / field.dim))
        return copies * field if self.is_permuted else group.irreps(" + ".join(f"{copies}x{l}" for l in range(4)))

    def network(self) -> "TypedNetwork":
        """The model, drawn anew from the seed, with the types of its layers; nothing is bound yet."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return _network(self)

    def data(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Noise, with noise or labels as targets: what is timed does not depend on them."""
        generator = torch.Generator().manual_seed(self.seed)
        if self.dims:
            x = torch.randn(self.batch, 1, *(self.side,) * self.dims, generator=generator)
            y = torch.randint(CLASSES, (self.batch,), generator=generator)
        else:
            dims = (self.fields(width).dim for width in (self.width // 4, FEATURES_OUT))
            x, y = (torch.randn(self.batch, dim, generator=generator) for dim in dims)
        return x.to(self.device), y.to(self.device)

    @property
    def criterion(self) -> Criterion:
        """Cross-entropy of the images' scores, the squared error of features."""
        return F.cross_entropy if self.dims else F.mse_loss


@dataclass(frozen=True, eq=False)
class TypedNetwork:
    """A model, the types of its layers, and the representation behind each activation."""

    case: Case
    model: nn.Sequential
    types: Mapping[str, tuple[Representation, Representation]]
    hidden: Mapping[str, Representation]

    def bind(self) -> Binding:
        """The projectors: what is timed as set-up."""
        return bind(self.model, dict(self.types))

    def subject(self) -> Subject:
        """What methods work on."""
        binding, group = self.bind(), GROUPS[self.case.group]()
        continuous = not self.case.is_permuted
        if self.case.dims:
            hidden = {name: image_action(rep) for name, rep in self.hidden.items()}
            subject = Subject(self.model, binding, group, image_action(), leave, hidden)
            return replace(subject, lie_in=image_derivative, lie_out=no_motion) if continuous else subject
        types = list(self.types.values())
        rep_in, rep_out = types[0][0], types[-1][1]
        hidden = {name: rep.act for name, rep in self.hidden.items()}
        subject = Subject(self.model, binding, group, rep_in.act, rep_out.act, hidden)
        return replace(subject, lie_in=lie_action(rep_in), lie_out=lie_action(rep_out)) if continuous else subject


class ChannelGate(nn.Module):
    """``Gate`` on the channels (axis 1) of images."""

    def __init__(self, rep: Representation) -> None:
        super().__init__()
        self.gate = Gate(rep)
        self.rep_in = self.gate.rep_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, rep_in.dim, *space) -> (batch, rep.dim, *space)."""
        gated: torch.Tensor = self.gate(x.movedim(1, -1))
        return gated.movedim(-1, 1).contiguous()


def _network(case: Case) -> TypedNetwork:
    """Two or three hidden layers of the same fields between inputs and outputs."""
    rep = case.fields(case.width)
    trivial = GROUPS[case.group]().trivial()
    first = trivial if case.dims else case.fields(case.width // 4)
    last = CLASSES * trivial if case.dims else case.fields(FEATURES_OUT)
    layers: list[nn.Module] = []
    types: dict[str, tuple[Representation, Representation]] = {}
    hidden: dict[str, Representation] = {}
    before = first
    for _ in range(3 if case.dims else 2):
        activation: nn.Module
        if case.is_permuted:
            activation, wide = nn.ReLU(), rep
        else:
            gate = ChannelGate(rep) if case.dims else Gate(rep)
            activation, wide = gate, gate.rep_in
        types[str(len(layers))] = (before, wide)
        hidden[str(len(layers) + 1)] = rep
        layers += [_linear(case, before, wide, 3), activation]
        before = rep
    types[str(len(layers))] = (before, last)
    layers.append(_linear(case, before, last, 1))
    if case.dims:
        layers += [nn.AdaptiveAvgPool2d(1) if case.dims == 2 else nn.AdaptiveAvgPool3d(1), nn.Flatten()]
    return TypedNetwork(case, nn.Sequential(*layers).to(case.device), types, hidden)


def _linear(case: Case, rep_in: Representation, rep_out: Representation, kernel: int) -> nn.Module:
    if case.dims == 0:
        return nn.Linear(rep_in.dim, rep_out.dim)
    conv = nn.Conv2d if case.dims == 2 else nn.Conv3d
    return conv(rep_in.dim, rep_out.dim, kernel, padding=kernel // 2)
