"""Conductance: how much of the score flows through the output of a layer.

Dhamdhere, Sundararajan and Yan, "How important is a neuron?", 2018. Along a path from the baseline
to the input, with the layer's output a,

    attribution = sum over steps k of d score / d a at x_{k-1}, times (a(x_k) - a(x_{k-1}))
"""

from dataclasses import dataclass

from backlit_kernels.elementwise import add

from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.lowering.ports import FIRST_FREE_PORT
from backlit.lowering.step_seed import seed_of_steps

BASELINE, POSITIONS = FIRST_FREE_PORT, FIRST_FREE_PORT + 1


@dataclass(frozen=True)
class Conductance:
    """Gradients along a path, times the rise of the layer's output from step to step."""

    tensor: int
    score: int
    baseline_per_sample: int

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        end = Lowering(graph, lanes)
        end.kept.add(self.tensor)
        begin, point = end.another_pass(), end.another_pass()

        end.tape.section = "prologue"
        x = end.load()
        x0 = begin.load(BASELINE, per_sample=self.baseline_per_sample)
        end.forward()
        begin.forward()
        targets = end.choose_targets()
        seed = seed_of_steps(end, self.score, targets, self.tensor)
        seed.sow(begin)
        begin.backward(until=self.tensor)
        total = end.zeros(self.tensor)
        value, slope = end.new_buffer(self.tensor), end.new_buffer(self.tensor)

        def remember(this: Lowering) -> None:
            end.copy_to(self.tensor, this.activations[self.tensor], value)
            end.copy_to(self.tensor, this.gradients[self.tensor], slope)

        remember(begin)

        end.tape.section = "body"
        point.activations[0] = point.interpolate(0, x0, x, point.load_lane_values(POSITIONS))
        point.forward()
        seed.sow(point)
        point.backward(until=self.tensor)
        rise = end.subtract(self.tensor, point.activations[self.tensor], value)
        part = end.multiply(self.tensor, rise, slope)
        end.tape.emit(add, a=total, b=part, out=total, size=end.layouts[self.tensor].size)
        remember(point)

        end.tape.section = "epilogue"
        end.store(total, self.tensor)
        return end
