"""Tasks: the shipped ones, and one of another package, with a kind of mask that spineseg does not know."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from spineseg_cli.errors import InputError
from spineseg_cli.tasks.registry import CORD, GRAY_MATTER, TASKS, label_kinds
from spineseg_cli.weights.registry import registry

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "new_task.md"
METADATA = "Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n"

USE = """
    from pathlib import Path

    import numpy as np

    from spineseg_cli.cli.finetune import main
    from spineseg_cli.core.image.nifti import write_volume
    from spineseg_cli.core.image.volume import Volume
    from spineseg_cli.training.config_files import load_config
    from spineseg_cli.training.plan import ScanSource, SplitRequest, config_for, find_start, make_plans

    (task,) = (option for option in main.params if option.name == "task")
    assert "lesion" in task.type.choices, "the help of the command lists it"
    folder = Path(sys.argv[1])
    data = folder / "data"
    for subject in ("sub-1", "sub-2", "sub-3"):
        scan = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
        cord, lesion = np.zeros_like(scan), np.zeros_like(scan)
        cord[10:20, 10:20] = 1
        lesion[12:15, 12:15, 1] = 1
        masks = data / "derivatives" / "labels" / subject / "anat"
        for path, content in (
            (data / subject / "anat" / f"{subject}_T2w.nii.gz", scan),
            (masks / f"{subject}_T2w_label-SC_seg.nii.gz", cord),
            (masks / f"{subject}_T2w_label-lesion_seg.nii.gz", lesion),
        ):
            write_volume(path, Volume(content, np.eye(4)))
    start = find_start("lesion", "scratch")
    template = load_config(config_for("lesion", start))
    request = SplitRequest(fractions=(0.3, 0.3))
    (plan,) = make_plans("lesion", ScanSource(data), folder / "run", template, start, request)
    assert [sorted(scan.masks) for scan in plan.scans] == [["cord", "lesion"]] * 3
    assert plan.baseline is None
    assert plan.selection.column == "val_DSC"
    images, targets = plan.training_data.validation()
    assert targets.shape == (*images.shape[:3], 2), "a channel of lesions, one of the cord"
    assert 0 < targets[..., 0].sum() < targets[..., 1].sum()
    assert set(np.unique(plan.training_data.batches().make(0, 0)[1] > 0.5)) == {False, True}
"""


def example(language):
    """Return the page's example in a language, without its indentation."""
    return textwrap.dedent(re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1])


def test_a_package_adds_the_task_of_the_how_to_page(tmp_path):
    """One file, its configuration, and one line of metadata; nothing of spineseg is changed."""
    package = tmp_path / "package"
    for name, text in {
        "my_package/__init__.py": "",
        "my_package/lesions.py": example("python"),
        "my_package/finetune_lesion.yaml": example("yaml"),
        "my_package-1.0.dist-info/METADATA": METADATA,
        "my_package-1.0.dist-info/entry_points.txt": example("ini").replace(
            "[options.entry_points]\nspineseg.tasks =", "[spineseg.tasks]"
        ),
    }.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text)
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n" + textwrap.dedent(USE)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_shipped_tasks():
    assert list(TASKS) == ["gm", "cord", "centerline"]
    assert TASKS["cord"] is CORD
    assert {name for task in TASKS.values() for name in (*task.models.values(), *task.companions.values())} <= set(registry())
    with pytest.raises(InputError, match="'spine' is not one of the tasks; expected one of gm, cord, centerline"):
        TASKS["spine"]


def test_a_mask_of_gray_matter_is_not_taken_for_one_of_the_cord():
    kinds = label_kinds()
    assert list(kinds) == ["gray_matter", "cord"]
    first = {name: next(k for k, kind in kinds.items() if kind.file_pattern.search(name)) for name in (
        "sub-1_T2star_label-GM_seg.nii.gz", "sub-1_T2star_gmseg.nii.gz", "sub-1_T2w_seg.nii.gz", "sub-1_T2w_label-SC_seg.nii",
    )}  # fmt: skip
    assert list(first.values()) == ["gray_matter", "gray_matter", "cord", "cord"]
    assert GRAY_MATTER.label is kinds["gray_matter"]
