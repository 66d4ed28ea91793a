"""The table of methods: what `backlit.methods()` lists and `backlit.attribute()` looks up."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A method: where it is, the other names people know it by, and what it does in a line."""

    module: str
    aliases: tuple[str, ...]
    summary: str


METHODS: dict[str, Entry] = {
    "ablation_cam": Entry(
        "gradient_free_cam", (), "a layer's channels, weighted by the score's fall without each"
    ),
    "blur_integrated_gradients": Entry(
        "blur_integrated_gradients",
        ("blur_ig",),
        "gradients integrated along the path from a blurred input",
    ),
    "deconvnet": Entry(
        "relu_rules", ("deconvolution", "deconv"), "gradient, rectified at every ReLU"
    ),
    "deeplift": Entry(
        "deeplift", ("deep_lift", "rescale"), "differences from a baseline times their multipliers"
    ),
    "deeplift_shap": Entry(
        "deeplift",
        ("deep_lift_shap", "deepshap", "deep_explainer"),
        "DeepLIFT averaged over a background set",
    ),
    "eigen_cam": Entry("eigen_cam", (), "first principal component of a layer's activations"),
    "exact_shapley": Entry(
        "shapley", ("shapley", "shapley_values"), "Shapley values of up to 16 segments, exactly"
    ),
    "expected_gradients": Entry(
        "expected_gradients",
        ("gradient_shap", "gradient_explainer", "eg"),
        "integrated gradients averaged over a background, by sampling",
    ),
    "feature_ablation": Entry(
        "ablation", ("ablation",), "fall of the score when a segment is replaced"
    ),
    "feature_permutation": Entry(
        "ablation", ("permutation",), "fall of the score when a segment comes from another sample"
    ),
    "full_grad": Entry(
        "full_grad", ("full_gradient",), "input times gradient and all bias gradients, as one map"
    ),
    "grad_cam": Entry(
        "gradient_cam",
        ("gradient_cam", "layer_grad_cam"),
        "a layer's channels, weighted by their mean gradient",
    ),
    "grad_cam_plus_plus": Entry(
        "gradient_cam", ("grad_cam_pp",), "Grad-CAM with positive gradients weighted pixel by pixel"
    ),
    "gradient": Entry("gradients", ("gradients", "grad"), "signed gradient of the score"),
    "guided_backprop": Entry(
        "relu_rules",
        ("guided_backpropagation", "guided", "gbp"),
        "gradient through active ReLUs, rectified at each",
    ),
    "guided_grad_cam": Entry(
        "guided_grad_cam", ("guided_gradcam",), "guided backpropagation times Grad-CAM"
    ),
    "guided_integrated_gradients": Entry(
        "guided_integrated_gradients",
        ("guided_ig",),
        "gradients integrated along a path that avoids large ones",
    ),
    "hires_cam": Entry(
        "gradient_cam",
        ("high_resolution_cam",),
        "a layer's gradient times activation, over channels",
    ),
    "input_x_gradient": Entry(
        "input_x_gradient", ("gradient_x_input", "ixg"), "input times gradient"
    ),
    "integrated_gradients": Entry(
        "integrated_gradients", ("ig",), "gradients integrated along the path from a baseline"
    ),
    "kernel_shap": Entry(
        "kernel_shap",
        ("shap", "kernel_explainer"),
        "Shapley values of segments, by regression on coalitions",
    ),
    "layer_cam": Entry(
        "gradient_cam", (), "a layer's positive gradient times activation, over channels"
    ),
    "lime": Entry("lime", (), "coefficients of a linear model around the sample"),
    "lrp": Entry(
        "lrp",
        ("layer_wise_relevance_propagation", "relevance"),
        "relevance of the score, handed down layer by layer",
    ),
    "occlusion": Entry(
        "occlusion", ("sliding_window",), "fall of the score when a window is covered"
    ),
    "partition_shap": Entry(
        "partition_shap",
        ("owen", "owen_values", "partition_explainer"),
        "Owen values: Shapley values in a hierarchy",
    ),
    "rise": Entry("rise", (), "mean of random masks, weighted by the scores under them"),
    "saliency": Entry(
        "gradients",
        ("vanilla", "vanilla_gradient", "vanilla_gradients"),
        "magnitude of the gradient",
    ),
    "score_cam": Entry(
        "gradient_free_cam", (), "a layer's channels, weighted by the score each lets through"
    ),
    "shapley_sampling": Entry(
        "shapley",
        ("shapley_value_sampling", "permutation_shap"),
        "Shapley values of segments, by sampling orders of joining",
    ),
    "smoothgrad": Entry("smoothgrad", ("smooth_grad", "sg"), "gradients at noisy copies, averaged"),
    "xgrad_cam": Entry(
        "gradient_cam",
        ("axiom_based_grad_cam",),
        "a layer's channels, weighted by gradient times activation",
    ),
    "xrai": Entry("xrai", (), "regions of the image, ranked by the attribution they hold"),
}
