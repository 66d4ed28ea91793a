"""The onnx package's node tests pass, or are skipped for a known reason; the table says which."""

import re

import pytest

onnx = pytest.importorskip("onnx")

from backlit.importers.onnx.operators.table import OPERATORS  # noqa: E402
from tests.importers.onnx.node_cases import cases, run  # noqa: E402
from tests.importers.onnx.operator_table import DOCUMENT, outcomes, table  # noqa: E402

# There is none, or none that is a model of samples; test_operators.py has them.
NO_CASES = {"And", "Equal", "GlobalLpPool", "MeanVarianceNormalization", "Not", "Or", "Shape"}
NO_CASES |= {"Size", "Trilu", "Xor"}


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_cases_of_an_operator(operator):
    found = [run(operator, case) for case in cases().get(operator, [])]
    assert not [outcome for outcome in found if outcome.failure]
    if operator not in NO_CASES:
        assert any(not outcome.reason for outcome in found), "no case ran"


def test_the_table_has_every_operator():
    rows = re.findall(r"^\| (\w+) \| [\d, ]+ \|", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == sorted(OPERATORS)


@pytest.mark.slow
def test_the_table_is_up_to_date():
    text = DOCUMENT.read_text()
    version = re.search(r"version ([\d.]+), run by", text)[1]
    if version != onnx.__version__:
        pytest.skip(f"the table was written with onnx {version}, here is {onnx.__version__}")
    assert table(outcomes()) == text
