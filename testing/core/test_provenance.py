"""The sidecar."""

import hashlib
import json

import spineseg_cli
from spineseg_cli.core.provenance import running, write_sidecar


def test_content_and_determinism(tmp_path):
    output, source = tmp_path / "scan_gmseg.nii.gz", tmp_path / "my scan.nii.gz"
    source.write_bytes(b"voxels")
    texts = []
    for _ in range(2):
        with running("seg_gm", ["-i", "my scan.nii.gz"]):
            write_sidecar(output, [source], {"Threshold": 0.5})
        texts.append((tmp_path / "scan_gmseg.json").read_bytes())
    assert texts[0] == texts[1]
    content = json.loads(texts[0])
    (generated_by,) = content.pop("GeneratedBy")
    digest = hashlib.sha256(b"voxels").hexdigest()
    assert content == {"Sources": [{"File": str(source), "SHA256": digest}], "Threshold": 0.5}
    assert generated_by["Name"] == "spineseg"
    assert generated_by["Version"] == spineseg_cli.__version__
    assert generated_by["CommandLine"] == "seg_gm -i 'my scan.nii.gz'", "can be pasted into a shell"
    assert generated_by["Libraries"]["numpy"]


def test_from_python_no_command_is_named(tmp_path):
    write_sidecar(tmp_path / "scan_seg.nii.gz", [], {})
    (generated_by,) = json.loads((tmp_path / "scan_seg.json").read_text())["GeneratedBy"]
    assert "CommandLine" not in generated_by
