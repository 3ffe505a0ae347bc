"""Frame after frame from a network of one step."""

import torch
from torch import nn


class RollOut(nn.Module):
    """Predicts frame after frame, each from the last ones and its own predictions.

    ``v_(t+1) = v_t + c f((v_(t-h+2) - v_(t-h+1)) / c, ..., (v_t - v_(t-1)) / c, v_t)``, h frames in, c the size of
    changes: what f sees and gives is of order one, which speeds up learning and keeps every symmetry.

    Shapes: (batch, history * 2, side, side) -> (batch, steps, 2, side, side).

    Args:
        step: f, from (batch, history * 2, side, side) to (batch, 2, side, side).
        steps: how many frames; may be changed later.
        change: c, the root mean square of the change from a frame to the next.

    Examples:
        >>> still = RollOut(nn.Conv2d(6, 2, 1), steps=4)
        >>> _ = [nn.init.zeros_(p) for p in still.parameters()]
        >>> x = torch.rand(5, 6, 8, 8)
        >>> bool((still(x) == x[:, None, -2:]).all())
        True
    """

    def __init__(self, step: nn.Module, steps: int, change: float = 1.0) -> None:
        super().__init__()
        self.step, self.steps, self.change = step, steps, change

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The frames that follow."""
        frames = []
        for _ in range(self.steps):
            last = x[:, -2:]
            changes = (x[:, 2:] - x[:, :-2]) / self.change
            following = last + self.change * self.step(torch.cat([changes, last], dim=1))
            frames.append(following)
            x = torch.cat([x[:, 2:], following], dim=1)
        return torch.stack(frames, dim=1)
