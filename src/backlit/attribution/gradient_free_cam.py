"""Class activation maps without gradients: channels weighted by what they do to the score.

    Score-CAM     Wang et al., 2020: the weights are the softmax over channels of the score of
                  the input times the channel, enlarged to the input and brought to [0, 1]
    Ablation-CAM  Desai and Ramaswamy, 2020: (y - y_k) / y, where y is the score and y_k that
                  with channel k set to 0

Each repetition of the body evaluates one channel; what does not depend on it is kept.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from backlit_kernels import maps as kernels
from backlit_kernels.scores import softmax

from backlit.attribution.call import Call
from backlit.attribution.cam_layers import Layers, layer_maps
from backlit.attribution.find_layer import independent_of
from backlit.attribution.gradient_cam import ClassMap
from backlit.attribution.sample_axes import any_channels
from backlit.graph import Graph
from backlit.instructions import Buffer
from backlit.lowering import Lowering, maps
from backlit.model import Model
from backlit.programs import ProgramStore


@dataclass(frozen=True)
class ChannelMap(ClassMap):
    """Activations weighted by scores, one channel a step."""

    def lower(self, graph: Graph, lanes: int) -> Lowering:
        own = Lowering(graph, lanes)
        own.kept.add(self.tensor)
        channels = graph.shapes[self.tensor][0]

        own.tape.section = "prologue"
        own.load()
        own.forward()
        targets = own.choose_targets()
        whole = own.score_values(self.score, targets)
        point = own.another_pass()
        change = self.prepare(own, point)

        own.tape.section = "body"
        change()
        point.forward()
        scores = own.tape.buffer(channels * lanes)
        values = point.score_values(self.score, targets)
        own.tape.emit(kernels.keep_values(lanes), x=values, out=scores, lanes=lanes)

        own.tape.section = "epilogue"
        weights = own.tape.buffer(channels * lanes)
        self.weigh(own, channels, scores, whole, weights)
        result = maps.weighted_map(own, self.tensor, weights, kernels.CHANNELS, self.relu)
        maps.finish(own, result, self.upsample)
        return own

    def prepare(self, own: Lowering, point: Lowering) -> Any:
        """Returns what writes the step's change of `point`."""
        raise NotImplementedError

    def weigh(
        self, own: Lowering, channels: int, scores: Buffer, whole: Buffer, out: Buffer
    ) -> None:
        raise NotImplementedError


class ScoreMap(ChannelMap):
    """Score-CAM."""

    def prepare(self, own: Lowering, point: Lowering) -> Any:
        masked = point.activations[0] = own.zeros(0)
        layer, image = own.layouts[self.tensor], own.layouts[0]
        mask = maps.Map(own, *image.image[1:])
        channel = maps.first_pixel(own, self.tensor, own.activations[self.tensor])

        def change() -> None:
            maps.upsample(own, layer, channel, mask, per_step=layer.plane)
            maps.sum_channels(
                own,
                mask.layout,
                mask.buffer.at(0),
                mask,
                scale=[1.0],
                magnitude=False,
                epsilon=1e-8,
            )
            own.tape.emit(
                kernels.mask_image(own.lanes),
                x=maps.first_pixel(own, 0, own.activations[0]),
                mask=mask.buffer,
                out=maps.first_pixel(own, 0, masked),
                **maps.pixels(image),
            )

        return change

    def weigh(
        self, own: Lowering, channels: int, scores: Buffer, whole: Buffer, out: Buffer
    ) -> None:
        lanes = own.lanes
        own.tape.emit(softmax(lanes), x=scores, out=out, classes=channels, step=lanes)


class AblationMap(ChannelMap):
    """Ablation-CAM."""

    def prepare(self, own: Lowering, point: Lowering) -> Any:
        layout = own.layouts[self.tensor]
        same = independent_of(own, self.tensor)

        def change() -> None:
            out = own.new_buffer(self.tensor)
            point.activations.update(same)
            point.activations[self.tensor] = out
            own.tape.emit(
                kernels.without_channel(own.lanes),
                x=own.activations[self.tensor],
                out=out,
                plane=layout.plane,
                channels=layout.image[0],
            )

        return change

    def weigh(
        self, own: Lowering, channels: int, scores: Buffer, whole: Buffer, out: Buffer
    ) -> None:
        own.tape.emit(
            kernels.relative_falls(own.lanes),
            x=scores,
            whole=whole,
            out=out,
            channels=channels,
            lanes=own.lanes,
        )


@any_channels(pictures=True)
def score_cam(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    layer: Layers = None,
    upsample: bool = True,
    relu: bool = True,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Score-CAM: channels weighted by the score of the input as each lets it through.

    Wang et al., "Score-CAM: Score-weighted visual explanations", 2020. The weights are the softmax
    of `score` over channels; as in pytorch-grad-cam that is the logit unless said otherwise, and
    a channel's mask is brought to the range from 0 to 1 by its own least and greatest value
    (1e-8 is added to their difference). Masks are enlarged as maps are, where pytorch-grad-cam
    aligns corners. One forward pass a channel.

    Arguments and result are those of `backlit.grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _channel_map(ScoreMap, call, layer, upsample, relu)


@any_channels(pictures=True)
def ablation_cam(
    model: Model,
    X: Any,
    target: Any = None,
    *,
    layer: Layers = None,
    upsample: bool = True,
    relu: bool = True,
    score: str = "logit",
    threads: int | None = None,
    progress: bool = False,
    out: np.ndarray | None = None,
    memory: int | None = None,
) -> np.ndarray:
    """Ablation-CAM: channels weighted by how far the score falls, relatively, without each.

    Desai and Ramaswamy, "Ablation-CAM: Visual explanations for deep convolutional network via
    gradient-free localization", 2020. Channels are set to 0, as in the paper; pytorch-grad-cam
    sets them far below their least value if that is not 0. Where the score is 0, so is the map.
    One pass of the layers after `layer` a channel.

    Arguments and result are those of `backlit.grad_cam`.
    """
    call = Call(model, X, target, score, threads, progress, out, memory)
    return _channel_map(AblationMap, call, layer, upsample, relu)


def _channel_map(
    kind: type[ChannelMap], call: Call, layer: Layers, upsample: bool, relu: bool
) -> np.ndarray:
    def draw(programs: ProgramStore, tensor: int, result: np.ndarray, upsample: bool) -> None:
        probe = kind(tensor, call.score, relu, upsample)
        channels = programs.graph.shapes[tensor][0]
        call.run(probe, result, repeats=channels, programs=programs)

    return layer_maps(call, layer, upsample, relu, draw)
