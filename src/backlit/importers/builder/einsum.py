"""Einstein's summation: products of values by the letters of their axes."""

from collections.abc import Sequence
from math import prod
from string import ascii_letters

import numpy as np

from backlit.importers.builder import arithmetic, moved, products, reductions, shapes
from backlit.importers.builder.moved import NOWHERE
from backlit.importers.builder.nodes import GraphBuilder
from backlit.importers.builder.values import Tensor, UnsupportedError, Value

Labelled = tuple[Value, str]  # a value, and the letters of its axes, a tensor's samples left out
Sizes = dict[str, int]


def sum_of_products(b: GraphBuilder, equation: str, values: Sequence[Value]) -> Tensor:
    """NumPy's einsum of tensors and constants, two at a time from the left."""
    letters, wanted = _letters(equation, [len(value.shape) for value in values])
    places = set()
    operands: list[Labelled] = []
    for value, own in zip(values, letters, strict=True):
        if isinstance(value, Tensor):
            x = moved.as_moved(b, value)
            places.add(("" if x.axis == NOWHERE else own[x.axis], x.before, x.after))
            operands.append((x.inner, own))
        else:
            operands.append((value, own))
    if len(places) > 1:
        raise UnsupportedError("it combines samples with samples that lie along other axes")
    ((along, before, after),) = places
    if along not in wanted:
        raise UnsupportedError("a sum over the samples' axis")
    operands = [_alike(value, own, along, before * after) for value, own in operands]
    operands = [_diagonal(b, *operand) for operand in operands]
    sizes = _sizes(operands)
    operands = [_without(b, operand, [x for x in sizes if sizes[x] > 1]) for operand in operands]
    result, *others = operands
    for number, other in enumerate(others):
        kept = wanted + "".join(own for _, own in others[number + 1 :])
        result = _product(b, result, other, kept, sizes)
    value, own = _summed(b, result, wanted)
    inner = _arranged(b, (value, own), wanted, sizes)
    assert isinstance(inner, Tensor)
    return moved.placed(b, inner, wanted.index(along) if along else NOWHERE, before, after)


