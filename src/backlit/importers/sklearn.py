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
        MLPClassifier, MLPRegressor, GaussianNB, or a linear model: LogisticRegression, LinearSVC,
        SGDClassifier, Perceptron, RidgeClassifier, LinearDiscriminantAnalysis, a
        OneVsRestClassifier of such; LinearRegression, Ridge, Lasso, ElasticNet, BayesianRidge,
        HuberRegressor, SGDRegressor, LinearSVR, the other linear regressors, PoissonRegressor,
        GammaRegressor; and those of them with CV behind their names. Before it, in a pipeline
        (also one in another), any number of StandardScaler, MinMaxScaler, MaxAbsScaler,
        RobustScaler, PCA, IncrementalPCA, FastICA, TruncatedSVD, random projections, and whatever
        of scikit-learn selects features. A GridSearchCV or RandomizedSearchCV stands for its best
        estimator.
    name : str, optional
        What to call the model in pictures and tables.

    Returns
    -------
    Model
        Of samples as given to the pipeline's first step. Class k is ``estimator.classes_[k]``.
        Outputs (see `backlit.Model`) are "binary" for two classes, "classes" for more, "labels"
        for a multi-label MLPClassifier and "values" for regressors. `predict_proba` is the
        estimator's, for those of MLPs, logistic regressions, discriminant analysis and GaussianNB;
        else it is the sigmoid or softmax of the decision function, which is not calibrated. Where
        the estimator has a decision function, `logits` are that; an MLPClassifier's are what its
        last activation is applied to, a GaussianNB's the logarithms of its joint probabilities.
        All is computed in float32.

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


def _independent_components(step: Any) -> list[Layer]:
    weights = np.asarray(step.components_, np.float64).T
    return [Dense(weights, -step.mean_ @ weights if step.whiten else None)]


def _projection(step: Any) -> list[Layer]:
    return [Dense(_full(step.components_).T)]


def _full(matrix: Any) -> np.ndarray:
    """An array of a matrix that may be sparse."""
    return np.asarray(matrix.toarray() if hasattr(matrix, "toarray") else matrix)


def _selection(step: Any) -> list[Layer]:
    return [Dense(np.eye(step.n_features_in_)[:, step.get_support()])]


SELECTORS = (
    "VarianceThreshold SelectKBest SelectPercentile SelectFpr SelectFdr SelectFwe "
    "GenericUnivariateSelect SelectFromModel RFE RFECV SequentialFeatureSelector"
)
SEARCHES = ("GridSearchCV", "RandomizedSearchCV")
TRANSFORMERS: dict[str, Callable[[Any], list[Layer]]] = {
    "StandardScaler": _standard_scaler,
    "MinMaxScaler": _min_max_scaler,
    "MaxAbsScaler": _max_abs_scaler,
    "RobustScaler": _robust_scaler,
    "PCA": _pca,
    "IncrementalPCA": _pca,
    "FastICA": _independent_components,
    "TruncatedSVD": _projection,
    "GaussianRandomProjection": _projection,
    "SparseRandomProjection": _projection,
    **dict.fromkeys(SELECTORS.split(), _selection),
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
    weights = np.atleast_2d(_full(step.coef_)).T
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


def _one_against_rest(step: Any) -> tuple[list[Layer], str]:
    kinds = dict.fromkeys(_kind(inner) for inner in step.estimators_)
    if wrong := [kind for kind in kinds if kind not in LINEAR_CLASSIFIERS]:
        raise ValueError(
            f"estimator cannot be imported: OneVsRestClassifier of {', '.join(wrong)}; supported "
            f"are {', '.join(LINEAR_CLASSIFIERS)}"
        )
    each = [_linear(inner) for inner in step.estimators_]
    biases = [np.zeros(1) if layer.bias is None else layer.bias for layer in each]
    layer = Dense(np.hstack([layer.weights for layer in each]), np.concatenate(biases))
    if step.multilabel_:
        return [layer], "labels"
    return [layer], "binary" if len(each) == 1 else "classes"


def _gaussian_naive_bayes(step: Any) -> tuple[list[Layer], str]:
    """``log prior - sum(log(2 pi v) + (x - m) ** 2 / v) / 2``: distances in each class's units."""
    classes, features = step.theta_.shape
    scale = 1 / np.sqrt(step.var_)
    distances = Dense(
        np.hstack([np.diag(row) for row in scale]), -(step.theta_ * scale).reshape(-1)
    )
    constant = np.log(step.class_prior_) - np.log(2 * np.pi * step.var_).sum(1) / 2
    total = Dense(np.kron(np.eye(classes), np.full((features, 1), -0.5)), constant)
    return [distances, Activation("square"), total], "classes"


def _exponential_regressor(step: Any) -> tuple[list[Layer], str]:
    return [_linear(step), Activation("exp")], "values"


def _linear_regressor(step: Any) -> tuple[list[Layer], str]:
    return [_linear(step)], "values"


CLASSIFIERS = (
    "LinearSVC SGDClassifier Perceptron PassiveAggressiveClassifier RidgeClassifier "
    "RidgeClassifierCV LinearDiscriminantAnalysis"
)
LOGISTIC = ("LogisticRegression", "LogisticRegressionCV")
LINEAR_CLASSIFIERS = (*LOGISTIC, *CLASSIFIERS.split())
REGRESSORS = (
    "LinearSVR LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV "
    "MultiTaskLasso MultiTaskLassoCV MultiTaskElasticNet MultiTaskElasticNetCV "
    "Lars LarsCV LassoLars LassoLarsCV LassoLarsIC OrthogonalMatchingPursuit "
    "OrthogonalMatchingPursuitCV BayesianRidge ARDRegression HuberRegressor QuantileRegressor "
    "TheilSenRegressor SGDRegressor PassiveAggressiveRegressor"
)
PREDICTORS: dict[str, Callable[[Any], tuple[list[Layer], str]]] = {
    "MLPClassifier": _mlp_classifier,
    "MLPRegressor": _mlp_regressor,
    "GaussianNB": _gaussian_naive_bayes,
    "OneVsRestClassifier": _one_against_rest,
    **dict.fromkeys(LOGISTIC, _logistic_regression),
    **dict.fromkeys(CLASSIFIERS.split(), _linear_classifier),
    **dict.fromkeys(REGRESSORS.split(), _linear_regressor),
    **dict.fromkeys(("PoissonRegressor", "GammaRegressor"), _exponential_regressor),
}
