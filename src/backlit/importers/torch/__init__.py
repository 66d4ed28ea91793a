"""Models from PyTorch."""

from typing import Any

from backlit.checks import is_int
from backlit.importers.builder import GraphBuilder, Tensor, UnsupportedError, finish
from backlit.importers.builder.batches import DEPENDS, first_difference
from backlit.model import Model


def from_torch(
    module: Any,
    example_input: Any,
    *,
    output: int | None = None,
    name: str | None = None,
    outputs: str | None = None,
    channels_last: bool | None = None,
) -> Model:
    """Import a PyTorch module in evaluation mode.

    The module is traced by `torch.export`, so that it does not matter how it is written:
    functional calls, in-place operations, modules called several times, residual additions.
    Weights are copied (as float32); the module is left as it was, but that lazy layers get their
    shapes. An exported program's ``module()`` is taken too, and its layers keep their names; as
    that has no modes any more, it must have been exported in evaluation mode.

    Layers are named as in the module: ``layer="layer4.1.conv2"``, or ``"layer4"`` for the output
    of the whole part. A module that is called several times stands for its last call, an
    operation in a `forward` has the module's path and the operator's name, ``layer4.1.add``. A
    softmax or sigmoid at the end is set aside: its name, and those of parts that end with it,
    stand for the logits. A part of whose results several are used is no layer: an error names
    those within that compute them. Samples are the first axis of what is found, also where the
    module has them along another, or along one with other things. Without names are modules that
    compute nothing (Identity), and zero padding that a convolution takes as its own (ZeroPad2d).

    Parameters
    ----------
    module : torch.nn.Module
        Takes a batch of samples, returns a row of scores for each; a softmax or sigmoid at the
        end is set aside. Other outputs are flattened to a row, in C order: of shape (N, 2, 3), the
        output [:, i, j] is target 3 i + j.
    example_input : tensor or array of shape (N, ...)
        A batch that the module takes; only its shape matters, and that it holds floating-point
        numbers: it is cast to the type of the module's weights, if they are of one. The model
        takes any number of samples of that shape.
    output : int, optional
        Which one is meant, if the module returns several tensors.
    name : str, optional
        What to call the model in pictures and tables; by default the module's class.
    outputs : {"classes", "binary", "labels", "values"}, optional
        What the scores mean: see `backlit.Model`. By default the end of the module decides: the
        only output of a sigmoid is the probability of class 1 of two.
    channels_last : bool, optional
        Whether the module's images are (height, width, channels). By default they are if it
        begins with moving the channels to the front (``x.permute(0, 3, 1, 2)``).

    Returns
    -------
    Model

    Raises
    ------
    ImportError
        If PyTorch is not installed.
    TypeError
        If an argument has another type.
    ValueError
        If the module cannot be traced, or it uses operators that cannot be imported (all are
        listed, with their places in the module), or it computes with several samples together,
        or with their number.

    Examples
    --------
    >>> model = bl.from_torch(resnet, torch.zeros(1, 3, 224, 224))  # doctest: +SKIP
    >>> bl.grad_cam(model, images, layer="layer4")  # doctest: +SKIP
    """
    try:
        import torch
    except ImportError:
        raise ImportError(
            'from_torch needs PyTorch, which is not installed: pip install "backlit[torch]"'
        ) from None
    from backlit.importers.torch.export import ExportError, export

    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, not {type(module).__name__}")
    example = _example(torch, module, example_input)
    # Of two samples, so that it shows where samples mix; a module that is written for a certain
    # number of samples cannot be traced but with that.
    try:
        program = export(module, torch.cat([example[:1]] * 2))
    except ExportError as error:
        try:
            program = export(module, example)
        except ExportError:
            raise ValueError(f"module cannot be traced by torch.export:\n{error}") from None
    name = type(module).__name__ if name is None else name
    try:
        builder, result = _import(program, output, channels_last)
        if place := _first_difference(torch, module, example, builder, result, output):
            raise UnsupportedError(f"{place}: its result {DEPENDS}")
        return finish(builder, result, name, outputs)
    except UnsupportedError as error:
        raise ValueError(
            f"module uses operators that cannot be imported:\n{_indented(str(error))}"
        ) from None


def _example(torch: Any, module: Any, example_input: Any) -> Any:
    if isinstance(example_input, list | tuple):
        raise TypeError(
            f"example_input must be one tensor, got a {type(example_input).__name__} of "
            f"{len(example_input)}: wrap a module of several inputs into one that takes one"
        )
    try:
        example = torch.as_tensor(example_input)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"example_input must be a tensor or array, not {type(example_input).__name__}: {error}"
        ) from None
    weights = [weight for weight in module.parameters() if weight.is_floating_point()]
    if not isinstance(example_input, torch.Tensor):
        weight = weights[0] if weights else example.float()
        example = example.to(weight.device, weight.dtype)
    elif example.is_floating_point() and len({weight.dtype for weight in weights}) == 1:
        example = example.to(weights[0].dtype)
    if not example.is_floating_point():
        raise TypeError(f"example_input must hold floating-point numbers, not {example.dtype}")
    if example.ndim < 2 or 0 in example.shape:
        raise ValueError(
            "example_input must be a batch of samples, of shape (N, features) or of more axes, "
            f"(N, ...), but has shape {tuple(example.shape)}"
        )
    return example.detach()


def _first_difference(
    torch: Any, module: Any, example: Any, builder: GraphBuilder, result: Tensor, output: int | None
) -> str | None:
    """Where a module makes of three samples what it did not make of two."""
    from backlit.importers.torch.export import ExportError, export

    try:
        program = export(module, torch.cat([example[:1]] * 3))
    except ExportError:  # written for so many samples
        return None
    other, same = _import(program, output, builder.moves_samples)
    return first_difference((builder.graph, result), (other.graph, same))


def _import(
    program: Any, output: int | None, channels_last: bool | None
) -> tuple[GraphBuilder, Tensor]:
    from backlit.importers.builder.moved import Moved
    from backlit.importers.torch.convert import Converter, Failed

    converter = Converter(program, channels_last)
    results = converter.outputs()
    if output is not None and not is_int(output):
        raise TypeError(f"output must be an int, not {type(output).__name__}: {output!r}")
    if output is None:
        results = [result for result in results if result is not None]
    if output is None and len(results) > 1:
        raise ValueError(f"output must be given: the module returns {len(results)} tensors")
    if not results:
        raise ValueError("module must return a tensor, but returns nothing")
    if output is not None and not -len(results) <= output < len(results):
        raise ValueError(f"output must be less than {len(results)}, got {output}")
    result = results[output or 0]
    if isinstance(result, Failed):
        raise UnsupportedError("\n".join(dict.fromkeys(result.problems)))
    if isinstance(result, Moved):
        raise UnsupportedError("the output's samples are not along axis 0")
    if not isinstance(result, Tensor):
        raise ValueError("module must return a tensor that depends on its input")
    return converter.builder, result


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
