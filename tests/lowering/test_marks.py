"""Marks: of a ReLU's output, going back needs a byte for each float, not the float."""

import numpy as np
import pytest
from backlit_kernels.vector import LANES, NOWHERE

import backlit as bl
from backlit.attribution.gradients import InputGradient
from backlit.instructions import Marks
from backlit.probes import Logits
from tests.helpers import assert_close
from tests.reference.network import input_gradient


def deep(rng, layers=8, activation=bl.ReLU):
    """Convolutions one after another, each followed by an activation."""
    model = []
    for _ in range(layers):
        model += [bl.Conv2D(rng.normal(size=(4, 4, 3, 3)) / 4, padding=1), activation()]
    return bl.Model([*model, bl.GlobalAvgPool2D(), bl.Flatten()], (4, 12, 12))


def marks(tape):
    return [
        operand
        for section in tape.instructions.values()
        for instruction in section
        for operand in instruction.operands
        if isinstance(operand, Marks)
    ]


def test_marks_that_nobody_reads_are_not_written(rng):
    model = deep(rng)
    tape = Logits().lower(model._programs.graph, LANES).tape
    assert marks(tape)
    tape.link(LANES)
    assert not marks(tape)
    written = [
        instruction.operands[instruction.kernel.operands.index("mark")]
        for instruction in tape.instructions["body"]
        if "mark" in instruction.kernel.operands
    ]
    assert written
    assert set(written) == {NOWHERE}


@pytest.mark.parametrize("lanes", [1, LANES])
@pytest.mark.parametrize("activation", [bl.ReLU, lambda: bl.Clip(0, 1)])
def test_activations_are_not_kept_for_the_way_back(rng, lanes, activation):
    """Memory grows by a byte for each float of a layer, not by the float."""

    def size(layers):
        graph = deep(rng, layers, activation)._programs.graph
        return InputGradient(0, False).lower(graph, lanes).tape.link(lanes).arena_size

    tensor = deep(rng)
    layout = InputGradient(0, False).lower(tensor._programs.graph, lanes).layouts[2]
    assert size(20) - size(10) < 10 * 0.3 * layout.size


@pytest.mark.parametrize("rule", ["gradient", "guided_backprop", "deconvnet"])
def test_rules_go_by_marks(rng, rule):
    """Where a ReLU is fused and where it is a kernel of its own, in tiles and alone."""
    conv = [bl.Conv2D(rng.normal(size=(3, 3, 3, 3)) / 3, padding=1) for _ in range(3)]
    layers = [conv[0], bl.ReLU(), bl.Residual([conv[1], bl.ReLU(), conv[2]]), bl.ReLU()]
    model = bl.Model([*layers, bl.GlobalAvgPool2D(), bl.Flatten()], (3, 7, 9))
    X = rng.normal(size=(17, 3, 7, 9)).astype(np.float32)
    maps = getattr(bl, rule)(model, X, 1)
    if rule == "gradient":
        assert_close(maps, input_gradient(model, X, np.ones(17, int)))
    for n in (0, 16):
        np.testing.assert_array_equal(getattr(bl, rule)(model, X[n : n + 1], 1)[0], maps[n])
