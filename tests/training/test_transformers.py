"""The callback in the Trainer of transformers: strength, accumulation, skipped steps, averages, resuming, logs."""

import json
import math
import warnings

import pytest
import torch
from torch import nn

from intertwine.errors import ArgumentError
from intertwine.training import transformers_callback
from tests.training.models import Recorder, added, assert_same, data, net, off, weights

hf = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
INF = math.inf
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*", "ignore::DeprecationWarning", "ignore::FutureWarning")


class Plain(nn.Module):
    """A model whose ``forward`` takes what it names."""

    def __init__(self, seed=0, dtype=torch.float64):
        super().__init__()
        self.net, self.binding = net(seed, dtype)
        self.extra = None

    def forward(self, x, labels=None):
        return {"loss": self.loss(self.net(x), labels, None), "logits": x}

    def loss(self, output, labels, count):
        squares = (output.to(labels.dtype) - labels).square()
        loss = squares.mean() if count is None else squares.sum() / count
        return loss if self.extra is None else loss + self.extra()


class Keywords(Plain):
    """One that takes ``**kwargs``, as all of transformers do, and divides by the items of the whole group."""

    def forward(self, x, labels=None, **kwargs):
        return {"loss": self.loss(self.net(x), labels, kwargs.get("num_items_in_batch")), "logits": x}


def dataset(batches=6, dtype=torch.float64):
    x, y = data(4 * batches, dtype)
    return [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]


def arguments(tmp_path, **options):
    plain = {
        "per_device_train_batch_size": 4, "num_train_epochs": 1, "report_to": [], "save_strategy": "no",
        "logging_strategy": "no", "disable_tqdm": True, "use_cpu": True, "max_grad_norm": 0.0, "seed": 3,
        "train_sampling_strategy": "sequential",
    }  # fmt: skip
    return hf.TrainingArguments(output_dir=str(tmp_path), **(plain | options))


def trainer(tmp_path, model, optimizer=None, callbacks=(), dtype=torch.float64, **options):
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01) if optimizer is None else optimizer
    constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    return hf.Trainer(
        model, arguments(tmp_path, **options), train_dataset=dataset(dtype=dtype), callbacks=list(callbacks),
        optimizers=(optimizer, constant),
    )  # fmt: skip


def task_gradients(model, parts):
    """Of the mean over all samples of a group, each micro-batch as large as the others."""
    x, y = data()
    kept = [i for part in parts for i in range(4 * part, 4 * part + 4)]
    return torch.autograd.grad(nn.functional.mse_loss(model.net(x[kept]), y[kept]), list(model.net.parameters()))


@pytest.mark.parametrize("kind", [Plain, Keywords])
@pytest.mark.parametrize("clip", [0.0, 1e-3])
def test_the_penalty_is_the_intended_one_in_full_and_incomplete_groups(tmp_path, kind, clip):
    model = kind()
    optimizer = Recorder(model.parameters())
    callback = transformers_callback(model.binding, penalty=0.7)
    options = {"gradient_accumulation_steps": 4, "max_grad_norm": clip}
    callback.add_to(trainer(tmp_path, model, optimizer, **options))
    callback._trainer.train()
    assert len(optimizer.seen) == 2
    for found, parts in zip(optimizer.seen, (range(4), range(4, 6)), strict=True):
        task = task_gradients(model, parts)
        size = float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in task])))
        factor = clip / size if clip else 1.0
        for W, own, term in zip(found, task, added(model.binding, 0.7), strict=True):
            torch.testing.assert_close(W - factor * own, term, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("kind", "factors"), [(Plain, (1, 1)), (Keywords, (4, 2))])
def test_in_the_loss_it_is_too_strong_where_forward_takes_keywords(tmp_path, kind, factors):
    """The fact that the callback is for: the Trainer leaves the division to a model with ``**kwargs``."""
    model = kind()
    model.extra = lambda: model.binding.penalty(0.7)
    optimizer = Recorder(model.parameters())
    trainer(tmp_path, model, optimizer, gradient_accumulation_steps=4).train()
    for found, factor, parts in zip(optimizer.seen, factors, (range(4), range(4, 6)), strict=True):
        for W, own, term in zip(found, task_gradients(model, parts), added(model.binding, 0.7), strict=True):
            torch.testing.assert_close(W - own, factor * term)


