"""Fan-out of streams: hls4ml copies a stream at most seven times, so further readers read copies of copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fpgacnn.hardware.hls.node import HlsNode
from fpgacnn.ir.source import Shape
from fpgacnn.passes.quantization.names import Namer

MAX_CLONES = 7


def limit_fanout(
    nodes: Sequence[HlsNode], ends: Sequence[str], shapes: Mapping[str, Shape], names: Namer
) -> tuple[HlsNode, ...]:
    """The nodes with a repacking copy wherever a result is used more than seven times.

    `ends` are the outputs' names.
    """
    uses = Counter(name for node in nodes for name in node.inputs) + Counter(ends)
    found, number = list(nodes), 0
    while number < len(found):
        node = found[number]
        if uses[node.name] > MAX_CLONES:
            readers = [place for place, other in enumerate(found) if node.name in other.inputs]
            copy = HlsNode(
                name=names.unique(f"{node.name}_copy"),
                kind="Repack",
                inputs=(node.name,),
                attributes={"target_shape": list(shapes[node.name])},
                types={"result": node.types["result"]},
            )
            shapes = {**shapes, copy.name: shapes[node.name]}
            for place in readers[MAX_CLONES - 2 :]:
                moved = tuple(copy.name if name == node.name else name for name in found[place].inputs)
                found[place] = replace(found[place], inputs=moved)
                uses[copy.name] += moved.count(copy.name)
            found.insert(number + 1, copy)
        number += 1
    return tuple(found)
