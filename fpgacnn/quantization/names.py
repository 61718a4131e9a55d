"""Names from files become C++ identifiers: letters, digits and underscores, unique without regard to case."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_LENGTH = 40

_KEYWORDS = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval
constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else
enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof static
static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned
using virtual void volatile wchar_t while xor xor_eq
"""
_TAKEN_BY_HLS4ML = """
perm input inputs output outputs data res result result_t input_t config nnet hls std ap_fixed ap_ufixed ap_int ap_uint
ap_shift_reg weights bias main myproject max min abs exp log sin cos tan tanh sqrt pow floor ceil round printf malloc
free memcpy exit time clock index div signal y0 y1 yn j0 j1 jn linux unix errno stdin stdout stderr default model
"""
RESERVED = frozenset((_KEYWORDS + _TAKEN_BY_HLS4ML).split())
_MADE_BY_HLS4ML = re.compile(r"(?:[abdprstwz]|\w*config)\d+|layer\d+_\w+|loaded_weights")
"""Variables and structures that hls4ml numbers by itself: `w2`, `relu_config3`, `layer4_out`."""


def safe_name(text: str) -> str:
    """A C++ identifier that reminds of `text`; not yet unique."""
    name = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z]", "_", text)).strip("_").lower()[: MAX_LENGTH - 4].rstrip("_")
    if not name:
        return "layer"
    if name.endswith("_t"):
        name = f"{name}_l"
    return f"l_{name}" if name in RESERVED or not name[0].isalpha() or _MADE_BY_HLS4ML.fullmatch(name) else name


class Namer:
    """Gives out names, each only once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def unique(self, text: str) -> str:
        """A safe name that was not given out before."""
        base = safe_name(text)
        name, number = base, 2
        while name in self._taken:
            name, number = f"{base}_{number}", number + 1
        self._taken.add(name)
        return name
