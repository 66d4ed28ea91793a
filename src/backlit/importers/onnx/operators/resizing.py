"""Resize and Upsample, axis by axis: each is a sparse matrix along every axis it changes."""

from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from backlit.importers.builder import UnsupportedError, shapes
from backlit.importers.builder.shapes import Row
from backlit.importers.onnx.operators.table import Context, Operation, Outputs, axes_of, operator

COORDINATES = (  # the first is the default, as of the roundings
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
    "half_pixel_symmetric",
    "tf_crop_and_resize",
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
TIE = 1e-6  # so near the middle a place lies in the middle, as onnxruntime has it


@dataclass(frozen=True)
class Sampling:
    """How an output's coordinate becomes weights of input entries; names are ONNX's."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False

    def rows(self, size: int, scale: float, count: int, region: tuple[float, float]) -> list[Row]:
        """For each of `count` outputs its (input, weight) entries."""
        return [self._row(x, size, scale, count, region) for x in range(count)]

    def _row(self, x: int, size: int, scale: float, count: int, region: tuple[float, float]) -> Row:
        place = self._place(x, size, scale, count, region)
        if self.coordinates == "tf_crop_and_resize" and not 0 <= place <= size - 1:
            return []
        base = ceil(place) - 1
        first, weights = self._weights(place - base, min(scale, 1.0) if self.antialias else 1.0)
        taps = base + first + np.arange(len(weights))
        if self.exclude_outside:
            weights = np.where((taps >= 0) & (taps < size), weights, 0.0)
            weights = weights / weights.sum()
        entries: dict[int, float] = {}
        for tap, weight in zip(np.clip(taps, 0, size - 1).tolist(), weights.tolist(), strict=True):
            entries[tap] = entries.get(tap, 0.0) + weight
        return [(tap, weight) for tap, weight in sorted(entries.items()) if weight]

    def _place(
        self, x: int, size: int, scale: float, count: int, region: tuple[float, float]
    ) -> float:
        """Where output x lies among the inputs, in float32 as in runtimes: it decides ties."""
        f = np.float32
        if self.coordinates == "asymmetric":
            return float(f(x) / f(scale))
        if self.coordinates == "align_corners":
            return float(f(x) * f(size - 1) / f(count - 1)) if count > 1 else 0.0
        if self.coordinates == "tf_crop_and_resize":
            start, end = map(f, region)
            if count == 1:
                return float(f(0.5) * (start + end) * f(size - 1))
            way = f(x) * (end - start) * f(size - 1) / f(count - 1)
            return float(start * f(size - 1) + way)
        behind = (f(x) + f(0.5)) / f(scale)
        if self.coordinates == "tf_half_pixel_for_nn":
            return float(behind)
        if self.coordinates == "half_pixel":
            return float(behind - f(0.5))
        if self.coordinates == "pytorch_half_pixel":
            return float(behind - f(0.5)) if count > 1 else 0.0
        unrounded = f(scale) * f(size)  # half_pixel_symmetric
        offset = f(size) / f(2) * (f(1) - f(count) / unrounded)
        return float(f(float(offset) + (x + 0.5) / float(f(scale)) - 0.5))

    def _weights(self, ratio: float, scale: float) -> tuple[int, np.ndarray]:
        """The first tap relative to the one at or before the place, and the weights from there.

        `ratio`, above 0 and at most 1, is how far behind that tap the place lies.
        """
        if self.mode == "nearest":
            up = {
                "round_prefer_floor": ratio > 0.5 + TIE,
                "round_prefer_ceil": ratio >= 0.5 - TIE,
                "floor": ratio == 1,
                "ceil": True,
            }[self.nearest]
            return int(up), np.ones(1)
        reach = 1 if self.mode == "linear" else 2
        first = floor(-reach / scale) + 1
        distance = np.abs((np.arange(first, 2 - first) - ratio) * scale)
        if self.mode == "linear":
            weights = np.clip(1 - distance, 0, 1)
        else:
            a = self.cubic
            near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
            far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
            weights = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
        return first, weights / weights.sum()


UPSAMPLE = Sampling(coordinates="asymmetric", nearest="floor")


def sampling_of(node: Operation, opset: int) -> Sampling:
    mode = node.choice("mode", "nearest", "linear", "cubic")
    if node.kind == "Upsample" or opset < 11:
        return Sampling(mode, UPSAMPLE.coordinates, UPSAMPLE.nearest)
    return Sampling(
        mode,
        node.choice("coordinate_transformation_mode", *COORDINATES),
        node.choice("nearest_mode", *ROUNDINGS),
        float(node.attributes.get("cubic_coeff_a", -0.75)),
        bool(node.attributes.get("exclude_outside", 0)),
        bool(node.attributes.get("antialias", 0)),
    )


def scales_and_sizes(
    node: Operation, shape: list[int], opset: int
) -> tuple[list[float], list[int]]:
    """For each resized axis, of so many entries, the scale and the new size."""
    late = node.kind == "Resize" and opset >= 11
    scales = node.attributes.get("scales")
    if scales is None:
        scales = node.constant(2 if late else 1)
    if scales is not None and np.size(scales):
        given = np.ravel(scales).astype(np.float32)
        new = np.floor(np.array(shape, np.float32) * given)
        return given.tolist(), new.astype(int).tolist()
    sizes = node.integers("sizes", 3)
    if sizes is None:
        raise UnsupportedError("it has neither scales nor sizes")
    factors = [new / n for new, n in zip(sizes, shape, strict=True)]
    policy = node.choice("keep_aspect_ratio_policy", "stretch", "not_larger", "not_smaller")
    if policy != "stretch":
        factor = min(factors) if policy == "not_larger" else max(factors)
        return [factor] * len(shape), [floor(np.float32(factor) * n + 0.5) for n in shape]
    return factors, sizes


@operator(
    "Resize",
    "Upsample",
    limits="not along the samples' axis; scales and sizes must be constant; "
    "tf_crop_and_resize extrapolates with 0",
)
def resize(context: Context, node: Operation) -> Outputs:
    x = node.tensor()
    sampling = sampling_of(node, context.opset)
    axes = axes_of(node.attributes.get("axes"), len(x.shape))
    scales, sizes = scales_and_sizes(node, [x.shape[axis] for axis in axes], context.opset)
    crops = sampling.coordinates == "tf_crop_and_resize"
    if not crops and sizes == [x.shape[axis] for axis in axes]:  # whatever the scales
        return x
    regions = np.array([[0.0] * len(axes), [1.0] * len(axes)])
    if crops:
        if node.attributes.get("extrapolation_value", 0.0):
            raise UnsupportedError("it extrapolates with another value than 0")
        regions = node.weights(1).astype(np.float64).reshape(2, -1)
    for axis, scale, size, (start, end) in zip(axes, scales, sizes, regions.T, strict=True):
        if size == x.shape[axis] and scale == 1 and (start, end) == (0, 1):
            continue
        rows = sampling.rows(x.shape[axis], scale, size, (float(start), float(end)))
        x = shapes.linear_map(context.builder, x, axis, rows)
    return x
