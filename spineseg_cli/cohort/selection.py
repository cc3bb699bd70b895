"""The selection of scans of a BIDS folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from spineseg_cli.cohort.bids import Scan
from spineseg_cli.core.image.file_names import stem_of
from spineseg_cli.core.ranges import listed_names
from spineseg_cli.errors import InputError

# BIDS suffixes of the scans that are processed by default: the contrasts of cord imaging, without quantitative and field maps.
CONTRASTS = (
    "T1w", "T2w", "T2star", "T2starw", "T2s", "PDw", "PDT2", "FLAIR", "MTS", "MTR", "MEGRE", "MESE", "UNIT1", "inplaneT1",
    "inplaneT2",
)  # fmt: skip

# The largest number of labels in a message.
MOST_WORDS = 8

# Parts of a complex image that are skipped by default.
NO_MAGNITUDE = ("phase", "real", "imag")


@dataclass(frozen=True)
class Selection:
    """Criteria that scans must meet. An empty field selects everything."""

    # Labels, with or without `sub-` and `ses-`.
    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()  # BIDS suffixes, such as `T2w`
    # Pairs of an entity and its value, such as `("task", "rest")`. Several values of one entity are alternatives.
    entities: tuple[tuple[str, str], ...] = ()
    pattern: str = ""  # a glob of file names, such as `*T2s*.nii*`, that replaces `suffixes`
    # Subjects, sessions, names or paths of scans, or globs of these.
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def is_of_all_subjects(self) -> bool:
        """Whether no subject, session or scan is named, so that each subject should have a selected scan."""
        return not (self.participants or self.sessions or self.entities or self.include or self.exclude)

    def choose(self, scans: Sequence[Scan]) -> list[Scan]:
        """Return the selected scans.

        Raises InputError if a participant or session does not exist, or no scan is selected.
        """
        self._check_named(scans)
        chosen = [scan for scan in scans if self._fits(scan)]
        if not chosen:
            raise InputError(f"found no scan to segment: {self._advice(scans)}")
        return chosen

    def _fits(self, scan: Scan) -> bool:
        entities = scan.entities
        if self.participants and entities["sub"] not in _labels(self.participants, "sub"):
            return False
        if self.sessions and entities.get("ses", "") not in _labels(self.sessions, "ses"):
            return False
        wanted: dict[str, set[str]] = {}
        for name, value in self.entities:
            wanted.setdefault(name, set()).add(value)
        if any(entities.get(name) not in values for name, values in wanted.items()):
            return False
        if "part" not in wanted and entities.get("part") in NO_MAGNITUDE:
            return False
        if self.include and not _is_listed(scan, self.include):
            return False
        return not _is_listed(scan, self.exclude) and self._is_contrast(scan)

    def _is_contrast(self, scan: Scan) -> bool:
        if self.pattern:
            return fnmatch(scan.relative.name, self.pattern)
        return scan.suffix in (self.suffixes or CONTRASTS)

    def _check_named(self, scans: Sequence[Scan]) -> None:
        for key, word, named in (("sub", "participant", self.participants), ("ses", "session", self.sessions)):
            there = {scan.entities.get(key, "") for scan in scans}
            missing = sorted(_labels(named, key) - there)
            if missing:
                raise InputError(f"no {word} {', '.join(missing)} in this data set; there are {_some(sorted(there))}")

    def _advice(self, scans: Sequence[Scan]) -> str:
        if not scans:
            return "expected images at sub-01/anat/sub-01_T2w.nii.gz, or under sub-01/ses-1/anat; there are none"
        contrasts = sorted({scan.suffix for scan in scans})
        given = "--pattern" if self.pattern else "--filter" if self.entities else ""
        remedy = f"{given} fits none of those asked for" if given else "name some with --suffix"
        return f"the data set has {len(scans)} images of the contrasts {_some(contrasts)}; {remedy}"


def _labels(named: Iterable[str], key: str) -> set[str]:
    return {name.removeprefix(f"{key}-") for name in named}


def _is_listed(scan: Scan, lines: Iterable[str]) -> bool:
    subject, session = scan.entities["sub"], scan.session
    names = {scan.relative.as_posix(), scan.relative.name, scan.stem, session, session.replace("/", "_")}
    names |= {subject, f"sub-{subject}"}
    lines = [line.partition(".nii")[0] + ".nii" if ".nii" in line else line for line in lines]  # drop the number of a volume
    return any(stem_of(Path(line).name) == scan.stem or any(fnmatch(name, line) for name in names) for line in lines)


def _some(words: Sequence[str]) -> str:
    return listed_names([word or "none" for word in words], MOST_WORDS)
