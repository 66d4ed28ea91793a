"""Networks and linear models from scikit-learn, with the scaling and projection before them.

A step becomes the layers that compute the same: every one reads its fitted attributes alone.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from backlit.layers import (
    Activation,
    BatchNorm,
    Clip,
    Dense,
    Layer,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from backlit.model import Model

Step = tuple[str, Any]  # where it is in the pipeline, and the estimator


def from_sklearn(estimator: Any, *, name: str | None = None) -> Model:
    """The model that computes what a fitted scikit-learn estimator computes.

    Parameters
    ----------
    estimator : fitted scikit-learn estimator, or Pipeline of such
        MLPClassifier, MLPRegressor, or a linear model: LogisticRegression, LinearSVC,
        SGDClassifier, Perceptron, RidgeClassifier, LinearDiscriminantAnalysis; LinearRegression,
        Ridge, Lasso, ElasticNet, BayesianRidge, HuberRegressor, SGDRegressor, LinearSVR; and those
        of them with CV behind their names. Before it, in a pipeline (also one in another), any
        number of StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PCA, IncrementalPCA,
        TruncatedSVD, VarianceThreshold and SelectKBest. A GridSearchCV or RandomizedSearchCV
        stands for its best estimator.
    name : str, optional
        What to call the model in pictures and tables.

    Returns
    -------
    Model
        Of samples as given to the pipeline's first step. Class k is ``estimator.classes_[k]``.
        Outputs (see `backlit.Model`) are "binary" for two classes, "classes" for more, "labels"
        for a multi-label MLPClassifier and "values" for regressors. `predict_proba` is the
        estimator's, for those of MLPs, logistic regressions and discriminant analysis; else it is
        the sigmoid or softmax of the decision function, which is not calibrated. Where the
        estimator has a decision function, `logits` are that; an MLPClassifier's are what its last
        activation is applied to. All is computed in float32.

    Raises
    ------
    ImportError
        Without scikit-learn: ``pip install 'backlit[sklearn]'``.
    TypeError
        If it is no estimator of scikit-learn.
    ValueError
        If it is not fitted, or for steps that cannot be imported, naming them all.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> import backlit as bl
    >>> fitted = LogisticRegression().fit([[-1.0], [0.5], [2.0]], [0, 1, 1])
    >>> bl.from_sklearn(fitted).predict([[3.0]])
    array([1])
    """
    try:
        from sklearn.base import BaseEstimator
        from sklearn.pipeline import Pipeline
    except ImportError as error:
        raise ImportError(
            "from_sklearn needs scikit-learn: pip install 'backlit[sklearn]'"
        ) from error
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(
            f"estimator must be a scikit-learn estimator, not {type(estimator).__name__}"
        )
    steps = _flatten("", estimator, Pipeline)
    _check(steps)
    layers = [layer for _, step in steps[:-1] for layer in TRANSFORMERS[_kind(step)](step)]
    last, outputs = PREDICTORS[_kind(steps[-1][1])](steps[-1][1])
    return Model([*layers, *last], (steps[0][1].n_features_in_,), name, outputs=outputs)


def _flatten(name: str, estimator: Any, pipeline: type) -> list[Step]:
    """The steps of pipelines in pipelines, in order, without those that do nothing."""
    if _kind(estimator) in SEARCHES and hasattr(estimator, "best_estimator_"):
        return _flatten(name, estimator.best_estimator_, pipeline)
    if not isinstance(estimator, pipeline):
        return [(name, estimator)]
    steps: list[Step] = []
    for inner, step in estimator.steps:  # type: ignore[attr-defined]
        if step is not None and step != "passthrough":
            steps += _flatten(f"{name}.{inner}" if name else inner, step, pipeline)
    return steps


def _kind(estimator: Any) -> str:
    """The name of one of scikit-learn's own classes; of others, whatever their base, none of it."""
    kind = type(estimator)
    ours = kind.__module__.partition(".")[0] == "sklearn"
    return kind.__name__ if ours else f"{kind.__module__}.{kind.__name__}"


