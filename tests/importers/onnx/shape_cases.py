"""More cases: pooling, normalisation, reductions, and operators that change shapes."""

from itertools import product

import numpy as np

from tests.importers.onnx.models import make_model, one_operator
from tests.importers.onnx.operator_cases import IMAGE, RNG, floats, integers, normal, positive


def pooling():
    for kind in ("MaxPool", "AveragePool"):
        yield f"{kind}", one_operator(kind, IMAGE, kernel_shape=[2, 3])
        more = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 0, 0, 1]}
        yield f"{kind} uneven", one_operator(kind, IMAGE, **more)
        yield f"{kind} ceil", one_operator(kind, IMAGE, **more, ceil_mode=1)
        yield f"{kind} 1-D", one_operator(kind, (3, 11), kernel_shape=[3], strides=[2])
        for automatic in ("SAME_UPPER", "SAME_LOWER", "VALID"):
            same = {"auto_pad": automatic, "kernel_shape": [3, 2], "strides": [2, 2]}
            yield f"{kind} {automatic}", one_operator(kind, IMAGE, **same)
        wide = {"kernel_shape": [3, 3], "pads": [2, 2, 2, 2]}
        yield f"{kind} wide padding", one_operator(kind, IMAGE, **wide)
        dilated = {"kernel_shape": [2, 2], "dilations": [3, 2], "pads": [1, 1, 1, 1]}
        yield f"{kind} dilated", one_operator(kind, IMAGE, (), 19, **dilated)
        yield f"Global{kind}", one_operator(f"Global{kind}", IMAGE)
        yield f"Global{kind} 1-D", one_operator(f"Global{kind}", (3, 11))
    for padded, ceil_mode in product((0, 1), (0, 1)):
        more = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 0, 1]}
        more |= {"count_include_pad": padded, "ceil_mode": ceil_mode}
        yield f"padding counts {padded} {ceil_mode}", one_operator("AveragePool", IMAGE, **more)
    for p in (1, 2, 3):
        lp = {"kernel_shape": [2, 3], "strides": [2, 2], "p": p}
        yield f"LpPool {p}", one_operator("LpPool", IMAGE, **lp)
        yield f"GlobalLpPool {p}", one_operator("GlobalLpPool", IMAGE, p=p)


def normalization():
    for shape in ((5,), (5, 6), (5, 4, 3), (5, 2, 3, 2)):
        statistics = [normal(5), normal(5), normal(5), positive(5)]
        yield f"batch {shape}", one_operator("BatchNormalization", shape, statistics, epsilon=0.01)
    folded = [("Conv", "x w", "c", {}), ("BatchNormalization", "c a b m v", "y", {})]
    constants = {"w": normal(4, 3, 3, 3), "a": normal(4), "b": normal(4)}
    constants |= {"m": normal(4), "v": positive(4)}
    yield "batch folded", make_model(folded, IMAGE, constants)
    yield "instance", one_operator("InstanceNormalization", IMAGE, [normal(3), normal(3)])
    for opset, size in ((18, 2), (21, 4)):
        scales = [normal(size), normal(size)]
        group = one_operator("GroupNormalization", (4, 3, 5), scales, opset, num_groups=2)
        yield f"group {opset}", group
    yield "layer", one_operator("LayerNormalization", (4, 6), [normal(6), normal(6)])
    yield "layer axis", one_operator("LayerNormalization", (4, 6), [normal(4, 6)], axis=1)
    yield "RMS", one_operator("RMSNormalization", (4, 6), [normal(6)], 23)
    yield "mean variance", one_operator("MeanVarianceNormalization", IMAGE, axes=[2, 3])
    for p in (1, 2):
        yield f"Lp {p}", one_operator("LpNormalization", IMAGE, axis=1, p=p)
    yield "LRN", one_operator("LRN", (6, 3, 3), size=3)
    lrn = {"size": 4, "alpha": 0.5, "beta": 0.6, "bias": 2.0}
    yield "LRN even", one_operator("LRN", (6, 3, 3), **lrn)


