"""Files are whole or not there."""

import errno
import os

import pytest

from backlit.files import replacing


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write(content, error=None):
        with replacing(path) as aside:
            aside.write_text(content)
            assert aside.parent == path.parent
            assert aside.suffix == path.suffix
            assert path.read_text() == "old"
            if error:
                raise error

    with pytest.raises(KeyboardInterrupt):
        write("half", KeyboardInterrupt())
    assert path.read_text() == "old"
    write("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_writing_names_the_file(tmp_path):
    path = tmp_path / "a.npy"

    def fail(error):
        with replacing(path):
            raise error

    with pytest.raises(OSError, match=r"cannot write to .*a\.npy': 9 requested and 0 written"):
        fail(OSError("9 requested and 0 written"))  # NumPy's words for a full disk
    with pytest.raises(OSError, match=r"No space left on device: .*a\.npy'"):
        fail(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


def test_of_a_link_the_file_that_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    there, link = tmp_path / "elsewhere" / "a.txt", tmp_path / "a.txt"
    there.touch()
    link.symlink_to(there)
    with replacing(link) as aside:
        aside.write_text("new")
    assert link.is_symlink()
    assert there.read_text() == "new"
