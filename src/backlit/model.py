"""The model API."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from backlit.arguments import check_samples, check_threads
from backlit.checks import choice, whole
from backlit.graph import HEADS, Graph, build_graph
from backlit.layers import Conv2D, ConvTranspose2D, Layer, LogSoftmax, Sigmoid, Softmax
from backlit.layers.structure import layer_sequence
from backlit.picture_axes import is_picture
from backlit.probes import Logits
from backlit.programs import ProgramStore
from backlit.rewriting import simplify
from backlit.signals import as_signal, in_rows


class Model:
    """A trained network: layers with their weights, ready to be explained.

    Parameters
    ----------
    layers : sequence of layers
        From input to class scores. A final `Softmax` or `LogSoftmax` (or `Sigmoid`, see below) is
        set aside: scores are taken from the logits before it.
    input_shape : tuple of ints
        The shape of one sample: ``(features,)`` or ``(channels, height, width)``.
    name : str, optional
        What to call the model in pictures and tables.
    outputs : {"classes", "binary", "labels", "values"}, optional
        What the last layer's K outputs mean, and with that what a target and its scores are:

        ==========  =========================  ===================  ===========================
        outputs     are                        target               logit, probability
        ==========  =========================  ===================  ===========================
        "classes"   scores of K classes        class 0 ... K - 1    z_t, softmax(z)_t
        "binary"    one score z                class 0 or 1         -z or z, sigmoid(-z or z)
        "labels"    scores of K labels, any    label 0 ... K - 1    z_t, sigmoid(z_t)
                    number of which apply
        "values"    K numbers (regression)     output 0 ... K - 1   z_t, none
        ==========  =========================  ===================  ===========================

        The log-probability and the loss are the logarithm of the probability and minus that. By
        default the last layer decides: after a `Sigmoid` "binary" for one output and else
        "labels", after a softmax "classes"; without either, "values" for one output and else
        "classes". A final softmax is set aside for "classes" alone, a sigmoid for "binary" and
        "labels".

    Attributes
    ----------
    layers : tuple of layers
    input_shape : tuple of ints
    name : str or None
    outputs : str
    channels_last : bool
        Whether samples, and with them all maps, have their channels (or features) as the last
        axis: ``input_shape`` is then (height, width, channels). False but for imported models
        that are so.

    Raises
    ------
    ValueError, TypeError
        If layers do not fit together, naming the layer.

    Examples
    --------
    >>> import numpy as np, backlit as bl
    >>> model = bl.Model([bl.Dense(np.eye(3))], input_shape=(3,))
    >>> model.predict(np.array([[0.0, 2.0, 1.0]]))
    array([1])
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        input_shape: Sequence[int],
        name: str | None = None,
        *,
        outputs: str | None = None,
    ) -> None:
        self.layers = layer_sequence("layers", layers)
        if not self.layers:
            raise ValueError("layers must not be empty")
        sizes = np.atleast_1d(np.asarray(input_shape, dtype=object))
        self.input_shape = tuple(whole(f"input_shape[{i}]", n, 1) for i, n in enumerate(sizes))
        if len(self.input_shape) not in (1, 3):
            raise ValueError(
                "input_shape must be (features,) or (channels, height, width), "
                f"got {self.input_shape}"
            )
        self.channels_last = False
        names = [str(number) for number in range(len(self.layers))]
        self._is_chain = True
        self._take(build_graph(self.layers, self.input_shape), name, outputs, names)

    @classmethod
    def of_graph(
        cls,
        graph: Graph,
        name: str | None = None,
        *,
        outputs: str | None = None,
        channels_last: bool = False,
    ) -> "Model":
        """A model of any graph whose last tensor is a row of scores; importers make such.

        With `channels_last`, people's arrays have the graph's first axis last.
        """
        model = cls.__new__(cls)
        model.layers = tuple(node.layer for node in graph.nodes)
        first, *rest = graph.shapes[0]
        model.input_shape = (*rest, first) if channels_last else (first, *rest)
        model.channels_last = channels_last
        model._is_chain = False
        model._take(graph, name, outputs, [node.name for node in graph.nodes])
        return model

    def _take(
        self, source: Graph, name: str | None, outputs: str | None, layer_names: list[str]
    ) -> None:
        if not isinstance(name, str | None):
            raise TypeError(f"name must be None or a string, not {type(name).__name__}")
        self.name = name
        self._layer_names = layer_names
        output = source.shapes[source.output]
        if len(output) != 1:
            raise ValueError(
                f"layers must end in a row of class scores, but the last output has shape {output};"
                " add a Flatten"
            )
        if not output[0]:
            raise ValueError("layers must end in at least one score, but the last output is empty")
        self.outputs = _meaning(source, outputs)
        self._source = replace(source, outputs_are=self.outputs)
        self._programs = ProgramStore(simplify(in_rows(self._source)))

    @cached_property
    def classes(self) -> int:
        """How many targets there are: classes (2 if binary), labels or values."""
        return 2 if self.outputs == "binary" else self._width

    @property
    def _width(self) -> int:
        graph = self._programs.graph
        return graph.shapes[graph.output][0]

    @cached_property
    def is_convolutional(self) -> bool:
        """Whether the model has a convolution, and so sees images rather than features."""
        return any(
            isinstance(node.layer, Conv2D | ConvTranspose2D) for node in self._programs.graph.nodes
        )

    @cached_property
    def _channels_first(self) -> "Model":
        """The same model for samples whose channels are the first axis, as the graph has them."""
        twin = copy(self)
        twin.input_shape = self._source.shapes[0]
        twin.channels_last = False
        return twin

    @cached_property
    def _signal(self) -> "tuple[Model, bool] | None":
        """The same model for pictures of one row, and whether its own samples have channels last.

        None if it does not take signals.
        """
        if (signal := as_signal(self._source)) is None:
            return None
        twin = Model.of_graph(signal.graph, self.name, outputs=self.outputs)
        twin.layers, twin._layer_names = self.layers, self._layer_names
        return twin, signal.channels_last

    @cached_property
    def _unfolded(self) -> ProgramStore:
        """Programs for the outputs of layers that others are folded into."""
        return ProgramStore(simplify(self._source, fold=False))

    @cached_property
    def _picture_layers(self) -> list[str]:
        """The names of the layers whose outputs have rows and columns."""
        pictures = is_picture(self._source)
        return [node.name for node in self._source.nodes if pictures[node.output]]

    def __repr__(self) -> str:
        lines = [f"    {layer!r}," for layer in self.layers]
        last = f"], input_shape={self.input_shape}, outputs={self.outputs!r})"
        return "\n".join(["Model([", *lines, last])

    def logits(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """The outputs before softmax or sigmoid.

        Parameters
        ----------
        X : array of shape (N, *input_shape)
            Any real dtype. Models without convolutions take any shape of as many values.
        threads : int, optional
            Default: the cores this process may use.

        Returns
        -------
        float32 array of shape (N, K)
            K is 1 for "binary" outputs.

        Raises
        ------
        ValueError, TypeError
            If `X` has another shape, is not numeric, or holds NaN or infinite values.
        """
        samples = self._samples(X)
        result = np.empty((len(samples), self._width), np.float32)
        ports = [samples, result, None]
        self._programs.run(Logits(), ports, len(samples), check_threads(threads))
        return result

    def predict_proba(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """The probabilities of classes or labels, a float32 array (N, K). Arguments as `logits`.

        Of classes, the softmax of the logits; of two classes with a single logit z,
        ``[sigmoid(-z), sigmoid(z)]``, and K is 2; of labels, the sigmoid of each logit.

        Raises
        ------
        ValueError, TypeError
            As `logits`; if the outputs are values, which have no probabilities.
        """
        if self.outputs == "values":
            raise ValueError("the model's outputs are values, which have no probabilities")
        logits = self.logits(X, threads=threads)
        if self.outputs == "binary":
            return _sigmoid(np.hstack([-logits, logits]))
        if self.outputs == "labels":
            return _sigmoid(logits)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def predict(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """What the model says. Arguments as `logits`.

        Returns
        -------
        array
            For "classes" that of the greatest logit, for "binary" whether the logit is positive:
            int64 (N,). For "labels" whether each logit is positive: int64 (N, K). For "values"
            these: float32 (N, K), or (N,) if there is one.
        """
        logits = self.logits(X, threads=threads)
        if self.outputs == "labels":
            return (logits > 0).astype(np.int64)
        if self.outputs == "values":
            return logits[:, 0] if self._width == 1 else logits
        return self._targets(logits)

    def _targets(self, logits: np.ndarray) -> np.ndarray:
        """What a target of None stands for: the predicted class, the likeliest label."""
        if self.outputs == "binary":
            return (logits[:, 0] > 0).astype(np.int64)
        return logits.argmax(axis=1).astype(np.int64)

    def compute_gradient_attribution(
        self,
        X: Any,
        target_class: Any = None,
        score: str = "loss",
        *,
        threads: int | None = None,
        progress: bool = False,
        out: np.ndarray | None = None,
        memory: int | None = None,
    ) -> np.ndarray:
        """|d score / d input|, with the tutorial chapter's name and default.

        The default score is the cross-entropy loss, whose derivative by the logits is
        ``softmax(logits) - onehot(target)``: the chapter's formula. It vanishes where softmax
        saturates; `backlit.saliency` differentiates the logit instead.

        Parameters
        ----------
        X : array of shape (N, *input_shape)
        target_class : None, int, or array of N ints
            None stands for the predicted class.
        score : {"loss", "logit", "log_probability", "probability"}
            Must be "logit" where the outputs are values.
        threads, progress, out, memory
            As for `backlit.saliency`.

        Returns
        -------
        float32 array of the shape of `X`
        """
        from backlit.attribution.gradients import saliency

        return saliency(
            self,
            X,
            target_class,
            score,
            threads=threads,
            progress=progress,
            out=out,
            memory=memory,
        )

    def _samples(self, X: Any) -> np.ndarray:
        """Checked samples, in the order that programs read."""
        if self.channels_last:
            samples = check_samples(X, self.input_shape, flat=False)
            return np.ascontiguousarray(np.moveaxis(samples, -1, 1))
        return check_samples(X, self.input_shape, flat=not self.is_convolutional)


def check_model(model: Any, name: str = "model") -> None:
    """Refuse what is no model."""
    if not isinstance(model, Model):
        raise TypeError(
            f"{name} must be a backlit Model, not {type(model).__name__}: "
            "backlit.load makes one of a file or of another library's model"
        )


def _meaning(graph: Graph, outputs: str | None) -> str:
    """What a graph's outputs mean: as asked for, or as its last layer says."""
    (count,) = graph.shapes[graph.output]
    if outputs is None:
        last = graph.producer(graph.output)
        if last is not None and isinstance(last.layer, Sigmoid):
            return "binary" if count == 1 else "labels"
        plain = last is None or not isinstance(last.layer, Softmax | LogSoftmax)
        return "values" if count == 1 and plain else "classes"
    choice("outputs", outputs, HEADS)
    if outputs == "binary" and count != 1:
        raise ValueError(f"outputs must not be 'binary', one score, for a model with {count}")
    if outputs == "labels" and count == 1:
        raise ValueError("outputs must be 'binary', not 'labels', for a model with one output")
    return outputs


def _sigmoid(z: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(z))
    return np.where(z < 0, small, np.float32(1)) / (1 + small)
