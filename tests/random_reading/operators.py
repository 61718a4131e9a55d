"""What may be drawn next in a random ONNX graph: each function adds nodes, or gives up with UndrawnError."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.random_reading.graphs import FAR, Array, Graph, N


def constant_arithmetic(g: Graph) -> None:
    """An operator with a constant of any broadcast shape on either side."""
    x = g.tensor(whole=None)
    kind, dtype, shape = g.pick(["Add", "Sub", "Mul", "Div", "Max", "Min"]), g.values[x].dtype, g.growing(x)
    if dtype.kind in "iu":
        values: Array = (
            1 << g.random.integers(0, 6, size=shape)
            if kind == "Div"
            else g.random.integers(0 if dtype.kind == "u" else -8, 9, size=shape)
        )
        if kind == "Div" and dtype.kind == "i" and g.chance(0.3):
            values = -values
    elif kind == "Div":
        values = (
            np.where(g.grid(*shape) < 0, -1, 1)
            * 2.0 ** g.random.integers(-1, 3, size=shape)
            * (1.0 if g.chance(0.8) else 3.0)
        )
    else:
        values = g.grid(*shape)
    if g.chance(0.15) and kind not in {"Max", "Min"}:
        values = np.broadcast_to(values.reshape(-1)[0], shape)
    g.rounds |= kind == "Div" and not np.all(np.frexp(np.abs(values))[0] == 0.5)
    constant = g.store(values, dtype)
    g.add(kind, *((constant, x) if kind != "Div" and g.chance(0.4) else (x, constant)))


def sliced(g: Graph) -> None:
    """Slices of several axes, forwards and backwards, in steps, with ends far away."""
    x = g.tensor(whole=None)
    axes = sorted({g.axis(x, events=0.03) for _ in range(g.number(1, 3))})
    rank = g.values[x].ndim
    axes = list({axis % rank: axis for axis in axes}.values())
    starts, ends, steps = [], [], []
    for axis in axes:
        size = g.values[x].shape[axis]
        step = g.pick([1, 1, 1, 2, -1, -2, 3])
        steps.append(step)
        if step > 0:
            starts.append(g.pick([0, 1, -size, -2, -1, size - 1]))
            ends.append(g.pick([size, -1, FAR, size + 5, 2]))
        else:
            starts.append(g.pick([size - 1, -1, FAR, size, -2]))
            ends.append(g.pick([-size - 1, -FAR, 0, -size, 1]))
    if g.opset < 10:
        g.need(all(step == 1 for step in steps))
        g.add("Slice", x, starts=starts, ends=ends, axes=axes)
        return
    extra = [g.store(axes, np.int64)]
    if any(step != 1 for step in steps) or g.chance(0.3):
        extra.append(g.store(steps, np.int64))
    g.add("Slice", x, g.store(starts, np.int64), g.store(ends, np.int64), *extra)


def parted(g: Graph) -> None:
    """Split: by sizes or evenly; every part can be drawn later."""
    x = g.tensor(whole=None)
    axis = g.axis(x, events=0.03)
    size = g.values[x].shape[axis]
    g.need(size > 1)
    first = g.number(1, size - 1)
    sizes = [first, size - first] if g.chance(0.6) or size % 2 else [size // 2] * 2
    if g.opset >= 18 and g.chance(0.4):
        g.add("Split", x, axis=axis, num_outputs=2, outputs=2)
    elif g.opset < 18 and sizes[0] == sizes[1] and g.chance(0.5):
        g.add("Split", x, axis=axis, outputs=2)
    elif g.opset < 13:
        g.add("Split", x, axis=axis, split=sizes, outputs=2)
    else:
        g.add("Split", x, g.store(sizes, np.int64), axis=axis, outputs=2)


def gathered(g: Graph) -> None:
    """Gather with one index, a list, or a matrix of them."""
    x = g.tensor(whole=None)
    axis = g.axis(x, events=0.03)
    size = g.values[x].shape[axis]
    shape = g.pick([(), (), (1,), (2,), (3,), (2, 2)])
    low = -size if g.opset >= 11 else 0
    g.add("Gather", x, g.store(g.random.integers(low, size, size=shape), np.int64), axis=axis)


def turned(g: Graph) -> None:
    """Transpose, seldom of events."""
    x = g.tensor(whole=None)
    rank = g.values[x].ndim
    order = [0, *(g.random.permutation(rank - 1) + 1).tolist()]
    if g.chance(0.04):
        order = g.random.permutation(rank).tolist()
    g.add("Transpose", x, perm=order)


def reshaped(g: Graph) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze."""
    x = g.tensor(whole=None)
    shape = g.values[x].shape
    kind = g.pick(["Reshape", "Reshape", "Reshape", "Flatten", "Squeeze", "Unsqueeze"])
    if kind == "Flatten":
        g.add("Flatten", x, axis=g.pick([1, 1, 1, 0, -1, min(2, len(shape))]) if g.opset >= 11 else 1)
    elif kind == "Reshape":
        rest = list(shape[1:])
        g.need(rest)
        for _ in range(g.number(1, 2)):
            if g.chance(0.5) and len(rest) > 1:
                at = g.number(0, len(rest) - 2)
                rest[at : at + 2] = [rest[at] * rest[at + 1]]
            else:
                at = g.number(0, len(rest) - 1)
                part = g.pick([one for one in (1, 2, N) if rest[at] % one == 0])
                rest[at : at + 1] = [part, rest[at] // part]
        target = [g.pick([0, shape[0]]), *rest]
        if g.chance(0.3):
            target[g.number(0, len(target) - 1)] = -1
        g.add("Reshape", x, g.store(target, np.int64))
    elif kind == "Unsqueeze":
        axes = [g.pick([1, 2, -1, len(shape)])]
        g.add("Unsqueeze", x, **_axes_attribute(g, axes)) if g.opset < 13 else g.add(
            "Unsqueeze", x, g.store(axes, np.int64)
        )
    else:
        axes = [axis for axis in range(1, len(shape)) if shape[axis] == 1]
        g.need(axes)
        g.add("Squeeze", x, **_axes_attribute(g, axes)) if g.opset < 13 else g.add(
            "Squeeze", x, g.store(axes, np.int64)
        )


def _axes_attribute(g: Graph, axes: list[int]) -> dict[str, Any]:
    return {"axes": axes if g.opset >= 11 else [abs(axis) for axis in axes]}


def joined(g: Graph) -> None:
    """Concat of tensors of one rank, some of them several times."""
    x = g.tensor(whole=None)
    axis = g.axis(x, events=0.02)
    alike = [name for name, value in g.values.items() if value.dtype == g.values[x].dtype and _fits(g, x, name, axis)]
    others = [g.pick(alike) for _ in range(g.number(1, 2))]
    names = [*others, x]
    g.random.shuffle(names)
    g.add("Concat", *names, axis=axis)


def _fits(g: Graph, x: str, other: str, axis: int) -> bool:
    one, two = list(g.values[x].shape), list(g.values[other].shape)
    if len(one) != len(two):
        return False
    del one[axis], two[axis]
    return one == two


def merged(g: Graph) -> None:
    """Arithmetic between tensors of one shape, or of shapes that broadcast."""
    x = g.tensor(whole=None)
    kind = g.pick(["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"])
    rest = [name for name, value in g.values.items() if value.dtype == g.values[x].dtype and value.ndim]
    alike = [name for name in rest if g.values[name].shape == g.values[x].shape]
    count = 1 if kind in {"Add", "Sub", "Mul"} else g.number(1, 2)
    fewer = [name for name in rest if g.values[name].ndim != g.values[x].ndim and g.events == 1]
    names = [x, *(g.pick(fewer or rest) if g.chance(0.3) else g.pick(alike) for _ in range(count))]
    g.random.shuffle(names)
    g.add(kind, *names)


def joined_with_constants(g: Graph) -> None:
    """Max, Min and Sum of a tensor or two and several constants, in any order."""
    x = g.tensor()
    alike = [name for name, value in g.values.items() if value.dtype == np.float32 and value.ndim]
    names = [x, *(g.store(g.grid(*g.broadcast(x))) for _ in range(g.number(1, 2))), *alike[: g.number(0, 1)]]
    g.random.shuffle(names)
    g.add(g.pick(["Max", "Min", "Sum"]), *names)


def chosen(g: Graph) -> None:
    """Where with a constant condition, between tensors or a tensor and a constant; and Expand."""
    x = g.tensor()
    shape = g.growing(x)
    if g.chance(0.3):
        g.need(g.opset >= 8)
        g.add("Expand", x, g.store(shape or (1,), np.int64))
        return
    g.need(g.opset >= 9)
    mask = g.store(g.random.integers(0, 2, size=shape), np.bool_)
    alike = [name for name, value in g.values.items() if value.dtype == np.float32 and value.ndim]
    other = g.store(g.grid(*g.growing(x))) if g.chance(0.6) else g.pick(alike)
    g.add("Where", mask, *((x, other) if g.chance(0.5) else (other, x)))


def reduced(g: Graph) -> None:
    """Sums, means and extremes over any axes."""
    kind = g.pick(["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"])
    x = g.tensor(whole=None if kind != "ReduceMean" else False)
    axes = sorted({g.axis(x, events=0.02) for _ in range(g.number(1, 2))})
    if g.opset < 11:
        axes = [axis % g.values[x].ndim for axis in axes]
    options: dict[str, Any] = {"keepdims": g.number(0, 1)}
    by_input = g.opset >= 18 or (kind == "ReduceSum" and g.opset >= 13)
    if g.chance(0.1):
        g.add(kind, x, **options, **({"noop_with_empty_axes": g.number(0, 1)} if by_input else {}))
    elif by_input:
        g.add(kind, x, g.store(axes, np.int64), **options)
    else:
        g.add(kind, x, axes=axes, **options)


def convolved(g: Graph) -> None:
    """Conv in one or two axes of space, in groups too, and ConvTranspose."""
    x = g.tensor()
    shape = g.values[x].shape
    rank = len(shape) - 2
    g.need(rank in {1, 2})
    size = [g.number(1, min(3, one)) for one in shape[2:]]
    groups = g.pick([one for one in (1, 1, 2, N) if shape[1] % one == 0])
    filters = groups * g.pick([1, 2]) if groups > 1 else g.pick([N, 2, N])
    bias = [g.store(g.grid(filters))] if g.chance(0.6) else []
    options: dict[str, Any] = {"strides": [g.pick([1, 1, 2]) for _ in size]}
    if g.chance(0.2) and groups == 1:
        weights = g.store(g.grid(shape[1], filters, *size, bits=3))
        g.add("ConvTranspose", x, weights, *bias, **options)
        return
    if g.chance(0.3):
        options["auto_pad"] = g.pick(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif g.chance(0.5):
        options["pads"] = [g.number(0, one - 1) for one in (*size, *size)]
    if g.chance(0.2) and "auto_pad" not in options:
        options["dilations"] = [g.pick([1, 2]) for _ in size]
    g.add("Conv", x, g.store(g.grid(filters, shape[1] // groups, *size, bits=3)), *bias, group=groups, **options)


def pooled(g: Graph) -> None:
    """Pooling in windows or over all space."""
    x = g.tensor()
    space = g.values[x].shape[2:]
    g.need(len(space) in {1, 2})
    if g.chance(0.3):
        g.add(g.pick(["GlobalMaxPool", "GlobalAveragePool"]), x)
        return
    kind, size = g.pick(["MaxPool", "AveragePool"]), [g.number(1, min(3, one)) for one in space]
    options: dict[str, Any] = {"kernel_shape": size, "strides": [g.pick([1, 2]) for _ in size]}
    if g.chance(0.4):
        options["pads"] = [g.number(0, one - 1) for one in (*size, *size)]
        if kind == "AveragePool":
            options["count_include_pad"] = g.number(0, 1)
    elif g.chance(0.2):
        options["auto_pad"] = g.pick(["SAME_UPPER", "VALID"])
    elif g.opset >= 10:
        options["ceil_mode"] = g.number(0, 1)
    g.add(kind, x, **options)


def multiplied(g: Graph) -> None:
    """MatMul and Gemm with constant weights, biases of every broadcast shape."""
    x = g.tensor()
    shape = g.values[x].shape
    units = g.pick([N, N, 2])
    if len(shape) != 2 or g.chance(0.4):
        g.add("MatMul", x, g.store(g.grid(shape[-1], units, bits=3)))
        return
    turn = g.number(0, 1)
    weights = g.store(g.grid(*((units, shape[-1]) if turn else (shape[-1], units)), bits=3))
    bias = (
        [g.store(g.grid(*g.pick([(units,), (1, units), (1,), (), (1, 1), (shape[0], 1), (shape[0], units)])))]
        if g.chance(0.8) or g.opset < 11
        else []
    )
    g.add("Gemm", x, weights, *bias, transB=turn, alpha=g.pick([1.0, 0.5]), beta=g.pick([1.0, 2.0]))


def normalized(g: Graph) -> None:
    """BatchNormalization along axis 1."""
    x = g.tensor()
    g.need(g.values[x].ndim >= 2)
    channels = g.values[x].shape[1]
    constants = [g.grid(channels) for _ in range(3)] + [4.0 ** g.random.integers(0, 3, channels) - 0.5]
    g.add("BatchNormalization", x, *(g.store(one) for one in constants), epsilon=0.5)


def activated(g: Graph) -> None:
    """Functions of one number."""
    x = g.tensor()
    kind = g.pick(
        [
            "Relu",
            "Neg",
            "Abs",
            "LeakyRelu",
            "PRelu",
            "Clip",
            "ThresholdedRelu",
            "HardSigmoid",
            "Sigmoid",
            "Tanh",
            "Identity",
            "Dropout",
            "Softmax",
        ]
    )
    g.rounds |= kind in {"Sigmoid", "Tanh", "Softmax"}
    options: dict[str, Any] = {}
    extra: list[str] = []
    if kind == "LeakyRelu":
        options["alpha"] = g.pick([0.25, 0.125, -0.5])
    elif kind == "PRelu":
        extra = [g.store(g.grid(*g.broadcast(x)))]
    elif kind == "Clip":
        low, high = (g.pick([-np.inf, -1.0, 0.0, -0.5]), g.pick([np.inf, 1.0, 0.75, 2.0]))
        if g.opset < 11:
            options = {name: value for name, value in (("min", low), ("max", high)) if np.isfinite(value)}
        else:
            extra = ["" if g.chance(0.2) else g.store(low), "" if g.chance(0.2) else g.store(high)]
    elif kind == "ThresholdedRelu":
        options["alpha"] = g.pick([0.5, 1.0])
        g.need(g.opset >= 10)
    elif kind == "HardSigmoid":
        options = {"alpha": 0.25, "beta": 0.5}
    elif kind == "Softmax":
        options = {"axis": g.axis(x)} if g.chance(0.7) else {}
        if g.opset < 11:
            options = {name: axis % g.values[x].ndim for name, axis in options.items()}
    g.add(kind, x, *extra, **options)


def stepped(g: Graph) -> None:
    """Functions that make steps, where float32 is exact."""
    x = g.tensor()
    g.need(g.is_exact(x))
    kinds = ["Floor", "Ceil", "Sign", *(["Round"] if g.opset >= 11 else [])]
    g.add(g.pick(kinds), x)


def blocks(g: Graph) -> None:
    """DepthToSpace and SpaceToDepth."""
    x = g.tensor(rank=4)
    if g.chance(0.5):
        g.add("SpaceToDepth", x, blocksize=2)
    else:
        g.add("DepthToSpace", x, blocksize=2, **({"mode": g.pick(["DCR", "CRD"])} if g.opset >= 11 else {}))


def padded(g: Graph) -> None:
    """Pad with zeros, and Resize by repetition, of axes of space."""
    x = g.tensor()
    rank = g.values[x].ndim
    if g.chance(0.4) and g.opset >= 13 and rank in {3, 4}:
        scales = [1.0, 1.0, *(g.pick([1.0, 2.0]) for _ in range(rank - 2))]
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        g.add("Resize", x, "", g.store(scales), **options)
        return
    pads = [0] * (2 * rank)
    for _ in range(g.number(1, 2)):
        pads[g.axis(x, events=0.02) % rank + g.pick([0, rank])] = g.number(1, 2)
    g.add("Pad", x, **({"pads": pads} if g.opset < 11 else {})) if g.opset < 11 else g.add(
        "Pad", x, g.store(pads, np.int64)
    )


def to_whole(g: Graph) -> None:
    """Cast to whole numbers, where float32 is exact and the type holds them."""
    x = g.tensor()
    g.need(g.is_exact(x))
    low, high = float(g.values[x].min()), float(g.values[x].max())
    kinds = [TensorProto.INT32, TensorProto.INT64]
    kinds += [TensorProto.INT8] if -128 <= low <= high <= 127 else []
    kinds += [TensorProto.UINT8] if 0 <= low <= high <= 255 else []
    g.add("Cast", x, to=g.pick(kinds))


def of_whole(g: Graph) -> None:
    """Operators that only whole numbers have, and the way back to real ones."""
    x = g.tensor(whole=True)
    kind = g.pick(["Cast", "Cast", "Cast", "Mod", "BitShift", "Neg", "Abs"])
    dtype = g.values[x].dtype
    if kind == "Cast":
        g.add("Cast", x, to=TensorProto.FLOAT if g.chance(0.7) else g.pick([TensorProto.INT32, TensorProto.INT64]))
    elif kind == "Mod":
        g.need(g.opset >= 10)
        g.add("Mod", x, g.store(1 << g.number(0, 4), dtype))
    elif kind == "BitShift":
        g.need(dtype == np.uint8 and g.opset >= 11)
        g.add(
            "BitShift",
            x,
            g.store(g.random.integers(0, 3, size=g.broadcast(x)), dtype),
            direction=g.pick(["LEFT", "RIGHT"]),
        )
    else:
        g.need(dtype.kind == "i")
        g.add(kind, x)


def coded(g: Graph) -> None:
    """QuantizeLinear and DequantizeLinear, along an axis too."""
    x = g.tensor()
    g.need(g.is_exact(x) and g.opset >= 19)  # the reference knows no older DequantizeLinear
    rank, kind = g.values[x].ndim, g.pick([np.int8, np.uint8])
    axis = g.axis(x, events=0.02)
    options = {"axis": axis}
    shape = (g.values[x].shape[axis],) if rank > 1 and g.chance(0.6) else ()
    scale = g.store(2.0 ** g.random.integers(-4, 1, size=shape))
    zero = g.store(g.random.integers(0, 6, size=shape) * 2, kind)
    (codes,) = g.add("QuantizeLinear", x, scale, zero, **options)
    g.hidden.add(codes)
    g.add("DequantizeLinear", codes, scale, zero, **options)


STEPS = (
    *(constant_arithmetic,) * 5,
    *(sliced,) * 3,
    *(*(convolved, merged, reduced, reshaped, turned, activated, stepped, to_whole, of_whole, coded),) * 2,
    *(parted, gathered, joined, pooled, multiplied, normalized, blocks, padded),
    *(joined_with_constants, chosen, *(merged,) * 2),
)
