"""One CNN trained on digits, and the fit to it under each group."""

import time
from typing import Any

import intertwine as iw
from experiments.pretrained.data import TURNS, digits, examples
from experiments.pretrained.networks import accuracies, network, train
from experiments.pretrained.purposes import stream
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run

GROUPS = {"C4": iw.Cyclic(4), "Mirror(x)": iw.Mirror("x")}


def run_trained(settings: Settings) -> Run:
    """Accuracy at each turn, and by group what ``fit_representation`` says."""
    seed, turns = settings["seed"], TURNS[settings["training"]]
    net = network(tuple(settings["widths"]), 10, seed)
    train(net, digits(seed, "training", settings["count"]), turns, settings["epochs"], seed)
    test = digits(seed, "test", settings["test"])
    found: dict[str, Any] = {"accuracy": accuracies(net, test), "fits": {}}
    found["own_accuracy"] = sum(found["accuracy"][k] for k in turns) / len(turns)
    x = examples(seed, settings["examples"], TURNS["turned"])
    for name in settings["groups"]:
        start = time.process_time()
        fit = iw.fit_representation(net, x, GROUPS[name], draws=settings["draws"], generator=stream(seed, "shuffles"))
        found["fits"][name] = fit.to_dict() | {"seconds": time.process_time() - start}
    return found
