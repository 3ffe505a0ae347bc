"""SplitAdamW: AdamW with second moments of its own for the equivariant part of each weight, and for the rest."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch.optim.adamw import adamw

from intertwine._arguments import flag
from intertwine._numerics import HALF
from intertwine.binding import Binding
from intertwine.decay.schedules import Schedule
from intertwine.errors import ArgumentError
from intertwine.projectors.norms.proximal import Rate
from intertwine.split.component_optimizer import ComponentOptimizer
from intertwine.split.labels import BagsOfSeveral
from intertwine.split.moments import take
from intertwine.split.options import Options, check_options, options_of
from intertwine.split.weight import FIRST, STEP, Weight

# AdamW's second moment of a parameter without type.
PLAIN_SECOND = "exp_avg_sq"


class SplitAdamW(ComponentOptimizer):
    """AdamW whose second moments do not mix what P separates, with the decay of the non-equivariant part.

    ``m <- b1 m + (1-b1) g``

    ``v_e <- b2 v_e + (1-b2) (P g)^2,   v_r <- b2 v_r + (1-b2) (g - P g)^2``

    ``u_e = P m / (sqrt(v_e) + eps),    u_r = (m - P m) / (sqrt(v_r) + eps)``

    ``W <- (1 - lr wd) W - lr (P u_e + (1 - P) u_r)``

    ``W <- P W + (W - P W) / (1 + lr s)``

    with bias corrections as in AdamW. AdamW has one second moment an entry, in which both parts are mixed: a penalty's
    gradient shortens the steps of the equivariant part, and rounding in entries that ought to be zero becomes steps of
    full size, so that weights of irreps leave the subspace even if loss and data are equivariant. Here each part is
    trained as if alone. At ``strength=inf`` this is AdamW inside the subspace; where P's coefficients are entries
    (permutations, irreps of real type) it is AdamW on the coefficients. Parameters without type take AdamW's step.

    With several bindings whose projectors commute, as along a chain of subgroups, each joint component has a second
    moment, and is divided by 1 + lr times the sum of the strengths that penalise it. Where P has a norm of its own, the
    split is that of the stored numbers, and the last step the proximal step in P's norm.

    Typed parameters in bfloat16 or float16 keep a float32 copy that is trained; what somebody else writes into them
    is taken up at the next step. Typed buffers (running statistics) are projected at infinite strength.

    State: where the coefficients of P W are means of signed entries (orbits, diagonals of irreps, turns of the plane)
    those have one moment each (``exp_avg_+``, ``exp_avg_sq_+``), and the rest has its own (``exp_avg_-``,
    ``exp_avg_sq_-``): AdamW's two tensors and a little, or the little alone where the strength is always infinite.
    Where P makes most entries of a large weight zero, the rest of the others has its own apart, a quarter more at most.
    Three tensors (two) of other weights (``exp_avg``, ``exp_avg_sq_+``, ``exp_avg_sq_-``), as of general commutants and
    several bindings.

    ``torch.compile`` takes the step without a graph break, one program for all steps.

    Args:
        params: parameters, named parameters, or param groups, as of ``torch.optim.AdamW``.
        binding: a ``Binding``, or a sequence of them, one for each group.
        lr: the learning rate.
        betas: of the moments.
        eps: added to the roots of second moments.
        weight_decay: of the whole weight, as in AdamW.
        strength: as in ``EquivarianceDecay``: a number >= 0 or ``inf``, a mapping from names, or a callable from the
            number of steps done; for several bindings a sequence.
        maximize: whether to ascend.
        foreach: False takes weights one at a time, which needs the least memory.
        capturable: whether steps are counted on the device, for CUDA graphs.

    Raises:
        ArgumentError: typed parameters that it does not hold, that a parametrisation or a hook computes, or whose
            projectors do not commute; a number out of range; sparse gradients; a callable strength with ``capturable``.
        UnknownNameError: a name in a strength that fits no typed parameter.

    Warns:
        DecayWarning: running statistics stay as they are beside parameters that are projected.

    Source:
        AdamW: Loshchilov and Hutter 2019, arXiv 1711.05101. The penalty: Berndt and Stuehmer, arXiv 2601.05028. Moments
        by component are ours.

    Examples:
        >>> import intertwine as iw, torch
        >>> V, layer = iw.Cyclic(4).regular(), torch.nn.Linear(4, 4)
        >>> binding = iw.bind(layer, {"": (V, V)})
        >>> optimizer = iw.SplitAdamW(layer.parameters(), binding, lr=0.1, strength=float("inf"))
        >>> layer(torch.randn(8, 4)).square().sum().backward()
        >>> optimizer.step()
        >>> binding.residuals()["weight"].relative_residual < 1e-6
        True
    """

    kept = (*ComponentOptimizer.kept, "_foreach")

    def __init__(  # noqa: PLR0913 - AdamW's arguments
        self,
        params: Iterable[Any],
        binding: Binding | Sequence[Binding],
        lr: Rate = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        *,
        strength: Schedule | Sequence[Schedule],
        maximize: bool = False,
        foreach: bool = True,
        capturable: bool = False,
    ) -> None:
        flags = {"maximize": flag("maximize", maximize), "capturable": flag("capturable", capturable)}
        self._foreach = flag("foreach", foreach)
        self._bags = BagsOfSeveral()
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, **flags}
        super().__init__(params, options, binding, strength)
        if capturable and not self._schedules.is_constant:
            raise ArgumentError("strength", expected="numbers, which a captured step does not change", got="a callable")
        self._begin()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As of torch's optimisers.

        Raises:
            ArgumentError: a number out of range.
        """
        super().add_param_group(param_group)
        try:
            check_options(self.param_groups[-1])
        except ArgumentError:
            del self.param_groups[-1]
            raise

    def _take(self, strengths: Sequence[tuple[float, ...]], typed: dict[int, int]) -> None:
        for group in self.param_groups:
            options = options_of(group)
            weights, plain = [], []
            for W in group["params"]:
                if W.grad is None:
                    continue
                number = typed.get(id(W))
                if number is None:
                    plain.append(W)
                    continue
                now, name = self._strengths_of(number, strengths), self._targets[number].name
                weights.append(Weight(name, W, self._splits[number], now, self.state[W]))
            if weights:
                take(weights, options, self._maps, self._bags, foreach=self._foreach)
            if plain:
                self._take_plain(plain, options)

    def _take_plain(self, parameters: list[torch.Tensor], options: Options) -> None:
        """AdamW's step of parameters without type."""
        for W in parameters:
            if not self.state[W]:
                device = W.device if options.capturable else torch.device("cpu")
                self.state[W][STEP] = torch.zeros((), dtype=torch.float32, device=device)
                for key in (FIRST, PLAIN_SECOND):
                    self.state[W][key] = torch.zeros_like(W, memory_format=torch.preserve_format)
        states = [self.state[W] for W in parameters]
        adamw(
            parameters,
            [W.grad for W in parameters if W.grad is not None],
            [state[FIRST] for state in states],
            [state[PLAIN_SECOND] for state in states],
            [],
            [state[STEP] for state in states],
            foreach=self._foreach,
            capturable=options.capturable,
            has_complex=any(W.is_complex() for W in parameters),
            amsgrad=False,
            beta1=options.beta1,
            beta2=options.beta2,
            lr=options.lr,
            weight_decay=options.weight_decay,
            eps=options.eps,
            maximize=options.maximize,
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As of torch's optimisers; float32 copies and moments of half-precision weights stay in float32."""
        super().load_state_dict(state_dict)
        saved = [number for group in state_dict["param_groups"] for number in group["params"]]
        mine = [W for group in self.param_groups for W in group["params"]]
        for number, W in zip(saved, mine, strict=True):
            for name, value in state_dict["state"].get(number, {}).items():
                # torch casts what it loads to the parameter's dtype.
                if W.dtype in HALF and isinstance(value, torch.Tensor) and name != STEP:
                    self.state[W][name] = value.to(W.device, copy=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._bags = BagsOfSeveral()
