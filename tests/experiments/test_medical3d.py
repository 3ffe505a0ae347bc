import hashlib
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import intertwine as iw
from experiments.medical3d import data
from experiments.medical3d.data import data_file, load_medical_split, num_classes, stream
from experiments.medical3d.layers import CopyRms, FieldBatchNorm
from experiments.medical3d.model import ARCHITECTURES, halvings, typed_network
from experiments.medical3d.rotation import turn_volume, turn_voxels, turning_rate
from experiments.medical3d.scores import area_under_curve
from experiments.medical3d.training import (
    BOTH_STRENGTHS,
    EQUAL_STRENGTHS,
    EQUIVARIANT_STRENGTH,
    MedicalSettings,
    medical_method,
    run_medical3d,
    train,
)
from experiments.runs.data_folder import CACHE_VARIABLE, DATA_VARIABLE

OCTAHEDRAL = iw.Octahedral()
SHORT = {"pool": 4, "training": 32, "evaluated": 40, "epochs": 1}
# Times differ from run to run.
TIMES = ("seconds_per_epoch",)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth_volumes(count=2, side=15):
    """Gaussian blobs off the centre, well inside: little is lost by interpolation."""
    axis = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    first, middle, last = torch.meshgrid(axis, axis, axis, indexing="ij")
    centres = 2.0 * torch.randn(count, 3, generator=generator(), dtype=torch.float64).clamp(-1, 1)
    blobs = [((first - a) ** 2 + (middle - b) ** 2 + 0.5 * (last - c) ** 2) for a, b, c in centres.tolist()]
    return torch.stack([(-blob / 8).exp() for blob in blobs])[:, None]


def settings(condition, method, strength=None, **options):
    plan = {"condition": condition, "method": method, "seed": 0, "strength": strength, "learning_rate": 0.03}
    return plan | {"device": "cpu"} | SHORT | options


# -- data -----------------------------------------------------------------------------------------


def test_the_shipped_file_is_the_official_one(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    path = data_file("adrenal")
    assert hashlib.md5(path.read_bytes()).hexdigest() == "bbd3c5a5576322bc4cdfea780653b1ce"
    assert "CC BY 4.0" in (path.parent / "LICENCE.txt").read_text(encoding="utf-8")


def test_splits_share_the_test_and_cut_the_training_part_by_seed():
    official = load_medical_split("adrenal", 0, pool=4)
    assert [len(part.y) for part in (official.training, official.validation, official.test)] == [1188, 98, 298]
    assert int(official.test.y.sum()) == 69
    first, second = (load_medical_split("adrenal", seed, pool=4, training=500) for seed in (0, 1))
    assert [len(part.y) for part in (first.training, first.validation, first.test)] == [500, 786, 298]
    assert torch.equal(first.test.x, second.test.x)
    assert not torch.equal(first.training.x, second.training.x)
    # What is not trained on is chosen by: together they are the official two, each volume once.
    parts = (official.training, official.validation), (first.training, first.validation)
    sums = [sorted(torch.cat([p.x.flatten(1) @ torch.arange(343.0) for p in pair]).tolist()) for pair in parts]
    assert sums[0] == pytest.approx(sums[1])
    assert 0 <= float(first.test.x.min()) < float(first.test.x.max()) <= 1


def test_pooling_commutes_with_turns():
    with np.load(data_file("adrenal")) as arrays:
        full = torch.from_numpy(arrays["val_images"][:3, None] / 255).float()
    pooled = load_medical_split("adrenal", 0, pool=4).validation.x[:3]
    act = iw.on_grid(OCTAHEDRAL.trivial())
    g = OCTAHEDRAL.elements()[5]
    torch.testing.assert_close(F.avg_pool3d(act(g, full), 4), act(g, pooled))


def test_purposes_and_seeds_have_streams_of_their_own():
    draws = {float(torch.rand(1, generator=stream(seed, p))) for seed in range(3) for p in data.STREAMS}
    assert len(draws) == 3 * len(data.STREAMS)


def test_a_file_of_the_user_comes_first(tmp_path, monkeypatch):
    folder = tmp_path / "medmnist3d"
    folder.mkdir()
    arrays = {f"{part}_images": np.full((3, 28, 28, 28), 255, np.uint8) for part in ("train", "val", "test")}
    labels = {f"{part}_labels": np.arange(3, dtype=np.uint8)[:, None] for part in ("train", "val", "test")}
    np.savez(folder / "organmnist3d.npz", **arrays, **labels)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    split = load_medical_split("organ", 0, pool=2)
    assert split.training.x.shape == (3, 1, 14, 14, 14)
    assert bool((split.training.x == 1).all())
    assert split.test.y.tolist() == [0, 1, 2]
    data._pooled.cache_clear()


def test_other_data_sets_come_through_medmnist(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    asked = []

    def download(**options):
        asked.append(options)
        (tmp_path / "medmnist3d" / "nodulemnist3d_64.npz").write_bytes(b"")

    monkeypatch.setattr(data, "import_module", lambda name: SimpleNamespace(NoduleMNIST3D=download))
    path = data_file("nodule", 64)
    assert path == tmp_path / "medmnist3d" / "nodulemnist3d_64.npz"
    assert data_file("nodule", 64) == path
    assert asked == [{"split": "train", "download": True, "root": str(path.parent), "size": 64}]


def test_a_missing_package_and_a_failed_download_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))

    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(data, "import_module", missing)
    with pytest.raises(iw.errors.MissingExtraError, match=r"medmnist.*intertwine\[medical\]"):
        data_file("organ")

    def fail(**options):
        raise RuntimeError("Automatic download failed!")

    monkeypatch.setattr(data, "import_module", lambda name: SimpleNamespace(OrganMNIST3D=fail))
    with pytest.raises(iw.errors.ArgumentError, match=r"Automatic download failed.*put the official file"):
        data_file("organ")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"side": 30}, "side: expected one of 28, 64"),
        ({"pool": 3}, "pool: expected a divisor of 28"),
        ({"pool": 4, "training": 2000}, "training: expected 1 to 1188"),
    ],
)
def test_bad_splits_are_refused(options, match):
    with pytest.raises(iw.errors.ArgumentError, match=match):
        load_medical_split("adrenal", 0, **options)


