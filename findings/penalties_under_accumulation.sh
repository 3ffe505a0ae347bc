#!/usr/bin/env bash
# transformers: with gradient accumulation, a term that is added to the loss acts once a micro-batch, not once an update,
# as soon as the model's `forward` takes **kwargs.
#
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0 (Python 3.11, CPU).
# Behaviour: the Trainer divides each loss by the number of micro-batches. Where `forward` has a **kwargs in its signature,
# as all models of transformers do, it leaves that to the model, which gets `num_items_in_batch` and divides the loss of
# the data by it. A penalty on weights that is added in `forward`, or in `compute_loss`, is divided by nobody: with four
# micro-batches it is four times as strong as without accumulation, and twice in a last group of two. A signature decides;
# an argument that is called num_items_in_batch does not. No warning.
# Output seen: gradients of (penalty, data), which without accumulation are (1, 1): groups of 4 and 2 with
# forward(x, labels): (1, 1), (1, 1); with forward(x, labels, **kwargs): (4, 1), (2, 1).
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 transformers==5.24.0 accelerate==1.15.0
env/bin/python - <<'PY'
import torch
import transformers


class Plain(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.penalised = torch.nn.Parameter(torch.zeros(()))
        self.fitted = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x, labels=None):
        return {"loss": (self.fitted * x).mean() + self.penalised}


class Keywords(Plain):
    def forward(self, x, labels=None, **kwargs):
        per_item = self.fitted * x
        count = kwargs.get("num_items_in_batch")
        loss = per_item.mean() if count is None else per_item.sum() / count
        return {"loss": loss + self.penalised}


seen = {}
for kind in (Plain, Keywords):
    for accumulation in (1, 4):
        model, rows = kind(), []
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        optimizer.register_step_pre_hook(lambda *_: rows.append(tuple(round(float(p.grad), 6) for p in model.parameters())))
        arguments = transformers.TrainingArguments(
            "out", num_train_epochs=1, per_device_train_batch_size=4, gradient_accumulation_steps=accumulation,
            max_grad_norm=0.0, report_to=[], save_strategy="no", logging_strategy="no", use_cpu=True, disable_tqdm=True,
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        data = [{"x": torch.ones(()), "labels": torch.ones((), dtype=torch.long)} for _ in range(24)]
        transformers.Trainer(model, arguments, train_dataset=data, optimizers=(optimizer, scheduler)).train()
        print(kind.__name__, "accumulation", accumulation, "(penalty, data):", rows)
        seen[kind.__name__, accumulation] = rows
assert seen["Plain", 1] == seen["Keywords", 1] == [(1.0, 1.0)] * 6
assert seen["Plain", 4] == [(1.0, 1.0), (1.0, 1.0)]
assert seen["Keywords", 4] == [(4.0, 1.0), (2.0, 1.0)]
PY
