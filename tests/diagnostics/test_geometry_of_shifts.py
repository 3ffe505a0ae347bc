"""What ``geometry`` says of a layer under shifts, against the layer itself: predicted exact iff it commutes."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import intertwine as iw
from intertwine.layers.grid.axis_incidence import Incidence
from tests.diagnostics.test_geometry import per_axis, randn

TORUS = iw.torus(16, 16)


def measured(module: nn.Module, x: torch.Tensor, space: iw.Representation) -> float:
    trivial = space.group.trivial()
    with torch.no_grad():
        out = module(x)
    assume(float(out.std()) > 1e-6)
    try:
        images = [iw.on_grid(channels * trivial, space=space) for channels in (x.shape[1], out.shape[1])]
        return iw.equivariance_error(module, images[0], images[1], x).absolute_worst
    except iw.errors.ShapeError as refused:  # the output is not moved by whole pixels
        if "breaks these shifts" not in str(refused):
            raise
        return float("inf")


def agree(module: nn.Module, sides: tuple[int, int], steps: tuple[int, int], channels: int = 2) -> str:
    """Predicted and measured alike, under shifts by ``steps``."""
    space = iw.torus(*(n // k for n, k in zip(sides, steps, strict=True)))
    assume(any(n > k for n, k in zip(sides, steps, strict=True)))
    x = randn(3, channels, *sides)
    module = module.double().eval()
    found = iw.geometry(module, x, group=space.group, space=space)
    assert len(found.layers) == 1
    said = found.layers[0].verdict
    assert bool(found.layers[0].advice) == (said != "keeps")
    error = measured(module, x, space)
    assert (error < 1e-10) == (said == "keeps"), (module, sides, steps, error, said)
    assert said in ("keeps", "breaks")
    return said


@st.composite
def grids(draw: st.DrawFn) -> tuple[tuple[int, int], tuple[int, int]]:
    """Sides and the steps of the shifts, which divide them."""
    steps = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    counts = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return (steps[0] * counts[0], steps[1] * counts[1]), steps


@settings(max_examples=60, deadline=None)
@given(grids(), st.data())
def test_convolutions(grid: tuple[tuple[int, int], tuple[int, int]], data: st.DataObject) -> None:
    sides, steps = grid
    kernel, stride = data.draw(per_axis(1, 3)), data.draw(per_axis(1, 3))
    dilation, padding = data.draw(per_axis(1, 2)), data.draw(per_axis(0, 2))
    mode = data.draw(st.sampled_from(["zeros", "circular", "circular", "replicate"]))
    for n, p, d, k in zip(sides, padding, dilation, kernel, strict=True):
        assume(n + 2 * p - d * (k - 1) - 1 >= 0 and p <= n)
    agree(nn.Conv2d(2, 2, kernel, stride, padding, dilation, padding_mode=mode, bias=False), sides, steps)


@settings(max_examples=30, deadline=None)
@given(grids(), st.data())
def test_transposed_convolutions(grid: tuple[tuple[int, int], tuple[int, int]], data: st.DataObject) -> None:
    sides, steps = grid
    kernel, stride, padding = data.draw(per_axis(1, 3)), data.draw(per_axis(1, 3)), data.draw(per_axis(0, 1))
    for n, s, p, k in zip(sides, stride, padding, kernel, strict=True):
        assume((n - 1) * s - 2 * p + k > 0)
    agree(nn.ConvTranspose2d(2, 2, kernel, stride, padding, bias=False), sides, steps)


@settings(max_examples=40, deadline=None)
@given(grids(), st.data())
def test_poolings(grid: tuple[tuple[int, int], tuple[int, int]], data: st.DataObject) -> None:
    sides, steps = grid
    kernel, stride = data.draw(per_axis(1, 3)), data.draw(per_axis(1, 3))
    padding = data.draw(per_axis(0, min(kernel) // 2))
    for n, p, k in zip(sides, padding, kernel, strict=True):
        assume(n + 2 * p - k >= 0)
    if data.draw(st.booleans()):
        agree(nn.AvgPool2d(kernel, stride, padding, count_include_pad=data.draw(st.booleans())), sides, steps)
    elif padding == (0, 0):  # a maximum may be the same with and without what lies beyond the edge
        agree(nn.MaxPool2d(kernel, stride), sides, steps)


@settings(max_examples=40, deadline=None)
@given(grids(), st.data())
def test_resizing(grid: tuple[tuple[int, int], tuple[int, int]], data: st.DataObject) -> None:
    sides, steps = grid
    if data.draw(st.booleans()):
        agree(nn.AdaptiveAvgPool2d(data.draw(per_axis(1, 6))), sides, steps)
    else:
        mode = data.draw(st.sampled_from(["nearest", "bilinear", "area"]))
        factor = data.draw(st.sampled_from([0.5, 1.5, 2.0, 3.0]))
        assume(factor * min(sides) >= 1)
        agree(nn.Upsample(scale_factor=factor, mode=mode), sides, steps)


def test_the_law_fails_on_a_wrong_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    @settings(max_examples=1, deadline=None)
    @given(st.just(nn.Conv2d(2, 2, 3, padding=1, bias=False)))
    def zeros(module: nn.Module) -> None:
        assert agree(module, (4, 4), (1, 1)) == "breaks"

    zeros()
    monkeypatch.setattr(Incidence, "shifted", lambda self, inputs, outputs: self)
    with pytest.raises(AssertionError, match="Conv2d"):
        zeros()


def test_an_odd_shift_under_a_stride_is_named() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, padding_mode="circular"), nn.ReLU())
    x = torch.zeros(1, 3, 16, 16)
    found = iw.geometry(net, x, group=TORUS.group, space=TORUS)
    text = str(found)
    assert text.startswith("1 of 1 layers break C16 * C16")
    assert "a shift by 1 pixel along axis 0 would move its output by 1/2 of a pixel: only multiples of 2 pixels" in text
    assert "space=iw.torus(8, 8)" in text
    even = iw.torus(8, 8)
    assert iw.geometry(net, x, group=even.group, space=even).breaking == ()
    third = iw.geometry(nn.MaxPool2d(2), x[..., :12, :12], group=iw.torus(4, 4).group, space=iw.torus(4, 4))
    assert "a shift by 3 pixels along axis 0 would move its output by 3/2 of a pixel: only multiples of 6" in str(third)


def test_zeros_at_the_edge_are_named() -> None:
    x = torch.zeros(1, 3, 16, 16)
    zeros = iw.geometry(nn.Conv2d(3, 8, 3, padding=1), x, group=TORUS.group, space=TORUS)
    assert "stays there while the pixels shift. Use padding_mode='circular'" in str(zeros)
    padded = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 8, 3))
    assert [layer.verdict for layer in iw.geometry(padded, x, group=TORUS.group, space=TORUS).layers] == [
        "breaks",
        "unknown",
    ]
    circular = nn.Sequential(nn.CircularPad2d(1), nn.Conv2d(3, 8, 3))
    assert [layer.verdict for layer in iw.geometry(circular, x, group=TORUS.group, space=TORUS).layers] == [
        "depends",
        "unknown",
    ]


def test_what_depends_on_the_next_layer() -> None:
    x = torch.zeros(1, 4, 16, 16)
    cases: list[tuple[nn.Module, iw.Representation, str]] = [
        (nn.PixelShuffle(2), TORUS, "keeps"),
        (nn.PixelUnshuffle(2), TORUS, "depends"),
        (nn.PixelUnshuffle(2), iw.torus(8, 8), "keeps"),
        (nn.Flatten(), TORUS, "depends"),
    ]
    for module, space, verdict in cases:
        assert iw.geometry(module, x, group=space.group, space=space).layers[0].verdict == verdict
        if verdict == "keeps":
            out = module(x).shape[1]
            images = [iw.on_grid(c * space.group.trivial(), space=space) for c in (4, out)]
            assert float(iw.equivariance_error(module, images[0], images[1], torch.randn(1, 4, 16, 16))) == 0
    small = iw.torus(3, 4)
    layer = iw.geometry(nn.Flatten(), torch.zeros(1, 2, 3, 4), group=small.group, space=small).layers[0]
    assert "rep.tensor(iw.torus(3, 4))" in layer.advice
    head = nn.Linear(2 * 12, 5).double()
    rep = (2 * small.group.trivial()).tensor(small)
    iw.bind(head, {"": (rep, 5 * small.group.trivial())}).project_()
    flat = nn.Sequential(nn.Flatten(), head)
    images = iw.on_grid(2 * small.group.trivial(), space=small)
    error = iw.equivariance_error(flat, images, 5 * small.group.trivial(), randn(2, 2, 3, 4))
    assert float(error) < 1e-10


def test_an_identity_is_refused() -> None:
    net, x = nn.Conv2d(3, 8, 3), torch.zeros(1, 3, 16, 16)
    G = TORUS.group
    message = r"space: expected an action that moves pixels; .*space=iw\.torus\(16, 16\)"
    with pytest.raises(iw.errors.ArgumentError, match=message):
        iw.geometry(net, x, group=G, space=2 * G.trivial())
    with pytest.raises(iw.errors.ArgumentError, match=r"space: expected .*For shifts .* say space=iw\.torus\(n, n\)"):
        iw.geometry(net, x, group=G)
    with pytest.raises(iw.errors.GroupMismatchError, match="space: expected a representation of C4"):
        iw.geometry(net, x, group=iw.Cyclic(4), space=TORUS)
    with pytest.raises(iw.errors.ShapeError, match=r"x: expected 2 axes of pixels, multiples .*got 16 x 12"):
        iw.geometry(net, x[..., :12], group=G, space=TORUS)


def test_the_users_image_is_left_alone() -> None:
    x = torch.ones(1, 1, 4, 4)
    model = nn.Sequential(nn.ReLU(inplace=True), nn.Threshold(2.0, -1.0, inplace=True), nn.MaxPool2d(2))
    iw.geometry(model, x, group=iw.Cyclic(4))
    assert torch.equal(x, torch.ones(1, 1, 4, 4))


class Functions(nn.Module):
    """A convolution behind a functional pad, a resize and a roll."""

    def __init__(self, mode: str, resize: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 3, 3, 3))
        self.mode, self.resize = mode, resize

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.conv2d(nn.functional.pad(x, (1, 1, 1, 1), self.mode), self.weight)
        x = nn.functional.interpolate(x, scale_factor=2.0, mode=self.resize)
        return nn.functional.avg_pool2d(x.roll((1, 1), (2, 3)), 2)


def test_functions_in_forward() -> None:
    x = torch.zeros(1, 3, 16, 16)
    right = iw.geometry(Functions("circular", "nearest"), x, group=TORUS.group, space=TORUS)
    said = [(layer.kind, layer.verdict) for layer in right.layers]
    assert sorted(said) == [
        ("avg_pool2d()", "keeps"),
        ("conv2d()", "unknown"),
        ("interpolate()", "keeps"),
        ("pad()", "depends"),
        ("roll()", "keeps"),
    ]
    wrong = iw.geometry(Functions("constant", "bilinear"), x, group=TORUS.group, space=TORUS)
    assert [layer.kind for layer in wrong.breaking] == ["conv2d()", "interpolate()"]


def test_the_trivial_group_is_kept() -> None:
    net, x = nn.Conv2d(3, 8, 3, stride=2), torch.zeros(1, 3, 16, 16)
    C1 = iw.Trivial()
    for group, space in ((C1, 2 * C1.trivial()), (iw.torus(1, 1).group, iw.torus(1, 1))):
        assert [layer.verdict for layer in iw.geometry(net, x, group=group, space=space).layers] == ["keeps"]
