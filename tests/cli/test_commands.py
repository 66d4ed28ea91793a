"""The commands, run as a user runs them (in this process, for speed)."""

import struct
import subprocess
import sys

import numpy as np
import pytest

import backlit as bl
from backlit.attribution.method_table import METHODS
from backlit.importers.builder import GraphBuilder, finish, reductions
from tests.cli.running import run


def test_saliency(tmp_path, capsys, models, mnist):
    expected = bl.saliency(models["mnist_cnn"], mnist[0][:7])
    status, out, _ = run(
        capsys, "saliency", "mnist_cnn", "mnist", "-o", tmp_path / "m.npy", "--limit", 7
    )
    assert status == 0
    assert "7 maps of shape (1, 28, 28) written to" in out
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected)


def test_a_single_map(tmp_path, capsys):
    words = "saliency", "mnist_cnn", "mnist", "-o", tmp_path / "m.npy", "--limit", 1
    assert "1 map of shape (1, 28, 28) written to" in run(capsys, *words)[1]


def test_own_model_and_data(tmp_path, capsys, rng):
    model = bl.Model([bl.Dense(rng.normal(size=(6, 3)))], (6,))
    X = rng.normal(size=(5, 6))
    bl.save(model, tmp_path / "model.npz")
    np.save(tmp_path / "x.npy", X)
    where = tmp_path / "model.npz", tmp_path / "x.npy", "-o", tmp_path / "g.npz"
    status, _, _ = run(capsys, "saliency", *where, "--signed", "--target", 2, "--score", "loss")
    assert status == 0
    with np.load(tmp_path / "g.npz") as file:
        expected = bl.gradient(model, X, 2, score="loss")
        np.testing.assert_array_equal(file["attributions"], expected)


def test_targets(tmp_path, capsys, models, mnist):
    X, y = mnist
    np.save(tmp_path / "t.npy", np.arange(6) % 10)
    np.savez(tmp_path / "data.npz", X=X[:6], y=y[:6])
    labels = struct.pack(">HBBI", 0, 8, 1, 6) + bytes(y[:6].tolist())
    (tmp_path / "labels-idx1-ubyte").write_bytes(labels)
    for command, words in (("saliency", []), ("attribute", ["--method", "saliency"])):
        for target, expected in (
            ("7", 7),
            ("predicted", None),
            ("3,1,4,1", [3, 1, 4, 1]),
            ("labels", y[:4]),
            (tmp_path / "t.npy", [0, 1, 2, 3]),
            (tmp_path / "labels-idx1-ubyte", y[:4]),
        ):
            status, _, _ = run(
                capsys, command, "mnist_fc", tmp_path / "data.npz", "-o", tmp_path / "m.npy",
                "--limit", 4, "--target", target, *words,
            )  # fmt: skip
            assert status == 0
            maps = bl.saliency(models["mnist_fc"], X[:4], expected)
            np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), maps)


@pytest.mark.parametrize(
    ("target", "expected", "message"),
    [
        ("seven", 2, "--target must be a class, a list of classes, a file"),
        (300 * "seven", 2, "--target must be a class, a list of classes, a file"),
        (30 * "1", 2, "--target must be a class, a list of classes, a file"),
        ("1,2", 1, "--target must hold a class for each of 4 samples, got shape (2,)"),
        ("labels", 1, "holds no labels"),
        ("12", 1, "target must be in 0 ... 9, got 12"),
    ],
)
def test_wrong_targets(tmp_path, capsys, mnist, target, expected, message):
    np.save(tmp_path / "x.npy", mnist[0][:9])
    status, _, error = run(
        capsys, "saliency", "mnist_fc", tmp_path / "x.npy", "-o", tmp_path / "m.npy",
        "--limit", 4, "--target", target,
    )  # fmt: skip
    assert status == expected
    assert message in error
    assert not (tmp_path / "m.npy").exists()


def test_a_long_list_of_targets(tmp_path, capsys, models, mnist):
    X, y = mnist[0][:400], mnist[1][:400]
    np.save(tmp_path / "x.npy", X)
    words = "saliency", "mnist_fc", tmp_path / "x.npy", "-o", tmp_path / "m.npy"
    assert run(capsys, *words, "--target", ",".join(map(str, y)))[0] == 0
    expected = bl.saliency(models["mnist_fc"], X, y)
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected)


