"""What `test_torch_operators` tries, family by family: functions of an image, a row, a signal."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional
nn = torch.nn

IMAGE, ROW, SIGNAL, TOKENS = (4, 7, 6), (12,), (4, 11), (5, 6)
WIDE = torch.linspace(-1, 1, 12)


def constant(*shape):
    return torch.linspace(-1, 1.5, int(np.prod(shape))).reshape(shape)


ACTIVATIONS = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(5 * x),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 0.7),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "prelu": nn.PReLU(4),
    "prelu, one slope": nn.PReLU(),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.3),
    "gelu": F.gelu,
    "gelu, tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu, written out": lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)),
    "gelu, tanh, written out": lambda x: (
        0.5 * x * (1 + torch.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
    ),
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": lambda x: F.hardswish(3 * x),
    "hardsigmoid": lambda x: F.hardsigmoid(3 * x),
    "sigmoid": lambda x: torch.sigmoid(x) * 2,
    "logsigmoid": F.logsigmoid,
    "tanh": torch.tanh,
    "tanhshrink": F.tanhshrink,
    "softshrink": lambda x: F.softshrink(x, 0.3),
    "softplus": lambda x: F.softplus(x, beta=2),
    "softsign": F.softsign,
    "threshold": lambda x: F.threshold(x, 0.2, 0),
    "clamp": lambda x: x.clamp(-0.4, 0.5),
    "clamp from below": lambda x: x.clamp(min=0),
    "clamp by arrays": lambda x: torch.clamp(x, max=constant(4, 1, 1)),
    "rrelu": nn.RReLU(),
    "hardshrink": F.hardshrink,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "abs": torch.abs,
    "erf": torch.erf,
    "exp": torch.exp,
    "square": torch.square,
    "sin": lambda x: torch.sin(4 * x),
    "cos": torch.cos,
    "sign": lambda x: x * torch.sign(x - 0.1),
    "neg": lambda x: -x,
    "glu": lambda x: F.glu(x, 1),
    "dropout": lambda x: F.dropout(x, training=False) * 1.5,
    "sinh": lambda x: torch.sinh(2 * x),
    "cosh": lambda x: torch.cosh(2 * x),
    "tan": lambda x: torch.tan(0.3 * x),
    "floor": lambda x: x * torch.floor(3 * x),
    "ceil": lambda x: x * torch.ceil(3 * x),
    "trunc": lambda x: x * torch.trunc(3 * x),
    "round": lambda x: x * torch.round(3 * x),
    "round to decimals": lambda x: x * torch.round(x, decimals=1),
    "asinh": lambda x: torch.asinh(20 * x),
    "atanh": lambda x: torch.atanh(0.9 * x.tanh()),
    "threshold, another value": lambda x: F.threshold(x, 0.2, 1.5),
    "softplus, soon straight": lambda x: F.softplus(x, beta=2, threshold=1),
}
POSITIVE = {
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "log10": torch.log10,
    "reciprocal": torch.reciprocal,
    "power": lambda x: x**1.7,
    "acosh": lambda x: torch.acosh(x + 1),
    "constant to a power": lambda x: 2.0**x,
    "division": lambda x: 3 / x + x / 7,
    "norm": lambda x: F.normalize(x, dim=1),
    "norm, absolute": lambda x: x.norm(p=1, dim=(2, 3)),
    "norm, cubic": lambda x: torch.linalg.vector_norm(x, 3, (1, 2)),
    "norm, largest": lambda x: x.norm(p=torch.inf, dim=(2, 3)),
    "norm, smallest": lambda x: x.norm(p=-torch.inf, dim=1),
}
ARITHMETIC = {
    "channels' constant": lambda x: x * constant(4, 1, 1) + constant(1, 4, 1, 1),
    "pixels' constant": lambda x: constant(7, 6) - x,
    "numbers": lambda x: 2 - (3 * x + 1) / 4,
    "sum, scaled": lambda x: torch.add(x, torch.relu(x), alpha=-2),
    "difference": lambda x: torch.sub(x, torch.tanh(x), alpha=0.5),
    "gated": lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    "larger": lambda x: torch.maximum(x, torch.tanh(x) + 0.1),
    "smaller": lambda x: torch.minimum(x, constant(4, 1, 1)),
    "square by itself": lambda x: x * x,
    "lerp": lambda x: torch.lerp(x, torch.tanh(x), 0.3),
    "logaddexp": lambda x: torch.logaddexp(5 * x[:, :2], x[:, 2:]),
    "logaddexp, a constant": lambda x: torch.logaddexp(constant(7, 6), x),
    "hypot": lambda x: torch.hypot(x, x.flip(1)) + torch.hypot(x, constant(7, 6)),
    "addcmul": lambda x: torch.addcmul(x, x.tanh(), x.exp(), value=0.5),
    "in place": lambda x: x.mul(2).add_(x).mul_(0.5).relu_(),
    "in place, a part": lambda x: set_part(x * 1),
    "in place, with a view": lambda x: write_and_read(x * 2, lambda y: y.view(-1, 4, 42)),
    "in place, with itself": lambda x: write_and_read(x * 2, F.dropout2d),
    "where": lambda x: torch.where(constant(7, 6) > 0, x, 0.5),
    "masked_fill": lambda x: x.masked_fill(constant(7, 6) > 0, 2.0),
    "masked by minus infinity": lambda x: x.masked_fill(torch.eye(7, 6) > 0, -torch.inf).softmax(
        -1
    ),
    "where, compared": lambda x: torch.where(x > 0.1, x, 0.2 * x),
    "where, between tensors": lambda x: torch.where(x >= x.flip(1), x.square(), x.flip(1)),
    "where, numbers": lambda x: x * torch.where(x.mean((2, 3), keepdim=True) <= 0, 0.5, 2.0),
    "masked_fill, compared": lambda x: x.masked_fill(x.abs() < 0.2, -0.3),
    "masked by minus infinity, compared": lambda x: (
        2 * x.masked_fill(x > 0.3, -torch.inf).flatten(1).softmax(1)
    ),
    "masked in place": lambda x: masked_in_place(x * 1),
    "masks": lambda x: x * ((x < 0.5) & ~(x.abs() < 0.1) | (x > 1)).to(x.dtype),
    "masks, more": lambda x: x * ((x < 0.3) ^ (x.flip(1) > 0.1)) * (x != 0) + x * (x == 1),
    "mask and a constant one": lambda x: x * ((x < 0.5) & (constant(7, 6) > 0)),
    "any and all": lambda x: (
        x * ((x > 0.5).any(1, keepdim=True) & ~(x > -1).all(dim=(2, 3), keepdim=True))
    ),
    "share of positive ones": lambda x: (
        x * (x > 0).sum(1, keepdim=True) / (x > 0).float().mean((1, 2, 3), True)
    ),
    "tril": lambda x: torch.tril(x, 1) + 2 * torch.triu(x, -2),
    "detached constant": lambda x: x * constant(4, 1, 1).detach(),
}
CONVOLUTIONS = {
    "strided": nn.Conv2d(4, 6, 3, (2, 1), (1, 2), bias=False),
    "grouped, dilated": nn.Conv2d(4, 8, (3, 2), 1, 2, 2, groups=2),
    "same": nn.Conv2d(4, 5, (4, 3), padding="same"),
    "valid": nn.Conv2d(4, 5, (4, 3), padding="valid"),
    "reflected": nn.Conv2d(4, 5, 3, padding=1, padding_mode="reflect"),
    "circular": nn.Conv2d(4, 5, 3, padding=1, padding_mode="circular"),
    "transposed": nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, groups=2),
    "bilinear upsampling": nn.Upsample(scale_factor=2, mode="bilinear"),
    "batch_norm": nn.BatchNorm2d(4),
    "instance_norm": nn.InstanceNorm2d(4, affine=True),
    "instance_norm, tracked": nn.InstanceNorm2d(4, track_running_stats=True),
    "group_norm": nn.GroupNorm(2, 4),
    "layer_norm": nn.LayerNorm([4, 7, 6]),
    "layer_norm, last axis": nn.LayerNorm(6, bias=False),
    "rms_norm": nn.RMSNorm([7, 6]),
    "local_response_norm": nn.LocalResponseNorm(3, alpha=0.5),
    "linear, last axis": nn.Linear(6, 5),
}
POOLING = {
    "max": lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "max, dilated": lambda x: F.max_pool2d(x, 2, 1, 0, 2),
    "max, its values": lambda x: F.max_pool2d(x, 2, return_indices=True),
    "average": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "average, ceil": lambda x: F.avg_pool2d(x, (2, 3), ceil_mode=True),
    "average, another divisor": lambda x: F.avg_pool2d(x, 3, 2, 1, divisor_override=4),
    "adaptive average": lambda x: F.adaptive_avg_pool2d(x, (3, 4)),
    "adaptive average, larger": lambda x: F.adaptive_avg_pool2d(x, (9, None)),
    "adaptive average, divisible": lambda x: F.adaptive_avg_pool2d(x, (1, 3)),
    "adaptive max": lambda x: F.adaptive_max_pool2d(x, (3, 4)),
    "global": lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(),
    "mean": lambda x: x.mean((1, 3)),
    "sum": lambda x: x.sum(2, keepdim=True),
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin(1),
    "max along an axis": lambda x: x.max(2).values,
    "min along an axis": lambda x: x.min(1).values,
    "variance": lambda x: x.var((2, 3)),
    "deviation": lambda x: x.std(1, correction=0),
    "variance and mean": lambda x: torch.cat(torch.var_mean(x, 1, keepdim=True), 1),
    "deviation and mean": lambda x: torch.cat(torch.std_mean(x, (2, 3), keepdim=True), 1),
    "product": lambda x: x.prod(2),
    "product, its axis kept": lambda x: x.relu().prod(1, keepdim=True),
    "running sum": lambda x: x.cumsum(2),
    "logsumexp": lambda x: x.logsumexp((1, 2)),
    "softmax along channels": lambda x: x.softmax(1) * 2,
    "softmax along columns": lambda x: F.log_softmax(x, -1) * 2,
}
RESIZING = {
    mode: lambda x, mode=mode: F.interpolate(x, size=(10, 4), mode=mode)
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic")
} | {
    "nearest by factors": lambda x: F.interpolate(x, scale_factor=(2.6, 0.7)),
    "bilinear, smooth": lambda x: F.interpolate(x, (3, 10), mode="bilinear", antialias=True),
    "bicubic, smooth": lambda x: F.interpolate(x, (4, 9), mode="bicubic", antialias=True),
    "bilinear, smooth, by a factor": lambda x: F.interpolate(
        x, scale_factor=0.6, mode="bilinear", antialias=True
    ),
    "bilinear by a factor": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "bilinear, corners": lambda x: F.interpolate(x, (5, 9), mode="bilinear", align_corners=True),
    "bicubic, corners": lambda x: F.interpolate(x, (9, 5), mode="bicubic", align_corners=True),
}
SHAPES = {
    "shuffle": lambda x: x.view(x.size(0), 2, 2, 7, 6).transpose(1, 2).reshape(-1, 4, 7, 6),
    "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
    "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda x: F.pixel_unshuffle(x[:, :, :6], 2),
    "permute": lambda x: x.permute(0, 2, 3, 1).contiguous(),
    "movedim": lambda x: x.movedim((1, 2), (3, 1)),
    "flatten, unflatten": lambda x: x.flatten(2).unflatten(2, (6, 7)),
    "cat": lambda x: torch.cat([x, x.tanh(), constant(1, 2, 7, 6).expand(len(x), -1, -1, -1)], 1),
    "stack": lambda x: torch.stack([x, x.tanh()], 2),
    "split": lambda x: torch.cat(x.split([1, 3], 1)[::-1], 1),
    "chunk": lambda x: x.chunk(3, 3)[1],
    "unbind": lambda x: x.unbind(1)[2],
    "slices": lambda x: x[:, 1:, ::2, -4:-1],
    "index": lambda x: x[:, [2, 0, 0]],
    "index by two arrays": lambda x: x[:, :, [[0], [2]], [1, 3, 3]],
    "index by arrays apart": lambda x: x[:, [0, 1, -1], 2:5, [[2], [0]]].permute(2, 0, 1, 3),
    "written to places": lambda x: written(x * 1),
    "index by a mask": lambda x: x[:, torch.tensor([True, False, True, True])].flatten(1).tanh(),
    "index by a mask of places": lambda x: x[:, :, constant(7, 6) > 0].mean(-1, keepdim=True),
    "diagonal": lambda x: x.diagonal(1, 2, 3)[..., :4] * x.diagonal(-2, -1, 1)[:, :4],
    "gather": lambda x: x.gather(
        2, torch.arange(24).view(1, 4, 3, 2).expand(len(x), -1, -1, -1) % 7
    ),
    "unfold": lambda x: F.unfold(x, (3, 2), dilation=(2, 1), padding=(1, 0), stride=(1, 2)),
    "fold": lambda x: F.fold(x.flatten(2)[:, :, :20], (6, 5), 2),
    "fold, overlapping": lambda x: F.fold(F.unfold(x, 3, 1, 1, 2), (7, 6), 3, padding=1, stride=2),
    "windows": lambda x: x.unfold(2, 3, 2).unfold(3, 4, 1),
    "index_select": lambda x: x.index_select(3, torch.tensor([5, 1])),
    "narrow": lambda x: x.narrow(2, 1, 3),
    "flip": lambda x: x.flip(2, 3),
    "roll": lambda x: x.roll((1, -2), (2, 3)),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "expand": lambda x: x.mean(1, keepdim=True).expand(-1, 5, -1, -1),
    "zeros": lambda x: torch.cat([x, torch.zeros_like(x)], 1),
    "ones": lambda x: torch.cat([x, torch.ones_like(x[:, :1]), torch.full_like(x, 2.5)], 1),
    "zeros in a part": lambda x: write_and_read(x * 1, lambda y: y[:, 1:].zero_() + y[:, :3]),
    "written to zeros": lambda x: shifted(x),
    "pad": lambda x: F.pad(x, (1, 2, -1, 1), value=0.5),
    "pad, reflect": lambda x: F.pad(x, (1, 2, 2, 0), mode="reflect"),
    "pad, replicate": lambda x: F.pad(x, (1, 0, 2, 0), mode="replicate"),
    "double and back": lambda x: x.to(torch.float64).to(torch.float32),
}
ROWS = {
    "linear": nn.Linear(12, 3),
    "linear without bias": nn.Linear(12, 3, bias=False),
    "bilinear by hand": lambda x: x @ constant(12, 5) + constant(5),
    "addmm": lambda x: torch.addmm(constant(5), x, constant(12, 5), beta=2, alpha=0.5),
    "matrix and vector": lambda x: (x @ constant(12)).unsqueeze(1) * WIDE,
    "batch_norm": nn.BatchNorm1d(12),
    "layer_norm": nn.LayerNorm(12),
    "outer product": lambda x: torch.bmm(x[:, :, None], x[:, None, :]),
    "bilinear": lambda x: F.bilinear(x[:, :4], x[:, 4:], constant(3, 4, 8), constant(3)),
    "bilinear, a constant": lambda x: F.bilinear(
        constant(1, 2).expand(len(x), 2), x, constant(3, 2, 12)
    ),
    "inner product": lambda x: torch.einsum("bi,bj->bij", x[:, :4], x),
}
SIGNALS = {
    "conv1d": nn.Conv1d(4, 6, 3, 2, 2, 2, groups=2),
    "conv1d, same": nn.Conv1d(4, 5, 4, padding="same"),
    "conv_transpose1d": nn.ConvTranspose1d(4, 3, 3, 2, 1, 1),
    "max_pool1d": lambda x: F.max_pool1d(x, 3, 2, 1),
    "avg_pool1d": lambda x: F.avg_pool1d(x, 3, 2, 1),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x, 4),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x, 3),
    "batch_norm": nn.BatchNorm1d(4),
    "upsample": lambda x: F.interpolate(x, 17, mode="linear"),
}
SEQUENCES = {
    "attention": lambda x: attend(x),
    "scaled_dot_product_attention": lambda x: F.scaled_dot_product_attention(x, x.tanh(), x),
    "attention, causal": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "attention, masked": lambda x: F.scaled_dot_product_attention(
        x, x, x, constant(5, 5) > torch.tensor(-0.9), scale=0.3
    ),
    "attention, grouped": lambda x: F.scaled_dot_product_attention(
        x.view(-1, 5, 1, 6)[:, :4], x[:, :2, None], x[:, 3:, None].tanh(), enable_gqa=True
    ),
    "attention of constants": lambda x: (
        x + F.scaled_dot_product_attention(*[constant(1, 5, 6)] * 3)
    ),
    "dropout of a constant": lambda x: x + F.dropout(constant(5, 6), 0.3, training=False),
    "einsum": lambda x: torch.einsum("bcd,ce->bde", x, constant(5, 3)),
    "einsum, last axis": lambda x: torch.einsum("b...d,de->b...e", x, constant(6, 3)),
    "tensordot": lambda x: torch.tensordot(x, constant(6, 3), 1),
    "einsum of rows": lambda x: torch.einsum("bd,dk->bk", x[:, 0], constant(6, 3)),
    "einsum of images": lambda x: torch.einsum("bchw,cd->bdhw", x[:, :, None], constant(5, 3)),
    "einsum of three": lambda x: torch.einsum("bid,bjd,de->bije", x, x.tanh(), constant(6, 2)),
    "einsum, samples in the middle": lambda x: torch.einsum(
        "ibd,jbd->bij", x.transpose(0, 1), x.transpose(0, 1).tanh()
    ),
    "einsum of joined rows": lambda x: torch.einsum(
        "rd,de->re", x.reshape(-1, 6), constant(6, 3)
    ).view(-1, 5, 3),
    "matrix from the left": lambda x: constant(3, 5) @ x,
    "baddbmm": lambda x: torch.baddbmm(constant(1, 5, 5), x, x.transpose(1, 2)),
    "first token": lambda x: torch.cat([constant(1, 1, 6).expand(len(x), -1, -1), x], 1)[:, 0:2],
}
JOINED = {
    "joined, convolved": lambda x: F.conv2d(
        x.reshape(-1, 2, 7, 6), constant(3, 2, 3, 3), constant(3), padding=1
    ).view(-1, 6, 7, 6),
    "joined, pooled": lambda x: F.max_pool2d(x.reshape(-1, 2, 7, 6), 2).view(-1, 4, 3, 3),
    "joined, averaged": lambda x: F.avg_pool2d(x.reshape(-1, 2, 7, 6), 3, 2).view(-1, 24),
    "joined, group_norm": lambda x: F.group_norm(
        x.reshape(-1, 2, 7, 6), 2, constant(2), constant(2)
    ).view(-1, 4, 7, 6),
    "joined, batch_norm": lambda x: F.batch_norm(
        x.reshape(-1, 6), constant(6), constant(6) + 1.5, constant(6), eps=0.1
    ).view(-1, 4, 7, 6),
    "joined, padded": lambda x: F.pad(x.reshape(-1, 6), (1, 2), value=0.5).view(-1, 4, 7, 9),
    "joined, concatenated": lambda x: torch.cat(
        [y := x.flatten(0, 1), y.tanh(), constant(1, 7, 2).expand(len(y), -1, -1)], 2
    ).view(-1, 4, 7, 14),
    "joined, indexed": lambda x: x.flatten(0, 1)[:, :, [5, 0, 0, 2]].view(-1, 4, 7, 4),
    "joined, indexed by a table": lambda x: x.flatten(0, 1)[:, torch.tensor([[6, 1], [0, 6]])].view(
        -1, 4, 2, 2, 6
    ),
    "joined, index_select": lambda x: (
        x.flatten(0, 1).index_select(1, torch.tensor([3, 1])).view(-1, 4, 2, 6)
    ),
    "places first, indexed": lambda x: x.permute(2, 0, 1, 3)[:, :, [3, 1]].transpose(0, 1),
    "joined, expanded": lambda x: (
        x.reshape(-1, 1, 6).expand(-1, 3, 6).clamp(min=0).view(-1, 4, 7, 3, 6)
    ),
    "joined, normalized": lambda x: F.normalize(x.reshape(-1, 7, 6), dim=-1).view(-1, 4, 7, 6),
    "joined, deviations": lambda x: x.reshape(-1, 7, 6).std(2, correction=0).view(-1, 4, 7),
    "joined, attention": lambda x: F.scaled_dot_product_attention(
        y := x.flatten(0, 1), y.tanh(), y, constant(7, 7), scale=0.5
    ).view(-1, 4, 7, 6),
    "joined, constant queries": lambda x: torch.bmm(
        constant(1, 4, 3, 7).expand(len(x), -1, -1, -1).reshape(-1, 3, 7), x.flatten(0, 1)
    ).view(-1, 4, 3, 6),
    "samples behind": lambda x: torch.cat(
        [(y := x.flatten(2).permute(2, 0, 1)).mean(0, keepdim=True), y]
    ).permute(1, 0, 2),
}
FAMILIES = {
    "activations": (ACTIVATIONS, IMAGE, False),
    "positive": (POSITIVE, IMAGE, True),
    "arithmetic": (ARITHMETIC, IMAGE, False),
    "layers": (CONVOLUTIONS, IMAGE, False),
    "pooling": (POOLING, IMAGE, False),
    "resizing": (RESIZING, IMAGE, False),
    "shapes": (SHAPES, IMAGE, False),
    "rows": (ROWS, ROW, False),
    "signals": (SIGNALS, SIGNAL, False),
    "sequences": (SEQUENCES, TOKENS, False),
    "joined": (JOINED, IMAGE, False),
}


def set_part(x):
    x[:, :2, 1:3] *= 3
    x[:, 3] = 0.5
    return x * 2


def masked_in_place(x):
    x[x < 0.1] = 0.5
    return x * 2


def written(x):
    x[:, [0, 2], 1] = x[:, [1, 3], 0] * 2
    x[:, :, [0, 5], [2, 4]] = 0.7
    x[:, :, constant(7, 6) > 1] = 0.2
    return x + x.index_copy(1, torch.tensor([3]), x[:, :1])


def shifted(x):
    out = torch.zeros_like(x)
    out[:, :, 1:] = x[:, :, :-1]
    return out


def write_and_read(x, look):
    """What another name for x holds after x has changed."""
    other = look(x, training=False) if look is F.dropout2d else look(x)
    x.sub_(1)
    return torch.cat([x.flatten(1), other.flatten(1).tanh()], 1)


def attend(x):
    weights = torch.softmax(x @ x.transpose(-2, -1) / 6**0.5, dim=-1)
    return weights @ x
