"""Write docs/constants.md: the numeric constants of the pipelines, with the comments that give their reasons in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spineseg_cli"
PAGE = ROOT / "docs" / "constants.md"
FOLDERS = ("core/image", "core/localization", "core/inference", "core/outlines", "core/confidence", "tasks", "morphometry")
HEAD = """# Constants

The numbers that the pipelines depend on, with the reasons that the code gives for them. `python docs/make_constants.py` writes
this page from the comments in the modules.
"""


def numbers(node: ast.expr) -> bool:
    """Return whether an expression is a number, or a tuple of numbers."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return False
    values = value if isinstance(value, tuple) and value else (value,)
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def constants(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, value and comment of each numeric constant of a module that has a comment."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    reason, end = "", -1
    for node in ast.parse(text).body:
        if not (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and numbers(node.value)):
            continue
        above, n = [], node.lineno - 2
        while n >= 0 and lines[n].startswith("#"):
            above.insert(0, lines[n].lstrip("# "))
            n -= 1
        beside = lines[node.lineno - 1].partition("#")[2].strip()
        # A comment stands for all constants that follow it without a blank line.
        follows = node.lineno - 1 == end
        reason, end = " ".join(above) or beside or (reason if follows else ""), node.end_lineno or node.lineno
        if reason:
            yield node.targets[0].id, ast.unparse(node.value), reason


def page() -> str:
    """Return the page."""
    parts = [HEAD]
    for folder in FOLDERS:
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            rows = [f"| `{name}` | {value} | {reason.replace('|', '/')} |" for name, value, reason in constants(path)]
            if rows:
                parts += [f"\n## {path.relative_to(PACKAGE).as_posix()}\n", "| constant | value | why |", "|---|---|---|", *rows]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
