"""The demo: its pictures, its page and its times."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from backlit.cli.demo import MODELS, all_methods
from backlit.cli.demo.all_methods import explain_by_all, in_words
from backlit.cli.demo.page import write_page
from backlit.cli.demo.pictures import every_method
from tests.cli.running import run


def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(all_methods, "LONG", 0)  # each method is timed once
    status, out, _ = run(capsys, "demo", "--out", tmp_path / "d", "--limit", 200)
    assert status == 0
    for words in ("accuracy", "images per second", "concentration", "mnist_cnn puts"):
        assert words in " ".join(out.split())
    names = {path.name for path in (tmp_path / "d").iterdir()}
    pictures = {f"{kind}_{model}.png" for kind in ("saliency", "wrong") for model in MODELS}
    assert names == pictures | {
        "comparison.png", "filters.png", "methods.png", "index.html",
        "mnist_fc_saliency.npz", "mnist_cnn_saliency.npz",
    }  # fmt: skip
    page = (tmp_path / "d" / "index.html").read_text()
    for picture in pictures:
        assert picture in page
    with np.load(tmp_path / "d" / "mnist_cnn_saliency.npz") as file:
        assert file["attributions"].shape == (200, 1, 28, 28)


def test_the_demo_says_what_it_shows(models, mnist, monkeypatch):
    monkeypatch.setattr("backlit.cli.demo.all_methods.METHODS", ["saliency", "xrai"])
    monkeypatch.setitem(sys.modules, "skimage", None)
    found = explain_by_all(models, mnist[0][:2], mnist[0][:10])
    _, title, caption, figure = every_method(mnist[0][:2], found)
    assert title == "Every method but xrai"
    assert figure.texts[0].get_text() == "Every method but xrai, on two digits"
    assert caption.startswith("Two digits; at the right the time for each, in a batch of two.")
    assert "Left out: xrai needs scikit-image" in caption


def test_the_page_does_not_wait_for_every_method(tmp_path, capsys, monkeypatch):
    def interrupted(*arguments):
        raise MemoryError

    monkeypatch.setattr("backlit.cli.demo.explain_by_all", interrupted)
    status, out, _ = run(capsys, "demo", "--out", tmp_path, "--limit", 100)
    assert status == 1
    assert "open" in out
    page = (tmp_path / "index.html").read_text()
    drawn = [path.name for path in tmp_path.glob("*.png")]
    assert len(drawn) == 6
    assert all(name in page for name in drawn)
    assert "First-layer filters of mnist_cnn" in page


def test_long_runs_are_timed_once(monkeypatch):
    for times, least, runs in (([0, 3], 3, 1), ([0, 0.04, 1, 1.01, 2, 2.02], 0.01, 3)):
        done = []
        clock = SimpleNamespace(perf_counter=iter(times).__next__)
        monkeypatch.setattr(all_methods, "time", clock)
        assert all_methods._seconds(lambda done=done: done.append(1)) == pytest.approx(least)
        assert len(done) == runs


def test_times_in_two_digits():
    assert [in_words(t) for t in (0.3712, 12.34, 0.0042, 3e-5)] == [
        "370 ms", "12 s", "4.2 ms", "30 µs",
    ]  # fmt: skip


def test_the_page_escapes_and_names_everything(tmp_path):
    write_page(
        tmp_path / "index.html",
        title="a < b",
        subtitle="sub",
        findings=["first & second"],
        table={"columns": ["one"], "rows": [["accuracy", "<1%"]]},
        pictures=[{"title": "gallery", "caption": "words", "file": "g.png"}],
        arrays=["m.npz"],
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    for part in ("a &lt; b", "first &amp; second", "&lt;1%", 'src="g.png"', 'href="m.npz"'):
        assert part in page
    assert "http" not in page  # nothing is fetched from elsewhere
