"""Against one sampled group element on the weights: ``|g.W - W|^2``, whose mean over g is twice ours."""

from collections.abc import Callable, Iterator

import torch

import intertwine as iw
from benchmarks.row import Row, ratio_row
from benchmarks.settings import Settings
from benchmarks.timing import interleaved, ratio
from benchmarks.weights import bound_weight, penalty_gradient, regular, so3_irreps

Representation = iw.Representation


def rows(settings: Settings) -> Iterator[Row]:
    """For irreps and for a regular representation: three ways to write the sampled penalty, ours beside them."""
    dim = 48 if settings.quick else 1184
    yield from _against("SO(3) irreps l = 0..3", so3_irreps(dim), settings)
    yield from _against("regular representation of D4", regular(iw.Dihedral(4), dim), settings)


def _against(name: str, rep: Representation, settings: Settings) -> Iterator[Row]:
    binding = bound_weight(rep, rep, settings)
    W = binding.model.weight
    generator = torch.Generator().manual_seed(settings.seed)
    given = rep.matrix(rep.group.sample(1, generator=generator)[0]).to(W)
    works = {
        "dense rho(g), drawn and built anew": _gradient(W, lambda: dense(W, rep, generator)),
        "dense rho(g), given": _gradient(W, lambda: conjugated(W, given)),
        "rep.act(g, .), g drawn anew": _gradient(W, lambda: acted(W, rep, generator)),
    }
    times = interleaved({"penalty": penalty_gradient(binding), **works}, settings)
    for work in works:
        yield ratio_row(
            "sampled",
            f"one sampled element on the weight / penalty, both with gradient, {name}, {rep.dim}^2, {work}",
            ratio(times[work], times["penalty"]),
            {key: times[key] for key in ("penalty", work)},
        )


def dense(W: torch.Tensor, rep: Representation, generator: torch.Generator) -> torch.Tensor:
    """With the matrix of an element drawn here."""
    return conjugated(W, rep.matrix(rep.group.sample(1, generator=generator)[0]).to(W))


def conjugated(W: torch.Tensor, rho: torch.Tensor) -> torch.Tensor:
    """``|rho W rho^-1 - W|^2`` for an orthogonal matrix."""
    return (rho @ W @ rho.T - W).pow(2).sum()


def acted(W: torch.Tensor, rep: Representation, generator: torch.Generator) -> torch.Tensor:
    """The same without a matrix of the whole width: the action on the columns, then on the rows."""
    g = rep.group.sample(1, generator=generator)[0]
    return (rep.act(g, rep.act(g, W.mT).mT) - W).pow(2).sum()


def _gradient(W: torch.Tensor, value: Callable[[], torch.Tensor]) -> Callable[[], None]:
    def work() -> None:
        W.grad = None
        value().backward()

    return work
