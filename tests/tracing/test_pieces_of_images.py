"""Calls that commute only together with others, and calls that the output does not depend on."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.test_inferred_models import axes, bound, error, images

D4 = iw.Dihedral(4)
REP = images(3 * D4.trivial())


def pictures(side=8, channels=3):
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))


class Merging(nn.Module):
    """Patches of 2 x 2 merged into channels by slices, channels first as in YOLO's Focus, or last as in Swin."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.stem, self.merge, self.head = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(64, 32), nn.Linear(32, 5)

    def forward(self, x):
        x = F.relu(self.stem(x))
        if self.way == "focus":
            parts = [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]]
            x = torch.cat(parts, 1).permute(0, 2, 3, 1)
        else:
            x = x.permute(0, 2, 3, 1)
            starts = [(row, column) for column in range(2) for row in range(2)]
            if self.way == "twice the same":
                starts[3] = starts[2]
            if self.way == "in two steps":
                x = torch.cat([x[:, row::2][:, :, column::2] for row, column in starts], -1)
            else:
                x = torch.cat([x[:, row::2, column::2, :] for row, column in starts], -1)
        return self.head(F.gelu(self.merge(x)).mean((1, 2)))


@pytest.mark.parametrize("way", ["focus", "slices", "in two steps"])
def test_patches_merged_by_slices_are_one_layer(way):
    model, x = Merging(way), pictures()
    binding = bound(model, REP, None, x)
    assert binding.breakers == ()
    # 32 channels, 4 regular fields, times 4 pixels x 16 channels, moved freely by 8 elements.
    assert binding["merge.weight"].projector.rank == 32 * 64 // 8
    assert axes(binding, "merge.weight")[0] == "4xregular"
    assert error(binding, REP, None, x) < 1e-6


def test_slices_that_are_not_all_pixels_break_each_by_itself():
    binding = bound(Merging("twice the same"), REP, None, pictures())
    assert {breaker.function for breaker in binding.breakers} == {"getitem"}


@pytest.mark.parametrize("keepdim", [False, True])
def test_a_mean_over_rows_and_then_columns_is_one_mean(keepdim):
    class Means(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 5)

        def forward(self, x):
            x = F.relu(self.stem(x))
            rows = torch.tanh(x.mean(2, keepdim=keepdim))
            return self.head(rows.mean(3 if keepdim else 2, keepdim=keepdim).flatten(1))

    # A function between the two means is what the turn does not commute with.
    binding = bound(Means(), REP, None, pictures())
    assert [breaker.function for breaker in binding.breakers] == ["mean"]

    class Mean(Means):
        def forward(self, x):
            x = F.relu(self.stem(x)).mean(2, keepdim=keepdim).mean(3 if keepdim else 2)
            return self.head(x.flatten(1))

    model, x = Mean(), pictures()
    binding = bound(model, REP, None, x)
    assert binding.breakers == ()
    assert axes(binding, "stem.weight")[0] == "2xregular"
    assert error(binding, REP, None, x) < 1e-6


def test_images_of_unequal_sides_are_turned_into_others():
    model, x = (
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, (2, 1), 1)),
        pictures()[..., :6],
    )
    binding = bound(model[:2], REP, images(D4.regular()), x)
    assert binding.breakers == ()
    assert [breaker.module for breaker in bound(model, REP, REP, x).breakers] == ["2"]


def test_calls_that_the_output_does_not_depend_on_are_not_judged():
    class Shapes(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.positions = nn.Linear(8, 16), nn.Parameter(torch.randn(5, 16))
            self.head = nn.Linear(2, 3)

        def forward(self, x):
            length = torch.arange(x[:, :, -1].shape[1])  # needed for the shape only
            h = torch.tanh(self.stem(x) + self.positions[length])
            return self.head(self.pooled(h.view(2, 5, 2, 8).max(-1)))

        def pooled(self, found):  # the indices are nobody's
            return found.values

    R, x = D4.regular(), torch.randn(2, 5, 8)
    binding = bound(Shapes(), R, None, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "stem.weight") == ("2xregular", "regular")
    assert error(binding, R, None, x) < 1e-6

    class Indices(Shapes):
        def pooled(self, found):
            return found.values + found.indices

    assert [breaker.function for breaker in bound(Indices(), R, None, x).breakers] == ["max"]


def test_values_that_python_takes_are_judged():
    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            y = self.layer(x)
            first = x[..., 0].sum()
            return y if float(first) > -1e9 else -y

    R = D4.regular()
    binding = bound(Branch(), R, R, torch.randn(2, 5, 8))
    assert [breaker.function for breaker in binding.breakers] == ["getitem"]


def test_what_a_view_writes_counts_where_its_memory_is_read():
    class Writes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x):
            y = x.clone()
            first = y[..., 0]
            first.add_(1.0)
            return self.layer(y)

    R = D4.regular()
    binding = bound(Writes(), R, R, torch.randn(2, 5, 8))
    assert [breaker.function for breaker in binding.breakers] == ["getitem", "add_"]


def test_a_table_of_offsets_resized_and_with_rows_for_a_class_token_is_typed():
    class Attend(nn.Module):
        """A class token and 4 x 4 patches, as BEiT: three more rows for pairs with the class token."""

        def __init__(self, width=16, side=4, heads=2):
            super().__init__()
            self.side, self.patch = side, nn.Conv2d(3, width, 2, 2)
            self.token, self.heads = nn.Parameter(torch.randn(1, 1, width)), heads
            self.qkv, self.head = nn.Linear(width, 3 * width), nn.Linear(width, 5)
            self.table = nn.Parameter(torch.randn((2 * side - 1) ** 2 + 3, heads))

        def index(self):
            n, m = self.side, (2 * self.side - 1) ** 2
            points = torch.stack(torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")).flatten(1)
            offsets = points[:, :, None] - points[:, None] + n - 1
            index = torch.full((n * n + 1,) * 2, m + 2)
            index[1:, 1:] = offsets[0] * (2 * n - 1) + offsets[1]
            index[0, 1:], index[1:, 0] = m, m + 1
            return index

        def forward(self, x):
            x = torch.cat([self.token.expand(len(x), -1, -1), self.patch(x).flatten(2).mT], 1)
            q, k, v = self.qkv(x).view(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            m = 2 * self.side - 1
            grid = F.interpolate(self.table[:-3].reshape(1, m, m, -1).permute(0, 3, 1, 2), size=(m, m), mode="bilinear")
            table = torch.cat([grid.permute(0, 2, 3, 1).reshape(m * m, -1), self.table[-3:]])
            index = self.index()
            bias = table[index.view(-1)].view(*index.shape, -1).permute(2, 0, 1)
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
            return self.head(y.transpose(1, 2).flatten(2)[:, 0])

    model, x = Attend(), pictures()
    binding = bound(model, REP, None, x)
    assert binding.breakers == ()
    assert axes(binding, "table")[0] == "grid[7x7] + 3x0+"
    # 7 x 7 offsets have 10 orbits under D4.
    assert binding["table"].projector.rank == (10 + 3) * 2
    assert error(binding, REP, None, x) < 1e-6