def test_help_waits_for_nothing():
    code = (
        "import sys\nfrom backlit.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'numba', 'backlit_kernels', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "attribute" in done.stdout


def test_attribute(tmp_path, capsys, models, mnist):
    baseline = np.full((1, 28, 28), 0.5, np.float32)
    np.save(tmp_path / "b.npy", baseline)
    status, _, _ = run(
        capsys, "attribute", "mnist_fc", "mnist", "-o", tmp_path / "m.npy", "--limit", 3,
        "--method", "IG", "--steps", 5, "--rule=riemann_middle", "--baseline", tmp_path / "b.npy",
    )  # fmt: skip
    assert status == 0
    expected = bl.integrated_gradients(
        models["mnist_fc"], mnist[0][:3], steps=5, rule="riemann_middle", baseline=baseline
    )
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected)


def test_references_in_archives(tmp_path, capsys, models, mnist):
    np.savez(tmp_path / "one.npz", only=mnist[0][-3:])
    np.savez(tmp_path / "two.npz", a=mnist[0][-3:], b=mnist[0][:1])
    words = ("attribute", "mnist_fc", "mnist", "-o", tmp_path / "m.npy", "--limit", 3)
    words += ("--method", "deeplift_shap", "--background")
    status, _, _ = run(capsys, *words, tmp_path / "one.npz")
    assert status == 0
    expected = bl.deeplift_shap(models["mnist_fc"], mnist[0][:3], background=mnist[0][-3:])
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected)
    status, _, error = run(capsys, *words, tmp_path / "two.npz")
    assert status == 1
    assert "holds several arrays" in error


def test_dicts_are_json(tmp_path, capsys, models, mnist):
    status, _, _ = run(
        capsys, "attribute", "mnist_cnn", "mnist", "-o", tmp_path / "m.npy", "--limit", 3,
        "--method", "lrp", "--rule", '{"0": "flat", "3": ["gamma", 0.1]}',
    )  # fmt: skip
    assert status == 0
    expected = bl.lrp(models["mnist_cnn"], mnist[0][:3], rule={0: "flat", 3: ("gamma", 0.1)})
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), expected)
    words = "attribute", "mnist_cnn", "mnist", "-o", tmp_path / "m.npy", "--method", "lrp"
    status, _, error = run(capsys, *words, "--rule", '{"0": "flat", "3": "gama"}')
    assert status == 1
    assert "rule must be one of 'epsilon'" in error


def test_models_in_onnx(tmp_path, capsys, models, mnist):
    """From the carried model to ONNX, its saliency, and back to our own format."""
    pytest.importorskip("onnx")
    there, back = tmp_path / "m.onnx", tmp_path / "m.npz"
    status, out, _ = run(capsys, "convert", "mnist_cnn", there)
    assert status == 0
    assert f"mnist_cnn written to {there}" in out
    status, _, _ = run(capsys, "saliency", there, "mnist", "-o", tmp_path / "x.npy", "--limit", 3)
    assert status == 0
    expected = bl.saliency(models["mnist_cnn"], mnist[0][:3])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    status, _, _ = run(capsys, "convert", there, back, "--half")
    assert status == 0
    assert back.stat().st_size < 0.7 * there.stat().st_size
    X = mnist[0][:50]
    np.testing.assert_array_equal(bl.load(back).predict(X), models["mnist_cnn"].predict(X))


def test_convert_chooses_outputs_and_constants(tmp_path, capsys):
    onnx = pytest.importorskip("onnx")
    h = onnx.helper
    nodes = [h.make_node("Mul", ["x", "s"], ["a"]), h.make_node("Tanh", ["a"], ["b"])]
    inputs = [
        h.make_tensor_value_info("x", 1, ["n", "width"]),
        h.make_tensor_value_info("s", 1, []),
    ]
    outputs = [h.make_tensor_value_info(name, 1, None) for name in "ab"]
    graph = h.make_graph(nodes, "two", inputs, outputs)
    source, factor, out = tmp_path / "m.onnx", tmp_path / "s.npy", tmp_path / "m.npz"
    onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)]), source)
    np.save(factor, np.float32(3))
    words = ["--output", "a", "--input-shape", "4", "--constant", f"s={factor}"]
    status, _, _ = run(capsys, "convert", source, out, *words)
    assert status == 0
    np.testing.assert_array_equal(bl.load(out).logits(np.ones((1, 4), np.float32)), [[3] * 4])
    status, _, err = run(capsys, "convert", source, out, "--constant", "s")
    assert status == 2
    assert "--constant must be NAME=FILE.npy, got 's'" in err


