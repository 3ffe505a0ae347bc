import numpy as np
import pytest
import torch

from experiments.ct import data as ct_data
from experiments.ct.data import SCANS, VOLUMES, cut_slices, load_pairs, load_slices
from experiments.ct.simulation import (
    METALS,
    PHOTONS,
    SHARES,
    WATER,
    Geometry,
    draw_implants,
    interpolate_trace,
    measured_rays,
    simulate,
)
from experiments.ct.split import GUARD, INPUTS, load_ct_split, split_slices
from experiments.runs.data_folder import given_data
from intertwine.errors import ArgumentError, ShapeError, UnknownNameError

pytest.importorskip("skimage")

LI = "from LI-MAR"


@pytest.fixture(scope="module", autouse=True)
def generated(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("INTERTWINE_CACHE", str(tmp_path_factory.mktemp("generated")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def slices():
    return load_slices(65)


@pytest.fixture(scope="module")
def phantom():
    rows, columns = np.mgrid[-16:17, -16:17]
    image = np.where((rows / 13) ** 2 + (columns / 10) ** 2 < 1, 40.0, -1000.0)
    image[10:14, 12:20] = 700
    return image


@pytest.fixture(scope="module")
def implant():
    metal = np.zeros((33, 33), dtype=bool)
    metal[14:16, 18:22] = True
    metal[22:24, 11:13] = True
    return metal


# -- physics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metal", METALS)
def test_the_scanner_commutes_with_quarter_turns(phantom, implant, metal):
    straight = simulate(phantom, implant, 6.0, METALS[metal], None)
    turned = simulate(np.rot90(phantom), np.rot90(implant), 6.0, METALS[metal], None)
    for name in ("artefact", "clean", "interpolated", "metal"):
        # Rounding to whole Hounsfield units may fall on either side.
        difference = getattr(turned, name).astype(int) - np.rot90(getattr(straight, name)).astype(int)
        assert abs(difference).max() <= 1
    assert abs(straight.artefact.astype(int) - straight.clean)[~implant].max() > 100


def test_without_metal_nothing_happens_and_the_slice_comes_back(phantom):
    pair = simulate(phantom, np.zeros_like(phantom, dtype=bool), 6.0, METALS["iron"], None)
    assert abs(pair.artefact.astype(int) - pair.clean).max() <= 1
    assert (pair.interpolated == pair.artefact).all()
    middle = (slice(17, 22), slice(13, 20))
    assert abs(pair.clean[middle] - phantom[middle]).mean() < 60


def test_interpolation_removes_most_of_the_artefact(phantom, implant):
    pair = simulate(phantom, implant, 6.0, METALS["iron"], np.random.default_rng(0))
    worse, better = (
        np.square(image.astype(float) - pair.clean)[~implant].mean() for image in (pair.artefact, pair.interpolated)
    )
    assert better < worse / 4


def test_projections_are_lengths_in_millimetres():
    geometry = Geometry(33, 5.0)
    square = np.zeros((33, 33))
    square[10:23, 10:23] = 1
    rays = geometry.project(square)
    # Along an axis through the middle, 13 pixels of 5 mm; the mass is the same under every angle.
    assert rays[geometry.detectors // 2, 0] == pytest.approx(65, rel=1e-6)
    assert rays.sum(0) * 5 == pytest.approx(np.full(len(geometry.angles), 65.0**2), rel=0.02)


def test_water_is_measured_right_and_metal_is_hardened():
    millimetres = np.array([0.0, 50.0, 300.0])
    assert measured_rays(millimetres, 0 * millimetres, METALS["iron"], None) == pytest.approx(millimetres, abs=0.01)
    thin, thick = measured_rays(np.zeros(2), np.array([1.0, 10.0]), METALS["titanium"], None)
    assert thin < thick < 10 * thin
    # To first order one millimetre of metal counts as the ratio of the mean attenuations.
    ratio = np.dot(SHARES, METALS["titanium"]) / np.dot(SHARES, WATER)
    tiny = measured_rays(np.zeros(1), np.array([1e-3]), METALS["titanium"], None)
    assert tiny[0] / 1e-3 == pytest.approx(ratio, rel=0.02)


def test_starved_rays_count_one_photon():
    starved = measured_rays(np.full(3, 500.0), np.full(3, 200.0), METALS["iron"], np.random.default_rng(0))
    assert len(set(starved)) == 1
    # As much water as lets one photon through.
    through = np.dot(SHARES, np.exp(-np.array(WATER) * starved[0]))
    assert through == pytest.approx(1 / PHOTONS, rel=1e-2)
    assert sum(SHARES) == pytest.approx(1)


def test_the_trace_is_bridged_by_straight_lines():
    rays = np.array([[0.0, 7.0], [9.0, 7.0], [9.0, 7.0], [3.0, 7.0]])
    trace = np.array([[False, True], [True, True], [True, True], [False, True]])
    bridged = interpolate_trace(rays, trace)
    assert bridged[:, 0].tolist() == [0, 1, 2, 3]
    assert bridged[:, 1].tolist() == [7, 7, 7, 7]  # no neighbour to go by


def test_implants_lie_in_the_body(slices):
    rng = np.random.default_rng(0)
    for found in slices.values():
        for image in found[::10]:
            metal = draw_implants(image, rng)
            assert 0 < metal.sum() < 0.06 * metal.size
            assert (image[metal] > -1000).all()
    assert not draw_implants(np.full((33, 33), -1000.0), rng).any()


def test_even_squares_are_refused():
    with pytest.raises(ShapeError, match="odd number"):
        Geometry(64, 1.0)


# -- data -------------------------------------------------------------------------------------------------------------


def test_shipped_slices(slices):
    assert {name: found.shape for name, found in slices.items()} == {
        "torso": (46, 65, 65),
        "chest": (57, 65, 65),
        "abdomen": (20, 65, 65),
    }
    assert all(found.dtype == np.int16 for found in slices.values())


def test_shipped_slices_are_cut_from_the_volumes(slices):
    path = given_data("ct", "ct_volumes_hu.npz")
    if path is None:
        pytest.skip("INTERTWINE_DATA has no CT volumes")
    with np.load(path) as file:
        for name, scan in SCANS.items():
            assert (cut_slices(file[VOLUMES[name]], scan, 65) == slices[name]).all()


def test_squares_are_means_over_blocks_with_air_around():
    volume = np.zeros((1, 390, 200), dtype=np.int16)
    volume[:, :6, :] = 60
    square = cut_slices(volume, ct_data.Scan(0, 0, 1, 1, 1.0, 6), 65)[0]
    assert square.shape == (65, 65)
    assert square[0, 32] == 60
    assert square[1, 32] == 0
    assert square[32, 0] == square[32, -1] == -1000
    with pytest.raises(ShapeError, match="65 or 129"):
        cut_slices(volume, SCANS["torso"], 77)


def test_pairs_are_made_once_and_depend_on_nothing_else(tmp_path):
    calls, other = [], tmp_path / "other"
    other.mkdir()
    first = load_pairs(65, 1, 20, folder=tmp_path, advance=lambda: calls.append(1))
    again = load_pairs(65, 1, 20, folder=tmp_path, advance=lambda: calls.append(1))
    assert len(calls) == sum(len(found["clean"]) for found in first.values()) == 7
    fresh = load_pairs(65, 1, 20, folder=other)
    for name in SCANS:
        for key, array in first[name].items():
            assert (array == again[name][key]).all()
            assert (array == fresh[name][key]).all()


def test_a_whole_scan_is_held_out_and_rotates():
    splits = [load_ct_split(LI, seed, 65, 1000, variants=1, every=3, test=1000) for seed in range(4)]
    assert [split.held_out for split in splits] == ["torso", "chest", "abdomen", "torso"]
    for split in splits[:3]:
        clean = load_pairs(65, 1, 3)[split.held_out]["clean"]
        assert len(split.test.x) == len(clean)
        # No test slice among the others: compared where there is no metal in either.
        others = torch.cat([split.training.y, split.validation.y])
        distances = (split.test.y[:, None] - others[None]).abs().flatten(2).median(-1).values
        assert distances.min() > 0
    assert not torch.equal(splits[0].validation.y, splits[3].validation.y)


def test_validation_slices_are_no_neighbours_of_training_slices():
    for seed in range(20):
        training, validation = split_slices(46, torch.Generator().manual_seed(seed))
        assert len(validation) == 7
        assert (np.diff(validation) == 1).all()
        assert abs(training[:, None] - validation).min() > GUARD
    with pytest.raises(ArgumentError, match="at least 6 slices"):
        split_slices(5, torch.Generator())


def test_pairs_keep_the_first_input_at_the_metal():
    for condition, names in INPUTS.items():
        split = load_ct_split(condition, 0, 65, 8, variants=1, every=3)
        x, y = split.training.x, split.training.y
        metal = x[:, -1:] > 0
        assert x.shape[1] == len(names) + 1
        assert metal.any(dim=(1, 2, 3)).all()
        assert torch.equal(y[metal], x[:, :1][metal])
        assert x.min() >= 0
    with pytest.raises(UnknownNameError, match="from LI-MAR"):
        load_ct_split("from nothing", 0, 65, 8)
    with pytest.raises(ArgumentError, match="training, test"):
        load_ct_split(LI, 0, 65, 0)
