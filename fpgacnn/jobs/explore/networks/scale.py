"""A float network with more or fewer filters and units in its hidden layers, begun with the weights that it has.

Fewer: the units with the largest weights stay (H. Li et al., "Pruning filters for efficient convnets",
arXiv:1608.08710). More: copies of units, whose outgoing weights are shared, so that the answers stay (T. Chen et al.,
"Net2Net", arXiv:1511.05641); a little noise makes copies learn different things.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from fpgacnn.errors import UsageError
from fpgacnn.ir import source as src
from fpgacnn.ir.source import FloatArray, Shape, SourceLayer, SourceModel, Weight
from fpgacnn.jobs.explore.networks.channels import ChannelGroups, by_channel, channel_groups, out_axis, selections
from fpgacnn.training.data import uniforms

Places: TypeAlias = NDArray[np.int64]

NOISE = 0.05
"""Noise on the weights of copies, as a share of the spread of the kernel's weights."""


def scaled(network: SourceModel, factor: float, seed: int, noise: float = NOISE) -> SourceModel:
    """The network with `factor` times the units in each hidden layer, rounded, at least 1; outputs keep their size.

    Layers that merges tie are scaled together. Raises UsageError where no layer can change.
    """
    groups, chosen = _chosen(network, factor)
    builder = _Scaler(groups=groups, chosen=chosen, seed=seed, noise=noise)
    layers = tuple(builder.layer(network, layer) for layer in network.layers)
    return replace(network, layers=layers)


def refuse_unchanged(network: SourceModel, factor: float) -> None:
    """Raise UsageError where a factor changes no hidden layer."""
    _chosen(network, factor)


def _chosen(network: SourceModel, factor: float) -> tuple[ChannelGroups, Mapping[str, Places]]:
    groups = channel_groups(network)
    chosen = selections(network, groups, factor)
    if all(_is_whole(one, groups.sizes[groups.own[name]]) for name, one in chosen.items()):
        why = f"the factor {factor:g} changes the number of filters of no hidden layer"
        raise UsageError(what=f"--scale-filters: {why}; give other factors")
    return groups, chosen


def _is_whole(chosen: Places, size: int) -> bool:
    return np.array_equal(chosen, np.arange(size))


@dataclass(slots=True, kw_only=True)
class _Scaler:
    """`places`: for each element of each new tensor, the place of the element that it stands for in the old one."""

    groups: ChannelGroups
    chosen: Mapping[str, Places]
    seed: int
    noise: float
    places: dict[str, Places] = field(default_factory=dict)

    def layer(self, network: SourceModel, layer: SourceLayer) -> SourceLayer:
        """The new layer."""
        olds = [network.layer(name).shape for name in layer.inputs]
        given = [self.places[name] for name in layer.inputs]
        places = self._places(layer, olds, given)
        self.places[layer.name] = places
        operation = self._operation(layer, _channels(given[0], olds[0]) if given else None)
        return replace(layer, operation=operation, shape=places.shape, order=None)

    def _places(self, layer: SourceLayer, olds: list[Shape], given: list[Places]) -> Places:
        operation, whole = layer.operation, np.arange(prod(layer.shape)).reshape(layer.shape)
        match operation:
            case src.Input():
                return whole
            case src.Convolution() | src.Transposed() | src.Dense():
                chosen = self.chosen.get(layer.name)
                return whole if chosen is None else whole[..., chosen]
            case src.Permute(axes=axes):
                before = np.arange(prod(olds[0])).reshape(olds[0]).transpose(axes).reshape(-1)
                return np.argsort(before)[given[0].transpose(axes)]
            case src.Reshape() if len(layer.shape) == 1:
                return given[0].reshape(-1)
            case src.Merge():
                lead = next((place for place, one in enumerate(olds) if one == layer.shape), None)
                return whole if lead is None else given[lead]
            case src.Concatenate(axis=axis):
                parts = np.split(whole, np.cumsum([one[axis] for one in olds])[:-1], axis=axis)
                found = [part.reshape(-1)[one] for part, one in zip(parts, given, strict=True)]
                return np.concatenate(found, axis=axis)
            case src.Activate():
                return given[0]
            case (
                src.Depthwise()
                | src.BatchNormalization()
                | src.Pool()
                | src.GlobalPool()
                | src.ZeroPad()
                | src.Crop()
                | src.Upsample()
                | src.Reshape()
            ):
                channels = by_channel(self.groups.units[layer.inputs[0]])
                here = by_channel(self.groups.units[layer.name])
                kept = channels is not None and here is not None and np.array_equal(channels, here)
                return whole[..., _channels(given[0], olds[0])] if kept else whole
            case _:
                assert_never(operation)

    def _operation(self, layer: SourceLayer, given: Places | None) -> src.SourceOperation:
        operation = layer.operation
        match operation:
            case src.Convolution(groups=1) | src.Dense() | src.Transposed() if layer.name in self.chosen:
                assert given is not None
                return self._linear(layer.name, operation, given)
            case src.Depthwise() if operation.kernel.values.shape[3] == 1:
                assert given is not None
                kernel, bias = operation.kernel.values, operation.bias
                return replace(
                    operation,
                    kernel=replace(operation.kernel, values=kernel[:, :, given]),
                    bias=None if bias is None else replace(bias, values=bias.values[given]),
                )
            case src.BatchNormalization(statistics=one):
                assert given is not None
                taken = src.Statistics(
                    gamma=_taken(one.gamma, given),
                    beta=_taken(one.beta, given),
                    mean=_taken(one.mean, given),
                    variance=_taken(one.variance, given),
                    epsilon=one.epsilon,
                )
                return replace(operation, statistics=taken)
            case src.Activate(function=src.PRelu(slope=slope)) if slope.shape[-1] > 1:
                return replace(operation, function=src.PRelu(slope=slope[..., given]))
            case _:
                return operation

    def _linear(self, name: str, operation: src.Linear, given: Places) -> src.SourceOperation:
        kernel, chosen = operation.kernel.values, self.chosen[name]
        out = out_axis(operation)
        into = kernel.ndim - 1 if isinstance(operation, src.Transposed) else out - 1
        shares = np.bincount(given, minlength=kernel.shape[into])[given]
        shape = [1] * kernel.ndim
        shape[into] = -1
        values = kernel.take(given, axis=into) / shares.reshape(shape)
        values = self._noisy(name, values.take(chosen, axis=out), out, kernel.shape[out])
        bias = operation.bias
        return replace(
            operation,
            kernel=replace(operation.kernel, values=values),
            bias=None if bias is None else replace(bias, values=bias.values[chosen]),
        )

    def _noisy(self, name: str, values: FloatArray, out: int, units: int) -> FloatArray:
        """Noise on the weights of copies: the units behind the old ones."""
        copies = values.shape[out] - units
        if copies <= 0 or not self.noise:
            return values
        moved = np.moveaxis(values, out, -1).copy()
        seed = self.seed * 1_000_003 + list(self.chosen).index(name)
        spread = self.noise * float(values.std())
        moved[..., units:] += spread * (2.0 * uniforms(seed, *moved[..., units:].shape) - 1.0)
        return np.moveaxis(moved, -1, out)


def _taken(weight: Weight, places: Places) -> Weight:
    return replace(weight, values=weight.values[places])


def _channels(places: Places, old: Shape) -> Places:
    """The old channel of each new one, from the first position."""
    return places.reshape(-1, places.shape[-1])[0] % old[-1]