def test_methods(capsys):
    status, out, _ = run(capsys, "methods")
    assert status == 0
    for name in METHODS:
        assert name in out


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["saliency", "mnist_cnn", "none.npy", "-o", "x.npy"], 1, "no data set and no file"),
        (["saliency", "none.npz", "mnist", "-o", "x.npy"], 1, "no file is named 'none.npz'"),
        (["saliency", ".", "mnist", "-o", "x.npy"], 1, ".: Is a directory"),
        (["demo", "--out", __file__], 1, "test_commands.py: File exists"),
        (["demo", "--out", "new", "--threads", "0"], 2, "'--threads': 0 is not in the range x>=1"),
        (["saliency", "mnist_cnn", "mnist", "-o", "x.txt"], 2, "must end in .npy or .npz"),
        (["saliency", "mnist_cnn", "mnist"], 2, "Missing option '-o'"),
        (["saliency", "mnist_cnn", "mnist", "-o", "no/x.npy"], 2, "there is no folder"),
        (
            ["saliency", "mnist_cnn", "mnist", "-o", "x.npy", "--target", "10"],
            1,
            "target must be in",
        ),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--stepz", "1"],
            2,
            "no option '--stepz' (did you mean '--steps'?); it takes baseline, steps",
        ),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--methd=ig"],
            2,
            "no option '--methd=ig' (did you mean '--method'?)",
        ),
        (["saliency", "mnist_cnn", "", "-o", "x.npy"], 1, "no data set and no file is named ''"),
        (["saliency", "mnist_cnn", ".", "-o", "x.npy"], 1, "'.': it is a folder; put pictures in"),
        (["saliency", "mnist_cnn", "photo.png", "-o", "x.npy"], 1, "idx file; put pictures into"),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--baseline", "folder.npy"],
            1,
            "backlit: folder.npy: Is a directory",
        ),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--steps", 3000 * "["],
            1,
            "steps must be an int",
        ),
        (["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--steps"], 2, "--steps needs a value"),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--method", "magic"],
            2,
            "method must be",
        ),
        (["convert", "mnist_fc", "m.txt"], 2, "must end in .npz or .onnx, got 'm.txt'"),
        (["convert", "mnist_fc", "m.npz", "--output", "x"], 1, "only ONNX models take output"),
        (["convert", "none.onnx", "m.npz"], 1, "no file is named 'none.onnx'"),
        (
            ["saliency", "empty.npy", "mnist", "-o", "x.npy"],
            1,
            "model saved by backlit, but 'empty",
        ),
        (
            ["saliency", "mnist_cnn", "mnist", "-o", "x.npy", "--target", "empty.npy"],
            1,
            "cannot read an array from 'empty.npy'",
        ),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--method", "expected_gradients"],
            2,
            "expected_gradients needs --background",
        ),
        (
            ["attribute", "mnist_cnn", "mnist", "-o", "x.npy", "--return-delta", "True"],
            2,
            "no option '--return-delta'",
        ),
        (["explain"], 2, "No such command 'explain'"),
    ],
)
def test_errors_are_one_line(tmp_path, monkeypatch, capsys, words, status, message):
    monkeypatch.chdir(tmp_path)
    for name in ("empty.npy", "photo.png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.npy").mkdir()
    found, out, err = run(capsys, *words)
    assert found == status
    assert message in err
    assert len(err.splitlines()) == 1
    assert out == ""
    assert {path.name for path in tmp_path.iterdir()} == {"empty.npy", "folder.npy", "photo.png"}


def test_no_bar_is_left_before_an_error(tmp_path, capsys):
    np.save(tmp_path / "nan.npy", np.full((40, 1, 28, 28), np.nan))
    words = "mnist_cnn", tmp_path / "nan.npy", "-o", tmp_path / "m.npy"
    for command in (["saliency"], ["attribute", "--method", "lime"]):
        status, out, err = run(capsys, *command, *words)
        assert (status, out) == (1, "")
        assert err.splitlines() == ["backlit: X must be finite, but sample 0 holds NaN or infinity"]


