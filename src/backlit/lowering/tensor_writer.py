"""Writes on a tape what concerns whole tensors: buffers, lane values, arithmetic."""

from backlit_kernels import elementwise, fold, strided
from backlit_kernels.channels import fill_zero, zero_border
from backlit_kernels.kernel import Kernel
from backlit_kernels.samples import store_samples
from backlit_kernels.vector import NOWHERE

from backlit.instructions import Buffer, ByChannel, Marks
from backlit.layout import NO_BORDER, Layout
from backlit.lowering.ports import OUTPUT
from backlit.lowering.strided import nest
from backlit.tape import Tape


class TensorWriter:
    """Writes on a tape of instructions for `lanes` samples, whose tensors have `layouts`."""

    def __init__(self, tape: Tape, layouts: list[Layout], lanes: int) -> None:
        self.tape = tape
        self.layouts = layouts
        self.lanes = lanes
        self.marks: dict[int, Buffer] = {}  # what a ReLU or clip let through, by its output

    def new_buffer(self, tensor: int) -> Buffer:
        """A buffer with a tensor's layout."""
        return self.tape.buffer(self.layouts[tensor].size)

    def clear_border(
        self,
        tensor: int,
        buffer: Buffer,
        size: tuple[int, int] | None = None,
        *,
        read: bool = True,
    ) -> None:
        """Zero what is not a pixel, after a kernel wrote more than pixels, if that is `read`.

        With a `size`, only so many rows and columns of pixels stay.
        """
        layout = self.layouts[tensor]
        channels, *whole = layout.image
        height, width = size or whole
        if read and (layout.border != NO_BORDER or [height, width] != whole):
            self.tape.emit(
                zero_border,
                ByChannel(channels, "channels", {"x": layout.plane}),
                x=buffer,
                channels=channels,
                plane=layout.plane,
                origin=layout.origin,
                height=height,
                row=width * self.lanes,
                pitch=layout.pitch,
            )

    def fill_zero(self, buffer: Buffer, size: int) -> None:
        self.tape.emit(fill_zero, x=buffer, size=size)

    def copy_to(self, tensor: int, x: Buffer, out: Buffer) -> None:
        """Copy a buffer with a tensor's layout to another one, borders and all."""
        size = self.layouts[tensor].size
        whole = nest((size // self.lanes,), [(self.lanes,)] * 2, self.lanes)  # one run
        self.tape.emit(strided.copy, x=x, out=out, run=whole.run, accumulate=0, loops=whole.table)

    def write_marks(self, tensor: int, out: Buffer) -> Marks:
        """Where to mark what a ReLU or clip lets through whose output, a tensor, goes to `out`."""
        self.marks[tensor] = self.tape.buffer(-(-self.layouts[tensor].size // 4))
        return Marks(out, self.marks[tensor], read=False)

    def store(
        self,
        buffer: Buffer,
        tensor: int,
        port: int = OUTPUT,
        *,
        magnitude: bool = False,
        per_sample: int = 1,
        per_step: int = 0,
    ) -> None:
        """Write a buffer with a tensor's layout to a job's array; entries as in `Lowering.load`."""
        self.tape.emit(
            store_samples,
            port=port,
            x=buffer.at(self.layouts[tensor].origin),
            magnitude=int(magnitude),
            per_sample=per_sample,
            per_step=per_step,
            **self.layouts[tensor].pixels,
        )

    def load_lane_values(
        self, port: int, *, per_sample: int = 0, per_step: int = 1, first: int = 0
    ) -> Buffer:
        """One float for each lane from a job's array; entries as in `store`, from `first` on."""
        values = self.tape.buffer(self.lanes)
        self.tape.emit(
            fold.load_lane_values,
            port=port,
            per_sample=per_sample,
            per_step=per_step,
            first=first,
            out=values,
            lanes=self.lanes,
        )
        return values

    def fill_lane_values(self, value: float) -> Buffer:
        """A number in every lane."""
        values = self.tape.buffer(self.lanes)
        at = self.tape.constants.place([value])
        self.tape.emit(fold.fill_lane_values, value=at, out=values, lanes=self.lanes)
        return values

    def store_lane_values(
        self, values: Buffer, port: int = OUTPUT, *, per_sample: int = 1, per_step: int = 0
    ) -> None:
        self.tape.emit(
            fold.store_lane_values,
            port=port,
            x=values,
            per_sample=per_sample,
            per_step=per_step,
            lanes=self.lanes,
        )

    def interpolate(
        self, tensor: int, a: Buffer, b: Buffer, position: Buffer, *, rectify: bool = False
    ) -> Buffer:
        """A new tensor, ``a + position * (b - a)``, or its ReLU."""
        out = self.new_buffer(tensor)
        self.tape.emit(
            fold.interpolate,
            a=a,
            b=b,
            position=position,
            out=out,
            size=self.layouts[tensor].size,
            rectify=int(rectify),
            mark=self.write_marks(tensor, out) if rectify else NOWHERE,
            lanes=self.lanes,
        )
        return out

    def zeros(self, tensor: int) -> Buffer:
        """A new tensor of zeros."""
        out = self.new_buffer(tensor)
        self.fill_zero(out, self.layouts[tensor].size)
        return out

    def accumulate(self, tensor: int, x: Buffer, weight: Buffer, total: Buffer) -> None:
        """``total += weight * x``, the weight being lane values."""
        size = self.layouts[tensor].size
        self.tape.emit(
            fold.accumulate, x=x, weight=weight, total=total, size=size, lanes=self.lanes
        )

    def subtract(self, tensor: int, a: Buffer, b: Buffer) -> Buffer:
        return self._pairwise(elementwise.subtract, tensor, a, b)

    def multiply(self, tensor: int, a: Buffer, b: Buffer) -> Buffer:
        return self._pairwise(elementwise.multiply, tensor, a, b)

    def _pairwise(self, kernel: Kernel, tensor: int, a: Buffer, b: Buffer) -> Buffer:
        out = self.new_buffer(tensor)
        self.tape.emit(kernel, a=a, b=b, out=out, size=self.layouts[tensor].size)
        return out
