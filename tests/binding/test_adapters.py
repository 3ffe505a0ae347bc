"""Adapters of peft: what a layer computes with is typed, penalised and projected, and factors stay equivariant."""

import copy
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import seeded

peft = pytest.importorskip("peft")
# peft's, on what it calls itself.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

INF = math.inf
G = iw.Cyclic(4)
R = 4 * G.regular()
CHANNELS = {"conv": (2 * G.regular(), R), "grouped": (2 * G.regular(), R)}
TYPES = {"lin": (R, R), "table": (R, R), **CHANNELS}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(16, 16)
        self.table = nn.Embedding(16, 16)
        self.conv = nn.Conv2d(8, 16, 3, padding=1, stride=2)
        self.grouped = nn.Conv2d(8, 16, 3, padding=1, groups=2)

    def forward(self, x):
        return self.lin(x)


def adapted(config, *, trained=True, dtype=torch.float64):
    """A network with adapters, which differ from the identity if they are ``trained``."""
    torch.manual_seed(0)
    net = Net().to(dtype)
    model = peft.get_peft_model(net, config)
    if trained:
        for name, W in net.named_parameters():
            if W.requires_grad and "base_layer" not in name:
                nn.init.normal_(W, std=0.3, generator=seeded(len(name)))
    return net, model


def lora(*names, **options):
    return peft.LoraConfig(r=4, target_modules=list(names), lora_dropout=0.5, **options)


CASES = {
    "LoRA": (lora("lin", "table", "conv", "grouped"), {"lin", "table", "conv", "grouped"}),
    "rsLoRA": (lora("lin", use_rslora=True), {"lin"}),
    "LoRA with biases": (lora("lin", "conv", lora_bias=True), {"lin", "conv"}),
    "DoRA": (lora("lin", "table", "conv", use_dora=True), {"lin", "table", "conv"}),
    "LoHa": (peft.LoHaConfig(r=4, target_modules=["lin", "conv"]), {"lin", "conv"}),
    "LoKr": (peft.LoKrConfig(r=4, target_modules=["lin", "conv"]), {"lin", "conv"}),
    "AdaLoRA": (peft.AdaLoraConfig(target_modules=["lin"], total_step=9), {"lin"}),
    "VeRA": (peft.VeraConfig(r=4, target_modules=["lin"]), {"lin"}),
    "FourierFT": (peft.FourierFTConfig(n_frequency=20, target_modules=["lin"]), {"lin"}),
    "VB-LoRA": (peft.VBLoRAConfig(target_modules=["lin"], num_vectors=8, vector_length=4, r=2), {"lin"}),
    "IA3": (peft.IA3Config(target_modules=["lin"], feedforward_modules=[]), {"lin"}),
    "IA3 on inputs": (peft.IA3Config(target_modules=["lin"], feedforward_modules=["lin"]), {"lin"}),
    "OFT": (peft.OFTConfig(target_modules=["lin"], oft_block_size=4, r=0), {"lin"}),
    "BOFT": (peft.BOFTConfig(target_modules=["lin"], boft_block_size=4), {"lin"}),
    "HRA": (peft.HRAConfig(target_modules=["lin"], r=4), {"lin"}),
}
# What adds to the weight, so that the base can take a projection.
ADDITIVE = ("LoRA", "rsLoRA", "LoRA with biases", "DoRA", "LoHa", "LoKr", "AdaLoRA", "VeRA", "FourierFT", "VB-LoRA")


def computed(net, name, binding):
    """Outputs of a layer from its effective weight and bias, and those of its forward pass."""
    layer = getattr(net, name)
    E = binding[f"{name}.weight"].tensor(net)
    b = binding[f"{name}.bias"].tensor(net) if name != "table" else None
    if name == "table":
        tokens = torch.arange(16)
        return nn.functional.embedding(tokens, E), layer(tokens)
    if name == "lin":
        x = torch.randn(5, 16, generator=seeded(1), dtype=E.dtype)
        return nn.functional.linear(x, E, b), layer(x)
    x = torch.randn(2, 8, 9, 9, generator=seeded(1), dtype=E.dtype)
    return nn.functional.conv2d(x, E, b, stride=2 if name == "conv" else 1, padding=1), layer(x)


