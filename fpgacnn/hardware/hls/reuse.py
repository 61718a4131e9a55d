"""Legal reuse factors of hls4ml's resource strategy, and the one nearest to a requested factor.

hls4ml asserts these rules in its headers and silently changes illegal factors in its Python code. For pointwise
convolutions it does not, and C simulation aborts. So the factor is made legal here before hls4ml gets it.
"""

from __future__ import annotations

from fpgacnn.errors import UnsupportedOptionError

SHOWN = 12


def chosen(inputs: int, outputs: int, largest: int, requested: int, *, layer: str, explicit: bool) -> int:
    """The requested factor if it is legal, else the nearest legal factor, the smaller of two.

    Raises UnsupportedOptionError if the user gave the factor for this layer (`explicit`).
    """
    legal = legal_factors(inputs, outputs, largest)
    if requested in legal:
        return requested
    if explicit:
        known = ", ".join(map(str, legal[:SHOWN])) + (", ..." if len(legal) > SHOWN else "")
        why = (
            f"a reuse factor of {requested} is not legal for {inputs} inputs and {outputs} outputs with the resource"
            " strategy"
        )
        raise UnsupportedOptionError(layer=layer, why=why, do=f"use one of {known}")
    return min(legal, key=lambda reuse: (abs(reuse - requested), reuse))


def largest(inputs: int, outputs: int, *, loops: bool) -> int:
    """The largest reuse factor of a product of `inputs` by `outputs`.

    `loops`: a multiplier may make the products of several outputs, as in the templates of dense layers and of streamed
    convolutions; those of parallel convolutions assert the contrary (nnet_conv2d_resource.h).
    """
    return inputs * outputs if loops else inputs


def is_legal(inputs: int, outputs: int, reuse: int) -> bool:
    """Whether a product of `inputs` by `outputs` can use each multiplier `reuse` times (nnet_dense_resource.h)."""
    limit = -(-inputs * outputs // min(inputs, reuse))
    return (
        (limit % outputs == 0 or reuse >= inputs)
        and (reuse < inputs or reuse % inputs == 0)
        and inputs * outputs % reuse == 0
    )


def legal_factors(inputs: int, outputs: int, largest: int) -> list[int]:
    """All legal factors up to `largest`, ascending."""
    total = inputs * outputs
    divisors = {small for small in range(1, int(total**0.5) + 1) if total % small == 0}
    divisors |= {total // small for small in divisors}
    return sorted(reuse for reuse in divisors if reuse <= largest and is_legal(inputs, outputs, reuse))
