"""The contenders: each makes saliency maps of `x` for the classes `target`, written into `out`.

All get the targets (nobody spends a pass on finding the predicted class), all write into memory
that is there already, and the peers' parameters are frozen, which is their fastest setting.
"""

from collections.abc import Callable

import numpy as np
import torch
from captum.attr import Saliency
from torch_models import to_torch

import backlit as bl

# run(x, target, out, batch): arrays in, `out` filled. backlit chooses its own batches.
Run = Callable[[np.ndarray, np.ndarray, np.ndarray, int | None], None]


def backlit(model: bl.Model, threads: int) -> Run:
    """backlit itself."""

    def run(x, target, out, batch):
        bl.saliency(model, x, target, threads=threads, out=out)

    return run


def captum(model: bl.Model, threads: int) -> Run:
    """Captum's `Saliency`."""
    explainer = Saliency(to_torch(model))
    return _in_batches(threads, lambda x, target: explainer.attribute(x, target=target))


def pytorch(model: bl.Model, threads: int) -> Run:
    """Plain PyTorch autograd, as one writes it by hand."""
    module = to_torch(model)

    def gradient(x, target):
        scores = module(x).gather(1, target[:, None]).sum()
        return torch.autograd.grad(scores, x)[0].abs_()

    return _in_batches(threads, gradient)


CONTENDERS = {"backlit": backlit, "captum": captum, "pytorch": pytorch}


def _in_batches(threads: int, explain) -> Run:
    def run(x, target, out, batch):
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        x, target, out = torch.from_numpy(x), torch.from_numpy(target), torch.from_numpy(out)
        step = batch or len(x)
        for start in range(0, len(x), step):
            part = slice(start, start + step)
            # A view of its own, so that asking for its gradient does not mark the caller's array.
            out[part] = explain(x[part].detach().requires_grad_(), target[part])

    return run
