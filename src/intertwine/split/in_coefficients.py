"""A step of weights whose coefficients are means of entries: AdamW on the coefficients, and on the rest."""

import torch

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
        g, X = layout.gathered(grads[where]), layout.gathered(flat[where])
        c, toward = layout.coefficients(X), layout.coefficients(g)
        kept = [moment[coefficients] for moment in moments[:2]]
        if len(moments) == 2:
            adamw_([c], [toward], [kept[0]], [kept[1]], step, options)
            layout.put_back(layout.expanded(c), flat[where])
            continue
        layout.subtract_(g, toward)
        others = [moment[rest] for moment in moments[2:]]
        changed, pull = X[: layout.changed], g[: layout.changed]
        adamw_([c, changed], [toward, pull], [kept[0], others[0]], [kept[1], others[1]], step, options)
        if not isinstance(factor, torch.Tensor) and factor == 0:
            X = layout.expanded(c)
        else:
            layout.replace_(X, c, factor)
        layout.put_back(X, flat[where])


def adamw_(
    W: Tensors, gradients: Tensors, first: Tensors, second: Tensors, step: torch.Tensor, options: Options
) -> None:
    """AdamW's step in place, by torch's kernel, which makes one pass."""
    torch._fused_adamw_(
        W,
        gradients,
        first,
        second,
        [],
        [step] * len(W),
        lr=options.lr,
        beta1=options.beta1,
        beta2=options.beta2,
        weight_decay=options.weight_decay,
        eps=options.eps,
        amsgrad=False,
        maximize=options.maximize,
    )
