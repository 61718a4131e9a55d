"""Operators with products: convolutions, matrix products, normalization."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from fpgacnn.frontends.onnx.op_args import OpArgs
from fpgacnn.frontends.onnx.operations import window
from fpgacnn.frontends.onnx.operations.quant import decoded, quantized_result
from fpgacnn.frontends.onnx.values import Constant, Grid, Numbers, TensorView, to_weight
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Rounding
from fpgacnn.ir.source import FloatArray

MAX_AXES_OF_PRODUCTS = 3


def convolution(call: OpArgs) -> TensorView:
    """Conv, channels first, or last in QONNX' own domain; weights (out, in / groups, h, w) or (out, h, w, in / groups).

    Raises UnsupportedOptionError for computed weights and forms that hardware does not have, ShapeError for weights or
    a bias that do not fit.
    """
    return _convolved(call, call.view(), call.constant(1, "weights"), _bias(call, 2))


def _bias(call: OpArgs, number: int) -> Constant | None:
    return call.constant(number, "bias") if call.has(number) else None


def _convolved(call: OpArgs, view: TensorView, stored: Constant, bias: Constant | None) -> TensorView:
    source = window.image(call, view)
    rank, groups = source.rank, call.integer("group", 1)
    kernel = _channels_last(call, stored, rank, last=source.last)
    height, width, inputs, filters = kernel.values.shape
    if groups < 1 or inputs * groups != source.channels or filters % groups:
        raise call.builder.shape_error(
            f"weights of {stored.values.shape} in {groups} groups do not fit {source.channels} channels"
        )
    if call.integers("kernel_shape", (height, width)[2 - rank :], low=1, count=rank) != (height, width)[2 - rank :]:
        raise call.broken("kernel_shape differs from the weights")
    strides, dilation = (
        window.pair(call, "strides", rank, (1,) * rank),
        window.pair(call, "dilations", rank, (1,) * rank),
    )
    reach = ((height - 1) * dilation[0] + 1, (width - 1) * dilation[1] + 1)
    pads = window.padding(call, source.sizes, reach, strides, rank)
    rows, columns = window.outputs(call, source.sizes, pads, reach, strides)
    offset = None if bias is None else _vector(call, bias, filters)
    if groups == source.channels > 1:
        each = kernel.moved(lambda array: array.reshape(height, width, groups, filters // groups))
        operation: src.SourceOperation = src.Depthwise(
            kernel=to_weight(each), bias=offset, strides=strides, pads=pads, dilation=dilation
        )
    else:
        operation = src.Convolution(
            kernel=to_weight(kernel), bias=offset, strides=strides, pads=pads, dilation=dilation, groups=groups
        )
    return window.result(call, operation, source, rows, columns, filters)


def _channels_last(call: OpArgs, stored: Constant, rank: int, *, last: bool) -> Constant:
    """Weights (out, in, h, w), or (out, h, w, in), as (h, w, in, out)."""
    if stored.values.ndim != rank + 2 or stored.values.size == 0:
        raise call.builder.shape_error(f"weights of {stored.values.shape} do not fit {rank} axes of space")
    axes = (*range(1, rank + 2), 0) if last else (*range(2, rank + 2), 1, 0)
    turned = stored.moved(lambda array: array.transpose(axes))
    return turned if rank == 2 else turned.moved(lambda array: array[None])


def _vector(call: OpArgs, constant: Constant, size: int) -> src.Weight:
    """The bias of a convolution, one number for each output."""
    if constant.values.shape != (size,):
        raise call.builder.shape_error(f"a bias of {constant.values.shape} does not fit {size} outputs")
    return to_weight(constant)


def transposed_convolution(call: OpArgs) -> TensorView:
    """ConvTranspose in one group and without dilation; weights (in, out, h, w), bias (out,).

    Raises UnsupportedOptionError for groups, dilation and computed weights; ShapeError for weights or a bias that do
    not fit, and where nothing is left of the result; BrokenArchitectureError for another `kernel_shape`.
    """
    source, stored, bias = window.image(call, call.view()), call.constant(1, "weights"), _bias(call, 2)
    rank = source.rank
    if call.integer("group", 1) != 1 or window.pair(call, "dilations", rank, (1,) * rank) != (1, 1):
        raise call.unsupported(
            "a transposed convolution in groups or with dilation is not supported", "use group=1 and dilations of 1"
        )
    if stored.values.ndim != rank + 2 or stored.values.shape[0] != source.channels or not stored.values.size:
        raise call.builder.shape_error(f"weights of {stored.values.shape} do not fit {source.channels} channels")
    turned = stored.moved(lambda array: array.transpose(*range(2, rank + 2), 1, 0))
    kernel = turned if rank == 2 else turned.moved(lambda array: array[None])
    size, filters = (kernel.values.shape[0], kernel.values.shape[1]), kernel.values.shape[2]
    if call.integers("kernel_shape", size[2 - rank :], low=1, count=rank) != size[2 - rank :]:
        raise call.broken("kernel_shape differs from the weights")
    strides = window.pair(call, "strides", rank, (1,) * rank)
    begin, (rows, columns) = window.transposed(call, source.sizes, size, strides, rank)
    offset = None if bias is None else _vector(call, bias, filters)
    operation = src.Transposed(kernel=to_weight(kernel), bias=offset, strides=strides, begin=begin)
    return window.result(call, operation, source, rows, columns, filters)


def gemm(call: OpArgs) -> TensorView:
    """Gemm: a dense layer; alpha and beta are multiplied into weights that have no quantizer.

    Data (rows, in), weights (in, out), or (out, in) with `transB`, a bias that broadcasts against (rows, out).

    Raises UnsupportedOptionError for `transA`, for factors of quantized weights and for computed weights; ShapeError.
    """
    if call.integer("transA", 0):
        raise call.unsupported("transA is not supported", "export with the data not transposed")
    if call.is_old:
        call.meaningless("broadcast")
    if len(call.view().shape) != 2:
        raise call.builder.shape_error(f"a matrix is needed, found a tensor of {call.view().shape}")
    stored = _scaled(call, call.constant(1, "weights"), "alpha")
    kernel = stored.moved(np.transpose) if call.integer("transB", 0) else stored
    bias = _scaled(call, call.constant(2, "bias"), "beta") if call.has(2) else None
    call.meaningless("beta")
    return _product(call, call.view(), kernel, bias)


def _scaled(call: OpArgs, constant: Constant, name: str) -> Constant:
    factor = np.float32(call.number(name, 1.0))
    if factor == 1:
        return constant
    if constant.grid is not None:
        raise call.unsupported(f"{name}={factor:g} with quantized weights is not supported", f"export with {name}=1")
    return replace(constant, values=constant.values * factor)


def matrix_product(call: OpArgs) -> TensorView:
    """MatMul of (..., in) with a constant matrix (in, out) on the right.

    Raises UnsupportedOptionError for two computed tensors and for constants on the left, ShapeError.
    """
    if isinstance(call.value(0), Constant):
        raise call.unsupported("weights on the left of the data are not supported", "transpose the product")
    if not isinstance(call.value(1), Constant):
        raise call.unsupported("a product of two computed tensors is not supported", "multiply by constant weights")
    return _product(call, call.view(), call.constant(1, "weights"), None)


def _product(call: OpArgs, view: TensorView, kernel: Constant, bias: Constant | None) -> TensorView:
    shape = view.shape
    if kernel.values.ndim != 2 or len(shape) < 2 or kernel.values.shape[0] != shape[-1] or not kernel.values.size:
        raise call.builder.shape_error(f"a tensor of {shape} cannot be multiplied by weights of {kernel.values.shape}")
    units = kernel.values.shape[1]
    result = (*shape[:-1], units)
    if bias is not None and set(bias.values.shape[:-1]) - {1}:
        sums = replace(_product(call, view, kernel, None), exclusive=False)
        call.must_not_grow(sums, bias.values.shape)
        return scale_and_shift(call, sums, np.ones(()), bias)
    offset = None if bias is None else to_weight(bias.moved(lambda array: _row(call, array, result)))
    if prod(shape[:-1]) == 1:
        return _dense(call, view, kernel, offset, result)
    axes = [axis for axis, size in enumerate(shape[:-1]) if size != 1] + [len(shape) - 1]
    given = tuple(shape[axis] for axis in axes)
    rows = given[:-1] if len(axes) <= MAX_AXES_OF_PRODUCTS else (prod(given[:-1]),)
    layer = call.builder.reshaped(call.builder.arranged(view, axes), given, (*rows, given[-1]))
    pointwise = to_weight(kernel.moved(lambda array: array[None, None]))
    layer_shape = tuple(result[axis] for axis in axes)
    operation = src.Convolution(kernel=pointwise, bias=offset, strides=(1, 1), pads=(0, 0, 0, 0))
    product = call.result(operation, (layer,), (*rows, units), range(len(rows) + 1), (*rows, units))
    layer = call.builder.reshaped(product.layer, product.layer_shape, layer_shape)
    return replace(product, layer=layer, layer_shape=layer_shape, order=tuple(range(len(layer_shape))), shape=result)


def _row(call: OpArgs, array: Numbers, shape: tuple[int, ...]) -> Numbers:
    """What is added to every row of a product of `shape`, as a vector."""
    if array.ndim > len(shape) or array.size not in {1, shape[-1]}:
        raise call.builder.shape_error(f"a bias of {array.shape} does not fit a product of {shape}")
    return np.array(np.broadcast_to(array.reshape(-1), shape[-1:]))  # all axes but the last have length 1


def _dense(
    call: OpArgs, view: TensorView, kernel: Constant, bias: src.Weight | None, shape: tuple[int, ...]
) -> TensorView:
    """A dense layer in the layer's order of values: the rows of weights are reordered, not the values."""
    places = np.arange(view.size).reshape(view.layer_shape).transpose(view.order).reshape(-1)
    rows = kernel.moved(lambda array: array[np.argsort(places)])
    layer = view.layer if len(view.layer_shape) == 1 else call.builder.emit(src.Reshape(), (view.layer,), (view.size,))
    return call.result(src.Dense(kernel=to_weight(rows), bias=bias), (layer,), (shape[-1],), (0,), shape)


