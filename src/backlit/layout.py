"""How a tensor of a tile lies in the arena.

Images are ``[channel][row][column][lane]`` with a zero border as wide as their users' windows
reach. Neighbouring rows share one border: the right one of a row is the left one of the next.
Features are ``[feature][lane]``. With one lane only, planes are padded to whole vectors.
"""

from dataclasses import dataclass
from math import prod

from backlit_kernels.target import CACHE_LINE

Border = tuple[int, int, int, int]  # top, left, bottom, right
NO_BORDER: Border = (0, 0, 0, 0)


@dataclass(frozen=True)
class Layout:
    """Where a tensor's values lie. Distances are in floats."""

    shape: tuple[int, ...]
    lanes: int
    border: Border = NO_BORDER
    least_pitch: int = 0  # in pixels
    values_read: bool = True  # whether windows reach into the border, of the tensor's values
    gradient_read: bool = True  # and of its gradient, on the way back

    @property
    def image(self) -> tuple[int, int, int]:
        """(channels, height, width); features are one row of one channel."""
        if len(self.shape) == 3:
            return self.shape[0], self.shape[1], self.shape[2]
        return 1, 1, prod(self.shape)

    @property
    def pitch(self) -> int:
        """From a row to the next."""
        return max(self.pitch_pixels, self.least_pitch) * self.lanes

    @property
    def pitch_pixels(self) -> int:
        """A row and the wider of its borders."""
        return self.image[2] + max(self.border[1], self.border[3])

    @property
    def origin(self) -> int:
        """From a plane's beginning to its first pixel."""
        return self.border[0] * self.pitch + self.border[1] * self.lanes

    @property
    def plane(self) -> int:
        """From a channel to the next."""
        _, height, width = self.image
        _, _, bottom, right = self.border
        end = self.origin + (height - 1 + bottom) * self.pitch + (width + right) * self.lanes
        return end if self.lanes > 1 else round_up(end, CACHE_LINE) + 2 * CACHE_LINE

    @property
    def size(self) -> int:
        return self.image[0] * self.plane

    @property
    def pixels(self) -> dict[str, int]:
        """The operands that say where an image's pixels lie."""
        channels, height, width = self.image
        return {
            "channels": channels,
            "height": height,
            "width": width,
            "plane": self.plane,
            "row": self.pitch,
            "lanes": self.lanes,
        }

    @property
    def has_border(self) -> bool:
        """Whether there are floats that are not pixels, other than after the last feature."""
        return len(self.shape) == 3 and self.plane != prod(self.image[1:]) * self.lanes

    @property
    def feature_step(self) -> int:
        """From a class or feature to the next, along the first axis."""
        return self.plane if len(self.shape) == 3 else self.lanes * prod(self.shape[1:])


def round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def widest(a: Border, b: Border) -> Border:
    """The border that serves both."""
    return max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
