"""Which channels of a network belong together: what is merged or convolved depthwise must keep its channels in common.

Every element of every tensor gets the number of the unit (a filter of a convolution, a unit of a dense layer) that it
comes from. Units of one layer form a group. Where two groups meet in a merge, unit by unit, they are tied: they are
scaled together. A group is fixed where the network gives it no other size: inputs, outputs, and what is reordered in a
way that no channel axis survives. What is fixed has one unit, whose number all its elements have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.ir import source as src
from fpgacnn.ir.source import Shape, SourceLayer, SourceModel

Units: TypeAlias = NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class ChannelGroups:
    """The units of every tensor, in its shape, and which groups of units are tied or fixed."""

    units: dict[str, Units] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    """The group of the units of each linear layer that makes units."""
    sizes: list[int] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _parents: list[int] = field(default_factory=list)
    _fixed: set[int] = field(default_factory=set)
    _count: int = 0

    def new(self, size: int, *, fixed: bool = False) -> Units:
        """The units of a new group, (size,)."""
        self._starts.append(self._count)
        self.sizes.append(size)
        self._parents.append(len(self._parents))
        if fixed:
            self._fixed.add(len(self._parents) - 1)
        self._count += size
        return np.arange(self._count - size, self._count)

    def root(self, group: int) -> int:
        """The group that stands for all that are tied to a group."""
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def is_fixed(self, group: int) -> bool:
        """Whether a group keeps its size."""
        return self.root(group) in {self.root(one) for one in self._fixed}

    def fix(self, units: Units) -> None:
        """The groups of these units keep their sizes."""
        self._fixed |= set(np.unique(self._groups(units)).tolist())

    def tie(self, left: Units, right: Units) -> None:
        """Units at equal places, arrays of one shape, are of tied groups; fixed where these do not match in order."""
        pairs = np.unique(np.stack((left.reshape(-1), right.reshape(-1))), axis=1)
        groups = self._groups(pairs)
        places = pairs - np.array(self._starts)[groups]
        for one, other in {(int(one), int(other)) for one, other in groups.T if one != other}:
            here = (groups[0] == one) & (groups[1] == other)
            if self.sizes[one] == self.sizes[other] and np.array_equal(places[0][here], places[1][here]):
                self._parents[self.root(one)] = self.root(other)
            else:
                self._fixed |= {one, other}
        same = groups[0] == groups[1]
        self._fixed |= set(groups[0][same & (places[0] != places[1])].tolist())

    def _groups(self, units: Units) -> Units:
        return np.searchsorted(np.array(self._starts), units, side="right") - 1


def channel_groups(network: SourceModel) -> ChannelGroups:
    """The units of all tensors of a float network."""
    groups = ChannelGroups()
    for layer in network.layers:
        given = [groups.units[name] for name in layer.inputs]
        groups.units[layer.name] = _units(groups, layer, given)
    for name in network.outputs:
        groups.fix(groups.units[name])
    return groups


def by_channel(units: Units) -> Units | None:
    """The units along the last axis, (channels,), where they are the same at all positions; else None."""
    flat = units.reshape(-1, units.shape[-1])
    return flat[0] if bool((flat == flat[0]).all()) else None


def _units(groups: ChannelGroups, layer: SourceLayer, given: Sequence[Units]) -> Units:
    operation, shape = layer.operation, layer.shape
    channels = by_channel(given[0]) if given else None
    match operation:
        case src.Input():
            return np.broadcast_to(groups.new(1, fixed=True), shape)
        case src.Convolution(groups=1) | src.Transposed() | src.Dense() if channels is not None:
            groups.own[layer.name] = len(groups.sizes)
            return np.broadcast_to(groups.new(shape[-1]), shape)
        case src.Depthwise() if channels is not None and operation.kernel.values.shape[3] == 1:
            return np.broadcast_to(channels, shape)
        case (
            src.BatchNormalization()
            | src.Pool()
            | src.GlobalPool()
            | src.ZeroPad()
            | src.Crop()
            | src.Upsample()
            | src.Activate(function=src.PRelu())
        ) if channels is not None:
            return np.broadcast_to(channels, shape)
        case src.Activate(function=function) if not isinstance(function, src.PRelu | src.Softmax):
            return given[0]
        case src.Permute(axes=axes):
            return given[0].transpose(axes)
        case src.Reshape() if len(shape) == 1:
            return given[0].reshape(-1)
        case src.Reshape() if channels is not None and shape[-1] == len(channels):
            return np.broadcast_to(channels, shape)
        case src.Merge():
            return _merged(groups, given, shape)
        case src.Concatenate(axis=axis) if axis == len(shape) - 1 and all(by_channel(one) is not None for one in given):
            return np.concatenate(given, axis=axis)
        case (
            src.Concatenate()
            | src.Convolution()
            | src.Transposed()
            | src.Dense()
            | src.Depthwise()
            | src.BatchNormalization()
            | src.Pool()
            | src.GlobalPool()
            | src.ZeroPad()
            | src.Crop()
            | src.Upsample()
            | src.Activate()
            | src.Reshape()
        ):
            return _opaque(groups, given, shape)
        case _:
            assert_never(operation)


def _opaque(groups: ChannelGroups, given: Iterable[Units], shape: Shape) -> Units:
    """The result of a layer that keeps its size, and so do the groups of its inputs."""
    for one in given:
        groups.fix(one)
    return np.broadcast_to(groups.new(1, fixed=True), shape)


def _merged(groups: ChannelGroups, given: Sequence[Units], shape: Shape) -> Units:
    """Operands of the whole shape are tied; one that is repeated along its channels keeps its size."""
    lead = next((one for one in given if one.shape == shape), None)
    if lead is None or any(by_channel(one) is None for one in given):
        return _opaque(groups, given, shape)
    for one in given:
        if one.shape[-1] != shape[-1]:
            groups.fix(one)
        else:
            groups.tie(lead, np.broadcast_to(one, shape))
    return lead


def selections(network: SourceModel, groups: ChannelGroups, factor: float) -> Mapping[str, Units]:
    """For each linear layer that makes units, the old place of each new unit; the same for layers that are tied.

    Of fewer units, those with the largest weights stay, by the norm of their weights in all tied layers. Of more units,
    all stay, and copies follow, those of the largest first. `factor` scales the number, rounded, at least 1.
    """
    members: dict[int, list[str]] = {}
    for name, group in groups.own.items():
        members.setdefault(groups.root(group), []).append(name)
    found: dict[str, Units] = {}
    for root, names in members.items():
        size = groups.sizes[groups.own[names[0]]]
        wanted = size if groups.is_fixed(root) else max(1, int(factor * size + 0.5))
        order = np.argsort(-np.sum([_norms(network.layer(name)) for name in names], axis=0), kind="stable")
        copies = np.resize(order, max(0, wanted - size))
        found |= dict.fromkeys(names, np.concatenate((np.sort(order[:wanted]), copies)).astype(np.int64))
    return {name: found[name] for name in groups.own}


def _norms(layer: SourceLayer) -> NDArray[np.float64]:
    """The norm of the weights of each unit."""
    operation = layer.operation
    assert isinstance(operation, src.Linear)
    axis = out_axis(operation)
    values = np.moveaxis(operation.kernel.values, axis, -1)
    return np.sqrt(np.square(values.reshape(-1, values.shape[-1])).sum(axis=0))


def out_axis(operation: src.Linear) -> int:
    """The axis of a kernel that has an entry for each unit."""
    return 2 if isinstance(operation, src.Transposed) else operation.kernel.values.ndim - 1