def test_unknown_data_set():
    with pytest.raises(iw.errors.UnknownNameError, match=r"dataset: expected one of adrenal.*got 'brain'"):
        num_classes("brain")


# -- turning volumes ------------------------------------------------------------------------------


def test_turns_are_those_of_the_library_where_voxels_move_onto_voxels():
    G = iw.Octahedral(reflections=True)
    x = torch.randn(2, 3, 5, 5, 5, generator=generator(), dtype=torch.float64)
    act = iw.on_grid(3 * G.trivial())
    for g in G.elements():
        assert torch.equal(turn_voxels(g, x), act(g, x))
        torch.testing.assert_close(turn_volume(g, x), act(g, x), atol=1e-9, rtol=0)


def test_turns_multiply():
    x = smooth_volumes()
    g, h = iw.SO(3).sample(2, generator=generator(2))
    once, twice = turn_volume(g @ h, x), turn_volume(g, turn_volume(h, x))
    assert float((once - twice).norm() / once.norm()) < 0.1
    assert float((once - turn_volume(g, turn_volume(h.mT, x))).norm() / once.norm()) > 0.2


def test_the_turning_rate_is_the_derivative_of_turns():
    x = smooth_volumes()
    for A in iw.SO(3).lie_algebra:
        g = torch.linalg.matrix_exp(0.1 * A)
        expected = (turn_volume(g, x) - turn_volume(g.mT, x)) / 0.2
        rate = turning_rate(A, x)
        assert float((rate - expected).norm() / expected.norm()) < 0.05
    # Of |p|^2, whose central differences are exact, nothing turns; the faces see zeros outside.
    axis = torch.arange(9.0) - 4
    square = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)[None, None]
    inside = (slice(None), slice(None), *[slice(1, -1)] * 3)
    assert float(turning_rate(iw.SO(3).lie_algebra[0], square)[inside].abs().max()) < 1e-4