def _letters(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand's axes and of the result's; those of an ellipsis are digits."""
    given, arrow, wanted = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(ranks):
        raise ValueError(f"the equation {equation!r} is not one of {len(ranks)} operands")
    open_axes = [rank - len(t.replace("...", "")) for t, rank in zip(terms, ranks, strict=True)]
    if any(n < 0 or (n and "..." not in t) for n, t in zip(open_axes, terms, strict=True)):
        raise ValueError(f"the equation {equation!r} does not fit operands of {list(ranks)} axes")
    most = max(open_axes)
    digits = "".join(map(str, range(most)))
    letters = [t.replace("...", digits[most - n :]) for t, n in zip(terms, open_axes, strict=True)]
    if arrow:
        return letters, wanted.replace("...", digits)
    every = given.replace(",", "").replace("...", "")
    return letters, digits + "".join(sorted(x for x in set(every) if every.count(x) == 1))


def _alike(value: Value, own: str, along: str, size: int) -> Labelled:
    """A constant, the same for all samples (with `size` entries for each) along their axis."""
    if isinstance(value, Tensor) or not along or along not in own:
        return value, own
    first = np.take(value, [0], own.index(along))
    if value.shape != first.shape and (size != 1 or not (value == first).all()):
        raise UnsupportedError("a constant that differs from sample to sample")
    return first, own


def _diagonal(b: GraphBuilder, value: Value, own: str) -> Labelled:
    """The entries at equal places of axes that have the same letter."""
    for letter in own:
        while own.count(letter) > 1:
            first = own.index(letter)
            second = own.index(letter, first + 1)
            rest = [axis for axis in range(len(own)) if axis not in (first, second)]
            own = letter + "".join(own[axis] for axis in rest)
            if isinstance(value, Tensor):
                order = [0, *(axis + 1 for axis in (first, second, *rest))]
                front = shapes.transpose(b, value, order)
                size = front.sample[0]
                flat = shapes.reshape(b, front, (b.batch, size * size, *front.sample[2:]))
                value = shapes.gather(b, flat, 1, range(0, size * size, size + 1))
            else:
                value = np.moveaxis(np.diagonal(value, axis1=first, axis2=second), -1, 0)
    return value, own


def _extents(value: Value) -> tuple[int, ...]:
    return value.sample if isinstance(value, Tensor) else value.shape


def _sizes(operands: Sequence[Labelled]) -> Sizes:
    sizes: Sizes = {}
    for value, own in operands:
        for letter, size in zip(own, _extents(value), strict=True):
            before = sizes.get(letter, 1)
            if size != before and 1 not in (size, before):
                raise ValueError(f"its axes {letter!r} have extents {before} and {size}")
            sizes[letter] = max(before, size)
    return sizes


def _without(b: GraphBuilder, operand: Labelled, wide: Sequence[str]) -> Labelled:
    """Without axes of extent 1 that are wider elsewhere: they are repeated there."""
    value, own = operand
    kept = [
        (letter, size)
        for letter, size in zip(own, _extents(value), strict=True)
        if size > 1 or letter not in wide
    ]
    letters, sizes = "".join(x for x, _ in kept), [size for _, size in kept]
    if isinstance(value, Tensor):
        return shapes.reshape(b, value, (b.batch, *sizes)), letters
    return value.reshape(sizes), letters


def _summed(b: GraphBuilder, operand: Labelled, kept: str) -> Labelled:
    """Without the axes that nobody needs."""
    value, own = operand
    axes = [axis for axis, letter in enumerate(own) if letter not in kept]
    if not axes:
        return operand
    if isinstance(value, Tensor):
        value = reductions.reduce(b, "sum", value, [axis + 1 for axis in axes], False)
    else:
        value = np.sum(value, axis=tuple(axes))
    return value, "".join(letter for letter in own if letter in kept)


def _product(
    b: GraphBuilder, first: Labelled, second: Labelled, kept: str, sizes: Sizes
) -> Labelled:
    """The product of two, summed over the axes that nobody needs any more."""
    first = _summed(b, first, second[1] + kept)
    second = _summed(b, second, first[1] + kept)
    if not isinstance(first[0], Tensor):
        first, second = second, first
    own, other = first[1], second[1]
    if not isinstance(first[0], Tensor):
        order = "".join(x for x in dict.fromkeys(own + other) if x in kept)
        return _of_constants(first, second, order), order
    each = "".join(x for x in own if x in other and x in kept)
    summed = "".join(x for x in own if x in other and x not in kept)
    rows = "".join(x for x in own if x not in other)
    columns = "".join(x for x in other if x not in own)
    order = each + rows + columns
    if not summed:
        factors = (_arranged(b, operand, order, sizes) for operand in (first, second))
        return arithmetic.binary(b, "multiply", *factors), order
    a = _arranged(b, first, (each, rows, summed), sizes)
    c = _arranged(b, second, (each, summed, columns), sizes)
    apart = (b.batch, *(sizes[letter] for letter in order))
    return shapes.reshape(b, products.matmul(b, a, c), apart), order


def _of_constants(first: Labelled, second: Labelled, wanted: str) -> np.ndarray:
    a, own, c, other = *first, *second
    assert isinstance(a, np.ndarray)
    assert isinstance(c, np.ndarray)
    names = str.maketrans(dict(zip(dict.fromkeys(own + other), ascii_letters, strict=False)))
    return np.asarray(np.einsum(f"{own},{other}->{wanted}".translate(names), a, c))


def _arranged(b: GraphBuilder, operand: Labelled, groups: Sequence[str], sizes: Sizes) -> Value:
    """With an axis for each group of letters, after one for the samples."""
    value, own = operand
    order = [own.index(x) for x in "".join(groups) if x in own]
    extents = [prod(sizes[x] for x in group if x in own) for group in groups]
    if isinstance(value, Tensor):
        front = shapes.transpose(b, value, [0, *(axis + 1 for axis in order)])
        return shapes.reshape(b, front, (b.batch, *extents))
    return value.transpose(order).reshape(1, *extents)
