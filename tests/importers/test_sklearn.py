"""Estimators of scikit-learn: predictions, gradients in float64, methods on them, refusals."""

import sys
import warnings

import numpy as np
import pytest

import backlit as bl
from tests.helpers import assert_close
from tests.reference.network import central_differences

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, FastICA, IncrementalPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import (
    RFE,
    SelectFromModel,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
)
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    LarsCV,
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    MultiTaskLasso,
    OrthogonalMatchingPursuit,
    Perceptron,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TheilSenRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from sklearn.svm import LinearSVC, LinearSVR

FEATURES = 6
TASKS = ["binary", "classes", "labels", "value", "values"]


@pytest.fixture
def X(rng):
    """Features of different means and sizes, correlated."""
    mixed = rng.normal(size=(120, FEATURES)) @ rng.normal(size=(FEATURES, FEATURES))
    return mixed * [1, 0.1, 10, 2, 1, 0.5] + [0, 1, -20, 3, 0.2, 0]


def task(name, X, rng):
    """What is to be predicted; classes have names."""
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    Y = np.sin(Z @ rng.normal(size=(FEATURES, 3))) + 0.1 * rng.normal(size=(len(X), 3))
    return {
        "binary": np.array(["no", "yes"])[(Y[:, 0] > 0).astype(int)],
        "classes": np.array(["red", "green", "blue"])[Y.argmax(axis=1)],
        "labels": (Y > 0).astype(int),
        "value": Y[:, 0],
        "values": Y,
    }[name]


def fit(estimator, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y)


def network(name, activation="tanh", **options):
    kind = MLPRegressor if name in ("value", "values") else MLPClassifier
    more = {"max_iter": 30, "random_state": 0, "learning_rate_init": 0.01, **options}
    return kind(hidden_layer_sizes=(9, 5), activation=activation, **more)


def agree(estimator, X):
    """The model of a fitted estimator, which must say the same of X; returned."""
    model = bl.from_sklearn(estimator)
    expected = estimator.predict(X)
    if model.outputs == "values":
        assert_close(model.predict(X), expected)
    elif model.outputs == "labels":
        np.testing.assert_array_equal(model.predict(X), expected)
    else:
        np.testing.assert_array_equal(estimator.classes_[model.predict(X)], expected)
    if hasattr(estimator, "predict_proba"):
        np.testing.assert_allclose(model.predict_proba(X), estimator.predict_proba(X), atol=2e-6)
    if hasattr(estimator, "decision_function"):
        found = model.logits(X)
        decision = estimator.decision_function(X)
        assert_close(found[:, 0] if decision.ndim == 1 else found, decision)
    return model


def scores(estimator, model, x, target):
    """What scikit-learn computes for the target, in float64, and what we call it."""
    if model.outputs == "values":
        return estimator.predict(x).reshape(len(x), -1)[:, target], "logit"
    if hasattr(estimator, "decision_function"):
        z = estimator.decision_function(x)
        return z[:, target] if z.ndim == 2 else (z if target == 1 else -z), "logit"
    return estimator.predict_proba(x)[:, target], "probability"


def check_gradients(estimator, model, X):
    """Central differences in float64, with steps of each feature's own size."""
    X = X[:5].astype(np.float32).astype(np.float64)
    unit = np.array([1, 0.1, 10, 2, 1, 0.5])
    for target in range(model.classes):
        expected = central_differences(
            lambda u, t=target: scores(estimator, model, X + unit * u, t)[0].sum(),
            np.zeros(X.shape),
        )
        score = scores(estimator, model, X, target)[1]
        found = bl.gradient(model, X, target, score=score)
        assert_close(found * unit, expected, 1e-4)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("name", TASKS)
def test_networks(rng, X, name, activation):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    estimator = fit(network(name, activation), Z, task(name, X, rng))
    model = agree(estimator, Z)
    assert model.outputs == {"value": "values"}.get(name, name)
    assert model.input_shape == (FEATURES,)
    check_gradients(estimator, model, Z)
    for count in (1, 16, 17):
        np.testing.assert_array_equal(model.logits(Z[:count]), model.logits(Z)[:count])


