"""A regularisation beside accelerate: strength under accumulation, skipped steps, wrappers, resuming, trackers."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError
from intertwine.training import Regularization, accelerated
from tests.training.models import Recorder, added, assert_same, data, net, off, weights

accelerate = pytest.importorskip("accelerate")
INF = math.inf
mse = nn.functional.mse_loss
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*", "ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def fresh():
    """An accelerator's state is the process's."""
    yield
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerate.state.GradientState._reset_state()


def loader(batches=6, dtype=torch.float64):
    dataset = torch.utils.data.TensorDataset(*data(4 * batches, dtype))
    return torch.utils.data.DataLoader(dataset, batch_size=4)


def made(make, options, seed=0, dtype=torch.float64, **settings):
    model, binding = net(seed, dtype)
    accelerator = accelerate.Accelerator(cpu=True, **settings)
    prepared, optimizer, batches = accelerator.prepare(model, make(model), loader(dtype=dtype))
    return accelerator, prepared, optimizer, batches, binding, accelerated(accelerator, optimizer, binding, **options)


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.01)


def run(accelerator, model, optimizer, batches, spoiled=None, extra=None, after=lambda: None):
    for index, (x, y) in enumerate(batches):
        with accelerator.accumulate(model):
            loss = mse(model(x).to(y.dtype), y) * (INF if index == spoiled else 1.0)
            accelerator.backward(loss if extra is None else loss + extra())
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1e6)
            optimizer.step()
            optimizer.zero_grad()
        after()


def task_gradients(model, parts):
    """As accelerate accumulates them: each micro-batch divided by 4."""
    x, y = data()
    loss = sum(mse(model(x[4 * i : 4 * i + 4]), y[4 * i : 4 * i + 4]) for i in parts) / 4
    return torch.autograd.grad(loss, list(model.parameters()))


@pytest.mark.parametrize(("place", "factors"), [("callback", (1, 1)), ("loss", (1, 0.5))])
def test_the_strength_of_a_penalty_in_full_and_incomplete_groups(place, factors):
    """Groups of 4 and 2; accelerate halves the whole loss of the second, the penalty in it too."""
    options = {"penalty": 0.7} if place == "callback" else {}
    accelerator, model, optimizer, batches, binding, _ = made(
        lambda m: Recorder(m.parameters()), options, gradient_accumulation_steps=4
    )
    run(accelerator, model, optimizer, batches, extra=None if options else lambda: binding.penalty(0.7))
    assert len(optimizer.optimizer.seen) == 2
    for found, factor, parts in zip(optimizer.optimizer.seen, factors, (range(4), range(4, 6)), strict=True):
        for W, own, term in zip(found, task_gradients(model, parts), added(binding, 0.7), strict=True):
            torch.testing.assert_close(W - own, factor * term)


@pytest.mark.parametrize(("kind", "every"), [("adamw", 1), ("adamw", 3), ("schedule-free", 1)])
def test_wrapped_optimizers_take_the_steps_of_bare_ones(kind, every):
    def make(model):
        if kind == "adamw":
            return adamw(model)
        return pytest.importorskip("schedulefree").AdamWScheduleFree(model.parameters(), lr=0.01)

    options = {"decay": lambda step: 3.0 + step, "penalty": 0.1, "every": every}
    accelerator, model, optimizer, batches, _, regularization = made(make, options)
    optimizer.train()
    run(accelerator, model, optimizer, batches)
    optimizer.eval()
    twin, bound = net()
    bare = make(twin)
    other = Regularization(bound, **options).attach(bare)
    getattr(bare, "train", lambda: None)()
    for x, y in loader():
        bare.zero_grad()
        mse(twin(x), y).backward()
        bare.step()
    getattr(bare, "eval", lambda: None)()
    for part in (regularization, other):
        part.finish()
    assert_same(weights(model), weights(twin))


@pytest.mark.parametrize("fused", [False, True])
def test_skipped_and_fused_skipped_steps_are_no_steps(fused):
    """accelerate has no scaler on a CPU; one of torch's is put in its place, as on a GPU."""
    model, binding = net(dtype=torch.float32)
    accelerator = accelerate.Accelerator(cpu=True)
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    made_ = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
    model, optimizer, batches = accelerator.prepare(model, made_, loader(dtype=torch.float32))
    regularization = accelerated(accelerator, optimizer, binding, decay=INF, penalty=lambda step: 0.1 * step)
    counts = []
    run(accelerator, model, optimizer, batches, spoiled=2, after=lambda: counts.append(regularization.steps))
    assert counts == [1, 2, 2, 3, 4, 5]
    assert off(binding) < 1e-6


