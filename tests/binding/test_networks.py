"""Whole networks from plain torch layers, bound and projected, are equivariant."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.acting import image_error, projected, randn
from tests.binding.cases import seeded

D4 = iw.Dihedral(4)
R = D4.regular()
OH = iw.Octahedral(reflections=True)


class Transformer(nn.Module):
    """Patches, positions, one encoder layer, the tokens laid out as an image again."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, 16, 2, stride=2)
        self.position = nn.Parameter(torch.zeros(1, 9, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True, norm_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.patches(x)
        tokens = self.layer(y.flatten(2).transpose(1, 2) + self.position)
        return tokens.transpose(1, 2).reshape(y.shape)


def test_a_vision_transformer() -> None:
    model = Transformer()
    types = {
        "patches": (D4.trivial(), 2 * R),
        "position": (D4.grid(3, 3), 2 * R),
        "layer.self_attn": (2 * R, 2 * R),
        "layer.linear1": (2 * R, 4 * R),
        "layer.linear2": (4 * R, 2 * R),
        "layer.norm1": 2 * R,
        "layer.norm2": 2 * R,
    }
    binding = projected(model, types)
    assert binding.unaccounted == {}
    assert image_error(model, D4.trivial(), 2 * R, (6, 6)) < 1e-10
    model.eval()  # the fused path reads the same weights
    assert image_error(model, D4.trivial(), 2 * R, (6, 6)) < 1e-10
    with torch.no_grad():
        model.layer.self_attn.in_proj_weight[0, 0] += 0.1
    assert image_error(model, D4.trivial(), 2 * R, (6, 6)) > 1e-5


def test_a_convolutional_network_in_float32() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 16, 3, stride=2, padding=1, groups=16),
        nn.Conv2d(16, 32, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )
    types: dict[str, object] = {
        "0": (D4.irreps("3x0+"), 2 * R),
        "1": 2 * R,
        "3": (2 * R, 2 * R),
        "4": (2 * R, 4 * R),
        "6": (4 * R, 2 * R),
        "9": (2 * R, D4.irreps("10x0+")),
    }
    binding = iw.bind(model, types)
    assert binding.unaccounted == {}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=float("inf"))
    x = randn(4, 3, 17, 17).float()
    binding.initialize_(generator=seeded())
    for _ in range(2):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    assert decay.steps == 2
    binding.project_()
    model.eval()
    with torch.no_grad():
        y = model(x)
        for turn in range(4):
            for image in (torch.rot90(x, turn, (-2, -1)), torch.rot90(x.flip(-1), turn, (-2, -1))):
                torch.testing.assert_close(model(image), y, rtol=1e-5, atol=1e-5)
    assert float(y.std(0).max()) > 1e-3


@pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
def test_an_octahedral_network_of_irreps() -> None:
    scalars, vectors = OH.irreps("4xA1g"), OH.irreps("2xA1g + 2xT1u + Eg")
    model = nn.Sequential(
        nn.Conv3d(4, vectors.dim, 3, padding=1),
        nn.BatchNorm3d(vectors.dim),
        nn.ConvTranspose3d(vectors.dim, vectors.dim, 3, stride=2, padding=1),
        nn.Conv3d(vectors.dim, 4, 3),
    ).eval()
    binding = projected(
        model, {"0": (scalars, vectors), "1": vectors, "2": (vectors, vectors), "3": (vectors, scalars)}
    )
    assert image_error(model, scalars, scalars, (3, 3, 3)) < 1e-9
    assert all(residual.rank > 0 for name, residual in binding.residuals().items() if name.endswith("weight"))
