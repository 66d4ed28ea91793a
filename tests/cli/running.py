"""Running a command."""

import pytest

from backlit.cli import main


def run(capsys, *words):
    """A command's exit status, and what it wrote to standard output and error."""
    with pytest.raises(SystemExit) as leaving:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return leaving.value.code, captured.out, captured.err