def softmax():
    """Followed by a function, so that it is not set aside."""
    for kind, opset, axis in product(("Softmax", "LogSoftmax"), (11, 13), (1, 2, -1)):
        nodes = [(kind, "x", "s", {"axis": axis}), ("Exp", "s", "y", {})]
        yield f"{kind} {opset} {axis}", make_model(nodes, (3, 4, 2), opset=opset)


def reductions():
    kinds = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"]
    for kind in [*kinds, "ReduceProd", "ReduceSumSquare", "ReduceLogSumExp"]:
        for axes in ([1], [2, 3], [-1, 1]):
            as_input = 13 if kind == "ReduceSum" else 18
            name = f"{kind} {axes}"
            yield name, one_operator(kind, IMAGE, [integers(*axes)], as_input, keepdims=0)
            yield f"{name} old", one_operator(kind, IMAGE, (), 11, axes=axes)
    nodes = [("Exp", "x", "e", {}), ("ReduceLogSum", "e", "y", {"axes": [1]})]
    yield "ReduceLogSum", make_model(nodes, IMAGE)
    noop = {"noop_with_empty_axes": 1}
    for exclusive, reverse in product((0, 1), (0, 1)):
        how = {"exclusive": exclusive, "reverse": reverse}
        yield f"CumSum {exclusive} {reverse}", one_operator("CumSum", IMAGE, [np.int64(-2)], **how)
    yield "nothing", one_operator("ReduceSum", IMAGE, **noop)


def shapes():
    yield "Flatten", one_operator("Flatten", IMAGE)
    yield "Flatten -3", one_operator("Flatten", IMAGE, axis=-3)
    yield "Reshape", one_operator("Reshape", IMAGE, [integers(0, -1, 6)])
    yield "Reshape open", one_operator("Reshape", IMAGE, [integers(-1, 42, 3)])
    yield "Transpose", one_operator("Transpose", IMAGE, perm=[0, 2, 3, 1])
    yield "Squeeze", one_operator("Squeeze", (3, 1, 4, 1), [integers(-1)])
    yield "Squeeze old", one_operator("Squeeze", (3, 1, 4, 1), (), 11, axes=[2, 4])
    yield "Squeeze all", one_operator("Squeeze", (3, 1, 4, 1))
    yield "Unsqueeze", one_operator("Unsqueeze", (3, 4), [integers(1, -1)])
    yield "Unsqueeze old", one_operator("Unsqueeze", (3, 4), (), 11, axes=[2])
    yield "Expand", one_operator("Expand", (3, 1, 6), [integers(1, 3, 5, 1)])
    yield "Tile", one_operator("Tile", (3, 4), [integers(1, 2, 3)])
    for kind, size in product(("DepthToSpace",), (8,)):
        for mode in ("DCR", "CRD"):
            yield mode, one_operator(kind, (size, 2, 3), blocksize=2, mode=mode)
    yield "SpaceToDepth", one_operator("SpaceToDepth", (2, 4, 6), blocksize=2)
    for kind in ("Identity", "Dropout"):
        yield kind, make_model([(kind, "x", "i", {}), ("Exp", "i", "y", {})], IMAGE)
    cast = [("Cast", "x", "d", {"to": 1}), ("Exp", "d", "y", {})]
    yield "Cast", make_model(cast, IMAGE)
    like = [("CastLike", "x c", "d", {}), ("Exp", "d", "y", {})]
    yield "CastLike", make_model(like, IMAGE, {"c": floats(1)})