def test_the_decay_runs_once_an_update(tmp_path):
    model, twin = Keywords(), Keywords()
    callback = transformers_callback(model.binding, decay=3.0)
    trainer(
        tmp_path, model, torch.optim.SGD(model.parameters(), lr=0.1), [callback], gradient_accumulation_steps=4
    ).train()
    with torch.no_grad():
        for parts in (range(4), range(4, 6)):
            with torch.enable_grad():
                task = task_gradients(twin, parts)
            for (entry, W), gradient in zip(twin.binding.tensors(), task, strict=True):
                entry.projector.shrink_(W.sub_(0.1 * gradient), 1 / 1.3)
    for name, W in weights(model.net).items():
        torch.testing.assert_close(W, weights(twin.net)[name], rtol=1e-10, atol=1e-12)
    assert callback.regularization.steps == 2


@pytest.mark.parametrize("fused", [False, True])
def test_skipped_and_fused_skipped_steps_are_no_steps(tmp_path, fused):
    """accelerate has no scaler on a CPU; one of torch's is put in its place, as on a GPU."""
    model = Keywords(dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
    callback = transformers_callback(model.binding, decay=INF, penalty=lambda step: 0.1 * step)
    made = trainer(tmp_path, model, optimizer, [callback], torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    made.accelerator.scaler = scaler
    model.extra = lambda: torch.tensor(INF if made.state.global_step == 2 else 0.0) * model.net[0].weight.sum()
    counts = []

    class Seen(hf.TrainerCallback):
        def on_step_end(self, *_, **__):
            counts.append(callback.regularization.steps)

    made.add_callback(Seen())
    made.train()
    assert counts == [1, 2, 2, 3, 4, 5]
    assert off(model.binding) < 1e-6


def test_bfloat16_checkpointed_activations_and_clipping(tmp_path):
    model = Plain(dtype=torch.float32)
    inner = model.net.forward
    model.net.forward = lambda x: torch.utils.checkpoint.checkpoint(inner, x, use_reentrant=False)
    callback = transformers_callback(model.binding, decay=INF)
    trainer(tmp_path, model, None, [callback], torch.float32, bf16=True, max_grad_norm=0.1).train()
    assert off(model.binding) < 1e-6


def test_an_average_taken_on_step_end_is_projected(tmp_path):
    model = Plain()
    average = torch.optim.swa_utils.AveragedModel(
        model.net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9)
    )

    class Averaging(hf.TrainerCallback):
        def on_step_end(self, *_, **__):
            average.update_parameters(model.net)

    trainer(tmp_path, model, None, [Averaging(), transformers_callback(model.binding, decay=INF)]).train()
    with torch.no_grad():
        for W, A in zip(model.net.parameters(), average.module.parameters(), strict=True):
            assert not torch.equal(W, A)
            W.copy_(A)
    assert off(model.binding) < 1e-12


class Watching(hf.TrainerCallback):
    """Residuals of what is trained after each step, and of what is evaluated after the last."""

    def __init__(self, model):
        self.model, self.seen = model, []

    def on_step_end(self, args, state, control, **_):
        self.seen.append(off(self.model.binding))
        control.should_evaluate = state.global_step == state.max_steps

    def on_evaluate(self, *_, **__):
        self.seen.append(off(self.model.binding))


@pytest.mark.parametrize("strength", [INF, 30.0])
def test_schedule_free_in_training_and_evaluation(tmp_path, strength):
    schedulefree = pytest.importorskip("schedulefree")
    found = []
    for decay in (0.0, strength):
        model = Plain()
        optimizer = schedulefree.AdamWScheduleFree(model.parameters(), lr=0.01)
        watching = Watching(model)
        callbacks = [transformers_callback(model.binding, decay=decay), watching]
        made = trainer(tmp_path, model, optimizer, callbacks, num_train_epochs=6)
        made.eval_dataset = dataset()[:4]
        made.train()
        found.append(watching.seen[-2:])
    if strength == INF:
        assert max(found[1]) < 1e-12
    assert found[0][0] != found[0][1]
    assert all(with_decay < without / 2 for without, with_decay in zip(*found, strict=True))


@pytest.mark.parametrize("restore", [False, True])
@pytest.mark.parametrize(
    "options", [{"decay": lambda n: 1.0 + n, "penalty": lambda n: 0.1 * n, "every": 4}, {"decay": INF}]
)
def test_training_from_a_checkpoint_in_the_middle_goes_on_to_the_bit(tmp_path, options, restore):
    def made(seed):
        model = Keywords(seed)
        callback = transformers_callback(model.binding, **options)
        settings = {
            "num_train_epochs": 2, "save_strategy": "steps", "save_steps": 3, "train_sampling_strategy": "random",
            "gradient_accumulation_steps": 1, "restore_callback_states_from_checkpoint": restore,
        }  # fmt: skip
        return model, callback, trainer(tmp_path, model, None, [callback], **settings)

    model, callback, straight = made(0)
    straight.train()
    saved = json.loads((tmp_path / "checkpoint-9" / "trainer_state.json").read_text())
    assert saved["stateful_callbacks"]["EquivarianceCallback"]["attributes"]["progress"]["decay"][0]["steps"] == 9
    twin, _, resumed = made(5)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-9"))
    assert_same(weights(twin.net), weights(model.net))
    later = next(c for c in resumed.callback_handler.callbacks if type(c).__name__ == "EquivarianceCallback")
    assert later.progress == callback.progress
    assert resumed.state.global_step == 12


def test_a_training_from_its_beginning_counts_anew(tmp_path):
    model = Plain()
    callback = transformers_callback(model.binding, decay=1.0)
    made = trainer(tmp_path, model, None, [callback])
    made.train()
    made.train()
    assert callback.regularization.steps == 6
    assert not made.optimizer.optimizer._optimizer_step_post_hooks


@pytest.mark.parametrize("best", [True, False])
def test_steps_that_wait_when_training_stops_early(tmp_path, best):
    """They belong to the last weights: not to the best ones, which the Trainer has loaded at its end."""
    model, kept = Plain(), {}
    callback = transformers_callback(model.binding, decay=30.0, every=100)
    losses = iter([0.1, 0.9])

    class Chosen(hf.Trainer):
        def evaluate(self, *_, **__):
            metrics = {"eval_loss": next(losses)}
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            self.control.should_training_stop = self.state.global_step == 4
            return metrics

    class Keeping(hf.TrainerCallback):
        def on_save(self, args, state, control, **_):
            kept[state.global_step] = weights(model.net)

    settings = {"save_strategy": "steps", "eval_strategy": "steps", "save_steps": 2, "eval_steps": 2}
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    made = Chosen(
        model, arguments(tmp_path, load_best_model_at_end=best, **settings), train_dataset=dataset(),
        eval_dataset=dataset(), callbacks=[callback, Keeping()],
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)),
    )  # fmt: skip
    made.train()
    assert sorted(kept) == [2, 4]
    assert made.state.global_step == 4
    if best:
        assert_same(weights(model.net), kept[2])
        return
    for entry, W in model.binding.tensors():
        P, last = entry.projector, kept[4][entry.name]
        torch.testing.assert_close(W.detach(), P.project(last) + P.residual(last) / 1.3**4)


