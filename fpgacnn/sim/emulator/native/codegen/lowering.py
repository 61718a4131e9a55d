"""Lower a design to the steps of a program: which nodes share a kernel, and in which type each tensor is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.design import Design
from fpgacnn.ir import hardware as hw
from fpgacnn.ir import interval as iv
from fpgacnn.ir import source as src
from fpgacnn.ir.fixed_point import CodeArray, Format
from fpgacnn.ir.interval import Interval
from fpgacnn.ir.source import PoolKind
from fpgacnn.passes.precision import LayerPrecision
from fpgacnn.sim.emulator.accumulator_ranges import Sums, linear_sums
from fpgacnn.sim.emulator.native.codegen.casts import cast
from fpgacnn.sim.emulator.native.codegen.fusion import Fusion
from fpgacnn.sim.emulator.native.codegen.operations import concatenated, merge, unary, window
from fpgacnn.sim.emulator.native.codegen.program import Program, assemble
from fpgacnn.sim.emulator.native.codegen.steps import KernelStep, narrowest
from fpgacnn.sim.emulator.native.codegen.tensors import NO_PADS, Pads, Storage, ValueKind, View
from fpgacnn.sim.emulator.native.codegen.values import Code, Value, ends, fits32
from fpgacnn.sim.emulator.native.kernels import elementwise, io
from fpgacnn.sim.emulator.native.kernels.convolution import Fused, linear_step
from fpgacnn.sim.emulator.native.kernels.elementwise import map_step
from fpgacnn.sim.emulator.native.kernels.io import InputReader
from fpgacnn.sim.emulator.native.kernels.side_by_side import side_by_side
from fpgacnn.sim.emulator.native.kernels.softmax import argmax_step, stable_step
from fpgacnn.sim.emulator.native.machine import ByteProducts, Machine
from fpgacnn.sim.emulator.result_ranges import result_ranges

LINEAR = (hw.Convolution, hw.Depthwise, hw.Dense)


def lower_to_program(
    design: Design,
    machine: Machine,
    *,
    keep: AbstractSet[str],
    given: Sequence[InputReader],
    measure: bool = False,
    packed: bool = False,
) -> Program:
    """The program that computes a design and writes the nodes in `keep`; with `measure`, it counts events of casts.

    With `packed`, codes are written in the narrowest type that holds all codes of the node, else as int64.
    """
    lowering = _Lowering(design=design, machine=machine, keep=keep, given=given, measure=measure, packed=packed)
    return lowering.program()


@dataclass(slots=True, kw_only=True)
class _Lowering:
    design: Design
    machine: Machine
    keep: AbstractSet[str]
    given: Sequence[InputReader]
    measure: bool
    packed: bool
    ranges: Mapping[str, Interval] = field(init=False)
    views: dict[str, View] = field(default_factory=dict)
    steps: list[KernelStep] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    by_name: dict[str, hw.Layer] = field(default_factory=dict)
    fusion: Fusion = field(init=False)

    def program(self) -> Program:
        """All steps."""
        self.ranges = result_ranges(self.design)
        self.fusion = Fusion(design=self.design, ranges=self.ranges, keep=self.keep, off=self.measure)
        self.by_name = {layer.name: layer for layer in self.design.model.layers}
        written = [layer.name for layer in self.design.model.layers if layer.name in self.keep]
        waiting, types = dict(enumerate(written)), dict.fromkeys(written, io.CODE_TYPE)
        for layer in self.design.model.layers:
            if layer.name not in self.done:
                self._add(layer)
            for number in [
                number for number, name in waiting.items() if name in self.views
            ]:  # at once, so that its memory is free again
                name = waiting.pop(number)
                types[name] = io.packed_type(self.views[name]) if self.packed else io.CODE_TYPE
                self.steps.append(io.write_step(number, self.views[name], types[name]))
        return assemble(self.steps, types, self.machine.bytes_)

    # what is known of a node

    def precision(self, name: str) -> LayerPrecision:
        """The precision of the plan."""
        return self.design.plan.layers[name]

    def result(self, name: str) -> Format:
        """The format of a node's codes."""
        return self.precision(name).result.format

    def accumulator(self, name: str) -> Format:
        """The format of a node's sums."""
        found = self.precision(name).accumulator
        assert found is not None
        return found.format

    def channel_ends(self, name: str) -> tuple[CodeArray, CodeArray]:
        """Lowest and highest code of each channel of a node, or of all."""
        hull = iv.hull(self.ranges[name])
        return hull.low.reshape(-1), hull.high.reshape(-1)

    def loaded(self, name: str, text: str, *, channels: bool) -> Value:
        """A node's number as a value; with `channels`, its interval for each channel."""
        lowest, highest = self.channel_ends(name)
        low, high = (ends(lowest), ends(highest)) if channels else (ends(lowest.min()), ends(highest.max()))
        return Value(
            text=text, wide=self.views[name].storage.kind.wide, low=low, high=high, fraction=self.result(name).fraction
        )

    # memory

    def new_storage(self, layer: hw.Layer, value: Value, most: int = 4) -> Storage:
        """Memory for a node's result: the type that its readers need, with the border that they need."""
        kind = self.kind_for(layer, value)
        if kind.per > most:
            kind = ValueKind.S16 if most == 2 else ValueKind.I32
        return Storage.of(kind, layer.shape, self.pads_for(layer), (value.low, value.high), value.fraction)

    def kind_for(self, layer: hw.Layer, value: Value) -> ValueKind:
        """The type in memory; bytes only if all readers' weights are bytes and the products are exact."""
        if self.measure:
            return ValueKind.I64 if value.wide else ValueKind.I32
        kind = narrowest(value, byte_weights=True)
        for reader in self._real_readers(layer):
            operation = reader.operation
            if isinstance(operation, LINEAR):
                kind = self._kind_for_weights(kind, value, operation)
        if kind is ValueKind.U8 and self.machine.byte_products is ByteProducts.NONE:
            kind = ValueKind.S16
        return kind

    def _kind_for_weights(self, kind: ValueKind, value: Value, operation: hw.Linear) -> ValueKind:
        low, high = int(operation.kernel.array.min()), int(operation.kernel.array.max())
        largest = value.magnitude * max(-low, high)
        if kind is ValueKind.U8:
            exact = self.machine.byte_products is ByteProducts.EXACT or 2 * largest <= 32767
            kind = ValueKind.U8 if low >= -128 and high <= 127 and exact else ValueKind.S16
        if kind is ValueKind.S16 and not (low >= -32768 and high <= 32767 and 2 * largest < 1 << 31):
            kind = ValueKind.I32
        return kind

    def _real_readers(self, layer: hw.Layer) -> list[hw.Layer]:
        """Readers; a reshape is replaced by its readers."""
        found = []
        for reader in self.fusion.readers[layer.name]:
            found += self._real_readers(reader) if isinstance(reader.operation, src.Reshape) else [reader]
        return found

    def pads_for(self, layer: hw.Layer) -> Pads:
        """The widest border that a reader needs."""
        wanted = [
            reader.operation.pads
            for reader in self.fusion.readers[layer.name]
            if isinstance(reader.operation, hw.Convolution | hw.Depthwise)
        ]
        top, bottom, left, right = (max(sides) for sides in zip(*wanted, NO_PADS, strict=True))
        return top, bottom, left, right

    def put(self, one: KernelStep, layer: hw.Layer) -> None:
        """A step that computes a node, and the border around its result."""
        assert one.output is not None
        if any(one.output.pads):
            self.steps.append(io.border_step(one.output, self.machine.bytes_))
        self.steps.append(one)
        self.views[layer.name] = View(storage=one.output, shape=layer.shape)

    # nodes

    def _add(self, layer: hw.Layer) -> None:
        operation = layer.operation
        match operation:
            case hw.Input():
                self._input(layer, operation)
            case hw.Convolution() | hw.Depthwise() | hw.Dense():
                self._linear(layer, operation)
            case src.Reshape():
                self.views[layer.name] = View(storage=self.views[layer.inputs[0]].storage, shape=layer.shape)
            case src.ZeroPad() | src.Crop() | src.Upsample() | src.Permute():
                self._map(layer, lambda code: self._moved(code, layer, operation))
            case hw.Pool() | hw.GlobalPool():
                self._map(layer, lambda code: self._window(code, layer, operation))
            case hw.Merge():
                self._map(layer, lambda code: self._merged(code, layer, operation))
            case src.Concatenate():
                self._map(layer, lambda code: self._joined(code, layer, operation))
            case hw.Softmax():
                self._softmax(layer, operation)
            case (
                hw.Affine()
                | hw.Cast()
                | hw.Saturate()
                | hw.Relu()
                | hw.LeakyRelu()
                | hw.ThresholdRelu()
                | hw.Lookup()
                | hw.Thresholds()
            ):
                self._map(layer, lambda code: self._first_unary(code, layer))
            case _:
                assert_never(operation)

    def _input(self, layer: hw.Layer, operation: hw.Input) -> None:
        """An input port; packed lanes that do not end with a pixel are filled in a second step."""
        low, high = operation.format.low, operation.format.high
        wide = not fits32(low, high)
        value = Value(text="", wide=wide, low=ends(low), high=ends(high), fraction=operation.format.fraction)
        wanted = self.new_storage(layer, value)
        port = self.design.model.inputs.index(layer.name)
        plain = replace(wanted, kind=ValueKind.I64 if wide else ValueKind.I32, pads=NO_PADS)
        direct = io.input_kind_is_direct(wanted)
        measured = layer.name if self.measure else None
        self.put(
            io.read_step(
                port, operation.format, self.given[port], wanted if direct else plain, self.machine.bytes_, measured
            ),
            layer,
        )
        if not direct:
            self._copy(layer.name, wanted, layer)

    def _copy(self, name: str, wanted: Storage, layer: hw.Layer, elements: NDArray[np.int64] | None = None) -> None:
        """Copy a node's numbers to other memory: all, or `elements`."""
        code, view = Code(), self.views[name]
        every = elementwise.numbers(view.shape).reshape(-1)
        text = elementwise.read(code, 0, view, every if elements is None else elements)
        value = code.let(text, self.loaded(name, "", channels=False))
        self.put(map_step(code, value, wanted, (view.storage,), self.machine.bytes_, layers=()), layer)

    def _linear(self, layer: hw.Layer, operation: hw.Linear) -> None:
        name = layer.inputs[0]
        shape = self.by_name[name].shape
        sums = linear_sums(operation, self.accumulator(layer.name), self.ranges[name], shape)
        before = self.fusion.chain(layer, by_channel=True)
        pool = self.fusion.pooled(layer, sums, before)
        behind = self.fusion.chain(pool, by_channel=True) if pool else []
        nodes = [*before, *([pool] if pool else []), *behind]
        last = nodes[-1] if nodes else layer
        operation, given = self._beside(layer, operation, sums, self._readable(name, operation))

        def after(code: Code, value: Value) -> Value:
            code.rectifies = layer.rectifies
            value = cast(code, value, self.result(layer.name))
            for node in nodes:
                value = self._next(code, value, node)
            return value

        window = pool.operation.size if pool and isinstance(pool.operation, hw.Pool) else None
        fused = Fused(layers=(layer.name, *(node.name for node in nodes)), behind=after, window=window)
        most = given.kind.per if isinstance(operation, hw.Depthwise) else 4
        measured = layer.name if self.measure else None
        one = linear_step(
            self.machine,
            layer,
            operation,
            sums,
            given,
            fused,
            lambda value: self.new_storage(last, value, most),
            measured=measured,
        )
        self.put(one, last)
        self.done |= set(fused.layers)

    def _readable(self, name: str, operation: hw.Linear) -> Storage:
        """The input's memory as the kernel needs it: pixel by pixel for windows, with the border that it reads."""
        view = self.views[name]
        if isinstance(operation, hw.Dense) or view.is_plain:
            return view.storage
        value = self.loaded(name, "", channels=False)
        kind = self._kind_for_weights(
            narrowest(value, byte_weights=self.machine.byte_products is not ByteProducts.NONE), value, operation
        )
        wanted = Storage.of(kind, view.shape, operation.pads, (value.low, value.high), value.fraction)
        self._copy(name, wanted, self.by_name[name])
        self.views[name] = view
        return wanted

    def _beside(self, layer: hw.Layer, operation: hw.Linear, sums: Sums, given: Storage) -> tuple[hw.Linear, Storage]:
        """The layer and its input, with the pixels of a row of its window side by side where that is faster."""
        name = layer.inputs[0]
        view = self.views[name]
        found = None if self.measure else side_by_side(self.machine, operation, sums, given, view.shape, layer.shape)
        if found is None:
            return operation, given
        self._copy(name, found.storage, self.by_name[name], found.elements)
        self.views[name] = view
        return found.operation, found.storage

    def _next(self, code: Code, value: Value, node: hw.Layer) -> Value:
        """Apply one more node to a number."""
        if isinstance(node.operation, hw.Pool):
            return cast(code, cast(code, value, self.accumulator(node.name)), self.result(node.name))
        return unary(code, value, node, self.result(node.name), self.result(node.inputs[0]))

    def _map(self, layer: hw.Layer, make: Callable[[Code], Value]) -> None:
        """A node computed number by number, and the nodes after it that can be fused."""
        code = Code(measured=layer.name if self.measure else None, rectifies=layer.rectifies)
        value = make(code)
        tail = self.fusion.chain(layer, by_channel=False)
        for node in tail:
            value = self._next(code, value, node)
        last = tail[-1] if tail else layer
        inputs = tuple(self.views[name].storage for name in layer.inputs)
        names = (layer.name, *(node.name for node in tail))
        self.put(map_step(code, value, self.new_storage(last, value), inputs, self.machine.bytes_, layers=names), last)
        self.done |= set(names)

    def _read(self, code: Code, name: str, number: int, *, channels: bool) -> Value:
        """Read an input's number at the kernel's element."""
        view = self.views[name]
        return code.let(
            elementwise.read(code, number, view, elementwise.numbers(view.shape).reshape(-1)),
            self.loaded(name, "", channels=channels),
        )

    def _first_unary(self, code: Code, layer: hw.Layer) -> Value:
        return self._next(code, self._read(code, layer.inputs[0], 0, channels=True), layer)

    def _merged(self, code: Code, layer: hw.Layer, operation: hw.Merge) -> Value:
        left, right = (self._read(code, name, number, channels=True) for number, name in enumerate(layer.inputs))
        return merge(code, operation.kind, left, right, self.result(layer.name))

    def _moved(self, code: Code, layer: hw.Layer, operation: src.Moving) -> Value:
        name = layer.inputs[0]
        elements = elementwise.moved(layer, operation, self.by_name[name].shape)
        value = self.loaded(name, "", channels=False)
        value = replace(value, low=np.minimum(value.low, 0), high=np.maximum(value.high, 0))
        return cast(
            code, code.let(elementwise.read(code, 0, self.views[name], elements), value), self.result(layer.name)
        )

    def _window(self, code: Code, layer: hw.Layer, operation: hw.Pool | hw.GlobalPool) -> Value:
        name = layer.inputs[0]
        cells, counts = elementwise.windows(operation, self.by_name[name].shape)
        cells = elementwise.without_holes(cells) if operation.kind is PoolKind.MAX else cells
        load = elementwise.read_window(code, self.views[name], cells)
        value = self.loaded(name, load("0"), channels=True)
        return window(
            code,
            operation.kind,
            load,
            value,
            cells.shape[1],
            counts,
            (self.accumulator(layer.name), self.result(layer.name)),
        )

    def _joined(self, code: Code, layer: hw.Layer, operation: src.Concatenate) -> Value:
        left, right = layer.inputs
        halves = elementwise.joined(operation.axis, (self.by_name[left].shape, self.by_name[right].shape))
        texts = [
            elementwise.read(code, number, self.views[name], half)
            for number, (name, half) in enumerate(zip(layer.inputs, halves, strict=True))
        ]
        values = [
            code.let(text, self.loaded(name, "", channels=False))
            for name, text in zip(layer.inputs, texts, strict=True)
        ]
        return concatenated(code, values[0], values[1], self.result(layer.name))

    def _softmax(self, layer: hw.Layer, operation: hw.Softmax) -> None:
        name, precision = layer.inputs[0], self.precision(layer.name)
        form = precision.result.format
        codes = ends(form.low), ends(form.high)
        output = Storage.of(ValueKind.I32, layer.shape, self.pads_for(layer), codes, form.fraction)
        view = self.views[name]
        if operation.kind is hw.SoftmaxKind.ARGMAX:
            self.put(argmax_step(layer, view, output, self.machine.bytes_), layer)
            return
        value = self.loaded(name, "", channels=False)
        measured = layer.name if self.measure else None
        self.put(stable_step(layer, precision, view, value, output, self.machine.bytes_, measured), layer)
