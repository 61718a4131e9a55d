"""The layer list that hls4ml gets, as text: every layer, attribute, type and constant of each family of layers.

`--update-golden` rewrites the texts in `golden/`; their difference is to be read like code. That the lists compute
the right values is shown by tests/agree, with a C++ compiler.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest

from fpgacnn.design import IoType, Strategy
from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.hardware.hls.lower import lower
from fpgacnn.hardware.hls.node import Attribute, HlsNode
from fpgacnn.ir import hardware as hw
from tests.agree.test_layers import FAMILIES
from tests.conftest import Golden
from tests.support import networks
from tests.support.networks import Builder


def text(nodes: tuple[HlsNode, ...]) -> str:
    return "".join(f"{line}\n" for node in nodes for line in lines(node))


def lines(node: HlsNode) -> Iterator[str]:
    of = " (helper)" if not node.node else f" of {node.node}" if node.node != node.name else ""
    yield f"{node.name}{of} = {node.kind}({', '.join(node.inputs)})"
    yield f"    {node.strategy}, reuse {node.reuse}" + "".join(
        f", {name} {form}" for name, form in (*node.types.items(), *node.extra_types.items())
    )
    if node.attributes:
        yield "    " + ", ".join(f"{name} {shown(value)}" for name, value in sorted(node.attributes.items()))


def shown(value: Attribute) -> str:
    if not isinstance(value, np.ndarray):
        return str(value)
    content = np.ascontiguousarray(value, "<f8").tobytes()
    return f"{'x'.join(map(str, value.shape))}:{hashlib.sha256(content).hexdigest()[:8]}"


@pytest.mark.parametrize("io", IoType)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_layer_list_of_a_family(family: str, io: IoType, golden: Golden) -> None:
    build = Builder(seed=11)
    FAMILIES[family](build, io)
    golden.check(f"{family.replace(' ', '_')}_{io.value}.txt", text(lower(build.design(io)).nodes))


def test_the_layer_list_with_the_resource_strategy(golden: Golden) -> None:
    build = Builder(seed=12)
    networks.linear_layers(build)
    lowered = lower(build.design(IoType.STREAM, strategy=Strategy.RESOURCE, reuse=3))
    golden.check("resource.txt", text(lowered.nodes) + "".join(f"note: {note}\n" for note in lowered.notes))


@pytest.mark.parametrize("io", IoType)
@pytest.mark.parametrize("family", FAMILIES)
def test_codes_are_the_constants_of_the_attributes(family: str, io: IoType) -> None:
    """What the estimate counts is what hls4ml gets."""
    build = Builder(seed=11)
    FAMILIES[family](build, io)
    constants = {
        "weight": ("weight_data", "depthwise_data"),
        "bias": ("bias_data",),
        "scale": ("scale_data",),
        "param": ("param_data", "activ_param"),
    }
    for node in lower(build.design(io)).nodes:
        given = {
            kind: node.attributes[name]
            for kind, names in constants.items()
            for name in names
            if name in node.attributes
        }
        if "weight" not in given:  # the shift of a normalization, which the estimate does not count
            given.pop("bias", None)
        assert given.keys() == node.codes.keys()
        for kind, codes in node.codes.items():
            assert codes.dtype == np.int64
            assert codes.ndim > 1 or kind == "bias", "a matrix has its outputs last"
            values = codes * node.types[kind].step
            assert np.array_equal(values.ravel(), np.ravel(np.asarray(given[kind])))


def test_a_stream_that_nothing_reads_is_refused() -> None:
    build = Builder(seed=13)
    read, unread = build.input((3, 3, 2)), build.input((3, 3, 2))
    build.end(build.add(hw.Relu(), (3, 3, 2), read))
    assert lower(build.design(IoType.PARALLEL)).nodes
    with pytest.raises(UnsupportedOptionError, match=f"{unread}: nothing reads this input"):
        lower(build.design(IoType.STREAM))
