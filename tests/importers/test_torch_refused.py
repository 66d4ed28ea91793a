"""What `bl.from_torch` refuses, and what it says of that."""

import pytest

import backlit as bl
from tests.helpers import run_python

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional

from tests.importers.torch_modules import Function  # noqa: E402


def test_all_unsupported_operators_are_listed():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Function(torch.atan)
            self.second = Function(lambda x: x.cumprod(1).acos())

        def forward(self, x):
            return self.first(x) + self.second(x)

    with pytest.raises(ValueError, match="cannot be imported") as caught:
        bl.from_torch(Odd(), torch.zeros(1, 6))
    assert "aten.atan.default at first.atan" in str(caught.value)
    assert "aten.cumprod.default at second.cumprod" in str(caught.value)
    assert "aten.acos.default at second.acos" in str(caught.value)  # of what is not computed


VOLUME = r": samples of shape \(2, 4, 4, 4\), with 3 axes beside the channels"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: F.conv3d(x, torch.ones(1, 2, 2, 2, 2)), "convolution" + VOLUME),
        (lambda x: F.max_pool3d(x, 2), "max_pool3d_with_indices" + VOLUME),
        (lambda x: F.adaptive_avg_pool3d(x, 2), "_adaptive_avg_pool3d" + VOLUME),
        (lambda x: F.adaptive_max_pool3d(x, 2), "adaptive_max_pool3d" + VOLUME),
        (lambda x: F.avg_pool3d(x, 2), "avg_pool3d: pooling in three dimensions"),
        (lambda x: x / x.max(), "max: an operation along the samples' axis"),
        (lambda x: x.sort(1)[0], "sort: a result that depends on the order of values"),
        (lambda x: x * x.isnan(), "isnan: a comparison of what depends on the input"),
        (lambda x: x * x.argmax(1, keepdim=True), "argmax: places, which have no gradient"),
        (torch.atan, "atan: no layer computes it"),
    ],
)
def test_unsupported_operators_have_reasons(function, message):
    class Only(nn.Module):
        def forward(self, x):
            return function(x).flatten(1)

    with pytest.raises(ValueError, match=message):
        bl.from_torch(Only(), torch.zeros(1, 2, 4, 4, 4))


def test_failures_and_successes_say_nothing_of_their_own():
    """In a process of its own: PyTorch's loggers know the first standard error alone."""
    code = """
import logging, sys, torch
import backlit as bl

class Module(torch.nn.Module):
    def forward(self, x):
        print("called", file=sys.stderr)
        if self.kind == "shapes":
            return x @ x
        return x.relu() if self.kind == "plain" or x.sum() > 0 else -x

module = Module()
for module.kind in ("shapes", "values", "plain"):
    try:
        bl.from_torch(module, torch.zeros(1, 3))
    except ValueError as error:
        print(error)
print("mine", file=sys.stderr)
logging.getLogger("torch.export").error("theirs")
"""
    result = run_python(code)
    assert result.stdout.count("cannot be traced by torch.export") == 2
    lines = result.stderr.splitlines()
    assert {"called", "mine"} == set(lines[:-1])
    assert "theirs" in lines[-1]
    assert "always_classified is unsupported" in run_python(code, TORCH_LOGS="+export").stderr


LSTM, GRU = (kind(6, 4, batch_first=True) for kind in (nn.LSTM, nn.GRU))


