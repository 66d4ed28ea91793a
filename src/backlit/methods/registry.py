"""The table of methods: what `backlit.methods()` lists and `backlit.attribute()` looks up."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A method: where it is, the other names people know it by, and what it does in a line."""

    module: str
    aliases: tuple[str, ...]
    summary: str


METHODS: dict[str, Entry] = {
    "deconvnet": Entry(
        "relu_rules", ("deconvolution", "deconv"), "gradient, rectified at every ReLU"
    ),
    "gradient": Entry("gradients", ("grad",), "signed gradient of the score"),
    "guided_backprop": Entry(
        "relu_rules",
        ("guided_backpropagation", "guided"),
        "gradient through active ReLUs, rectified at each",
    ),
    "input_x_gradient": Entry(
        "input_x_gradient", ("gradient_x_input", "ixg"), "input times gradient"
    ),
    "integrated_gradients": Entry(
        "integrated_gradients", ("ig",), "gradients integrated along the path from a baseline"
    ),
    "saliency": Entry("gradients", ("vanilla",), "magnitude of the gradient"),
}
