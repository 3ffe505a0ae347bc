"""Residual networks of plain torch layers, typed: a 3D one of SO(3) irreps, and ResNet-18 of D4 regular fields."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

import intertwine as iw
from benchmarks.settings import Settings
from benchmarks.weights import regular, so3_irreps

Types = dict[str, object]


class Block(nn.Module):
    """Two convolutions with batch norm around a shortcut (He et al. 2016, the basic block)."""

    def __init__(self, dims: int, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.conv1, self.norm1 = conv(channels_in, channels, 3, stride, 1, bias=False), norm(channels)
        self.conv2, self.norm2 = conv(channels, channels, 3, 1, 1, bias=False), norm(channels)
        changed = stride > 1 or channels_in != channels
        self.shortcut = conv(channels_in, channels, 1, stride, bias=False) if changed else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The block's output."""
        inner = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(inner)) + self.shortcut(x)).relu()


class ResNet(nn.Module):
    """A stem, stages of two basic blocks, each stage at half the resolution of the one before, mean, linear."""

    def __init__(self, dims: int, stem: nn.Module, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.stem = stem
        blocks: list[nn.Module] = []
        before = widths[0]
        for stage, width in enumerate(widths):
            blocks += [Block(dims, before, width, 1 if stage == 0 else 2), Block(dims, width, width, 1)]
            before = width
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        return self.head(self.blocks(self.stem(x)).flatten(2).mean(2))


@dataclass(frozen=True)
class TypedResNet:
    """A network, its types and the shape of a batch."""

    name: str
    model: ResNet
    types: Types
    batch: tuple[int, ...]

    def bind(self) -> iw.Binding:
        """The binding of what is typed."""
        return iw.bind(self.model, self.types)

    def step(self, settings: Settings, after: Callable[[torch.optim.Optimizer], object] = lambda _: None) -> Callable:
        """One training step: forward, cross-entropy, backward, SGD."""
        generator = torch.Generator().manual_seed(settings.seed)
        x = torch.randn(self.batch, generator=generator).to(settings.device)
        y = torch.randint(0, 10, (self.batch[0],), generator=generator).to(settings.device)
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4)
        after(optimizer)

        def work() -> None:
            optimizer.zero_grad(set_to_none=False)
            nn.functional.cross_entropy(self.model(x), y).backward()
            optimizer.step()

        return work


def so3_resnet(settings: Settings) -> TypedResNet:
    """Stages of 32, 64, 128 channels (2, 4, 8 copies of 0 + 1 + 2 + 3), kernels 3^3: 2.0 M weights, on 28^3."""
    torch.manual_seed(settings.seed)
    widths = (32, 64, 128)
    stem = nn.Sequential(nn.Conv3d(1, widths[0], 3, 1, 1, bias=False), nn.BatchNorm3d(widths[0]), nn.ReLU())
    model = ResNet(3, stem, widths, 10).to(settings.device)
    reps = [so3_irreps(width) for width in widths]
    types: Types = {"stem.0": (iw.SO(3).irrep(0), reps[0])} | _convolutions(model, reps)
    side = 8 if settings.quick else 28
    name = "3D ResNet of SO(3) irreps l = 0..3, stages of 2, 4, 8 copies"
    return TypedResNet(name, model, types, (2 if settings.quick else 32, 1, side, side, side))


def d4_resnet18(settings: Settings) -> TypedResNet:
    """ResNet-18 (stem 7 x 7 stride 2, max pool, 64 to 512 channels, 1000 classes), every layer typed."""
    torch.manual_seed(settings.seed)
    widths, D4 = (64, 128, 256, 512), iw.Dihedral(4)
    stem = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    model = ResNet(2, stem, widths, 1000).to(settings.device)
    reps = [regular(D4, width) for width in widths]
    types: Types = {"stem.0": (3 * D4.trivial(), reps[0]), "stem.1": reps[0]}
    types |= _convolutions(model, reps) | {"head": (reps[-1], 1000 * D4.trivial())}
    for number in range(len(model.blocks)):
        types |= {f"blocks.{number}.norm{k}": reps[number // 2] for k in (1, 2)}
    side = 32 if settings.quick else 64
    name = "ResNet-18 of D4 regular fields"
    return TypedResNet(name, model, types, (2 if settings.quick else 32, 3, side, side))


def _convolutions(model: ResNet, reps: list[iw.Representation]) -> Types:
    """Types of all convolutions in the blocks."""
    types: Types = {}
    for number, block in enumerate(model.blocks):
        rep = reps[number // 2]
        before = reps[max(0, number - 1) // 2]
        types |= {f"blocks.{number}.conv1": (before, rep), f"blocks.{number}.conv2": (rep, rep)}
        if not isinstance(block.shortcut, nn.Identity):
            types[f"blocks.{number}.shortcut"] = (before, rep)
    return types
