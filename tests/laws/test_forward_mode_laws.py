"""Forward mode and batches of it, against the explicit matrix, for every kind of projector."""

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, hessian, jacfwd, jacrev, jvp, vmap

import intertwine as iw
from intertwine._numerics import TOLERANCES
from tests.laws.kinds import KINDS, as_real, example, like, matrix_of, penalty_matrix

EXACT = TOLERANCES[torch.float64]
# torch's own decompositions for forward mode are scripted at their first use, of which it warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=EXACT, atol=EXACT * max(1.0, float(b.detach().abs().max())))


def directions(W: torch.Tensor, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(count, as_real(W).numel(), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("method", ["project", "residual"])
def test_jvp_of_a_linear_map_is_the_map(name: str, method: str) -> None:
    P, W = example(name)
    function = getattr(P, method)
    A = matrix_of(function, W)
    along = directions(W)

    def flat(w: torch.Tensor) -> torch.Tensor:
        return as_real(function(like(w, W)))

    w = as_real(W)
    value, tangent = jvp(flat, (w,), (along[0],))
    close(value, A @ w)
    close(tangent, A @ along[0])
    close(vmap(lambda t: jvp(flat, (w,), (t,))[1])(along), along @ A.T)
    close(jacfwd(flat)(w), A)
    close(jacrev(flat)(w), A)


@pytest.mark.parametrize("method", ["squared_residual", "squared_projection"])
def test_hessian_of_a_squared_norm_is_its_matrix(name: str, method: str) -> None:
    P, W = example(name)
    function = getattr(P, method)
    inner = P.residual if method == "squared_residual" else P.project
    root = matrix_of(lambda V: P.coordinates(inner(V)), W)
    A = root.T @ root

    def flat(w: torch.Tensor) -> torch.Tensor:
        return function(like(w, W))

    w, along = as_real(W), directions(W)
    close(jvp(flat, (w,), (along[0],))[1], 2 * along[0] @ A @ w)
    close(vmap(lambda t: jvp(flat, (w,), (t,))[1])(along), 2 * along @ A @ w)
    close(jacfwd(flat)(w), 2 * A @ w)
    close(hessian(flat)(w), 2 * A)
    if len(w) <= 20:
        close(jacfwd(jacfwd(flat))(w), 2 * A)
        close(jacrev(jacfwd(flat))(w), 2 * A)
        close(vmap(hessian(flat))(along), (2 * A).expand(3, *A.shape))


def test_forward_over_forward_sees_what_lies_within() -> None:
    """torch turns forward mode off inside a function's own derivative: a second one would be 0 without a word."""
    P, W = example("orbit, bias")

    def value(w: torch.Tensor) -> torch.Tensor:
        return P.squared_residual(w**3) + (P.project(w * w) ** 3).sum()

    second = jacrev(jacrev(value))(W)
    for once, again in ((jacfwd, jacfwd), (jacrev, jacfwd), (jacfwd, jacrev)):
        close(once(again(value))(W), second)
    close(jacfwd(jacfwd(jacfwd(value)))(W), jacrev(jacrev(jacrev(value)))(W))


def test_dual_numbers_without_torch_func(name: str) -> None:
    """``torch.autograd.forward_ad``, and a gradient of what it gives."""
    P, W = example(name)
    A, V = penalty_matrix(P, W), like(directions(W)[0], W)
    X = W.clone().requires_grad_()
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(P.squared_residual(forward_ad.make_dual(X, V))).tangent
        image = forward_ad.unpack_dual(P.project(forward_ad.make_dual(W, V))).tangent
    close(tangent.detach(), 2 * as_real(V) @ A @ as_real(W))
    close(as_real(image), as_real(P.project(V)))
    close(as_real(torch.autograd.grad(tangent, X)[0]), 2 * A @ as_real(V))


class Penalised(nn.Module):
    """A model whose output is its own penalty, for ``functional_call``."""

    def __init__(self, form: str) -> None:
        super().__init__()
        C4 = iw.Cyclic(4)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)).double()
        for i, parameter in enumerate(self.layers.parameters()):
            nn.init.normal_(parameter, generator=torch.Generator().manual_seed(i))
        self.form = form
        hidden = 2 * C4.regular()
        self.types = {"0": (C4.regular(), hidden), "1": (hidden, 2 * C4.trivial())}
        self.binding = iw.bind(self.layers, self.types)

    def forward(self) -> torch.Tensor:
        equivariant = 0.0 if self.form == "relative" else 0.25
        return self.binding.penalty(strength=0.5, equivariant_strength=equivariant, form=self.form)