def folded():
    """Shapes computed from the input's shape."""
    flat = [
        ("Shape", "x", "s", {}),
        ("Gather", "s zero", "n", {}),
        ("Unsqueeze", "n axis", "u", {}),
        ("Concat", "u rest", "t", {"axis": 0}),
        ("Reshape", "x t", "y", {}),
    ]
    constants = {"zero": np.int64(0), "axis": integers(0), "rest": integers(-1)}
    yield "Flatten by Shape", make_model(flat, IMAGE, constants)
    grown = [
        ("Shape", "x", "s", {}),
        ("Slice", "s two four", "size", {}),
        ("Mul", "size factor", "new", {}),
        ("Slice", "s zero two", "first", {}),
        ("Concat", "first new", "t", {"axis": 0}),
        ("Resize", "x - - t", "y", {"mode": "nearest"}),
    ]
    constants = {"two": integers(2), "four": integers(4), "zero": integers(0)}
    yield "Resize by Shape", make_model(grown, IMAGE, constants | {"factor": integers(2)})
    ones = [
        ("Shape", "x", "s", {}),
        ("ConstantOfShape", "s", "o", {}),
        ("Exp", "o", "e", {}),
        ("Add", "x e", "y", {}),
    ]
    yield "ConstantOfShape", make_model(ones, IMAGE)
    sized = [("Size", "x", "s", {}), ("Cast", "s", "f", {"to": 1}), ("Shape", "x", "h", {})]
    sized += [("Slice", "h zero one", "n", {}), ("Cast", "n", "m", {"to": 1})]
    sized += [("Div", "f m", "c", {}), ("Div", "x c", "y", {})]
    yield "Size", make_model(sized, IMAGE, {"zero": integers(0), "one": integers(1)})

    columns = [("Shape", "x", "s", {"start": 3}), ("Squeeze", "s zero", "w", {})]
    columns += [("Range", "first w step", "r", {}), ("TopK", "weights two", "t i", {})]
    columns += [("ArgMax", "weights", "a", {"keepdims": 0}), ("NonZero", "mask", "n", {})]
    columns += [("Gather", "x r", "g", {"axis": 3}), ("Gather", "g i", "h", {"axis": 3})]
    columns += [("Gather", "h a", "k", {"axis": 2}), ("Reshape", "n flat", "m", {})]
    columns += [("Gather", "k m", "y", {"axis": 1})]
    constants = {"zero": integers(0), "first": np.int64(0), "step": np.int64(2)}
    constants |= {"weights": floats(0.5, 2, 1), "two": integers(2), "mask": floats(1, 0, 3)}
    yield "indices", make_model(columns, IMAGE, constants | {"flat": integers(-1)})
    triangle = [("Trilu", "c", "t", {"upper": 0}), ("CumSum", "t axis", "s", {})]
    triangle += [("Not", "m", "o", {}), ("And", "m o", "n", {}), ("Or", "n m", "p", {})]
    triangle += [("Equal", "s one", "e", {}), ("Xor", "e p", "q", {}), ("Where", "q x s", "y", {})]
    constants = {"c": normal(6, 6), "axis": np.int64(0), "m": normal(6, 6) > 0, "one": floats(1)}
    yield "masks", make_model(triangle, (6, 6), constants)


