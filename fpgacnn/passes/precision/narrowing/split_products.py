"""Split a matrix product behind a concatenation: one product for the narrow inputs, one for the wide ones, and a sum.

A concatenation gives all its inputs the format of the widest one. A dense layer or convolution behind it then
multiplies short values as if they were long ones, and a stream has them in its FIFOs and line buffers. `W * [x, y]` is
`U * x + V * y`, with the rows of `W` for each input, so that each input keeps its own format. All sums are exact, so
both ways give the same codes.

The sum is one more process of a stream, with FIFOs of the width of sums before it. So both ways are planned, and the
second one is kept if its products cost no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from fpgacnn.errors import WidthLimitError
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import quantized as q
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import Codes, Format, smallest_format
from fpgacnn.ir.source import MergeKind
from fpgacnn.passes.precision.narrowing.product_costs import Folding, ProductLayers, Products, is_cheaper, matrix
from fpgacnn.passes.precision.nodes import Node, node
from fpgacnn.passes.precision.planner import Planner
from fpgacnn.passes.quantization.names import Namer

PARTS = 2
"""Products of a split one."""

LUTS_OF_PROCESS = 100
"""LUTs of one more process of a stream: its control, and the ends of its FIFOs."""

PROCESSES = 2
"""So many more processes has a split product: the second product and the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joined:
    """A linear layer behind a concatenation.

    `join` is the concatenation, `gone` are all nodes between its inputs and the layer. `channels` are the places of
    each input in the result of the concatenation, in their order.
    """

    layer: Node
    operation: q.Linear
    gone: Sequence[Node]
    join: Node
    channels: Mapping[str, slice]

    @property
    def before(self) -> Node:
        """What the layer reads: the concatenation, or a flatten behind it."""
        return self.gone[0]


def split(
    nodes: list[Node], planner: Planner, model: q.QuantizedModel, folding: Folding | None, namer: Namer
) -> tuple[list[Node], Planner]:
    """The nodes and their planner, with the last node as the sum of two products, where that costs no more.

    Only where each product has multipliers of its own: with weights in memory, the parts would have other legal reuse
    factors than the whole, and their interval could be longer.
    """
    found = _joined(nodes, model) if folding is not None and folding.splits else None
    if found is None or folding is None:
        return nodes, planner
    products = folding.of_layer(model.layer(found.layer.name))
    if products is Products.MEMORY:
        return nodes, planner
    kept, cost = (nodes, planner), _way([found.layer], planner)
    for narrow in _narrow_inputs(found, planner):
        try:
            changed, own, ways = _split(found, narrow, planner, nodes, namer)
        except WidthLimitError:
            continue
        if is_cheaper(products, ways, cost):
            kept, cost = (changed, own), ways
    return kept


def _joined(finished: Sequence[Node], model: q.QuantizedModel) -> _Joined | None:
    """The last node, if it is a product behind a concatenation along the channels that nothing else reads."""
    layer, known = finished[-1], {one.name: one for one in finished}
    if not isinstance(layer.operation, q.Linear) or isinstance(layer.operation.sums, hw.Depthwise):
        return None
    gone = [known[layer.inputs[0]]]
    if isinstance(gone[0].operation, src.Reshape) and len(gone[0].shape) == 1:
        gone.append(known[gone[0].inputs[0]])
    last = gone.pop()
    if not _is_only_for_reader(last, model) or any(len(_readers(model, one)) != 1 for one in gone):
        return None
    places, begin = dict[str, slice](), 0
    for name in _inputs(last, known, model, gone):
        size = known[name].shape[-1]
        if name in places:
            return None
        places[name] = slice(begin, begin + size)
        begin += size
    return _Joined(layer=layer, operation=layer.operation, gone=gone, join=last, channels=places)


def _inputs(join: Node, known: Mapping[str, Node], model: q.QuantizedModel, gone: list[Node]) -> Iterator[str]:
    """The inputs of a concatenation in their order, through those that only it reads; all of these are `gone`."""
    gone.append(join)
    for name in join.inputs:
        if _is_only_for_reader(known[name], model):
            yield from _inputs(known[name], known, model, gone)
        else:
            yield name


def _is_only_for_reader(one: Node, model: q.QuantizedModel) -> bool:
    """Whether a node joins channels, and one other node reads them."""
    joins = isinstance(one.operation, src.Concatenate) and one.operation.axis == len(one.shape) - 1
    return joins and len(_readers(model, one)) == 1


def _readers(model: q.QuantizedModel, one: Node) -> list[str]:
    """The readers of a node; an output of the network is one more."""
    return [
        *(reader.name for reader in model.consumers(one.name)),
        *(name for name in model.outputs if name == one.name),
    ]


def _narrow_inputs(found: _Joined, planner: Planner) -> Iterator[tuple[str, ...]]:
    """The inputs for the narrow product: those up to each width, or one of two whose formats have other places."""
    widths = {name: planner.decided[name].result.format.width for name in found.channels}
    for limit in sorted(set(widths.values()))[:-1]:
        yield tuple(name for name in found.channels if widths[name] <= limit)
    whole = planner.decided[found.join.name].result.format.width
    if len(widths) == PARTS and len(set(widths.values())) == 1 and whole not in widths.values():
        yield (next(iter(found.channels)),)


