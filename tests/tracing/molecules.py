"""Networks on molecules and point sets as their authors write them, in plain torch, for the tracer to type."""

import math

import torch
from torch import nn
from torch.nn import functional as F


def pairs(positions, radius=4.0):
    """Edges (2, E) between points that are close, found in the run."""
    close = torch.cdist(positions, positions) < radius
    return torch.where(close & ~torch.eye(len(positions), dtype=torch.bool))


def segment_sum(data, index, count):
    """As EGNN's authors add up messages: an index for every entry."""
    result = data.new_full((count, data.shape[1]), 0)
    return result.scatter_add_(0, index.unsqueeze(-1).expand(-1, data.shape[1]), data)


def mlp(width_in, width, width_out, act=nn.SiLU):
    """Two layers."""
    return nn.Sequential(nn.Linear(width_in, width), act(), nn.Linear(width, width_out))


class SchNet(nn.Module):
    """Continuous filters over a radius graph found in the run."""

    def __init__(self, width=16, depth=2):
        super().__init__()
        self.embed = nn.Embedding(10, width)
        self.filters = nn.ModuleList(mlp(8, width, width, nn.Softplus) for _ in range(depth))
        self.into = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(depth))
        self.out = nn.ModuleList(mlp(width, width, width, nn.Softplus) for _ in range(depth))
        self.readout = mlp(width, width // 2, 1, nn.Softplus)
        self.register_buffer("centres", torch.linspace(0, 4, 8))

    def forward(self, species, positions):
        target, source = pairs(positions)
        lengths = (positions[target] - positions[source]).norm(dim=-1)
        radial = torch.exp(-10 * (lengths[:, None] - self.centres).pow(2))
        cutoff = 0.5 * (torch.cos(lengths * math.pi / 4) + 1.0)
        h = self.embed(species)
        for filters, into, out in zip(self.filters, self.into, self.out, strict=True):
            messages = into(h)[source] * (filters(radial) * cutoff[:, None])
            h = h + out(torch.zeros_like(h).index_add(0, target, messages))
        return self.readout(h).sum(0)


class DimeNet(nn.Module):
    """Angles between edges that share an atom, by a cross product and atan2."""

    def __init__(self, width=16):
        super().__init__()
        self.embed, self.first = nn.Embedding(10, width), nn.Linear(2 * width + 4, width)
        self.radial, self.spherical = nn.Linear(4, width, bias=False), nn.Linear(4 * 3, width, bias=False)
        self.weight = nn.Parameter(0.1 * torch.randn(width, 4, width))
        self.down, self.readout = nn.Linear(12, 4, bias=False), nn.Linear(width, 1)
        self.frequencies = nn.Parameter(math.pi * torch.arange(1, 5.0))

    def forward(self, species, positions):
        i, j = pairs(positions)
        kj, ji = torch.where(i[:, None] == j[None, :])
        apart = j[kj] != i[ji]
        kj, ji = kj[apart], ji[apart]
        lengths = (positions[i] - positions[j]).pow(2).sum(-1).sqrt()
        one, two = positions[j[ji]] - positions[i[ji]], positions[j[kj]] - positions[i[kj]]
        angle = torch.atan2(torch.linalg.cross(one, two, dim=-1).norm(dim=-1), (one * two).sum(-1))
        radial = torch.sin(self.frequencies * lengths[:, None]) / lengths[:, None]
        bent = torch.stack([torch.ones_like(angle), angle.cos(), 1.5 * angle.cos() ** 2 - 0.5], 1)
        spherical = (radial[kj][:, :, None] * bent[:, None, :]).view(-1, 12)
        h = self.embed(species)
        x = F.silu(self.first(torch.cat([h[i], h[j], radial], -1)))
        messages = torch.einsum("wj,wl,ijl->wi", self.down(spherical), (x * self.radial(radial))[kj], self.weight)
        x = x + x.new_zeros(x.shape).index_add_(0, ji, F.silu(messages) * self.spherical(spherical))
        return self.readout(x.new_zeros(len(h), x.shape[1]).index_add_(0, i, x)).sum(0)


class EGNN(nn.Module):
    """Positions and features updated together, after Satorras et al.: equivariant, whatever the weights."""

    def __init__(self, width=16, depth=2):
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.edge = nn.ModuleList(mlp(2 * width + 1, width, width) for _ in range(depth))
        self.coord = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1, bias=False), nn.Tanh())
            for _ in range(depth)
        )
        self.node = nn.ModuleList(mlp(2 * width, width, width) for _ in range(depth))
        self.attention = nn.Sequential(nn.Linear(width, 1), nn.Sigmoid())

    def forward(self, h, x, edges):
        row, column = edges
        h = self.embed(h)
        for edge, coord, node in zip(self.edge, self.coord, self.node, strict=True):
            apart = x[row] - x[column]
            radial = torch.sum(apart**2, 1).unsqueeze(1)
            apart = apart / (torch.sqrt(radial).detach() + 1e-8)
            messages = edge(torch.cat([h[row], h[column], radial], dim=1))
            messages = messages * self.attention(messages)
            count = segment_sum(torch.ones_like(apart), row, len(x)).clamp(min=1)
            x = x + segment_sum(apart * coord(messages), row, len(x)) / count
            h = h + node(torch.cat([h, segment_sum(messages, row, len(x))], dim=1))
        return h, x


