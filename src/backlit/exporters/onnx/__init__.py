"""Models as ONNX: every layer and operator in operators of one opset."""

from backlit.exporters.onnx import activations, layers, operators
from backlit.exporters.onnx.saving import save_onnx, to_onnx

__all__ = ["activations", "layers", "operators", "save_onnx", "to_onnx"]