@pytest.mark.parametrize("case", CASES)
def test_effective_weights_are_what_layers_compute_with(case):
    config, names = CASES[case]
    net, _ = adapted(config)
    binding = iw.bind(net, {name: TYPES[name] for name in names})
    net.eval()
    assert {entry.name for entry in binding if entry.attribute == "weight"} == {f"{name}.weight" for name in names}
    for name in names:
        found, expected = computed(net, name, binding)
        torch.testing.assert_close(found, expected)
        base = getattr(net, name).base_layer.weight
        E = binding[f"{name}.weight"].tensor(net)
        assert E.shape[1] == 8 != base.shape[1] if name == "grouped" else not torch.allclose(E, base, rtol=1e-3)
    assert not any(".base_layer" in name for name in binding.unaccounted if name.split(".")[0] in names)
    binding.penalty(0.1).backward()
    trained = [W for name, W in net.named_parameters() if W.requires_grad and name.split(".")[0] in names]
    assert any(W.grad is not None and bool(W.grad.any()) for W in trained)


@pytest.mark.parametrize("case", ADDITIVE)
def test_a_projection_goes_into_the_base_and_outlives_the_adapter(case):
    config, names = CASES[case]
    names = names - {"grouped"}  # peft does not merge it
    net, model = adapted(config)
    binding = iw.bind(net, {name: TYPES[name] for name in names})
    before = {entry.name: entry.tensor(net).detach().clone() for entry in binding}
    binding.project_()
    for entry in binding:
        torch.testing.assert_close(entry.tensor(net).detach(), entry.projector.project(before[entry.name]))

    def worst():
        return max(r.relative_residual for r in binding.residuals().values())

    # peft merges some of them (FourierFT, VeRA) in float32.
    limit = 1e-6
    assert worst() < 1e-12
    if "grouped" not in str(config.target_modules):
        model.merge_adapter()
        assert worst() < limit
        binding.project_()
        assert worst() < 1e-12
        model.unmerge_adapter()
        assert worst() < limit
        model.merge_and_unload()
        assert not binding["lin.weight"].is_computed(net)
        assert worst() < limit
        binding.project_()
        assert worst() < 1e-12


@pytest.mark.parametrize("case", ["IA3", "OFT", "BOFT", "HRA"])
def test_what_turns_or_scales_is_projected_once_it_is_merged(case):
    net, model = adapted(CASES[case][0])
    binding = iw.bind(net, {"lin": (R, R)})
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(iw.errors.ArgumentError, match=r"lin.weight to take its projection through its base layer"):
        binding.project_()
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    model.merge_and_unload()
    assert binding.project_().residuals()["lin.weight"].relative_residual < 1e-12


def test_switched_off_and_several_adapters():
    net, model = adapted(CASES["LoRA"][0])
    binding = iw.bind(net, {"lin": (R, R)})
    one = binding["lin.weight"].tensor(net).detach()
    base = net.lin.base_layer.weight.detach()
    with model.disable_adapter():
        torch.testing.assert_close(binding["lin.weight"].tensor(net).detach(), base)
    model.add_adapter("other", lora("lin", "table", "conv", "grouped"))
    nn.init.normal_(net.lin.lora_B["other"].weight, generator=seeded(4))
    model.base_model.set_adapter(["default", "other"])
    other = net.lin.scaling["other"] * net.lin.lora_B["other"].weight @ net.lin.lora_A["other"].weight
    torch.testing.assert_close(binding["lin.weight"].tensor(net), one + other)
    found, expected = computed(net.eval(), "lin", binding)
    torch.testing.assert_close(found, expected)