def test_network_without_hidden_layers_and_with_many(rng, X):
    for sizes in ((), (4, 3, 5, 2)):
        estimator = MLPRegressor(hidden_layer_sizes=sizes, max_iter=20, random_state=0)
        agree(fit(estimator, X, task("values", X, rng)), X)


def test_counts(rng, X):
    """A Poisson regression ends in an exponential."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator = network("value", loss="poisson")
        except TypeError:
            pytest.skip("scikit-learn before 1.7 has no Poisson loss")
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        estimator.fit(Z, np.abs(task("value", X, rng)))
    check_gradients(estimator, agree(estimator, Z), Z)


LINEAR = {
    "logistic, two classes": (LogisticRegression(), "binary"),
    "logistic, more classes": (LogisticRegression(), "classes"),
    "logistic, liblinear": (LogisticRegression(solver="liblinear"), "binary"),
    "logistic, no intercept": (LogisticRegression(fit_intercept=False), "classes"),
    "logistic, cross-validated": (LogisticRegressionCV(Cs=3, cv=3), "classes"),
    "support vectors, two classes": (LinearSVC(), "binary"),
    "support vectors, more classes": (LinearSVC(), "classes"),
    "support vectors, Crammer-Singer": (LinearSVC(multi_class="crammer_singer"), "classes"),
    "support vectors, regression": (LinearSVR(), "value"),
    "least squares": (LinearRegression(), "value"),
    "least squares, several": (LinearRegression(fit_intercept=False), "values"),
    "ridge": (Ridge(), "value"),
    "ridge, cross-validated": (RidgeCV(), "values"),
    "ridge, two classes": (RidgeClassifier(), "binary"),
    "ridge, more classes": (RidgeClassifierCV(), "classes"),
    "stochastic, two classes": (SGDClassifier(random_state=0), "binary"),
    "stochastic, more classes": (SGDClassifier(random_state=0), "classes"),
    "stochastic, regression": (SGDRegressor(random_state=0), "value"),
    "perceptron": (Perceptron(random_state=0), "classes"),
    "discriminant, two classes": (LinearDiscriminantAnalysis(), "binary"),
    "discriminant, more classes": (LinearDiscriminantAnalysis(), "classes"),
    "bayesian": (BayesianRidge(), "value"),
    "huber": (HuberRegressor(), "value"),
    "lasso, cross-validated": (LassoCV(cv=3), "value"),
    "elastic net, cross-validated": (ElasticNetCV(cv=3), "value"),
    "searched": (GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}), "classes"),
    "ridge, several": (Ridge(), "values"),
    "lasso": (Lasso(alpha=0.1), "values"),
    "elastic net": (ElasticNet(alpha=0.1), "value"),
    "lasso, several": (MultiTaskLasso(alpha=0.1), "values"),
    "least angles": (LarsCV(cv=3), "value"),
    "matching pursuit": (OrthogonalMatchingPursuit(), "values"),
    "relevance": (ARDRegression(), "value"),
    "median": (QuantileRegressor(), "value"),
    "median of slopes": (TheilSenRegressor(random_state=0), "value"),
    "one against the rest, two classes": (OneVsRestClassifier(LogisticRegression()), "binary"),
    "one against the rest, more classes": (OneVsRestClassifier(LinearSVC()), "classes"),
    "one against the rest, labels": (OneVsRestClassifier(LogisticRegression()), "labels"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", LINEAR)
def test_linear_models(rng, X, case):
    estimator, name = LINEAR[case]
    estimator = make_pipeline(StandardScaler(), estimator).fit(X, task(name, X, rng))
    model = agree(estimator, X)
    assert model.outputs == {"value": "values"}.get(name, name)
    check_gradients(estimator, model, X)


@pytest.mark.parametrize("name", ["binary", "classes"])
def test_gaussian_naive_bayes(rng, X, name):
    estimator = GaussianNB().fit(X, task(name, X, rng))
    model = agree(estimator, X)
    assert_close(model.logits(X), estimator.predict_joint_log_proba(X))
    check_gradients(estimator, model, X)


@pytest.mark.parametrize("estimator", [PoissonRegressor(), GammaRegressor()])
def test_logarithmic_links(rng, X, estimator):
    y = np.abs(task("value", X, rng)) + 0.1
    estimator = make_pipeline(StandardScaler(), estimator).fit(X, y)
    check_gradients(estimator, agree(estimator, X), X)


def test_one_against_the_rest_of_networks_is_refused(rng, X):
    estimator = fit(OneVsRestClassifier(network("binary")), X, task("classes", X, rng))
    message = "OneVsRestClassifier of MLPClassifier; supported are LogisticRegression"
    with pytest.raises(ValueError, match=message):
        bl.from_sklearn(estimator)


def test_sparse_coefficients(rng, X):
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    agree(LogisticRegression(C=0.1).fit(Z, task("classes", X, rng)).sparsify(), Z)


BEFORE = {
    "standard": [StandardScaler()],
    "standard, no mean": [StandardScaler(with_mean=False)],
    "standard, no size": [StandardScaler(with_std=False)],
    "standard, nothing": [StandardScaler(with_mean=False, with_std=False)],
    "range": [MinMaxScaler()],
    "range, another": [MinMaxScaler((-1, 3))],
    "range, clipped": [MinMaxScaler(clip=True)],
    "size": [MaxAbsScaler()],
    "robust": [RobustScaler()],
    "robust, no centre": [RobustScaler(with_centering=False)],
    "robust, no size": [RobustScaler(with_scaling=False)],
    "components": [PCA(3)],
    "components, white": [StandardScaler(), PCA(4, whiten=True)],
    "components, in batches": [IncrementalPCA(3)],
    "components, not centred": [TruncatedSVD(4)],
    "some features": [VarianceThreshold(0.1), SelectKBest(lambda X, y: X.var(axis=0), k=2)],
    "the best features": [SelectPercentile(lambda X, y: X.var(axis=0), percentile=50)],
    "large features": [SelectFromModel(StandardScaler(), importance_getter="var_")],
    "features left": [RFE(StandardScaler(), importance_getter="var_", n_features_to_select=3)],
    "independent components": [FastICA(3, random_state=0)],
    "independent components, not white": [PCA(3), FastICA(whiten=False, random_state=0)],
    "random directions": [GaussianRandomProjection(4, random_state=0)],
    "sparse directions": [SparseRandomProjection(4, random_state=0)],
    "one after the other": [MinMaxScaler(), PCA(), RobustScaler(), PCA(2), StandardScaler()],
    "in another": [
        Pipeline([("a", StandardScaler()), ("b", make_pipeline(PCA(3)))]),
        "passthrough",
    ],
}


@pytest.mark.parametrize("case", BEFORE)
@pytest.mark.parametrize("name", ["binary", "values"])
def test_steps_before(rng, X, case, name):
    y = task(name, X, rng)
    estimator = fit(make_pipeline(*BEFORE[case], network(name, max_iter=15)), X[:80], y[:80])
    model = agree(estimator, X)  # also of samples beyond those that scalers have seen
    check_gradients(estimator, model, X)


def test_constant_features_and_components_without_variance(rng, X):
    """Divisions by nothing are scikit-learn's."""
    X = X.astype(np.float32)
    X[:, 2] = 7
    y = task("binary", X + rng.normal(size=X.shape), rng)
    for scaler in (StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()):
        agree(make_pipeline(scaler, LogisticRegression()).fit(X, y), X)
    whiten = make_pipeline(StandardScaler(), PCA(5, whiten=True), LogisticRegression())
    agree(whiten.fit(X, y), X)


