"""A model whose check has something in every part of its page; names and lines that a page must escape."""

import torch
from torch import nn

import intertwine as iw

NAME = "<b onclick=alert(1)>&amp;</b>"


@torch.library.custom_op("checked_page::added_up", mutates_args=())
def added_up(x: torch.Tensor) -> torch.Tensor:
    """An operator of an extension, behind which is no action."""
    return x.cumsum(-1)


class Net(nn.Module):
    """A stride off centre, a function whose rule is found, one without, and a parameter that nothing uses."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.add_module(NAME, nn.Conv2d(16, 16, 3, padding=1))
        self.middle = nn.Conv2d(16, 16, 3, padding=1)
        self.last = nn.Linear(16, 5)
        self.unused = nn.Parameter(torch.ones(3))

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.special.bessel_j0(getattr(self, NAME)(x))  # <script>alert("a line of the model's source")</script>
        return self.last(added_up(self.middle(x).mean((2, 3))))


def checked(group=None, size=16):
    """A check of ``Net``, the same at each call."""
    group = iw.Dihedral(4) if group is None else group
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        net = Net()
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    return iw.check(net, rep_in=iw.on_grid(3 * group.trivial()), rep_out=None, example=x, group=group)


def long_network(layers=300):
    """So many layers."""
    V = iw.Cyclic(4).regular()
    net = nn.Sequential(*(nn.Linear(4, 4) for _ in range(layers)))
    return iw.check(net, rep_in=V, rep_out=V, example=torch.randn(2, 4))