def joined_rows():
    """Rows of several samples under one another, as exporters write dense layers of rows."""

    def back_and_forth(middle, constants, opset=17, width=4):
        start, end = ("Reshape", "x rows", "r", {}), ("Reshape", "m back", "y", {})
        shapes = {"rows": integers(-1, 6), "back": integers(-1, 5, width)}
        return make_model([start, *middle, end], (5, 6), constants | shapes, opset)

    w, b = normal(6, 4), normal(4)
    gemm = [("Gemm", "r w b", "m", {})]
    yield "Gemm", back_and_forth(gemm, {"w": w, "b": b})
    dense = [("MatMul", "r w", "a", {}), ("Add", "a b", "c", {}), ("Relu", "c", "m", {})]
    yield "MatMul", back_and_forth(dense, {"w": w, "b": b})
    norm = [("LayerNormalization", "r g h", "m", {"axis": 1})]
    yield "LayerNormalization", back_and_forth(norm, {"g": normal(6), "h": normal(6)}, width=6)
    for opset in (11, 13):
        soft = [("Softmax", "r", "m", {"axis": 1})]
        yield f"Softmax {opset}", back_and_forth(soft, {}, opset, 6)
    halves = [("Split", "r", "a b", {"axis": -1}), ("Exp", "a", "e", {})]
    halves += [("Mul", "e b", "p", {}), ("Concat", "p a", "m", {"axis": 1})]
    yield "Split and Concat", back_and_forth(halves, {}, 13, 6)
    yield (
        "Gather",
        back_and_forth([("Gather", "r i", "m", {"axis": 1})], {"i": integers(4, 0)}, width=2),
    )
    sums = [("ReduceMax", "r", "s", {"axes": [1]}), ("Sub", "r s", "m", {})]
    yield "ReduceMax", back_and_forth(sums, {}, width=6)
    heads = [("Reshape", "r heads", "h", {}), ("Transpose", "h", "t", {"perm": [0, 2, 1]})]
    heads += [("MatMul", "h t", "q", {}), ("Flatten", "q", "m", {})]
    yield "Transpose", back_and_forth(heads, {"heads": integers(-1, 2, 3)}, width=4)
    by_shape = [("Shape", "r", "s", {}), ("Exp", "r", "e", {}), ("Reshape", "e s", "m", {})]
    yield "Shape", back_and_forth(by_shape, {}, width=6)
    axes = {"one": integers(1), "zero": integers(0)}
    lone = [("Unsqueeze", "r one", "u", {}), ("Exp", "u", "e", {}), ("Squeeze", "e one", "m", {})]
    yield "Unsqueeze", back_and_forth(lone, axes, width=6)
    flat = [("Flatten", "x", "f", {"axis": 2}), ("Sigmoid", "f", "s", {})]
    flat += [("Reshape", "s back", "y", {})]
    yield "Flatten", make_model(flat, (5, 6), {"back": integers(-1, 5, 6)})
    norm = [("BatchNormalization", "r g h m1 v", "m", {})]
    constants = {"g": normal(6), "h": normal(6), "m1": normal(6), "v": positive(6)}
    yield "BatchNormalization", back_and_forth(norm, constants, width=6)
    pads = [("Pad", "r p", "m", {})]
    yield "Pad", back_and_forth(pads, {"p": integers(0, 1, 0, 2)}, width=9)
    signs = [("Sign", "r", "s", {}), ("Greater", "r s", "g", {}), ("Where", "g r s", "m", {})]
    yield "comparisons", back_and_forth(signs, {}, width=6)
    wide = [("Unsqueeze", "r one", "u", {}), ("Expand", "u e", "w", {}), ("Exp", "w", "m", {})]
    yield "Expand", back_and_forth(wide, {"one": integers(1), "e": integers(1, 3, 1)}, width=18)


def joined_images():
    """Groups of channels that are images of their own for a while."""
    w, b = normal(3, 2, 3, 3), normal(3)
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    for name, node, back, constants in (
        ("Conv", ("Conv", "r w b", "m", {"pads": [1] * 4}), (6, 6, 6), {"w": w, "b": b}),
        ("Conv without bias", ("Conv", "r w", "m", {}), (6, 4, 4), {"w": w}),
        (
            "Conv of groups",
            ("Conv", "r w", "m", {"group": 2}),
            (8, 4, 4),
            {"w": normal(4, 1, 3, 3)},
        ),
        ("norm", ("InstanceNormalization", "r w b", "m", {}), (4, 6, 6), {"w": b[:2], "b": b[1:]}),
        ("MaxPool", ("MaxPool", "r", "m", pool), (4, 3, 3), {}),
        ("AveragePool", ("AveragePool", "r", "m", pool), (4, 3, 3), {}),
        ("GlobalAveragePool", ("GlobalAveragePool", "r", "m", {}), (4, 1, 1), {}),
        ("GlobalMaxPool", ("GlobalMaxPool", "r", "m", {}), (4, 1, 1), {}),
    ):
        nodes = [("Reshape", "x rows", "r", {}), node, ("Reshape", "m back", "y", {})]
        shapes = {"rows": integers(-1, 2, 6, 6), "back": integers(-1, *back)}
        yield name, make_model(nodes, (4, 6, 6), constants | shapes)
        yield f"{name}, one sample", make_model(nodes, (4, 6, 6), constants | shapes, batch=1)


