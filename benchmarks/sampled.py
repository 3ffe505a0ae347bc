"""Against one sampled group element on the weights: ``|g.W - W|^2``, whose mean over g is twice ours."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from benchmarks.weights import bound_weight, penalty_gradient, regular, so3_irreps

Representation = iw.Representation
WAYS = ("dense rho(g), drawn and built anew", "dense rho(g), given", "rep.act(g, .), g drawn anew")


def rows(settings: Settings) -> Iterator[Row]:
    """For irreps and for a regular representation: three ways to write the sampled penalty, ours beside them."""
    dim = 48 if settings.quick else 1184
    yield from _against("SO(3) irreps l = 0..3", so3_irreps(dim), settings)
    yield from _against("regular representation of D4", regular(iw.Dihedral(4), dim), settings)


def _against(name: str, rep: Representation, settings: Settings) -> Iterator[Row]:
    questions = {work: Question(ratio(work, "penalty")) for work in WAYS}
    found = answered(partial(_works, rep, settings), questions, settings)
    for work in WAYS:
        text = f"one sampled element on the weight / penalty, both with gradient, {name}, {rep.dim}^2, {work}"
        yield estimate_row("sampled", text, found, questions, work, works=("penalty", work))


def _works(rep: Representation, settings: Settings) -> Mapping[str, Work]:
    binding = bound_weight(rep, rep, settings)
    W = binding.model.weight
    generator = torch.Generator().manual_seed(settings.seed)
    given = rep.matrix(rep.group.sample(1, generator=generator)[0]).to(W)
    values = (lambda: dense(W, rep, generator), lambda: conjugated(W, given), lambda: acted(W, rep, generator))
    sampled = {work: _gradient(W, value) for work, value in zip(WAYS, values, strict=True)}
    return {"penalty": penalty_gradient(binding), **sampled}


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
