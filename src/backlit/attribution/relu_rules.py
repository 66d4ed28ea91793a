"""Gradients with another rule for the ReLUs: guided backpropagation and the deconvnet.

With g the gradient that reaches a ReLU's output and x its input, the gradient is sent on as

    gradient           g where x > 0
    deconvnet          g where g > 0
    guided backprop    g where x > 0 and g > 0

and as 0 elsewhere. All other layers send back the gradient; a max-pooling layer sends it to the
maximum (the deconvnet's switches). Other activations than ReLU keep their derivatives. Captum
does all of this alike.
"""

from typing import Any

import numpy as np

from backlit.attribution.call import Call
from backlit.attribution.gradients import InputGradient
from backlit.attribution.sample_axes import any_channels
from backlit.lowering.context import ReluRule
from backlit.model import Model

DECONVNET = ReluRule(masked=False, rectified=True)
GUIDED = ReluRule(masked=True, rectified=True)


@any_channels()
def guided_backprop(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The gradient, of which every ReLU passes on only the positive part.

    Springenberg, Dosovitskiy, Brox and Riedmiller, "Striving for simplicity: the all
    convolutional net", 2014. Arguments as for `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    result = call.result()
    call.run(InputGradient(call.score, False, GUIDED), result, label="guided backprop")
    return result


@any_channels()
def deconvnet(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """The score sent back through the layers' transposes, rectified at every ReLU.

    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2013. A ReLU
    passes on the positive part of what reaches it, whatever its own input was. Arguments as for
    `backlit.saliency`.

    Returns
    -------
    float32 array of the shape of `X`, signed

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    result = call.result()
    call.run(InputGradient(call.score, False, DECONVNET), result, label="deconvnet")
    return result