def moved_samples():
    """The samples' axis moved behind others and back, as attention is written."""
    parts = [
        ("MatMul", "x w", "a", {}),
        ("Reshape", "a split", "b", {}),
        ("Transpose", "b", "c", {"perm": [2, 0, 3, 1, 4]}),
        ("Gather", "c zero", "q", {"axis": 0}),
        ("Gather", "c one", "k", {"axis": 0}),
        ("Transpose", "k", "t", {"perm": [0, 1, 3, 2]}),
        ("MatMul", "q t", "y", {}),
    ]
    constants = {"w": normal(6, 12), "split": integers(-1, 5, 2, 3, 2)}
    constants |= {"zero": np.int64(0), "one": np.int64(1)}
    yield "queries and keys", make_model(parts, (5, 6), constants)
    rows_first = [
        ("Transpose", "x", "a", {"perm": [1, 0, 2]}),
        ("MatMul", "a w", "b", {}),
        ("Add", "b d", "c", {}),
        ("Reshape", "c heads", "h", {}),
        ("Transpose", "h", "q", {"perm": [1, 0, 2]}),
        ("Softmax", "q", "s", {"axis": -1}),
        ("Transpose", "s", "t", {"perm": [1, 0, 2]}),
        ("Reshape", "t whole", "e", {}),
        ("Transpose", "e", "y", {"perm": [1, 0, 2]}),
    ]
    constants = {"w": normal(6, 4), "d": normal(5, 1, 4)}
    constants |= {"heads": integers(5, -1, 2), "whole": integers(5, -1, 4)}
    yield "sequence first", make_model(rows_first, (5, 6), constants)
    some = np.random.default_rng(1).random((5, 5)) < 0.7
    for name, mask, options in (
        ("plain", None, {}),
        ("causal", None, {"is_causal": 1, "scale": 0.3}),
        ("masked", normal(3, 5, 5), {}),
        ("hidden", some | np.eye(5, dtype=bool), {}),
    ):
        options |= {"q_num_heads": 3, "kv_num_heads": 3}
        mask_given = {} if mask is None else {"mask": mask}
        nodes = [("Mul", "x c", "k", {}), ("Exp", "x", "v", {})]
        nodes += [("Attention", "x k v" + " mask" * bool(mask_given), "y", options)]
        yield f"Attention {name}", make_model(nodes, (5, 6), {"c": normal(6)} | mask_given, 23)
    heads = [
        ("Transpose", "x", "a", {"perm": [1, 0, 2]}),
        ("Reshape", "a heads", "h", {}),
        ("Transpose", "h", "q", {"perm": [1, 0, 2]}),
        ("Transpose", "h", "k", {"perm": [1, 2, 0]}),
        ("MatMul", "q k", "s", {}),
        ("Softmax", "s", "t", {"axis": -1}),
        ("MatMul", "t q", "m", {}),
        ("Transpose", "m", "b", {"perm": [1, 0, 2]}),
        ("Reshape", "b rows", "r", {}),
        ("Gemm", "r w d", "g", {"transB": 1}),
        ("Reshape", "g back", "c", {}),
        ("Add", "a c", "e", {}),
        ("Transpose", "e", "y", {"perm": [1, 0, 2]}),
    ]
    constants = {"w": normal(6, 6), "d": normal(6)}
    constants |= {"rows": integers(-1, 6), "back": integers(5, -1, 6)}
    for batch, head in (("n", integers(5, -1, 3)), (1, integers(5, 2, 3)), (1, integers(5, 1, 6))):
        model = make_model(heads, (5, 6), constants | {"heads": head}, batch=batch)
        yield f"heads of {batch} {head}", model
    turn = ("Transpose", "x", "a", {"perm": [2, 1, 0]})
    for name, middle in {
        "ReduceMax": ("ReduceMax", "a", "b", {"axes": [0], "keepdims": 1}),
        "Slice": ("Slice", "a one four", "b", {}),
        "LogSoftmax": ("LogSoftmax", "a", "b", {"axis": 1}),
        "Split": ("Split", "a", "b r", {"axis": 0}),
        "Mul": ("Mul", "a c", "b", {}),
        "Concat": ("Concat", "a a", "b", {"axis": 1}),
    }.items():
        nodes = [turn, middle, ("Transpose", "b", "y", {"perm": [2, 0, 1]})]
        constants = {"one": integers(1), "four": integers(4), "c": normal(6, 1, 1)}
        yield name, make_model(nodes, (5, 6), constants)
    drop = [turn, ("ReduceMean", "a", "b", {"axes": [0, 1], "keepdims": 0}), ("Exp", "b", "e", {})]
    yield (
        "ReduceMean",
        make_model([*drop, ("Unsqueeze", "e o", "y", {})], (5, 6), {"o": integers(1)}),
    )


