"""Typed MLPs with data, and the training steps that are compared on them."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

import intertwine as iw
from benchmarks.settings import Settings
from benchmarks.weights import so3_irreps


@dataclass(frozen=True)
class TypedMLP:
    """A model with a type for every parameter."""

    name: str
    model: nn.Module
    types: dict[str, tuple[iw.Representation, iw.Representation]]
    rep_in: iw.Representation
    rep_out: iw.Representation


def typed_mlps(settings: Settings) -> list[TypedMLP]:
    """Regular fields of D4 with ReLU, 256-1024-1024-64; irreps of SO(3) with gates, 256-512-512-64."""
    scale = 1 if settings.quick else 16
    torch.manual_seed(settings.seed)
    field = iw.Dihedral(4).regular()
    a, b, c = 2 * scale * field, 8 * scale * field, 8 * field
    layers = [nn.Linear(a.dim, b.dim), nn.ReLU(), nn.Linear(b.dim, b.dim), nn.ReLU(), nn.Linear(b.dim, c.dim)]
    regular = TypedMLP(
        f"D4 regular fields {a.dim}-{b.dim}-{b.dim}-{c.dim}",
        nn.Sequential(*layers).to(settings.device),
        {"0": (a, b), "2": (b, b), "4": (b, c)},
        a,
        c,
    )
    a, b, c = so3_irreps(16 * scale), so3_irreps(32 * scale), so3_irreps(64)
    gates = [iw.nn.Gate(b), iw.nn.Gate(b)]
    wide = gates[0].rep_in
    layers = [nn.Linear(a.dim, wide.dim), gates[0], nn.Linear(b.dim, wide.dim), gates[1], nn.Linear(b.dim, c.dim)]
    irreps = TypedMLP(
        f"SO(3) irreps {a.dim}-{b.dim}-{b.dim}-{c.dim}, gated",
        nn.Sequential(*layers).to(settings.device),
        {"0": (a, wide), "2": (b, wide), "4": (b, c)},
        a,
        c,
    )
    return [regular, irreps]


class Steps:
    """Training steps of one typed MLP on one batch; each variant has its own copy of the weights.

    Args:
        mlp: the model.
        batch: number of samples, or samples times positions.
        settings: device and seed.
    """

    def __init__(self, mlp: TypedMLP, batch: int, settings: Settings) -> None:
        self.mlp = mlp
        generator = torch.Generator().manual_seed(settings.seed)
        self.x = torch.randn(batch, mlp.rep_in.dim, generator=generator).to(settings.device)
        self.y = torch.randn(batch, mlp.rep_out.dim, generator=generator).to(settings.device)
        self.elements = generator

    def plain(self) -> Callable[[], None]:
        """The task's loss alone."""
        model, optimizer = self._copy()
        return self._step(model, optimizer, lambda output: output.new_zeros(()))

    def with_penalty(self) -> Callable[[], None]:
        """Ours on every parameter, as a loss term."""
        model, optimizer = self._copy()
        binding = iw.bind(model, self.mlp.types)
        return self._step(model, optimizer, lambda _: binding.penalty(strength=0.1))

    def with_decay(self) -> Callable[[], None]:
        """Ours on every parameter, after the optimiser's step."""
        model, optimizer = self._copy()
        iw.EquivarianceDecay(optimizer, iw.bind(model, self.mlp.types), strength=0.1)
        return self._step(model, optimizer, lambda output: output.new_zeros(()))

    def eight(self, kind: str | None, *, every: int) -> Callable[[], None]:
        """Eight steps of AdamW, alone or with ours (``"penalty"``, ``"decay"``) at every so many."""
        model = copy.deepcopy(self.mlp.model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
        binding = iw.bind(model, self.mlp.types)
        if kind == "decay":
            iw.EquivarianceDecay(optimizer, binding, strength=0.1, every=every)

        def work() -> None:
            for step in range(8):
                optimizer.zero_grad(set_to_none=True)
                loss = (model(self.x) - self.y).pow(2).mean()
                if kind == "penalty":
                    loss = loss + binding.penalty(strength=0.1, every=every, step=step)
                loss.backward()
                optimizer.step()

        return work

    def with_plain_l2(self) -> Callable[[], None]:
        """``W.pow(2).sum()`` of every parameter, as a loss term."""
        model, optimizer = self._copy()
        return self._step(model, optimizer, lambda _: l2(model))

    def with_sampled_element(self) -> Callable[[], None]:
        """``|f(g x) - g f(x)|^2`` for one element g a step: one more pass through the model."""
        model, optimizer = self._copy()
        rep_in, rep_out = self.mlp.rep_in, self.mlp.rep_out

        def term(output: torch.Tensor) -> torch.Tensor:
            g = rep_in.group.sample(1, generator=self.elements)[0]
            return 0.1 * (model(rep_in.act(g, self.x)) - rep_out.act(g, output)).pow(2).mean()

        return self._step(model, optimizer, term)

    def penalty_alone(self) -> Callable[[], None]:
        """What the penalty adds to a step: its value and its gradient, added to gradients that are there."""
        model, _ = self._copy(with_gradients=True)
        binding = iw.bind(model, self.mlp.types)
        return lambda: binding.penalty(strength=0.1).backward()

    def plain_l2_alone(self) -> Callable[[], None]:
        """What plain L2 adds, likewise."""
        model, _ = self._copy(with_gradients=True)
        return lambda: l2(model).backward()

    def _copy(self, *, with_gradients: bool = False) -> tuple[nn.Module, torch.optim.Optimizer]:
        model = copy.deepcopy(self.mlp.model)
        if with_gradients:
            for parameter in model.parameters():
                parameter.grad = torch.zeros_like(parameter)
        # The cheapest optimiser makes the plain step as small as steps are; at this rate nothing moves much.
        return model, torch.optim.SGD(model.parameters(), lr=1e-4)

    def _step(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, term: Callable[[torch.Tensor], torch.Tensor]
    ) -> Callable[[], None]:
        def work() -> None:
            optimizer.zero_grad(set_to_none=True)
            output = model(self.x)
            loss = (output - self.y).pow(2).mean() + term(output)
            loss.backward()
            optimizer.step()

        return work


def l2(model: nn.Module) -> torch.Tensor:
    """``sum of W.pow(2).sum()`` over all parameters."""
    return 0.05 * torch.stack([parameter.pow(2).sum() for parameter in model.parameters()]).sum()
