"""The callback in Lightning itself, both packages: strength, skipped steps, averages, optimisers, resuming, logs."""

import math
import pickle
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, DecayWarning
from intertwine.training import lightning_callback
from tests.training.models import Recorder, added, assert_same, data, net, off, weights

L = pytest.importorskip("lightning.pytorch")
INF = math.inf
# Of the trainer, about workers, intervals of logs and devices.
pytestmark = pytest.mark.filterwarnings("ignore")


class Module(L.LightningModule):
    def __init__(self, make, seed=0, dtype=torch.float64, spoiled=None, loss_extra=None):
        super().__init__()
        self.net, self.binding = net(seed, dtype)
        self.make, self.spoiled, self.loss_extra = make, spoiled, loss_extra

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x).to(y.dtype), y)
        if self.loss_extra is not None:
            loss = loss + self.loss_extra()
        return loss * (INF if self.spoiled == self.trainer.fit_loop.total_batch_idx else 1.0)

    def configure_optimizers(self):
        return self.make(self.net)


def loader(dtype=torch.float64, batches=6, shuffle=False):
    dataset = torch.utils.data.TensorDataset(*data(4 * batches, dtype))
    return torch.utils.data.DataLoader(dataset, batch_size=4, shuffle=shuffle)


def trainer(tmp_path, *callbacks, **options):
    plain = {"logger": False, "enable_checkpointing": False, "max_epochs": 1} | options
    return L.Trainer(
        accelerator="cpu", devices=1, enable_progress_bar=False, enable_model_summary=False, callbacks=list(callbacks),
        default_root_dir=tmp_path, **plain,
    )  # fmt: skip


def adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=0.01)


def micro_gradients(module, parts):
    """The gradient of the task that Lightning accumulates over micro-batches of 4 samples, each divided by 4."""
    x, y = data()
    loss = sum(nn.functional.mse_loss(module.net(x[4 * i : 4 * i + 4]), y[4 * i : 4 * i + 4]) for i in parts) / 4
    return torch.autograd.grad(loss, list(module.net.parameters()))


@pytest.mark.parametrize("clip", [None, 1e-3])
def test_the_penalty_is_the_intended_one_in_full_and_incomplete_groups(tmp_path, clip):
    """Groups of 4 and 2 micro-batches; in the loss Lightning halves the second (observed: 1 and 0.5)."""
    module = Module(lambda model: Recorder(model.parameters()))
    callback = lightning_callback(module.binding, penalty=0.7)
    trainer(tmp_path, callback, accumulate_grad_batches=4, gradient_clip_val=clip).fit(module, loader())
    seen = module.trainer.optimizers[0].seen
    assert len(seen) == 2
    for found, parts in zip(seen, (range(4), range(4, 6)), strict=True):
        task = micro_gradients(module, parts)
        size = torch.linalg.vector_norm(torch.cat([g.flatten() for g in task]))
        factor = 1.0 if clip is None else float(clip / size)
        for W, own, term in zip(found, task, added(module.binding, 0.7), strict=True):
            torch.testing.assert_close(W, factor * own + term, rtol=1e-4, atol=1e-6)


def test_in_the_loss_lightning_halves_it_in_a_group_that_is_half_full(tmp_path):
    module = Module(lambda model: Recorder(model.parameters()))
    module.loss_extra = lambda: module.binding.penalty(0.7)
    trainer(tmp_path, accumulate_grad_batches=4).fit(module, loader())
    for found, share, parts in zip(module.trainer.optimizers[0].seen, (1, 0.5), (range(4), range(4, 6)), strict=True):
        for W, own, term in zip(found, micro_gradients(module, parts), added(module.binding, 0.7), strict=True):
            torch.testing.assert_close(W, own + share * term)