def test_methods_run(rng, X):
    """The linear model's Shapley values are known; a path's attributions add up."""
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, task("binary", X, rng))
    model = bl.from_sklearn(linear)
    base = X.mean(axis=0)
    own = np.arange(FEATURES)
    weights = linear[-1].coef_[0] / linear[0].scale_
    known = (X[:9] - base) * weights
    found = bl.kernel_shap(model, X[:9], 1, baseline=base, segments=own, samples=62)
    assert_close(found, known, 1e-4)
    assert_close(bl.kernel_shap(model, X[:9], 0, baseline=base, segments=own, samples=62), -found)

    for name in TASKS:
        estimator = fit(make_pipeline(StandardScaler(), network(name)), X, task(name, X, rng))
        model = bl.from_sklearn(estimator)
        target = model.classes - 1
        maps, delta = bl.integrated_gradients(
            model, X[:9], target, baseline=base, steps=100, return_delta=True
        )
        assert np.abs(delta).max() < 1e-4
        change = model.logits(X[:9]) - model.logits(base[None])
        np.testing.assert_allclose(maps.sum(axis=1), change[:, -1], atol=1e-4)
        for method in (bl.deeplift, bl.exact_shapley):
            more = {"segments": own} if method is bl.exact_shapley else {}
            found = method(model, X[:9], target, baseline=base, **more)
            np.testing.assert_allclose(found.sum(axis=1), change[:, -1], atol=1e-4)
        assert np.isfinite(bl.lrp(model, X[:9], target)).all()


