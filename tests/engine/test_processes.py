"""What must hold in other processes: uncompiled, other processors, the cache, light imports."""

import shutil
import sys
from pathlib import Path

import backlit_kernels
import numpy as np
import pytest

import backlit as bl
from tests.helpers import run_python

PACKAGES = [Path(bl.__file__).parent, Path(backlit_kernels.__file__).parent]

# three channels wherever that will do: each register tile is a kernel to compile
CASES = """
import numpy as np, backlit as bl, sys
rng = np.random.default_rng(0)
grid = lambda *shape: rng.integers(-2, 3, shape).astype(np.float32) / 2
layers = [
    bl.Conv2D(grid(3, 3, 3, 2), grid(3), (1, 2), (1, 0, 0, 1)), bl.LeakyReLU(0.25),
    bl.Residual([bl.Conv2D(grid(3, 3, 3, 3), padding=1), bl.Sigmoid()]), bl.MaxPool2D(2, 1),
    bl.BatchNorm([1, 2, 1], [0, 1, 0], [0, 0, 1], [1, 1, 4]), bl.AvgPool2D(2), bl.Tanh(),
    bl.Flatten(), bl.Dense(grid(6, 3)), bl.ReLU(), bl.Dense(grid(3, 3)),
]
model = bl.Model(layers, (3, 6, 8))
flat = bl.Model([bl.Conv2D(grid(3, 1, 3, 3), padding=1), bl.ReLU(), bl.MaxPool2D(2),
                 bl.Flatten(), bl.Dense(grid(6, 3))], (1, 2, 5))
X, F = grid(9, 3, 6, 8), grid(5, 1, 2, 5)
results = [bl.gradient(model, X, score=score) for score in ("logit", "loss")]
results += [bl.gradient(flat, F[i : i + n]) for i, n in ((0, 5), (0, 1))]
results += [bl.integrated_gradients(flat, F, steps=3)]
np.savez(sys.argv[1] if len(sys.argv) > 1 else OUT, *results)
"""

by_name = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="x86 names")


def results(tmp_path, **environment):
    out = tmp_path / "results.npz"
    run_python(f"OUT = {str(out)!r}\n{CASES}", **environment)
    with np.load(out) as file:
        return [file[name] for name in file.files]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return results(tmp_path_factory.mktemp("here"))


