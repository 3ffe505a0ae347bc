"""Constants are cast where they are used, and the casts stay there: no file holds another machine's tensors."""

import copy
import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.projectors.constants import Constants
from tests.far_device import far_device
from tests.laws import kinds

BUILT = {torch.float64, torch.complex128, torch.int64, torch.int32}


class Recorder(pickle.Pickler):
    """Notes the dtype and the device of each tensor that goes into a file."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())
        self.found: set[tuple[torch.dtype, str]] = set()

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            self.found.add((value.dtype, value.device.type))
        return NotImplemented


def stored(value: object) -> set[tuple[torch.dtype, str]]:
    recorder = Recorder()
    recorder.dump(value)
    return recorder.found


def test_casts_are_made_once_and_go_into_no_file() -> None:
    constants = Constants(basis=np.eye(3), index=np.arange(3))
    like = torch.zeros(1, dtype=torch.float32)
    cast = constants.get("basis", like)
    assert constants.get("basis", like) is cast
    assert constants.get("index", like).dtype == torch.int64
    for other in (pickle.loads(pickle.dumps(constants)), copy.deepcopy(constants), copy.copy(constants)):
        assert stored(other) == {(torch.float64, "cpu"), (torch.int64, "cpu")}
        assert torch.equal(other.get("basis", like), cast)
        assert other.get("basis", like) is not cast
    assert constants.get("basis", like) is cast


def test_nothing_to_hold() -> None:
    assert pickle.loads(pickle.dumps(Constants())).nbytes == 0


@pytest.mark.parametrize("name", kinds.KINDS)
def test_a_used_projector_is_stored_as_it_was_built(name: str) -> None:
    P, W = kinds.KINDS[name](), kinds.example(name)[1]
    single = W.to(torch.complex64 if W.is_complex() else torch.float32)
    P.project(single), P.squared_residual(single), P.shrink_(single, 0.5)
    assert {dtype for dtype, _ in stored(P)} <= BUILT
    again = pickle.loads(pickle.dumps(P))
    assert torch.equal(again.project(W), P.project(W))


def test_a_binding_used_on_a_device_is_stored_without_it() -> None:
    R = iw.Dihedral(3).regular()
    model = nn.Linear(R.dim, 2 * R.dim)
    binding = iw.bind(model, {"": (R, 2 * R)})
    with far_device():
        for entry in binding:
            W = entry.tensor(model).detach().to("lazy")
            entry.projector.project(W), entry.projector.shrink_(W, 0.5), entry.projector.relative_residual(W)
    assert {device for _, device in stored(binding)} == {"cpu"}
    casts = [cast for entry in binding for part in entry.projector.parts for cast in part.projector.constants._cast]
    assert any(device.type == "lazy" for _, device, _ in casts)
