"""The code base itself: versions agree, stub and README tell the truth, all is documented."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.resources
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import twolayer_ext
from import_graph import import_graph
from twolayer_ext import _core

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = importlib.resources.files("twolayer_ext")
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(twolayer_ext.__path__, "twolayer_ext.")
    if not module.name.endswith(("__main__", "._core"))
)


def test_versions_agree():
    version = PYPROJECT["project"]["version"]
    assert twolayer_ext.__version__ == version
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(
        r"^## \[(?P<version>[^]]+)\] - (unreleased|\d{4}-\d\d-\d\d)$", changelog, re.M
    )
    assert newest is not None
    assert newest["version"] == version


def test_installed_metadata():
    try:
        metadata = importlib.metadata.metadata("twolayer-ext")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is used from its folder, not installed: pip install .")
    assert metadata["Version"] == twolayer_ext.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert set(PYPROJECT["project"]["optional-dependencies"]) <= set(
        metadata.get_all("Provides-Extra")
    )


def test_readme_begins_with_two_commands_that_exist():
    commands = [line for line in README.splitlines() if line.startswith("pip install ")]
    assert len(commands) == 2
    extras = PYPROJECT["project"]["optional-dependencies"]
    for command in commands:
        asked = re.search(r"\.\[([a-z,]+)\]", command)
        assert asked is not None
        assert set(asked[1].split(",")) <= set(extras)
    assert commands[0].endswith(" && twolayer train")
    assert commands[1].endswith(" && pytest")
    assert PYPROJECT["project"]["scripts"]["twolayer"] == "twolayer_command:main"


def test_readme_names_only_options_that_exist():
    from twolayer_ext.cli.arguments import build_parser

    lines = re.findall(r"^twolayer (.+?)(?: +#.*)?$", README, re.M)
    assert len(lines) >= 4
    for line in lines:
        build_parser().parse_args(line.split())


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))])
def test_links_lead_to_files(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).is_file(), target


def test_picture_is_there_and_small():
    picture = ROOT / "docs/images/training.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 300_000


@pytest.mark.parametrize("name", MODULES)
def test_every_public_thing_has_a_docstring(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"module {name}"
    for attribute, value in vars(module).items():
        if attribute.startswith("_") or getattr(value, "__module__", None) != name:
            continue
        if not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        assert value.__doc__, f"{name}.{attribute}"
        if inspect.isclass(value):
            for member, function in vars(value).items():
                if inspect.isfunction(function) and not member.startswith("_"):
                    assert inspect.getdoc(function), f"{name}.{attribute}.{member}"


def test_public_names_exist_and_are_sorted():
    for module in (twolayer_ext, twolayer_ext.datasets):
        assert list(module.__all__) == sorted(module.__all__)
        for name in module.__all__:
            assert hasattr(module, name)


def test_typing_information_is_shipped():
    assert PACKAGE.joinpath("py.typed").is_file()
    assert PACKAGE.joinpath("_core.pyi").is_file()


def public(names) -> set[str]:
    return {name for name in names if not name.startswith("_")}


def test_the_stub_names_what_the_compiled_module_has():
    stub = ast.parse(PACKAGE.joinpath("_core.pyi").read_text(encoding="utf-8"))
    definitions = {
        node.name: node
        for node in stub.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    }
    assert definitions.keys() == public(vars(_core))
    for name, node in definitions.items():
        value = getattr(_core, name)
        assert isinstance(value, type) == isinstance(node, ast.ClassDef), name
        if isinstance(node, ast.FunctionDef):
            assert_parameters_agree(node, value)
            continue
        methods = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
        assert public(methods) == public(vars(value)), name
        for method, definition in methods.items():
            if not definition.decorator_list:  # a property has no parameters to compare
                assert_parameters_agree(definition, getattr(value, method))


def assert_parameters_agree(node: ast.FunctionDef, function) -> None:
    """The compiled function's docstring begins with its signature: compare the names."""
    signature = function.__doc__.splitlines()[0]
    tree = ast.parse(f"def {signature.split(' -> ')[0]}: ...").body[0]
    assert isinstance(tree, ast.FunctionDef)
    for kind in ("args", "kwonlyargs"):
        expected = [argument.arg for argument in getattr(tree.args, kind)]
        assert [argument.arg for argument in getattr(node.args, kind)] == expected, signature


# What stands on a line may import what stands above it, and its neighbours.
ROOMS = """
_core errors scores streams tables unset version
checks
activations distributions files frames losses optimizers rows schedules
engine names
datasets network
training
plots recipes reference
estimators sweeping
twolayer_ext
benchmark study
cli
__main__
"""
APPLICATIONS = {"benchmark", "study"}


def room(module: str) -> str:
    """The first part below the package; the package's own name for its ``__init__``."""
    return module.split(".")[:2][-1]


def test_imports_run_one_way():
    """What stands below knows nothing of what stands above, in annotations neither."""
    rank = {name: i for i, line in enumerate(ROOMS.split("\n")) for name in line.split()}
    graph = import_graph(ROOT / "python/twolayer_ext")
    assert {room(module) for module in graph} <= set(rank)
    for module, imported in graph.items():
        for other in imported:
            assert rank[room(other)] <= rank[room(module)], f"{module} imports {other}"
            if room(other) in APPLICATIONS:
                assert room(module) in (room(other), "cli"), f"{module} imports {other}"
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the files


@pytest.mark.parametrize(
    "line",
    [
        "import toy.room.a",
        "from toy.room.a import value",
        "from toy.room import a",
        "from .a import value",
        "from . import a",
        "from .. import room",
        "def late():\n    from toy.room.a import value",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..room.a import value",
    ],
)
def test_circles_are_seen_in_every_form(tmp_path, line):
    folder = tmp_path / "toy/room"
    folder.mkdir(parents=True)
    (tmp_path / "toy/__init__.py").write_text("from toy.room import a\n", encoding="utf-8")
    (folder / "__init__.py").write_text("from toy.room.a import value\n", encoding="utf-8")
    (folder / "a.py").write_text("import toy.room.b\nvalue = 1\n", encoding="utf-8")
    (folder / "b.py").write_text("", encoding="utf-8")
    TopologicalSorter(import_graph(tmp_path / "toy")).prepare()
    (folder / "b.py").write_text(line, encoding="utf-8")
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph(tmp_path / "toy")).prepare()


def test_info_loads_no_application():
    code = (
        "import sys; from twolayer_ext.cli import main; main(['info']); "
        "print([name for name in sys.modules if name.startswith("
        "('twolayer_ext.benchmark', 'twolayer_ext.study', 'matplotlib'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
