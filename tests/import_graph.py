"""Which file of a package imports which, read from their text: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def import_graph(folder: Path) -> dict[str, set[str]]:
    """Return, for each module of the package in `folder`, the modules of it that it imports.

    Every form counts, wherever it stands: in a function, or where only type checkers look. What
    imports a file of another room imports that room's ``__init__``, too; that of the package
    itself counts only where it is named. A package stands for its ``__init__``.
    """
    files = {
        ".".join((folder.name, *path.relative_to(folder).with_suffix("").parts)): path
        for pattern in ("*.py", "*.pyi")
        for path in folder.rglob(pattern)
    }
    packages = {name.removesuffix(".__init__") for name in files if name.endswith(".__init__")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}
    graph = {}
    for name, path in modules.items():
        package = name if name in packages else name.rpartition(".")[0]
        found = set(_imports(path, package, modules))
        for other in list(found):
            room = other.rpartition(".")[0]
            while room.count(".") and not f"{name}.".startswith(f"{room}."):
                found.add(room)
                room = room.rpartition(".")[0]
        graph[name] = found - {name}
    return graph


def _imports(path: Path, package: str, modules: dict[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: package.count(".") + 2 - node.level]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                name = f"{base}.{alias.name}"
                if name in modules:
                    yield name
                elif base in modules:
                    yield base
