"""Write what docs/architecture.md says of the layers: the table, and the import graph as docs/images/architecture.svg.

Usage: python tools/architecture.py [--check]     with --check: fail where the page or the drawing are out of date

Layers come from docs/architecture.toml, arrows from the imports of the package itself.
"""

from __future__ import annotations

import argparse
import ast
import sys
import tomllib
from collections import Counter
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fpgacnn"
PAGE = ROOT / "docs" / "architecture.md"
DRAWING = ROOT / "docs" / "images" / "architecture.svg"
BEGIN, END = "<!-- layers: begin -->", "<!-- layers: end -->"

BOX_WIDTH, BOX_HEIGHT, GAP, LEVEL, MARGIN = 170, 34, 40, 62, 20
"""Sizes of the drawing in pixels."""

Layers = list[list[tuple[str, str]]]


def read_layers() -> Layers:
    """Packages with what they are for, by layer, bottom first."""
    document = tomllib.loads((ROOT / "docs" / "architecture.toml").read_text(encoding="utf-8"))
    return [[(name, words) for name, words in layer["packages"]] for layer in document["layer"]]


def package_of(module: str, packages: set[str]) -> str:
    """The longest package of the table that a dotted name (below `fpgacnn`) lies in."""
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in packages), "")


def imported(tree: ast.AST) -> list[str]:
    """Names below `fpgacnn` that a module imports."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "fpgacnn":
            found += [f"{node.module}.{alias.name}".removeprefix("fpgacnn.") for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("fpgacnn.")]
            found += [name.removeprefix("fpgacnn.") for name in names]
    return found


def count_imports(packages: set[str]) -> Counter[tuple[str, str]]:
    """How many imports go from one package of the table to another."""
    counted: Counter[tuple[str, str]] = Counter()
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        own = package_of(".".join(parts[:-1] if parts[-1] == "__init__" else parts), packages)
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            other = package_of(name, packages)
            if own != other:
                counted[own, other] += 1
    return counted


def table(layers: Layers) -> str:
    """The layers as a table, top first."""
    rows = ["| layer | package | what it is for |", "|---|---|---|"]
    for level, layer in reversed(list(enumerate(layers))):
        rows += [f"| {level} | `{'fpgacnn.' + name if name else 'fpgacnn'}` | {words} |" for name, words in layer]
    return "\n".join(rows)


def drawing(layers: Layers) -> str:
    """The import graph: a row of boxes for each layer, top first; arrows that follow from others are left out."""
    packages = {name for layer in layers for name, _ in layer}
    counted = count_imports(packages)
    width = max(len(layer) for layer in layers) * (BOX_WIDTH + GAP) + 6 * GAP
    height = len(layers) * LEVEL + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    for level, layer in enumerate(layers):
        left = (width - len(layer) * BOX_WIDTH - (len(layer) - 1) * GAP) / 2
        for index, (name, _) in enumerate(layer):
            places[name] = (left + index * (BOX_WIDTH + GAP), height - MARGIN - BOX_HEIGHT - level * LEVEL)
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
            ' font-size="13">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, (source, target) in enumerate(needed(set(counted))):
        words = f"{source or 'fpgacnn'} imports {target}: {counted[source, target]}"
        lines.append(_arrow(places[source], places[target], 1 - 2 * (index % 2), words))
    for name, (x, y) in places.items():
        lines.append(
            f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5" fill="#eef3fa" stroke="#3b6ea5"/>'
        )
        middle = f'x="{x + BOX_WIDTH / 2}" y="{y + BOX_HEIGHT / 2 + 5}"'
        lines.append(f'<text {middle} text-anchor="middle" fill="#16324f">{escape(name or "fpgacnn")}</text>')
    return "\n".join([*lines, "</svg>", ""])


def needed(arrows: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows that do not follow from others (the transitive reduction), sorted."""
    targets: dict[str, set[str]] = {}
    for source, target in arrows:
        targets.setdefault(source, set()).add(target)

    def reached(start: str) -> set[str]:
        direct = targets.get(start, set())
        return direct.union(*(reached(one) for one in direct))

    return sorted((a, b) for a, b in arrows if not any(b in reached(other) for other in targets[a] - {b}))


def _arrow(source: tuple[float, float], target: tuple[float, float], side: int, words: str) -> str:
    """A curve from the bottom of one box to the top of another, bent to a side where it passes other boxes."""
    (x1, y1), (x2, y2) = source, target
    x1, x2, y1 = x1 + BOX_WIDTH / 2, x2 + BOX_WIDTH / 2, y1 + BOX_HEIGHT
    bend = 0.0 if y2 - y1 < LEVEL else (90 + 0.25 * (y2 - y1)) * side
    path = f"M {x1} {y1} C {x1 + bend:.1f} {y1 + 30} {x2 + bend:.1f} {y2 - 30} {x2} {y2}"
    return f'<path d="{path}" fill="none" stroke="#7a8ba0" stroke-width="1.5"><title>{escape(words)}</title></path>'


def main() -> int:
    """Write, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail where the page or the drawing are out of date")
    check = parser.parse_args().check
    layers = read_layers()
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    wanted = {PAGE: f"{before}{BEGIN}\n{table(layers)}\n{END}{rest.split(END)[1]}", DRAWING: drawing(layers)}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if not check:
        for path in stale:
            path.write_text(wanted[path], encoding="utf-8")
        return 0
    for path in stale:
        sys.stderr.write(f"{path.relative_to(ROOT)} is out of date: run python tools/architecture.py\n")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
