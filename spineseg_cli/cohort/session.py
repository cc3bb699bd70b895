"""One session worked through: each of its scans, each step that is not done already."""

from __future__ import annotations

import errno
import logging
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from spineseg_cli import __version__
from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.ledger import FAILED, FINISHED, FOLDER, Entry, Ledger, digest_of, make_key
from spineseg_cli.cohort.locks import BusyError, locked
from spineseg_cli.cohort.networks import Networks
from spineseg_cli.cohort.settings import Settings
from spineseg_cli.cohort.steps import NEEDS, STEPS, Outcome, Work
from spineseg_cli.core.files import atomic_path, check_present, file_sha256
from spineseg_cli.errors import InputError, SpinesegError

log = logging.getLogger(__name__)

# What a disk says that takes no more: no other session fares better.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@dataclass(frozen=True)
class Job:
    """A session to be worked through.

    Parameters
    ----------
    session : str
        `sub-01/ses-1`.
    out : Path
        The folder of the derivatives.
    force : bool
        Do everything again.
    """

    session: str
    scans: tuple[Scan, ...]
    out: Path
    settings: Settings
    force: bool = False


@dataclass(frozen=True)
class ScanResult:
    """What came of a scan: the state of each step, which of them were computed now, and what a user should know."""

    scan: str
    states: dict[str, str]
    computed: tuple[str, ...] = ()
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a step failed, or could not be done because another one failed."""
        return any(state == FAILED for state in self.states.values())


@dataclass(frozen=True)
class SessionResult:
    """What came of a session. `fatal` says why no other session can be done either, "" if they can."""

    session: str
    scans: tuple[ScanResult, ...] = ()
    seconds: float = 0.0
    error: str = ""
    fatal: str = ""

    @property
    def failed(self) -> bool:
        """Whether any of it failed."""
        return bool(self.error) or any(scan.failed for scan in self.scans)


def run_session(job: Job, networks: Networks) -> SessionResult:
    """Do what is not done yet of a session; whatever goes wrong is in the result, but for signals that stop the process."""
    start = time.perf_counter()
    results = []
    try:
        with locked(job.out / FOLDER / job.session / "lock", job.session):
            _remove_partial_files(job)
            for scan in job.scans:
                results.append(_run_scan(job, scan, networks))
    except BusyError as error:
        return SessionResult(job.session, tuple(results), time.perf_counter() - start, error=str(error))
    except (SpinesegError, OSError) as error:
        fatal = str(error) if is_disk_full(error) else ""
        return SessionResult(job.session, tuple(results), time.perf_counter() - start, error=str(error), fatal=fatal)
    return SessionResult(job.session, tuple(results), time.perf_counter() - start)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that the disk takes no more."""
    cause = error.__cause__ if isinstance(error, SpinesegError) else error
    return isinstance(cause, OSError) and cause.errno in DISK_FULL


def step_key(name: str, work: Work) -> str:
    """Return the digest of all that a step's result depends on; see `ledger`. Raises InputError if an input is not there."""
    step = STEPS[name]
    inputs = step.reads(work)
    for path in inputs.values():
        check_present(path)
    return make_key({
        "step": name,
        "revision": step.revision,
        "version": __version__,
        "options": step.options(work.settings),
        "volume": work.scan.volume,
        "weights": step.weights(work),
        "inputs": {what: file_sha256(path) for what, path in inputs.items()},
    })  # fmt: skip


def _run_scan(job: Job, scan: Scan, networks: Networks) -> ScanResult:
    work = Work(scan, job.out, job.settings, networks)
    ledger = Ledger(job.out, scan)
    states: dict[str, str] = {}
    messages: dict[str, str] = {}
    computed = []
    networks.forget_scan()
    with _log_of(job.out, scan):
        for name in (step for step in STEPS if step in job.settings.steps):
            if states.get(NEEDS.get(name, "")) == FAILED:
                states[name] = FAILED
                continue
            entry, is_new = _run_step(name, work, ledger, job.force)
            states[name] = entry.state
            if entry.message:
                messages[name] = entry.message
            if is_new:
                computed.append(name)
    return ScanResult(scan.title, states, tuple(computed), messages)


def _run_step(name: str, work: Work, ledger: Ledger, force: bool) -> tuple[Entry, bool]:
    """Return what came of a step, now or earlier, and whether it was now."""
    try:
        key = step_key(name, work)
        if not force:
            if ledger.is_done(name, key):
                return ledger.entries[name], False
            _refuse_edited(name, ledger)
        outcome = STEPS[name].run(work)
        entry = _entry_of(outcome, key, work)
        _remove_old_files(ledger, name, entry)
    except SpinesegError as error:
        if is_disk_full(error):
            raise
        log.error("%s: %s", name, error)
        entry = Entry("", FAILED, str(error))
        if name in ledger.entries:  # what it has written stays known, so that it is neither lost nor taken for a user's own
            entry = Entry("", FAILED, str(error), ledger.entries[name].outputs)
    except MemoryError:
        entry = Entry("", FAILED, "out of memory: use fewer jobs, or crop the image first")
    except OSError as error:
        if is_disk_full(error):
            raise
        entry = Entry("", FAILED, f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:  # one broken scan must not end the night
        log.error("%s: %s", name, traceback.format_exc())
        entry = Entry("", FAILED, f"unexpected {type(error).__name__}: {error}; the log has the details")
    ledger.record(name, entry)
    return entry, True


def _entry_of(outcome: Outcome, key: str, work: Work) -> Entry:
    outputs = {path.relative_to(work.out).as_posix(): digest_of(path) for path in outcome.files}
    return Entry(key, outcome.state, outcome.message, outputs, outcome.facts)


def _refuse_edited(name: str, ledger: Ledger) -> None:
    """Raise InputError rather than write over a result that somebody has changed."""
    edited = ledger.changed_by_hand(name)
    if edited:
        raise InputError(
            f"{edited[0]} was changed after it was written: move it to derivatives/labels of the data set, where it takes the "
            "place of the automatic one, or delete it to have it made again"
        )


def _remove_old_files(ledger: Ledger, name: str, entry: Entry) -> None:
    """Remove what an earlier run of the step has written, and this one has not."""
    before = ledger.entries.get(name)
    for path in (before.outputs if before else {}).keys() - entry.outputs.keys():
        (ledger.out / path).unlink(missing_ok=True)


def _remove_partial_files(job: Job) -> None:
    """Remove what a worker that was killed has left half-written; only under the session's lock."""
    for top in ("", FOLDER, "qc/entries", "logs"):
        folder = job.out / top / job.session
        for path in folder.rglob(".partial-*") if folder.is_dir() else ():
            with suppress(OSError):
                path.unlink()


@contextmanager
def _log_of(out: Path, scan: Scan) -> Iterator[None]:
    """Keep what the library says meanwhile in the scan's log, if it says anything."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname.lower()}: {record.getMessage()}")

    handler, library = Keep(level=logging.WARNING), logging.getLogger("spineseg_cli")
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)
        if lines:
            with suppress(SpinesegError), atomic_path(out / "logs" / scan.folder / f"{scan.result_stem}.log") as temporary:
                temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def state_of(states: dict[str, str]) -> str:
    """Return the word that stands for a scan's steps: "failed" if any failed, else that of the cord, or of what there is."""
    if FAILED in states.values():
        return FAILED
    finished = [states[name] for name in ("cord", "centerline") if states.get(name) in FINISHED]
    return finished[0] if finished else next(iter(states.values()), "")
