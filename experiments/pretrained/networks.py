"""A small CNN, its training, and how often it is right."""

import torch
from torch import nn

from experiments.pretrained.data import Digits, turned
from experiments.pretrained.purposes import stream

BATCH, RATE = 64, 6e-3


class LargestOverPixels(nn.Module):
    """``max_x f(x)`` of each channel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(count, channels, rows, columns) to (count, channels)."""
        return x.amax((-2, -1))


def network(widths: tuple[int, int, int, int], classes: int, seed: int) -> nn.Sequential:
    """Three convolutions, the maximum over pixels, two linear layers: all but the weights commutes with D4."""
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**31, (), generator=stream(seed, "weights"))))
        return nn.Sequential(
            nn.Conv2d(1, widths[0], 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(widths[0], widths[1], 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(widths[1], widths[2], 3, padding=1),
            nn.ReLU(),
            LargestOverPixels(),
            nn.Linear(widths[2], widths[3]),
            nn.ReLU(),
            nn.Linear(widths[3], classes),
        )


def train(net: nn.Module, data: Digits, turns: tuple[int, ...], epochs: int, seed: int) -> None:
    """Adam with a warm-up and a cosine schedule; each image turned anew in each epoch."""
    order, turning = stream(seed, "batches"), stream(seed, "turns")
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, epochs * (len(data.x) // BATCH))
    for _ in range(epochs):
        for batch in torch.randperm(len(data.x), generator=order).split(BATCH):
            if len(batch) < BATCH:
                continue
            loss = nn.functional.cross_entropy(net(turned(data.x[batch], turns, turning)), data.y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


@torch.no_grad()
def accuracies(net: nn.Module, data: Digits) -> list[float]:
    """The share of digits that are named right, upright and after one, two and three quarter turns."""
    found = []
    for k in range(4):
        images = torch.rot90(data.x, k, (-2, -1))
        right = sum(
            int((net(x).argmax(1) == y).sum()) for x, y in zip(images.split(500), data.y.split(500), strict=True)
        )
        found.append(right / len(data.x))
    return found