@pytest.mark.parametrize("fused", [False, True])
def test_skipped_and_fused_skipped_steps_are_no_steps(tmp_path, fused):
    plugin = L.plugins.MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu", init_scale=16.0))
    module = Module(lambda m: torch.optim.AdamW(m.parameters(), lr=0.01, fused=fused), dtype=torch.float32, spoiled=2)
    callback = lightning_callback(module.binding, decay=INF, penalty=lambda step: 0.1 * step)
    counts = []
    seen = L.callbacks.LambdaCallback(on_train_batch_end=lambda *_: counts.append(callback.regularization.steps))
    trainer(tmp_path, callback, seen, plugins=[plugin]).fit(module, loader(torch.float32))
    assert counts == [1, 2, 2, 3, 4, 5]
    assert off(module.binding) < 1e-6


def test_bfloat16_and_gradient_clipping_keep_a_projected_training_projected(tmp_path):
    module = Module(adamw, dtype=torch.float32)
    callback = lightning_callback(module.binding, decay=INF)
    trainer(tmp_path, callback, precision="bf16-mixed", gradient_clip_val=0.1).fit(module, loader(torch.float32))
    assert off(module.binding) < 1e-6


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("kind", ["EMAWeightAveraging", "StochasticWeightAveraging"])
def test_averages_are_projected_wherever_the_callback_stands(tmp_path, kind, first):
    """They end up in the model; ``decay`` acts in the step, ahead of every callback."""
    module = Module(adamw)
    options = {"decay": 0.9} if kind.startswith("EMA") else {"swa_lrs": 0.01, "swa_epoch_start": 2}
    average = getattr(L.callbacks, kind)(**options)
    callback = lightning_callback(module.binding, decay=INF)
    trained = []
    seen = L.callbacks.LambdaCallback(on_train_epoch_end=lambda *_: trained.append(weights(module.net)))
    pair = (callback, average) if first else (average, callback)
    trainer(tmp_path, seen, *pair, max_epochs=4).fit(module, loader())
    assert not torch.equal(module.net[0].weight, trained[-1]["0.weight"])
    assert off(module.binding) < 1e-12


def test_an_average_that_takes_in_the_start_is_said(tmp_path):
    """SWA from its first epoch on averages weights at the beginning of epochs, those before any step among them."""
    for begin in (False, True):
        module = Module(adamw)
        if begin:
            module.binding.initialize_()
        average = L.callbacks.StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=1)
        fitted = trainer(tmp_path, lightning_callback(module.binding, decay=INF), average, max_epochs=4)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            fitted.fit(module, loader())
        told = [str(w.message) for w in said if issubclass(w.category, DecayWarning)]
        assert len(told) == (not begin)
        assert all("an average that took in weights from before the first step" in text for text in told)
        assert (off(module.binding) < 1e-12) == begin


def test_a_callback_that_projects_behind_the_average_comes_too_late(tmp_path):
    """The fact that the decay does not share: Lightning's average is taken in ``on_train_batch_end`` of callbacks."""
    module = Module(adamw)
    average = L.callbacks.EMAWeightAveraging(decay=0.9)
    late = L.callbacks.LambdaCallback(on_train_batch_end=lambda *_: module.binding.project_() and None)
    trainer(tmp_path, average, late).fit(module, loader())
    assert off(module.binding) > 0.05


def test_steps_that_wait_are_not_taken_on_an_average(tmp_path):
    module = Module(adamw)
    average = L.callbacks.EMAWeightAveraging(decay=0.9)
    callback = lightning_callback(module.binding, decay=3.0, every=4)
    with pytest.raises(ArgumentError, match="before EMAWeightAveraging, as every=4 leaves steps to the end"):
        trainer(tmp_path, average, callback).fit(module, loader())
    trainer(tmp_path, callback, average).fit(module, loader())
    assert callback.regularization.steps == 6


def test_statistics_that_an_average_takes_anew(tmp_path):
    """SWA runs one more epoch for batch norms, in which no parameter is updated; the end projects their statistics."""
    module = Module(adamw)
    module.net = nn.Sequential(nn.Linear(8, 8, dtype=torch.float64), nn.BatchNorm1d(8, dtype=torch.float64))
    V = 2 * iw.Cyclic(4).regular()
    binding = iw.bind(module.net, {"0": (V, V), "1": V})
    average = L.callbacks.StochasticWeightAveraging(swa_lrs=0.01, swa_epoch_start=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DecayWarning)
        fitted = trainer(tmp_path, average, lightning_callback(binding, decay=INF), max_epochs=3)
        fitted.fit(module, loader())
    assert off(binding) < 1e-12


