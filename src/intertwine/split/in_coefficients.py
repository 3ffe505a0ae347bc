"""A step of weights whose coefficients are means of entries: AdamW on the coefficients, and on the rest."""

import torch

from intertwine.split.labels import LabelledLayout
from intertwine.split.layout import Piece
from intertwine.split.options import Options

Tensors = list[torch.Tensor]


def take_in_coefficients(
    W: torch.Tensor,
    gradient: torch.Tensor,
    pieces: tuple[Piece, ...],
    moments: Tensors,
    step: torch.Tensor,
    factor: float | torch.Tensor,
    options: Options,
) -> None:
    """One step of ``SplitAdamW`` on one weight, in place; the same numbers as by entries, to rounding.

    P g has one number an orbit, and so have its moments. With the coefficients c of P W,
    ``c <- AdamW(c, P g)``, ``W <- AdamW(W, g - P g)``, and then the equivariant part of W is put in place:
    ``W <- f (W - P W) + P^T c``. Both are torch's one-pass kernel.

    Args:
        W: contiguous, in full precision.
        gradient: likewise.
        pieces: of the weight.
        moments: first and second of the coefficients, then those of the rest unless only coefficients are trained.
        step: the number of this step.
        factor: f, ``1 / (1 + lr s)``.
        options: of the param group.
    """
    flat, grads = W.view(-1), gradient.view(-1)
    for layout, where, coefficients, rest in pieces:
        X, g = layout.taken(flat[where]), layout.gathered(grads[where])
        c, toward = layout.coefficients(X), layout.coefficients(g)
        kept = [moment[coefficients] for moment in moments[:2]]
        if len(moments) == 2:
            adamw_([c], [toward], [kept[0]], [kept[1]], [step], options)
            layout.put_back(layout.expanded(c), flat[where])
            continue
        layout.subtract_(g, toward)
        others = [moment[rest] for moment in moments[2:]]
        changed, pull = X[: layout.changed], g[: layout.changed]
        adamw_([c, changed], [toward, pull], [kept[0], others[0]], [kept[1], others[1]], [step, step], options)
        if is_zero(factor):
            X = layout.expanded(c)
        else:
            layout.replace_(X, c, factor)
        layout.put_back(X, flat[where])


def take_small_in_coefficients(
    weights: Tensors,
    gradients: Tensors,
    layout: LabelledLayout,
    ranks: list[int],
    moments: list[Tensors],
    steps: Tensors,
    factor: float | torch.Tensor,
    options: Options,
) -> None:
    """Likewise, on several small weights laid side by side.

    Args:
        weights: of one dtype, in full precision, on a processor.
        gradients: likewise.
        layout: theirs.
        ranks: coefficients, by weight.
        moments: of ``take_in_coefficients``, each by weight.
        steps: the number of this step, by weight.
        factor: as there.
        options: as there.
    """
    X, g = (torch._C._nn.flatten_dense_tensors(tensors) for tensors in (weights, gradients))
    c, toward = layout.coefficients(X), layout.coefficients(g)
    inner, pull = list(c.split_with_sizes(ranks)), list(toward.split_with_sizes(ranks))
    if len(moments) == 2:
        adamw_(inner, pull, moments[0], moments[1], steps, options)
    else:
        layout.subtract_(g, toward)
        sizes = [W.numel() for W in weights]
        inner += X.split_with_sizes(sizes)
        pull += g.split_with_sizes(sizes)
        adamw_(inner, pull, moments[0] + moments[2], moments[1] + moments[3], steps + steps, options)
    if len(moments) == 2 or is_zero(factor):
        X = layout.expanded(c)
    else:
        layout.replace_(X, c, factor)
    torch._foreach_copy_(weights, list(torch._C._nn.unflatten_dense_tensors(X, weights)))


def is_zero(factor: float | torch.Tensor) -> bool:
    """Whether nothing of the rest is left; a tensor is not looked at."""
    return not isinstance(factor, torch.Tensor) and factor == 0


def adamw_(W: Tensors, gradients: Tensors, first: Tensors, second: Tensors, steps: Tensors, options: Options) -> None:
    """AdamW's step in place, by torch's kernel, which makes one pass."""
    torch._fused_adamw_(
        W,
        gradients,
        first,
        second,
        [],
        steps,
        lr=options.lr,
        beta1=options.beta1,
        beta2=options.beta2,
        weight_decay=options.weight_decay,
        eps=options.eps,
        amsgrad=False,
        maximize=options.maximize,
    )
