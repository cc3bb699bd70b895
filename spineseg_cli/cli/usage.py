"""Usage errors in one sentence with advice, instead of the several lines of click."""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from spineseg_cli.cli.sct_options import find_advice

# A value that follows a short option without a space, as in -j4 or -o/tmp/out.nii, unlike -ofolder, which is another option.
JOINED_VALUE = re.compile(r".*[^A-Za-z_-]")

# An argument that is not an option: without a dash at its start, or a dash alone, or a negative number.
NO_OPTION = re.compile(r"(?!-)|-$|-[.\d]")


class UsageSentence(click.ClickException):
    """A usage error in one sentence; the command ends with exit code 2."""

    exit_code = 2

    def show(self, file=None) -> None:
        """Print the sentence on stderr."""
        click.echo(self.message, file=file, err=True)


def as_sentence(command: click.Command, error: click.UsageError) -> UsageSentence:
    """Return an error of click as one sentence with the name of the command, advice, and a hint at its help."""
    text = " ".join(error.format_message().split()).rstrip(".").replace(". Choose from: ", ": choose from ")
    value = re.search(r"'([^']+)' is not ", text)
    param = getattr(error, "param", None)
    sentences = [f"{command.name}: {text[:1].lower()}{text[1:]}", f"see {command.name} -h"]
    if param and value and (advice := find_advice(str(command.name), param.opts, value[1])):
        sentences.insert(1, advice)
    return UsageSentence("; ".join(sentences))


def check_words(command: click.Command, args: Sequence[str]) -> None:
    """Raise UsageSentence for an argument that is neither an option of a command nor the value of one.

    click would read -angle-corr as the options -a, -n, ..., and -ofolder as -o with the value "older".

    `args` holds the arguments, with one value after each option.
    """
    given = [option for option in command.params if isinstance(option, click.Option)]
    options = {name: option for option in given for name in (*option.opts, *option.secondary_opts)}  # --flips, --no-flips
    words, values = list(args), []
    while words:
        word = words.pop(0)
        name, equals, _ = word.partition("=")
        if word == "--":
            return
        if NO_OPTION.match(word):
            values.append(word)
        elif name in options:
            if not (options[name].is_flag or equals) and words and NO_OPTION.match(words[0]):
                del words[0]
        elif name not in ("-h", "--help") and not _is_joined(word, options):
            raise UsageSentence(f"{command.name}: {_no_such_option(command, name, [*options, '--help'])}; see {command.name} -h")
    if values and not any(isinstance(param, click.Argument) for param in command.params):
        raise UsageSentence(f"{command.name}: {_no_option_before(command, values, list(args))}; see {command.name} -h")


def _is_joined(word: str, options: dict[str, click.Option]) -> bool:
    """Return whether an argument is a short option with its value, as -j4."""
    option = options.get(word[:2])
    if option is None or option.is_flag or word.startswith("--"):
        return False
    return JOINED_VALUE.match(word[2:]) is not None or word[2:] in getattr(option.type, "choices", ())


def _no_such_option(command: click.Command, name: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    if advice := find_advice(str(command.name), [name]):
        return f"there is no option {name}: {advice}"
    if near := get_close_matches(name, names, n=1):
        return f"there is no option {name}: did you mean {near[0]}?"
    return f"there is no option {name}"


def _no_option_before(command: click.Command, values: Sequence[str], args: Sequence[str]) -> str:
    """Return a phrase on values that belong to no option: several scans, or a name with spaces."""
    first = values[0]
    if not {"-i", "--input"} & set(args):
        return f"{first} has no option before it; a file to read is named by -i"
    return f"one file at a time, and {first} is beyond it; put a name with spaces in quotes, and several files in a loop"
