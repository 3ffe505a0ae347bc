"""Functions of pixels that no judge knows: unknown where they do not commute with the group, with the line of code."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import intertwine as iw

C4, D4 = iw.Cyclic(4), iw.Dihedral(4)


class Applied(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def sampled(x: torch.Tensor) -> torch.Tensor:
    places = F.affine_grid(torch.eye(2, 3)[None].repeat(len(x), 1, 1), x.shape, align_corners=False)
    return F.grid_sample(x, places, align_corners=False)


def spectral(x: torch.Tensor) -> torch.Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(x)[..., :2, :2], s=x.shape[-2:])


def written(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, :, 0] = 0
    return x


def channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1)[:, ::2, 1::2].relu().permute(0, 3, 1, 2)


def findings(
    function: Callable[[torch.Tensor], torch.Tensor], side: int = 6, **options: object
) -> list[tuple[str, str]]:
    options = options or {"group": C4}
    found = iw.geometry(nn.Sequential(Applied(function)), torch.zeros(2, 4, side, side), **options)  # type: ignore[arg-type]
    return [(layer.kind, layer.verdict) for layer in found.layers if layer.kind != "Applied"]


UNKNOWN = [
    ("unfold()", lambda x: x.unfold(2, 2, 2).unfold(3, 2, 2).sum((-1, -2))),
    ("unfold()", lambda x: F.unfold(x, 2, stride=2)),
    ("grid_sample()", sampled),
    ("x[...]", lambda x: x[..., ::2, ::2]),
    ("x[...]", lambda x: x[:, :, 1:]),
    ("x[...]", lambda x: x[:, :, :, 0]),
    ("x[...]", channels_last),
    ("x[...]", written),
    ("flip()", lambda x: x.flip(-1)),
    ("transpose()", lambda x: x.transpose(2, 3)),
    ("x.mT", lambda x: x.mT),
    ("chunk()", lambda x: x.chunk(2, 3)[0]),
    ("cat()", lambda x: torch.cat([x, x], 2)),
    ("index_select()", lambda x: torch.index_select(x, 2, torch.tensor([0, 1]))),
    ("cumsum()", lambda x: x.cumsum(2)),
    ("softmax()", lambda x: x.softmax(3)),
    ("mean()", lambda x: x.mean(3)),
]


@pytest.mark.parametrize(("kind", "function"), UNKNOWN)
def test_what_does_not_commute_is_unknown(kind: str, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert (kind, "unknown") in findings(function)


def test_a_cropped_spectrum_is_unknown_at_each_of_its_functions() -> None:
    assert findings(spectral) == [("fft_rfft2()", "unknown"), ("x[...]", "unknown"), ("fft_irfft2()", "unknown")]


def test_a_finding_names_module_and_line() -> None:
    found = iw.geometry(nn.Sequential(nn.ReLU(), Applied(written)), torch.zeros(1, 1, 4, 4), group=C4)
    (layer,) = found.layers
    line = written.__code__.co_firstlineno + 2
    assert layer.name == "1"
    assert layer.reason.startswith(f"line {line} of test_probed_functions.py takes 4 x 4 pixels apart or moves them")


SILENT = [
    lambda x: F.gelu(x + 1),
    lambda x: x[:, ::2],
    lambda x: x[:, torch.tensor([1, 0])],
    lambda x: x.chunk(2, 1)[0],
    lambda x: torch.cat([x, x], 1),
    lambda x: x.softmax(1),
    lambda x: x.mean((2, 3), keepdim=True),
    lambda x: x.mean((2, 3)),
    lambda x: x[:, 0],
    lambda x: (x - x.mean(1, keepdim=True)) / x.std(),
    lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2),
    lambda x: x + torch.randn_like(x),
    lambda x: x.unsqueeze(1).squeeze(1).contiguous().to(torch.float64),
]


@pytest.mark.parametrize("function", SILENT)
def test_what_commutes_is_not_listed(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert findings(function) == []


def test_what_commutes_and_changes_the_sides_is_listed() -> None:
    assert findings(lambda x: x[..., 1:-1, 1:-1]) == [("x[...]", "keeps")]
    assert findings(lambda x: x[..., ::2, ::2], side=7) == [("x[...]", "keeps")]
    assert findings(lambda x: x.repeat(1, 1, 2, 2)) == [("repeat()", "keeps")]


def test_mirrors_and_shifts_have_verdicts_of_their_own() -> None:
    mirror = {"group": iw.Mirror("x")}
    assert findings(lambda x: x[:, :, 1:], **mirror) == [("x[...]", "keeps")]  # rows: the mirror reverses columns
    assert findings(lambda x: x[:, :, :, 1:], **mirror) == [("x[...]", "unknown")]
    assert findings(lambda x: x.flip(2), **mirror) == []
    shifts = {"space": iw.torus(6, 6), "group": iw.torus(6, 6).group}
    assert findings(lambda x: x.roll(1, 2).abs(), **shifts) == [("roll()", "keeps")]
    assert findings(lambda x: x.flip(2), **shifts) == [("flip()", "unknown")]
    half = {"space": iw.torus(3, 3), "group": iw.torus(3, 3).group}
    assert findings(lambda x: x[..., ::2, 1::2], **half) == [("x[...]", "keeps")]
    assert findings(lambda x: x[..., ::2, ::2], **shifts) == [("x[...]", "unknown")]


@pytest.mark.parametrize("side", [6, 7])
def test_verdicts_agree_with_the_measured_error(side: int) -> None:
    """A function that is listed as unknown, alone in its model, has an error; others have none."""
    rep = 4 * D4.trivial()
    x = torch.randn(2, 4, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    functions = [lambda x: x[..., ::2, ::2], lambda x: x[..., 1:-1, 1:-1], lambda x: x.flip(2), lambda x: x.cumsum(3)]
    for function in functions:
        unknown = any(verdict == "unknown" for _, verdict in findings(function, side, group=D4))
        error = float(iw.equivariance_error(function, iw.on_grid(rep), iw.on_grid(rep), x))
        assert unknown == (error > 1e-10)
