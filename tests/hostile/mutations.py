"""Damage near enough to the real thing to get far.

Bytes are parsed by their format, changed in one place, and written again.

`mutant` knows JSON, protocol buffers, HDF5, zip archives, arrays of NumPy, XML and text, one inside another. What it
changes without knowing is given to `bytewise`: `damaged` for seeded cases, libFuzzer's mutator where coverage guides.
"""

from __future__ import annotations

import copy
import io
import json
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from fpgacnn.system.npz import DAMAGE
from tests.hostile import hdf5, protobuf

Bytewise = Callable[[bytes], bytes]

NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    255,
    2**20,
    2**31,
    -(2**31),
    2**40,
    2**63,
    10**30,
    0.5,
    -0.25,
    1e-30,
    1e38,
    1e300,
    float("nan"),
    float("inf"),
    -0.0,
]
TEXTS = [
    *(
        "",
        "x",
        "conv",
        "0",
        "None",
        "linear",
        "valid",
        "same",
        "channels_first",
        "relu",
        "softmax",
        "float32",
        "quantized_bits(4,0,1)",
    ),
    *(
        "quantized_relu(4,2)",
        "quantized_relu(4,",
        "quantized_bits(2**40)",
        "binary()",
        "ternary(alpha='auto')",
        "__import__('os').system('id')",
    ),
    *(
        "\x00",
        "a\nb",
        '"; system("id"); //',
        "../../etc/passwd",
        "/",
        ".",
        "ϑ\u202e",
        "\ud800",
        "x" * 10_000,
        "#include <x>",
        "%s%n",
        "{0}",
        "[/red]",
    ),
    *(
        "InputLayer",
        "Dense",
        "Conv2D",
        "QDense",
        "Lambda",
        "TFOpLambda",
        "Sequential",
        "Functional",
        "Flatten",
        "BatchNormalization",
        "Add",
    ),
]
OTHERS = [
    None,
    True,
    False,
    [],
    {},
    [None],
    [[]],
    [1, 1],
    [0, 0],
    [-1, 2**40],
    [1.5],
    ["x"],
    {"class_name": "Lambda"},
    {"npz": "a0"},
    {"type": "dense"},
    {"$": "array", "number": 0},
    {"$": "x"},
]
SHAPES = [
    "(5, 4, 4, -1)",
    "(5, 2**9)",
    "[5, 4, 4, 1]",
    "(99, 4, 4, 1)",
    "5",
    "((5, 4), 4, 1)",
    "()",
    "(0, 4, 4, 1)",
    "(1099511627776, 4)",
    "(5,)",
]
TYPES = [
    *(
        "'<f8'",
        "'|O'",
        "'<c8'",
        "'>f4'",
        "'|V4'",
        "'<U1'",
        "'<M8'",
        "'|S4'",
        "'|b1'",
        "'<u8'",
        "'<f2'",
        "'<i8'",
        "'<f16'",
        "'<08f4'",
    ),
    *("[('a', '<f4')]", "1", "()", "('<f4',)", "('<f4', -1)"),
]
DIGITS = [
    "0",
    "1",
    "-1",
    "7",
    "²",
    "٣",
    "1e400",
    "nan",
    "9" * 20,
    "9" * 5000,
    "4294967296",
    "0.5",
    "?",
    "-",
    "undef",
    "~0",
    "1,000",
]
SIGNS = [
    "",
    " ",
    "\n",
    "(",
    ")",
    "<",
    ">",
    ",",
    ";",
    "|",
    "*",
    "//",
    '"',
    "\x00",
    "\r\n",
    "é",
    "\u2028",
    "&lt;",
    "&#0;",
    "<!ENTITY x 'y'>",
    "+-",
]


# --- trees ---------------------------------------------------------------------------------------------------------


