"""Imports point one way: backlit to backlit_kernels to numpy and numba, and from room to room."""

import ast
import sys
from pathlib import Path

import backlit_kernels
import pytest

import backlit as bl
from backlit.attribution.method_table import METHODS

KERNELS = sorted(Path(backlit_kernels.__file__).parent.rglob("*.py"))
ALLOWED = {"backlit_kernels", "numpy", "numba", "llvmlite"} | sys.stdlib_module_names


ENDS = {"cli", "plots", "by_name", "completeness"}  # what people touch
RUNS = {"engine", "portions", "probes", "programs"}
MODELS = {"model", "models"}
GRAPHS = {"graph", "affine_parts", "rewriting"}
ELSEWHERE = {"importers", "exporters"}  # where models come from, and go to
ROOMS = {  # of src/backlit, each with those that it knows nothing of
    "layers": {"lowering", "tape", "attribution"} | GRAPHS | ELSEWHERE | MODELS | RUNS | ENDS,
    "lowering": {"attribution"} | ELSEWHERE | MODELS | RUNS | ENDS,
    "attribution": {"cli", "completeness", "plots"} | ELSEWHERE,
    "importers": {"lowering", "tape", "attribution", "exporters"} | RUNS | ENDS,
    "exporters": {"lowering", "tape", "attribution", "importers"} | RUNS | ENDS,
}


def imported(path):
    """The modules that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_kernels_know_nothing_above_them(path):
    assert {name.partition(".")[0] for name in imported(path)} <= ALLOWED


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_know_nothing_above_them(room):
    paths = list((Path(bl.__file__).parent / room).rglob("*.py"))
    assert paths
    for path in paths:
        known = {name.split(".")[1] for name in imported(path) if name.startswith("backlit.")}
        assert not known & ROOMS[room], path


def test_every_public_name_is_there():
    """What the table of methods lists, what is promised, and what is found are the same."""
    for name in bl.__all__:
        assert getattr(bl, name) is not None
    assert set(METHODS) <= set(bl.__all__)
    assert set(bl._LATER) <= set(bl.__all__)
    assert set(bl.methods()) == set(METHODS)
    for name in METHODS:
        assert callable(getattr(bl, name))
        assert not set(METHODS[name].aliases) & set(bl.__all__)
