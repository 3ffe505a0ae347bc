import functools
import json
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, NonFiniteError, ShapeError


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def regular(copies=4, n=4):
    return copies * iw.Cyclic(n).regular()


def inputs(rep, batch=10, dtype=torch.float32):
    return torch.randn(batch, rep.dim, generator=seeded(), dtype=dtype)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 3e-7), (torch.float64, 1e-15), (torch.bfloat16, 1e-2)])
def test_equivariant_layer_has_rounding_error_only(dtype, bound):
    rep = iw.SO(3).irreps("8x0 + 4x1 + 2x2")
    P = iw.projector(rep, rep)
    weight = P.project(torch.randn(rep.dim, rep.dim, generator=seeded(), dtype=torch.float64)).to(dtype)
    # The weight itself is rounded, by design of P within its dtype.
    error = iw.equivariance_error(lambda x: x @ weight.T, rep, rep, inputs(rep, dtype=dtype), generator=seeded(1))
    assert 0 < error.relative_worst < bound * 3
    assert error.relative_mean <= error.relative_worst


def test_values_equal_the_definition():
    rep = regular()
    x = inputs(rep)
    ramp = torch.linspace(0.5, 2, rep.dim)

    def f(x):
        return torch.sin(ramp * x)

    error = iw.equivariance_error(f, rep, rep, x)
    relative, absolute = [], []
    for g in rep.group.elements():
        matrix = rep.matrix(g)
        difference = f((x.double() @ matrix.T).float()).double() - f(x).double() @ matrix.T
        relative.append(float(difference.norm() / f(x).double().norm()))
        absolute.append(float(difference.square().mean().sqrt()))
    assert error.relative_worst == pytest.approx(max(relative), rel=1e-9)
    assert error.relative_mean == pytest.approx(sum(relative) / 4, rel=1e-9)
    assert error.absolute_worst == pytest.approx(max(absolute), rel=1e-9)
    assert error.absolute_mean == pytest.approx(sum(absolute) / 4, rel=1e-9)
    assert float(error) == error.relative_worst


@pytest.mark.parametrize("planted", [1, 2, 3])
def test_planted_breaker_is_found_with_its_element(planted):
    """Kept by every element but one: f adds a bump where the input is the planted image of the reference."""
    rep = regular(copies=2)
    x = inputs(rep)
    elements = rep.group.elements()
    target = rep.act(elements[planted], x.double()).float()

    def breaker(y):
        return y + (1.0 if torch.equal(y, target) else 0.0)

    error = iw.equivariance_error(breaker, rep, rep, x)
    assert error.worst_element.equal(elements[planted])
    assert error.relative_worst == pytest.approx(4 * error.relative_mean)
    assert f"turn by {90 * planted} degrees" in str(error)


def test_worst_mirror_is_named():
    G = iw.O(2)
    rep_in, rep_out = G.irreps("2x1"), G.irreps("0+")
    # The determinant of two vectors is invariant under turns and changes sign under mirrors.
    error = iw.equivariance_error(
        lambda x: x[:, :1] * x[:, 3:] - x[:, 1:2] * x[:, 2:3], rep_in, rep_out, inputs(rep_in), generator=seeded()
    )
    assert error.relative_worst == pytest.approx(2.0, rel=1e-5)
    assert torch.linalg.det(error.worst_element) < 0
    assert "mirror" in repr(error)


@pytest.mark.parametrize(
    ("group", "num_samples", "exact", "count"),
    [
        (iw.Cyclic(4), None, True, 4),
        (iw.Cyclic(4), 10, True, 4),
        (iw.Cyclic(4), 4, True, 4),
        (iw.Cyclic(4), 3, False, 3),
        (iw.Cyclic(200), None, False, 32),
        (iw.Cyclic(200), 200, True, 200),
        (iw.SO(3), None, False, 32),
        (iw.SO(3), 7, False, 7),
    ],
)
def test_exact_over_small_finite_groups_and_sampled_otherwise(group, num_samples, exact, count):
    rep = group.standard()
    x = inputs(rep, batch=2)
    error = iw.equivariance_error(nn.Identity(), rep, rep, x, num_samples=num_samples, generator=seeded())
    assert (error.exact, error.num_elements) == (exact, count)
    assert (f"all {count} elements" in str(error)) == exact
    assert (f"{count} random elements" in str(error)) != exact