def without_gradient(function):
    with torch.no_grad():
        return function()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x - x.mean(0), "along the samples' axis"),
        (lambda x: x.flip(0), "along the samples' axis"),
        (lambda x: x @ x.T @ x, "mixes samples|different places|samples along"),
        (lambda x: x + torch.arange(len(x))[:, None], "differs from sample to sample"),
        (lambda x: F.batch_norm(x, None, None, training=True), "samples mix|cannot be imported"),
        (lambda x: x.reshape(1, -1), "output's samples"),
        (lambda x: x.T, "output's samples"),
        (lambda x: x * x.detach(), "stopping the gradient"),
        (lambda x: x * without_gradient(lambda: x.tanh()), "stopping the gradient"),
        (lambda x: LSTM(x[:, None])[0], "lstm.* a recurrent layer"),
        (lambda x: GRU(x[:, None])[0], "gru.* a recurrent layer"),
        (lambda x: torch.cond(x.sum() > 0, torch.relu, torch.tanh, (x,)), "cond at cond"),
        (lambda x: x[torch.arange(len(x)), [0] * len(x)], "along the samples' axis"),
        (lambda x: x[x > 0], "an index that depends on the input"),
        (
            lambda x: x.gather(1, torch.arange(2 * len(x)).view(-1, 2)),
            "index that differs from sample",
        ),
        (lambda x: x.index_add(1, torch.tensor([0]), x[:, :1]), "adding to places"),
        (lambda x: F.dropout(x, 0.5, training=True), "dropout that is on"),
        (lambda x: x + torch.rand(6), "random numbers"),
        (lambda x: F.linear(x, x), "weight that depends on the input"),
        (lambda x: x if x.sum() > 0 else -x, "cannot be traced by torch.export"),
        (lambda x: torch.zeros(2, 3), "must return a tensor that depends on its input"),
    ],
)
def test_what_cannot_be_imported(function, message):
    with pytest.raises(ValueError, match=message):
        bl.from_torch(Function(function), torch.zeros(1, 6))


class Sign(torch.autograd.Function):
    """Passed back straight through."""

    @staticmethod
    def forward(context, x):
        return x.sign()

    @staticmethod
    def backward(context, g):
        return g


class Data(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(6, 3)
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        return self.last(x - self.mean.data)


class Weights(Data):
    def forward(self, x):
        self.last.weight.data.clamp_(-0.1, 0.1)
        return self.last(x)


def frozen():
    return torch.jit.freeze(torch.jit.script(nn.Linear(6, 3).eval()))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda: Function(Sign.apply), "Sign is a torch.autograd.Function, whose own derivative"),
        (Data, "without values among the constants"),
        (Weights, "cannot be traced"),
        (frozen, "it is a ScriptModule"),
    ],
)
def test_what_is_lost_in_tracing(module, message):
    with pytest.raises(ValueError, match=message):
        bl.from_torch(module(), torch.zeros(1, 6))
    assert Sign.apply(torch.tensor(-2.0)) == -1


@pytest.mark.parametrize(
    ("function", "place"),
    [
        (lambda x: x / x.size(0), "div"),
        (lambda x: x.relu() * torch.tensor(1.0 / x.shape[0]), "mul"),
        (lambda x: x.sum(1, keepdim=True) + torch.full((6,), len(x)), r"add\.1"),
        (lambda x: F.softplus(x, beta=len(x)), "softplus"),
        (lambda x: x.tanh() if len(x) > 2 else x.relu(), "relu"),
        (lambda x: x.relu() if len(x) > 2 else x, "relu"),
    ],
)
def test_results_that_depend_on_the_number_of_samples(function, place):
    message = f"{place}: its result depends on the number of samples"
    with pytest.raises(ValueError, match=message):
        bl.from_torch(Function(function), torch.zeros(1, 6))


def test_errors_say_samples_for_their_number():
    module = Function(lambda x: x.reshape(3, -1))
    with pytest.raises(ValueError, match=r"reshaping \(samples, 6\) to \(3, 4\) mixes samples"):
        bl.from_torch(module, torch.zeros(1, 6))


@pytest.mark.parametrize(
    ("module", "example", "error", "message"),
    [
        ("net", torch.zeros(1, 6), TypeError, "module must be a torch.nn.Module, not str"),
        (nn.Linear(6, 2), (torch.zeros(1, 6),) * 2, TypeError, "must be one tensor, got a tuple"),
        (nn.Linear(6, 2), torch.zeros(1, 6).int(), TypeError, "floating-point numbers"),
        (nn.Linear(6, 2), torch.zeros(6), ValueError, r"batch.*\(N, features\) or .*\(6,\)"),
        (nn.Linear(6, 2), torch.zeros(0, 6), ValueError, r"batch of samples.*\(0, 6\)"),
    ],
)
def test_arguments_are_checked(module, example, error, message):
    with pytest.raises(error, match=message):
        bl.from_torch(module, example)
