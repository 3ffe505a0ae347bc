import torch
import torch.nn.functional as F

from intertwine.baselines import training_step
from intertwine.baselines.plain import Plain
from intertwine.baselines.train_then_project import TrainThenProject
from tests.baselines.subjects import data, images


def test_it_trains_as_plain_does_and_ends_at_the_nearest_equivariant_weights():
    projected, plain = images(), images()
    x, y = data(plain)
    methods = TrainThenProject(projected), Plain(plain)
    for method in methods:
        optimizer = torch.optim.Adam(method.parameter_groups(), 0.01)
        method.attach(optimizer)
        for _ in range(4):
            training_step(method, optimizer, x, y, F.mse_loss)
    assert methods[0].finish() is projected.model
    for entry, W in plain.binding.tensors():
        result = projected.model.get_parameter(entry.name)
        # Norms are not restored: P W itself.
        assert torch.allclose(result, entry.projector.project(W.detach()), atol=1e-12)
        if entry.projector.rank < W.numel():
            assert float(result.detach().norm()) < 0.99 * float(W.detach().norm())
