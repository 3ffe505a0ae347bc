"""One typed weight in one step: its state, the value that is trained, the gradient."""

from dataclasses import dataclass
from typing import Any

import torch

from intertwine._numerics import HALF, accumulation_dtype
from intertwine.errors import ArgumentError
from intertwine.projectors.norms.proximal import Rate
from intertwine.split.checks import check_dense_gradient
from intertwine.split.components import Split, factor

# The state of a weight: AdamW's names, a second moment a component, a copy of half-precision weights in float32.
STEP, FIRST, SECOND, MASTER = "step", "exp_avg", "exp_avg_sq_", "master"


@dataclass(frozen=True)
class Weight:
    """One typed weight in one step.

    Attributes:
        name: for errors.
        parameter: W, which has a gradient.
        split: its components.
        strengths: of each projector, now.
        state: of the optimiser.
    """

    name: str
    parameter: torch.Tensor
    split: Split
    strengths: tuple[float, ...]
    state: dict[str, Any]

    @property
    def entries(self) -> int:
        """How many are worked on at a time."""
        labels = self.split.labels
        return self.parameter.numel() if labels is None else len(labels.numbers)

    @property
    def kind(self) -> tuple[object, ...]:
        """Equal for weights that are worked on together."""
        W = self.parameter
        shrinkage = self.strengths if self.split.labels is not None else (len(self.strengths), self.split.has_own_norm)
        return W.device, accumulation_dtype(W.dtype), self.split.names, self.split.labels is None, shrinkage

    def value(self) -> torch.Tensor:
        """What is trained: W, or its copy in float32, brought up to date with what others wrote into W."""
        W = self.parameter
        if W.dtype not in HALF:
            return W
        master: torch.Tensor = self.state[MASTER]
        master.copy_(torch.where(master.to(W.dtype) == W, master, W.to(master.dtype)))
        return master

    def gradient(self) -> torch.Tensor:
        """The parameter's, in the dtype of what is trained."""
        gradient = self.parameter.grad
        assert gradient is not None  # noqa: S101 - weights without one take no step
        return gradient.to(accumulation_dtype(gradient.dtype))

    def factor(self, name: str, lr: Rate) -> Rate:
        """What the component of that name is multiplied by after a step; 1 where P has a norm of its own."""
        return 1.0 if self.split.has_own_norm else factor(self.strengths, name, lr)

    def moments(self) -> dict[str, int | None]:
        """Names, with the number of entries; None for the weight's own shape."""
        names, pieces, labels = self.split.names, self.split.pieces, self.split.labels
        if pieces:
            sizes = {"+": pieces[-1].coefficients.stop, "-": pieces[-1].rest.stop}
        elif labels is not None:
            apart = 0 if self.split.sparse is None else len(labels.numbers)
            sizes = {"+": labels.rank, "-": self.parameter.numel() + apart}
        else:
            return dict.fromkeys((FIRST, *(f"{SECOND}{name}" for name in names)))
        return {f"{kind}{name}": sizes[name] for name in names for kind in (f"{FIRST}_", SECOND)}

    def begin(self, *, capturable: bool) -> None:
        """Zeros for what the state lacks.

        Raises:
            ArgumentError: a state of another optimiser, or sparse gradients.
        """
        W = self.parameter
        check_dense_gradient(self.name, W)
        wanted = self.moments()
        if not self.state:
            dtype = accumulation_dtype(W.dtype)
            device = W.device if capturable or self.split.is_by_coefficient else torch.device("cpu")
            self.state[STEP] = torch.zeros((), dtype=torch.float32, device=device)
            for key, size in wanted.items():
                self.state[key] = (
                    torch.zeros_like(W, dtype=dtype, memory_format=torch.preserve_format)
                    if size is None
                    else torch.zeros(size, dtype=dtype, device=W.device)
                )
            if W.dtype in HALF:
                self.state[MASTER] = W.detach().to(dtype, copy=True)
            return
        missing = [key for key in (STEP, *wanted, *([MASTER] if W.dtype in HALF else [])) if key not in self.state]
        if missing:
            raise ArgumentError(
                "state_dict",
                expected=f"the state of a SplitAdamW over the same bindings, which has {', '.join(missing)}",
                got=f"{', '.join(map(str, self.state))} for {self.name}",
                advice="A state of AdamW has no moments by component: begin anew, or train on with AdamW.",
            )
