# ruff: noqa: E501
"""The numbers that Captum's own tests expect, of the models that they use.

Cases are named after the test that states the numbers, without the method's name: of a file in
`tests/attr` of Captum (October 2025), which the table names. Models of several inputs take them
side by side, or one of them, the others being constants. Where those tests average over random
draws, exact values are held against what they expect.
"""

from functools import cache

import numpy as np
import pytest

import backlit as bl

EYE, ONES = np.eye(3), np.ones
HIDDEN = bl.Dense(ONES((3, 4)), [-10.0, 1, 1, 1])
HEAD = [bl.ReLU(), bl.Dense(ONES((4, 2)), [-1.0, 1])]
FILTERS = bl.Conv2D(ONES((2, 1, 3, 3)), [-50.0, -75])
SIGNS = bl.Dense(np.repeat([[1.0], [-1]], [5, 3], axis=0) * ONES(4))
CONVOLUTION = [FILTERS, bl.ReLU(), bl.Flatten(), SIGNS, bl.ReLU()]
SUM, LESS = bl.Dense(ONES((2, 1))), [[1.0], [-1]]
BOTH = bl.Dense(np.array([[3.0, 1, 0, 0, 0, 0], [0, 0, 0, 2, 3, 0]]).T)
TRIPLE = bl.Dense(3 * ONES((3, 1)))
MODELS = {
    "MultiLayer": ([bl.Dense(EYE), HIDDEN, *HEAD], 3),
    "MultiInput": ([bl.Dense(np.vstack([EYE] * 3)), HIDDEN, *HEAD], 9),  # of three, added up
    "TwoInputs": ([bl.Dense(np.vstack([EYE] * 2)), HIDDEN, *HEAD], 6),
    "BoolInput": ([bl.Dense(10 * EYE), HIDDEN, *HEAD], 3),
    "SumOfOutputs": ([HIDDEN, *HEAD, SUM], 3),
    "ConvNet": (CONVOLUTION, (1, 4, 4)),
    "ConvNetOnes": ([bl.Conv2D([[[[1.0]]]], [1.0]), *CONVOLUTION], (1, 4, 4)),  # added to ones
    # 1 - relu(1 - x), relu(relu(x) - 1 - relu(y)), relu(relu(x - 1) - relu(y))
    "Basic": ([bl.Dense([[-1.0]], [1.0]), bl.ReLU(), bl.Dense([[-1.0]], [1.0])], 1),
    "BasicOfThree": ([bl.Dense(-EYE, ONES(3)), bl.ReLU(), bl.Dense(-EYE, ONES(3))], 3),
    "Basic2": ([bl.ReLU(), bl.Dense(LESS, [-1.0]), bl.ReLU()], 2),
    "Basic3": ([bl.Dense(np.eye(2), [-1.0, 0]), bl.ReLU(), bl.Dense(LESS), bl.ReLU()], 2),
    # 2 relu(x) + 2 relu(y - 1.5)
    "ReLUDeepLift": ([bl.Dense(np.eye(2), [0, -1.5]), bl.ReLU(), bl.Dense(2 * SUM.weights)], 2),
    "ReLULinear": ([BOTH, bl.ReLU(), SUM], 6),
    "MaxPoolLinear": ([bl.MaxPool2D((1, 4)), bl.Flatten(), bl.Dense([[1.0]])], (1, 1, 4)),
    "MaxPoolReLU": ([bl.MaxPool2D((1, 3)), bl.ReLU(), bl.Flatten(), SUM], (2, 1, 3)),
    "LRP": ([bl.Dense(2 * ONES((3, 3))), bl.ReLU(), TRIPLE], 3),
    "LRPNegative": ([bl.Dense([[-2.0, 2, 2], [2, 2, 2], [2, 2, 2]]), bl.ReLU(), TRIPLE], 3),
    "LRPTanh": ([bl.Dense(ONES((3, 3)) / 10), bl.Tanh(), bl.Dense(ONES((3, 1)) / 10)], 3),
    "Skip": ([bl.Residual([bl.Dense(5 * ONES((2, 2)))])], 2),
    "MaxPool": ([bl.MaxPool2D(2), bl.Flatten()], (1, 2, 2)),
}


@cache
def named(name):
    return bl.Model(*MODELS[name])


