"""What lowering knows while it writes a tape: layouts, activations and gradients of tensors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from backlit_kernels import scores
from backlit_kernels.channels import fill_zero, zero_border
from backlit_kernels.elementwise import add
from backlit_kernels.samples import load_samples, store_samples

from backlit.graph import Graph, Node
from backlit.layers import Layer, ReLU
from backlit.layout import NO_BORDER, Border, Layout, widest
from backlit.tape import Buffer, Distance, Tape

# Array addresses that a job gives its kernels, by port number
INPUT, OUTPUT, TARGETS = range(3)


@dataclass(frozen=True)
class ReluRule:
    """What a ReLU lets through on the way back: see `backlit_kernels.functions.relu_rule`."""

    masked: bool = True
    rectified: bool = False


GRADIENT = ReluRule()

Emitter = Callable[["Lowering", Node], None]
Borders = Callable[[Graph, Node], tuple[Border, Border]]
FORWARD: dict[type[Layer], Emitter] = {}
BACKWARD: dict[type[Layer], Emitter] = {}
BORDERS: dict[type[Layer], Borders] = {}
ELEMENTWISE: set[type[Layer]] = set()


class Lowering:
    """Writes the tape of one pass over a tile of `lanes` samples."""

    def __init__(self, graph: Graph, lanes: int, relu_rule: ReluRule = GRADIENT) -> None:
        self.graph = graph
        self.lanes = lanes
        self.relu_rule = relu_rule
        self.tape = Tape()
        self.layouts = plan_layouts(graph, lanes)
        self.activations: dict[int, Buffer] = {}
        self.gradients: dict[int, Buffer] = {}

    # --- buffers ----------------------------------------------------------------------------

    def new_buffer(self, tensor: int) -> Buffer:
        """A buffer with a tensor's layout."""
        return self.tape.buffer(self.layouts[tensor].size)

    def clear_border(self, tensor: int, buffer: Buffer) -> None:
        """Zero what is not a pixel, after a kernel that wrote more than pixels."""
        layout = self.layouts[tensor]
        channels, height, width = layout.image
        if layout.has_border:
            self.tape.emit(
                zero_border(self.lanes),
                x=buffer,
                channels=channels,
                plane=layout.plane,
                origin=layout.origin,
                height=height,
                row=width * self.lanes,
                pitch=layout.pitch,
            )

    def fill_zero(self, buffer: Buffer, size: int) -> None:
        self.tape.emit(fill_zero(self.lanes), x=buffer, size=size)

    # --- the passes ---------------------------------------------------------------------------

    def load(self, port: int = INPUT) -> None:
        """Fill the input tensor from a job's array."""
        self.activations[0] = self.new_buffer(0)
        self.tape.emit(
            load_samples,
            port=port,
            out=self.activations[0].at(self.layouts[0].origin),
            **self._image_operands(0),
        )
        self.clear_border(0, self.activations[0])

    def forward(self) -> None:
        """From the input to the logits; what is there already is not computed again."""
        for node in self.graph.nodes:
            if node.output not in self.activations:
                FORWARD[type(node.layer)](self, node)

    def seed(self, score: int) -> None:
        """Start the way back: the derivative of each lane's score by the logits."""
        tensor = self.graph.output
        (classes,) = self.layouts[tensor].shape
        logits = self.activations[tensor]
        targets = self.tape.buffer(self.lanes)
        self.gradients[tensor] = self.new_buffer(tensor)
        common = {"logits": logits, "classes": classes, "step": self.lanes}
        choose, seed = scores.choose_targets(self.lanes), scores.seed_score(self.lanes)
        self.tape.emit(choose, port=TARGETS, out=targets, **common)
        self.tape.emit(
            seed, targets=targets, score=score, out=self.gradients[tensor], **common
        )

    def backward(self) -> None:
        """From the logits' gradient to the input's."""
        for node in reversed(self.graph.nodes):
            if node.output in self.gradients:
                BACKWARD[type(node.layer)](self, node)

    def store(self, buffer: Buffer, tensor: int, magnitude: bool = False, port: int = OUTPUT) -> None:
        """Write a buffer with a tensor's layout to a job's array."""
        self.tape.emit(
            store_samples,
            port=port,
            x=buffer.at(self.layouts[tensor].origin),
            magnitude=int(magnitude),
            **self._image_operands(tensor),
        )

    def _image_operands(self, tensor: int) -> dict[str, int]:
        layout = self.layouts[tensor]
        channels, height, width = layout.image
        return {
            "channels": channels,
            "height": height,
            "width": width,
            "plane": layout.plane,
            "row": layout.pitch,
            "lanes": self.lanes,
        }

    # --- gradients ----------------------------------------------------------------------------

    def contribute(self, tensor: int, emit: Callable[[Buffer], None]) -> None:
        """Let `emit` write a gradient of a tensor; gradients of a tensor's several uses add up."""
        buffer = self.new_buffer(tensor)
        emit(buffer)
        self.share(tensor, buffer)

    def share(self, tensor: int, buffer: Buffer) -> None:
        """Take a buffer that is not written again as a gradient of a tensor."""
        if tensor not in self.gradients:
            self.gradients[tensor] = buffer
            return
        total = self.new_buffer(tensor)
        size = self.layouts[tensor].size
        self.tape.emit(add, a=self.gradients[tensor], b=buffer, out=total, size=size)
        self.gradients[tensor] = total

    def fused_relu(self, tensor: int) -> Node | None:
        """The ReLU that is the only user of a tensor, to be computed with it."""
        users = self.graph.consumers(tensor)
        if len(users) == 1 and isinstance(users[0].layer, ReLU) and tensor != self.graph.output:
            return users[0]
        return None

    def through_relu(self, tensor: int) -> tuple[int, bool]:
        """Where the only user of a ReLU's output may send its gradient: the ReLU's input.

        Returns the tensor, and whether it lies before a ReLU whose rule is then to be applied.
        """
        source = self.graph.producer(tensor)
        if (
            source is not None
            and isinstance(source.layer, ReLU)
            and len(self.graph.consumers(tensor)) == 1
        ):
            return source.inputs[0], True
        return tensor, False

    def relu_operands(self, tensor: int, out: Buffer, applies: bool) -> dict[str, Any]:
        """Operands that apply the ReLU rule to a gradient of `tensor` as it is stored."""
        masked = applies and self.relu_rule.masked
        rectified = applies and self.relu_rule.rectified
        return {
            "mask": Distance(out, self.activations[tensor]) if masked else 0,
            "rectify": int(rectified),
        }


