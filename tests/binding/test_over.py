"""Features whose vector index is on another axis than the channels: (atoms, 3, channels), (channels, 3, 3)."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.layers.channels.broadcast import broadcast_projector
from intertwine.layers.norms import statistics
from tests.binding.acting import elements, randn
from tests.binding.cases import dense, fill

C2, C4, D4, O3, SO2, SO3 = iw.Cyclic(2), iw.Cyclic(4), iw.Dihedral(4), iw.O(3), iw.SO(2), iw.SO(3)
VECTOR = SO3.irrep(1)
rank_zero = pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
OVERS = [
    (8 * SO3.trivial(), VECTOR),
    (SO3.irreps("2x0 + 2x1"), VECTOR),
    (8 * SO3.trivial(), VECTOR.tensor(VECTOR)),
    (8 * SO2.trivial(), SO2.irrep(1)),
    (2 * C4.regular(), C4.regular()),
    (2 * C4.regular(), C4.irrep(1)),
    (2 * C4.regular(), C4.irrep(2)),  # a sign
    (C2.irreps("4x0 + 4x1"), C2.permutation([[1, 0]], signs=[[-1, -1]])),
    (C2.irreps("4x0 + 4x1"), C2.irreps("0 + 1")),
    (D4.irreps("3x0+ + 3x0- + 1"), D4.irrep("0-")),
    (O3.irreps("3x0e + 5x0o"), O3.irrep("0o")),
    (O3.irreps("3x0e + 5x0o"), O3.irrep("1o")),
]
ids = [f"{rep} over {over}" for rep, over in OVERS]


def error(module: nn.Module, rep_in: iw.Representation, rep_out: iw.Representation, over: iw.Representation) -> float:
    """``(channels last)`` on (n, over, channels)."""

    def act(rep: iw.Representation, g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return over.act(g, rep.act(g, x).mT).mT

    x = randn(5, over.dim, rep_in.dim)
    with torch.no_grad():
        y = module(x)
        return max(float((module(act(rep_in, g, x)) - act(rep_out, g, y)).abs().max()) for g in elements(over.group))


class ChannelsSecond(nn.Module):
    """A layer of (n, channels, *axes) on (n, over, channels)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.mT).mT


def test_vectors_on_another_axis() -> None:
    layer = nn.Linear(8, 8)
    channels = 8 * SO3.trivial()
    with pytest.warns(iw.RankZeroWarning, match=r"bias: SO\(3\) leaves .* same for every component of 1, of which"):
        binding = iw.bind(layer, {"": iw.Typed(channels, channels, over=VECTOR)})
    assert all(entry.projector.exact for entry in binding)
    assert "not exact" not in str(iw.report(binding))
    assert [(entry.name, entry.projector.rank) for entry in binding] == [("weight", 64), ("bias", 0)]
    found = binding.residuals()
    assert found["weight"].relative_residual == 0
    assert found["bias"].relative_residual == pytest.approx(1, abs=1e-6)
    assert iw.report(binding).parameters[1].relative_residual == pytest.approx(1)
    binding.penalty(strength=0.5).backward()
    torch.testing.assert_close(layer.bias.grad, 0.5 * layer.bias.detach())
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    layer.bias.grad, before = torch.zeros(8), layer.bias.detach().clone()
    optimizer.step()
    torch.testing.assert_close(layer.bias.detach(), before / 1.2)
    binding.initialize_()
    assert not layer.bias.any()
    layer.bias.data.fill_(1.0)
    binding.project_()
    x = torch.randn(32, 3, 8, generator=torch.Generator().manual_seed(0))
    assert float(iw.equivariance_error(layer, VECTOR, VECTOR, x, axis_in=1, axis_out=1)) < 1e-5


@rank_zero
@pytest.mark.parametrize(("rep", "over"), OVERS, ids=ids)
def test_projected_linear_layers_commute_and_brute_force_agrees(
    rep: iw.Representation, over: iw.Representation
) -> None:
    layer = fill(nn.Linear(rep.dim, rep.dim).double())
    assert error(layer, rep, rep, over) > 1e-3
    binding = iw.bind(layer, {"": iw.Typed(rep, rep, over=over)}).project_()
    assert error(layer, rep, rep, over) < 1e-10
    # The bias: the fixed space of b (x) 1 under rep (x) over, by the null space of all constraints.
    both, ones = rep.tensor(over), torch.ones(over.dim, dtype=torch.float64)
    spread = torch.kron(torch.eye(rep.dim, dtype=torch.float64), ones[:, None])
    moved = torch.cat([both.matrix(g) @ spread - spread for g in elements(over.group)])
    assert binding["bias"].projector.rank == rep.dim - int(torch.linalg.matrix_rank(moved, tol=1e-9))
    P = dense(broadcast_projector(rep, over))
    assert float((moved @ P).abs().max()) < 1e-9
    # The weight: W (x) 1 commutes with rep (x) over iff W commutes with rep.
    assert binding["weight"].projector is not None
    assert binding["weight"].projector.rank == iw.projector(rep, rep).rank


