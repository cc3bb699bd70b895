"""Inputs that are there, what stands in the place of files that were not fetched, and outputs that can be written."""

import os

import pytest

from spineseg_cli.core.file_checks import check_present, check_writable
from spineseg_cli.errors import InputError

KEY = "MD5E-s693197--0123456789abcdef0123456789abcdef.nii.gz"
OBJECT = f".git/annex/objects/Xx/9z/{KEY}/{KEY}"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 693197\n"
GET, PULL = "not fetched: run git annex get '.*/my scan.nii.gz'$", "not fetched: run git lfs pull --include '.*/my scan.nii.gz'$"

STAND_INS = {
    "annex": (lambda path: path.symlink_to(f"../../{OBJECT}"), GET),
    "annex, unlocked": (lambda path: path.write_text(f"/annex/objects/{KEY}\n"), GET),
    "annex, on a disk without links": (lambda path: path.write_text(f"../../{OBJECT}"), GET),
    "LFS": (lambda path: path.write_text(LFS), PULL),
    "dead link": (lambda path: path.symlink_to("moved/away.nii.gz"), "is a link to moved/away.nii.gz, which is not there"),
    "loop": (lambda path: path.symlink_to("my scan.nii.gz"), "is a link to my scan.nii.gz"),
    "pipe": (lambda path: os.mkfifo(path), "is a pipe or a device: write its content to a file"),
    "folder": (lambda path: path.mkdir(), "it is a folder"),
    "nothing": (lambda path: None, "no such file: .*my scan.nii.gz$"),
}


@pytest.mark.parametrize("kind", STAND_INS)
def test_what_is_there_in_its_place(kind, tmp_path):
    make, message = STAND_INS[kind]
    make(tmp_path / "my scan.nii.gz")
    with pytest.raises(InputError, match=message):
        check_present(tmp_path / "my scan.nii.gz")


def test_content_that_was_fetched(tmp_path):
    (tmp_path / OBJECT).parent.mkdir(parents=True)
    (tmp_path / OBJECT).write_bytes(b"voxels")
    (tmp_path / "scan.nii").symlink_to(OBJECT)
    check_present(tmp_path / "scan.nii")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs a file that its reader may not open")
def test_a_file_that_may_not_be_read(tmp_path):
    (tmp_path / "scan.nii").touch(mode=0)
    with pytest.raises(InputError, match="cannot open .*scan.nii: Permission denied"):
        check_present(tmp_path / "scan.nii")


@pytest.mark.parametrize(
    ("there", "named", "said"),
    [
        ("scan.nii.gz", "scan.nii", "no such file: .*scan.nii; there is .*scan.nii.gz$"),
        ("scan.nii", "scan.nii.gz", "no such file: .*scan.nii.gz; there is .*scan.nii$"),
        ("scan.nii", "sub-1/scan.nii.gz", "no such file: .*scan.nii.gz, nor a folder .*sub-1$"),
        ("scan.nii", "other.nii", "no such file: .*other.nii$"),
        ("scan.nii", ".", r"no such file: .* \(it is a folder\)$"),
    ],
)
def test_what_is_there_in_place_of_a_file_is_said(tmp_path, there, named, said):
    (tmp_path / there).write_text("")
    with pytest.raises(InputError, match=said):
        check_present(tmp_path / named)


def test_what_is_write_protected_is_kept(tmp_path):
    """Root may write to it, too: somebody wants it kept."""
    target = tmp_path / "mask.nii"
    target.write_text("by hand")
    check_writable(target)
    target.chmod(0o444)
    with pytest.raises(InputError, match="it is write-protected"):
        check_writable(target)