class PaiNN(nn.Module):
    """Vectors (atoms, 3, width) that begin as zeros and are read by index before they meet a direction."""

    def __init__(self, width=8, depth=2):
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(10, width)
        self.filters = nn.Linear(6, 3 * width * depth)
        self.context = nn.ModuleList(mlp(width, width, 3 * width) for _ in range(depth))
        self.mix = nn.ModuleList(nn.Linear(width, 2 * width, bias=False) for _ in range(depth))
        self.update = nn.ModuleList(mlp(2 * width, width, 3 * width) for _ in range(depth))
        self.energy, self.dipole = nn.Linear(width, 1), nn.Linear(width, 1, bias=False)

    def forward(self, species, positions, edges):
        i, j = edges
        offsets = positions[j] - positions[i]
        lengths = torch.norm(offsets, dim=1, keepdim=True)
        directions = offsets / lengths
        radial = torch.sin(torch.arange(1, 7) * lengths) / lengths
        filters = torch.split(self.filters(radial)[:, None], 3 * self.width, dim=-1)
        q = self.embed(species).unsqueeze(1)
        mu = torch.zeros((len(q), 3, self.width))
        for own, context, mix, update in zip(filters, self.context, self.mix, self.update, strict=True):
            dq, dmu_r, dmu_mu = torch.split(own * context(q)[j], self.width, dim=-1)
            dmu = dmu_r * directions[..., None] + dmu_mu * mu[j]
            q = q + torch.zeros_like(q).index_add(0, i, dq)
            mu = mu + torch.zeros_like(mu).index_add(0, i, dmu)
            v, w = torch.split(mix(mu), self.width, dim=-1)
            size = torch.sqrt(torch.sum(v**2, dim=-2, keepdim=True) + 1e-8)
            da, db, dc = torch.split(update(torch.cat([q, size], dim=-1)), self.width, dim=-1)
            q, mu = q + da + dc * torch.sum(v * w, dim=1, keepdim=True), mu + db * w
        return self.energy(q.squeeze(1)).sum(0), self.dipole(mu).squeeze(-1).sum(0)


