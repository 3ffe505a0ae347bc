"""The three face detectors of MTCNN, with the weights that the package facenet-pytorch ships, under the mirror.

Boxes are corrected by (left, top, right, bottom): the mirror exchanges left and right and changes their sign. Landmarks
are in [0, 1] along the box, so that the mirror takes x to 1 - x: half is taken off their bias here, and then it changes
signs, and exchanges left and right eyes and corners of the mouth.
"""

import time
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import intertwine as iw
from experiments.pretrained.purposes import stream
from experiments.runs.data_folder import given_data
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run
from intertwine.errors import ArgumentError, missing_extra

# Channels in, channels out and kernel of each convolution, and the pool behind it; 0: none.
CONVOLUTIONS = {
    "pnet": ((3, 10, 3), (10, 16, 3), (16, 32, 3)),
    "rnet": ((3, 28, 3), (28, 48, 3), (48, 64, 2)),
    "onet": ((3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 2)),
}
POOLS = {"pnet": (2, 0, 0), "rnet": (3, 3, 0), "onet": (3, 3, 2, 0)}
SIDES = {"pnet": 24, "rnet": 24, "onet": 48}
HIDDEN = {"rnet": (576, 128), "onet": (1152, 256)}
G = iw.Mirror("x")
BOX = G.permutation([[2, 1, 0, 3]], signs=[[-1, 1, -1, 1]])
LANDMARKS = G.permutation([[1, 0, 2, 4, 3, 6, 5, 7, 9, 8]], signs=[[-1, -1, -1, -1, -1, 1, 1, 1, 1, 1]])


class Detector(nn.Module):
    """PNet, RNet or ONet: box and probability, and landmarks for ONet; the structure of the published networks.

    Source:
        Zhang, Zhang, Li and Qiao 2016, "Joint face detection and alignment using multitask cascaded convolutional
        networks", arXiv 1604.02878.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.flat = name != "pnet"
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        plan = CONVOLUTIONS[name]
        for i, (conv, pool) in enumerate(zip(plan, POOLS[name], strict=True), 1):
            parts[f"conv{i}"] = nn.Conv2d(*conv)
            parts[f"prelu{i}"] = nn.PReLU(conv[1])
            if pool:
                parts[f"pool{i}"] = nn.MaxPool2d(pool, 2, ceil_mode=True)
        self.features = nn.Sequential(parts)
        width = plan[-1][1]
        self.dense: nn.Module = nn.Identity()
        self.slope: nn.Module = nn.Identity()
        if self.flat:
            self.dense, width = nn.Linear(*HIDDEN[name]), HIDDEN[name][1]
            self.slope = nn.PReLU(width)
        self.score: nn.Module = nn.Linear(width, 2) if self.flat else nn.Conv2d(width, 2, 1)
        self.box: nn.Module = nn.Linear(width, 4) if self.flat else nn.Conv2d(width, 4, 1)
        self.landmarks = nn.Linear(width, 10) if name == "onet" else None

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Scores, boxes and landmarks."""
        x = self.features(x)
        if self.flat:
            x = self.slope(self.dense(x.permute(0, 3, 2, 1).flatten(1)))
        found = (self.score(x).softmax(1), self.box(x))
        return found if self.landmarks is None else (*found, self.landmarks(x))


def weights_file(name: str) -> Path | None:
    """``facenet_pytorch/data/NAME.pt`` of the installed package or the data folder; None if there is none."""
    spec = find_spec("facenet_pytorch")
    folders = [Path(place) for place in (spec.submodule_search_locations or ())] if spec is not None else []
    found = [folder / "data" / f"{name}.pt" for folder in folders]
    given = given_data("facenet_pytorch", "data", f"{name}.pt")
    return next((path for path in (given, *found) if path is not None and path.is_file()), None)


def detector(name: str) -> Detector:
    """The pretrained network.

    Raises:
        ArgumentError: its weights are nowhere.
    """
    path = weights_file(name)
    if path is None:
        raise ArgumentError(
            "data",
            expected=f"facenet_pytorch/data/{name}.pt, in the data folder or an installed facenet-pytorch",
            got="neither",
            advice="pip download facenet-pytorch==2.6.0 --no-deps, and unpack the wheel into the data folder.",
        )
    state = torch.load(path, map_location="cpu", weights_only=True)
    net = Detector(name)
    last = len(CONVOLUTIONS[name])
    renamed = {}
    heads = {1: "score", 2: "box", 3: "landmarks"}
    for key, value in state.items():
        layer, _, kind = key.partition(".")
        if "_" in layer:
            new = heads[int(layer.partition("_")[2])]
        elif layer.startswith("dense"):
            new = "dense"
        else:
            new = f"features.{layer}" if int(layer[-1]) <= last else "slope"
        renamed[f"{new}.{kind}"] = value
    net.load_state_dict(renamed)
    if net.landmarks is not None:
        with torch.no_grad():
            net.landmarks.bias[:5] -= 0.5
    return net.eval()


def windows(name: str, count: int, seed: int) -> torch.Tensor:
    """Square windows of a photograph of a person, at all sizes, in [-1, 1]; each picture mirrored or not."""
    try:
        from skimage import data
        from skimage.transform import resize
    except ModuleNotFoundError as error:
        raise missing_extra("skimage", "ct") from error
    picture = data.astronaut().astype(np.float64)
    generator = np.random.default_rng(seed)
    side, found = SIDES[name], []
    for _ in range(count):
        size = int(2 ** generator.uniform(5.5, 8.5))
        top, left = (int(generator.integers(0, 512 - size)) for _ in range(2))
        window = resize(picture[top : top + size, left : left + size], (side, side), anti_aliasing=True)
        found.append((window[:, ::-1] if generator.random() < 0.5 else window) / 127.5 - 1)
    return torch.from_numpy(np.stack(found).transpose(0, 3, 1, 2).copy()).float()


def run_faces(settings: Settings) -> Run:
    """The fit to one network, with its channels as they are and rescaled."""
    name, seed = settings["network"], settings["seed"]
    net, x = detector(name), windows(name, settings["examples"], seed)
    images = iw.on_grid(3 * G.trivial())
    scores: Any = 2 * G.trivial()
    outs: tuple[Any, ...] = (scores, BOX, LANDMARKS)
    if name == "pnet":
        outs = tuple(map(iw.on_grid, outs))
    outs = outs if name == "onet" else outs[:2]
    found: Run = {"fits": {}}
    for scalings in (False, True):
        start = time.process_time()
        fit = iw.fit_representation(
            net,
            x,
            rep_in=images,
            rep_out=outs,
            draws=settings["draws"],
            scalings=scalings,
            generator=stream(seed, "shuffles"),
        )
        found["fits"]["rescaled" if scalings else "as it is"] = fit.to_dict() | {
            "seconds": time.process_time() - start,
            "breakers": [str(one) for one in fit.bind().breakers],
        }
    return found