@pytest.mark.parametrize("form", ["squared", "norm", "relative"])
def test_penalties_of_all_forms(form: str) -> None:
    model = Penalised(form)
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}
    sizes = [p.numel() for p in parameters.values()]

    def value(w: torch.Tensor) -> torch.Tensor:
        parts = {n: part.reshape(p.shape) for (n, p), part in zip(parameters.items(), w.split(sizes), strict=True)}
        return functional_call(model, parts, ())

    w = torch.cat([p.reshape(-1) for p in parameters.values()])
    along = torch.randn(3, len(w), generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    # Brute force: the same sums from matrices, differentiated by autograd.
    terms = []
    for entry in model.binding:
        W = entry.tensor(model.layers).detach()
        terms.append((matrix_of(entry.projector.residual, W), matrix_of(entry.projector.project, W)))

    def expected(w: torch.Tensor) -> torch.Tensor:
        total = w.new_zeros(())
        for (R, P), part in zip(terms, w.split(sizes), strict=True):
            rest, kept = (R @ part).square().sum(), (P @ part).square().sum()
            if form == "squared":
                total = total + 0.25 * rest + 0.125 * kept
            elif form == "relative":
                total = total + 0.25 * rest / part.square().sum()
            else:
                total = total + 0.5 * (rest.sqrt() if float(R.norm()) > 0.1 else 0)
                total = total + 0.25 * (kept.sqrt() if float(P.norm()) > 0.1 else 0)
        return total

    close(value(w), expected(w))
    gradient = torch.autograd.functional.jacobian(expected, w)
    close(jvp(value, (w,), (along[0],))[1], along[0] @ gradient)
    close(vmap(lambda t: jvp(value, (w,), (t,))[1])(along), along @ gradient)
    close(jacfwd(value)(w), gradient)
    close(torch.func.grad(value)(w), gradient)
    close(hessian(value)(w), torch.autograd.functional.hessian(expected, w))


@pytest.mark.parametrize("form", ["squared", "norm", "relative"])
def test_dual_numbers_through_the_joint_node(form: str) -> None:
    """Outside torch.func the parameters of a binding share one node."""
    model = Penalised(form)
    tangents = {
        n: torch.randn(p.shape, generator=torch.Generator().manual_seed(9), dtype=p.dtype)
        for n, p in model.named_parameters()
    }
    model().backward()
    expected = sum((tangents[n] * p.grad).sum() for n, p in model.named_parameters())
    second = torch.autograd.functional.hvp
    with forward_ad.dual_level():
        duals = {n: forward_ad.make_dual(p, tangents[n]) for n, p in model.named_parameters()}
        tangent = forward_ad.unpack_dual(functional_call(model, duals, ())).tangent
    close(tangent.detach(), expected)
    got = torch.autograd.grad(tangent, list(model.parameters()))
    names = [n for n, _ in model.named_parameters()]
    wanted = second(
        lambda *ws: functional_call(model, dict(zip(names, ws, strict=True)), ()),
        tuple(p.detach() for p in model.parameters()),
        tuple(tangents[n] for n in names),
    )[1]
    for a, b in zip(got, wanted, strict=True):
        close(a, b)
