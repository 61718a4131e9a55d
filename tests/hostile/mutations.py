"""Structure-aware damage: a tree of JSON, an archive or bytes with a few seeded changes, near enough to the real thing to get far."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NUMBERS = [0, 1, -1, 2, 3, 7, 255, 2**20, 2**31, -(2**31), 2**40, 2**63, 10**30, 0.5, -0.25, 1e-30, 1e38, 1e300, float("nan"), float("inf"), -0.0]
TEXTS = [
    *("", "x", "conv", "0", "None", "linear", "valid", "same", "channels_first", "relu", "softmax", "float32", "quantized_bits(4,0,1)"),
    *("quantized_relu(4,2)", "quantized_relu(4,", "quantized_bits(2**40)", "binary()", "ternary(alpha='auto')", "__import__('os').system('id')"),
    *("\x00", "a\nb", '"; system("id"); //', "../../etc/passwd", "/", ".", "ϑ\u202e", "\ud800", "x" * 10_000, "#include <x>", "%s%n", "{0}", "[/red]"),
    *("InputLayer", "Dense", "Conv2D", "QDense", "Lambda", "TFOpLambda", "Sequential", "Functional", "Flatten", "BatchNormalization", "Add"),
]
OTHERS = [None, True, False, [], {}, [None], [[]], [1, 1], [0, 0], [-1, 2**40], [1.5], ["x"], {"class_name": "Lambda"}, {"$": "array", "number": 0}, {"$": "x"}]


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


def mutated(tree: Any, chance: random.Random) -> Any:
    """A copy of a tree with one to three changes."""
    changed = copy.deepcopy(tree)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        every = [where for where in places(changed) if where]
        if not every:
            return wrong(chance)
        where = chance.choice(every)
        _change(at(changed, where[:-1]), where[-1], changed, every, chance)
    return changed


def _change(holder: Any, key: Any, tree: Any, every: list[tuple[Any, ...]], chance: random.Random) -> None:
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
            holder[key] = chance.choice([value + 1, value - 1, value * 2, -value, value / 2, str(value), [value]])
        case _ if isinstance(value, str) and value:
            number = chance.randrange(len(value))
            holder[key] = value[:number] + chance.choice(["", "\x00", value[number] * 3, chance.choice("<>(),'\"0129-. ")]) + value[number + 1 :]
        case _:
            holder[key] = wrong(chance)


def text(tree: Any) -> str:
    """A tree as JSON, or something near JSON."""
    return json.dumps(tree)


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


def repacked(path: Path, members: dict[str, bytes], chance: random.Random | None = None) -> Path:
    """An archive of members; with a chance, some are left out, doubled or renamed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            fate = chance.random() if chance else 1.0
            if fate < 0.03:
                continue
            archive.writestr(f"../{name}" if fate < 0.05 else name, content)
    return path
