"""Models from ONNX: opsets 7 to the newest, what does not depend on the input folded away."""

from backlit.importers.onnx.reading import load_onnx

__all__ = ["load_onnx"]
