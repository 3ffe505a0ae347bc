"""Values that were taken without a word, and values that ended in a traceback of torch, are refused by name."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine import baselines
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, ShapeError, UnknownNameError

C4 = iw.Cyclic(4)
REP = C4.regular()
FIELD = REP.segments[0].field
X = torch.linspace(-1, 1, 12).reshape(3, 4)


def layer(**options):
    return iw.bind(nn.Linear(4, 4, **options), {"": (REP, REP)})


def decay(strength):
    net = nn.Linear(4, 4)
    return iw.EquivarianceDecay(torch.optim.SGD(net.parameters(), lr=0.1), iw.bind(net, {"": (REP, REP)}), strength)


def subject(**options):
    net = nn.Linear(4, 4)
    return baselines.Subject(net, iw.bind(net, {"": (REP, REP)}), C4, REP.act, REP.act, **options)


def training_step(optimizer=None, y=X, criterion=torch.nn.functional.mse_loss):
    method = baselines.make_method("plain", subject())
    optimizer = torch.optim.SGD(method.model.parameters(), lr=0.1) if optimizer is None else optimizer
    return baselines.training_step(method, optimizer, X, y, criterion)


def eight_bits():
    return torch.zeros(4, 4).to(torch.float8_e4m3fn)


SILENT = [
    (lambda: iw.Segment(-1, FIELD), ArgumentError, "mul: expected how many copies"),
    (lambda: iw.Segment(1.5, FIELD), ArgumentError, "mul: expected how many copies.*got 1.5"),
    (lambda: iw.Segment(2, FIELD, "xx"), ArgumentError, "layout: expected 'mul_ir' or 'ir_mul'; got 'xx'"),
    (lambda: iw.nn.PointwiseActivation(REP, 3), ArgumentError, "activation: expected a function of a tensor.*got 3"),
    (lambda: iw.nn.NormActivation(REP, "tanh"), ArgumentError, "activation: expected a function"),
    (lambda: iw.nn.Gate(REP, None), ArgumentError, "scalar_activation: expected a function"),
    (lambda: iw.nn.FieldNorm(REP, eps=math.nan), ArgumentError, "eps: expected a number >= 0; got nan"),
    (lambda: iw.Rings((-1.0,), (1.0,), (1,)), ArgumentError, "radii: expected numbers >= 0; got -1.0"),
    (lambda: iw.Rings((1.0,), (1.0, 1.0), (1,)), ArgumentError, "got 1 radii, 2 widths, 1 bands"),
    (
        lambda: iw.residual_by_irreps(iw.projector(REP), torch.zeros(4).int()),
        DtypeError,
        "W: expected a floating-point",
    ),
    (lambda: iw.translation_projector(1, 1, b"\x03"), ArgumentError, "grid: expected a tuple of positive integers"),
    (lambda: iw.equivariance_error(torch.relu, REP, REP, torch.ones(1, 4), generator=0), ArgumentError, "generator"),
    (lambda: iw.testing.assert_group(C4, atol=math.nan), ArgumentError, "atol: expected a tolerance.*got nan"),
    (
        lambda: iw.nn.NormActivation(REP, nn.Tanh),
        ArgumentError,
        r"got the class Tanh. Give an instance, as Tanh\(...\)",
    ),
    (lambda: iw.nn.PointwiseActivation(REP, lambda: 3), ArgumentError, r"got <lambda>\(\): too many positional"),
    (lambda: decay(int), ArgumentError, "strength: expected a function of the number of steps.*the class int"),
    (lambda: decay(iw.on_grid(REP)), ArgumentError, "strength: .*got GridAction.*missing a required argument: 'x'"),
    (lambda: subject(hidden={"9": REP.act}), UnknownNameError, "hidden: expected names of modules"),
    (lambda: subject(hidden={"": 3}), ArgumentError, r"hidden\[''\]: expected a function"),
    (lambda: subject(lie_in=lambda x: x), ArgumentError, "lie_in: expected a function.*too many positional"),
    (lambda: layer(device="meta").project_(), ArgumentError, "weight: expected a tensor with values"),
]
RAW = [
    (lambda: iw.equivariance_error(int, REP, REP, X), ArgumentError, "function: .*got the class int. Give an instance"),
    (lambda: iw.equivariance_error(nn.Linear, REP, REP, X), ArgumentError, "function: .*the class Linear"),
    (lambda: iw.equivariance_error(lambda: 3, REP, REP, X), ArgumentError, "function: .*too many positional"),
    (lambda: iw.equivariance_error(torch.relu, lambda x: x, REP, X), ArgumentError, r"rep_in: .*\(g, x\) -> g x"),
    (lambda: iw.equivariance_error(torch.relu, nn.Tanh(), REP, X), ArgumentError, r"rep_in: .*got Tanh"),
    (lambda: iw.testing.assert_equivariant(int, REP, REP), ArgumentError, "function: .*the class int"),
    (
        lambda: iw.equivariance_error(nn.Linear(3, 2), REP, REP, X),
        ArgumentError,
        r"x: expected inputs that function takes; got a tensor of shape \(3, 4\), and RuntimeError: mat1",
    ),
    (
        lambda: iw.first_breaker(nn.Linear(4, 4), {"": REP}, REP, X.int()),
        DtypeError,
        "x: expected a dtype that function takes; got torch.int32",
    ),
    (lambda: training_step(nn.Identity()), ArgumentError, "optimizer: expected a torch.optim.Optimizer; got Identity"),
    (lambda: training_step(y=X[:2]), ShapeError, r"y: expected as many targets.*shapes \(3, 4\) and \(2, 4\)"),
    (lambda: training_step(criterion=nn.MSELoss), ArgumentError, "criterion: .*the class MSELoss"),
    (lambda: iw.projector(REP, REP, kernel=(3, 3), kernel_basis=[[1], [2, 3]]), ShapeError, "got a list that is no"),
    (lambda: iw.projector(REP, method=torch.zeros(2, 2)), ArgumentError, "method: expected one of None, 'schur'"),
    (lambda: iw.spherical_projector(2, norm={}), ArgumentError, "norm: expected one of 'operator'"),
    (lambda: iw.on_grid(REP, interpolation=[]), ArgumentError, "interpolation: expected one of None, 'bilinear'"),
    (lambda: iw.FiniteGroup([[1, 0]], name=3), ArgumentError, "name: expected a string, or None; got int"),
    (lambda: C4.permutation([[1, 0]], signs=[[1], [1, 2]]), ShapeError, "signs: expected signs of shape"),
    (lambda: iw.projector(REP, REP, kernel=(3, 3), rings=3), ArgumentError, "rings: expected intertwine.Rings"),
    (
        lambda: iw.bind(nn.Conv2d(4, 4, 3), {"": iw.Typed(REP, REP, rings=[])}),
        ArgumentError,
        r"types\[''\].rings: expected intertwine.Rings",
    ),
    (lambda: iw.projector(REP).project(torch.eye(4).to_sparse()), ArgumentError, "W: expected a dense tensor"),
    (
        lambda: iw.projector(REP).project(torch.nested.as_nested_tensor([torch.zeros(4)], layout=torch.jagged)),
        ArgumentError,
        "W: expected a dense tensor; got a nested tensor",
    ),
    (lambda: iw.projector(REP, REP).project(eight_bits()), DtypeError, "W: expected a dtype that torch computes with"),
    (lambda: layer().initialize_(generator=3), ArgumentError, "generator: expected a torch.Generator, or None; got 3"),
    (lambda: layer(device="meta").initialize_(), ArgumentError, "weight: .*meta device"),
    (lambda: layer(device="meta").residuals(), ArgumentError, "weight: .*meta device"),
    (lambda: iw.report(layer(device="meta")), ArgumentError, "weight: .*Give the model memory first"),
    (lambda: iw.report(3), ArgumentError, "binding: expected a Binding"),
    (lambda: iw.report(layer()).to_html("/no/such/folder/a.html"), ArgumentError, "path: .*No such file"),
    (lambda: iw.residual_by_irreps(None, torch.zeros(4)), ArgumentError, "P: expected a Projector"),
    (lambda: iw.Representation(C4, (3,)), ArgumentError, "segments: expected a tuple of Segments"),
    (lambda: REP.matrix(torch.eye(2, device="meta")), ArgumentError, "g: expected a tensor with values"),
    (lambda: C4.sample(2**70), ArgumentError, "n: expected an integer >= 0; got 1180"),
    (lambda: iw.testing.assert_projector(iw.projector(REP), generator=3), ArgumentError, "generator: expected"),
    (lambda: iw.on_grid(REP)(C4.generators[0], None), ArgumentError, "x: expected images"),
]


MIRRORS = iw.Mirror("x") * iw.Mirror("y")
IMAGE = torch.zeros(1, 1, 5, 5)
ADVISED = [
    (
        lambda: iw.bind(nn.Sequential(torch.jit.script(nn.Linear(4, 4))), {"0": (REP, REP)}),
        ArgumentError,
        "model: expected modules of Python code; got scripted ones: 0. Bind the model before torch.jit.script",
    ),
    (
        lambda: iw.subgroup_chain(REP, iw.SO(3).irreps("2x1"), [C4, iw.Cyclic(2)]),
        GroupMismatchError,
        r"rep_out: expected a representation of C4, as rep_in is; got one of SO\(3\)",
    ),
    (
        lambda: iw.geometry(nn.Conv2d(1, 1, 3), (IMAGE,), group=C4),
        ShapeError,
        "got a tuple of 1. Give a module that takes",
    ),
    (lambda: iw.geometry(nn.Conv2d(1, 1, 3), {"a": IMAGE}, group=C4), ShapeError, "dictionary with 'a'. Give a module"),
    (
        lambda: iw.geometry(nn.Conv2d(1, 1, 3), IMAGE, group=MIRRORS),
        ArgumentError,
        r"Say space=G.irreps\('odd\*even \+ even\*odd'\)",
    ),
    (
        lambda: iw.bind(nn.Conv2d(1, 4, 3), {"": (MIRRORS.trivial(), MIRRORS.regular())}),
        ArgumentError,
        r"Say space=G.irreps\('odd\*even \+ even\*odd'\)",
    ),
    (
        lambda: iw.O(3).standard().restrict(iw.Mirror("x")),
        ArgumentError,
        r"stands on the plane of Mirror\(x\); got None. iw.Mirror\('x', dim=3\) is a mirror of space",
    ),
    (lambda: iw.data_symmetry(X[:0], REP), ShapeError, r"x: expected at least one sample; got none"),
    (lambda: iw.Dihedral(4).permutation([[1, 0]]), ShapeError, "expected 2 permutations.*the order of G.generators"),
    (lambda: C4.permutation([[1, 0], [0, 1]]), ShapeError, "images: expected 1 permutation of"),
    (
        lambda: iw.bind(nn.Linear(8, 4), {"": (8 * iw.SO(3).irrep(1), 4 * iw.SO(3).irrep(1))}),
        ShapeError,
        r"Channels with another axis of 3 are typed by iw.Typed\(..., over=...\)",
    ),
    (
        lambda: iw.bind(nn.Embedding(8, 4), {"": iw.Typed(8 * C4.trivial(), REP, space=REP)}),
        ArgumentError,
        "for an Embedding",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), SILENT + RAW + ADVISED)
def test_it_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_kernel_basis_of_no_vectors_spans_nothing():
    with pytest.warns(iw.RankZeroWarning, match="P is zero"):
        P = iw.projector(REP, REP, kernel=(3, 3), kernel_basis=torch.zeros(0, 4, 4, 3, 3))
    assert P.rank == 0
    assert not P.project(torch.ones(4, 4, 3, 3)).any()
