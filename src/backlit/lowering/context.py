"""What lowering knows while it writes a tape: layouts, activations and gradients of tensors."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels import elementwise, scores, sigmoid_scores
from backlit_kernels.samples import load_samples
from backlit_kernels.scores import LOGIT

from backlit.affine_parts import affine_end
from backlit.constants import ConstantsInUse
from backlit.graph import Graph, Node
from backlit.instructions import Buffer
from backlit.layers import Layer
from backlit.lowering.checkpoints import Stage, checkpoints
from backlit.lowering.planning import plan_layouts
from backlit.lowering.ports import INPUT, TARGETS
from backlit.lowering.tensor_writer import TensorWriter
from backlit.tape import Tape


@dataclass(frozen=True)
class Patchwork:
    """A gradient in the making: `written` along an axis, and elsewhere zero."""

    buffer: Buffer
    axis: int
    written: np.ndarray  # how often, of each place on the axis


@dataclass(frozen=True)
class ReluRule:
    """What a ReLU lets through on the way back: see `backlit_kernels.finish.relu_rule`."""

    masked: bool = True
    rectified: bool = False


GRADIENT = ReluRule()

Emitter = Callable[["Lowering", Node], None]
FORWARD: dict[type[Layer], Emitter] = {}
BACKWARD: dict[type[Layer], Emitter] = {}


class Lowering(TensorWriter):
    """Writes the tape of one pass over a tile of `lanes` samples."""

    def __init__(self, graph: Graph, lanes: int, relu_rule: ReluRule = GRADIENT) -> None:
        super().__init__(Tape(ConstantsInUse(graph.constants)), plan_layouts(graph, lanes), lanes)
        self.graph = graph
        self.relu_rule = relu_rule
        self.affine_end = affine_end(graph)
        self.activations: dict[int, Buffer] = {}
        self.gradients: dict[int, Buffer] = {}
        self.choices: dict[int, Buffer] = {}  # of max-poolings that keep them, by their output
        self.patchworks: dict[int, Patchwork] = {}  # gradients of which slices are written
        self.chosen: dict[int, Node] = {}  # poolings in place of a gradient: see `choices`
        self.heading_for: int | None = None  # the tensor that `backward` goes to by derivatives
        self.to_add = False  # whether that gradient is to be added up at once
        self.moving = graph.computed_from({0})  # constants, and what these make, have no gradients
        self.kept: set[int] = set()  # tensors whose values are wanted as they are: not fused away
        self.winograd_from = 0.0  # channels, below which convolutions are summed directly

    def another_pass(self) -> "Lowering":
        """A second pass of the same model on the same tape, with activations of its own."""
        twin = copy(self)
        twin.activations, twin.gradients, twin.choices, twin.marks = {}, {}, {}, {}
        twin.patchworks, twin.chosen, twin.heading_for = {}, {}, None
        return twin

    # --- the passes ---------------------------------------------------------------------------

    def load(
        self,
        port: int = INPUT,
        *,
        per_sample: int = 1,
        per_step: int = 0,
        entries: range = range(0),
    ) -> Buffer:
        """Fill the input tensor from a job's array of samples.

        A lane takes entry ``sample * per_sample + step * per_step``: (1, 0) is the lane's own
        sample, (0, 0) one entry for all, (0, 1) another one at each step. Or some `entries` are
        laid side by side.
        """
        self.activations[0] = self.new_buffer(0)
        self.tape.emit(
            load_samples,
            port=port,
            out=self.activations[0].at(self.layouts[0].origin),
            per_sample=per_sample,
            per_step=per_step,
            first=entries.start,
            entries=len(entries),
            **self.layouts[0].pixels,
        )
        self.clear_border(0, self.activations[0])
        return self.activations[0]

    def forward(self, until: int | None = None) -> None:
        """From what is known to the tensor `until`.

        By default to the logits, but not beyond the tensor that all of them are affine functions
        of, or one behind that is kept: derivatives need no more, and `logits` computes the rest.
        Tensors that have activations already are taken as they are; what leads to them alone is
        not computed again.
        """
        last = max({self.affine_end, *self.kept}) if until is None else until
        wanted = {self.graph.output if until is None else until}
        needed = []
        for node in reversed(self.graph.nodes):
            if node.output in wanted and node.output not in self.activations:
                needed.append(node)
                wanted.update(node.inputs)
        for node in reversed(needed):
            if node.output > last:
                break
            users = self.graph.consumers(node.output)
            fused = users and all(user.output in self.activations for user in users)
            if node.output not in self.activations and (node.output == last or not fused):
                FORWARD[type(node.layer)](self, node)

    def logits(self) -> Buffer:
        """The logits, after `forward`."""
        self.forward(self.graph.output)
        return self.activations[self.graph.output]

    @property
    def has_sigmoids(self) -> bool:
        """Whether a probability is the sigmoid of one logit, not the softmax of all."""
        return self.graph.outputs_are in ("binary", "labels")

    def choose_targets(self) -> Buffer:
        """Each lane's target as a lane value: given, or the class predicted by this pass."""
        targets = self.tape.buffer(self.lanes)
        binary = self.graph.outputs_are == "binary"
        choose = sigmoid_scores.choose_side if binary else scores.choose_targets
        self.tape.emit(
            choose(self.lanes),
            port=TARGETS,
            out=targets,
            **self._class_operands(targets if self.graph.targets_given else self.logits()),
        )
        return targets

    def seed(self, score: int, targets: Buffer | None = None) -> None:
        """Start the way back: the derivative of each lane's score by the logits."""
        tensor = self.graph.output
        out = self.gradients[tensor] = self.new_buffer(tensor)
        if targets is None:
            targets = self.choose_targets()
        seed = sigmoid_scores.seed_sigmoid_score if self.has_sigmoids else scores.seed_score
        self.tape.emit(
            seed(self.lanes),
            targets=targets,
            score=score,
            out=out,
            **self._class_operands(out if score == LOGIT else self.logits()),
        )

    def score_values(self, score: int, targets: Buffer) -> Buffer:
        """The target's score in each lane, as a lane value."""
        values = self.tape.buffer(self.lanes)
        value = sigmoid_scores.sigmoid_score_value if self.has_sigmoids else scores.score_value
        self.tape.emit(
            value(self.lanes),
            targets=targets,
            score=score,
            out=values,
            **self._class_operands(self.logits()),
        )
        return values

    def _class_operands(self, logits: Buffer) -> dict[str, Any]:
        (classes,) = self.layouts[self.graph.output].shape
        return {"logits": logits, "classes": classes, "step": self.lanes}

    def backward(
        self,
        until: int = 0,
        rule: Callable[[Node], Emitter] | None = None,
        *,
        to_add: bool = False,
    ) -> None:
        """From the gradients that are known to that of the tensor `until`.

        `rule` chooses how a node is passed on the way back; by default, by its derivative. With
        `to_add`, the last gradient may be left as what `StepSum.add_gradient` makes it of.
        """
        self.moving = self.moving | self.graph.computed_from({until})
        stages = checkpoints(self.graph, self.activations) if rule is None else []
        self.heading_for, self.to_add = until if rule is None else None, to_add
        for node in reversed(self.graph.nodes):
            if node.output == until:
                break
            if node.output in self.gradients or node.output in self.chosen:
                while stages and node.output <= stages[-1].last:
                    stage = stages.pop()
                    if stage.checkpoint < node.output:  # else the way back begins before
                        self._compute_again(stage)
                emit = BACKWARD[type(node.layer)] if rule is None else rule(node)
                emit(self, node)
        self.heading_for = None

    def _compute_again(self, stage: Stage) -> None:
        """From a checkpoint on: what is there of the first time need not be kept."""
        for node in self.graph.nodes:
            if stage.checkpoint < node.output <= stage.last:
                self.activations.pop(node.output, None)
        self.forward(until=stage.last)

    # --- gradients ----------------------------------------------------------------------------

    def keep_all(self) -> None:
        """Fuse nothing from here on: every tensor's values and gradients are wanted."""
        self.kept = set(range(len(self.graph.shapes)))

    def contribute(self, tensor: int, emit: Callable[[Buffer], None]) -> None:
        """Let `emit` write a gradient of a tensor; gradients of a tensor's several uses add up."""
        if tensor in self.moving:
            buffer = self.new_buffer(tensor)
            emit(buffer)
            self.share(tensor, buffer)

    def share(self, tensor: int, buffer: Buffer) -> None:
        """Take a buffer that is not written again as a gradient of a tensor."""
        if tensor not in self.moving:
            return
        if tensor not in self.gradients:
            self.gradients[tensor] = buffer
            return
        total = self.new_buffer(tensor)
        size = self.layouts[tensor].size
        self.tape.emit(elementwise.add, a=self.gradients[tensor], b=buffer, out=total, size=size)
        self.gradients[tensor] = total

    def only_user(self, tensor: int) -> Node | None:
        """The one node that a tensor is for, if its values are not wanted otherwise."""
        users = self.graph.consumers(tensor)
        wanted = self.kept | {self.graph.output}
        return users[0] if len(users) == 1 and tensor not in wanted else None
