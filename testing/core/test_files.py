"""Files that appear whole or not at all."""

import errno
import os

import pytest

from spineseg_cli.core.file_checks import check_writable
from spineseg_cli.core.files import atomic_path, file_sha256
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


def refuse(code):
    """A function that fails as a file system does that has no such thing."""

    def function(*_args, **_options):
        raise OSError(code, os.strerror(code))

    return function


def write(target, text):
    with atomic_path(target) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        *((call, errno.EPERM) for call in ("chmod", "fchmod", "lchmod", "utime", "link", "symlink")),
        ("fsync", errno.EINVAL),
        *(("replace", code) for code in (errno.EXDEV, errno.EBUSY, errno.EPERM, errno.EACCES)),
    ],
)
def test_file_systems_that_refuse_what_is_not_needed(tmp_path, monkeypatch, call, code):
    """A Windows drive or network mount has no permissions, a container's mounted file cannot be renamed over, and so on."""
    monkeypatch.setattr(os, call, refuse(code), raising=False)
    for text in ("first", "second"):
        write(tmp_path / "mask.nii.gz", text)
        assert (tmp_path / "mask.nii.gz").read_text() == text
    assert os.listdir(tmp_path) == ["mask.nii.gz"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_what_a_disk_loses_when_it_settles_leaves_the_old_file(tmp_path, monkeypatch, code):
    write(tmp_path / "mask.nii.gz", "old")
    monkeypatch.setattr(os, "fsync", refuse(code))
    with pytest.raises(SpinesegError, match=f"cannot write .*{os.strerror(code)}; free some space, or write to another disk"):
        write(tmp_path / "mask.nii.gz", "new")
    assert (tmp_path / "mask.nii.gz").read_text() == "old"
    assert os.listdir(tmp_path) == ["mask.nii.gz"]


def test_a_copy_in_the_place_of_a_rename_is_whole_or_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", refuse(errno.EXDEV))
    monkeypatch.setattr("shutil.copyfileobj", lambda source, target: target.write(b"half") and refuse(errno.ENOSPC)())
    with pytest.raises(SpinesegError, match="No space left"):
        write(tmp_path / "mask.nii.gz", "new")
    assert os.listdir(tmp_path) == []


def test_other_names_of_a_replaced_file_keep_what_they_had(tmp_path):
    write(tmp_path / "scan.nii", "old")
    os.link(tmp_path / "scan.nii", tmp_path / "hard.nii")
    (tmp_path / "soft.nii").symlink_to("scan.nii")
    for name in ("hard.nii", "soft.nii"):
        write(tmp_path / name, "new")
    assert (tmp_path / "scan.nii").read_text() == "old"


def test_names_as_long_as_the_disk_takes_them(tmp_path):
    longest = "é" * 120 + ".nii.gz"
    write(tmp_path / longest, "1")
    assert os.listdir(tmp_path) == [longest]
    with pytest.raises(InputError, match="File name too long; choose another output path"):
        check_writable(tmp_path / f"{longest}{longest}")


def test_sha256(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (tmp_path / "other").write_bytes(b"abd")
    (tmp_path / "other").replace(tmp_path / "abc")
    assert file_sha256(tmp_path / "abc") == "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9", "read anew"
