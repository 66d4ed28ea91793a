"""The model API."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from backlit.arguments import check_samples, check_threads
from backlit.graph import Graph, build_graph, simplify
from backlit.layers import Conv2D, Layer
from backlit.layers.base import whole
from backlit.layers.structure import layer_sequence
from backlit.probes import Logits, ProgramStore


class Model:
    """A trained classifier: layers with their weights, ready to be explained.

    Parameters
    ----------
    layers : sequence of layers
        From input to class scores. A final `Softmax` or `LogSoftmax` is set aside: scores are
        taken from the logits before it.
    input_shape : tuple of ints
        The shape of one sample: ``(features,)`` or ``(channels, height, width)``.
    name : str, optional
        What to call the model in pictures and tables.

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
        self, layers: Sequence[Layer], input_shape: Sequence[int], name: str | None = None
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
        names = [str(number) for number in range(len(self.layers))]
        self._take(build_graph(self.layers, self.input_shape), name, names)

    @classmethod
    def of_graph(cls, graph: Graph, name: str | None = None) -> "Model":
        """A model of any graph whose last tensor is a row of scores; importers make such."""
        model = cls.__new__(cls)
        model.layers = tuple(node.layer for node in graph.nodes)
        model.input_shape = graph.shapes[0]
        model._take(graph, name, [node.name for node in graph.nodes])
        return model

    def _take(self, source: Graph, name: str | None, layer_names: list[str]) -> None:
        self.name = name
        self._source = source
        self._layer_names = layer_names
        graph = simplify(source)
        output = graph.shapes[graph.output]
        if len(output) != 1:
            raise ValueError(
                f"layers must end in a row of class scores, but the last output has shape {output};"
                " add a Flatten"
            )
        self._programs = ProgramStore(graph)

    @cached_property
    def classes(self) -> int:
        """The number of classes K."""
        graph = self._programs.graph
        return graph.shapes[graph.output][0]

    @cached_property
    def is_convolutional(self) -> bool:
        """Whether the model has a convolution, and so sees images rather than features."""
        return any(isinstance(node.layer, Conv2D) for node in self._programs.graph.nodes)

    @cached_property
    def _unfolded(self) -> ProgramStore:
        """Programs for the outputs of layers that normalisations are folded into."""
        return ProgramStore(simplify(self._source, fold=False))

    def __repr__(self) -> str:
        lines = [f"    {layer!r}," for layer in self.layers]
        return "\n".join(["Model([", *lines, f"], input_shape={self.input_shape})"])

    def logits(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """The class scores before softmax.

        Parameters
        ----------
        X : array of shape (N, *input_shape)
            Any real dtype. Models without convolutions take any shape of as many values.
        threads : int, optional
            Default: the cores this process may use.

        Returns
        -------
        float32 array of shape (N, K)

        Raises
        ------
        ValueError, TypeError
            If `X` has another shape, is not numeric, or holds NaN or infinite values.
        """
        samples = self._samples(X)
        result = np.empty((len(samples), self.classes), np.float32)
        ports = [samples, result, None]
        self._programs.run(Logits(), ports, len(samples), check_threads(threads))
        return result

    def predict_proba(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """The softmax of the logits: a float32 array of shape (N, K). Arguments as `logits`."""
        logits = self.logits(X, threads=threads)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def predict(self, X: Any, *, threads: int | None = None) -> np.ndarray:
        """The class of the greatest logit: an int64 array of shape (N,). Arguments as `logits`."""
        return self.logits(X, threads=threads).argmax(axis=1).astype(np.int64)

    def compute_gradient_attribution(
        self, X: Any, target_class: Any = None, score: str = "loss"
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

        Returns
        -------
        float32 array of the shape of `X`
        """
        from backlit.attribution.gradients import saliency

        return saliency(self, X, target_class, score=score)

    def _samples(self, X: Any) -> np.ndarray:
        return check_samples(X, self.input_shape, flat=not self.is_convolutional)