def places(tree: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a tree, outermost first."""
    yield at
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield from places(item, (*at, key))
    elif isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from places(item, (*at, number))


def at(tree: Any, where: tuple[Any, ...]) -> Any:
    for key in where:
        tree = tree[key]
    return tree


def wrong(chance: random.Random) -> Any:
    """A value of any type that may stand anywhere."""
    return copy.deepcopy(chance.choice(chance.choice([NUMBERS, TEXTS, OTHERS])))


def mutated(tree: Any, chance: random.Random, bytewise: Bytewise | None = None) -> Any:
    """A copy of a tree with one to three changes."""
    changed = copy.deepcopy(tree)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        every = [where for where in places(changed) if where]
        if not every:
            return wrong(chance)
        where = chance.choice(every) if chance.random() < 0.5 else _down(changed, chance)
        _change(at(changed, where[:-1]), where[-1], changed, every, chance, bytewise or partial(damaged, chance=chance))
    return changed


def _down(tree: Any, chance: random.Random) -> tuple[Any, ...]:
    """The way to a value by a turn at each fork: a list of a thousand numbers does not outweigh its ten neighbours."""
    where: tuple[Any, ...] = ()
    while isinstance(tree, dict | list) and tree and (not where or chance.random() < 0.85):
        key = chance.choice(list(tree)) if isinstance(tree, dict) else chance.randrange(len(tree))
        where, tree = (*where, key), tree[key]
    return where


def _change(
    holder: Any, key: Any, tree: Any, every: list[tuple[Any, ...]], chance: random.Random, bytewise: Bytewise
) -> None:
    value = holder[key]
    match chance.randrange(8):
        case 0 | 1:
            holder[key] = wrong(chance)
        case 2:
            del holder[key]
        case 3:
            holder[key] = copy.deepcopy(at(tree, chance.choice(every)))
        case 4 if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(value))
        case 5 if isinstance(holder, dict):
            holder[chance.choice(TEXTS) if chance.random() < 0.5 else str(key) + "_"] = holder.pop(key)
        case 6 if isinstance(holder, list):
            chance.shuffle(holder)
        case _ if isinstance(value, int | float) and not isinstance(value, bool):
            holder[key] = chance.choice(
                [
                    value + 1,
                    value - 1,
                    value * 2,
                    -value,
                    value / 2 if abs(value) < 1e300 else 0,
                    str(value)[:20],
                    [value],
                ]
            )
        case 7 if isinstance(value, str):
            holder[key] = bytewise(value.encode("utf-8", "replace")).decode("utf-8", "replace")
        case _ if isinstance(value, str) and value:
            number = chance.randrange(len(value))
            holder[key] = (
                value[:number]
                + chance.choice(["", "\x00", value[number] * 3, chance.choice("<>(),'\"0129-. ")])
                + value[number + 1 :]
            )
        case _:
            holder[key] = wrong(chance)


def text(tree: Any) -> str:
    """A tree as JSON, or something near JSON."""
    return json.dumps(tree)


# --- bytes ---------------------------------------------------------------------------------------------------------


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Bytes with one to four of them changed, cut, doubled or overwritten."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        if not changed:
            break
        start = chance.randrange(len(changed))
        length = chance.choice([1, 2, 4, 8, 64])
        match chance.randrange(6):
            case 0 | 1 | 2:
                changed[start] = chance.randrange(256)
            case 3:
                changed[start : start + length] = chance.choice([b"\x00", b"\xff"]) * length
            case 4:
                del changed[start : start + length]
            case _:
                changed[start:start] = changed[start : start + length]
    return bytes(changed[: chance.randrange(len(changed))] if changed and chance.random() < 0.05 else changed)


def mutant(content: bytes, chance: random.Random, bytewise: Bytewise | None = None) -> bytes:
    """An input like the given one, with a few changes to what it is made of; now and then to its bytes."""
    blindly = bytewise or partial(damaged, chance=chance)
    kind = next((kind for kind in KINDS if content.startswith(kind.heads)), None)
    if kind is None or chance.random() < kind.blindly:
        return blindly(content)
    return kind.mutant(content, chance, blindly)


# --- formats -------------------------------------------------------------------------------------------------------


MAX_MEMBER = 1 << 24
"""Larger members of an archive are left out when it is changed."""


def _json(content: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return bytewise(content)
    return text(mutated(tree, chance, bytewise)).encode()


def _protobuf(content: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    tree = protobuf.decoded(content)
    return bytewise(content) if tree is None else protobuf.encoded(mutated(tree, chance, bytewise))


def _hdf5(content: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    """Never blindly: what libhdf5 does with damaged bytes, it should not do in this process."""
    recipe = _recipe(content)
    for _ in range(4):
        changed = hdf5.written(mutated(recipe, chance, bytewise))
        if changed != content:
            return changed
    return content


@lru_cache(64)
def _recipe(content: bytes) -> list[Any]:
    return hdf5.recipe(content)


def _npy(content: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    """Changed mostly in the header, which decides how the rest is read."""
    end = content.find(b"\n") + 1
    head, body = content[10:end].decode("latin-1"), content[end:]
    match chance.randrange(5):
        case 0:
            head = re.sub(r"\([^)]*\)", lambda _: chance.choice(SHAPES), head, count=1)
        case 1:
            head = re.sub(r"'[<>|=][^']*'", lambda _: chance.choice(TYPES), head, count=1)
        case 2:
            head = re.sub(r"False|True", lambda _: chance.choice(["True", "False", "None", "1"]), head, count=1)
        case 3:
            head = bytewise(head.encode()).decode("latin-1")
        case _:
            return content[:end] + bytewise(body)
    header = head.encode("latin-1", "replace")[: (1 << 16) - 1]
    return content[:8] + struct.pack("<H", len(header)) + header + body


def _archive(content: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    """A member changed as what it is; sometimes one is left out, doubled, renamed, or swapped with another."""
    parts = unpacked(content)
    if not parts:
        return bytewise(content)
    names = list(parts)
    name = chance.choice(names)
    match chance.randrange(24):
        case 0:
            del parts[name]
        case 1:
            parts[chance.choice(["../", "/", "", "x/", "\n"]) + name + chance.choice(["", "_"])] = parts.pop(name)
        case 2:
            other = chance.choice(names)
            parts[name], parts[other] = parts[other], parts[name]
        case 3:
            parts[chance.choice(TEXTS[:12]) + name] = mutant(parts[name], chance, bytewise)
        case _:
            parts[name] = mutant(parts[name], chance, bytewise)
    return archive(parts)


def _text(content: bytes, chance: random.Random, bytewise: Bytewise) -> bytes:
    """Words, numbers, lines and elements that are lost, doubled or taken for others."""
    whole = content.decode("utf-8", "replace")
    kind = chance.randrange(4)
    pattern = (r"[^\n]*\n", r"\d[\d.,]*", r"\w+|[^\w\s]", r"<(\w+)>(?:(?!<\1>).)*?</\1>")[kind]
    found = list(re.finditer(pattern, whole, re.DOTALL if kind == 3 else 0))
    if not found:
        return bytewise(content)
    one, other = chance.choice(found), chance.choice(found)
    new: str = chance.choice(
        ("", one[0] * 2, other[0], chance.choice((*SIGNS, *DIGITS)) if kind else one[0].strip(), chance.choice(DIGITS))
    )
    return (whole[: one.start()] + new + whole[one.end() :]).encode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A format by its first bytes, how to change it, and how often to change its bytes without looking."""

    heads: tuple[bytes, ...]
    mutant: Callable[[bytes, random.Random, Bytewise], bytes]
    blindly: float


KINDS = (
    Kind(heads=(hdf5.HEAD,), mutant=_hdf5, blindly=0.0),
    Kind(heads=(b"PK\x03\x04",), mutant=_archive, blindly=0.1),
    Kind(heads=(b"\x93NUMPY\x01",), mutant=_npy, blindly=0.1),
    Kind(heads=(b"{", b"["), mutant=_json, blindly=0.1),
    Kind(heads=(b"\x08",), mutant=_protobuf, blindly=0.25),
    Kind(heads=(b"",), mutant=_text, blindly=0.4),
)


# --- archives ------------------------------------------------------------------------------------------------------


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive of members, the same bytes whatever the clock says."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as opened:
        warnings.simplefilter("ignore", UserWarning)  # two members of one name
        for name, content in members.items():
            entry = zipfile.ZipInfo(name.encode("utf-8", "replace").decode()[:1000])
            entry.compress_type = compression
            opened.writestr(entry, content)
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    """The members of an archive, as far as they can be read."""
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            for member in opened.infolist():
                if member.file_size < MAX_MEMBER:
                    found[member.filename] = opened.read(member)
    except (*DAMAGE, NotImplementedError):
        return found
    return found