def test_lists_and_words_as_options(tmp_path, capsys):
    X = bl.datasets.mnist()[0][:3]
    out = tmp_path / "maps.npy"
    words = ["attribute", "mnist_cnn", "mnist", "--limit", 3, "-o", out, "--method"]
    assert run(capsys, *words, "occlusion", "--window", "[4, 2]")[0] == 0
    expected = bl.occlusion(bl.models.mnist_cnn(), X, window=(4, 2))
    np.testing.assert_array_equal(np.load(out), expected)
    assert run(capsys, *words, "occlusion", "--window=4,2")[0] == 0
    np.testing.assert_array_equal(np.load(out), expected)
    assert run(capsys, *words, "Grad-CAM++", "--relu", "no")[0] == 0
    expected = bl.grad_cam_plus_plus(bl.models.mnist_cnn(), X, relu=False)
    np.testing.assert_array_equal(np.load(out), expected)


def test_data_with_channels_first_for_a_model_with_channels_last(tmp_path, capsys):
    model = bl.models.mnist_cnn()
    last = bl.Model.of_graph(model._source, channels_last=True)
    bl.save(last, tmp_path / "last.npz")
    words = ["saliency", tmp_path / "last.npz", "mnist", "--limit", 3, "-o", tmp_path / "x.npy"]
    assert run(capsys, *words)[0] == 0
    expected = bl.saliency(model, bl.datasets.mnist()[0][:3])
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), np.moveaxis(expected, 1, -1))


def test_a_folder_is_no_place_for_maps(tmp_path, capsys):
    (tmp_path / "x.npy").mkdir()
    status, _, err = run(capsys, "saliency", "mnist_cnn", "mnist", "-o", tmp_path / "x.npy")
    assert status == 2
    assert "is a folder" in err


def test_samples_of_as_many_axes_as_the_model_takes(tmp_path, capsys, rng):
    """Grey pictures get their channel, colours come first; rows of (channels, length) stay."""
    for shape, given in (
        ((1, 5, 6), lambda X: X[:, 0]),
        ((3, 5, 6), lambda X: np.moveaxis(X, 1, -1)),
        ((4, 9), lambda X: X),
    ):
        b = GraphBuilder(shape)
        rows = reductions.reduce(b, "sum", b.input, [len(shape)], False)
        model = finish(b, b.append(bl.Flatten(), b.append(bl.Tanh(), rows)))
        X = rng.random((2, *shape), dtype=np.float32)
        bl.save(model, tmp_path / "model.npz")
        np.save(tmp_path / "x.npy", given(X))
        words = tmp_path / "model.npz", tmp_path / "x.npy", "-o", tmp_path / "M.NPY"
        status, _, error = run(capsys, "saliency", *words)
        assert status == 0, error
        np.testing.assert_array_equal(np.load(tmp_path / "M.NPY"), bl.saliency(model, X))


@pytest.mark.parametrize("shape", [(40, 1, 28, 5), (40, 28, 28, 3), (40, 28, 5), (40, 7)])
def test_samples_that_do_not_fit_are_refused_as_given(tmp_path, capsys, shape):
    np.save(tmp_path / "x.npy", np.zeros(shape))
    words = "saliency", "mnist_cnn", tmp_path / "x.npy", "-o", tmp_path / "m.npy"
    status, _, err = run(capsys, *words)
    assert status == 1
    assert err == f"backlit: X must have shape (N, 1, 28, 28), got {shape}\n"


def test_help_and_version():
    code = "import sys; from backlit.cli import main; main(sys.argv[1:])"

    def said(*words):
        return subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        ).stdout

    text = said("--help")
    assert said() == text
    for command in ("demo", "saliency", "attribute", "methods"):
        assert command in text
    assert "--signed" in said("saliency", "--help")
    assert said("--version") == f"backlit, version {bl.__version__}\n"


def test_help_is_quick():
    """It loads neither matplotlib nor rich."""
    code = """
import sys
from backlit.cli import main
try: main(["--help"])
except SystemExit: pass
print("loaded", *sorted({"matplotlib", "rich"} & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1].strip() == "loaded"
