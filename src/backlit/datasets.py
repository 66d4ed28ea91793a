"""The data set carried in the package."""

from importlib.resources import as_file, files

import numpy as np


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 test images of MNIST, handwritten digits.

    LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition",
    1998.

    Returns
    -------
    X : float32 array of shape (10000, 1, 28, 28), in [0, 1]
    y : int64 array of shape (10000,), 0 ... 9
    """
    with as_file(files("backlit") / "data" / "mnist_test.npz") as path, np.load(path) as file:
        images, labels = file["images"], file["labels"]
    return images[:, None].astype(np.float32) / np.float32(255), labels.astype(np.int64)
