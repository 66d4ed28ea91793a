"""Trains the models that backlit carries, with PyTorch, from the MNIST files.

    python examples/train_mnist.py --train mnist_train.npz --test mnist_test.npz --out models/
    python examples/train_mnist.py --download mnist/ --out models/

Files are ``.npz`` with ``images`` (N, 28, 28) uint8 and ``labels`` (N,); `--download` fetches
those of MNIST's idx files that are not in the folder. Seeded: the same machine gives the same
weights.
"""

import argparse
import urllib.request
from pathlib import Path

import numpy as np
import torch
from torch import nn

import backlit as bl
from backlit.sources.idx import read_idx

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
# name: (network, epochs, learning rate)
Recipe = tuple[nn.Sequential, int, float]


def recipes() -> dict[str, Recipe]:
    return {
        "mnist_fc": (
            nn.Sequential(
                nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)
            ),
            12,
            2e-3,
        ),
        "mnist_cnn": (
            nn.Sequential(
                nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(4, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(392, 10),
            ),
            15,
            5e-3,
        ),
        "mnist_cnn_wide": (
            nn.Sequential(
                nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(),
                nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Flatten(), nn.Linear(12544, 128), nn.ReLU(), nn.Linear(128, 10),
            ),
            3,
            1e-3,
        ),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, help="training images and labels (.npz)")
    parser.add_argument("--test", type=Path, help="test images and labels (.npz)")
    parser.add_argument(
        "--download", type=Path, help="folder for MNIST's idx files; missing ones are downloaded"
    )
    parser.add_argument("--out", type=Path, default=Path("models"))
    parser.add_argument("--only", choices=list(recipes()), help="train one model")
    options = parser.parse_args()
    if options.download:
        train, test = download(options.download)
    elif options.train and options.test:
        train, test = read(options.train), read(options.test)
    else:
        parser.error("give --train and --test, or --download")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in [options.only] if options.only else recipes():
        torch.manual_seed(0)
        network, epochs, rate = recipes()[name]
        fit(network, *train, epochs, rate)
        model = to_backlit(network, name)
        path = options.out / f"{name}.npz"
        bl.save(model, path, half=name == "mnist_cnn_wide")
        images, labels = test
        X = images.reshape(-1, *bl.load(path).input_shape)
        accuracy = (bl.load(path).predict(X) == labels).mean()
        print(f"{name}: {accuracy:.2%} of the test images, {path.stat().st_size / 1e6:.2f} MB")


def fit(
    network: nn.Sequential, images: np.ndarray, labels: np.ndarray, epochs: int, rate: float
) -> None:
    """Adam with a one-cycle learning rate."""
    X = torch.from_numpy(images)
    if isinstance(network[0], nn.Linear):
        X = X.flatten(1)
    y = torch.from_numpy(labels)
    batch = 128
    optimizer = torch.optim.Adam(network.parameters(), weight_decay=1e-5)
    steps = epochs * -(-len(X) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for epoch in range(epochs):
        losses = []
        for chosen in torch.randperm(len(X)).split(batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(X[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        print(f"  epoch {epoch + 1}/{epochs}: loss {np.mean(losses):.4f}", flush=True)


def to_backlit(network: nn.Sequential, name: str) -> bl.Model:
    layers: list = []
    for module in network:
        if isinstance(module, nn.Linear):
            layers.append(bl.Dense(array(module.weight).T, array(module.bias)))
        elif isinstance(module, nn.Conv2d):
            layers.append(bl.Conv2D(array(module.weight), array(module.bias), padding=1))
        elif isinstance(module, nn.MaxPool2d):
            layers.append(bl.MaxPool2D(2))
        else:
            layers.append({nn.ReLU: bl.ReLU, nn.Flatten: bl.Flatten}[type(module)]())
    input_shape = (784,) if isinstance(network[0], nn.Linear) else (1, 28, 28)
    return bl.Model(layers, input_shape, name=name)


def array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().numpy()


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path) as file:
        return prepare(file["images"], file["labels"])


def prepare(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return images[:, None].astype(np.float32) / np.float32(255), labels.astype(np.int64)


def download(folder: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    for name in IDX_FILES:
        path = folder / f"{name}-ubyte.gz"
        if not path.exists():
            urllib.request.urlretrieve(MIRROR + path.name, path)
        arrays.append(read_idx(path))
    return prepare(arrays[0], arrays[1]), prepare(arrays[2], arrays[3])


if __name__ == "__main__":
    main()
