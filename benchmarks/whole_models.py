"""What it costs to type whole models from one run, and to check their calls, in forward passes of the same process."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from intertwine.tracing.checking.elements import generating_elements
from intertwine.tracing.ends import read_ends
from intertwine.tracing.inference import infer
from intertwine.tracing.models.preserved import preserved


@dataclass(frozen=True)
class Subject:
    """A model with its ends and an example."""

    name: str
    model: nn.Module
    ends: tuple[Any, Any]
    example: torch.Tensor


def rows(settings: Settings) -> Iterator[Row]:
    """Two rows a model; those of timm where that is installed."""
    for make in (vision_transformer, gated, *timm_models(settings)):
        yield from _rows(make(settings), settings)


def _rows(subject: Subject, settings: Settings) -> Iterator[Row]:
    types = read_ends(*subject.ends, None)
    count = len(generating_elements(types.acting.group))
    questions = {
        "check": Question(ratio("check", "forward"), budget=1.2 * (2 + count)),
        "bind": Question(ratio("bind", "forward")),
    }
    with preserved(subject.model), torch.no_grad():
        found = answered(partial(_works, subject, types), questions, settings)
    work = f"{subject.name}, {count} generators"
    yield estimate_row("whole", f"check of every call / forward pass, {work}", found, questions, "check")
    yield estimate_row("whole", f"trace, solve and projectors / forward pass, {work}", found, questions, "bind")


def _works(subject: Subject, types: Any) -> Mapping[str, Work]:
    model, example = subject.model, subject.example
    inference = infer(model, types, example)
    return {
        "forward": lambda: model(example),
        "check": lambda: inference.with_check(example),
        "bind": lambda: infer(model, types, example),
    }


class Attention(nn.Module):
    """A block of a vision transformer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.one, self.two = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attention, then an MLP."""
        qkv = self.qkv(self.one(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(*qkv.unbind(0)).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.two(x))))


class Transformer(nn.Module):
    """Patches, a class token, positions, blocks, a head: ViT-small's shapes."""

    def __init__(self, width: int, heads: int, depth: int, side: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 1 + (side // 16) ** 2, width))
        self.blocks = nn.Sequential(*(Attention(width, heads) for _ in range(depth)))
        self.head = nn.Linear(width, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Images (batch, 3, side, side) to 1000 numbers."""
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.positions
        return self.head(self.blocks(tokens)[:, 0])


class Gated(nn.Module):
    """A gated O(3) MLP on batches of points."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width, self.a, self.b = width, nn.Linear(7, 5 * width), nn.Linear(4 * width, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """4 scalars and a vector to a scalar and a vector."""
        scalars, gates, vectors = self.a(x).split([self.width, self.width, 3 * self.width], -1)
        gated = torch.sigmoid(gates)[..., None] * vectors.unflatten(-1, (self.width, 3))
        return self.b(torch.cat([F.silu(scalars), gated.flatten(-2)], -1))


def vision_transformer(settings: Settings) -> Subject:
    """ViT-small at 224 pixels."""
    side, width, heads, depth = (32, 64, 2, 2) if settings.quick else (224, 384, 6, 12)
    torch.manual_seed(settings.seed)
    images = iw.on_grid(3 * iw.Dihedral(4).trivial())
    model = Transformer(width, heads, depth, side).eval()
    return Subject(
        f"ViT {width} wide, {depth} blocks, {side} pixels", model, (images, None), torch.randn(2, 3, side, side)
    )


def gated(settings: Settings) -> Subject:
    """A gated MLP of vectors."""
    width, batch = (8, 64) if settings.quick else (64, 4096)
    torch.manual_seed(settings.seed)
    rep_in, rep_out = iw.O(3).irreps("4x0e + 1x1o"), iw.O(3).irreps("0e + 1o")
    return Subject(f"gated O(3) MLP, {width} vectors", Gated(width).eval(), (rep_in, rep_out), torch.randn(batch, 7))


def timm_models(settings: Settings) -> list[Callable[[Settings], Subject]]:
    """ResNet-18 at 65 pixels and ConvNeXt-tiny at 64."""
    from benchmarks.models.__main__ import operators_of_torchvision

    if settings.quick:
        return []
    try:
        operators_of_torchvision()
        import timm
    except (ImportError, RuntimeError):
        return []

    def subject(name: str, side: int, settings: Settings) -> Subject:
        torch.manual_seed(settings.seed)
        images = iw.on_grid(3 * iw.Dihedral(4).trivial())
        return Subject(
            f"{name}, {side} pixels", timm.create_model(name).eval(), (images, None), torch.randn(2, 3, side, side)
        )

    cases = (("resnet18", 65), ("convnext_tiny", 64), ("swin_tiny_patch4_window7_224", 224))
    return [partial(subject, name, side) for name, side in cases]
