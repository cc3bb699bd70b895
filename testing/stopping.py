"""Processes that a test stops by a signal."""

import subprocess
import sys

# Whoever runs the tests may ignore the signals, as a shell does for what it runs in the background.
HEED = "import os, signal, sys; [signal.signal(n, signal.SIG_DFL) for n in (2, 1, 15)]; os.execvp(sys.argv[1], sys.argv[1:])"


def start(*command, **options) -> subprocess.Popen:
    """Start a command that heeds signals, in a group of its own."""
    line = [sys.executable, "-c", HEED, *map(str, command)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options)