def normalization(call: OpArgs) -> TensorView:
    """BatchNormalization at inference, along the channels; scale, bias, mean and variance are (channels,).

    Raises UnsupportedOptionError for training, `spatial=0`, computed constants and a negative variance; ShapeError for
    constants of another length and for a tensor without channels.
    """
    if call.integer("training_mode", 0) or not call.integer("is_test", int(not call.is_old)):
        raise call.unsupported("it normalizes by the batch", "export the model in inference mode")
    if not call.integer("spatial", 1):
        raise call.unsupported("it normalizes every place by itself", "export with spatial=1")
    call.meaningless("momentum")  # of training
    view = call.view()
    axis = len(view.shape) - 1 if call.node.domain == window.CHANNELS_LAST else 1
    if len(view.shape) < 2:
        raise call.builder.shape_error(f"a tensor of {view.shape} has no channels")
    channels = view.shape[axis]
    names = ("scale", "bias", "mean", "variance")
    constants = {name: call.constant(number, name) for number, name in enumerate(names, 1)}
    if any(one.values.shape != (channels,) for one in constants.values()):
        raise call.builder.shape_error(f"its constants do not fit {channels} channels")
    spread = {
        name: one.moved(lambda array: array.reshape(-1, *(1,) * (len(view.shape) - 1 - axis)))
        for name, one in constants.items()
    }
    turned, vectors = along_channels(call, view, list(spread.values()))
    gamma, beta, mean, variance = (to_weight(one) for one in vectors)
    epsilon = float(np.float32(call.number("epsilon", 1e-5)))
    if np.any(variance.values + epsilon <= 0):
        raise call.unsupported("a variance is negative", "train again; the moving variance must not be negative")
    statistics = src.Statistics(gamma=gamma, beta=beta, mean=mean, variance=variance, epsilon=epsilon)
    return call.elementwise(src.BatchNormalization(statistics=statistics), turned)


