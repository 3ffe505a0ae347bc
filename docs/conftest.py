"""What fences of the pages need: a fence with `fixture:with_NAME` is skipped, by that name, where NAME is missing."""

import warnings

import pytest


def _needs(*names: str):
    @pytest.fixture
    def needed(tmp_path, monkeypatch) -> None:
        for name in names:
            pytest.importorskip(name)
        # Trainers warn of workers, intervals and devices; they write where they are. pytest takes filters back.
        warnings.simplefilter("ignore")
        monkeypatch.chdir(tmp_path)

    return needed


with_lightning = _needs("lightning", "tensorboard")
with_transformers = _needs("transformers", "accelerate")
with_accelerate = _needs("accelerate", "tensorboard")
with_wandb = _needs("wandb")
with_peft = _needs("peft")
