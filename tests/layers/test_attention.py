"""nn.MultiheadAttention, packed and apart: tokens whose features the group turns."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.acting import ATOL, elements, projected, randn
from tests.binding.cases import fill, seeded

C4, SO3 = iw.Cyclic(4), iw.SO(3)
LORENTZ = iw.MatrixGroup(lie_algebra=[[[0.0, 1.0], [1.0, 0.0]]])

CASES: dict[str, tuple[iw.Representation, object, dict[str, object], dict[str, object]]] = {
    "C4": (4 * C4.regular(), 4 * C4.regular(), {"num_heads": 2}, {}),
    "no bias": (2 * C4.regular(), 2 * C4.regular(), {"num_heads": 2, "bias": False}, {}),
    "irreps": (
        SO3.irreps("4x0 + 4x1"),
        SO3.irreps("4x0 + 4x1"),
        {"num_heads": 4},
        {"hidden": 4 * SO3.irreps("0 + 1")},
    ),
    "other outputs": (
        SO3.irreps("3x0 + 1"),
        SO3.irreps("2x1"),
        {"num_heads": 2},
        {"hidden": SO3.irreps("1 + 3x0")},
    ),
    "bias_kv": (2 * C4.regular(), 2 * C4.regular(), {"num_heads": 1, "add_bias_kv": True, "add_zero_attn": True}, {}),
    "kdim": (
        2 * C4.regular(),
        C4.irreps("2x0 + 2x1 + 2x2"),
        {"num_heads": 2, "kdim": 3, "vdim": 6},
        {"rep_key": C4.irreps("1 + 2"), "rep_value": C4.irreps("2x0") + C4.regular()},
    ),
}


def attention_error(module: nn.Module, typed: iw.Typed) -> float:
    """Largest error over the group of cross attention, 5 queries on 3 keys."""
    query, key = typed.rep_in, typed.rep_key or typed.rep_in
    value = typed.rep_value or typed.rep_in
    q, k, v = randn(2, 5, query.dim), randn(2, 3, key.dim, seed=2), randn(2, 3, value.dim, seed=3)
    with torch.no_grad():
        y, weights = module(q, k, v)
        worst = 0.0
        for g in elements(query.group):
            moved, same = module(query.act(g, q), key.act(g, k), value.act(g, v))
            worst = max(worst, float((moved - typed.rep_out.act(g, y)).abs().max()))
            worst = max(worst, float((same - weights).abs().max()))
    return worst


@pytest.mark.filterwarnings("ignore::intertwine.RankZeroWarning")
@pytest.mark.parametrize("name", CASES)
def test_module_law(name: str) -> None:
    rep_in, rep_out, options, extra = CASES[name]
    module = nn.MultiheadAttention(rep_in.dim, batch_first=True, **options)
    typed = iw.Typed(rep_in, rep_out, **extra)
    fill(module.double())
    assert attention_error(module, typed) > 1e-2
    binding = projected(module, {"": typed})
    assert attention_error(module, typed) < ATOL
    assert binding.unaccounted == {}
    assert float(module.out_proj.weight.detach().norm()) > 0.1
    binding.initialize_(generator=seeded(1))
    assert attention_error(module, typed) < ATOL
    assert binding.penalty() < 1e-20
    if module.in_proj_bias is not None:
        assert not module.out_proj.bias.any()  # torch's own initialisation has the last word


def test_self_attention_in_a_model_by_a_pair() -> None:
    R = C4.regular()
    model = nn.ModuleDict({"attention": nn.MultiheadAttention(8, 2)})
    binding = projected(model, {"attention": (2 * R, 2 * R)})
    assert [entry.name for entry in binding] == [
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "attention.in_proj_bias",
        "attention.out_proj.bias",
    ]
    assert binding["attention.in_proj_weight"].projector.shape == (24, 8)
    assert binding["attention.out_proj.weight"].module == "attention.out_proj"
    with pytest.raises(iw.errors.ArgumentError, match=r"'attention.out_proj.weight' once more"):
        iw.bind(model, {"attention": (2 * R, 2 * R), "attention.out_proj": (2 * R, 2 * R)})


def test_heads_that_cut_fields_break_it() -> None:
    """Why they are refused: typed by names, the projected weights do not make the module equivariant."""
    R = C4.regular()
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    projected(
        module,
        {
            "in_proj_weight": (3 * R, R),
            "in_proj_bias": 3 * R,
            "out_proj": (R, R),
        },
    )
    assert attention_error(module, iw.Typed(R, R)) > 1e-3


@pytest.mark.parametrize(
    ("options", "value", "match"),
    [
        (
            {"embed_dim": 8, "num_heads": 4},
            (2 * C4.regular(), 2 * C4.regular()),
            "whole fields of hidden in each of 4 heads; got a field regular reaches over the end of a chunk of 2",
        ),
        (
            {"embed_dim": 4, "num_heads": 2},
            (SO3.irreps("0 + 1"), SO3.irreps("0 + 1")),
            "whole fields of hidden .* got a field 1 reaches over",
        ),
        (
            {"embed_dim": 4, "num_heads": 1},
            iw.Typed(C4.regular(), C4.regular(), hidden=C4.irreps("2x0 + 1 + 2")),
            "hidden of dimension 4, as embed_dim=4; got dimension 5",
        ),
        ({"embed_dim": 8, "num_heads": 1}, (C4.regular(), 2 * C4.regular()), "rep_in of dimension 8, as embed_dim=8"),
        (
            {"embed_dim": 4, "num_heads": 1, "kdim": 3},
            (C4.regular(), C4.regular()),
            "rep_key of dimension 3, as kdim=3; got dimension 4",
        ),
        (
            {"embed_dim": 4, "num_heads": 1},
            iw.Typed(C4.regular(), C4.regular(), rep_key=C4.irreps("4x0")),
            r"types\[''\].rep_key: expected rep_in, regular, as the packed in_proj_weight",
        ),
        (
            {"embed_dim": 2, "num_heads": 1},
            (LORENTZ.defining(), LORENTZ.defining()),
            "fields whose dot products the group keeps; got defining",
        ),
        (
            {"embed_dim": 4, "num_heads": 1},
            iw.Typed(C4.regular(), C4.regular(), space=C4.standard()),
            r"types\[''\].space: expected nothing for a MultiheadAttention",
        ),
    ],
)
def test_refused(options: dict[str, int], value: object, match: str) -> None:
    with pytest.raises(iw.errors.IntertwineError, match=match):
        iw.bind(nn.MultiheadAttention(**options), {"": value})
