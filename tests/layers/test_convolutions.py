"""Every convolution of torch: with W = P W, f(g x) = g f(x) through the real module."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import intertwine as iw
from intertwine.projectors.kernels.steerable import default_rings
from tests.binding.acting import ATOL, acted, image_error, projected, randn
from tests.binding.cases import fill, seeded

C4, D4, O = iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral()
Oh = O.__class__(reflections=True)
MIRROR = iw.Cyclic(2)
LEFT_RIGHT = MIRROR.irrep(1) + MIRROR.trivial()
ABOUT_Z = iw.O(3).standard().restrict(C4, axis="z")
MIXED = D4.regular() + D4.irreps("2x0+ + 1 + 0-") + D4.quotient(iw.Cyclic(2))
Case = tuple[nn.Module, iw.Representation, iw.Representation, tuple[int, ...], iw.Representation | None]


def case(
    kind: type[nn.Module],
    rep_in: iw.Representation,
    rep_out: iw.Representation,
    kernel: tuple[int, ...],
    sides: tuple[int, ...],
    space: iw.Representation | None = None,
    **options: object,
) -> Callable[[], Case]:
    return lambda: (kind(rep_in.dim, rep_out.dim, kernel, **options), rep_in, rep_out, sides, space)


R4, R8 = C4.regular(), D4.regular()
CASES: dict[str, Callable[[], Case]] = {
    "C4": case(nn.Conv2d, R4 + C4.irreps("1 + 2"), 2 * R4, (3, 3), (7, 7), padding=1),
    "D4 mixed": case(nn.Conv2d, MIXED, D4.irreps("1 + 0+") + R8, (3, 3), (5, 5), padding="same"),
    "no bias": case(nn.Conv2d, R4, R4, (3, 3), (5, 5), bias=False),
    "even kernel": case(nn.Conv2d, R8, R8, (2, 2), (5, 5), padding=1),
    "patches": case(nn.Conv2d, D4.irreps("3x0+"), R8, (4, 4), (12, 12), stride=4),
    "stride 2 odd": case(nn.Conv2d, R8, R8, (3, 3), (9, 9), stride=2, padding=1),
    "stride 3": case(nn.Conv2d, R4, R4, (3, 3), (7, 7), stride=3, padding=1),
    "dilated": case(nn.Conv2d, R8, R8, (3, 3), (9, 9), dilation=2, padding=2, stride=2),
    "circular": case(nn.Conv2d, R8, R8, (3, 3), (5, 5), padding=1, padding_mode="circular"),
    "oblong": case(nn.Conv2d, MIRROR.regular(), MIRROR.irreps("2x1 + 0"), (3, 4), (6, 7), LEFT_RIGHT),
    "half turn": case(nn.Conv2d, MIRROR.regular(), MIRROR.regular(), (1, 3), (4, 6), padding=(0, 1)),
    "1x1": case(nn.Conv2d, MIXED, MIXED, (1, 1), (4, 4)),
    "1d": case(nn.Conv1d, MIRROR.irreps("2x0 + 1"), MIRROR.regular(), (5,), (9,), MIRROR.irrep(1), stride=2, padding=2),
    "time": case(
        nn.Conv1d, iw.SO(3).irreps("2x0 + 1"), iw.SO(3).irreps("0 + 2x1"), (3,), (6,), iw.SO(3).trivial(), stride=2
    ),
    "O": case(nn.Conv3d, O.irreps("A1 + T1"), O.irreps("2xA1 + T1 + E"), (3, 3, 3), (5, 5, 5), stride=2, padding=1),
    "Oh": case(nn.Conv3d, Oh.irreps("A1g + T1u"), Oh.irreps("A1g + T2g + T1u"), (3, 3, 3), (3, 3, 3), padding=1),
    "about z": case(nn.Conv3d, R4, R4 + C4.irreps("1"), (2, 3, 3), (3, 5, 5), ABOUT_Z),
    "transposed": case(nn.ConvTranspose2d, R4 + C4.irreps("1"), MIXED.restrict(C4), (3, 3), (5, 5)),
    "transposed stride": case(nn.ConvTranspose2d, MIXED, R8 + D4.irreps("1"), (3, 3), (4, 4), stride=2, padding=1),
    "transposed even": case(nn.ConvTranspose2d, R8, R8, (2, 2), (3, 3), stride=2),
    "transposed dilated": case(nn.ConvTranspose2d, R8, 2 * R8, (3, 3), (4, 4), stride=2, dilation=2, padding=1),
    "transposed 1d": case(
        nn.ConvTranspose1d, MIRROR.irreps("2x0 + 1"), MIRROR.regular(), (4,), (5,), MIRROR.irrep(1), stride=2
    ),
    "transposed 3d": case(nn.ConvTranspose3d, O.irreps("A1 + T1"), O.irreps("T1 + E"), (2, 2, 2), (2, 2, 2), stride=2),
}


def typed(rep_in: iw.Representation, rep_out: iw.Representation, space: iw.Representation | None) -> object:
    return (rep_in, rep_out) if space is None else iw.Typed(rep_in, rep_out, space=space)


@pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
@pytest.mark.parametrize("name", CASES)
def test_module_law(name: str) -> None:
    module, rep_in, rep_out, sides, space = CASES[name]()
    fill(module.double())
    assert image_error(module, rep_in, rep_out, sides, space) > 1e-2  # random weights break it
    projected(module, {"": typed(rep_in, rep_out, space)})
    assert image_error(module, rep_in, rep_out, sides, space) < ATOL
    assert float(module.weight.detach().norm()) > 0.1


def test_the_action_is_rot90() -> None:
    """The tests' own convention: the quarter turn of an image of scalars is torch.rot90 over (-2, -1)."""
    x = randn(2, 3, 5, 5)
    moved = acted(x, C4.irreps("3x0"), C4.generators[0], C4.standard())
    torch.testing.assert_close(moved, torch.rot90(x, 1, (-2, -1)), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("sides", "options"), [((8, 8), {"stride": 2, "padding": 1}), ((7, 7), {"stride": 4}), ((8, 8), {"stride": 3})]
)
def test_a_stride_that_misses_the_centre_breaks_it(sides: tuple[int, ...], options: dict[str, int]) -> None:
    """Where (n + 2p - d(k-1) - 1) % s is not 0, W = P W does not help."""
    module = nn.Conv2d(4, 4, 3, **options)
    projected(module, {"": (R4, R4)})
    exact = (sides[0] + 2 * options.get("padding", 0) - 3) % options["stride"] == 0
    assert (image_error(module, R4, R4, sides) < ATOL) == exact


