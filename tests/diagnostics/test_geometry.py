"""What ``geometry`` says of a layer, against the layer itself: predicted exact if and only if it commutes."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

import intertwine as iw
from intertwine.layers.grid.axis_incidence import Incidence
from tests.binding.cases import seeded

D4, D2, C2 = iw.Dihedral(4), iw.Dihedral(2), iw.Cyclic(2)
DIAGONAL = C2.regular()  # exchanges the axes, and reverses both
LEFT_RIGHT = C2.irrep(1) + C2.trivial()
GROUPS: dict[str, tuple[iw.Group, iw.Representation]] = {
    "D4": (D4, D4.standard()),
    "C4": (iw.Cyclic(4), iw.Cyclic(4).standard()),
    "D2": (D2, D2.standard()),
    "mirror": (C2, LEFT_RIGHT),
    "diagonal": (C2, DIAGONAL),
}
EXCHANGING = ("D4", "C4", "diagonal")
group_names = st.sampled_from(sorted(GROUPS))


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def measured(
    module: nn.Module,
    rep_in: iw.Representation,
    rep_out: iw.Representation,
    x: torch.Tensor,
    space: iw.Representation | None,
) -> float:
    try:
        error = iw.equivariance_error(module, iw.on_grid(rep_in, space), iw.on_grid(rep_out, space), x)
    except iw.IntertwineError as refused:
        # The layer does not take the turned image, or the group turns its output into another shape.
        reasons = ("inputs that function takes", "keeps its sides where the group turns them into others")
        if not any(reason in str(refused) for reason in reasons):
            raise
        return float("inf")
    return error.absolute_worst


def verdict(module: nn.Module, x: torch.Tensor, group: iw.Group, space: iw.Representation) -> str:
    result = iw.geometry(module, x, group=group, space=space)
    assert len(result.layers) == 1
    layer = result.layers[0]
    assert bool(layer.advice) == (layer.verdict != "keeps"), layer
    return layer.verdict


def agree(module: nn.Module, x: torch.Tensor, name: str) -> str:
    """Predicted and measured alike, of a layer that treats each channel alike."""
    group, space = GROUPS[name]
    said = verdict(module, x, group, space)
    rep = (x.shape[1] // group.order) * group.regular()
    error = measured(module, rep, rep, x, space)
    assert (error < 1e-10) == (said == "keeps"), (module, x.shape, name, error, said)
    assert said in ("keeps", "breaks")
    return said


def agree_convolution(module: nn.Module, sides: tuple[int, ...], name: str) -> str:
    """Predicted and measured alike, of a convolution whose weights are equivariant."""
    group, space = GROUPS[name]
    rep = group.regular()
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.copy_(randn(*parameter.shape, seed=1))
    iw.bind(module, {"": iw.Typed(rep, rep, space=space)}).project_()
    x = randn(2, rep.dim, *sides)
    # Where the windows meet nothing but padding the output is constant, and whatever they do is symmetric.
    assume(float(module(x).detach().std()) > 1e-6)
    said = verdict(module, x, group, space)
    error = measured(module, rep, rep, x, space)
    assert (error < 1e-10) == (said == "keeps"), (module, sides, name, error, said)
    assert said in ("keeps", "breaks")
    return said


@st.composite
def per_axis(draw: st.DrawFn, low: int, high: int, *, alike: bool = False) -> tuple[int, int]:
    """Settings of two axes, more often alike than not."""
    first = draw(st.integers(low, high))
    return first, first if alike or draw(st.integers(0, 3)) else draw(st.integers(low, high))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_convolutions(data: st.DataObject) -> None:
    name = data.draw(group_names)
    square = name in EXCHANGING
    kernel = data.draw(per_axis(1, 4, alike=square))
    stride, dilation = data.draw(per_axis(1, 3)), data.draw(per_axis(1, 2))
    padding = data.draw(per_axis(0, 3))
    mode = data.draw(st.sampled_from(["zeros", "circular", "replicate", "reflect"]))
    sides = data.draw(per_axis(4, 8))
    for n, p, d, k in zip(sides, padding, dilation, kernel, strict=True):
        assume(n + 2 * p - d * (k - 1) - 1 >= 0 and p < n)
    order = GROUPS[name][0].order
    module = nn.Conv2d(order, order, kernel, stride, padding, dilation, padding_mode=mode)
    agree_convolution(module, sides, name)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=40, deadline=None)
@given(group_names, st.integers(1, 4), st.integers(1, 3), st.sampled_from(["zeros", "circular", "replicate"]))
def test_same_padding_needs_an_odd_effective_kernel(name: str, k: int, d: int, mode: str) -> None:
    order = GROUPS[name][0].order
    module = nn.Conv2d(order, order, k, padding="same", dilation=d, padding_mode=mode)
    said = agree_convolution(module, (7, 7), name)
    assert (said == "keeps") == (d * (k - 1) % 2 == 0)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_transposed_convolutions(data: st.DataObject) -> None:
    name = data.draw(group_names)
    kernel = data.draw(per_axis(1, 4, alike=name in EXCHANGING))
    stride, dilation = data.draw(per_axis(1, 3)), data.draw(per_axis(1, 2))
    padding, extra = data.draw(per_axis(0, 2)), data.draw(per_axis(0, 2))
    sides = data.draw(per_axis(2, 4))
    for i in range(2):
        assume(extra[i] < max(stride[i], dilation[i]))
        full = (sides[i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (kernel[i] - 1) + 1
        assume(full > 0)
    order = GROUPS[name][0].order
    module = nn.ConvTranspose2d(order, order, kernel, stride, padding, extra, dilation=dilation)
    agree_convolution(module, sides, name)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_pooling(data: st.DataObject) -> None:
    name = data.draw(group_names)
    kind = data.draw(st.sampled_from(["max", "average", "power"]))
    kernel, stride = data.draw(per_axis(1, 4)), data.draw(per_axis(1, 3))
    padding = data.draw(per_axis(0, min(kernel) // 2)) if kind != "power" else (0, 0)
    dilation = data.draw(per_axis(1, 2)) if kind == "max" else (1, 1)
    ceil, sides = data.draw(st.booleans()), data.draw(per_axis(3, 9))
    for n, p, d, k in zip(sides, padding, dilation, kernel, strict=True):
        assume(n + 2 * p - d * (k - 1) - 1 >= 0)
    if kind == "max":
        module: nn.Module = nn.MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil)
    elif kind == "average":
        count, override = data.draw(st.booleans()), data.draw(st.sampled_from([None, 3]))
        module = nn.AvgPool2d(kernel, stride, padding, ceil, count, override)
    else:
        module = nn.LPPool2d(2.0, kernel, stride, ceil)
    agree(module, randn(2, GROUPS[name][0].order, *sides).abs() + 0.1, name)


@settings(max_examples=60, deadline=None)
@given(group_names, per_axis(1, 9), per_axis(1, 7), st.booleans())
def test_adaptive_pooling_keeps_every_mirror(
    name: str, sides: tuple[int, int], out: tuple[int, int], largest: bool
) -> None:
    module = nn.AdaptiveMaxPool2d(out) if largest else nn.AdaptiveAvgPool2d(out)
    said = agree(module, randn(2, GROUPS[name][0].order, *sides), name)
    assert (said == "keeps") == (name not in EXCHANGING or out[0] == out[1])


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_resizing(data: st.DataObject) -> None:
    name = data.draw(group_names)
    mode = data.draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]))
    corners = data.draw(st.booleans()) if mode in ("bilinear", "bicubic") else None
    sides = data.draw(per_axis(2, 7))
    if data.draw(st.booleans()):
        module = nn.Upsample(size=data.draw(per_axis(2, 12)), mode=mode, align_corners=corners)
    else:
        factor = data.draw(st.sampled_from([0.5, 1.0, 1.3, 1.5, 2.0, 2.5, 3.0]))
        again = data.draw(st.sampled_from([None, True]))
        module = nn.Upsample(scale_factor=factor, mode=mode, align_corners=corners, recompute_scale_factor=again)
    x = randn(2, GROUPS[name][0].order, *sides)
    assume(float(module(x).std()) > 1e-6)
    agree(module, x, name)


@settings(max_examples=60, deadline=None)
@given(
    group_names,
    st.sampled_from([nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d]),
    st.lists(st.integers(0, 1), min_size=4, max_size=4),
)
def test_padding_layers(name: str, kind: type[nn.Module], pads: list[int]) -> None:
    agree(kind(tuple(pads)), randn(2, GROUPS[name][0].order, 4, 4), name)


def test_the_law_fails_on_a_wrong_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    x = randn(2, 8, 5, 5)
    assert agree(nn.MaxPool2d(2), x, "D4") == "breaks"
    monkeypatch.setattr(Incidence, "mirrored", lambda self: self)
    with pytest.raises(AssertionError, match="MaxPool2d"):
        agree(nn.MaxPool2d(2), x, "D4")


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("n", [5, 6, 7])
def test_one_and_three_dimensions(n: int, stride: int) -> None:
    sign = C2.irrep(1)
    holds = (n - 3) % stride == 0
    line = nn.MaxPool1d(3, stride)
    x = randn(1, 2, n)
    assert verdict(line, x, C2, sign) == ("keeps" if holds else "breaks")
    assert (measured(line, C2.regular(), C2.regular(), x, sign) < 1e-10) == holds
    O, volume = iw.Octahedral(), nn.AvgPool3d(3, stride)
    x = randn(1, 24, n, n, n)
    assert verdict(volume, x, O, O.standard()) == ("keeps" if holds else "breaks")
    assert (measured(volume, O.regular(), O.regular(), x, None) < 1e-10) == holds


def test_turns_about_z_leave_the_first_axis_alone() -> None:
    G = iw.Cyclic(4)
    about_z = iw.Octahedral().standard().restrict(G, axis="z")
    pool = nn.MaxPool3d((2, 3, 3), (2, 2, 2))
    x = randn(1, 4, 5, 7, 7)
    assert verdict(pool, x, G, about_z) == "keeps"
    assert measured(pool, G.regular(), G.regular(), x, about_z) < 1e-10
    assert verdict(pool, x[..., :6, :6], G, about_z) == "breaks"


@pytest.mark.parametrize("shuffle", [nn.PixelShuffle(2), nn.PixelUnshuffle(2)])
def test_pixel_shuffles_move_pixels_into_channels(shuffle: nn.Module) -> None:
    R = D4.regular()
    packed = R.tensor(D4.grid(2, 2))
    rep_in, rep_out = (packed, R) if isinstance(shuffle, nn.PixelShuffle) else (R, packed)
    x = randn(1, rep_in.dim, 6, 6)
    layer = iw.geometry(shuffle, x, group=D4).layers[0]
    assert layer.verdict == "depends"
    assert "rep.tensor(G.grid(2, 2))" in layer.advice
    assert measured(shuffle, rep_in, rep_out, x, None) < 1e-12


def test_flatten_asks_for_the_grid_in_the_next_type() -> None:
    R, out = D4.regular(), D4.irreps("5x0+")
    model = nn.Sequential(nn.Flatten(), nn.Linear(8 * 9, 5)).double()
    x = randn(2, 8, 3, 3)
    found = iw.geometry(model, x, group=D4)
    assert [layer.verdict for layer in found.layers] == ["depends"]
    assert "rep.tensor(G.grid(3, 3))" in found.layers[0].advice
    iw.bind(model, {"1": (R.tensor(D4.grid(3, 3)), out)}).project_()
    assert float(iw.equivariance_error(model, iw.on_grid(R), out, x)) < 1e-10
    averaged = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert [layer.verdict for layer in iw.geometry(averaged, x, group=D4).layers] == ["keeps", "keeps"]


class Every(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., ::2, ::2]


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(3, 2, return_indices=True)
        self.every = Every()
        self.dropout = nn.Dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert not self.dropout.training
        assert not torch.is_grad_enabled()
        return self.pool(x)[0].sum() + self.pool(input=x)[0].sum() + self.pool(x[..., :8, :8])[0].sum() + self.every(x)


def test_a_model_runs_once_and_is_restored() -> None:
    model = Branches()
    model.every.eval()
    found = iw.geometry(model, torch.zeros(1, 4, 9, 9), group=iw.Cyclic(4))
    assert [(layer.name, layer.verdict) for layer in found.layers] == [
        ("pool", "keeps"),
        ("(the model)", "unknown"),  # x[..., :8, :8]
        ("pool", "breaks"),
        ("every", "keeps"),  # x[..., ::2, ::2] of 9 pixels
    ]
    assert [layer.sides_in for layer in found.breaking] == [(8, 8)]
    assert model.training
    assert model.dropout.training
    assert not model.every.training
    assert not any(module._forward_hooks for module in model.modules())
    text = str(found)
    assert text.splitlines()[0] == "1 of 4 layers break C4 outside their weights"
    assert "(8 + 0 - 2 - 1) % 2 = 1, not 0. Use 7 or 9 pixels in place of 8" in text
    assert found.to_dict()["layers"][0]["kind"] == "MaxPool2d"


# torch says it once a process, to whoever comes first.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def test_reasons_name_settings_that_differ() -> None:
    x = torch.zeros(1, 1, 9, 9)
    pool = iw.geometry(nn.MaxPool2d(3, (1, 2)), x, group=D4)
    assert "axes 0 and 1, which the group exchanges, differ: stride 1 and 2" in str(pool)
    rectangle = torch.zeros(1, 1, 5, 7)
    assert "5 x 7, which the group turns into another shape" in str(iw.geometry(nn.Flatten(), rectangle, group=D4))
    assert iw.geometry(nn.MaxPool2d(3, 1), rectangle, group=D4).breaking == ()
    strided = iw.geometry(nn.MaxPool2d(3, 2), torch.zeros(1, 1, 5, 8), group=D4)
    assert "axis 1: its samples miss the centre" in str(strided)
    assert "Use 7 or 9 pixels in place of 8" in str(strided)
    same = iw.geometry(nn.Conv2d(1, 1, 4, padding="same"), x, group=D4)
    assert "padding='same' pads 1 before and 2 after" in str(same)
    up = iw.geometry(nn.ConvTranspose2d(1, 1, 3, 2, 1, 1), x, group=D4)
    assert "output_padding 1" in str(up)
    line = nn.Sequential(nn.Conv2d(1, 1, 9), nn.Flatten(2), nn.Conv1d(1, 1, 1))
    assert [layer.verdict for layer in iw.geometry(line, x, group=D4).layers] == ["keeps", "keeps"]


def test_wrong_arguments() -> None:
    model = nn.MaxPool2d(2)
    with pytest.raises(iw.errors.ArgumentError, match=r"group: expected a group that maps pixels onto pixels.*SO\(2\)"):
        iw.geometry(model, torch.zeros(1, 1, 4, 4), group=iw.SO(2))
    with pytest.raises(iw.errors.ArgumentError, match=r"group: expected a group that maps pixels onto pixels.*C8"):
        iw.geometry(model, torch.zeros(1, 1, 4, 4), group=iw.Cyclic(8))
    with pytest.raises(iw.errors.ArgumentError, match="space: expected a representation of C4 of dimension 3"):
        iw.geometry(model, torch.zeros(1, 1, 4, 4, 4), group=iw.Cyclic(4))
    with pytest.raises(iw.errors.ShapeError, match=r"x: expected .*pixels; got shape \(2, 3\)"):
        iw.geometry(model, torch.zeros(2, 3), group=D4)
    with pytest.raises(iw.errors.ArgumentError, match=r"model: expected a torch\.nn\.Module; got"):
        iw.geometry(torch.relu, torch.zeros(1, 1, 4, 4), group=D4)  # type: ignore[arg-type]
    with pytest.raises(iw.errors.ArgumentError, match="group: expected a group, such as"):
        iw.geometry(model, torch.zeros(1, 1, 4, 4), group="D4")  # type: ignore[arg-type]


def test_a_group_that_leaves_time_alone_breaks_nothing() -> None:
    G = iw.SO(3)
    with pytest.raises(iw.errors.ArgumentError, match="space: expected an action that moves pixels; got 0"):
        iw.geometry(nn.Conv1d(3, 3, 2, stride=2), torch.zeros(1, 3, 8), group=G, space=G.trivial())


def test_rectangles_under_quarter_turns() -> None:
    """Rows and columns meet the condition each for itself, and the network says the same of itself."""
    G = iw.Cyclic(4)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
    ).double()
    iw.bind(net, {"0": (3 * G.trivial(), 2 * G.regular()), "4": (2 * G.regular(), 5 * G.trivial())}).project_()
    for sides, breaking in (((29, 33), []), ((29, 32), ["0"]), ((28, 33), ["0"])):
        x = randn(2, 3, *sides)
        assert [layer.name for layer in iw.geometry(net, x, group=G).breaking] == breaking
        error = iw.equivariance_error(net, iw.on_grid(3 * G.trivial()), 5 * G.trivial(), x)
        assert (float(error) < 1e-12) == (not breaking)


def test_inputs_that_torch_does_not_compute_with_are_refused():
    x = torch.zeros(1, 1, 9, 9).to(torch.float8_e4m3fn)
    with pytest.raises(iw.errors.DtypeError, match="x: expected a dtype that torch computes with"):
        iw.geometry(nn.Conv2d(1, 1, 3), x, group=iw.Cyclic(4))


def test_a_model_without_a_layer_that_moves_pixels_gets_no_clean_bill():
    seen = iw.geometry(torch.nn.Sequential(torch.nn.Identity()), torch.zeros(1, 1, 8, 8), group=iw.Cyclic(4))
    assert "nothing that moves pixels was seen" in str(seen)


def test_an_input_that_the_model_does_not_take_is_named():
    with pytest.raises(
        iw.errors.ArgumentError, match=r"x: expected an input that the model takes; got shape \(1, 3, 9"
    ):
        iw.geometry(nn.Conv2d(2, 1, 3), torch.zeros(1, 3, 9, 9), group=iw.Cyclic(4))