class EquivariantTransformer(nn.Module):
    """Attention over neighbours that carries vectors along, after TorchMD-Net."""

    def __init__(self, width=16, heads=4, depth=2):
        super().__init__()
        self.width, self.heads = width, heads
        self.embed = nn.Embedding(10, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        names = {"q": 1, "k": 1, "v": 3, "o": 3}
        self.project = nn.ModuleList(
            nn.ModuleDict({name: nn.Linear(width, n * width) for name, n in names.items()}) for _ in range(depth)
        )
        self.vectors = nn.ModuleList(nn.Linear(width, 3 * width, bias=False) for _ in range(depth))
        self.radial = nn.ModuleList(
            nn.ModuleDict({"k": nn.Linear(6, width), "v": nn.Linear(6, 3 * width)}) for _ in range(depth)
        )
        self.out = nn.Linear(width, 1)
        self.force = nn.Linear(width, 1, bias=False)

    def forward(self, species, positions, edges):
        i, j = edges
        offsets = positions[i] - positions[j]
        lengths = offsets.norm(dim=-1)
        directions = F.normalize(offsets, dim=1)
        radial = torch.exp(-((lengths[:, None] - torch.linspace(0, 4, 6)) ** 2))
        x = self.embed(species)
        vec = torch.zeros(len(x), 3, self.width)
        for norm, project, vectors, own in zip(self.norms, self.project, self.vectors, self.radial, strict=True):
            h, split = norm(x), (-1, self.heads, self.width // self.heads)
            q, k = (project[name](h).reshape(split) for name in "qk")
            v = project["v"](h).reshape(-1, self.heads, 3 * self.width // self.heads)
            vec1, vec2, vec3 = torch.split(vectors(vec), self.width, dim=-1)
            dots = (vec1 * vec2).sum(dim=1)
            dk = F.silu(own["k"](radial)).reshape(split)
            dv = F.silu(own["v"](radial)).reshape(-1, self.heads, 3 * self.width // self.heads)
            weights = F.silu((q[i] * k[j] * dk).sum(-1)) * (lengths < 4).float()[:, None]
            values, one, two = torch.split(v[j] * dv, self.width // self.heads, dim=2)
            moved = vec.reshape(-1, 3, self.heads, self.width // self.heads)[j] * one.unsqueeze(1)
            moved = moved + two.unsqueeze(1) * directions.unsqueeze(2).unsqueeze(3)
            messages = (values * weights.unsqueeze(2)).reshape(-1, self.width)
            gathered = torch.zeros_like(x).index_add(0, i, messages)
            vec_out = torch.zeros_like(vec).index_add(0, i, moved.reshape(-1, 3, self.width))
            o1, o2, o3 = torch.split(project["o"](gathered), self.width, dim=1)
            x = x + dots * o2 + o3
            vec = vec + vec3 * o1.unsqueeze(1) + vec_out
        return self.out(F.silu(x)).sum(0), self.force(vec).squeeze(-1)


class CartesianTransformer(nn.Module):
    """Coordinates into linear layers, as a network without constraints takes them: features (batch, atoms, width)."""

    def __init__(self, width=48, heads=2, depth=2, norm=True):
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) if norm else nn.Identity() for _ in range(depth))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.proj = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.feed = nn.ModuleList(mlp(width, 2 * width, width, nn.GELU) for _ in range(depth))
        self.out = nn.Linear(width, 3)

    def forward(self, x):
        x = x - x.mean(1, keepdim=True)
        x = self.embed(x)
        for norm, qkv, proj, feed in zip(self.norms, self.qkv, self.proj, self.feed, strict=True):
            batch, atoms, width = x.shape
            parts = qkv(norm(x)).reshape(batch, atoms, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            q, k, v = parts.unbind(0)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, atoms, width)
            x = x + proj(y)
            x = x + feed(x)
        return self.out(x)


class Tensors(nn.Module):
    """Features (atoms, width, 3, 3): a scalar, an antisymmetric and a symmetric part each, after TensorNet."""

    def __init__(self, width=8):
        super().__init__()
        self.embed = nn.Embedding(10, width)
        self.filters = mlp(6, width, 2 * width)
        self.linears = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3))
        self.scale = mlp(3 * width, width, width)
        self.energy, self.stress = nn.Linear(width, 1), nn.Linear(width, 1, bias=False)
        self.register_buffer("eye", torch.eye(3))

    def forward(self, species, positions, edges):
        i, j = edges
        offsets = positions[j] - positions[i]
        lengths = offsets.norm(dim=-1, keepdim=True)
        unit = offsets / lengths
        radial = torch.exp(-((lengths - torch.linspace(0, 4, 6)) ** 2))
        f0, f2 = self.filters(radial)[..., None, None].chunk(2, dim=1)
        outer = torch.einsum("ei,ej->eij", unit, unit)[:, None]
        traceless = outer - outer.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * self.eye
        x = (f0 * self.eye + f2 * traceless) * self.embed(species)[j][..., None, None]
        x = torch.zeros(len(species), x.shape[1], 3, 3).index_add(0, i, x)
        x = torch.stack([lin(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) for lin in self.linears])
        a, b, c = x
        product = a @ b + b @ a + 0.5 * (c + c.transpose(-1, -2))
        sizes = torch.cat([t.pow(2).sum((-2, -1)) for t in (a, b, product)], -1)
        product = product * F.silu(self.scale(sizes))[..., None, None]
        energy = self.energy(torch.einsum("awij,awji->aw", product, product)).sum(0)
        return energy, self.stress(product.permute(0, 2, 3, 1)).flatten(1)


class DynamicEdges(nn.Module):
    """A graph of the nearest in feature space, found in the run, and maxima over neighbours, after DGCNN."""

    def __init__(self, width=24, k=3):
        super().__init__()
        self.k = k
        self.one, self.two = nn.Linear(6, width), nn.Linear(2 * width, width)
        self.norm, self.readout = nn.BatchNorm1d(width), nn.Linear(2 * width, 4)

    def near(self, x):
        index = torch.cdist(x, x).topk(self.k + 1, dim=-1, largest=False).indices[:, 1:]
        around = x[index]
        own = x.unsqueeze(1).expand_as(around)
        return torch.cat([own, around - own], dim=-1)

    def forward(self, x):
        one = F.leaky_relu(self.one(self.near(x))).max(dim=1).values
        two = F.leaky_relu(self.norm(self.two(self.near(one)).max(dim=1)[0]))
        return self.readout(torch.cat([one, two], -1)).amax(0)


class PointConvolution(nn.Module):
    """PointNet++'s layer: an MLP of features and offsets, the maximum over neighbours."""

    def __init__(self, width=24):
        super().__init__()
        self.local, self.outer = mlp(8 + 3, width, width, nn.ReLU), mlp(width, width, 2, nn.ReLU)

    def forward(self, x, positions, edges):
        i, j = edges
        messages = self.local(torch.cat([x[j], positions[j] - positions[i]], dim=1))
        index = i.view(-1, 1).expand_as(messages)
        found = messages.new_zeros((len(x), messages.shape[1]))
        found = found.scatter_reduce_(0, index, messages, "amax", include_self=False)
        return self.outer(found)


class GraphAttention(nn.Module):
    """GAT's layer: heads, scores by two vectors of parameters, a softmax over neighbours."""

    def __init__(self, width_in, width, heads=2):
        super().__init__()
        self.heads, self.width = heads, width
        self.lin = nn.Linear(width_in, heads * width, bias=False)
        self.source, self.target = (nn.Parameter(torch.randn(1, heads, width)) for _ in range(2))
        self.out = nn.Linear(width, 3, bias=False)

    def forward(self, x, edges):
        i, j = edges
        h = self.lin(x).view(-1, self.heads, self.width)
        scores = (h * self.source).sum(-1)[j] + (h * self.target).sum(-1)[i]
        scores = F.leaky_relu(scores, 0.2)
        index = i.view(-1, 1).expand_as(scores)
        largest = scores.new_zeros(len(x), self.heads).scatter_reduce_(0, index, scores, "amax", include_self=False)
        weights = (scores - largest.index_select(0, i)).exp()
        total = weights.new_zeros(len(x), self.heads).scatter_add_(0, index, weights) + 1e-16
        messages = (weights / total.index_select(0, i)).unsqueeze(-1) * h[j]
        full = i.view(-1, 1, 1).expand_as(messages)
        return self.out(h.new_zeros(len(x), self.heads, self.width).scatter_add_(0, full, messages).mean(1))