def test_steerable_kernels_through_the_module() -> None:
    """Where pixels carry no action the projected module is exact at quarter turns."""
    G = iw.SO(2)
    rep_in, rep_out = G.irreps("2x0 + 1"), G.irreps("0 + 1 + 2")
    for module in (nn.Conv2d(4, 5, 5), nn.ConvTranspose2d(4, 5, 5)):
        binding = projected(module, {"": (rep_in, rep_out)})
        assert not binding["weight"].projector.exact
        assert image_error(module, rep_in.restrict(C4), rep_out.restrict(C4), (7, 7)) < ATOL


def test_given_bases_and_rings() -> None:
    G = iw.SO(2)
    rep_in, rep_out = 2 * G.irrep(1), 2 * G.irreps("0")
    basis = randn(2, 1, 2, 3, 3)
    plain = projected(nn.Conv2d(4, 2, 3), {"": iw.Typed(rep_in, rep_out, kernel_basis=basis)})
    swapped = projected(nn.ConvTranspose2d(4, 2, 3), {"": iw.Typed(rep_in, rep_out, kernel_basis=basis)})
    K = randn(2, 4, 3, 3)
    torch.testing.assert_close(
        swapped["weight"].projector.project(K.swapaxes(0, 1)), plain["weight"].projector.project(K).swapaxes(0, 1)
    )
    rings = default_rings((3, 3))
    binding = iw.bind(nn.Conv2d(4, 4, 3), {"": iw.Typed(R4, R4, rings=rings)})
    assert not binding["weight"].projector.exact


def test_lazy_modules_are_bound_once_they_have_a_shape() -> None:
    module = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyConvTranspose2d(4, 3), nn.LazyBatchNorm2d())
    types = {"0": (R4, R4), "1": (R4, R4), "2": R4}
    for name, value in types.items():
        with pytest.raises(iw.errors.ArgumentError, match=r"got a lazy parameter. Run the model once"):
            iw.bind(module, {name: value})
    module(torch.zeros(2, 4, 5, 5))
    projected(module, types)
    module.eval()
    assert image_error(module, R4, R4, (5, 5)) < ATOL


@pytest.mark.parametrize(
    ("wrap", "writable"), [(parametrizations.weight_norm, True), (parametrizations.spectral_norm, False)]
)
def test_parametrised_kernels(wrap: Callable[[nn.Module], nn.Module], writable: bool) -> None:
    module = wrap(nn.Conv2d(4, 8, 3)).double().eval()
    binding = iw.bind(module, {"": (R4, 2 * R4)})
    P = binding["weight"].projector
    torch.testing.assert_close(2 * binding.penalty({"weight": 1.0}), P.squared_residual(module.weight))
    binding.penalty().backward()
    assert module.parametrizations.weight[0] is not None
    assert sum(float(p.grad.abs().sum()) for p in module.parametrizations.parameters()) > 0
    if writable:
        binding.project_()
        assert P.relative_residual(module.weight.detach()) < ATOL
        return
    with pytest.raises(iw.errors.ArgumentError, match=r"right inverse of its parametrisation \(SpectralNorm\); got"):
        binding.project_()


