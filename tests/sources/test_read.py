"""Samples from files."""

import gzip
import struct

import numpy as np
import pytest

from backlit.sources import read, read_targets


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def flipped(content, place):
    """Content with one byte turned over."""
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (4, 5, 6), dtype=np.uint8)


def test_kinds(tmp_path, images):
    expected = images.astype(np.float32) / 255
    np.save(tmp_path / "a.npy", images)
    np.savez(tmp_path / "b.npz", images=images, labels=np.arange(4))
    np.savez(tmp_path / "c.npz", only=images)
    for name in ("a.npy", "b.npz"):
        (tmp_path / f"upper.{name.upper()}").write_bytes((tmp_path / name).read_bytes())
    (tmp_path / "one.npz").write_bytes((tmp_path / "a.npy").read_bytes())  # misnamed
    (tmp_path / "several.npy").write_bytes((tmp_path / "b.npz").read_bytes())
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(images))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    for path in tmp_path.iterdir():
        np.testing.assert_allclose(read(str(path)).X, expected, rtol=1e-6)
    np.testing.assert_array_equal(read(str(tmp_path / "b.npz")).y, np.arange(4))
    assert read(str(tmp_path / "c.npz")).y is None


def test_targets(tmp_path, rng):
    y = rng.integers(0, 10, 7, dtype=np.uint8)
    np.save(tmp_path / "idx.npy", y)
    (tmp_path / "upper.NPY").write_bytes((tmp_path / "idx.npy").read_bytes())
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(y))
    (tmp_path / "T10K-LABELS.IDX1-UBYTE").write_bytes(idx(y))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(y)))
    for path in tmp_path.iterdir():
        np.testing.assert_array_equal(read_targets(str(path)), y)
    with pytest.raises(FileNotFoundError):
        read_targets(str(tmp_path / "none-idx"))
    (tmp_path / "short-idx").write_bytes(idx(y)[:-1])
    with pytest.raises(ValueError, match=r"cannot read targets from '.*short-idx': damaged idx"):
        read_targets(str(tmp_path / "short-idx"))


def test_numbers_are_left_as_they_are(tmp_path, rng):
    X = rng.normal(size=(3, 7))
    np.save(tmp_path / "x.npy", X)
    np.testing.assert_array_equal(read(str(tmp_path / "x.npy")).X, X)


def test_name():
    X, y = read("mnist")
    assert X.shape == (10000, 1, 28, 28)
    assert len(y) == 10000


def test_refused(tmp_path, images):
    with pytest.raises(FileNotFoundError, match="no data set and no file is named 'cifar'"):
        read("cifar")
    good = idx(images)
    np.savez(tmp_path / "whole.npz", X=images)
    whole = (tmp_path / "whole.npz").read_bytes()
    bad = {
        "short-idx": (good[:-1], "damaged idx file: shape .4, 5, 6. takes 120 bytes, got 119"),
        "sizes-idx": (good[:6], "its sizes are missing"),
        "magic-idx": (b"abcdefgh", "not an idx file"),
        "cut-idx.gz": (gzip.compress(good)[:-9], "truncated or damaged gzip file"),
        "cut.npy": (b"\x93NUMPY", "cannot read samples"),
        "cut.npz": (b"PK", "cannot read samples"),
        "half.npz": (whole[: len(whole) // 2], "File is not a zip file"),
        "flipped.npz": (flipped(whole, 150), "Bad CRC-32"),
        "long-idx": (good + b"x", "damaged idx file: shape .4, 5, 6. takes 120 bytes, got 121"),
        "flipped.gz": (flipped(gzip.compress(good), 40), "cannot read samples"),
        "labels-idx": (idx(images[:, 0, 0]), "samples must be .* got .4,."),
        "text.npy": (b"1 2 3", "it is no .npy or .npz file, whatever its name"),
        "x.txt": (b"1 2 3", "its ending is not .npy, .npz, or that of an idx file"),
    }
    for name, (content, words) in bad.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=words):
            read(str(tmp_path / name))
    np.savez(tmp_path / "two.npz", a=images, b=images)
    with pytest.raises(ValueError, match=r"none of its arrays \['a', 'b'\] is named X or images"):
        read(str(tmp_path / "two.npz"))
