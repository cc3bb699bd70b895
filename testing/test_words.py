"""The project's words: American spelling, and one standard term for each thing (docs/glossary.md), in names and in texts."""

import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spineseg_cli"

# Retired as the name of anything, with what is said instead.
NAMES = {
    "found": "result, or what it holds",
    "place": "index, or what kind of position it is",
    "places": "indices, or what kind of positions they are",
    "told": "what it is",
    "own": "whose it is",
    "heat": "heatmap",
    "price": "penalty",
    "finder": "localizer, or search",
    "look": "view",
    "likeness": "symmetry, or overlap",
    "Finder": "Localizer",
    "FoundCord": "CordPath",
    "Preprocessing": "InferenceConfig",
    "twin": "TFLite export, or counterpart",
    "card": "metadata",
}

# Retired in texts: comments, docstrings, messages, help.
TEXTS = {
    "anew": "again",
    "parted": "split, or separated",
    "torn": "unreliable, or partial",
    "likeness": "symmetry, or overlap",
    "heat map": "heatmap",
    "standardise": "standardize",
    "is told": "is known, or is decided",
    "looked for": "searched for",
    "looks for": "searches for",
    "is no error": "is not an error",
    "is no mask": "is not a mask",
    "is no edge": "is not an edge",
    "light twin": "TFLite export",
}

BRITISH = re.compile(
    r"(?<![a-z])(re|un)?(centre|neighbour|colour|labelled|labelling|millimetre|micrometre|licence|learnt|artefact|tumour|favour|"
    r"behaviour|grey|(standard|normal|summar|binar|magnet|maxim|minim|penal|general|random|local|optim|visual|organ|recogn)"
    r"is(e|es|ed|ing|ation))",
    re.IGNORECASE,
)

# What files of earlier versions, and data sets, are called: these must still be read.
QUOTED = {"core/inference/legacy_names.py", "reports/qc/reading.py"}
QUOTED_WORDS = re.compile(r"unlabelled/|`binarise_first`")

FOLDERS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and list(path.glob("*.py")))


def modules(folder):
    paths = sorted((PACKAGE / folder).rglob("*.py"))
    assert paths, folder
    return [path for path in paths if path.relative_to(PACKAGE).as_posix() not in QUOTED]


def tokens(path, *kinds):
    stream = io.StringIO(path.read_text(encoding="utf-8"))
    return [token for token in tokenize.generate_tokens(stream.readline) if token.type in kinds]


def listed(found):
    return "\n".join(f"{path.relative_to(ROOT)}:{line}: {word!r}; say {instead}" for path, line, word, instead in found)


@pytest.mark.parametrize("folder", FOLDERS)
def test_names(folder):
    retired = [
        (path, token.start[0], token.string, NAMES[token.string])
        for path in modules(folder)
        for token in tokens(path, tokenize.NAME)
        if token.string in NAMES
    ]
    assert not retired, listed(retired)


@pytest.mark.parametrize("folder", FOLDERS)
def test_texts(folder):
    retired = [
        (path, number, word, instead)
        for path in modules(folder)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word, instead in TEXTS.items()
        if re.search(rf"\b{word}\b", line)
    ]
    assert not retired, listed(retired)


def test_spelling():
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml"), *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    british = [
        (path, number, match[0], "it as Americans spell it")
        for path in files
        if path.relative_to(PACKAGE if PACKAGE in path.parents else ROOT).as_posix() not in QUOTED
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in [BRITISH.search(QUOTED_WORDS.sub("", line))]
        if match
    ]
    assert not british, listed(british)