ONE, TWO, PAIR = [[20, 50, 30]], [[2, 10, 3], [20, 50, 30]], [[20, 50, 30], [10, 14, 4]]
TRUTHS, PICTURE, HUNDRED = [[True, False, True]], np.arange(16.0).reshape(1, 1, 4, 4), [[0, 100, 0]]
NINE = [[23, 100, 0, 20, 50, 30, 0, 100, 10], [20, 50, 30, 0, 100, 0, 2, 10, 3]]
SPARSE = [[23, 0, 0, 20, 0, 50, 0, 100, 10], [20, 50, 30, 0, 100, 0, 0, 10, 0]]
X = [[-10, 1, -5, 3, 3, 1]]  # of ReLULinear
THEIR_BASES = [2, 2, 2, 3, 3, 3, 4, 4, 4]
MASK, OWN = {"segments": [[0, 0, 1]]}, {"segments": [[0, 0, 1], [1, 1, 0]]}
SHARED = {"segments": [[1, 1, 1, 0, 1, 2, 0, 1, 2], [0, 1, 0, 0, 1, 2, 0, 0, 0]]}
PLAIN = {"upsample": False, "relu": False}
LAYER_LIFT, MULTIPLIERS = {"method": "deeplift"}, {"multiply_by_inputs": False}
IG = {"steps": 500, "rule": "riemann_right"}
CONDUCTANCE = {"method": "conductance", "steps": 5000}

