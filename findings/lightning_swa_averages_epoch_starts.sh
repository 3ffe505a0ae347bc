#!/usr/bin/env bash
# lightning: StochasticWeightAveraging averages the weights at the beginning of epochs, so that the last epoch has no part
# in the result, and with swa_epoch_start=1 the untrained weights have one.
#
# Versions: lightning 2.6.6, torch 2.13.0 (Python 3.11, CPU).
# Behaviour: the average is updated in `on_train_epoch_start`, from the epoch `swa_epoch_start` (counted from 1) to the last.
# What the model becomes at the end is therefore the mean of the weights before these epochs: of n epochs from the first on
# the weights before any step are one of n members, and the weights behind the last epoch are none. Whoever projects
# weights after each step (or otherwise keeps them in a set that a mean does not leave) gets a result outside it, unless
# the start was projected too.
# Output seen: a weight that grows by 1 an epoch from 0, four epochs. swa_epoch_start=1: 1.5, the mean of 0, 1, 2, 3;
# swa_epoch_start=3: 2.5, the mean of 2 and 3. The weight behind the last epoch, 4, is in neither.
set -euo pipefail
unset PYTHONPATH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 lightning==2.6.6
env/bin/python - <<'PY'
import logging
import warnings

import lightning.pytorch as L
import torch

warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Growing(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, index):
        return -self.weight / 2  # two steps an epoch

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1.0)


seen = {}
for start in (1, 3):
    model, ends = Growing(), []
    average = L.callbacks.StochasticWeightAveraging(swa_lrs=1.0, swa_epoch_start=start)
    watch = L.callbacks.LambdaCallback(on_train_epoch_end=lambda *_: ends.append(round(float(model.weight), 6)))
    trainer = L.Trainer(
        max_epochs=4, accelerator="cpu", callbacks=[average, watch], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(model, torch.utils.data.DataLoader(torch.zeros(2, 1)))
    print("swa_epoch_start", start, "weights after each epoch", ends, "result", round(float(model.weight), 6))
    seen[start] = round(float(model.weight), 6)
    assert ends == [1.0, 2.0, 3.0, 4.0]
assert seen == {1: 1.5, 3: 2.5}
PY
