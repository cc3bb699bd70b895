"""Write docs/commands.md: what each command prints for -h. Run it after an option has changed."""

from __future__ import annotations

import configparser
import importlib
from pathlib import Path

from click.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "commands.md"
HEAD = """# Commands

Options have the Spinal Cord Toolbox's spelling with a single dash where it has one, and a spelling with two dashes. Results go to
stdout, messages and progress to stderr. This page is what each command prints for `-h`; `python docs/make_commands.py` writes it.
"""


def commands() -> dict[str, str]:
    """Return the console commands: for each name, `module:function`."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options.entry_points"]["console_scripts"].strip().splitlines()
    return {name.strip(): target.strip() for name, _, target in (line.partition("=") for line in lines)}


def help_of(name: str, target: str) -> str:
    """Return what the command `name` prints for -h, in a terminal of 100 columns."""
    module, _, function = target.partition(":")
    command = getattr(importlib.import_module(module), function)
    result = CliRunner().invoke(command, ["-h"], prog_name=name, terminal_width=100, max_content_width=100)
    assert result.exit_code == 0, result.output
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def page() -> str:
    """Return the page."""
    parts = [f"\n## {name}\n\n```\n{help_of(name, target)}\n```\n" for name, target in commands().items()]
    return HEAD + "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