def test_saved(tmp_path, rng, X):
    estimator = fit(make_pipeline(StandardScaler(), network("labels")), X, task("labels", X, rng))
    model = bl.from_sklearn(estimator, name="a name")
    bl.save(model, tmp_path / "m.npz")
    found = bl.load(tmp_path / "m.npz")
    assert found.name == "a name"
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))


class OwnScaler(StandardScaler):
    """May compute anything."""


def test_labels_of_ridge_classifiers(rng, X):
    y = (X[:, :3] > 0).astype(int)
    for kind in (RidgeClassifier, RidgeClassifierCV):
        estimator = kind().fit(X, y)
        model = bl.from_sklearn(estimator)
        assert model.outputs == "labels"
        np.testing.assert_array_equal(model.predict(X), estimator.predict(X))


def test_refused(rng, X):
    y = task("binary", X, rng)
    unfitted = make_pipeline(StandardScaler(), LogisticRegression())
    with pytest.raises(
        ValueError, match=r"must be fitted, but step 'standardscaler' \(Stand.* not"
    ):
        bl.from_sklearn(unfitted)
    with pytest.raises(ValueError, match="must be fitted, but MLPClassifier is not"):
        bl.from_sklearn(MLPClassifier())
    several = make_pipeline(
        PolynomialFeatures(), make_pipeline(OwnScaler()), LogisticRegression()
    ).fit(X, y)
    with pytest.raises(ValueError, match="cannot be imported because of") as caught:
        bl.from_sklearn(several)
    for words in (
        "step 'polynomialfeatures' (PolynomialFeatures)",
        "step 'pipeline.ownscaler' (tests.importers.test_sklearn.OwnScaler)",
        "supported are MLPClassifier",
        "StandardScaler",
    ):
        assert words in str(caught.value)
    assert "LogisticRegression)" not in str(caught.value)
    with pytest.raises(ValueError, match=r"because of step 'pca' \(PCA\); supported"):
        bl.from_sklearn(make_pipeline(StandardScaler(), PCA()).fit(X))
    with pytest.raises(ValueError, match="because of an empty pipeline"):
        bl.from_sklearn(Pipeline([("a", "passthrough")]))
    with pytest.raises(TypeError, match="estimator must be a scikit-learn estimator, not Dense"):
        bl.from_sklearn(bl.Dense([[1.0]]))
    with pytest.raises(ValueError, match=r"because of .*OwnEstimator; supported"):
        bl.from_sklearn(OwnEstimator())


class OwnEstimator(BaseEstimator):
    pass


@pytest.mark.parametrize(
    ("asked", "solver", "name"),
    [("ovr", "lbfgs", "classes"), ("deprecated", "liblinear", "classes"),
     ("multinomial", "lbfgs", "binary")],
)  # fmt: skip
def test_forms_of_logistic_regression_that_are_gone(rng, X, asked, solver, name):
    """Older versions of scikit-learn have other probabilities: never silently another model."""
    estimator = fit(LogisticRegression(), X, task(name, X, rng))
    estimator.multi_class, estimator.solver = asked, solver
    with pytest.raises(ValueError, match=f"LogisticRegression with multi_class='{asked}'"):
        bl.from_sklearn(estimator)


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"pip install 'backlit\[sklearn\]'"):
        bl.from_sklearn(None)
