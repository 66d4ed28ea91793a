"""Why an operator that has no handler cannot be imported."""

from collections.abc import Iterable
from typing import Any

from backlit.importers.builder import Tensor
from backlit.importers.torch.operators.table import axes_beside

REASONS = {
    "an operation along the samples' axis": "max.default min.default median.default prod.default",
    "a result that depends on the order of values": (
        "sort argsort msort topk kthvalue median nanmedian mode unique_consecutive _unique2 "
        "cummax cummin"
    ),
    "places, which have no gradient": "argmax argmin nonzero bucketize searchsorted",
    "a comparison of what depends on the input": ("isnan isinf isfinite any.default all.default"),
    "rounding to whole numbers": "round floor ceil trunc frac fmod remainder floor_divide",
    "a recurrent layer": "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell",
    "a running product": "cumprod logcumsumexp",
    "complex numbers": "_fft_r2c _fft_c2r _fft_c2c stft istft view_as_complex view_as_real",
}
BY_OPERATOR = {name: reason for reason, names in REASONS.items() for name in names.split()}


def why_not(name: str, overload: str, arguments: Iterable[Any]) -> str:
    """In words, for an operator by its name and overload, and its arguments."""
    x = next((value for value in arguments if isinstance(value, Tensor)), None)
    if "3d" in name and x is not None:
        return axes_beside(x)
    reason = BY_OPERATOR.get(f"{name}.{overload}", BY_OPERATOR.get(name))
    return reason or "no layer computes it"