@pytest.mark.parametrize("closure", [False, True])
def test_several_optimizers_by_hand(tmp_path, closure):
    """Each is decayed by its own steps; as two loops of one's own would."""

    class Manual(Module):
        automatic_optimization = False

        def training_step(self, batch, index):
            pair = self.optimizers()

            def run():
                for optimizer in pair:
                    optimizer.zero_grad()
                self.manual_backward(super(Manual, self).training_step(batch, index))

            if closure:
                pair[index % 2].step(closure=run)
            else:
                run()
                pair[index % 2].step()

    module = Manual(lambda m: [torch.optim.SGD(m[0].parameters(), lr=0.1), torch.optim.SGD(m[2].parameters(), lr=0.1)])
    callback = lightning_callback(module.binding, decay=2.0, penalty=0.3)
    trainer(tmp_path, callback).fit(module, loader())
    twin, bound = net()
    pair = [torch.optim.SGD(twin[i].parameters(), lr=0.1) for i in (0, 2)]
    for index, (x, y) in enumerate(loader()):
        twin.zero_grad()
        names = [name for name, _ in twin.named_parameters() if name.startswith("02"[index % 2])]
        (nn.functional.mse_loss(twin(x), y) + bound.penalty(dict.fromkeys(names, 0.3))).backward()
        pair[index % 2].step()
        with torch.no_grad():
            for name in names:
                bound[name].projector.shrink_(twin.get_parameter(name), 1 / (1 + 0.1 * 2.0))
    for name, W in weights(module.net).items():
        torch.testing.assert_close(W, weights(twin)[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{"decay": lambda n: 1.0 + n, "penalty": lambda n: 0.1 * n, "every": 4}, {"decay": INF}]
)
def test_a_fit_from_a_checkpoint_in_the_middle_goes_on_to_the_bit(tmp_path, options):
    def fit(seed, steps, **more):
        module = Module(adamw, seed)
        callback = lightning_callback(module.binding, **options)
        torch.manual_seed(7)
        made = trainer(tmp_path, callback, max_epochs=2, max_steps=steps, enable_checkpointing=True)
        made.fit(module, loader(), **more)
        return module, made, callback

    whole, _, straight = fit(0, 10)
    _, half, _ = fit(0, 6)
    # As it is when training goes on: a state before `on_train_end` has taken what waits.
    saved = tmp_path / "middle.ckpt"
    module = Module(adamw)
    callback = lightning_callback(module.binding, **options)
    keep = L.callbacks.LambdaCallback(
        on_train_batch_end=lambda t, *_: t.save_checkpoint(saved) if t.global_step == 6 else None
    )
    trainer(tmp_path, callback, keep, max_epochs=2, max_steps=10).fit(module, loader())
    resumed, _, later = fit(3, 10, ckpt_path=saved)
    assert_same(weights(resumed.net), weights(whole.net))
    assert later.regularization.state_dict() == straight.regularization.state_dict()
    assert half.global_step == 6


@pytest.mark.parametrize("strength", [INF, 30.0])
def test_schedule_free_in_training_and_evaluation(tmp_path, strength):
    schedulefree = pytest.importorskip("schedulefree")
    seen = {}

    class Switching(Module):
        def on_train_epoch_start(self):
            self.optimizers().optimizer.train()

        def on_train_epoch_end(self):
            seen["train"] = off(self.binding)
            self.optimizers().optimizer.eval()
            seen["eval"] = off(self.binding)

    found = []
    for decay in (0.0, strength):
        module = Switching(lambda m: schedulefree.AdamWScheduleFree(m.parameters(), lr=0.01))
        trainer(tmp_path, lightning_callback(module.binding, decay=decay), max_epochs=4).fit(module, loader())
        found.append(dict(seen))
    assert all(found[1][mode] < (1e-12 if strength == INF else found[0][mode] / 2) for mode in ("train", "eval"))


