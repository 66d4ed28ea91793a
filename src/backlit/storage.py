"""Models on disk: one ``.npz`` of a description in JSON and the weights, without pickle."""

import json
from dataclasses import fields, is_dataclass
from importlib import import_module
from os import PathLike
from os.path import splitext
from typing import Any

import numpy as np

from backlit import layers as layer_module
from backlit import operators as operator_module
from backlit.checks import whole
from backlit.files import DAMAGE, not_opened, open_arrays, replacing
from backlit.graph import Graph
from backlit.layers import Layer
from backlit.model import Model

LAYERS, GRAPH = "backlit model 1", "backlit graph 1"  # formats: what the model was made of
KINDS: dict[str, Any] = {
    name: kind
    for module in (layer_module, operator_module)
    for name, kind in vars(module).items()
    if is_dataclass(kind)
}


def save(model: Model, path: str | PathLike[str], *, half: bool = False) -> None:
    """Save a model: its architecture and weights for `load`, or as ONNX for other programs.

    Parameters
    ----------
    model : Model
        Made of layers, or by an importer.
    path : path
        Ends in ``.npz``, or in ``.onnx`` (``pip install 'backlit[onnx]'``). Written aside, then
        renamed. In ONNX the model ends in its softmax or sigmoid, if it was built with one; see
        `backlit.exporters.onnx.to_onnx`.
    half : bool
        Whether to store weights as float16 (those that are within its range), which halves the
        file; they are float32 again once loaded. For ``.npz`` alone.

    Raises
    ------
    ValueError, TypeError
        For a path with another ending, or arguments that do not fit together.
    ImportError
        If the package that writes ONNX is missing.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, not {type(model).__name__}")
    if str(path).lower().endswith(".onnx"):
        if half:
            raise ValueError("half must be False for an .onnx file, which holds float32")
        from backlit.exporters.onnx import save_onnx

        save_onnx(model, path)
        return
    if not str(path).lower().endswith(".npz"):
        raise ValueError(f"path must end in .npz or .onnx, got {str(path)!r}")
    arrays: dict[str, np.ndarray] = {}
    description: dict[str, Any] = {
        "format": LAYERS if model._is_chain else GRAPH,
        "name": model.name,
        "input_shape": model.input_shape,
        "outputs": model.outputs,
    }
    if model._is_chain:
        description["layers"] = [_describe(layer, arrays, half) for layer in model.layers]
    else:
        graph = model._source
        description |= {"input_shape": graph.shapes[0], "channels_last": model.channels_last}
        description |= {"names": graph.names, "output": graph.output}
        description["nodes"] = [
            {
                "name": node.name,
                "inputs": node.inputs,
                "output": node.output,
                "layer": _describe(node.layer, arrays, half),
            }
            for node in graph.nodes
        ]
    text = np.frombuffer(json.dumps(description, default=_plain).encode(), np.uint8)
    with replacing(path) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, description=text, **arrays)  # type: ignore[arg-type]


# Keras comes first: on PyTorch, its models are PyTorch's modules, too
FRAMEWORKS = ("keras", "torch", "sklearn")
# Who takes what the owner of such files makes of them
OF_OTHERS = {
    **dict.fromkeys((".pt", ".pth", ".pt2"), "from_torch"),
    **dict.fromkeys((".keras", ".h5"), "from_keras"),
    **dict.fromkeys((".joblib", ".pkl", ".pickle"), "from_sklearn"),
}


def load(path: Any, **options: Any) -> Model:
    """Load a model that `save` wrote, one in ONNX, or one of another framework.

    Parameters
    ----------
    path : path, bytes, onnx.ModelProto, or a model of PyTorch, Keras or scikit-learn
        A file of `save`; or an ONNX file whose name ends in ``.onnx``, its bytes, or what the
        package `onnx` made of it (``pip install 'backlit[onnx]'``); or what `from_torch`,
        `from_keras` or `from_sklearn` takes.
    **options
        For ONNX: `output`, `constants`, `input_shape`, `name`, `outputs` and `channels_last`; see
        `backlit.importers.onnx.load_onnx`. For a framework's model those of its function: for
        PyTorch, `example_input` at least.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If it is nothing that can be loaded, or options do not fit it.
    ValueError
        If it is not such a model, or is damaged.
    ImportError
        If the package that reads it is missing.
    """
    if _is_onnx(path):
        from backlit.importers.onnx import load_onnx

        return load_onnx(path, **options)
    if framework := _framework(path):
        if framework == "torch" and "example_input" not in options:
            raise TypeError("example_input must be given: a PyTorch module is traced with it")
        door = import_module(f"backlit.importers.{framework}")
        model: Model = getattr(door, f"from_{framework}")(path, **options)
        return model
    if not isinstance(path, str | PathLike):
        raise TypeError(
            "path must be a path, the bytes of an ONNX file, an onnx.ModelProto, or a model of "
            f"PyTorch, Keras or scikit-learn, not {type(path).__name__}"
        )
    if options:
        raise TypeError(only_onnx_takes(options))
    if importer := OF_OTHERS.get(splitext(path)[1].lower()):
        raise ValueError(
            f"path must be a model saved by backlit or in ONNX, got {str(path)!r}: load it with "
            f"its own framework, and give what that returns to {importer}"
        )
    try:
        file = open_arrays(path)
        if isinstance(file, np.ndarray):
            raise ValueError("it is a single array")
        with file:
            arrays = {name: file[name] for name in file.files}
        if "description" not in arrays:
            raise ValueError(f"it holds the arrays {list(arrays)}, but no description")
        description = json.loads(arrays.pop("description").tobytes())
        form, meaning = description["format"], description.get("outputs")
        if form == LAYERS:
            layers = [_restore(entry, arrays) for entry in description["layers"]]
            return Model(layers, description["input_shape"], description["name"], outputs=meaning)
        if form == GRAPH:
            graph = _restore_graph(description, arrays)
            last = description["channels_last"]
            return Model.of_graph(graph, description["name"], outputs=meaning, channels_last=last)
        raise ValueError(f"unknown format {form!r}")
    except DAMAGE as error:
        if not_opened(error):
            raise
        raise ValueError(
            f"path must be a model saved by backlit, but {str(path)!r} is not: {error}"
        ) from error


def only_onnx_takes(options: dict[str, Any]) -> str:
    """What to say of options that were given for another model."""
    return f"only ONNX models take {', '.join(sorted(options))}"


def _is_onnx(source: Any) -> bool:
    if isinstance(source, str | PathLike):
        return str(source).lower().endswith(".onnx")
    return (
        isinstance(source, bytes | bytearray | memoryview) or type(source).__name__ == "ModelProto"
    )


def _framework(source: Any) -> str | None:
    """Whose model it is, told by the modules of its classes: nothing is loaded for that."""
    modules = {kind.__module__.partition(".")[0] for kind in type(source).__mro__}
    return next((name for name in FRAMEWORKS if name in modules), None)


def _describe(value: Any, arrays: dict[str, np.ndarray], half: bool) -> Any:
    """A layer (or an attribute of one) as JSON; arrays are put aside under a number."""
    if isinstance(value, Layer):
        attributes = {
            field.name: _describe(getattr(value, field.name), arrays, half)
            for field in fields(value)  # type: ignore[arg-type]
        }
        return {"layer": type(value).__name__, **attributes}
    if isinstance(value, np.ndarray):
        name = f"array{len(arrays)}"
        arrays[name] = _halved(value) if half else value
        return {"array": name}
    if isinstance(value, tuple):
        return [_describe(item, arrays, half) for item in value]
    return value


def _halved(values: np.ndarray) -> np.ndarray:
    """Weights as float16; indices, and weights that would become infinite, as they are."""
    if values.dtype.kind != "f" or np.abs(values).max(initial=0) > np.finfo(np.float16).max:
        return values
    return values.astype(np.float16)


def _plain(value: Any) -> Any:
    """NumPy's numbers among a layer's attributes, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _restore_graph(description: dict[str, Any], arrays: dict[str, np.ndarray]) -> Graph:
    """The graph; its tensors are numbered anew, without those that no node computes."""
    graph = Graph([tuple(whole("input_shape", n, 1) for n in description["input_shape"])])
    tensors = {0: 0}
    for entry in description["nodes"]:
        layer = _restore(entry["layer"], arrays)
        inputs = tuple(tensors[number] for number in entry["inputs"])
        tensors[entry["output"]] = graph.append(layer, inputs, entry["name"])
    graph.output = tensors[description["output"]]
    graph.names = {name: tensors[number] for name, number in description["names"].items()}
    return graph


def _restore(entry: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(entry, list):
        return [_restore(item, arrays) for item in entry]
    if not isinstance(entry, dict):
        return entry
    if "array" in entry:
        return arrays[entry["array"]]
    kind = entry["layer"]
    if kind not in KINDS:
        raise ValueError(f"unknown layer {kind!r}")
    attributes = {name: _restore(v, arrays) for name, v in entry.items() if name != "layer"}
    layer = KINDS[kind](**attributes)
    assert isinstance(layer, Layer)
    return layer