def test_kernels_run_uncompiled(tmp_path, here):
    for a, b in zip(results(tmp_path, NUMBA_DISABLE_JIT="1"), here, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@by_name
@pytest.mark.slow
@pytest.mark.parametrize("name", ["haswell", "generic"])
def test_other_processors(tmp_path, here, name):
    cache = str(tmp_path / "cache")
    for a, b in zip(
        results(tmp_path, NUMBA_CPU_NAME=name, NUMBA_CACHE_DIR=cache), here, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


SMALL = """
import numpy as np, backlit as bl
model = bl.Model([bl.Dense(np.eye(2)), bl.Sigmoid(), bl.Dense(np.eye(2))], (2,))
print(model.logits(np.array([[1.0, 2.0]]))[0, 0])
"""

# as `SMALL`, by one of its kernels alone
KERNEL = """
import numpy as np
from backlit_kernels import frame
from backlit_kernels.unary import unary
def run(name):
    kernel = unary(name)
    arena, constants = np.ones(64, np.float32), np.zeros(3, np.float32)
    table, team = np.array([kernel.address, 7, 1, 0, 32, 16, 0]), np.zeros(frame.SIZE, np.int64)
    team[frame.PARTS] = 1
    kernel.compiled.ctypes(*map(np.ctypeslib.as_ctypes, (arena, constants, table, team)))
    print(arena[32])
run("sigmoid")
"""


def copy_packages(folder):
    """Copies of the two packages, and an environment in which they are the ones imported."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.npz")
        shutil.copytree(package, folder / package.name, ignore=ignored)
    return environment_of(folder)


def environment_of(folder):
    return {"PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "home")}


@pytest.fixture
def copied(tmp_path):
    return tmp_path, copy_packages(tmp_path)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A folder of copies after `SMALL` ran there, and what it printed."""
    folder = tmp_path_factory.mktemp("compiled") / "copies"
    first = run_python(SMALL, **copy_packages(folder))
    assert "compiling" in first.stderr
    return folder, first.stdout


@pytest.fixture
def compiled(first_run, tmp_path):
    """As `copied`, with kernels compiled; and what the run printed that compiled them."""
    folder, printed = first_run
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path, environment_of(tmp_path), printed


def test_second_process_compiles_nothing(compiled):
    folder, environment, printed = compiled
    files = {p: p.stat().st_mtime_ns for p in folder.rglob("*.nb[ci]")}
    assert files
    second = run_python(SMALL, **environment)
    assert second.stderr == ""
    assert second.stdout == printed
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.nb[ci]")} == files


@by_name
@pytest.mark.slow
def test_processors_share_a_cache_folder(compiled):
    """As on a home folder of several machines: each has kernels of its own, and keeps them."""
    _, environment, _ = compiled
    other = {"NUMBA_CPU_NAME": "generic"}
    first = run_python(KERNEL, **environment, **other)
    assert "compiling" in first.stderr
    again = [run_python(KERNEL, **environment, **processor) for processor in ({}, other)]
    assert all(process.stderr == "" for process in again)
    values = [float(process.stdout) for process in (first, *again)]
    np.testing.assert_allclose(values, values[0], rtol=1e-6)


def test_changed_helper_is_compiled_again(compiled):
    """A helper in another file than the kernel's: Numba's own index does not see it change."""
    folder, environment, printed = compiled
    before = run_python(KERNEL, **environment)
    assert before.stderr == ""
    assert before.stdout == printed
    path = folder / "backlit_kernels" / "functions.py"
    source = path.read_text()
    changed = source.replace("select(x < splat(0.0), small, one) / (one + small)", "one + one")
    assert changed != source
    path.write_text(changed)
    after = float(run_python(KERNEL, **environment).stdout)
    assert float(printed) == pytest.approx(1 / (1 + np.exp(-1)))
    assert after == 2


def test_read_only_install_uses_the_home_folder(copied):
    folder, environment = copied
    (folder / "backlit_kernels" / "__pycache__").write_text("a file where a folder cannot be made")
    run_python(KERNEL, **environment)
    kept = list((folder / "home" / "backlit").rglob("*.nbc"))
    assert kept
    assert run_python(KERNEL, **environment).stderr == ""


READ_ONLY = """
import pathlib
touch = pathlib.Path.touch
def refuse(path):
    if "home" not in path.parts:
        raise PermissionError(13, "read-only", str(path))
    touch(path)
pathlib.Path.touch = refuse
"""


def test_kernels_of_a_read_only_install_are_used(compiled):
    folder, environment, _ = compiled
    assert run_python(READ_ONLY + SMALL, **environment).stderr == ""
    more = READ_ONLY + KERNEL + 'run("tanh")'
    assert "compiling" in run_python(more, **environment).stderr
    kept = list((folder / "home" / "backlit").rglob("*.nbc"))
    assert len(kept) == 1  # the one that was not there
    assert run_python(more, **environment).stderr == ""


def test_nowhere_to_write(copied):
    folder, environment = copied
    (folder / "backlit_kernels" / "__pycache__").write_text("")
    (folder / "home").write_text("")
    result = run_python(KERNEL, **environment)
    assert float(result.stdout) == pytest.approx(1 / (1 + np.exp(-1)))
    assert "set NUMBA_CACHE_DIR" in result.stderr


@pytest.mark.parametrize(("ending", "left"), [("nbc", 100), ("nbi", 0)])
def test_damaged_cache_is_compiled_again(compiled, ending, left):
    """The machine, which is called from Python, and a kernel."""
    folder, environment, expected = compiled
    damaged = [*folder.rglob(f"machine*.{ending}"), *folder.rglob(f"unary*.{ending}")]
    assert len(damaged) == 2
    for path in damaged:
        path.write_bytes(path.read_bytes()[:left])
    result = run_python(SMALL, **environment)
    assert result.stdout == expected
    assert "compiling" in result.stderr
    assert "compiling" not in run_python(SMALL, **environment).stderr  # it was mended


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("", "import backlit"),
        ("import numba", "import backlit as bl; bl.saliency(bl.models.mnist_fc(), [[0] * 784])"),
    ],
)
def test_only_numpy_and_numba_are_loaded(first, then):
    code = f"""
import sys
{first}
before = set(sys.modules)  # with what hooks into the interpreter's start, and what Numba loads
{then}
names = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*names - sys.stdlib_module_names)
"""
    allowed = {"backlit", "backlit_kernels", "numpy", "numba", "llvmlite"}
    assert set(run_python(code).stdout.split()) <= allowed