def test_hooks_are_taken_off_after_a_fit_and_after_an_error(tmp_path):
    module = Module(adamw)
    callback = lightning_callback(module.binding, decay=1.0)
    fitted = trainer(tmp_path, callback)
    fitted.fit(module, loader())
    assert not fitted.optimizers[0]._optimizer_step_post_hooks
    assert callback.regularization.parts == ()

    def fail():
        raise RuntimeError("a fault of the user's")

    module.loss_extra = fail
    broken = trainer(tmp_path, callback)
    with pytest.raises(RuntimeError, match="of the user's"):
        broken.fit(module, loader())
    assert callback.regularization.parts == ()
    with pytest.raises(ArgumentError, match="got none of"):
        trainer(tmp_path, lightning_callback(net()[1], decay=1.0)).fit(Module(adamw), loader())


def test_numbers_go_to_the_loggers_and_to_callbacks_that_monitor(tmp_path):
    module = Module(adamw)
    callback = lightning_callback(module.binding, decay=lambda n: 1.0 + n, targets=0.05, log_every=2)
    loggers = [L.loggers.CSVLogger(tmp_path / "csv", flush_logs_every_n_steps=1)]
    monitor = L.callbacks.EarlyStopping("equivariance/residual", check_on_train_epoch_end=True)
    fitted = trainer(tmp_path, callback, monitor, logger=loggers, accumulate_grad_batches=1)
    fitted.fit(module, loader())
    lines = Path(loggers[0].experiment.metrics_file_path).read_text(encoding="utf-8").splitlines()
    rows = [line.split(",") for line in lines]
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["step"] for row in table] == ["1", "3", "5"]
    assert [float(row["equivariance/decay_strength"]) for row in table] == [3.0, 5.0, 7.0]
    assert float(table[-1]["equivariance/target"]) == 0.05
    now = module.binding.residuals()["0.weight"].relative_residual
    assert float(table[-1]["equivariance/residual/0.weight"]) == pytest.approx(now)
    assert float(fitted.callback_metrics["equivariance/residual/0.weight"]) == pytest.approx(now, rel=1e-6)


@pytest.mark.slow
def test_tensorboard_and_wandb_offline(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    wandb = pytest.importorskip("wandb")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    module = Module(adamw)
    board = L.loggers.TensorBoardLogger(tmp_path)
    online = L.loggers.WandbLogger(save_dir=tmp_path, offline=True, project="test")
    callback = lightning_callback(module.binding, decay=3.0, log_every=3)
    trainer(tmp_path, callback, logger=[board, online]).fit(module, loader())
    events = EventAccumulator(board.log_dir)
    events.Reload()
    found = events.Scalars("equivariance/residual/0.weight")
    assert [event.step for event in found] == [2, 5]
    assert found[-1].value == pytest.approx(module.binding.residuals()["0.weight"].relative_residual, rel=1e-6)
    assert online.experiment.summary["equivariance/decay_strength"] == 3.0
    wandb.finish()


def test_the_other_package_has_its_own_callback_and_both_are_pickled(tmp_path):
    other = pytest.importorskip("pytorch_lightning")
    binding = net()[1]
    first = lightning_callback(binding, decay=1.0)
    second = lightning_callback(binding, decay=1.0, package="pytorch_lightning")
    assert isinstance(first, L.Callback)
    assert not isinstance(first, other.Callback)
    assert isinstance(second, other.Callback)
    assert not isinstance(second, L.Callback)
    for callback in (first, second):
        twin = pickle.loads(pickle.dumps(callback))
        assert type(twin) is type(callback)
        assert repr(twin) == repr(callback)
        assert twin.state_key == "EquivarianceCallback(C4)"
    with pytest.raises(ArgumentError, match="package"):
        lightning_callback(binding, package="ignite")

    class Net(other.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.binding = net()

        def training_step(self, batch, _):
            return nn.functional.mse_loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return adamw(self.net)

    module = Net()
    callback = lightning_callback(module.binding, decay=INF, package="pytorch_lightning")
    fitted = other.Trainer(
        max_epochs=1, accelerator="cpu", callbacks=[callback], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
    )  # fmt: skip
    fitted.fit(module, loader())
    assert off(module.binding) < 1e-12