def test_samples_come_from_the_generator_alone():
    rep = iw.SO(3).standard()

    def measured(seed):
        return iw.equivariance_error(torch.relu, rep, rep, inputs(rep), generator=seeded(seed)).relative_worst

    torch.rand(3)
    first = measured(5)
    torch.rand(3)
    assert measured(5) == first != measured(6)


def test_modules_run_in_eval_mode_and_are_restored_one_by_one():
    rep = regular()
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.9), nn.ReLU()))
    model.train()
    model[1].eval()
    before = [module.training for module in model.modules()]
    assert float(iw.equivariance_error(model, rep, rep, inputs(rep))) == 0
    assert [module.training for module in model.modules()] == before


def test_modules_are_restored_after_an_error():
    model = nn.Linear(3, 3)
    with pytest.raises(ArgumentError, match=r"x: .* function takes; got a tensor.*, and RuntimeError: mat1") as raised:
        iw.equivariance_error(model, regular(), regular(), inputs(regular()))
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert model.training


def test_no_gradients_are_recorded():
    seen = []

    def f(x):
        seen.append(torch.is_grad_enabled())
        return x

    iw.equivariance_error(f, regular(), regular(), inputs(regular()).requires_grad_())
    assert seen
    assert not any(seen)


def test_zero_outputs():
    rep = regular()
    zero = iw.equivariance_error(lambda x: 0 * x, rep, rep, inputs(rep))
    assert (float(zero), zero.absolute_worst) == (0, 0)
    x = inputs(rep)
    appears = iw.equivariance_error(lambda y: y - x, rep, rep, x)
    assert math.isinf(float(appears))
    assert 0 < appears.absolute_worst < 10


def test_invariant_output_and_tuple_outputs():
    G = iw.Dihedral(4)
    rep = 3 * G.regular()

    def f(x):
        return x.square(), x.sum(-1, keepdim=True), x[:, :1]

    error = iw.equivariance_error(f, rep, (rep, G.trivial(), G.trivial()), inputs(rep))
    assert error.worst_output == 2
    assert float(error) > 0.5
    assert "output 2" in str(error)
    assert float(iw.equivariance_error(lambda x: f(x)[:2], rep, (rep, G.trivial()), inputs(rep))) < 1e-6


def test_channels_of_images_and_actions_as_functions():
    G = iw.Cyclic(4)
    image = torch.randn(2, 8, 5, 5, generator=seeded())
    error = iw.equivariance_error(torch.relu, 2 * G.regular(), 2 * G.regular(), image, axis_in=1, axis_out=1)
    assert float(error) == 0

    def turned(g, x):
        return G.grid(5, 5).act(g, x.flatten(-2)).unflatten(-1, (5, 5))

    symmetric = torch.tensor([[1.0, 2, 1], [2, 5, 2], [1, 2, 1]])[None, None].expand(8, 1, 3, 3)
    conv = functools.partial(nn.functional.conv2d, weight=symmetric, groups=8)
    crop = iw.equivariance_error(conv, turned, lambda g, x: torch.rot90(x, _quarters(g), (-2, -1)), image, group=G)
    assert float(crop) < 1e-6
    lopsided = functools.partial(nn.functional.conv2d, weight=torch.rand(8, 1, 3, 3, generator=seeded()), groups=8)
    wrong = iw.equivariance_error(lopsided, turned, lambda g, x: torch.rot90(x, _quarters(g), (-2, -1)), image, group=G)
    assert float(wrong) > 0.1


def _quarters(g):
    return round(math.atan2(g[1, 0], g[0, 0]) / (math.pi / 2))


def test_complex_features():
    G = iw.Cyclic(4)
    rep = G.representation(torch.tensor([[[1j]]]).numpy())
    x = torch.randn(6, 1, generator=seeded(), dtype=torch.complex64)
    assert float(iw.equivariance_error(lambda x: x * x.abs(), rep, rep, x)) < 1e-6
    assert float(iw.equivariance_error(torch.conj, rep, rep, x)) == pytest.approx(2.0, rel=1e-5)
    with pytest.raises(DtypeError, match="complex features"):
        iw.equivariance_error(lambda x: x, rep, rep, x.real)


def test_e3nn_irreps_are_accepted():
    o3 = pytest.importorskip("e3nn.o3")
    irreps = o3.Irreps("4x0e + 2x1o")
    layer = o3.Linear(irreps, irreps)
    x = torch.randn(5, irreps.dim, generator=seeded())
    assert float(iw.equivariance_error(layer, irreps, irreps, x, generator=seeded())) < 1e-5