def along_channels(call: OpArgs, view: TensorView, constants: list[Constant]) -> tuple[TensorView, list[Constant]]:
    """Constants that broadcast against the file's tensor as vectors along the last axis that a layer holds.

    The view is one whose layer has that axis last; values and grids of the constants become (channels,).

    Raises ShapeError for what does not broadcast, or changes along several axes of a large tensor.
    """
    arrays: list[Numbers] = []
    for one in constants:
        arrays.append(one.values)
        if one.grid is not None:
            arrays += [
                np.broadcast_to(array, one.values.shape) for array in (one.grid.scale, one.grid.low, one.grid.high)
            ]
    turned, vectors = call.builder.by_channel(view, arrays)
    found: list[Constant] = []
    rest = iter(vectors)
    for one in constants:
        values = next(rest)
        grid = one.grid
        if grid is not None:
            scale, low, high = (np.asarray(next(rest), np.float64) for _ in range(3))
            grid = replace(grid, scale=scale, low=low, high=high)
        found.append(replace(one, values=values, grid=grid))
    return turned, found


def scale_and_shift(call: OpArgs, view: TensorView, scale: FloatArray, shift: Constant) -> TensorView:
    """`x * scale + shift`, as a normalization of mean 0 and variance 1; a shift after a linear layer is its bias.

    Both broadcast against the tensor without making it larger. Raises ShapeError for those that do not.
    """
    host = call.builder.operation(view.layer)
    factors = Constant(values=scale)
    turned, (factor, offset) = along_channels(call, view, [factors, shift])
    ones = bool(np.all(factor.values == 1))
    if ones and not np.any(offset.plain):
        return view
    if ones and view.exclusive and turned.layer == view.layer and isinstance(host, src.Linear) and host.bias is None:
        call.builder.replace_last(view.layer, replace(host, bias=to_weight(offset)))
        return view
    zeros = np.zeros(len(offset.values))
    statistics = src.Statistics(
        gamma=to_weight(factor),
        beta=to_weight(offset),
        mean=src.Weight(values=zeros),
        variance=src.Weight(values=zeros + 1.0),
        epsilon=0.0,
    )
    return call.elementwise(src.BatchNormalization(statistics=statistics), turned)


