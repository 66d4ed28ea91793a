"""The cores at hand, by affinity and by quota."""

import pytest

from backlit import placement
from backlit.placement import available_cores, cores_granted


def granted(folder, quotas, own="0::/one/two\n"):
    """What is read where the groups in `quotas` have these files."""
    groups = folder / "groups"
    for group, text in quotas.items():
        (groups / group).mkdir(parents=True, exist_ok=True)
        (groups / group / "cpu.max").write_text(text)
    (folder / "own").write_text(own)
    return cores_granted(groups, folder / "own")


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        ({}, None),
        ({"": "max 100000\n"}, None),
        ({"": "150000 100000\n"}, 2),
        ({"": "1000 100000\n"}, 1),
        ({"": "400000 100000\n", "one/two": "max 100000\n"}, 4),
        ({"": "max 100000\n", "one": "300000 100000\n", "one/two": "700000 100000\n"}, 3),
        ({"other": "100000 100000\n"}, None),
        ({"": "100000\n"}, None),
        ({"": "100000 0\n"}, None),
        ({"": ""}, None),
    ],
)
def test_quotas(tmp_path, quotas, cores):
    assert granted(tmp_path, quotas) == cores


def test_groups_that_are_not_to_be_seen(tmp_path):
    """A container may be told of a path outside of it, or of none; its own is the top then."""
    quotas = {"": "200000 100000\n"}
    for number, own in enumerate(("", "4:memory:/x\n", "0::/docker/3f\n", "0::/\n", "0::/../x\n")):
        (tmp_path / f"{number}").mkdir()
        assert granted(tmp_path / f"{number}", quotas, own) == 2
    assert cores_granted(tmp_path / "none", tmp_path / "nowhere") is None
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert cores_granted(tmp_path / "0" / "groups", tmp_path / "bytes") == 2


def test_the_fewer_of_both(monkeypatch):
    monkeypatch.setattr(placement, "cores_granted", lambda: None)
    cores = available_cores()
    for quota in (1, 1000):
        monkeypatch.setattr(placement, "cores_granted", lambda quota=quota: quota)
        assert available_cores() == min(quota, cores)