def _split(
    found: _Joined, narrow: Sequence[str], planner: Planner, finished: Sequence[Node], namer: Namer
) -> tuple[list[Node], Planner, ProductLayers]:
    """All nodes with the two products and their sum, a planner of them, and what is multiplied.

    Raises WidthLimitError.
    """
    own, made = planner.copy(), list[Node]()
    del own.bounds[found.layer.name]
    groups = [[name for name in found.channels if (name in narrow) == is_narrow] for is_narrow in (False, True)]
    parts = []
    for number, group in enumerate(groups):
        source = _group(found, group, own, made, namer)
        part = node(
            found.layer,
            _part(found, group, has_bias=number == 0),
            name=namer.unique(f"{found.layer.name}_part"),
            inputs=(source,),
            is_result=False,
        )
        own.add(part)
        made.append(part)
        parts.append(part)
    total = node(found.layer, hw.Merge(kind=MergeKind.ADD), inputs=tuple(one.name for one in parts))
    own.add(total)
    _explain(total, parts, own, planner)
    names = {found.layer.name, *(one.name for one in found.gone)}
    nodes = [*(one for one in finished if one.name not in names), *made, total]
    ways, width = _way(parts, own), own.decided[total.name].result.format.width
    sums = 3 * width * total.shape[-1]  # the adders, and a word of each product
    between = ways.between + sums + PROCESSES * LUTS_OF_PROCESS
    return nodes, own, replace(ways, between=between)


def _group(found: _Joined, group: Sequence[str], own: Planner, made: list[Node], namer: Namer) -> str:
    """Append the concatenation of a group of inputs, and its flatten; gives the name of the last node."""
    join, flat = found.join, found.before
    source, shape = group[0], own.shapes[group[0]]
    for name in group[1:]:
        shape = (*shape[:-1], shape[-1] + own.shapes[name][-1])
        one = node(join, join.operation, name=namer.unique(join.name), inputs=(source, name), is_result=False)
        source = _append(replace(one, shape=shape), own, made)
    if isinstance(flat.operation, src.Reshape):
        one = node(flat, flat.operation, name=namer.unique(flat.name), inputs=(source,), is_result=False)
        source = _append(replace(one, shape=(prod(shape),)), own, made)
    return source


def _append(one: Node, own: Planner, made: list[Node]) -> str:
    own.add(one)
    made.append(one)
    return one.name


def _part(found: _Joined, group: Sequence[str], *, has_bias: bool) -> q.Linear:
    """The product with the rows of a kernel (..., inputs, outputs) for a group of inputs."""
    operation, kernel = found.operation, found.operation.sums.kernel.array
    channels = sum(place.stop - place.start for place in found.channels.values())
    of_inputs = np.arange(kernel.shape[-2]).reshape(-1, channels)
    rows = np.concatenate([of_inputs[:, found.channels[name]] for name in group], axis=1).ravel()
    bias = operation.sums.bias
    own = replace(
        operation.sums,
        kernel=_narrowed(replace(operation.sums.kernel, array=kernel[..., rows, :])),
        bias=bias if has_bias else _narrowed(replace(bias, array=np.zeros_like(bias.array))),
    )
    errors = operation.errors
    if errors is not None:
        off = np.broadcast_to(errors.kernel, kernel.shape)[..., rows, :]
        errors = q.WeightErrors(kernel=off, bias=errors.bias if has_bias else 0.0)
    return replace(operation, sums=own, errors=errors)


def _narrowed(codes: Codes) -> Codes:
    """The same codes in the smallest format with the same step."""
    low, high = int(codes.array.min()), int(codes.array.max())
    if low == high == 0:
        return replace(codes, format=Format(width=1, integer=1, signed=False))
    return replace(codes, format=smallest_format(low, high, codes.format.fraction))


def _explain(total: Node, parts: Sequence[Node], own: Planner, planner: Planner) -> None:
    """Say what is summed. What is lost, and where float32 rounds, are those of the whole product."""
    before, plan = planner.decided[total.name], own.decided[total.name]
    what = f"the sum of the products with {' and with '.join(one.inputs[0] for one in parts)}, each in its own width"
    own.decided[total.name] = replace(
        plan,
        result=replace(plan.result, reason=f"{plan.result.reason}; {what}"),
        loss=before.loss,
        rounds_in_float32=before.rounds_in_float32 or plan.rounds_in_float32,
    )


def _way(products: Sequence[Node], planner: Planner) -> ProductLayers:
    """What is multiplied and summed, in the formats of the C++; between are the words that are read."""
    layers, between = [], 0
    for one in products:
        assert isinstance(one.operation, q.Linear)
        (name,) = one.inputs
        plan, width = planner.decided[one.name], planner.decided[name].result.format.width
        total = (plan.accumulator or plan.result).format.width
        layers.append((matrix(one.operation.sums), width, total))
        between += width * planner.shapes[name][-1]
    return ProductLayers(layers=layers, between=between)