# -- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("rep", [2 * OCTAHEDRAL.regular(), iw.SO(3).irreps("3x0 + 2x1 + 1x2")], ids=str)
def test_field_norms_are_equivariant_in_training_and_evaluation(rep):
    G = OCTAHEDRAL
    acting = iw.on_grid(rep if rep.group == G else rep.restrict(G))
    x = torch.randn(4, rep.dim, 3, 3, 3, generator=generator()) + 1
    layer, channels = FieldBatchNorm(rep), nn.BatchNorm3d(rep.dim)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.5, 2.0)
    g = G.elements()[7]
    torch.testing.assert_close(layer(acting(g, x)), acting(g, layer(x)), atol=1e-4, rtol=1e-4)
    # The running statistics of volumes that lie one way: torch's own are those of each channel.
    tilted = x + torch.linspace(0, 3, rep.dim)[:, None, None, None]
    with torch.no_grad():
        for norm in (layer, channels):
            norm(tilted)
            norm.eval()
        torch.testing.assert_close(layer(acting(g, x)), acting(g, layer(x)), atol=1e-4, rtol=1e-4)
        assert float((channels(acting(g, x)) - acting(g, channels(x))).abs().max()) > 1e-2


def test_field_norms_normalise():
    rep = iw.SO(3).irreps("2x0 + 3x1")
    layer = FieldBatchNorm(rep)
    x = 5 * torch.randn(8, rep.dim, 3, 3, 3, generator=generator()) + 3
    scalars, vectors = layer(x).split([2, 9], 1)
    torch.testing.assert_close(scalars, nn.BatchNorm3d(2)(x[:, :2]), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(vectors.unflatten(1, (3, 3)).square().mean((0, 2, 3, 4, 5)), torch.ones(3))
    # In evaluation the running statistics are used, those of ever the same batch in the end.
    for _ in range(300):
        layer(x)
    torch.testing.assert_close(layer.eval()(x)[:, 2:], vectors, atol=1e-3, rtol=1e-3)
    assert isinstance(layer.parts[1], CopyRms)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_at_the_projection(name):
    network = typed_network(name, 3, 14, 1, 0)
    x = load_medical_split("adrenal", 0, pool=2).test.x[:4]
    assert network.model(x).shape == (4, 3)
    free = float(network.error(x))
    network.binding.initialize_(generator=generator())
    network.model.train()(x)  # statistics of the norms
    error = float(network.error(x))
    kind = ARCHITECTURES[name].kind
    exact = [entry.projector.exact for entry in network.binding if entry.name.startswith("conv")]
    assert exact == [kind == "regular"] * len(exact)
    assert exact
    if kind == "dense":
        assert error > 1e-3
        breaker = network.breaker(x[:2])
        assert (breaker.name, breaker.kind) == ("norm1", "BatchNorm3d")
        names = set(network.binding.unaccounted)
        assert {"norm1.weight", "block2.norm2.running_mean"} <= names
        assert all("norm" in name for name in names)
    else:
        assert free > 1e-3
        assert error < 1e-5
        assert not network.binding.unaccounted
        with torch.no_grad():
            assert float(network.model.eval()(x).std(0).min()) > 1e-5  # no network of constants
    assert iw.geometry(network.model, x, group=network.pixel_group).breaking == ()


def test_the_first_breaker_of_an_untrained_dense_network_is_its_activation():
    network = typed_network("SO(3) dense", 2, 14, 1, 0)
    network.binding.initialize_(generator=generator())
    # Statistics as torch begins with: the norms do nothing yet.
    breaker = network.breaker(load_medical_split("adrenal", 0, pool=2).test.x[:2])
    assert (breaker.name, breaker.kind, breaker.after) == ("act1", "ELU", "norm1")


@pytest.mark.parametrize("side", [7, 14, 28, 64])
def test_strides_end_at_the_last_side_and_keep_the_centre(side):
    for kernel, padding in halvings(side):
        assert (side + 2 * padding - kernel) % 2 == 0
        side = (side + 2 * padding - kernel) // 2 + 1
    assert side == 4


def test_seeds_draw_networks_and_methods_share_them():
    first, again, other = (typed_network("SO(3) gated", 2, 7, 1, seed) for seed in (0, 0, 1))
    assert torch.equal(first.model.conv1.weight, again.model.conv1.weight)
    assert not torch.equal(first.model.conv1.weight, other.model.conv1.weight)


def test_unknown_network():
    with pytest.raises(iw.errors.UnknownNameError, match=r"condition: expected one of octahedral.*got 'SU\(2\)'"):
        typed_network("SU(2)", 2, 14, 1, 0)


def test_the_lie_derivative_is_that_of_turned_volumes():
    network = typed_network("SO(3) gated", 2, 15, 1, 0)
    x = smooth_volumes(4).float()
    network.model.train()(x)
    network.model.eval()
    method = medical_method("lie_derivative", network.subject(), 1.0, generator())
    A = network.group.lie_algebra[1]
    g = torch.linalg.matrix_exp(0.05 * A)
    with torch.no_grad():
        expected = (network.model(turn_volume(g, x)) - network.model(turn_volume(g.mT, x))) / 0.1
        found = method.derivative(A, x)
    assert float((found - expected).norm() / expected.norm()) < 0.1


# -- scores and runs ------------------------------------------------------------------------------


def test_the_area_is_the_share_of_pairs_in_order():
    labels = torch.randint(3, (40,), generator=generator())
    scores = torch.rand(40, 3, generator=generator(1)).mul(8).round()  # with ties
    areas = []
    for k in range(3):
        pairs = scores[labels == k, k][:, None] - scores[labels != k, k]
        areas.append(float(((pairs > 0).double() + 0.5 * (pairs == 0)).mean()))
    assert area_under_curve(scores, labels) == pytest.approx(sum(areas) / 3)
    # Of two classes only the second counts.
    two = torch.stack([torch.zeros(40), scores[:, 1]], 1)
    assert area_under_curve(two, (labels == 1).long()) == pytest.approx(areas[1])
    assert math.isnan(area_under_curve(two, torch.zeros(40, dtype=torch.long)))
    assert math.isnan(area_under_curve(torch.full((40, 2), math.nan), (labels == 1).long()))


def test_equal_strengths_are_weight_decay_of_the_typed_weights():
    network = typed_network("SO(3) dense", 2, 7, 1, 0)
    x = torch.zeros(1, 1, 7, 7, 7)
    equal = medical_method(EQUAL_STRENGTHS, network.subject(), 0.3, generator()).penalty(x, x)
    weights = [tensor for entry, tensor in network.binding.tensors() if entry.kind != "buffer"]
    torch.testing.assert_close(equal, 0.15 * sum(W.square().sum() for W in weights))
    both = medical_method(BOTH_STRENGTHS, network.subject(), 0.3, generator()).penalty(x, x)
    torch.testing.assert_close(both, network.binding.penalty(0.3, EQUIVARIANT_STRENGTH))


@pytest.mark.parametrize("method", ["augmentation", "penalty"])
def test_a_run_depends_on_its_settings_alone(method):
    chosen = settings("octahedral regular", method, 1.0 if method == "penalty" else None)
    torch.manual_seed(0)
    first = run_medical3d(chosen)
    state = torch.get_rng_state()
    second = run_medical3d(chosen)
    assert torch.equal(state, torch.get_rng_state())
    assert {k: v for k, v in first.items() if k not in TIMES} == {k: v for k, v in second.items() if k not in TIMES}
    third = run_medical3d(chosen | {"seed": 1})
    assert third["validation_loss"] != first["validation_loss"]


def test_exact_runs_say_what_the_network_is_at_the_projection():
    # At this side the dense network has a residual block; three steps move its error little above rounding.
    options = {"pool": 2, "training": 64}
    found = {c: run_medical3d(settings(c, "exact", **options)) for c in ("SO(3) gated", "SO(3) dense")}
    for run in found.values():
        assert run["relative_residual"] < 1e-6
        assert run["projected_error"] == run["equivariance_error"]
    assert found["SO(3) gated"]["projected_error"] < 1e-5
    assert found["SO(3) gated"]["breaker"] is None
    assert found["SO(3) dense"]["projected_error"] > 2e-4
    assert found["SO(3) dense"]["breaker"] == "norm1 (BatchNorm3d)"


def test_diverged_runs_are_reported_not_raised():
    result = run_medical3d(settings("SO(3) dense", "plain", learning_rate=1e30, epochs=2))
    assert math.isinf(result["validation_loss"])
    assert math.isinf(result["equivariance_error"])
    assert math.isinf(result["variants"]["train_then_project"]["validation_loss"])


def test_both_optimisers_train():
    before = typed_network("octahedral regular", 2, 7, 1, 0).model.conv1.weight.detach()
    for optimizer in ("sgd", "adam"):
        trained = train(MedicalSettings(**settings("octahedral regular", "plain", optimizer=optimizer)))
        assert float((trained.network.model.conv1.weight.detach() - before).norm()) > 1e-4
    with pytest.raises(iw.errors.ArgumentError, match="optimizer: expected 'sgd' or 'adam'; got 'lion'"):
        train(MedicalSettings(**settings("octahedral regular", "plain", optimizer="lion")))
