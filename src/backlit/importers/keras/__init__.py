"""Models from Keras 3."""

from collections.abc import Sequence
from typing import Any

from backlit.checks import choice
from backlit.importers.builder import finish
from backlit.importers.builder.batches import DEPENDS, STAND_INS, first_difference
from backlit.model import Model


def from_keras(
    model: Any,
    *,
    input_shape: Sequence[int] | None = None,
    output: str | None = None,
    name: str | None = None,
    outputs: str | None = None,
) -> Model:
    """Import a Keras 3 model, Sequential or functional, as its `predict` computes.

    The graph of layers is read, whatever Keras's backend. Weights are copied (as float32). Models
    within the model, shared layers, residual additions and operations of `keras.ops` between
    layers are followed. Layers and models of one's own, Lambdas, and layers with such an activation
    are traced: their `call` is run with symbolic tensors, and must consist of layers and
    `keras.ops`.

    The model takes samples as the Keras model does: images with their channels last (or first, if
    the model's layers say ``data_format="channels_first"``), and returns maps of the same shape.
    Layers have Keras's names, ``layer="conv2d_3"``; in a model within the model,
    ``"mobilenet/conv1"``, and ``"mobilenet"`` for its output. The second call of a shared layer is
    ``"conv2d_3@2"``. A layer with an activation is named for the activation's output, what is
    before that is ``"conv2d_3.1"`` (a last softmax or sigmoid is set aside, and the layer's name
    stands for the logits). Layers that do nothing at inference (Dropout) have no output
    of their own. Inner layers' maps have their channels as the model's samples do: last for
    images, and first for samples that are no images.

    Parameters
    ----------
    model : keras.Model
        Sequential, functional, or a subclass that has its weights.
    input_shape : tuple of ints, optional
        The shape of one sample, where the model leaves it open (``Input((None, None, 3))``), and
        of a subclass of Model.
    output : str, optional
        Which one is meant, if the model has several: the name of the layer that computes it.
    name : str, optional
        What to call the model in pictures and tables. Default: the Keras model's name.
    outputs : {"classes", "binary", "labels", "values"}, optional
        As for `backlit.Model`. A softmax or sigmoid at the end (also the activation of a last
        Dense) is set aside.

    Returns
    -------
    Model

    Raises
    ------
    ImportError
        Without Keras: ``pip install 'backlit[keras]'``.
    TypeError
        If it is no Keras model.
    ValueError
        If its graph is not known (it is not built), if it has several inputs, if its results
        depend on the number of samples, or if it has layers that cannot be imported: all are
        listed, with their names.

    Notes
    -----
    These layers are taken: Dense, EinsumDense, TimeDistributed (of Dense); Conv, DepthwiseConv,
    SeparableConv and ConvTranspose (1D, 2D); MaxPooling, AveragePooling, GlobalMaxPooling,
    GlobalAveragePooling (1D, 2D); BatchNormalization, LayerNormalization, RMSNormalization,
    GroupNormalization, UnitNormalization, SpectralNormalization; Activation (all names but
    sparsemax, threshold and glu), ReLU, LeakyReLU, PReLU, ELU, Softmax; MultiHeadAttention,
    GroupQueryAttention and Attention (without masks, but causal ones); Flatten, Reshape, Permute,
    RepeatVector, ZeroPadding, Cropping, UpSampling (1D, 2D), Resizing, CenterCrop; Add, Subtract,
    Multiply, Average, Maximum, Minimum, Concatenate, Dot; Rescaling, Normalization; Identity, and
    what does nothing at inference: dropouts, noise, random augmentation. Of `keras.ops`:
    arithmetic, comparisons, where, activations, sines and cosines, reductions, norms, matrix
    products, einsum, attention, convolutions, pooling, resizing, patches, reshape, transpose,
    expand_dims, squeeze, slices, split, take, pad, roll, flip, repeat, tile, concatenate, stack.
    Samples may not be joined with other axes, as in windows of ``(samples * windows, ...)``.

    Average pooling with padding "same" that differs on two sides is computed as the Keras backend
    does: PyTorch's repeats the edge, others leave the padding out.

    Examples
    --------
    >>> model = bl.from_keras(keras_model)  # doctest: +SKIP
    >>> bl.grad_cam(model, images, layer="conv2d_3")  # doctest: +SKIP
    """
    try:
        import keras
    except ImportError as error:
        raise ImportError("from_keras needs Keras 3: pip install 'backlit[keras]'") from error
    from backlit.importers.keras.convert import is_graph

    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a Keras model, not {type(model).__name__}")
    title = model.name
    if not is_graph(model):
        if input_shape is None or not model.built:
            raise ValueError(
                f"model must be a Sequential or functional Keras model that is built, but the "
                f"graph of {title!r} is not known: a Sequential needs an Input first, a subclass "
                "of keras.Model input_shape, and to have its weights"
            )
        model = _called(model, input_shape)
    if len(model.inputs) != 1:
        names = ", ".join(repr(tensor.name) for tensor in model.inputs)
        raise ValueError(
            f"model must have one input, but has {len(model.inputs)}: {names}; make a functional "
            "model of one input, with the others as constants"
        )
    position = _position(model, output)
    shape = _sample_shape(tuple(model.inputs[0].shape)[1:], input_shape)
    converter, last = _import(model, shape, position, STAND_INS[0])
    if converter.traces:
        other, same = _import(model, shape, position, STAND_INS[1])
        graphs = (converter.builder.graph, last), (other.builder.graph, same)
        if place := first_difference(*graphs):
            raise ValueError(f"model cannot be imported: {place}: its result {DEPENDS}")
    converter.enter_names()
    return finish(converter.builder, last, name or title, outputs)


def _import(model: Any, shape: tuple[int, ...], position: int, batch: int) -> Any:
    """The converter, after its work, and the output that is meant."""
    from backlit.importers.keras import layout
    from backlit.importers.keras.builder import KerasBuilder
    from backlit.importers.keras.convert import Converter, graph_of, has_channels_last

    builder = KerasBuilder(shape, has_channels_last(model, len(shape) + 1), batch)
    converter = Converter(builder)
    results = converter.run(graph_of(model), [layout.held_input(builder)])
    if converter.problems:
        listed = "\n".join(f"    {problem}" for problem in converter.problems)
        raise ValueError(f"model has layers that cannot be imported:\n{listed}")
    return converter, layout.reorder(builder, results[position])


def _called(model: Any, shape: Sequence[int]) -> Any:
    """A functional model that calls another one."""
    import keras

    inputs = keras.Input(tuple(shape))
    return keras.Model(inputs, model(inputs))


def _position(model: Any, output: str | None) -> int:
    """Which of the model's outputs is meant."""
    names = list(model.output_names) if hasattr(model, "output_names") else []
    if output is None:
        if len(model.outputs) > 1:
            raise ValueError(f"output must be given, one of {', '.join(map(repr, names))}")
        return 0
    return names.index(choice("output", output, names))


def _sample_shape(own: tuple[int | None, ...], given: Sequence[int] | None) -> tuple[int, ...]:
    """The shape of a sample: the model's, what it leaves open being given."""
    if given is None:
        if None in own:
            raise ValueError(f"input_shape must be given: the model leaves it open, {own}")
        return tuple(int(n) for n in own if n is not None)
    shape = tuple(int(n) for n in given)
    fits = len(shape) == len(own) and all(
        n > 0 and wanted in (None, n) for n, wanted in zip(shape, own, strict=True)
    )
    if not fits:
        raise ValueError(f"input_shape must fit the model's, {own}, got {shape}")
    return shape
