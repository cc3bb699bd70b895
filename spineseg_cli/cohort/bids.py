"""The scans of a BIDS folder, and the entities in their names."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from spineseg_cli.core.image.file_names import is_nifti_name, stem_of
from spineseg_cli.errors import InputError

# Folders of a BIDS data set in which scans are searched. By default `selection.CONTRASTS` chooses anatomical scans among them.
DATATYPES = ("anat", "dwi", "func", "perf", "mt")

# Folders at the top of a data set that hold no raw scans.
OTHER_FOLDERS = {"derivatives", "sourcedata", "code", "stimuli", "phenotype"}

SUBJECT_PREFIX = re.compile("^sub-", re.IGNORECASE)
ENTITY = re.compile(r"([A-Za-z]+)-([A-Za-z0-9+]+)")


@dataclass(frozen=True)
class Scan:
    """An image of a BIDS folder."""

    root: Path  # the BIDS folder
    relative: Path  # path of the image in the BIDS folder, such as `sub-01/ses-1/anat/sub-01_ses-1_T2w.nii.gz`
    volume: int | None = None  # Index of one volume of a 4-D image, from 0. By default the scan is the whole image.

    @property
    def path(self) -> Path:
        """Path of the image."""
        return self.root / self.relative

    @property
    def folder(self) -> Path:
        """Folder of the image in the data set, such as `sub-01/ses-1/anat`."""
        return self.relative.parent

    @property
    def stem(self) -> str:
        """File name without its extension, such as `sub-01_ses-1_T2w`."""
        return stem_of(self.relative.name)

    @property
    def result_stem(self) -> str:
        """Start of the file names of its results, such as `sub-01_ses-1_T2w`, or `sub-01_ses-1_T2w_vol-003` for a volume."""
        return self.stem + ("" if self.volume is None else f"_vol-{self.volume + 1:03d}")

    @property
    def title(self) -> str:
        """Name in tables and on the page: the path and the number of the volume, such as `sub-01/anat/sub-01_T2w.nii.gz:3`."""
        return self.relative.as_posix() + ("" if self.volume is None else f":{self.volume + 1}")

    @cached_property
    def entities(self) -> dict[str, str]:
        """The BIDS entities of the name, such as `{"sub": "01", "ses": "1"}`.

        If the name has no `sub`, the subject is the top folder, whatever it is called; `Sub-01` is taken for `sub-01`.
        """
        matches = (ENTITY.fullmatch(part) for part in self.stem.split("_"))
        entities = {match[1]: match[2] for match in matches if match}
        parts = self.relative.parts
        entities.setdefault("sub", SUBJECT_PREFIX.sub("", parts[0]))
        if len(parts) > 1 and parts[1].startswith("ses-"):
            entities.setdefault("ses", parts[1].removeprefix("ses-"))
        return entities

    @property
    def suffix(self) -> str:
        """BIDS suffix, which names the contrast, such as `T2w`."""
        return self.stem.split("_")[-1]

    @property
    def session(self) -> str:
        """Folder of the session, such as `sub-01/ses-1`, or `sub-01` in a data set without sessions."""
        parts = self.relative.parts
        return "/".join(parts[: 2 if len(parts) > 2 and parts[1].startswith("ses-") else 1])


def find_scans(root: Path) -> list[Scan]:
    """Return the images in the datatype folders of a BIDS folder, sorted by path.

    If an image exists as `.nii` and as `.nii.gz`, the second is taken. Hidden files, such as those of macOS, are skipped.

    Raises InputError if there is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"no folder {root}: name the BIDS folder that holds sub-01, sub-02 and so on")
    scans: dict[tuple[Path, str], Scan] = {}
    for folder, names, files in os.walk(root, followlinks=True):
        here = Path(folder).relative_to(root)
        top = not here.parts
        names[:] = sorted(name for name in names if not name.startswith(".") and not (top and name in OTHER_FOLDERS))
        if len(here.parts) >= 4:
            names[:] = []
        if len(here.parts) > 1 and here.name in DATATYPES:
            for name in sorted(files):  # scan.nii comes before scan.nii.gz, which replaces it
                if is_nifti_name(name) and not name.startswith("."):
                    scans[here, stem_of(name)] = Scan(root, here / name)
    return [scans[key] for key in sorted(scans)]
