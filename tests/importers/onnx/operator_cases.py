"""Operators over their attributes and versions: (name, model) of each case."""

import numpy as np

from tests.importers.onnx.models import make_model, one_operator

RNG = np.random.default_rng(7)
IMAGE = (3, 7, 6)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape):
    return np.abs(normal(*shape)) + np.float32(0.5)


def integers(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


def convolutions():
    w, b = normal(4, 3, 3, 2), normal(4)
    yield "plain", one_operator("Conv", IMAGE, [w])
    yield "bias", one_operator("Conv", IMAGE, [w, b], kernel_shape=[3, 2])
    yield "uneven", one_operator("Conv", IMAGE, [w, b], pads=[1, 0, 2, 1], strides=[2, 1])
    yield "dilated", one_operator("Conv", IMAGE, [w, b], dilations=[2, 3], pads=[2, 2, 2, 2])
    yield "cropping", one_operator("Conv", IMAGE, [w, b], pads=[-1, 0, 1, -1])
    for automatic in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        attributes = {"auto_pad": automatic, "strides": [2, 2]}
        yield automatic, one_operator("Conv", IMAGE, [w, b], **attributes)
        yield f"old {automatic}", one_operator("Conv", IMAGE, [w, b], 7, **attributes)
    yield "depthwise", one_operator("Conv", IMAGE, [normal(6, 1, 3, 3)], group=3)
    yield "1-D", one_operator("Conv", (3, 11), [normal(4, 3, 3), b], strides=[2], pads=[2, 1])
    yield "1-D same", one_operator("Conv", (3, 11), [normal(4, 3, 4)], auto_pad="SAME_LOWER")
    first = ("Constant", "", "w", {"value": _tensor(w)})
    yield "Constant node", make_model([first, ("Conv", "x w", "y", {})], IMAGE)


def _tensor(array):
    from onnx import numpy_helper

    return numpy_helper.from_array(array)


def transposed_convolutions():
    w, b = normal(3, 4, 3, 2), normal(4)
    yield "plain", one_operator("ConvTranspose", IMAGE, [w, b])
    yield "strided", one_operator("ConvTranspose", IMAGE, [w], strides=[2, 3], pads=[1, 0, 0, 1])
    more = {"strides": [2, 3], "output_padding": [1, 2], "dilations": [2, 1]}
    yield "output_padding", one_operator("ConvTranspose", IMAGE, [w, b], **more)
    yield "groups", one_operator("ConvTranspose", IMAGE, [normal(3, 2, 3, 3)], group=3)
    for automatic in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        more = {"auto_pad": automatic, "strides": [2, 2]}
        yield automatic, one_operator("ConvTranspose", IMAGE, [w], **more)
    more = {"strides": [2, 2], "output_shape": [14, 12]}
    yield "output_shape", one_operator("ConvTranspose", IMAGE, [w], **more)
    yield "1-D", one_operator("ConvTranspose", (3, 7), [normal(3, 4, 3)], strides=[2])


def products():
    yield "MatMul", one_operator("MatMul", (5,), [normal(5, 4)])
    yield "MatMul rows", one_operator("MatMul", (3, 5), [normal(5, 4)])
    yield "MatMul vector", one_operator("MatMul", (3, 5), [normal(5)])
    yield "MatMul left", one_operator("MatMul", (3, 5), [normal(4, 3)], inputs="c0 x")
    swap = ("Transpose", "x", "t", {"perm": [0, 2, 1]})
    yield "MatMul of tensors", make_model([swap, ("MatMul", "x t", "y", {})], (3, 5))
    w = normal(5, 4)
    yield "Gemm", one_operator("Gemm", (5,), [w, normal(4)])
    yield "Gemm scaled", one_operator("Gemm", (5,), [w, normal(1, 4)], alpha=0.5, beta=2.0)
    yield "Gemm transposed", one_operator("Gemm", (5,), [w.T.copy(), normal(1)], transB=1)
    yield "Gemm alone", one_operator("Gemm", (5,), [w], 11, alpha=3.0)
    sums = [("Gemm", "x w", "a", {}), ("Gemm", "x w a", "y", {"beta": 0.5})]
    yield "Gemm of tensors", make_model(sums, (5,), {"w": w})


def einsums():
    """By equation: the shape of a sample, a constant beside it (or None), and which comes first."""
    left, right = "x c0", "c0 x"
    for equation, shape, constant, inputs in (
        ("bi,ij->bj", (5,), normal(5, 4), left),
        ("b...d,de->b...e", (2, 3, 6), normal(6, 4), left),
        ("kc,bchw->bkhw", IMAGE, normal(4, 3), right),
        ("bhid,hde->bihe", (3, 5, 6), normal(3, 6, 2), left),
        ("bij,ij->bi", (4, 6), normal(4, 6), left),
        ("bij,bij->bji", (4, 6), normal(1, 4, 6), left),
        ("bi,j", (4,), normal(3), left),
        ("bi,i->b", (4,), normal(4), left),
        ("bij,jkl->bk", (4, 6), normal(6, 2, 3), left),
        ("bij,...j->b...i", (4, 6), normal(2, 3, 6), left),
    ):
        case = one_operator("Einsum", shape, [constant], inputs=inputs, equation=equation)
        yield equation, case
    for equation, shape in (
        ("b i j -> b j", (4, 6)),
        ("bhii->bi", (2, 3, 3)),
        ("b...->...b", (4,)),
    ):
        nodes = [("Einsum", "x", "e", {"equation": equation})]
        back = ("Transpose" if equation.endswith("b") else "Exp", "e", "y", {})
        yield equation, make_model([*nodes, back], shape)
    for equation in (
        *("bhid,bhjd->bhij", "bhid,bhjd->bijh", "bhid,bjke->bhkde", "bhid,bhid->bh"),
        *("bhid,bhid->bhd", "bhid,bhie->bdie", "...d,...d->...d", "bhid,bhkd,bhid->bk"),
    ):
        nodes = [("Exp", "x", "e", {}), ("Einsum", "x e", "y", {"equation": equation})]
        if equation.count(",") == 2:
            nodes[1] = ("Einsum", "x e x", "y", {"equation": equation})
        yield equation, make_model(nodes, (3, 5, 4))
    constants = [normal(2, 3), normal(3, 4)]
    first = {"inputs": "c0 c1 x", "equation": "ij,jk,bk->bi"}
    yield "constants first", one_operator("Einsum", (4,), constants, **first)
    wide = [("ReduceMean", "x", "m", {"axes": [2]})]
    wide += [("Einsum", "x m", "y", {"equation": "b...d,b...d->b..."})]
    yield "repeated", make_model(wide, (3, 5, 4))
    turned = [("Transpose", "x", "t", {"perm": [1, 0, 2]}), ("Mul", "t k", "s", {})]
    turned += [("Einsum", "s t", "y", {"equation": "ibd,jbd->bij"})]
    yield "samples in the middle", make_model(turned, (5, 4), {"k": floats(0.7)})
    rows = [("Reshape", "x rows", "r", {}), ("Einsum", "r w", "e", {"equation": "rd,de->re"})]
    rows += [("Reshape", "e back", "y", {})]
    constants = {"rows": integers(-1, 4), "back": integers(-1, 5, 3), "w": normal(4, 3)}
    yield "joined rows", make_model(rows, (5, 4), constants)
    lone = [("Einsum", "x x", "y", {"equation": "abc,adc->bd"})]
    yield "one sample", make_model(lone, (5, 4), batch=1)


def arithmetic():
    small = positive(7, 1)
    for kind in ("Add", "Sub", "Mul", "Div"):
        yield f"{kind} constant", one_operator(kind, IMAGE, [small])
        yield f"{kind} channels", one_operator(kind, IMAGE, [positive(1, 3, 1, 1)])
        yield f"{kind} number", one_operator(kind, IMAGE, [floats(1.5)])
        yield f"constant {kind}", one_operator(kind, IMAGE, [small], inputs="c0 x")
        other = [("Exp", "x", "e", {}), (kind, "x e", "y", {})]
        yield f"{kind} tensors", make_model(other, IMAGE)
        means = [("Exp", "x", "e", {}), ("GlobalAveragePool", "e", "m", {}), (kind, "x m", "y", {})]
        yield f"{kind} broadcast", make_model(means, IMAGE)
    for exponent in (2.0, 3.0, 1.0):
        yield f"Pow {exponent}", one_operator("Pow", IMAGE, [np.float32(exponent)])
    size = ("Abs", "x", "a", {})
    for exponent in (0.5, -1.0, 1.7):
        power = make_model([size, ("Pow", "a p", "y", {})], IMAGE, {"p": np.float32(exponent)})
        yield f"Pow {exponent}", power
    yield "Pow base", one_operator("Pow", IMAGE, [floats(1.7)], inputs="c0 x")
    for kind in ("Sqrt", "Log", "Reciprocal"):
        yield kind, make_model([size, (kind, "a", "y", {})], IMAGE)
    for kind in ("Exp", "Abs", "Neg", "Sin", "Cos", "Cosh", "Sinh"):
        yield kind, one_operator(kind, IMAGE)
    half = ("Tanh", "x", "t", {})  # away from the poles
    yield "Tan", make_model([half, ("Tan", "t", "y", {})], IMAGE)
    for kind in ("Floor", "Ceil", "Round"):
        rounded = [("Mul", "x k", "s", {}), (kind, "s", "r", {}), ("Mul", "x r", "y", {})]
        yield kind, make_model(rounded, IMAGE, {"k": floats(1.7)})
    twice = ("Mul", "x k", "e", {})
    for kind in ("Sum", "Mean", "Max", "Min"):
        several = [twice, (kind, "x e c d", "y", {})]
        constants = {"k": floats(-0.7), "c": normal(3, 1, 1), "d": normal(6)}
        yield kind, make_model(several, IMAGE, constants)
    chosen = normal(3, 1, 6) > 0
    where = [twice, ("Where", "m x e", "y", {})]
    yield "Where", make_model(where, IMAGE, {"k": floats(-0.7), "m": chosen})
    masked = [("Where", "m x c", "y", {})]
    yield "Where constant", make_model(masked, IMAGE, {"m": chosen, "c": normal(6)})


def comparisons():
    """As masks, and as what chooses between functions of x."""
    number, other = {"t": floats(0.1), "s": floats(-0.4)}, ("Neg", "x", "o", {})
    for kind in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual"):
        chosen = [(kind, "x t", "m", {}), ("Exp", "x", "e", {}), ("Where", "m e x", "y", {})]
        yield kind, make_model(chosen, IMAGE, number)
        chosen = [other, (kind, "o x", "m", {}), ("Where", "m x t", "y", {})]
        yield f"{kind} tensors", make_model(chosen, IMAGE, number)
        chosen = [(kind, "t x", "m", {}), ("Where", "m s x", "y", {})]
        yield f"constant {kind}", make_model(chosen, IMAGE, {"s": floats(0), "t": normal(3, 1, 1)})
    cut = [("Clip", "x t", "c", {}), ("Equal", "c t", "m", {}), ("Where", "m s x", "y", {})]
    yield "Equal", make_model(cut, IMAGE, {"t": np.float32(0.1), "s": floats(-0.4)})
    sign = [("Sign", "x", "s", {}), ("Abs", "x", "a", {}), ("Sqrt", "a", "r", {})]
    yield "Sign", make_model([*sign, ("Mul", "s r", "y", {})], IMAGE)
    sides = [("Greater", "x s", "a", {}), ("Less", "x t", "b", {})]
    for kind in ("And", "Or", "Xor"):
        ends = [(kind, "a b", "m", {}), ("Cast", "m", "f", {"to": 1}), ("Mul", "x f", "y", {})]
        yield kind, make_model([*sides, *ends], IMAGE, number)
    ends = [(kind, "a c", "m", {}), ("Where", "m x t", "y", {})]
    constants = number | {"c": normal(3, 1, 6) > 0}
    yield "Xor constant", make_model([*sides[:1], *ends], IMAGE, constants)
    ends = [("Not", "a", "m", {}), ("Where", "m x t", "y", {})]
    yield "Not", make_model([*sides[:1], *ends], IMAGE, number)


def activations():
    plain = "Relu LeakyRelu Elu Selu Sigmoid HardSigmoid Tanh Softplus Softsign Erf HardSwish"
    for kind in [*plain.split(), "Celu", "ThresholdedRelu"]:
        yield kind, one_operator(kind, IMAGE)
    yield "Mish", one_operator("Mish", IMAGE, opset=18)
    for approximate in ("none", "tanh"):
        yield f"Gelu {approximate}", one_operator("Gelu", IMAGE, (), 20, approximate=approximate)
    yield "Swish", one_operator("Swish", IMAGE, opset=24)
    yield "Swish 2", one_operator("Swish", IMAGE, (), 24, alpha=2.0)
    yield "LeakyRelu 0.3", one_operator("LeakyRelu", IMAGE, alpha=0.3)
    yield "Shrink", one_operator("Shrink", IMAGE)
    yield "Shrink, soft", one_operator("Shrink", IMAGE, lambd=0.3, bias=0.3)
    yield "Shrink, shifted", one_operator("Shrink", IMAGE, lambd=0.3, bias=0.1)
    yield "Elu 2", one_operator("Elu", IMAGE, alpha=2.0)
    yield "Celu 0.5", one_operator("Celu", IMAGE, alpha=0.5)
    yield "Selu 2", one_operator("Selu", IMAGE, alpha=2.0, gamma=0.5)
    yield "HardSigmoid 0.5", one_operator("HardSigmoid", IMAGE, alpha=0.5, beta=0.3)
    yield "PRelu channels", one_operator("PRelu", IMAGE, [normal(3, 1, 1)])
    yield "PRelu number", one_operator("PRelu", IMAGE, [floats(0.2)])
    yield "PRelu row", one_operator("PRelu", (5,), [normal(5)], 7)
    yield "Clip attributes", one_operator("Clip", IMAGE, (), 7, min=-0.5, max=0.7)
    yield "Clip low", one_operator("Clip", IMAGE, (), 10, min=-0.5)
    yield "Clip inputs", one_operator("Clip", IMAGE, [np.float32(-0.5), np.float32(0.7)])
    yield "Clip high", one_operator("Clip", IMAGE, [None, np.float32(0.7)])
    yield "ReLU6", one_operator("Clip", IMAGE, [np.float32(0), np.float32(6)])


def written_out():
    """Activation functions as exporters write them."""
    silu = [("Sigmoid", "x", "s", {}), ("Mul", "s x", "y", {})]
    yield "SiLU", make_model(silu, IMAGE)
    gate = ("HardSigmoid", "x", "s", {"alpha": 1 / 6, "beta": 0.5})
    yield "hard swish", make_model([gate, ("Mul", "x s", "y", {})], IMAGE)
    numbers = {"zero": 0, "three": 3, "six": 6, "sixth": 1 / 6}
    bounds = {name: np.float32(number) for name, number in numbers.items()}
    inner = [("Add", "x three", "s", {}), ("Clip", "s zero six", "c", {})]
    after = [("Mul", "x c", "p", {}), ("Div", "p six", "y", {})]
    before = [("Mul", "c sixth", "g", {}), ("Mul", "g x", "y", {})]
    yield "hard swish by ReLU6", make_model(inner + after, IMAGE, bounds)
    yield "hard swish by ReLU6, sixth first", make_model(inner + before, IMAGE, bounds)
    scaled = [("Mul", "x three", "h", {}), ("Add", "h three", "s", {}), inner[1]]
    scaled += [("Mul", "h c", "y", {})]
    yield "hard swish by ReLU6, of a scale", make_model(scaled, IMAGE, bounds)
    mish = [("Softplus", "x", "p", {}), ("Tanh", "p", "t", {}), ("Mul", "x t", "y", {})]
    yield "Mish", make_model(mish, IMAGE)
    yield from softpluses()
    root = {"r": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}
    inner = [("Div", "x r", "d", {}), ("Erf", "d", "e", {}), ("Add", "e one", "s", {})]
    after = [("Mul", "x s", "p", {}), ("Mul", "p half", "y", {})]
    yield "GELU", make_model(inner + after, IMAGE, root)
    before = [("Mul", "x half", "h", {}), ("Mul", "h s", "y", {})]
    yield "GELU, half first", make_model(inner + before, IMAGE, root)
    yield from tanh_gelus()


def tanh_gelus(shape=IMAGE):
    """GELU's approximation: cubes as powers, products and by Horner's rule, halves anywhere."""
    numbers = {"k": np.sqrt(2 / np.pi), "a": 0.044715, "one": 1, "half": 0.5, "three": 3}
    constants = {name: np.float32(number) for name, number in numbers.items()}
    power = [("Pow", "x three", "c", {}), ("Mul", "a c", "d", {}), ("Add", "x d", "e", {})]
    products = [("Mul", "x x", "b", {}), ("Mul", "b x", "c", {}), *power[1:]]
    horner = [("Mul", "x x", "b", {}), ("Mul", "b a", "c", {}), ("Add", "c one", "d", {})]
    horner.append(("Mul", "x d", "e", {}))
    gate = [("Mul", "e k", "f", {}), ("Tanh", "f", "g", {}), ("Add", "g one", "h", {})]
    half_first = [("Mul", "x half", "p", {}), ("Mul", "p h", "y", {})]
    half_inside = [("Mul", "h half", "p", {}), ("Mul", "x p", "y", {})]
    half_last = [("Mul", "h x", "p", {}), ("Mul", "p half", "y", {})]
    yield "GELU by tanh", make_model([*power, *gate, *half_first], shape, constants)
    yield "GELU by tanh, products", make_model([*products, *gate, *half_inside], shape, constants)
    yield "GELU by tanh, Horner", make_model([*horner, *gate, *half_last], shape, constants)


def softpluses(shape=IMAGE):
    """As PyTorch's newer exporter writes them, of x and of functions of it."""
    constants = {"beta": np.float32(2), "t": np.float32(20), "one": np.float32(1)}
    for name, source in {
        "": [("Identity", "x", "h", {})],
        " of a multiple": [("Mul", "x beta", "h", {})],
        " of a sum": [("Mul", "x beta", "g", {}), ("Add", "g one", "h", {})],
        " of a sigmoid": [("Sigmoid", "x", "h", {})],
    }.items():
        scaled = [*source, ("Mul", "h beta", "s", {}), ("Greater", "s t", "c", {})]
        parts = [*scaled, ("Softplus", "s", "p", {}), ("Div", "p beta", "q", {})]
        yield f"softplus{name}", make_model([*parts, ("Where", "c h q", "y", {})], shape, constants)
        parts = [*scaled, ("Exp", "s", "e", {}), ("Add", "one e", "f", {}), ("Log", "f", "p", {})]
        parts += [("Div", "p beta", "q", {}), ("Where", "c h q", "y", {})]
        yield f"softplus by logarithm{name}", make_model(parts, shape, constants)
    plain = [("Greater", "x t", "c", {}), ("Softplus", "x", "p", {}), ("Where", "c x p", "y", {})]
    yield "softplus, beta 1", make_model(plain, shape, constants)
    gate = [
        *plain[:2],
        ("Where", "c x p", "s", {}),
        ("Tanh", "s", "g", {}),
        ("Mul", "x g", "y", {}),
    ]
    yield "Mish, threshold", make_model(gate, shape, constants)


def all_cases():
    from tests.importers.onnx import shape_cases

    families = [convolutions, transposed_convolutions, products, einsums, arithmetic]
    for family in [*families, comparisons, activations, written_out, *shape_cases.FAMILIES]:
        for name, model in family():
            yield f"{family.__name__}: {name}", model
