"""Files that appear whole or not at all."""

import os

import pytest

from spineseg_cli.core.files import atomic_path, check_writable, file_sha256
from spineseg_cli.errors import InputError, SpinesegError


def test_success_replaces_and_keeps_the_suffixes(tmp_path):
    target = tmp_path / "new" / "mask.nii.gz"
    with atomic_path(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".nii.gz")
        temporary.write_text("1")
        assert not target.exists()
    with atomic_path(target) as temporary:
        temporary.write_text("2")
    assert target.read_text() == "2"
    assert os.listdir(target.parent) == ["mask.nii.gz"]
    (tmp_path / "plain").write_text("")
    assert target.stat().st_mode == (tmp_path / "plain").stat().st_mode, "the user's usual permissions"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "mask.nii.gz"
    target.write_text("old")

    def fail_half_way():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["mask.nii.gz"]


def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot write .*choose another output path"),
        atomic_path(tmp_path / "file" / "mask.nii"),
    ):
        pass
    with pytest.raises(SpinesegError, match="cannot write .*No space left"), atomic_path(tmp_path / "mask.nii"):
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == ["file"]


def test_a_place_that_cannot_be_written_is_found_before(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*no folder that you may write to"):
        check_writable(tmp_path / "file" / "new" / "mask.nii")
    check_writable(tmp_path / "new" / "mask.nii")
    assert os.listdir(tmp_path) == ["file"]


def test_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
