"""Resize by scales that float32 does not hold: sizes and neighbours are those of onnxruntime."""

import numpy as np
import pytest

import backlit as bl

pytest.importorskip("onnx")

from tests.importers.onnx.models import one_operator

COORDINATES = ["half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"]
COORDINATES += ["asymmetric", "align_corners"]
ROUNDED = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


@pytest.mark.parametrize("mode", [*ROUNDED, "linear", "cubic"])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_scales_that_float32_rounds(coordinates, mode):
    runtime = pytest.importorskip("onnxruntime")
    how = {"mode": "nearest", "nearest_mode": mode} if mode in ROUNDED else {"mode": mode}
    for scale in (1 / 3, 0.3, 0.7, 1.1, 4 / 3, 1.6):
        for width in (4, 7, 9, 20, 30):
            scales = np.array([1, 1, 1.5, scale], np.float32)
            attributes = {**how, "coordinate_transformation_mode": coordinates}
            model = one_operator("Resize", (1, 2, width), [None, scales], 19, **attributes)
            x = np.random.default_rng(0).standard_normal((1, 1, 2, width)).astype(np.float32)
            (expected,) = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
            found = bl.load(model, outputs="values").logits(x).reshape(expected.shape)
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
