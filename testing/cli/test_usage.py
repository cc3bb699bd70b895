"""What is wrong with a command's line is said in one sentence, which says what to do instead."""

import pytest
from click.testing import CliRunner

from spineseg_cli.cli.compute_metrics import main as compute_metrics
from spineseg_cli.cli.get_centerline import main as get_centerline
from spineseg_cli.cli.measure_cord import main as measure_cord
from spineseg_cli.cli.sct_options import ADVICE
from spineseg_cli.cli.seg_cord import main as seg_cord
from spineseg_cli.cli.seg_gm import main as seg_gm
from spineseg_cli.cli.spineseg import main as spineseg

pytestmark = pytest.mark.light

COMMANDS = {command.name: command for command in (seg_cord, seg_gm, get_centerline, measure_cord, compute_metrics, spineseg)}
WRONG = {
    "an option of another tool, joined like -o older": ("seg_cord -i a.nii.gz -ofolder out", "no option -ofolder", "part of -o"),
    "an option of many letters, like -a -n": ("measure_cord -i a.nii.gz -angle-corr 1", "no option -angle-corr", "perpendicular"),
    "another letter": ("compute_metrics -i a.nii.gz -d b.nii.gz", "no option -d", "it is --ref"),
    "a start by hand": ("seg_cord -i a.nii.gz -method propseg -init-mask b.nii.gz", "no option -init-mask", "--file-centerline"),
    "a misspelling": ("seg_cord -i a.nii.gz --contarst t2", "no option --contarst", "did you mean --contrast?"),
    "a value of another command": ("seg_cord -i a.nii.gz -centerline viewer", "'viewer' is not one of 'optic'", "no viewer"),
    "a model of another command": ("seg_gm -i a.nii.gz -m challenge", "'challenge' is not", "--custom"),
    "a wildcard": ("get_centerline -i a.nii.gz b.nii.gz c.nii.gz", "b.nii.gz is beyond it", "several files in a loop"),
    "a file without its option": ("seg_gm a.nii.gz", "a.nii.gz has no option before it", "by -i"),
    "no value": ("seg_cord -i a.nii.gz -thr", "'-thr' requires an argument", ""),
    "a number out of range": ("seg_cord -i a.nii.gz -thr -1", "-1.0 is not in the range 0<=x<1", ""),
    "no level": ("spineseg bids out", "missing argument '{participant|group}'", "choose from participant, group"),
}


@pytest.mark.parametrize(("line", "wrong", "advice"), WRONG.values(), ids=WRONG)
def test_one_sentence_says_what_is_wrong_and_what_to_do(line, wrong, advice):
    name, *words = line.split()
    result = CliRunner().invoke(COMMANDS[name], words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"{name}: ")
    assert result.stderr.endswith(f"; see {name} -h\n")
    assert result.stderr.count("\n") == 1
    assert wrong in result.stderr
    assert advice in result.stderr


@pytest.mark.parametrize("words", [("-j2",), ("-j", "2"), ("--jobs=2",)])
def test_values_may_be_joined_to_their_option(words, tmp_path):
    result = CliRunner().invoke(spineseg, [str(tmp_path / "nowhere"), str(tmp_path / "out"), "participant", *words])
    assert "no folder" in result.stderr


def test_advice_is_of_options_that_are_not_there():
    for name, options in ADVICE.items():
        known = {option: param for param in COMMANDS[name].params for option in param.opts}
        for key in options:
            option, _, value = key.partition(" ")
            assert (option in known) == bool(value)
            assert not value or value not in known[option].type.choices
