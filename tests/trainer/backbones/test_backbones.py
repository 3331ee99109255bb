"""Backbones: their published sizes, any input shape, and equal values with recompute, bf16 and torch.compile."""

import re
from functools import cache

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from pipeline.errors import UserError
from trainer import backbones
from trainer.backbones import BACKBONES, make_backbone

SMALL = ("iresnet18_se", "mobilefacenet", "mobilefacenet_large", "vit_t", "sphere20", "greyface_se", "sample")
ROW = re.compile(r"\| (\w+) +\| (\d)x(\d+)x\d+ +\| (\d+) +\| ([\d.]+)M +\| ([\d.]+)G +\|")


def faces(n: int = 4, channels: int = 3, size: int = 64) -> Tensor:
    return torch.rand(n, channels, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


@cache
def parameters_and_flops(name: str, *, embedding: int = 512, channels: int = 3, size: int = 112) -> tuple[int, int]:
    """The number of a network's parameters, and of its multiply-adds for one face, which the field calls FLOPs.

    Those of convolutions and matrix products are counted, as in the published figures. Nothing is computed or
    allocated.
    """
    with torch.device("meta"):
        net = make_backbone(name, embedding=embedding, channels=channels, size=size).eval()
    mode = FakeTensorMode()  # of the processor, where autocast works: it does not on the device meta
    state = {n: FakeTensor(mode, t.detach(), torch.device("cpu")) for n, t in net.state_dict().items()}
    with mode, FlopCounterMode(display=False) as counter:
        functional_call(net, state, (torch.empty(1, channels, size, size),), tie_weights=False)
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2


@pytest.mark.slow
def test_the_table_in_the_docstring_has_the_counted_numbers() -> None:
    rows = ROW.findall(backbones.__doc__ or "")
    assert [row[0] for row in rows] == list(BACKBONES)
    for name, channels, size, embedding, millions, billions in rows:
        parameters, flops = parameters_and_flops(name, embedding=int(embedding), channels=int(channels), size=int(size))
        assert (f"{parameters / 1e6:.2f}", f"{flops / 1e9:.3f}") == (millions, billions), name


@pytest.mark.parametrize(
    ("name", "embedding", "millions", "billions"),
    [
        ("iresnet50", 512, 43.6, 6.3),  # arcface_torch: 43.59M, 6.33G with the norms' operations
        ("iresnet100", 512, 65.2, 12.1),
        ("mobilefacenet", 128, 1.0, 0.22),  # the paper: 0.99M, 221M
        ("mobilefacenet_large", 512, 2.06, 0.44),  # arcface_torch's MBF: 2.06M
        ("vit_t", 512, 19.14, 1.5),  # arcface_torch: 1.5G
    ],
)
def test_parameters_and_flops_are_the_published_ones(
    name: str, embedding: int, millions: float, billions: float
) -> None:
    parameters, flops = parameters_and_flops(name, embedding=embedding)
    assert parameters / 1e6 == pytest.approx(millions, abs=0.05)
    assert flops / 1e9 == pytest.approx(billions, rel=0.01)


def test_flops_of_a_layer_by_hand() -> None:
    # sphere20's first convolution is 3 -> 64, 3x3, to 56x56; two channels less change that layer alone
    colour, grey = (parameters_and_flops("sphere20", channels=c) for c in (3, 1))
    assert colour[0] - grey[0] == 2 * 64 * 9
    assert colour[1] - grey[1] == 2 * 64 * 9 * 56 * 56


@pytest.mark.parametrize("name", SMALL)
def test_any_channels_size_and_embedding(name: str) -> None:
    net = make_backbone(name, embedding=24, channels=1, size=72, dropout=0.1)
    features = net(faces(channels=1, size=72))
    assert features.shape == (4, 24)
    features.square().sum().backward()
    without_gradient = [n for n, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert not without_gradient


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_recompute_changes_neither_gradients_nor_state(name: str) -> None:
    results = []
    for recompute in (False, True):
        torch.manual_seed(0)
        net = make_backbone(name, embedding=16, size=64, dropout=0.2)
        net.recompute = recompute
        net(faces()).square().mean().backward()
        grads = {n: p.grad for n, p in net.named_parameters() if p.grad is not None}
        results.append((grads, net.state_dict()))
    for before, after in zip(*results, strict=True):
        assert before.keys() == after.keys()
        for key in before:
            torch.testing.assert_close(before[key], after[key], rtol=1e-5, atol=1e-7, msg=key)


def test_recompute_keeps_fewer_values_for_the_backward_pass() -> None:
    saved_values = []
    for recompute in (False, True):
        net = make_backbone("iresnet18", size=32)
        net.recompute = recompute
        total = 0

        def pack(x: Tensor) -> Tensor:
            nonlocal total
            total += x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            net(faces(size=32))
        saved_values.append(total)
    # also with recompute the head's weights and the blocks' inputs are saved
    assert saved_values[1] < saved_values[0] / 3


# without squeeze-and-excitation: behind norms without statistics its weights are all near 0 or 1
@pytest.mark.parametrize("name", [name.removesuffix("_se") for name in SMALL])
def test_channels_last_and_bf16_give_nearly_the_same_embeddings(name: str) -> None:
    torch.manual_seed(0)
    net = make_backbone(name, embedding=32, size=64).eval()
    with torch.no_grad():
        expected = net(faces())
        last = net.to(memory_format=torch.channels_last)(faces().contiguous(memory_format=torch.channels_last))
        with torch.autocast("cpu", torch.bfloat16):
            in_bf16 = net(faces().contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(last, expected, rtol=1e-3, atol=1e-4)
    assert torch.nn.functional.cosine_similarity(in_bf16.float(), expected).min() > 0.99


@pytest.mark.parametrize("name", ["iresnet18", "mobilefacenet_large", "vit_t", "sphere20", "greyface", "sample"])
def test_a_head_stays_in_float32_under_autocast(name: str) -> None:
    """From equal inputs it gives the same embeddings with and without autocast."""
    net = make_backbone(name, embedding=16, size=32).eval()
    inputs: list[Tensor] = []
    net.head.register_forward_pre_hook(lambda _, x: inputs.append(x[0]))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        features = net(faces(size=32))
    assert features.dtype == torch.float32
    with torch.no_grad():
        assert torch.equal(net.head(inputs[0].float()), features)


@pytest.mark.slow
@pytest.mark.parametrize("recompute", [False, True])
def test_a_compiled_network_is_the_same_network(recompute: bool) -> None:
    results = []
    for compiled in (False, True):
        torch.manual_seed(0)
        net = make_backbone("sample", embedding=16, size=64)
        net.recompute = recompute
        run = torch.compile(net, backend="aot_eager_decomp_partition") if compiled else net
        run(faces()).square().mean().backward()
        results.append(({n: p.grad for n, p in net.named_parameters() if p.requires_grad}, net.state_dict()))
    for before, after in zip(*results, strict=True):
        for key in before:
            torch.testing.assert_close(before[key], after[key], rtol=1e-3, atol=1e-5, msg=key)


def test_an_unknown_name_raises_one_line_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"no backbone is called resnet50: give one of iresnet18, .*sample"):
        make_backbone("resnet50")


def test_a_face_that_is_too_small_is_refused() -> None:
    with pytest.raises(UserError, match="16x16 are too small for mobilefacenet: give at least 32x32"):
        make_backbone("mobilefacenet", size=16)
