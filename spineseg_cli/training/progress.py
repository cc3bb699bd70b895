"""The progress of a run: a bar with the remaining time, or one line for each epoch."""

from __future__ import annotations

import sys


class ProgressBar:
    """On a terminal, a bar on stderr that counts batches; elsewhere, a line on stderr at the end of each epoch.

    `epochs` are those of the run, each of `steps` batches; `done` were finished before it was resumed. Nothing is shown unless
    `shown`.
    """

    def __init__(self, epochs: int, steps: int, done: int = 0, shown: bool = True):
        from tqdm import tqdm

        on_terminal = sys.stderr.isatty()
        self.epochs, self.lines = epochs, shown and not on_terminal
        self.bar = tqdm(total=epochs * steps, initial=done * steps, unit="batch", disable=not (shown and on_terminal))

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *_error) -> None:
        self.bar.close()

    def end_step(self) -> None:
        """Count a batch."""
        self.bar.update()

    def end_epoch(self, row: dict[str, float]) -> None:
        """Show a row of the history; "epoch 0" is the validation of the initial weights."""
        done = f"{row['epoch'] + 1}/{self.epochs}"
        scores = {name: f"{value:.4f}" for name, value in row.items() if name not in ("epoch", "phase", "learning_rate")}
        self.bar.set_postfix({"epoch": done, **scores})
        if self.lines:
            self.bar.write(f"epoch {done}: " + ", ".join(f"{name} {value}" for name, value in scores.items()), file=sys.stderr)