def _check(steps: list[Step]) -> None:
    """Refuse steps that cannot be imported, all in one error, and then any that is not fitted."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    wrong = [step for step in steps[:-1] if _kind(step[1]) not in TRANSFORMERS]
    wrong += [step for step in steps[-1:] if _kind(step[1]) not in PREDICTORS]
    if wrong or not steps:
        found = ", ".join(_said(step) for step in wrong) or "an empty pipeline"
        raise ValueError(
            f"estimator cannot be imported because of {found}; supported are "
            f"{', '.join(PREDICTORS)}, in a pipeline after {', '.join(TRANSFORMERS)}"
        )
    for step in steps:
        try:
            check_is_fitted(step[1])
        except NotFittedError as error:
            raise ValueError(f"estimator must be fitted, but {_said(step)} is not") from error


def _said(step: Step) -> str:
    name, estimator = step
    return f"step {name!r} ({_kind(estimator)})" if name else _kind(estimator)


# --- transformers ----------------------------------------------------------------------------


def _scaled(step: Any, centre: Any, scale: Any) -> list[Layer]:
    """(x - centre) / scale; None stands for none."""
    count = step.n_features_in_
    centre = np.zeros(count) if centre is None else np.asarray(centre, np.float64)
    gamma = np.ones(count) if scale is None else 1 / np.asarray(scale, np.float64)
    return [BatchNorm(gamma, np.zeros(count), centre, np.ones(count), 0.0)]


def _standard_scaler(step: Any) -> list[Layer]:
    # the mean is known without with_mean too, for the variance
    return _scaled(step, step.mean_ if step.with_mean else None, step.scale_)


def _min_max_scaler(step: Any) -> list[Layer]:
    zeros, ones = np.zeros(step.n_features_in_), np.ones(step.n_features_in_)
    layers: list[Layer] = [BatchNorm(step.scale_, step.min_, zeros, ones, 0.0)]
    if step.clip:
        layers.append(Clip(*map(float, step.feature_range)))
    return layers


def _max_abs_scaler(step: Any) -> list[Layer]:
    layers = _scaled(step, None, step.scale_)
    if getattr(step, "clip", False):  # since scikit-learn 1.8
        layers.append(Clip(-1.0, 1.0))
    return layers


def _robust_scaler(step: Any) -> list[Layer]:
    return _scaled(step, step.center_, step.scale_)


def _pca(step: Any) -> list[Layer]:
    weights = np.asarray(step.components_, np.float64).T
    if step.whiten:
        deviation = np.sqrt(step.explained_variance_)
        # as in scikit-learn, components without variance are not blown up
        weights = weights / np.maximum(deviation, np.finfo(deviation.dtype).eps)
    return [Dense(weights, -step.mean_ @ weights)]


def _svd(step: Any) -> list[Layer]:
    return [Dense(step.components_.T)]


def _selection(step: Any) -> list[Layer]:
    return [Dense(np.eye(step.n_features_in_)[:, step.get_support()])]


SEARCHES = ("GridSearchCV", "RandomizedSearchCV")
TRANSFORMERS: dict[str, Callable[[Any], list[Layer]]] = {
    "StandardScaler": _standard_scaler,
    "MinMaxScaler": _min_max_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "RobustScaler": _robust_scaler,
    "PCA": _pca,
    "IncrementalPCA": _pca,
    "TruncatedSVD": _svd,
    "VarianceThreshold": _selection,
    "SelectKBest": _selection,
}

# --- predictors: layers, and what the outputs mean -------------------------------------------

ACTIVATIONS: dict[str, list[Layer]] = {
    "identity": [],
    "logistic": [Sigmoid()],
    "tanh": [Tanh()],
    "relu": [ReLU()],
    "softmax": [Softmax()],
    "exp": [Activation("exp")],
}


def _mlp(step: Any) -> list[Layer]:
    layers: list[Layer] = []
    inner = ACTIVATIONS[step.activation]
    for weights, bias in zip(step.coefs_, step.intercepts_, strict=True):
        layers += [*(inner if layers else []), Dense(weights, bias)]
    return [*layers, *ACTIVATIONS[step.out_activation_]]


def _mlp_classifier(step: Any) -> tuple[list[Layer], str]:
    if len(step.classes_) < 2:
        raise ValueError("estimator cannot be imported: it was fitted to samples of one class")
    if step.out_activation_ == "softmax":
        return _mlp(step), "classes"
    return _mlp(step), "binary" if step.n_outputs_ == 1 else "labels"


def _mlp_regressor(step: Any) -> tuple[list[Layer], str]:
    return _mlp(step), "values"


def _linear(step: Any) -> Dense:
    coefficients = step.coef_.toarray() if hasattr(step.coef_, "toarray") else step.coef_
    weights = np.atleast_2d(coefficients).T
    return Dense(weights, np.broadcast_to(np.ravel(step.intercept_), weights.shape[1:]))


def _linear_classifier(step: Any) -> tuple[list[Layer], str]:
    layer = _linear(step)
    if "multilabel" in getattr(getattr(step, "_label_binarizer", None), "y_type_", ""):
        return [layer], "labels"
    return [layer], "binary" if layer.weights.shape[1] == 1 else "classes"


def _logistic_regression(step: Any) -> tuple[list[Layer], str]:
    # Before scikit-learn 1.8, one class against the rest could be asked for where there are many,
    # and softmax where there are two.
    many = len(step.classes_) > 2
    asked = getattr(step, "multi_class", "auto")
    against_rest = asked == "ovr" or (asked != "multinomial" and step.solver == "liblinear")
    if against_rest if many else asked == "multinomial":
        raise ValueError(
            f"estimator cannot be imported: {_kind(step)} with multi_class={asked!r}, "
            f"solver={step.solver!r} and {len(step.classes_)} classes; supported are softmax for "
            "several classes and one sigmoid for two"
        )
    return _linear_classifier(step)


def _linear_regressor(step: Any) -> tuple[list[Layer], str]:
    return [_linear(step)], "values"


CLASSIFIERS = (
    "LinearSVC SGDClassifier Perceptron RidgeClassifier RidgeClassifierCV "
    "LinearDiscriminantAnalysis"
)
REGRESSORS = (
    "LinearSVR LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV "
    "BayesianRidge HuberRegressor SGDRegressor"
)
PREDICTORS: dict[str, Callable[[Any], tuple[list[Layer], str]]] = {
    "MLPClassifier": _mlp_classifier,
    "MLPRegressor": _mlp_regressor,
    "LogisticRegression": _logistic_regression,
    "LogisticRegressionCV": _logistic_regression,
    **dict.fromkeys(CLASSIFIERS.split(), _linear_classifier),
    **dict.fromkeys(REGRESSORS.split(), _linear_regressor),
}
