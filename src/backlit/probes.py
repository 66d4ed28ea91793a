"""Probes: what a method evaluates and what it keeps.

A probe writes a tape through `Lowering`: which points to evaluate (fill), which score to
differentiate (seed), the rules of the way back, and what becomes of the result (fold). Probes
are frozen dataclasses: a model keeps the program of each probe it has run.
"""

from dataclasses import dataclass, field
from typing import Protocol

from backlit.graph import Graph
from backlit.lowering import Lowering
from backlit.rewriting import relu_first
from backlit.tape import Steps


class Probe(Protocol):
    """A method's part of the tape."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        """Write the tape for tiles of `lanes` samples."""
        ...


@dataclass(frozen=True)
class Logits:
    """The model's outputs."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        lowering = Lowering(relu_first(graph), lanes)
        lowering.load()
        lowering.forward()
        lowering.store(lowering.logits(), lowering.graph.output)
        return lowering


@dataclass(frozen=True)
class SumOfSteps(Probe):
    """A probe whose steps add up: those of a sample can be dealt out to several lanes."""

    dealt: bool = field(default=False, kw_only=True)

    @property
    def adds_up(self) -> bool:
        """Whether this one's do."""
        return True

    def lowering(self, graph: Graph, lanes: int) -> Lowering:
        """A lowering whose tape repeats its body so."""
        lowering = Lowering(graph, lanes)
        if self.adds_up:
            lowering.tape.steps = Steps.DEALT if self.dealt else Steps.ADDED
        return lowering
