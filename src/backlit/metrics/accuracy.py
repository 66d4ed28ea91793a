"""Accuracy: how often a model is right."""

from typing import Any

import numpy as np

from backlit.arguments import check_classifier, check_targets
from backlit.model import Model, check_model


def accuracy(model: Model, X: Any, y: Any, *, threads: int | None = None) -> float:
    """The share of samples whose predicted class is the true one.

    Parameters
    ----------
    model : Model
        One that tells classes apart: its outputs are "classes" or "binary".
    X : array of shape (N, *model.input_shape), N at least 1
    y : int or array of N ints
        The true classes.
    threads : int, optional
        Default: the cores this process may use.

    Returns
    -------
    float in [0, 1]

    Raises
    ------
    ValueError, TypeError
        For arguments of wrong shape, kind or range; for a model whose outputs are no classes.
    """
    check_model(model)
    check_classifier(model.outputs)
    if y is None:
        raise TypeError("y must be the true classes, not None")
    predicted = model.predict(X, threads=threads)
    if not len(predicted):
        raise ValueError("X must hold at least one sample, got none")
    true = check_targets(y, len(predicted), model.classes, model.outputs, "y")
    return float(np.mean(predicted == true))
