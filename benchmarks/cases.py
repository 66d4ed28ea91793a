"""The table that drives the suite: what is measured, for whom, and how fast it has to be."""

from dataclasses import dataclass

MODELS = ("mnist_fc", "mnist_cnn", "mnist_cnn_wide")
PEERS = ("captum", "pytorch")
REFERENCE_IMAGES = 16  # more, and the slow NumPy reference of the tests takes minutes


@dataclass(frozen=True)
class Case:
    """Saliency maps of `images` MNIST test images in one call.

    `batch` is the peers' batch size; None has their best one searched, up to `largest_batch`.
    `rounds` None is as many as the time allows.
    """

    group: str
    model: str
    images: int
    threads: int
    batch: int | None = None
    largest_batch: int = 10_000
    rounds: int | None = None

    def __str__(self) -> str:
        return f"{self.group}-{self.model}-{self.images}-images-{self.threads}-threads"

    @property
    def others(self) -> tuple[str, ...]:
        """Whom backlit is measured against."""
        return (*PEERS, "reference") if self.images <= REFERENCE_IMAGES else PEERS


def _test_set(model: str, threads: int) -> Case:
    if model != "mnist_cnn_wide":
        return Case("test-set", model, 10_000, threads)
    # 10,000 images at once through the wide CNN take the peers 8 GB; they are best far below.
    # A round on one thread takes half a minute.
    largest, rounds = (512, 3) if threads == 1 else (1024, None)
    return Case("test-set", model, 10_000, threads, largest_batch=largest, rounds=rounds)


TEST_SET = [_test_set(model, threads) for model in MODELS for threads in (1, 2)]
CALLS = [
    Case("one-call", model, images, threads, batch=images)
    for model in ("mnist_fc", "mnist_cnn")
    for images, threads in ((1, 1), (1, 2), (16, 2), (100, 2), (1000, 2), (10_000, 2))
] + [
    Case("one-call", "mnist_cnn_wide", images, threads, batch=images)
    for images, threads in ((1, 1), (1, 2), (16, 2), (100, 2), (100, 1))
]

# Speed against a peer: (at least, aim), for two threads.
TARGETS = {
    ("test-set", "mnist_cnn", 10_000): {"captum": (20, 35), "pytorch": (14, 25)},
    ("test-set", "mnist_fc", 10_000): {"captum": (4, 5), "pytorch": (1.5, 2)},
    ("test-set", "mnist_cnn_wide", 10_000): {"captum": (2.5, 5), "pytorch": (1.8, 3)},
    ("one-call", "mnist_cnn", 1): {"captum": (3, 20)},
}
FMA_SHARE = (0.75, 0.90)  # dense and convolution kernels, of the measured peak of one core
EXTRA_MEMORY = (64, 16)  # MB beyond input and output, for the 10,000 images


def target(case: Case, peer: str) -> tuple[float, float] | None:
    """(at least, aim) for the ratio against `peer`, where one is set."""
    if case.threads != 2:
        return None
    return TARGETS.get((case.group, case.model, case.images), {}).get(peer)