# test: model, samples, options (the target is 0, if they give no other) and what is expected
ABLATION = {  # test_feature_ablation.py
    "simple": ("MultiLayer", ONE, {}, [[80, 200, 120]]),
    "simple_int_to_int": ("BasicOfThree", [[-3, 1, 2]], {}, [[-3, 0, 0]]),
    "simple_with_mask": ("MultiLayer", ONE, MASK, [[280, 280, 120]]),
    "simple_with_baselines": ("MultiLayer", ONE, {**MASK, "fill": 4}, [[248, 248, 104]]),
    "simple_boolean": ("BoolInput", TRUTHS, MASK, [[40, 40, 40]]),
    "simple_boolean_with_baselines": ("BoolInput", TRUTHS, {**MASK, "fill": True}, [[-40, -40, 0]]),
    "multi_sample": ("MultiLayer", TWO, {}, [[8, 35, 12], [80, 200, 120]]),
    "multi_sample_with_mask": ("MultiLayer", TWO, OWN, [[41, 41, 12], [280, 280, 120]]),
    "multi_input_with_mask_dupe_feature_idx": ("MultiInput", NINE, SHARED,
        [[1092, 1092, 1092, 80, 1092, 160, 80, 1092, 160], [260, 600, 260, 260, 600, 0, 260, 260, 260]]),
    "the same with baselines": ("MultiInput", NINE, {**SHARED, "fill": THEIR_BASES},
        [[1040, 1040, 1040, 52, 1040, 132, 52, 1040, 132], [184, 580, 184, 184, 580, -12, 184, 184, 184]]),
    "multi_input": ("MultiInput", NINE, {"fill": [3, 0, 0, 0, 1, 0, 1, 2, 3]},
        [[80, 400, 0, 80, 196, 120, -4, 392, 28], [68, 200, 120, 0, 396, 0, 4, 32, 0]]),
    "multi_input, a baseline each": ("MultiInput", NINE,
        {"fill": [[3, 0, 0, 0, 1, 0, 3, 2, 4], [3, 0, 2, 0, 1, 4, 1, 2, 3]]},
        [[80, 400, 0, 80, 196, 120, -12, 392, 24], [68, 200, 112, 0, 396, -16, 4, 32, 0]]),
    "simple_multi_input_conv": ("ConvNetOnes", PICTURE, {},
        [[[[0, 2, 4, 3], [4, 9, 10, 7], [4, 13, 14, 11], [0, 0, 0, 0]]]]),
    "simple_multi_input_conv, one mask": ("ConvNetOnes", PICTURE, {"segments": [0]}, 67 * ONES((1, 1, 4, 4))),
    "single_batch_scalar": ("SumOfOutputs", TWO[:1], MASK, [[82, 82, 24]]),
}  # fmt: skip
OCCLUSION = {  # test_occlusion.py
    "simple_input": ("MultiLayer", ONE, {"window": 1}, [[80, 200, 120]]),
    "simple_input_larger_shape": ("MultiLayer", ONE,
        {"window": 2, "stride": 1, "fill": [10, 10, 10]}, [[200, 220, 240]]),
    "simple_input_shape_with_stride": ("MultiLayer", ONE, {"window": (2,), "stride": 2}, [[280, 280, 120]]),
    "multi_sample_ablation": ("MultiLayer", TWO, {"window": 1}, [[8, 35, 12], [80, 200, 120]]),
    "simple_multi_input_0d": ("Basic3", [[-10, -5], [3, 1]], {"window": 1}, [[0, 0], [1, -1]]),
    "simple_multi_input_conv, all": ("ConvNetOnes", PICTURE, {"window": (1, 4, 4)}, 67 * ONES((1, 1, 4, 4))),
    "simple_multi_input_conv": ("ConvNetOnes", PICTURE, {"window": (1, 2, 3), "stride": (1, 2, 1)},
        [[[[17] * 4, [17] * 4, [64, 65.5, 65.5, 67], [64, 65.5, 65.5, 67]]]]),
}  # fmt: skip
SHAPLEY = {  # test_shapley.py, test_kernel_shap.py
    "linear_kernel_shap": ("MultiLayer", ONE, {"segments": 3, "baseline": [10, 20, 10]}, [[40, 120, 80]]),
    "simple": ("MultiLayer", ONE, {"segments": 3}, [[230 / 3, 590 / 3, 350 / 3]]),
    "simple_with_mask": ("MultiLayer", ONE, MASK, [[275, 275, 115]]),
    "simple_with_baselines": ("MultiLayer", ONE, {**MASK, "baseline": 4}, [[248, 248, 104]]),
    "simple_boolean": ("BoolInput", TRUTHS, MASK, [[35, 35, 35]]),
    "simple_boolean_with_baseline": ("BoolInput", TRUTHS, {**MASK, "baseline": True}, [[-40, -40, 0]]),
    "multi_sample": ("MultiLayer", TWO, {"segments": 3}, [[7, 32.5, 10.5], [230 / 3, 590 / 3, 350 / 3]]),
    "multi_sample_with_mask": ("MultiLayer", TWO, OWN, [[39.5, 39.5, 10.5], [275, 275, 115]]),
    "simple_batch_with_mask, coefficients": ("MultiLayer", TWO, {**OWN, "per_segment": True},
        [[39.5, 10.5], [115, 275]]),
    "multi_input_without_mask": ("MultiInput", SPARSE, {"segments": 9},
        [[90, 0, 0, 78, 0, 198, 0, 398, 38], [78, 198, 118, 0, 398, 0, 0, 38, 0]]),
    "multi_input_with_mask": ("MultiInput", NINE, SHARED,
        [[3266 / 3, 3266 / 3, 3266 / 3, 230 / 3, 3266 / 3, 470 / 3, 230 / 3, 3266 / 3, 470 / 3],
         [255, 595, 255, 255, 595, 0, 255, 255, 255]]),
    "the same with baselines": ("MultiInput", NINE, {**SHARED, "baseline": THEIR_BASES},
        [[1040, 1040, 1040, 52, 1040, 132, 52, 1040, 132], [184, 580, 184, 184, 580, -12, 184, 184, 184]]),
    "multi_task_output_with_mask": ("MultiLayer", ONE * 2, {"segments": [[1, 1, 0], [0, 1, 1]]},
        [[275, 275, 115], [75, 315, 315]]),
    "single_batch_scalar": ("SumOfOutputs", TWO[:1], MASK, [[79, 79, 21]]),
}  # fmt: skip
LIME = {  # test_lime.py: to within 1, as there
    "simple": ("MultiLayer", ONE, {"segments": 3}, [[73.3716, 193.3349, 113.3349]]),
    "simple_with_mask": ("MultiLayer", ONE, MASK, [[271, 271, 111]]),
    "simple_with_baselines": ("MultiLayer", ONE, {**MASK, "baseline": 4}, [[244, 244, 100]]),
    "simple_boolean": ("BoolInput", TRUTHS, MASK, [[31.42, 31.42, 30.9]]),
    "simple_batch_with_mask": ("MultiLayer", PAIR, {"segments": [[0, 0, 1], [0, 1, 2]]},
        [[271, 271, 111], [32.11, 48, 11]]),
    "the same, coefficients": ("MultiLayer", PAIR, {"segments": [[0, 0, 1], [0, 1, 2]], "per_segment": True},
        [[271, 111, 0], [32.11, 48, 11]]),
    "single_scalar": ("SumOfOutputs", TWO[:1], MASK, [[75, 75, 17]]),
}  # fmt: skip
PATHS = {  # test_integrated_gradients_basic.py: to within 0.05, as there
    "multivariable_vanilla, BasicModel2": ("Basic2", [[3, 1]], IG, [[1.5, -0.5]]),
    "multivariable_vanilla, BasicModel3": ("Basic3", [[3, 1]], IG, [[1.5, -0.5]]),
    "multivariable_vanilla_wo_mutliplying_by_inputs": ("Basic3", [[3, 1]], {**IG, **MULTIPLIERS}, [[0.5, -0.5]]),
}  # fmt: skip
DEEPLIFT = {  # test_deeplift_basic.py, layer/test_layer_deeplift.py
    "relu_deeplift_exact_match": ("ReLUDeepLift", [[1, 2]], {}, [[2, 1]]),
    "relu_deeplift_exact_match_wo_mutliplying_by_inputs": ("ReLUDeepLift", [[1, 2]], MULTIPLIERS, [[2, 0.5]]),
    "lin_maxpool_lin_classification": ("MaxPoolLinear", ONES((2, 1, 1, 4)),
        {"baseline": np.reshape([1.0, 2, 3, 9, 4, 8, 6, 7], (2, 1, 1, 4))}, [[[[0, 0, 0, -8]]], [[[0, -7, 0, 0]]]]),
    "inplace_maxpool_relu": ("MaxPoolReLU", np.reshape([1.0, 2, -4, -3, -2, -1], (1, 2, 1, 3)), MULTIPLIERS,
        [[[[0, 1, 0]], [[0, 0, 0]]]]),
}  # fmt: skip
LRP = {  # test_lrp.py
    "basic_attributions": ("ConvNet", PICTURE, {}, [[[[0, 1, 2, 3], [0, 5, 6, 7], [0, 9, 10, 11], [0] * 4]]]),
    "simple_attributions_batch": ("LRP", [[1, 2, 3], [3, 6, 9]], {}, [[18, 36, 54], [54, 108, 162]]),
    "simple_tanh": ("LRPTanh", [[1, 2, 3]], {}, [[0.0269, 0.0537, 0.0806]]),
    "simple_attributions_GammaRule": ("LRPNegative", [[1, 2, 3]], {"rule": {0: ("gamma", 1), 2: "gamma"}},
        [[28 / 3, 104 / 3, 52]]),
    "simple_attributions_AlphaBeta": ("LRPNegative", [[1, 2, 3]], {"rule": "alpha1_beta0"}, [[12, 33.6, 50.4]]),
    "skip_connection": ("Skip", [[2, 3]], {"target": 1}, [[10, 18]]),
    "maxpool2D": ("MaxPool", [[[[1, 2], [5, 6]]]], {}, [[[[0, 0], [0, 6]]]]),
    # there both inputs get all that their sum has, [16, 32, 48], and relevances do not add up
    "multi_inputs": ("TwoInputs", [[1, 2, 3, 3, 6, 9]], {}, [[4, 8, 12, 12, 24, 36]]),
}  # fmt: skip
GRADIENTS = {  # test_saliency.py, test_guided_backprop.py, test_deconvolution.py, layer/test_grad_cam.py
    "saliency_test_basic_vanilla": (bl.saliency, "Basic", [[1], [2], [3], [0], [-1], [7]], {},
        [[0], [0], [0], [1], [1], [0]]),
    "simple_input_conv_gb": (bl.guided_backprop, "ConvNet", PICTURE, {},
        [[[[0, 1, 1, 1], [1, 3, 3, 2], [1, 3, 3, 2], [1, 2, 2, 1]]]]),
    "simple_input_conv_deconv": (bl.deconvnet, "ConvNet", PICTURE, {},
        [[[[2, 3, 3, 1], [3, 5, 5, 2], [3, 5, 5, 2], [1, 2, 2, 1]]]]),
    "simple_input_conv": (bl.grad_cam, "ConvNet", PICTURE, {"layer": 0, **PLAIN}, [[[[11.25, 13.5], [20.25, 22.5]]]]),
    "simple_input_conv_relu": (bl.grad_cam, "ConvNet", PICTURE, {"layer": 1, **PLAIN}, [[[[0, 4], [28, 32.5]]]]),
    "simple_multi_input_conv": (bl.grad_cam, "ConvNetOnes", PICTURE, {"layer": 1, **PLAIN},
        [[[[14.5, 19], [32.5, 37]]]]),
}  # fmt: skip
LAYERS = {  # layer/: test_layer_gradient_x_activation.py, test_layer_conductance.py, test_layer_deeplift.py
    "simple_linear_gradient_activation": ("MultiLayer", HUNDRED, {"layer": 1}, [[90, 101, 101, 101]]),
    "simple_input_gradient_activation": ("MultiLayer", HUNDRED, {"layer": 0}, [[0, 400, 0]]),
    "simple_relu_gradient_activation": ("MultiLayer", [[3, 4, 0]], {"layer": 2}, [[0, 8, 8, 8]]),
    "simple_output_gradient_activation": ("MultiLayer", HUNDRED, {"layer": 3}, [[392, 0]]),
    "simple_input_conductance": ("MultiLayer", HUNDRED, {"layer": 0, **CONDUCTANCE}, [[0, 390, 0]]),
    "simple_linear_conductance": ("MultiLayer", HUNDRED, {"layer": 1, **CONDUCTANCE}, [[90, 100, 100, 100]]),
    "simple_relu_conductance": ("MultiLayer", HUNDRED, {"layer": 2, **CONDUCTANCE}, [[90, 100, 100, 100]]),
    "simple_output_conductance": ("MultiLayer", HUNDRED, {"layer": 3, **CONDUCTANCE}, [[390, 0]]),
    "relu_layer_deeplift": ("ReLULinear", X, {"layer": 0, **LAYER_LIFT}, [[0, 15]]),
    "relu_layer_deeplift_wo_mutliplying_by_inputs": ("ReLULinear", X, {"layer": 0, **LAYER_LIFT, **MULTIPLIERS},
        [[0, 1]]),
    "linear_layer_deeplift": ("ReLULinear", X, {"layer": 1, **LAYER_LIFT}, [[0, 15]]),
    "linear_layer_deeplift_batch": ("ReLULinear", X * 3, {"layer": 2, **LAYER_LIFT}, [[15]] * 3),
}  # fmt: skip