def indexing():
    half = ("Mul", "x k", "h", {})
    joined = [half, ("Concat", "x c h", "y", {"axis": 1})]
    yield "Concat", make_model(joined, IMAGE, {"k": floats(0.5), "c": normal(1, 2, 7, 6)}, batch=1)
    yield (
        "Concat axis",
        make_model([half, ("Concat", "x h", "y", {"axis": -1})], IMAGE, {"k": floats(2)}),
    )
    for opset, extra, attributes in (
        (11, "", {"split": [2, 1, 4]}),
        (13, " s", {}),
    ):
        nodes = [("Split", f"x{extra}", "a b c", {"axis": 2, **attributes})]
        nodes += [("Exp", "c", "e", {}), ("Concat", "e a", "y", {"axis": 2})]
        constants = {"s": integers(2, 1, 4)} if extra else {}
        yield f"Split {opset}", make_model(nodes, IMAGE, constants, opset)
    for opset, attributes in ((13, {}), (18, {"num_outputs": 2})):
        nodes = [("Split", "x", "a b", {"axis": -1, **attributes}), ("Mul", "a b", "y", {})]
        yield f"Split halves {opset}", make_model(nodes, IMAGE, opset=opset)
    attributes = {"starts": [1, -4], "ends": [3, 1000], "axes": [1, 3]}
    yield "Slice old", one_operator("Slice", IMAGE, (), 9, **attributes)
    ends = [integers(1, -1), integers(1000, -1000), integers(1, 3), integers(1, -2)]
    yield "Slice", one_operator("Slice", IMAGE, ends)
    yield "Slice all", one_operator("Slice", (5,), [integers(0, 1), integers(2**62, 4)])
    yield "Gather", one_operator("Gather", IMAGE, [integers(2, -1, 0, 0)], axis=1)
    yield "Gather one", one_operator("Gather", IMAGE, [np.int64(-1)], axis=2)
    yield (
        "Gather table",
        one_operator("Gather", IMAGE, [integers(0, 1, 2, 3).reshape(2, 2)], axis=3),
    )
    index = RNG.integers(-7, 7, (1, 3, 4, 6))
    yield "GatherElements", one_operator("GatherElements", IMAGE, [index], axis=2, batch=1)
    for upper, k in product((0, 1), (-1, 0, 2)):
        diagonal = [np.int64(k)] if k else []
        yield f"Trilu {upper} {k}", one_operator("Trilu", IMAGE, diagonal, upper=upper)
    shapes = [integers(6, 5), integers(2, 3)]
    yield "Col2Im", one_operator("Col2Im", (12, 15), shapes, 18)
    more = {"strides": [2, 1], "pads": [1, 0, 1, 2], "dilations": [1, 2]}
    yield "Col2Im, padded", one_operator("Col2Im", (12, 12), shapes, 18, **more)
    places = np.array([[[2, 0], [-1, 5]], [[0, 1], [1, -6]], [[2, 0], [0, 0]]])
    for name, first, index, back in (
        ("pairs", [2, 3, 0, 1], places, [2, 0, 1, 3]),
        ("rows", [2, 0, 1, 3], places[:, 0, :1], [1, 0, 2, 3]),
        ("triples", [1, 2, 3, 0], integers(2, -1, 3, 0, 0, 0).reshape(2, 3), [1, 0]),
    ):
        turned = [("Transpose", "x", "t", {"perm": first}), ("GatherND", "t i", "g", {})]
        turned.append(("Transpose", "g", "y", {"perm": back}))
        yield f"GatherND {name}", make_model(turned, IMAGE, {"i": index})
    lone = [("GatherND", "x i", "g", {}), ("Unsqueeze", "g o", "y", {})]
    constants = {"i": np.array([[0, 2, 1], [-1, 0, 3]]), "o": integers(0)}
    yield "GatherND of one sample", make_model(lone, IMAGE, constants, batch=1)
    amounts = [0, 0, 1, 2, 0, 0, 3, 0]
    for mode in ("constant", "reflect", "edge"):
        yield f"Pad old {mode}", one_operator("Pad", IMAGE, (), 9, mode=mode, pads=amounts)
        yield f"Pad {mode}", one_operator("Pad", IMAGE, [integers(*amounts)], mode=mode)
    yield "Pad wrap", one_operator("Pad", IMAGE, [integers(*amounts)], 19, mode="wrap")
    yield "Pad value", one_operator("Pad", IMAGE, [integers(*amounts), np.float32(1.5)])
    axes = [integers(-1, 2), None, integers(3, 1)]
    yield "Pad axes", one_operator("Pad", IMAGE, [integers(-1, 2, 1, 0), *axes[1:]], 18)