def test_bfloat16_and_averages():
    accelerator, model, optimizer, batches, binding, _ = made(
        adamw, {"decay": INF}, dtype=torch.float32, mixed_precision="bf16"
    )
    inner = accelerator.unwrap_model(model)
    average = torch.optim.swa_utils.AveragedModel(inner)
    run(accelerator, model, optimizer, batches, after=lambda: average.update_parameters(inner))
    assert off(binding) < 1e-6
    with torch.no_grad():
        for W, A in zip(inner.parameters(), average.module.parameters(), strict=True):
            W.copy_(A)
    assert off(binding) < 1e-6


def test_several_optimizers():
    model, binding = net()
    accelerator = accelerate.Accelerator(cpu=True)
    first, second = torch.optim.SGD(model[0].parameters(), lr=0.1), torch.optim.SGD(model[2].parameters(), lr=0.1)
    model, first, second, batches = accelerator.prepare(model, first, second, loader())
    regularization = accelerated(accelerator, (first, second), binding, decay=INF)
    for x, y in batches:
        accelerator.backward(mse(model(x), y))
        for optimizer in (first, second):
            optimizer.step()
            optimizer.zero_grad()
    assert off(binding) < 1e-12
    assert [part.steps for part in regularization.parts] == [6, 6]


@pytest.mark.parametrize(
    "options", [{"decay": lambda n: 1.0 + n, "penalty": lambda n: 0.1 * n, "every": 4}, {"decay": INF}]
)
def test_a_checkpoint_in_the_middle_goes_on_to_the_bit(tmp_path, options):
    def start(seed):
        # As in a process of its own.
        accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
        return made(adamw, options, seed)

    accelerator, model, optimizer, batches, _, regularization = start(0)
    for index, (x, y) in enumerate(batches):
        accelerator.backward(mse(model(x), y))
        optimizer.step()
        optimizer.zero_grad()
        if index == 2:
            accelerator.save_state(str(tmp_path))
    regularization.finish()
    straight, state = weights(model), regularization.state_dict()
    accelerator, model, optimizer, batches, _, regularization = start(5)
    accelerator.load_state(str(tmp_path))
    assert regularization.steps == 3
    run(accelerator, model, optimizer, accelerator.skip_first_batches(batches, 3))
    regularization.finish()
    assert_same(weights(model), straight)
    assert regularization.state_dict() == state


def test_trackers_get_the_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accelerator, *parts, binding, regularization = made(
        adamw, {"decay": 3.0}, log_with="tensorboard", project_dir=str(tmp_path)
    )
    accelerator.init_trackers("run")
    run(
        accelerator,
        *parts,
        after=lambda: accelerator.log(regularization.scalars(targets=0.05), step=regularization.steps),
    )
    accelerator.end_training()
    events = EventAccumulator(str(next(tmp_path.rglob("events*")).parent))
    events.Reload()
    now = binding.residuals()["0.weight"].relative_residual
    assert events.Scalars("equivariance/residual/0.weight")[-1].value == pytest.approx(now, rel=1e-6)
    assert [event.step for event in events.Scalars("equivariance/target")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_wandb_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    accelerator, *_, regularization = made(adamw, {"decay": 3.0}, log_with="wandb")
    accelerator.init_trackers("run")
    for step in range(2):  # W&B keeps a step until the next one begins
        accelerator.log(regularization.scalars(), step=step)
    assert accelerator.get_tracker("wandb", unwrap=True).summary["equivariance/decay_strength"] == 3.0
    accelerator.end_training()


def test_what_it_refuses():
    model, binding = net()
    accelerator = accelerate.Accelerator(cpu=True)
    optimizer = accelerator.prepare(adamw(model))
    with pytest.raises(ArgumentError, match=r"accelerator: expected an accelerate\.Accelerator; got"):
        accelerated(model, optimizer, binding, decay=1.0)
    with pytest.raises(ArgumentError, match="got none of"):
        accelerated(accelerator, optimizer, net()[1], decay=1.0)
    assert not accelerator._custom_objects
    assert iw.EquivarianceDecay(optimizer, binding, 1.0).optimizer is optimizer.optimizer
