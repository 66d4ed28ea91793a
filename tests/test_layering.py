"""Imports point one way: backlit to backlit_kernels to numpy and numba."""

import ast
import sys
from pathlib import Path

import backlit_kernels
import pytest

import backlit as bl
from backlit.attribution.registry import METHODS

KERNELS = sorted(Path(backlit_kernels.__file__).parent.glob("*.py"))
ALLOWED = {"backlit_kernels", "numpy", "numba", "llvmlite"} | sys.stdlib_module_names


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_kernels_know_nothing_above_them(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert {name.partition(".")[0] for name in imported} <= ALLOWED


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
