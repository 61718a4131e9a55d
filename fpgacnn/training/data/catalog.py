"""The data sets by name, and the augmentations that keep their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fpgacnn.training.data import Splits
from fpgacnn.training.data.augmentation import Augmentation
from fpgacnn.training.data.digits import load_digits
from fpgacnn.training.data.fashion import load_fashion
from fpgacnn.training.data.km3net import load_km3net
from fpgacnn.training.data.mnist5k import load_mnist5k


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """How to load a data set, and the augmentation that keeps its classes.

    A mirrored 2 is not a 2, a rotated 6 may be a 9, and light that runs backwards in time does not come from a muon.
    """

    load: Callable[[], Splits]
    augmentation: Augmentation


CATALOG: Mapping[str, CatalogEntry] = {
    "digits": CatalogEntry(load=load_digits, augmentation=Augmentation(shift=(1, 1), step=1 / 16, largest=1.0)),
    "mnist5k": CatalogEntry(
        load=load_mnist5k, augmentation=Augmentation(shift=(2, 2), degrees=10.0, step=1 / 256, largest=255 / 256)
    ),
    "fashion": CatalogEntry(
        load=load_fashion,
        augmentation=Augmentation(shift=(2, 2), flip_left_right=True, step=1 / 256, largest=255 / 256),
    ),
    "km3net": CatalogEntry(load=load_km3net, augmentation=Augmentation(shift=(0, 2), step=1 / 8, largest=7 / 8)),
}
"""For the KM3NeT trigger only shifts in time keep the class: floors are fixed places, and depth changes the light."""