def quantized_convolution(call: OpArgs) -> TensorView:
    """QLinearConv: a convolution of decoded integers, rounded to integers again.

    Shapes are those of `convolution`; the bias (out,) has the product of the scales of input and weights as its step.

    Raises UnsupportedOptionError for an input of another scale or zero point, UnsupportedQuantizerError for element
    types and scales as `quantize_linear`, and what `convolution` raises.
    """
    weights = decoded(call, call.constant(3, "weights"), 4, 5, axis=0)
    bias = None
    if call.has(8):
        scale = np.float64(call.scalar(1, "scale of the input")) * call.constant(
            4, "scale of the weights"
        ).plain.astype(np.float64)
        whole = call.constant(8, "bias").plain.astype(np.float64)
        steps = np.broadcast_to(scale.reshape(-1), whole.shape)
        ends = np.full(whole.shape, 2.0**31)
        bias = Constant(
            values=whole * steps, grid=Grid(scale=steps, low=-ends, high=ends - 1.0, rounding=Rounding.RND_CONV)
        )
    return quantized_result(call, _convolved(call, _coded_input(call), weights, bias), 6, 7)


def quantized_matrix_product(call: OpArgs) -> TensorView:
    """QLinearMatMul: a product (..., in) x (in, out) of decoded integers, rounded to integers again.

    Raises UnsupportedOptionError for an input of another scale or zero point, UnsupportedQuantizerError for element
    types and scales as `quantize_linear`, ShapeError.
    """
    weights = decoded(call, call.constant(3, "weights"), 4, 5, axis=1)
    return quantized_result(call, _product(call, _coded_input(call), weights, None), 6, 7)


def _coded_input(call: OpArgs) -> TensorView:
    found = call.value(0)
    scale, zero = call.constant(1, "scale of the input").plain, call.constant(2, "zero point of the input").plain
    if (
        not isinstance(found, TensorView)
        or found.coding is None
        or not (np.array_equal(found.coding.scale, scale) and np.array_equal(found.coding.zero, zero))
    ):
        raise call.unsupported(
            "its input was not made by QuantizeLinear with the same scale and zero point", "export in QDQ form"
        )
    return replace(found, coding=None)