def test_numbers_stand_beside_the_loss_and_a_place_behind_integrations_is_warned_of(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    settings = {"report_to": ["tensorboard"], "logging_strategy": "steps", "logging_steps": 2}
    for front in (True, False):
        model, folder = Plain(), tmp_path / str(front)
        callback = transformers_callback(model.binding, decay=lambda n: 1.0 + n, targets=0.05)
        hf_trainer = trainer(folder, model, None, () if front else [callback], **settings)
        if front:
            callback.add_to(hf_trainer)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            hf_trainer.train()
        assert any("put it in front by callback.add_to(trainer)" in str(w.message) for w in said) is not front
        table = [line for line in hf_trainer.state.log_history if "loss" in line]
        assert [line["equivariance/decay_strength"] for line in table] == [3.0, 5.0, 7.0]
        now = model.binding.residuals()["0.weight"].relative_residual
        assert table[-1]["equivariance/residual/0.weight"] == pytest.approx(now)
        written = next(path.parent for path in tmp_path.rglob("events*") if str(front) in str(path)) if front else None
        if written is not None:
            events = EventAccumulator(str(written))
            events.Reload()
            assert events.Scalars("train/equivariance/residual/0.weight")[-1].value == pytest.approx(now, rel=1e-6)
            assert [e.step for e in events.Scalars("train/equivariance/target")] == [2, 4, 6]


@pytest.mark.slow
def test_wandb_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    model = Plain()
    settings = {"report_to": ["wandb"], "logging_strategy": "steps", "logging_steps": 3}
    callback = transformers_callback(model.binding, decay=3.0)
    made = trainer(tmp_path, model, None, **settings)
    callback.add_to(made)
    seen = {}

    class Looking(hf.TrainerCallback):
        def on_train_end(self, *_, **__):
            seen.update(dict(wandb.run.summary))

    made.add_callback(Looking())
    made.train()
    wandb.finish()
    assert seen["train/equivariance/decay_strength"] == 3.0


def test_what_it_refuses(tmp_path):
    model = Plain()
    with pytest.raises(ArgumentError, match=r"trainer: expected a transformers\.Trainer; got Plain"):
        transformers_callback(model.binding).add_to(model)
    with pytest.raises(ArgumentError, match="decay"):
        transformers_callback(model.binding, decay=-1.0)
    with pytest.raises(ArgumentError, match="got none of"):
        trainer(tmp_path, model, None, [transformers_callback(net()[1], decay=1.0)]).train()
