"""Models on disk: one ``.npz`` of a description in JSON and the weights, without pickle."""

import json
import zipfile
from dataclasses import fields
from os import PathLike
from typing import Any

import numpy as np

from backlit import layers as layer_module
from backlit.files import replacing
from backlit.layers import Layer
from backlit.model import Model

FORMAT = "backlit model 1"


def save(model: Model, path: str | PathLike[str], *, half: bool = False) -> None:
    """Save a model's architecture and weights.

    Parameters
    ----------
    model : Model
    path : path
        Ends in ``.npz``. Written aside, then renamed.
    half : bool
        Whether to store weights as float16, which halves the file; they are float32 again once
        loaded.
    """
    if not isinstance(model, Model):
        raise TypeError(f"model must be a Model, not {type(model).__name__}")
    if not str(path).endswith(".npz"):
        raise ValueError(f"path must end in .npz, got {str(path)!r}")
    arrays: dict[str, np.ndarray] = {}
    description = {
        "format": FORMAT,
        "name": model.name,
        "input_shape": model.input_shape,
        "outputs": model.outputs,
        "layers": [_describe(layer, arrays, half) for layer in model.layers],
    }
    text = np.frombuffer(json.dumps(description).encode(), np.uint8)
    with replacing(path) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, description=text, **arrays)  # type: ignore[arg-type]


def load(path: Any, **options: Any) -> Model:
    """Load a model that `save` wrote, or one in ONNX.

    Parameters
    ----------
    path : path, bytes or onnx.ModelProto
        A file of `save`; or an ONNX file whose name ends in ``.onnx``, its bytes, or what the
        package `onnx` made of it (``pip install 'backlit[onnx]'``).
    **options
        For ONNX: `output`, `constants`, `input_shape`, `name` and `outputs`; see
        `backlit.importers.onnx.load_onnx`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a model, or is damaged.
    ImportError
        If the package that reads it is missing.
    """
    if _is_onnx(path):
        from backlit.importers.onnx import load_onnx

        return load_onnx(path, **options)
    if not isinstance(path, str | PathLike):
        raise TypeError(
            "path must be a path, the bytes of an ONNX file or an onnx.ModelProto, "
            f"not {type(path).__name__}"
        )
    if options:
        raise TypeError(f"{sorted(options)} are options for ONNX models only")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        description = json.loads(arrays.pop("description").tobytes())
        if description["format"] != FORMAT:
            raise ValueError(f"unknown format {description['format']!r}")
        layers = [_restore(entry, arrays) for entry in description["layers"]]
        return Model(
            layers,
            description["input_shape"],
            description["name"],
            outputs=description.get("outputs"),
        )
    except FileNotFoundError:
        raise
    except (
        OSError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(
            f"path must be a model saved by backlit, but {str(path)!r} is not: {error}"
        ) from error


def _is_onnx(source: Any) -> bool:
    if isinstance(source, str | PathLike):
        return str(source).endswith(".onnx")
    return isinstance(source, bytes) or type(source).__name__ == "ModelProto"


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
        arrays[name] = value.astype(np.float16) if half else value
        return {"array": name}
    if isinstance(value, tuple):
        return [_describe(item, arrays, half) for item in value]
    return value


def _restore(entry: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(entry, list):
        return [_restore(item, arrays) for item in entry]
    if not isinstance(entry, dict):
        return entry
    if "array" in entry:
        return arrays[entry["array"]]
    kind = entry["layer"]
    if kind not in layer_module.__all__ or kind == "Layer":
        raise ValueError(f"unknown layer {kind!r}")
    attributes = {name: _restore(v, arrays) for name, v in entry.items() if name != "layer"}
    layer = getattr(layer_module, kind)(**attributes)
    assert isinstance(layer, Layer)
    return layer
