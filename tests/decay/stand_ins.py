"""Small optimisers that behave as those of packages that the tests do without; what each stands for is named."""

import torch
from torch.optim import SGD, Optimizer


class Clearing(Optimizer):
    """heavyball: clears the gradients inside ``step``."""

    def __init__(self, params, lr: float, *, hidden: bool = False) -> None:
        super().__init__(params, {"lr": lr})
        self.hidden = hidden  # writes to `.data`, which autograd's count of versions does not see

    @torch.no_grad()
    def step(self, closure=None):
        if closure is not None:
            with torch.enable_grad():
                closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    (p.data if self.hidden else p).sub_(group["lr"] * p.grad)
                    p.grad = None


class ScheduleFree(Optimizer):
    """schedulefree's SGD, pytorch-optimizer's, heavyball's: y in the parameters, z in the state, x after ``eval``."""

    def __init__(self, params, lr: float, momentum: float = 0.9, *, reference: bool = False) -> None:
        # `reference`: keeps x too, as the reference implementations do.
        defaults = {"lr": lr, "momentum": momentum, "weight_sum": 0.0, "train_mode": True, "k": 0}
        super().__init__(params, defaults | {"reference": reference})

    def _move(self, train: bool) -> None:
        for group in self.param_groups:
            b = group["momentum"]
            if group["train_mode"] != train:
                for p in group["params"]:
                    if "z" in self.state[p]:
                        if group["reference"] and not train:
                            p.data.copy_(self.state[p]["x"])
                        else:
                            p.data.lerp_(self.state[p]["z"], 1 - b if train else 1 - 1 / b)
                group["train_mode"] = train

    def train(self) -> None:
        self._move(True)

    def eval(self) -> None:
        self._move(False)

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            b, lr, group["k"] = group["momentum"], group["lr"], group["k"] + 1
            weight = 1.0 + 0.1 * group["k"]
            group["weight_sum"] += weight
            c = weight / group["weight_sum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["z"] = p.detach().clone()
                    if group["reference"]:
                        state["x"] = p.detach().clone()
                z, x = state["z"], state["x"] if group["reference"] else (p - (1 - b) * state["z"]) / b
                z.sub_(lr * p.grad)
                x = x.lerp_(z, c)
                p.copy_((1 - b) * z + b * x)


class ScheduleFreeClosure(Optimizer):
    """schedulefree's closure variants: x in the parameters, y only while the closure runs, no ``eval``."""

    def __init__(self, params, lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_sum": 0.0})

    @torch.no_grad()
    def step(self, closure):
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p].setdefault("z", p.detach().clone())
                p.lerp_(self.state[p]["z"], 1 - group["momentum"])
        with torch.enable_grad():
            closure()
        for group in self.param_groups:
            group["weight_sum"] += 1.0
            for p in group["params"]:
                z = self.state[p]["z"]
                p.lerp_(z, 1 - 1 / group["momentum"])
                z.sub_(group["lr"] * p.grad)
                p.lerp_(z, 1 / group["weight_sum"])


class ScheduleFreeWrapper:
    """schedulefree's wrapper: no Optimizer; the one inside steps while the parameters hold z, the state x."""

    def __init__(self, base: Optimizer, momentum: float = 0.9) -> None:
        self.base, self.momentum, self.training, self.k = base, momentum, True, 0

    @property
    def param_groups(self):
        return self.base.param_groups

    def _parameters(self):
        return [p for group in self.param_groups for p in group["params"]]

    def train(self) -> None:
        if not self.training:
            for p in self._parameters():
                p.data.lerp_(self.base.state[p]["z"], 1 - self.momentum)
        self.training = True

    def eval(self) -> None:
        if self.training:
            for p in self._parameters():
                p.data.lerp_(self.base.state[p]["z"], 1 - 1 / self.momentum)
        self.training = False

    @torch.no_grad()
    def step(self) -> None:
        for p in self._parameters():
            z = self.base.state[p].setdefault("z", p.detach().clone())
            x = (p - (1 - self.momentum) * z) / self.momentum
            p.copy_(z)
            z.copy_(x)
        self.base.step()
        self.k += 1
        for group in self.param_groups:
            group["weight_sum"] = float(self.k)
        for p in self._parameters():
            z, x = p.detach().clone(), self.base.state[p]["z"].lerp(p, 1 / self.k)
            p.copy_(x.lerp(z, 1 - self.momentum))
            self.base.state[p]["z"].copy_(z)


class Averaged(SGD):
    """SPlus: an average in the state, which ``eval`` swaps in, corrected for its start at 0."""

    def __init__(self, params, lr: float, ema_rate: float = 0.9) -> None:
        super().__init__(params, lr=lr)
        for group in self.param_groups:
            group.update(ema_rate=ema_rate, count=0)

    def eval(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["param_buffer"] = p.detach().clone()
                p.data.copy_(self.state[p]["ema"] / (1 - group["ema_rate"] ** group["count"]))

    def train(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if "param_buffer" in self.state[p]:
                    p.data.copy_(self.state[p].pop("param_buffer"))

    @torch.no_grad()
    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            group["count"] += 1
            for p in group["params"]:
                self.state[p].setdefault("ema", torch.zeros_like(p)).lerp_(p, 1 - group["ema_rate"])


class Lookahead(Optimizer):
    """pytorch-optimizer's: every k-th step the parameters go to slow weights, which may be loaded for evaluation."""

    def __init__(self, optimizer: Optimizer, k: int = 2) -> None:
        super().__init__(optimizer.param_groups, dict(optimizer.defaults))
        self.optimizer, self.k, self.count = optimizer, k, 0
        self.param_groups = optimizer.param_groups
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["slow_params"] = p.detach().clone()

    @torch.no_grad()
    def step(self, closure=None):
        self.optimizer.step(closure)
        self.count += 1
        if self.count % self.k == 0:
            for group in self.param_groups:
                for p in group["params"]:
                    p.copy_(self.state[p]["slow_params"].lerp_(p, 0.5))


class Accelerated(Optimizer):
    """accelerate's: the methods for hooks without the dictionaries that they write to; it switches whatever can."""

    __module__ = "accelerate.optimizer"

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self):
        return self.optimizer.param_groups

    @property
    def state(self):
        return self.optimizer.state

    def step(self, closure=None):
        return self.optimizer.step(closure)

    def train(self):
        getattr(self.optimizer, "train", lambda: None)()

    def eval(self):
        getattr(self.optimizer, "eval", lambda: None)()


class Sharp(Optimizer):
    """SAM: two closures a step, the optimiser inside after the second."""

    def __init__(self, base_optimizer: Optimizer) -> None:
        super().__init__(base_optimizer.param_groups, dict(base_optimizer.defaults))
        self.base_optimizer = base_optimizer
        self.param_groups = base_optimizer.param_groups

    @torch.no_grad()
    def step(self, closure):
        with torch.enable_grad():
            closure()
        moves = [(p, 0.1 * p.grad) for group in self.param_groups for p in group["params"] if p.grad is not None]
        for p, move in moves:
            p.add_(move)
        with torch.enable_grad():
            closure()
        for p, move in moves:
            p.sub_(move)
        self.base_optimizer.step()


class MasterCopies:
    """pytorch-optimizer's SafeFP16Optimizer, apex: the optimiser inside trains float32 copies."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            group["params"] = [torch.nn.Parameter(p.detach().float()) for p in group["params"]]


class Stepping(Optimizer):
    """The parent of ``SteppingTwice``."""

    def __init__(self, params, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        if closure is not None:
            closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["lr"] * p.grad)


class SteppingTwice(Stepping):
    """pytorch-optimizer's MuonClip: its step calls that of its parent, so that hooks run in both."""

    @torch.no_grad()
    def step(self, closure=None):
        loss = super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                p.mul_(0.5)
        return loss


class Swapping(SGD):
    """Evaluates weights under a name that nobody knows."""

    def step(self, closure=None):
        return super().step(closure)

    def train(self) -> None:
        pass

    def eval(self) -> None:
        pass