@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated:FutureWarning")
def test_kernels_computed_by_hooks_are_refused() -> None:
    with pytest.raises(iw.errors.ArgumentError, match="weight to be a parameter; got a tensor that a hook computes"):
        iw.bind(torch.nn.utils.weight_norm(nn.Conv2d(4, 4, 3)), {"": (R4, R4)})


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
def test_norms_are_kept_per_output_field(transposed: bool, groups: int) -> None:
    rep_in, rep_out = 2 * C4.irreps("2 + 0 + 1"), 2 * C4.irreps("0 + 1 + 2")
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(8, 8, 3, groups=groups).double()
    binding = iw.bind(module, {"": (rep_in, rep_out)})

    def norms() -> torch.Tensor:
        W = module.weight.detach()
        by_output = W.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1) if transposed else W
        rows = by_output.flatten(1).norm(dim=1).square()
        return torch.stack([rows[a:b].sum().sqrt() for a, b in ((0, 1), (1, 3), (3, 4), (4, 5), (5, 7), (7, 8))])

    before = norms()
    binding.project_(preserve_norm=True)
    torch.testing.assert_close(norms(), before)
    assert binding.penalty() < 1e-20
    binding.initialize_(generator=seeded(3))
    first = copy.deepcopy(module.weight.detach())
    assert binding.penalty() < 1e-20
    assert float(norms().min()) > 0.1
    binding.initialize_(generator=seeded(3))
    assert torch.equal(first, module.weight.detach())


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_decay_of_kernels(kind: type[nn.Module], memory_format: torch.memory_format) -> None:
    module = fill(kind(8, 8, 3).double()).to(memory_format=memory_format)
    binding = iw.bind(module, {"": (R8, D4.irreps("1 + 0+ + 0-") + R4_IN_D4)})
    P, before = binding["weight"].projector, module.weight.detach().clone()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    iw.EquivarianceDecay(optimizer, binding, strength={"weight": 2.0})
    module.weight.grad = torch.zeros_like(module.weight)
    optimizer.step()
    torch.testing.assert_close(module.weight.detach(), P.project(before) + P.residual(before) / 2)
    assert module.weight.is_contiguous(memory_format=memory_format)
    binding.project_()
    torch.testing.assert_close(module.weight.detach(), P.project(before))
    assert module.weight.is_contiguous(memory_format=memory_format)


R4_IN_D4 = D4.quotient(iw.Cyclic(2))


def test_strengths_by_module_name() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3)).double()
    binding = iw.bind(model, {"0": (R4, R4), "2": (R4, R4)})
    assert binding["0.weight"].projector is binding["2.weight"].projector
    alone = iw.bind(model, {"2": (R4, R4)}).penalty(0.3)
    torch.testing.assert_close(binding.penalty({"2": 0.3}), alone)
    assert set(binding.residuals()) == {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert "0.weight (4, 4, 3, 3)  regular, regular, grid[3x3]  rank 36 of 144" in repr(binding)


@pytest.mark.parametrize(
    ("module", "value", "match"),
    [
        (nn.Conv2d(8, 4, 3), (R4, R4), r"rep_in of dimension 8, as in_channels=8; got dimension 4, from regular"),
        (nn.ConvTranspose2d(4, 8, 3), (R4, R4), r"rep_out of dimension 8, as out_channels=8; got dimension 4"),
        (nn.Conv3d(4, 4, 3), (R4, R4), r"types\[''\] \(space\): expected a representation of C4 of dimension 3"),
        (nn.Conv2d(4, 4, 3), iw.Typed(R4, R4, space=D4.standard()), r"\(space\): expected a representation of C4"),
        (nn.Conv2d(4, 4, 3), iw.Typed(R4, R4, space=3), r"types\[''\].space"),
        (nn.Conv2d(4, 4, 3), iw.Typed(R4, R4, hidden=R4), r"types\[''\].hidden: expected nothing for a Conv2d; got"),
        (nn.Linear(4, 4), iw.Typed(R4, R4, space=R4), r"types\[''\].space: expected nothing for a Linear"),
        (nn.Conv2d(4, 4, 3), iw.Typed(R4, "regular"), r"types\[''\].rep_out"),
    ],
)
def test_refused(module: nn.Module, value: object, match: str) -> None:
    with pytest.raises(iw.errors.IntertwineError, match=match):
        iw.bind(module, {"": value})
