"""Masked samples put together from patterns: the same bits as without, where they are used."""

import numpy as np
import pytest

import backlit as bl
from backlit.attribution import masked_scores
from backlit.lowering.patterns import colour, find_patterns, seen_segments


def network(rng, layers, shape=(2, 13, 11)):
    return bl.Model([*layers, bl.Flatten(), bl.Dense(*dense(rng, layers, shape))], shape)


def dense(rng, layers, shape):
    size = bl.Model([*layers, bl.Flatten()], shape).classes
    return rng.normal(size=(size, 3)) * 0.1, rng.normal(size=3)


def convolution(rng, inputs, outputs, size=(3, 3), **options):
    weights = rng.normal(size=(outputs, inputs // options.get("groups", 1), *size))
    return bl.Conv2D(weights, rng.normal(size=outputs), **options)


STACKS = {
    "pooled": lambda rng: [convolution(rng, 2, 3, padding=1), bl.ReLU(), bl.MaxPool2D(2)],
    "lopsided": lambda rng: [convolution(rng, 2, 3, (2, 3), padding=(1, 0, 0, 2)), bl.Sigmoid()],
    "strided": lambda rng: [convolution(rng, 2, 4, stride=(2, 1), groups=2), bl.AvgPool2D((1, 2))],
    "dilated": lambda rng: [convolution(rng, 2, 3, (2, 2), dilation=(2, 3)), bl.Tanh()],
    "deep": lambda rng: [
        convolution(rng, 2, 3, padding=1),
        bl.ReLU(),
        convolution(rng, 3, 3, (1, 2)),
        bl.LeakyReLU(0.1),
    ],
}
SEGMENTS = {
    "grid": (3, 2),
    "stripes": np.add.outer(np.arange(13) // 4 * 0, np.arange(11) // 3),
    "channels": np.stack([np.arange(143).reshape(13, 11) // 72 * 2 + c for c in range(2)]),
}


@pytest.mark.parametrize("segments", SEGMENTS)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("batch", [1, 3, 17])
def test_patterns_change_no_bit(rng, monkeypatch, stack, segments, batch):
    model = network(rng, STACKS[stack](rng))
    X = rng.normal(size=(batch, 2, 13, 11)).astype(np.float32)
    baseline = rng.normal(size=X.shape).astype(np.float32)
    found = []

    def recorded(*arguments):
        found.append(find_patterns(*arguments))
        return found[-1]

    def explain():
        return bl.lime(
            model,
            X,
            1,
            segments=SEGMENTS[segments],
            baseline=baseline,
            samples=200,
            per_segment=True,
            score="probability",
        )

    monkeypatch.setattr(masked_scores, "find_patterns", recorded)
    with_patterns = explain()
    assert found[-1] is not None
    monkeypatch.setattr(masked_scores, "find_patterns", lambda *_: None)
    np.testing.assert_array_equal(with_patterns, explain())


@pytest.mark.parametrize("segments", [2, 4, (4, 2)])
def test_patterns_of_what_is_pooled_as_it_is_made(models, mnist, segments):
    """Where segments are few, the patterns are those of a convolution before its pooling."""
    X = mnist[0][:17]
    together = bl.exact_shapley(models["mnist_cnn"], X, segments=segments)
    alone = [bl.exact_shapley(models["mnist_cnn"], x[None], segments=segments) for x in X[:3]]
    np.testing.assert_array_equal(np.concatenate(alone), together[:3])


def test_entries_see_what_lies_in_their_windows(rng):
    layers = [convolution(rng, 2, 3, (3, 2), stride=2, padding=1), bl.ReLU(), bl.MaxPool2D(2)]
    model = network(rng, layers)
    segments = np.arange(2 * 13 * 11).reshape(2, 13, 11) // 48
    stages = dict(seen_segments(model._programs.graph, segments))
    tensor, seen = list(stages.items())[-1]
    rows, columns = model._programs.graph.shapes[tensor][1:]
    padded = np.pad(segments, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    for row, column in np.ndindex(rows, columns):
        window = padded[:, 4 * row : 4 * row + 5, 4 * column : 4 * column + 4]
        expected = set(window.ravel().tolist()) - {-1}
        assert set(seen[row * columns + column].tolist()) - {-1} == expected


def test_segments_seen_together_have_different_colours():
    seen = np.array([[0, 1, 4], [1, 2, -1], [2, 3, 0]])
    colours = colour(seen, 6)
    for row in seen:
        shown = [colours[n] for n in row if n >= 0]
        assert len(set(shown)) == len(shown)
    assert colours.min() >= 0


def test_patterns_are_not_used_where_they_do_not_pay(rng):
    model = network(rng, STACKS["pooled"](rng))
    graph = model._programs.graph
    grid = (np.arange(13)[:, None] // 5 * 3 + np.arange(11) // 4)[None].repeat(2, axis=0)
    masks = rng.integers(0, 2, (64, 9)).astype(np.float32)
    assert find_patterns(graph, 8, grid, masks) is not None
    assert find_patterns(graph, 8, grid, masks[:20]) is None  # fewer than twice the patterns
    assert find_patterns(graph, 8, grid, masks / 2) is None  # shares of a segment
    alone = np.arange(2 * 13 * 11).reshape(2, 13, 11)
    many = rng.integers(0, 2, (64, 286)).astype(np.float32)
    assert find_patterns(graph, 8, alone, many) is None  # entries see too many segments
