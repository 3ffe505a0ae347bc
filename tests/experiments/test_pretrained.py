"""The experiment of pretrained weights: digits, detectors and the sentences that are computed from runs."""

import pytest
import torch

import intertwine as iw
from experiments.pretrained.data import TURNS, digits, turned
from experiments.pretrained.faces import BOX, LANDMARKS, SIDES, Detector, G
from experiments.pretrained.findings import CHOOSING, Findings
from experiments.pretrained.networks import accuracies, network
from experiments.pretrained.pictures import draw
from experiments.pretrained.task import TASK


@pytest.fixture(autouse=True)
def _shipped(monkeypatch):
    monkeypatch.delenv("INTERTWINE_DATA", raising=False)


def test_the_mirror_moves_boxes_and_landmarks_as_it_moves_the_picture():
    """(left, top, right, bottom) corrections, and points about the middle of the box."""
    g = G.generators[0]
    assert BOX.act(g, torch.tensor([0.1, 0.2, 0.3, 0.4])).tolist() == pytest.approx([-0.3, 0.2, -0.1, 0.4])
    points = torch.arange(10.0)  # eyes, nose, corners of the mouth: x of all, then y
    assert LANDMARKS.act(g, points).tolist() == [-1, 0, -2, -4, -3, 6, 5, 7, 9, 8]


@pytest.mark.parametrize("name", SIDES)
def test_detectors_have_the_published_shapes_and_can_be_typed(name):
    net, x = Detector(name).eval(), torch.randn(2, 3, SIDES[name], SIDES[name])
    numbers = {"pnet": 6_632, "rnet": 100_178, "onet": 389_040}
    assert sum(p.numel() for p in net.parameters()) == numbers[name]
    outs = (2 * G.trivial(), BOX, LANDMARKS)[: 3 if name == "onet" else 2]
    if name == "pnet":
        outs = tuple(map(iw.on_grid, outs))
    binding = iw.bind(net, rep_in=iw.on_grid(3 * G.trivial()), rep_out=outs, example=x, check=False)
    assert not binding.unaccounted
    assert "features.conv2.weight" in {entry.name for entry in binding.entries}


def test_digits_turn_by_quarters():
    data = digits(0, "test", 20, (5, 6))
    assert set(data.y.tolist()) <= {0, 1}
    images = turned(data.x, TURNS["half turned"], torch.Generator().manual_seed(0))
    upright, reversed_ = ((images == other).all((1, 2, 3)) for other in (data.x, torch.rot90(data.x, 2, (-2, -1))))
    assert bool((upright | reversed_).all())
    assert bool(upright.any())
    assert bool(reversed_.any())
    net = network((4, 4, 4, 4), 2, 0)
    right = accuracies(net, data)
    again = (net(torch.rot90(data.x, 1, (-2, -1))).argmax(1) == data.y).float().mean()
    assert right[1] == pytest.approx(float(again))


def tuned(seed, fitted, order, none):
    values = {"fitted": (0.1, fitted), "channel order": (0.1, order), "none": (0.0, none)}
    return (
        {"kind": "tuned", "seed": seed},
        {"tuned": [{"method": m, "strength": s, "all turns": v, "upright": v} for m, (s, v) in values.items()]},
    )


@pytest.mark.parametrize(("lead", "word"), [(0.1, "ahead"), (-0.1, "behind"), (0.0, "no clear")])
def test_conclusions_follow_the_numbers(lead, word):
    """Also where they go against us; the seeds that choose do not count."""
    noise = [0.01, -0.01, 0.02, -0.02]
    runs = [tuned(seed, 0.5 + lead + noise[seed], 0.5, 0.5) for seed in range(4)] + [tuned(CHOOSING, 0.0, 0.9, 0.9)]
    said = Findings.of(runs).conclusions()
    assert len(said) == 2
    assert all(f": {word}" in sentence and "4 seeds" in sentence for sentence in said)


def test_the_page_shows_the_picture_and_what_is_said_of_the_runs(tmp_path):
    weight = {"name": "0.weight", "shape": [16, 1, 3, 3], "residual": 0.2, "chance": 0.6, "chance_spread": 0.01}
    fit = {"weights": [weight | {"unfitted": 0.8, "chance_of_type": 0.7}]}
    runs = [({"kind": "faces", "network": "pnet", "seed": 0}, {"fits": {"as it is": fit, "rescaled": fit}})]
    found = Findings.of(runs)
    [(name, caption)] = draw(found, tmp_path)
    assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
    assert "chance" in caption
    assert draw(Findings.of([tuned(0, 0.5, 0.5, 0.5)]), tmp_path) == []
    head = {"command": "reproduce", "date": "today", "size": "cpu", "environment": {"processor": "one", "torch": "2"}}
    paths = TASK.write(runs, head | {"remark": "Said of the runs."}, tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert tmp_path / name in paths
    assert f"]({name})" in page
    assert "Said of the runs." in page