@rank_zero
@pytest.mark.parametrize("dim", [1, 2])
def test_convolutions_of_one_pixel(dim: int) -> None:
    over = VECTOR if dim == 1 else VECTOR.tensor(VECTOR)
    conv = fill((nn.Conv1d if dim == 1 else nn.Conv2d)(8, 4, 1).double())
    rep_in, rep_out = 8 * SO3.trivial(), 4 * SO3.trivial()
    binding = iw.bind(conv, {"": iw.Typed(rep_in, rep_out, over=over)}).project_()
    assert [entry.projector.rank for entry in binding] == [32, 0]
    layer = conv if dim == 1 else nn.Sequential(nn.Unflatten(-1, (3, 3)), conv, nn.Flatten(-2))
    assert error(ChannelsSecond(layer), rep_in, rep_out, over) < 1e-10


@pytest.mark.parametrize(("rep", "over"), OVERS, ids=ids)
@pytest.mark.parametrize("kind", ["layer", "rms", "batch", "group", "one group", "instance", "batch without"])
def test_norm_statistics(kind: str, rep: iw.Representation, over: iw.Representation) -> None:
    n = rep.dim
    made = {
        "layer": lambda: nn.LayerNorm(n),
        "rms": lambda: nn.RMSNorm(n),
        "batch": lambda: ChannelsSecond(nn.BatchNorm1d(n)),
        "batch without": lambda: ChannelsSecond(nn.BatchNorm1d(n, track_running_stats=False)),
        "group": lambda: ChannelsSecond(nn.GroupNorm(2, n)),
        "one group": lambda: ChannelsSecond(nn.GroupNorm(1, n)),
        "instance": lambda: ChannelsSecond(nn.InstanceNorm1d(n, affine=True)),
    }[kind]().double()
    if kind == "instance" and over.dim == 1:
        pytest.skip("torch takes no deviation of a single value")
    layer = getattr(made, "layer", made)
    found = statistics(layer, rep, over)
    assert found.keeps == (error(made.eval(), rep, rep, over) < 1e-10)
    if kind == "batch":
        assert (not found.reason) == (error(made.train(), rep, rep, over) < 1e-10)


@rank_zero
def test_a_batch_norm_over_vectors_is_exact_in_eval_mode() -> None:
    rep = 8 * SO3.trivial()
    norm = fill(nn.BatchNorm1d(8).double()).eval()
    norm.running_mean.copy_(randn(8))
    binding = iw.bind(norm, {"": iw.Typed(rep, rep, over=VECTOR)}).project_()
    assert [entry.projector.rank for entry in binding] == [8, 8, 0, 0]
    assert error(ChannelsSecond(norm), rep, rep, VECTOR) < 1e-10


@pytest.mark.parametrize(
    ("module", "value", "match"),
    [
        (
            nn.Linear(8, 8),
            iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=C4.irrep(1)),
            r"over: expected .*SO\(3\)",
        ),
        (nn.Linear(8, 8), iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=3), r"types\[''\].over"),
        (
            nn.Conv1d(8, 8, 3),
            iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=VECTOR),
            "over: expected kernel sides",
        ),
        (nn.Embedding(8, 8), iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=VECTOR), "nothing for an Embedding"),
        (
            nn.MultiheadAttention(8, 2),
            iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=VECTOR),
            "over: expected nothing for a MultiheadAttention",
        ),
        (
            nn.LayerNorm(8),
            iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=VECTOR),
            "component of 1 by its own norm",
        ),
        (nn.GroupNorm(2, 8), iw.Typed(8 * SO3.trivial(), 8 * SO3.trivial(), over=VECTOR), "8x0 over 1: its mean adds"),
        (nn.LayerNorm(4), iw.Typed(4 * C4.trivial(), C4.regular(), over=C4.regular()), "rep_out: expected rep_in, 4x0"),
        (nn.LayerNorm(4), iw.Typed(4 * C4.trivial(), 4 * C4.trivial()), "one representation for a LayerNorm"),
    ],
)
def test_refused(module: nn.Module, value: object, match: str) -> None:
    with pytest.raises(iw.errors.IntertwineError, match=match):
        iw.bind(module, {"": value})
