"""In PyTorch, the cases that ONNX's reference implementation lacks, refuses or rounds in.

Functions of (x, constants), by the name of a case; float64 throughout.
"""

try:
    import torch
    import torch.nn.functional as F  # noqa: N812
except ImportError:
    pass  # the names are wanted all the same: those cases are skipped

EQUIVALENTS = {
    "convolutions: cropping": lambda x, c: F.conv2d(F.pad(x, (0, -1, -1, 1)), c["c0"], c["c1"]),
    "transposed_convolutions: groups": lambda x, c: F.conv_transpose2d(x, c["c0"], groups=3),
    "transposed_convolutions: output_shape": lambda x, c: F.conv_transpose2d(x, c["c0"], stride=2)[
        :, :, 1:
    ],
    "activations: Erf": lambda x, c: torch.erf(x),
    "activations: Gelu none": lambda x, c: F.gelu(x),
    "written_out: GELU": lambda x, c: F.gelu(x),
    "written_out: GELU, half first": lambda x, c: F.gelu(x),
    "pooling: MaxPool SAME_LOWER": lambda x, c: F.max_pool2d(x, (3, 2), 2, padding=(1, 0)),
    "pooling: GlobalMaxPool 1-D": lambda x, c: x.amax(2),
    "normalization: group 21": lambda x, c: F.group_norm(x, 2, c["c0"], c["c1"], 1e-5),
    "normalization: mean variance": lambda x, c: F.instance_norm(x, eps=1e-9),
    "normalization: Lp 1": lambda x, c: F.normalize(x, 1, 1),
    "normalization: LRN": lambda x, c: F.local_response_norm(x, 3),
    "normalization: LRN even": lambda x, c: F.local_response_norm(
        x.flip(1), 4, alpha=0.5, beta=0.6, k=2.0
    ).flip(1),
    "folded: ConstantOfShape": lambda x, c: x + 1,
    "indexing: Pad axes": lambda x, c: F.pad(x, (-1, 1, 0, 0, 2, 0)),
    "resizing: Upsample 7 nearest": lambda x, c: F.interpolate(x, scale_factor=(2, 3)),
    "resizing: Resize 10 nearest": lambda x, c: F.interpolate(x, scale_factor=(2, 1.5)),
    "resizing: Upsample 7 linear": lambda x, c: asymmetric(x, 2, 3),
    "resizing: Upsample 9 linear": lambda x, c: asymmetric(x, 2, 3),
    "resizing: Resize 10 linear": lambda x, c: asymmetric(x, 2, 1.5),
}
for power in (1, 2, 3):
    EQUIVALENTS[f"pooling: GlobalLpPool {power}"] = lambda x, c, p=power: torch.linalg.vector_norm(
        x, p, (2, 3)
    )
for axis in (1, 2):
    EQUIVALENTS[f"softmax: Softmax 11 {axis}"] = lambda x, c, a=axis: x.flatten(a).softmax(-1).exp()
    EQUIVALENTS[f"softmax: LogSoftmax 11 {axis}"] = lambda x, c, a=axis: (
        x.flatten(a).log_softmax(-1).exp()
    )


def asymmetric(x, *scales):
    """Linear interpolation at i / scale."""
    for dimension, scale in enumerate(scales, start=2):
        last = x.shape[dimension] - 1
        place = torch.arange(int(x.shape[dimension] * scale), dtype=torch.float64) / scale
        low = place.floor().long().clamp(max=last)
        weight = (place - low).reshape(-1, *[1] * (x.ndim - dimension - 1))
        below, above = (x.index_select(dimension, i.clamp(max=last)) for i in (low, low + 1))
        x = below + weight * (above - below)
    return x
