"""Modules in wrappings: what is inside is typed as it is without them, or refused by name."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

import intertwine as iw

D4 = iw.Dihedral(4)
R = D4.regular()
X = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))


def mlp(wrap=lambda layer: layer):
    torch.manual_seed(0)
    return nn.Sequential(wrap(nn.Linear(8, 32)), nn.GELU(), wrap(nn.Linear(32, 16)), nn.LayerNorm(16), nn.Linear(16, 8))


def bound(model, **options):
    return iw.bind(model, rep_in=R, rep_out=R, example=X, **options)


def ranks(binding, prefix=""):
    return {entry.name.removeprefix(prefix): entry.projector.rank for entry in binding}


PLAIN = {
    "0.weight": 32,
    "0.bias": 4,
    "2.weight": 64,
    "2.bias": 2,
    "3.weight": 2,
    "3.bias": 2,
    "4.weight": 16,
    "4.bias": 1,
}


class Checkpointed(nn.Module):
    """Layers run again in the backward pass."""

    def __init__(self, inner, reentrant):
        super().__init__()
        self.inner, self.reentrant = inner, reentrant

    def forward(self, x):
        return checkpoint(self.inner, x, use_reentrant=self.reentrant)


def assert_typed(binding, prefix=""):
    assert ranks(binding, prefix) == PLAIN
    assert binding.breakers == ()
    assert binding.inference.checked
    assert not binding.unaccounted
    assert not binding.inference.unknown
    binding.project_()
    assert float(iw.equivariance_error(binding.model, R, R, X)) < 1e-5


def test_a_compiled_model():
    assert_typed(bound(torch.compile(mlp(), backend="eager")), "_orig_mod.")


def test_a_model_compiled_in_place_and_a_compiled_submodule():
    model = mlp()
    model.compile(backend="eager")
    assert_typed(bound(model))
    model = mlp()
    model[2] = torch.compile(model[2], backend="eager")
    binding = bound(model)
    assert {name.replace("_orig_mod.", ""): rank for name, rank in ranks(binding).items()} == PLAIN
    assert binding.breakers == ()


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_model(reentrant):
    assert_typed(bound(Checkpointed(mlp(), reentrant)), "inner.")


def test_a_model_in_parallel():
    assert_typed(bound(nn.DataParallel(mlp())), "module.")


def test_a_model_whose_processes_share_gradients(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert_typed(bound(nn.parallel.DistributedDataParallel(mlp())), "module.")
    finally:
        torch.distributed.destroy_process_group()


@pytest.mark.parametrize(
    "wrap", [parametrizations.weight_norm, parametrizations.spectral_norm, parametrizations.orthogonal]
)
def test_parametrised_weights_have_the_types_of_plain_ones(wrap):
    binding = bound(mlp(wrap))
    assert ranks(binding) == PLAIN
    assert binding.breakers == ()
    assert binding.inference.checked
    assert not binding.unaccounted


class Tied(nn.Module):
    """One tensor in two layers, as it is and transposed."""

    def __init__(self, way):
        super().__init__()
        self.a, self.b, self.way = nn.Linear(8, 16), nn.Linear(8, 16), way
        self.c = nn.Linear(16, 8)
        if way == "two layers":
            self.b.weight = self.a.weight

    def forward(self, x):
        if self.way == "two layers":
            return self.c(F.gelu(self.a(x)) + self.b(x))
        return F.linear(F.gelu(self.a(x)), self.a.weight.t()) + self.c(self.b(x))


@pytest.mark.parametrize("way", ["two layers", "transposed"])
def test_tied_weights_have_one_type(way):
    binding = bound(Tied(way))
    assert binding["a.weight"].projector.rank == 16 * 8 // 8
    assert ("b.weight" in ranks(binding)) == (way == "transposed")
    assert binding.breakers == ()
    assert not binding.unaccounted
    binding.project_()
    assert float(iw.equivariance_error(binding.model, R, R, X)) < 1e-5


class Words(nn.Module):
    """An embedding whose table is the head's weight too."""

    def __init__(self):
        super().__init__()
        self.table, self.a, self.head = nn.Embedding(11, 16), nn.Linear(16, 16), nn.Linear(16, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, index, x):
        return self.head(F.gelu(self.a(self.table(index)) + x))


def test_an_embedding_tied_to_the_head_has_one_type():
    example = (torch.arange(5), torch.randn(5, 16))
    binding = iw.bind(Words(), rep_in=(None, 2 * R), rep_out=None, example=example)
    # 11 words, each with one number a regular field.
    assert binding["table.weight"].projector.rank == 11 * 2
    assert binding.breakers == ()
    assert not binding.unaccounted


class Crossed(nn.Module):
    """One tensor as a kernel 1 x k and, transposed, as one k x 1."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(8, 8, 1, 3))

    def forward(self, x):
        return F.conv2d(x, self.kernel, padding=(0, 1)) + F.conv2d(x, self.kernel.transpose(2, 3), padding=(1, 0))


def test_a_kernel_that_is_shared_by_rows_and_columns_is_typed_or_named():
    images = iw.on_grid(R)
    binding = iw.bind(Crossed(), rep_in=images, rep_out=images, example=torch.randn(2, 8, 5, 5))
    if "kernel" in binding.unaccounted:
        assert binding.inference.reasons["kernel"]
        assert binding.breakers
    else:
        assert binding.breakers == ()


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_scripted_models_are_refused_by_name():
    inside = nn.Sequential(nn.Linear(8, 8), torch.jit.script(nn.Linear(8, 8)))
    with pytest.raises(iw.errors.ArgumentError, match="scripted ones: 1"):
        bound(inside)
    with pytest.raises(iw.errors.ArgumentError, match="scripted ones"):
        bound(torch.jit.trace(mlp(), X))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_dtype(dtype):
    binding = iw.bind(mlp().to(dtype), rep_in=R, rep_out=R, example=X.to(dtype))
    assert ranks(binding) == PLAIN
    assert binding.breakers == ()


class Autocast(nn.Module):
    """Half precision inside."""

    def __init__(self):
        super().__init__()
        self.inner = mlp()

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.inner(x).float()


def test_autocast_inside_and_outside():
    binding = bound(Autocast())
    assert ranks(binding, "inner.") == PLAIN
    assert binding.breakers == ()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        binding = bound(mlp())
    assert ranks(binding) == PLAIN
    assert binding.breakers == ()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_contexts_without_gradients(context):
    with context():
        assert ranks(bound(mlp())) == PLAIN
        model = mlp()
    with context():
        binding = bound(model)
    assert binding.breakers == ()
