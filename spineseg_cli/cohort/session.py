"""The processing of one session: for each scan, every step that is not finished."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from logging.handlers import BufferingHandler
from pathlib import Path

from spineseg_cli import __version__
from spineseg_cli.cohort.bids import Scan
from spineseg_cli.cohort.ledger import FAILED, FINISHED, LEDGER_FOLDER, Entry, Ledger, digest_of
from spineseg_cli.cohort.locks import BusyError, locked
from spineseg_cli.cohort.network_cache import NetworkCache
from spineseg_cli.cohort.settings import NEEDED_STEP, Settings
from spineseg_cli.cohort.steps import STEPS, StepContext
from spineseg_cli.core.file_checks import check_present
from spineseg_cli.core.files import file_sha256, write_text
from spineseg_cli.errors import InputError, SpinesegError

log = logging.getLogger(__name__)

# Errors of a disk that cannot be written to, which end the whole run.
DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


@dataclass(frozen=True)
class Job:
    """A session to process."""

    session: str  # folder of the session in the data set, such as `sub-01/ses-1`
    scans: tuple[Scan, ...]
    out: Path
    settings: Settings
    force: bool = False  # whether finished steps are repeated


@dataclass(frozen=True)
class ScanResult:
    """The result of a scan: the state of each step, the steps that were computed in this run, and messages by step."""

    scan: str
    states: dict[str, str]
    computed: tuple[str, ...] = ()
    messages: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a step failed, or could not be done because another step failed."""
        return any(state == FAILED for state in self.states.values())


@dataclass(frozen=True)
class SessionResult:
    """The result of a session.

    If `fatal` is not empty, it says why no further session can be processed. `is_busy`: another run is processing it.
    """

    session: str
    scans: tuple[ScanResult, ...] = ()
    error: str = ""
    fatal: str = ""
    is_busy: bool = False

    @property
    def failed(self) -> bool:
        """Whether any part of the session failed."""
        return bool(self.error) or any(scan.failed for scan in self.scans)


def run_session(job: Job, networks: NetworkCache) -> SessionResult:
    """Process the steps of a session that are not finished. Errors become part of the result; only signals are raised."""
    results: list[ScanResult] = []
    error, fatal, is_busy = "", "", False
    try:
        with locked(job.out / LEDGER_FOLDER / job.session / "lock", job.session):
            _remove_partial_files(job)
            for scan in job.scans:
                results.append(_run_scan(job, scan, networks))
    except (SpinesegError, OSError) as problem:
        error, is_busy = str(problem), isinstance(problem, BusyError)
        fatal = error if is_disk_full(problem) else ""
    return SessionResult(job.session, tuple(results), error, fatal, is_busy)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error says that the disk cannot be written to."""
    cause = error.__cause__ if isinstance(error, SpinesegError) else error
    return isinstance(cause, OSError) and cause.errno in DISK_FULL


def step_key(name: str, context: StepContext) -> str:
    """Return the digest of everything that the result of a step depends on: see `ledger`.

    Raises InputError if an input file is missing.
    """
    step, settings = STEPS[name], context.settings
    inputs = step.reads(context)
    for path in inputs.values():
        check_present(path)
    content = {
        "step": name,
        "revision": step.revision,
        "version": __version__,
        "options": asdict(getattr(settings, name)) | {"labels": settings.labels, "volumes": settings.volumes},
        "volume": context.scan.volume,
        "weights": step.weights(context),
        "inputs": {what: file_sha256(path) for what, path in inputs.items()},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _run_scan(job: Job, scan: Scan, networks: NetworkCache) -> ScanResult:
    context = StepContext(scan, job.out, job.settings, networks)
    ledger = Ledger(job.out, scan)
    states: dict[str, str] = {}
    messages: dict[str, str] = {}
    computed = []
    networks.forget_scan()
    with _log_of(job.out, scan):
        for name in (step for step in STEPS if step in job.settings.steps):
            if states.get(NEEDED_STEP.get(name, "")) == FAILED:
                states[name] = FAILED
                continue
            entry, is_new = _run_step(name, context, ledger, job.force)
            states[name] = entry.state
            if entry.message:
                messages[name] = entry.message
            if is_new:
                computed.append(name)
    return ScanResult(scan.title, states, tuple(computed), messages)


def _run_step(name: str, context: StepContext, ledger: Ledger, force: bool) -> tuple[Entry, bool]:
    """Return the ledger's entry of a step, which is run if necessary, and whether it was run."""
    try:
        key = step_key(name, context)
        if not force:
            if ledger.is_done(name, key):
                return ledger.entries[name], False
            _refuse_edited(name, ledger)
        result = STEPS[name].run(context)
        outputs = {path.relative_to(context.out).as_posix(): digest_of(path) for path in result.files}
        for path in ledger.outputs(name).keys() - outputs.keys():  # what an earlier run has written, and this one has not
            (ledger.out / path).unlink(missing_ok=True)
        entry = Entry(key, result.state, result.message, outputs, result.facts)
    except Exception as error:  # one scan must not end the whole run
        if is_disk_full(error):
            raise
        is_expected, why = isinstance(error, (SpinesegError, OSError, MemoryError)), _why_step_failed(error)
        log.error("%s: %s", name, why if is_expected else traceback.format_exc())
        message = why if is_expected else f"{why}; the log has the details"
        # The record of earlier outputs is kept, or they would look like files of the user.
        entry = Entry("", FAILED, message, ledger.outputs(name))
    ledger.record(name, entry)
    return entry, True


def _why_step_failed(error: Exception) -> str:
    if isinstance(error, SpinesegError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror or error}"
    return why_failed(error)


def why_failed(error: BaseException) -> str:
    """Return a phrase on an error that nobody expected."""
    if isinstance(error, MemoryError):
        return "out of memory: use fewer jobs, or crop the image first"
    return f"unexpected {type(error).__name__}: {error}"


def _refuse_edited(name: str, ledger: Ledger) -> None:
    """Raise InputError if a result was edited by hand, which must not be overwritten."""
    edited = ledger.changed_by_hand(name)
    if edited:
        raise InputError(
            f"{edited[0]} was changed after it was written: move it to derivatives/labels of the data set, where it takes the "
            "place of the automatic one, or delete it to have it made again"
        )


def _remove_partial_files(job: Job) -> None:
    """Remove the incomplete files of a killed worker. The session must be locked."""
    for top in ("", LEDGER_FOLDER, "qc/entries", "logs"):
        folder = job.out / top / job.session
        for path in folder.rglob(".partial-*") if folder.is_dir() else ():
            with suppress(OSError):
                path.unlink()


@contextmanager
def _log_of(out: Path, scan: Scan) -> Iterator[None]:
    """Write the warnings and errors that are logged in the block, if any, to the log of the scan."""
    handler, library = BufferingHandler(sys.maxsize), logging.getLogger("spineseg_cli")
    handler.setLevel(logging.WARNING)
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)
        if handler.buffer:
            lines = [f"{record.levelname.lower()}: {record.getMessage()}\n" for record in handler.buffer]
            with suppress(SpinesegError):
                write_text(out / "logs" / scan.folder / f"{scan.result_stem}.log", "".join(lines))


def state_of(states: dict[str, str]) -> str:
    """Return the state of a scan from those of its steps: "failed" if any step failed, otherwise the state of the main step.

    The main step is the cord, or the centerline if there is no finished cord, or the first step.
    """
    if FAILED in states.values():
        return FAILED
    finished = [states[name] for name in ("cord", "centerline") if states.get(name) in FINISHED]
    return finished[0] if finished else next(iter(states.values()), "")
