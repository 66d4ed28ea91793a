"""Files are whole or not there."""

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
