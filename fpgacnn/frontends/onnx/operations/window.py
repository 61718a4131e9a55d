"""Windows over images: which axes are space, how far padding reaches, how many windows fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.values import TensorView
from fpgacnn.ir.shapes import Pads, Pair, same_padding, window_counts
from fpgacnn.ir.source import Shape, SourceOperation

CHANNELS_LAST = "qonnx.custom_op.channels_last"
MAX_BORDER = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An input as height, width and channels; height 1 where the file has one axis of space.

    `layer` holds it channels last. `last`: the file has it channels last too.
    """

    layer: str
    height: int
    width: int
    channels: int
    rank: int
    last: bool

    @property
    def sizes(self) -> Pair:
        """Height and width."""
        return self.height, self.width

    def on(self, layer: str) -> Image:
        """The same axes over another layer."""
        return replace(self, layer=layer)

    def order(self) -> tuple[int, ...]:
        """The file's axes in those that a layer holds."""
        axes = tuple(range(self.rank + 1))
        return axes if self.last else (axes[-1], *axes[:-1])

    def layer_shape(self, height: int, width: int, channels: int) -> Shape:
        """A result's shape as a layer holds it."""
        return (width, channels) if self.rank == 1 else (height, width, channels)

    def shape(self, height: int, width: int, channels: int) -> Shape:
        """A result's shape in the file."""
        layer_shape = self.layer_shape(height, width, channels)
        return (1, *(layer_shape[axis] for axis in self.order()))


def image(call: OpArgs, view: TensorView, *, last: bool | None = None) -> Image:
    """The input of a window operator, brought into channels last.

    Raises UnsupportedOptionError for more than two axes of space, ShapeError for none.
    """
    shape, rank = view.shape, len(view.shape) - 2
    if rank > 2:
        raise call.unsupported(f"{rank} axes of space are not supported", "use one or two")
    if rank < 1 or shape[0] != 1:
        raise call.builder.shape_error(f"an image is needed, found a tensor of {shape}")
    last = call.node.domain == CHANNELS_LAST if last is None else last
    axes = tuple(range(1, rank + 2)) if last else (*range(2, rank + 2), 1)
    layer = call.builder.arranged(view, axes)
    *space, channels = (shape[axis] for axis in axes)
    height, width = space if rank == 2 else (1, *space)
    return Image(layer=layer, height=height, width=width, channels=channels, rank=rank, last=last)


def pair(call: OpArgs, name: str, rank: int, default: Sequence[int] | None = None) -> Pair:
    """An attribute for each of the `rank` axes of space, whole numbers from 1, as (height, width).

    Raises BrokenArchitectureError for other values, and where there is no default and the file gives none.
    """
    values = call.integers(name, default, low=1, count=rank)
    return (1, values[0]) if rank == 1 else (values[0], values[1])


def padding(call: OpArgs, sizes: Pair, reach: Pair, strides: Pair, rank: int) -> Pads:
    """Top, bottom, left and right cells around an image of (height, width) `sizes`.

    `reach` is the window with its gaps. Raises BrokenArchitectureError for an unknown `auto_pad` and for another number
    of pads, UnsupportedOptionError for pads above `MAX_BORDER`.
    """
    kind = call.word("auto_pad", "NOTSET")
    if kind != "NOTSET":
        call.meaningless("pads")
    if kind in {"SAME_UPPER", "SAME_LOWER"}:
        pairs = [
            same_padding(size, window, stride, odd_before=kind == "SAME_LOWER")
            for size, window, stride in zip(sizes, reach, strides, strict=True)
        ]
        return *pairs[0], *pairs[1]
    if kind not in {"NOTSET", "VALID"}:
        raise call.broken(f"auto_pad: {kind!r}")
    values = (0,) * (2 * rank) if kind == "VALID" else call.integers("pads", (0,) * (2 * rank), count=2 * rank)
    if max(values) > MAX_BORDER:
        raise call.unsupported(f"pads {values} are larger than {MAX_BORDER}", "use smaller pads")
    return (0, 0, values[0], values[1]) if rank == 1 else (values[0], values[2], values[1], values[3])


def outputs(call: OpArgs, sizes: Pair, pads: Pads, reach: Pair, strides: Pair) -> Pair:
    """Rows and columns of windows that fit.

    Raises ShapeError if none does.
    """
    rows, columns = window_counts(sizes, reach, strides, pads)
    if rows < 1 or columns < 1:
        raise call.builder.shape_error(
            f"a {reach[0]}x{reach[1]} window does not fit the input of {sizes[0]}x{sizes[1]}"
        )
    return rows, columns


def transposed(call: OpArgs, sizes: Pair, window: Pair, strides: Pair, rank: int) -> tuple[Pair, Pair]:
    """Rows and columns cut off at the begin of a transposed convolution's sums, and those of its result.

    Raises ShapeError if nothing is left, BrokenArchitectureError for attributes of other lengths, and what `padding`
    raises.
    """
    extra = call.integers("output_padding", (0,) * rank, count=rank)
    extra = (0, *extra) if rank == 1 else extra
    full = [(size - 1) * stride + reach for size, stride, reach in zip(sizes, strides, window, strict=True)]
    kind = call.word("auto_pad", "NOTSET")
    if call.names("output_shape") or kind in {"SAME_UPPER", "SAME_LOWER"}:
        call.meaningless("pads")
        named = call.integers("output_shape", (), low=1)[-rank:] if call.names("output_shape") else ()
        ends = (
            tuple(size * stride for size, stride in zip(sizes, strides, strict=True)) if not named else (1, *named)[-2:]
        )
        totals = [max(whole + more - end, 0) for whole, more, end in zip(full, extra, ends, strict=True)]
        begin = tuple(total // 2 if kind == "SAME_UPPER" else total - total // 2 for total in totals)
        return (begin[0], begin[1]), (ends[0], ends[1])
    top, bottom, left, right = padding(call, sizes, window, strides, rank)
    rows, columns = full[0] + extra[0] - top - bottom, full[1] + extra[1] - left - right
    if rows < 1 or columns < 1:
        raise call.builder.shape_error("nothing is left of its result")
    return (top, left), (rows, columns)


def result(
    call: OpArgs, operation: SourceOperation, source: Image, height: int, width: int, channels: int
) -> TensorView:
    """A new layer behind an image, as the file sees it: (1, channels, height, width), or channels last as the image.

    Raises TooLargeError and ShapeError as every new layer does.
    """
    layer_shape = source.layer_shape(height, width, channels)
    return call.result(operation, (source.layer,), layer_shape, source.order(), source.shape(height, width, channels))
