"""Dense and convolution layers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from backlit.checks import whole
from backlit.layers.base import Layer, Shape, border, image_shape, pair, vector_array, weight_array


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Layer):
    """A fully-connected layer, ``x @ weights + bias``, along the last axis.

    Other axes stay: of a row of tokens, say, each is transformed alike.

    Parameters
    ----------
    weights : array of shape (in, out)
        Any real dtype; copied as float32, as all weights are.
    bias : array of shape (out,), default zeros

    Raises
    ------
    ValueError, TypeError
        For arrays of wrong shape or kind, or with NaN or infinite values.
    """

    weights: np.ndarray
    bias: Any = None

    def __post_init__(self) -> None:
        weights = weight_array("weights", self.weights, 2, "(in, out)")
        self._set(weights=weights, bias=vector_array("bias", self.bias, weights.shape[1]))

    def output_shape(self, shape: Shape) -> Shape:
        if shape[-1:] != (self.weights.shape[0],):
            hint = "; put a Flatten before it" if len(shape) > 1 else ""
            raise ValueError(
                f"Dense with weights of shape {self.weights.shape} takes "
                f"{self.weights.shape[0]} features, but its input has shape {shape}{hint}"
            )
        return (*shape[:-1], self.weights.shape[1])


@dataclass(frozen=True, eq=False, repr=False)
class Conv2D(Layer):
    """A two-dimensional convolution (cross-correlation, as everywhere in the field).

    Parameters
    ----------
    weights : array of shape (out, in / groups, height, width)
    bias : array of shape (out,), default zeros
    stride, dilation : int or pair (rows, columns), default 1
    padding : int, pair (rows, columns) or (top, left, bottom, right), default 0
        Zeros added around the image.
    groups : int, default 1
        Channels are split into so many groups that do not see each other; as many as there are
        channels is a depthwise convolution.

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for groups that do not divide the channels.
    """

    weights: np.ndarray
    bias: Any = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1

    def __post_init__(self) -> None:
        weights = weight_array("weights", self.weights, 4, "(out, in / groups, height, width)")
        groups = whole("groups", self.groups, 1)
        if weights.shape[0] % groups:
            raise ValueError(
                f"groups must divide the {weights.shape[0]} output channels, got {groups}"
            )
        self._set(
            weights=weights,
            bias=vector_array("bias", self.bias, weights.shape[0]),
            stride=pair("stride", self.stride),
            padding=border("padding", self.padding),
            dilation=pair("dilation", self.dilation),
            groups=groups,
        )

    def output_shape(self, shape: Shape) -> Shape:
        channels, height, width = image_shape(self, shape)
        expected = self.weights.shape[1] * self.groups
        if channels != expected:
            raise ValueError(
                f"Conv2D with weights of shape {self.weights.shape} and {self.groups} groups "
                f"takes {expected} channels, but its input has shape {shape}"
            )
        top, left, bottom, right = self.padding
        padded = (height + top + bottom, width + left + right)
        sizes = []
        for axis in range(2):
            reach = (self.weights.shape[2 + axis] - 1) * self.dilation[axis] + 1
            if reach > padded[axis]:
                raise ValueError(
                    f"Conv2D with weights of shape {self.weights.shape} and dilation "
                    f"{self.dilation} does not fit into its padded input of size {padded}"
                )
            sizes.append((padded[axis] - reach) // self.stride[axis] + 1)
        return (self.weights.shape[0], *sizes)


@dataclass(frozen=True, eq=False, repr=False)
class ConvTranspose2D(Layer):
    """A transposed convolution: the linear map back from a convolution's output to its input.

    Parameters
    ----------
    weights : array of shape (in, out / groups, height, width)
    bias : array of shape (out,), default zeros
    stride, padding, dilation, groups
        Those of the convolution; padding is taken away from the output.
    output_padding : int or pair (rows, columns), default 0
        Added to the output's end, of the sizes that the convolution could have started from; less
        than the stride or the dilation.

    Raises
    ------
    ValueError, TypeError
        As for `Conv2D`; for an output padding that is too large.
    """

    weights: np.ndarray
    bias: Any = None
    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1
    output_padding: Any = 0

    def __post_init__(self) -> None:
        weights = weight_array("weights", self.weights, 4, "(in, out / groups, height, width)")
        conv = Conv2D(weights, None, self.stride, self.padding, self.dilation, self.groups)
        extra = pair("output_padding", self.output_padding, 0)
        if any(n >= max(s, d) for n, s, d in zip(extra, conv.stride, conv.dilation, strict=True)):
            raise ValueError(
                f"output_padding must be less than stride or dilation, got {extra} with stride "
                f"{conv.stride} and dilation {conv.dilation}"
            )
        self._set(
            weights=weights,
            bias=vector_array("bias", self.bias, weights.shape[1] * conv.groups),
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            groups=conv.groups,
            output_padding=extra,
        )

    @property
    def convolution(self) -> Conv2D:
        """The convolution from the output to the input."""
        return Conv2D(self.weights, None, self.stride, self.padding, self.dilation, self.groups)

    def output_shape(self, shape: Shape) -> Shape:
        channels, *sizes = image_shape(self, shape)
        if channels != self.weights.shape[0]:
            raise ValueError(
                f"ConvTranspose2D with weights of shape {self.weights.shape} takes "
                f"{self.weights.shape[0]} channels, but its input has shape {shape}"
            )
        result = [self.weights.shape[1] * self.groups]
        for axis, size in enumerate(sizes):
            reach = (self.weights.shape[2 + axis] - 1) * self.dilation[axis] + 1
            whole = (size - 1) * self.stride[axis] + reach + self.output_padding[axis]
            result.append(whole - self.padding[axis] - self.padding[axis + 2])
        if min(result) < 1:
            raise ValueError(f"ConvTranspose2D leaves nothing of an input of shape {shape}")
        return tuple(result)
