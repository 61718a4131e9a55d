"""Which reuse factors hls4ml's resource strategy can have, and the nearest one to a wish.

hls4ml asserts these rules in its headers and moves illegal factors silently in its Python; for pointwise convolutions
it forgets to, and C simulation aborts. So the factor is made legal here, before hls4ml sees it.
"""

from __future__ import annotations

from fpgacnn.errors import UnsupportedOptionError
from fpgacnn.structure import legal_factors

SHOWN = 12


def chosen(inputs: int, outputs: int, largest: int, wish: int, *, layer: str, explicit: bool) -> int:
    """The wish where it is legal, else the nearest legal factor, the smaller of two.

    Raises UnsupportedOptionError where the user asked for this very layer.
    """
    legal = legal_factors(inputs, outputs, largest)
    if wish in legal:
        return wish
    if explicit:
        known = ", ".join(map(str, legal[:SHOWN])) + (", ..." if len(legal) > SHOWN else "")
        why = f"a reuse factor of {wish} is not legal for {inputs} inputs and {outputs} outputs with the resource strategy"
        raise UnsupportedOptionError(layer=layer, why=why, do=f"use one of {known}")
    return min(legal, key=lambda reuse: (abs(reuse - wish), reuse))
