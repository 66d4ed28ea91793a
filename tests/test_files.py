"""Files are whole or not there."""

import errno
import os

import pytest

from backlit.files import replacing
from backlit.report import write_page


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
