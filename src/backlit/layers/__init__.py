"""The layers a model is made of: what they hold, what they accept, what shape they return."""

from backlit.layers.activations import (
    Activation,
    Clip,
    Elementwise,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
    rectifies,
    scales_up,
)
from backlit.layers.base import Layer
from backlit.layers.linear import Conv2D, ConvTranspose2D, Dense
from backlit.layers.normalization import BatchNorm
from backlit.layers.pooling import AvgPool2D, GlobalAvgPool2D, MaxPool2D
from backlit.layers.structure import Flatten, Residual

__all__ = [
    "Activation",
    "AvgPool2D",
    "BatchNorm",
    "Clip",
    "Conv2D",
    "ConvTranspose2D",
    "Dense",
    "Elementwise",
    "Flatten",
    "GlobalAvgPool2D",
    "Layer",
    "LeakyReLU",
    "LogSoftmax",
    "MaxPool2D",
    "ReLU",
    "Residual",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "rectifies",
    "scales_up",
]