def resizing():
    four = {"scales": floats(1, 1, 2, 1.5)}
    for mode in ("nearest", "linear"):
        yield (
            f"Upsample 7 {mode}",
            one_operator("Upsample", IMAGE, (), 7, mode=mode, scales=[1.0, 1.0, 2.0, 3.0]),
        )
        nodes = [("Upsample", "x scales", "y", {"mode": mode})]
        yield f"Upsample 9 {mode}", make_model(nodes, IMAGE, {"scales": floats(1, 1, 2, 3)}, 9)
        nodes = [("Resize", "x scales", "y", {"mode": mode})]
        yield f"Resize 10 {mode}", make_model(nodes, IMAGE, four, 10)
    coordinates = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
    for mode, place in product(("nearest", "linear", "cubic"), coordinates):
        attributes = {"mode": mode, "coordinate_transformation_mode": place}
        nodes = [("Resize", "x - scales", "y", attributes)]
        yield f"{mode} {place}", make_model(nodes, IMAGE, four, 13)
    for nearest in ("round_prefer_ceil", "floor", "ceil"):
        nodes = [("Resize", "x - scales", "y", {"nearest_mode": nearest})]
        yield nearest, make_model(nodes, IMAGE, four, 13)
    nodes = [("Resize", "x - - sizes", "y", {"mode": "linear", "axes": [2, 3], "antialias": 1})]
    yield "smaller", make_model(nodes, IMAGE, {"sizes": integers(3, 4)}, 18)


FAMILIES = [pooling, normalization, softmax, reductions, shapes, folded, joined_rows, joined_images]
FAMILIES += [indexing, moved_samples, resizing]