def plan_layouts(graph: Graph, lanes: int) -> list[Layout]:
    """Every tensor's layout. Tensors that meet in elementwise operations share theirs.

    A border is wide enough for the windows that read a tensor forward and its gradient backward.
    For single samples, rows are equally long before and after a convolution, so that it can run
    over the flat image.
    """
    alike, in_line = Groups(len(graph.shapes)), Groups(len(graph.shapes))
    for node in graph.nodes:
        for tensor in node.inputs:
            if type(node.layer) in ELEMENTWISE:
                alike.join(tensor, node.output)
                in_line.join(tensor, node.output)
            elif type(node.layer) in BORDERS and lanes == 1:
                in_line.join(tensor, node.output)
    borders = [NO_BORDER] * len(graph.shapes)
    for node in graph.nodes:
        if type(node.layer) in BORDERS:
            needed = BORDERS[type(node.layer)](graph, node)
            for tensor, border in zip((node.inputs[0], node.output), needed, strict=True):
                leader = alike.leader(tensor)
                borders[leader] = widest(borders[leader], border)
    bordered = [
        Layout(shape, lanes, borders[alike.leader(tensor)])
        for tensor, shape in enumerate(graph.shapes)
    ]
    pitches = [0] * len(graph.shapes)
    for tensor, layout in enumerate(bordered):
        leader = in_line.leader(tensor)
        pitches[leader] = max(pitches[leader], layout.pitch_pixels)
    return [
        replace(layout, least_pitch=pitches[in_line.leader(tensor)])
        for tensor, layout in enumerate(bordered)
    ]


class Groups:
    """Sets of tensors, joined pair by pair."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def leader(self, tensor: int) -> int:
        while self._above[tensor] != tensor:
            tensor = self._above[tensor]
        return tensor

    def join(self, a: int, b: int) -> None:
        self._above[self.leader(a)] = self.leader(b)