def cases(method, tolerance, table, **options):
    return [
        pytest.param(
            method,
            model,
            x,
            {**options, **more},
            expected,
            tolerance,
            id=f"{method.__name__}: {test}",
        )
        for test, (model, x, more, expected) in table.items()
    ]


@pytest.mark.parametrize(
    ("method", "model", "x", "options", "expected", "tolerance"),
    [
        *cases(bl.feature_ablation, 1e-3, ABLATION),
        *cases(bl.occlusion, 1e-3, OCCLUSION),
        *cases(bl.exact_shapley, 1e-3, SHAPLEY),
        *cases(bl.kernel_shap, 1e-3, SHAPLEY),
        *cases(bl.shapley_sampling, 1, SHAPLEY, samples=250),
        *cases(bl.lime, 1, LIME, regression="lasso", alpha=1.0, kernel_width=10.0, samples=2000),
        *cases(bl.integrated_gradients, 0.05, PATHS),
        *cases(bl.deeplift, 1e-4, DEEPLIFT),
        *cases(bl.lrp, 1e-3, LRP),
        *cases(bl.layer_attribution, 0.1, LAYERS),
        *(c for t, (f, *case) in GRADIENTS.items() for c in cases(f, 0.01, {t: case})),
    ],
)
def test_numbers(method, model, x, options, expected, tolerance):
    if method is bl.lime:
        pytest.importorskip("sklearn")  # for the lasso
    found = method(named(model), np.array(x), **{"target": 0, **options})
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=tolerance)


def test_infidelity():
    """As in tests/metrics/test_infidelity.py, test_classification_infidelity_tpl_target_w_baseline.

    There it is the square of what integrated gradients lack to add up.
    """
    ending = [bl.ReLU(), bl.Dense(8 * ONES((4, 1)), [-8.0])]
    x = np.arange(1.0, 13).reshape(4, 3)
    found = [
        bl.integrated_gradients(
            bl.Model([bl.Dense(EYE, own), HIDDEN, *ending], (3,)),
            own[None],
            baseline=1.0,
            return_delta=True,
        )[1]
        for own in x[:2]
    ]
    np.testing.assert_allclose(np.square(found), [[0.10686], [0]], atol=1e-4)