def test_dict_is_ready_for_json():
    rep = regular()
    values = iw.equivariance_error(torch.relu, rep, rep, inputs(rep)).to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["exact"] is True


BAD = [
    (lambda r, x: (torch.relu, r, r, x[:, :3]), ShapeError, r"x: expected length 16 on axis -1.*got shape \(10, 3\)"),
    (lambda r, x: (lambda x: x[:, :2], r, r, x), ShapeError, "the output of function: expected length 16"),
    (lambda r, x: (torch.relu, r, r, x[:0]), ShapeError, "at least one sample"),
    (lambda r, x: (torch.relu, r, r, x.long()), ArgumentError, "outputs; got torch.int64"),
    (lambda r, x: (torch.relu, r, r, x.to(torch.float8_e4m3fn)), DtypeError, "x: expected a dtype .*float8_e4m3fn"),
    (lambda r, x: (None, r, r, x), ArgumentError, "function: expected a function .* that takes x; got None"),
    (lambda r, x: (3, r, r, x), ArgumentError, "function: expected a function"),
    (lambda r, x: (torch.relu, r, (), x), ArgumentError, r"rep_out: expected at least one representation; got \(\)"),
    (lambda r, x: (torch.relu, lambda g, y: None, r, x), ArgumentError, "rep_in: expected an action .*got NoneType"),
    (lambda r, x: (torch.relu, r, lambda g, y: None, x), ArgumentError, "rep_out: expected an action"),
    (lambda r, x: (torch.relu, r, lambda g, y: y[:1], x), ArgumentError, r"got a tensor of shape \(1, 16\)"),
    (lambda r, x: (torch.relu, lambda g, y: y[:1], r, x), ArgumentError, r"rep_in: .*got a tensor of shape \(1, 16\)"),
    (lambda r, x: (torch.relu, lambda g, y: 1j * y, r, x), ArgumentError, "rep_in: expected an action"),
    (lambda r, x: (torch.relu, r, lambda g, y: y / 0, x), NonFiniteError, "rep_out: expected finite numbers"),
    (lambda r, x: (torch.relu, r, r, [1.0]), ArgumentError, "x: expected a torch tensor"),
    (lambda r, x: (torch.relu, r, r, x * float("nan")), NonFiniteError, "x: expected finite"),
    (lambda r, x: (lambda x: x / 0, r, r, x), NonFiniteError, "function: expected finite outputs"),
    (lambda r, x: (lambda x: (x, x), r, r, x), ArgumentError, "give a tuple as rep_out"),
    (lambda r, x: (lambda x: x, r, (r, r), x), ArgumentError, "expected 2 outputs, as rep_out has; got 1"),
    (lambda r, x: (lambda x: x > 0, r, r, x), ArgumentError, "torch.bool"),
    (lambda r, x: (torch.relu, r, "regular", x), ArgumentError, "rep_out"),
    (
        lambda r, x: (torch.relu, r, iw.Cyclic(8).trivial(), x),
        GroupMismatchError,
        "rep_out: expected a representation of C4",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_bad_arguments_are_named(call, error, message):
    rep = regular()
    with pytest.raises(error, match=message):
        iw.equivariance_error(*call(rep, inputs(rep)))


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_bad_sample_counts(count):
    rep = regular()
    with pytest.raises(ArgumentError, match="num_samples: expected an integer >= 1"):
        iw.equivariance_error(torch.relu, rep, rep, inputs(rep), num_samples=count)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"axis_in": "a"}, "axis_in: expected an integer, the axis .*got 'a'"),
        ({"axis_in": 1.0}, "axis_in: expected an integer"),
        ({"axis_out": (1, 2)}, "axis_out: expected an integer"),
        ({"group": "C4"}, "group: expected a group.*got 'C4'"),
    ],
)
def test_bad_options_are_named(options, message):
    rep = regular()
    with pytest.raises(ArgumentError, match=message):
        iw.equivariance_error(torch.relu, rep, rep, inputs(rep), **options)


def test_functions_as_actions_need_a_group():
    with pytest.raises(ArgumentError, match="group: expected the group"):
        iw.equivariance_error(torch.relu, lambda g, x: x, lambda g, x: x, torch.ones(1, 2))