def test_a_decay_acts_through_a_base_that_is_trained():
    net, _ = adapted(lora("lin"))
    binding = iw.bind(net, {"lin": (R, R)})
    trained = [W for W in net.parameters() if W.requires_grad]
    with pytest.raises(iw.errors.ArgumentError, match=r"lin.weight to be written to by what is trained.*frozen"):
        iw.EquivarianceDecay(torch.optim.AdamW(trained), binding, 1.0)
    net.lin.base_layer.requires_grad_(True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    iw.EquivarianceDecay(optimizer, binding, INF)
    for _ in range(3):
        optimizer.zero_grad()
        net(torch.ones(2, 16, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    assert max(r.relative_residual for r in binding.residuals().values()) < 1e-12
    assert net.lin.lora_B.default.weight.grad is not None


def test_kinds_that_make_no_one_weight_are_named():
    net, _ = adapted(lora("grouped", use_dora=True), trained=False)
    with pytest.raises(iw.errors.ArgumentError, match=r"type of grouped.weight.*lora.layer.Conv2d, LowRank: outputs"):
        iw.bind(net, {"grouped": TYPES["grouped"]})
    net, _ = adapted(peft.IA3Config(target_modules=["conv"], feedforward_modules=[]), trained=False)
    with pytest.raises(iw.errors.ArgumentError, match=r"ia3.layer.Conv2d.*merge_and_unload\(\) first"):
        iw.bind(net, {"conv": TYPES["conv"]})
    torch.manual_seed(0)
    circular = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1, padding_mode="circular"))
    peft.get_peft_model(circular, lora("0"))
    with pytest.raises(iw.errors.ArgumentError, match="padding_mode='circular', by which no adapter pads"):
        iw.bind(circular, {"0": CHANNELS["conv"]})


def test_layers_that_hold_more_than_a_weight_are_named():
    torch.manual_seed(0)
    net = nn.Sequential(nn.MultiheadAttention(16, 2), nn.Conv2d(8, 16, 3, dilation=2))
    peft.get_peft_model(net, lora("0", "1"))
    with pytest.raises(iw.errors.ArgumentError, match=r"got peft.*around a MultiheadAttention with in_proj_weight"):
        iw.bind(net, {"0": (R, R)})
    # peft leaves the dilation of the base behind: the two kernels are of different reach, and the layer cannot run.
    with pytest.raises(iw.errors.ArgumentError, match=r"type of 1.weight.*LowRank: RuntimeError"):
        iw.bind(net, {"1": CHANNELS["conv"]})


@pytest.mark.parametrize("dora", [False, True])
def test_weights_stored_with_inputs_first(dora):
    pytorch_utils = pytest.importorskip("transformers.pytorch_utils")
    torch.manual_seed(0)
    net = nn.Sequential(pytorch_utils.Conv1D(16, 16)).double()  # its bias starts at 0
    peft.get_peft_model(net, lora("0", use_dora=dora, fan_in_fan_out=True))
    nn.init.normal_(net[0].lora_B.default.weight, generator=seeded(2))
    binding = iw.bind(net, {"0": (R, R)})
    x = torch.randn(5, 16, generator=seeded(1), dtype=torch.float64)
    torch.testing.assert_close(x @ binding["0.weight"].tensor(net), net.eval()(x))
    before = binding["0.weight"].tensor(net).detach()
    binding.project_()
    torch.testing.assert_close(x @ binding["0.weight"].projector.project(before), net(x))


def test_a_bias_that_starts_at_zero_is_scaled_all_the_same():
    net, _ = adapted(peft.IA3Config(target_modules=["lin"], feedforward_modules=[]))
    nn.init.zeros_(net.lin.base_layer.bias)
    binding = iw.bind(net, {"lin": (R, R)})
    nn.init.ones_(net.lin.base_layer.bias)
    torch.testing.assert_close(binding["lin.bias"].tensor(net), net.lin.ia3_l.default.flatten())


def test_a_base_with_a_parametrisation_is_written_to_through_it():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 16, bias=False)).double()
    peft.get_peft_model(net, lora("0"))
    nn.utils.parametrizations.weight_norm(net[0].base_layer)
    nn.init.normal_(net[0].lora_B.default.weight, generator=seeded(2))
    binding = iw.bind(net, {"0": (R, R)}).project_()
    assert binding.residuals()["0.weight"].relative_residual < 1e-12
    error = iw.equivariance_error(net.eval(), R, R, torch.randn(4, 16, generator=seeded(3), dtype=torch.float64))
    assert float(error) < 1e-12


def test_half_precision_is_measured_and_not_projected():
    net, _ = adapted(lora("lin"), dtype=torch.bfloat16)
    nn.init.normal_(net.lin.lora_B.default.weight, generator=seeded(2))
    binding = iw.bind(net, {"lin": (R, R)})
    assert binding["lin.weight"].tensor(net).dtype == torch.float32  # that of the factors
    assert binding.penalty().isfinite()
    with pytest.raises(iw.errors.ArgumentError, match=r"lin.weight to take its projection .*got another one, off by"):
        binding.project_()
