"""Operators on images that only pool, pad, cut or repeat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from math import prod

import numpy as np

from fpgacnn.frontends.onnx.fold import axis_of
from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations import window
from fpgacnn.frontends.onnx.operations.window import Image
from fpgacnn.frontends.onnx.values import TensorView, Value
from fpgacnn.ir import source as src
from fpgacnn.ir.shapes import Pads, Pair
from fpgacnn.ir.source import Shape

MAX_RANK = 4
"""Axes of an image with its events and channels."""


def pool(call: OpArgs) -> TensorView:
    """MaxPool and AveragePool of an image (1, channels, h, w) or (1, channels, w); of MaxPoolNHWC (1, h, w, channels).

    Raises UnsupportedOptionError for dilation, indices of maxima, and padding as wide as the window; ShapeError.
    """
    kind = src.PoolKind.MAX if call.node.kind.startswith("MaxPool") else src.PoolKind.AVERAGE
    last = True if call.node.kind == "MaxPoolNHWC" else None
    source = window.image(call, call.view(), last=last)
    rank = source.rank
    size, strides = window.pair(call, "kernel_shape", rank), window.pair(call, "strides", rank, (1,) * rank)
    if window.pair(call, "dilations", rank, (1,) * rank) != (1, 1):
        raise call.unsupported("pooling with dilation is not supported", "use dilations of 1")
    if len(call.node.outputs) > 1 and call.node.outputs[1]:
        raise call.unsupported("the places of maxima are not supported", "use the first output only")
    pads = window.padding(call, source.sizes, size, strides, rank)
    if call.integer("ceil_mode", 0):
        pads = _rounded_up(call, source.sizes, size, strides, pads, kind)
    if call.integer("count_include_pad", 0) and kind is src.PoolKind.AVERAGE and any(pads):
        source, pads = _padded(call, source, pads), (0, 0, 0, 0)
    if any(pad >= edge for pad, edge in zip(pads, (size[0], size[0], size[1], size[1]), strict=True)):
        raise call.unsupported("padding as wide as the window is not supported", "use smaller pads")
    rows, columns = window.outputs(call, source.sizes, pads, size, strides)
    operation = src.Pool(kind=kind, size=size, strides=strides, pads=pads)
    return window.result(call, operation, source, rows, columns, source.channels)


def _rounded_up(call: OpArgs, sizes: Pair, size: Pair, strides: Pair, pads: Pads, kind: src.PoolKind) -> Pads:
    """The padding with which the last windows, begun inside the image, are whole."""
    found: list[int] = []
    for axis in (0, 1):
        before, after = pads[2 * axis : 2 * axis + 2]
        length = sizes[axis] + before + after
        count = -(-(length - size[axis]) // strides[axis]) + 1
        if (count - 1) * strides[axis] >= sizes[axis] + before:
            count -= 1
        found += [before, max((count - 1) * strides[axis] + size[axis] - length, 0) + after]
    if kind is src.PoolKind.AVERAGE and tuple(found) != pads and call.integer("count_include_pad", 0):
        raise call.unsupported("an average with ceil_mode that counts padding is not supported", "use ceil_mode=0")
    return found[0], found[1], found[2], found[3]


def _padded(call: OpArgs, source: Image, pads: Pads) -> Image:
    top, bottom, left, right = pads
    height, width = source.height + top + bottom, source.width + left + right
    layer = call.builder.emit(
        src.ZeroPad(pads=pads), (source.layer,), source.layer_shape(height, width, source.channels)
    )
    return Image(layer=layer, height=height, width=width, channels=source.channels, rank=source.rank, last=source.last)


def global_pool(call: OpArgs) -> TensorView:
    """GlobalMaxPool and GlobalAveragePool of an image (1, channels, ...) to (1, channels, 1, ...).

    Raises what `window.image` raises.
    """
    kind = src.PoolKind.MAX if "Max" in call.node.kind else src.PoolKind.AVERAGE
    source = window.image(call, call.view())
    return over_space(call, source, kind, source.shape(1, 1, source.channels))


def over_space(call: OpArgs, source: Image, kind: src.PoolKind, shape: Shape) -> TensorView:
    """The pooled channels (channels,) of an image, which the file sees in `shape`.

    Raises TooLargeError and ShapeError as every new layer does.
    """
    return call.result(src.GlobalPool(kind=kind), (source.layer,), (source.channels,), (0,), shape)


def _image_of(call: OpArgs, view: TensorView, touched: AbstractSet[int]) -> Image:
    """An image whose channels are not among the touched axes.

    Raises UnsupportedOptionError if all axes are touched.
    """
    rank = len(view.shape)
    if 0 in touched or rank < 3 or {1, rank - 1} <= touched:
        raise call.unsupported(
            "only axes of space can be padded, cut or repeated", "leave events and channels as they are"
        )
    held_last = call.builder.moves_only(view) and [view.layer_shape[axis] for axis in view.order] == list(
        view.layer_shape
    )
    last = rank - 1 not in touched and (
        1 in touched or (held_last and view.order == tuple(range(len(view.layer_shape))))
    )
    return window.image(call, view, last=last)


def _space(source: Image, by_axis: Mapping[int, tuple[int, int]]) -> Pads:
    """Numbers for axes of the file as top, bottom, left, right."""
    first = 1 if source.last else 2
    pairs = [by_axis.get(first + number, (0, 0)) for number in range(source.rank)]
    top, bottom = (0, 0) if source.rank == 1 else pairs[0]
    return top, bottom, *pairs[-1]


def pad(call: OpArgs) -> TensorView:
    """Pad with zeros, `pads` (2 n,) for n axes: all, or those of the input `axes`. Other axes keep their length.

    Raises BrokenArchitectureError for pads that do not fit the axes and for an axis that is named twice or missing;
    UnsupportedOptionError for other modes and values, pads below 0 or above `MAX_BORDER`, and the axis of events;
    TooLargeError.
    """
    view, rank = call.view(), len(call.view().shape)
    sizes = call.numbers(1, "pads") if call.has(1) else call.integers("pads", low=-window.MAX_BORDER)
    axes = [axis_of(call, axis, rank) for axis in call.numbers(3, "axes")] if call.has(3) else list(range(rank))
    fill = call.scalar(2, "value") if call.has(2) else call.number("value", 0.0)
    if len(set(axes)) != len(axes):
        raise call.broken(f"axes: {axes} name an axis twice")
    if call.word("mode", "constant") != "constant" or fill:
        raise call.unsupported("only padding with zeros is supported", "use mode='constant' with value 0")
    if len(sizes) != 2 * len(axes):
        raise call.broken(f"pads: {sizes} for {len(axes)} axes")
    by_axis = {axis: (sizes[number], sizes[number + len(axes)]) for number, axis in enumerate(axes)}
    if not any(sizes):
        return view
    if not all(0 <= size <= window.MAX_BORDER for size in sizes):
        raise call.unsupported(f"pads {sizes} are negative or larger than {window.MAX_BORDER}", "cut with Slice")
    touched = [axis for axis, ends in by_axis.items() if any(ends)]
    if rank < 3 or rank > MAX_RANK or {1, rank - 1} <= set(touched):
        for axis in touched:
            view = _grown(call, view, call.data_axis(axis), *by_axis[axis])
        return view
    source = _image_of(call, view, set(touched))
    top, bottom, left, right = pads = _space(source, by_axis)
    return window.result(
        call, src.ZeroPad(pads=pads), source, source.height + top + bottom, source.width + left + right, source.channels
    )


def _grown(call: OpArgs, view: TensorView, axis: int, before: int, after: int) -> TensorView:
    """Zeros at the ends of any one axis, which a layer holds as cells, all others as its channels."""
    others = [one for one in call.builder.layer_order(view) if one != axis]
    size, sizes = view.shape[axis], tuple(view.shape[one] for one in others)
    total = size + before + after
    layer = call.builder.reshaped(call.builder.arranged(view, [axis, *others]), (size, *sizes), (size, prod(sizes)))
    layer = call.builder.emit(src.ZeroPad(pads=(0, 0, before, after)), (layer,), (total, prod(sizes)))
    layer = call.builder.reshaped(layer, (total, prod(sizes)), (total, *sizes))
    axes = [axis, *others]
    order = tuple(sorted(range(len(axes)), key=lambda number: axes[number]))
    shape = (*view.shape[:axis], total, *view.shape[axis + 1 :])
    return TensorView(layer=layer, layer_shape=(total, *sizes), order=order, shape=shape, kind=view.kind)


def resize(call: OpArgs) -> TensorView:
    """Resize and Upsample by repetition: every axis of space grows by a whole number.

    Raises UnsupportedOptionError for other modes, for cells that are not repeated evenly, for factors that are no whole
    numbers, and for other axes than those of space; BrokenArchitectureError for a number of sizes or scales that is not
    that of the axes; ShapeError, TooLargeError.
    """
    view = call.view()
    if call.word("mode", "nearest") != "nearest":
        raise call.unsupported(f"mode {call.word('mode', 'nearest')!r} is not supported", "use mode='nearest'")
    if call.names("axes"):
        raise call.unsupported("sizes for some axes only are not supported", "give a size for every axis")
    if call.word("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.unsupported(
            "a size that keeps the aspect ratio is not supported", "use keep_aspect_ratio_policy='stretch'"
        )
    call.meaningless(
        "cubic_coeff_a", "exclude_outside", "extrapolation_value", "antialias"
    )  # of modes other than nearest
    factors = _factors(call, view)
    for size, factor in zip(view.shape, factors, strict=True):
        if not _repeats(call, size, factor):
            raise call.unsupported(
                "its cells are not repeated evenly",
                "use coordinate_transformation_mode='asymmetric' with nearest_mode='floor'",
            )
    if all(factor == 1 for factor in factors):
        return view
    by_axis = {axis: (factor, factor) for axis, factor in enumerate(factors) if factor != 1}
    source = _image_of(call, view, set(by_axis))
    found = _space(source, by_axis)
    rows, columns = max(found[0], 1), max(found[2], 1)
    operation = src.Upsample(factors=(rows, columns))
    return window.result(call, operation, source, source.height * rows, source.width * columns, source.channels)


def _factors(call: OpArgs, view: TensorView) -> list[int]:
    """How often the cells of every axis are repeated."""
    values = call.attribute("scales")
    if call.node.kind == "Upsample" and isinstance(values, tuple):
        scales = np.asarray(values, np.float64)
    elif call.has(3):
        sizes = call.numbers(3, "sizes")
        sizes = (1, *sizes[1:]) if sizes[:1] == (call.builder.events,) else sizes
        if len(sizes) != len(view.shape):
            raise call.broken(f"sizes: {len(sizes)} for {len(view.shape)} axes")
        scales = np.asarray(sizes, np.float64) / np.asarray(view.shape)
    else:
        scales = call.constant(1 if len(call.inputs) == 2 else 2, "scales").plain.astype(np.float64)  # data, scales
    if scales.shape != (len(view.shape),):
        raise call.broken(f"scales: {scales.size} for {len(view.shape)} axes")
    if np.any(scales != np.rint(scales)) or np.any(scales < 1) or prod(scales) > window.MAX_BORDER**2:
        raise call.unsupported(
            f"scales {scales.tolist()} are not whole numbers", "repeat cells a whole number of times"
        )
    return [int(scale) for scale in scales]


def _repeats(call: OpArgs, size: int, factor: int) -> bool:
    """Whether output cell `i` is input cell `i // factor`, by the operator's own rule."""
    mode, rounding = (
        call.word("coordinate_transformation_mode", "half_pixel"),
        call.word("nearest_mode", "round_prefer_floor"),
    )
    if factor == 1 or call.node.kind == "Upsample":
        return True
    cells = np.arange(size * factor, dtype=np.float64)
    if mode == "asymmetric":
        place = cells / factor
    elif mode in {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"}:
        place = (cells + 0.5) / factor - 0.5
    else:
        return False
    rules = {
        "round_prefer_floor": np.ceil(place - 0.5),
        "round_prefer_ceil": np.floor(place + 0.5),
        "floor": np.floor(place),
        "ceil": np.ceil(place),
    }
    return rounding in rules and bool(np.array_equal(np.clip(rules[rounding], 0, size - 1), cells // factor))


SPATIAL: Mapping[str, Callable[[OpArgs], Value]] = {
    "MaxPool": pool,
    "MaxPoolNHWC": pool,
    "AveragePool": pool,
    "GlobalMaxPool": global_pool,
    "GlobalAveragePool": global_pool,
    "Pad": pad,
    "Resize": resize,
    "Upsample": resize,
}
