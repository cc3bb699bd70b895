"""The folder and the page of a report: adding and replacing entries, simultaneous runs, and offline use."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import spineseg_cli
from spineseg_cli.core.image.volume import Volume
from spineseg_cli.errors import SpinesegError
from spineseg_cli.reports.qc import page as page_module
from spineseg_cli.reports.qc.entry import VIEWS, Result, acquisition_date, add_entry, write_entry
from spineseg_cli.reports.qc.page import ScanInfo

IMAGE = Volume(np.random.default_rng(0).gamma(2, 50, (20, 20, 2)).astype(np.float32), np.diag([-0.5, 0.5, 4.0, 1.0]))
CORD, GRAY = (IMAGE.with_data(np.pad(np.ones((n, n, 2), np.uint8), ((p, p), (p, p), (0, 0)))) for n, p in ((8, 6), (4, 8)))


def add(folder, title="/data/sub-01/t2s.nii.gz", command="seg_gm -i t2s.nii.gz", masks=None, date="", **options):
    masks = {"cord": CORD, "gray matter": GRAY} if masks is None else masks
    return add_entry(folder, title, command, Result(IMAGE, masks, {"Threshold": 0.5}, **options), date)


def entries_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="entries" type="application/json">(.*?)</script>', text, re.DOTALL)[1])["entries"]


def details_of(page, entry):
    """Return the details of an entry, which the page loads when it is chosen."""
    text = (page.parent / "entries" / f"{entry['name']}.js").read_text()
    name, content = json.loads(f"[{re.fullmatch(r'showDetails[(](.*)[)];', text.strip())[1]}]")
    assert name == entry["name"]
    return content


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("end", ["", "_seg", "_label-SC_seg", "_gmseg", "_seg-manual", "_centerline"])
def test_the_contrast_of_a_mask_is_that_of_its_scan(tmp_path, end):
    (entry,) = entries_of(add(tmp_path, f"/data/sub-01_ses-2_acq-sag_T2w{end}.nii.gz"))
    assert (entry["subject"], entry["session"], entry["contrast"]) == ("01", "2", "T2w")


@pytest.mark.parametrize(
    ("subject", "shown"), [("", ("01", "2")), ("sub-07", ("07", "2")), ("sub-07/ses-3", ("07", "3")), ("Ada L.", ("Ada L.", "2"))]
)
def test_a_subject_that_is_given_has_precedence(tmp_path, subject, shown):
    result = Result(IMAGE, {"cord": CORD}, {})
    (entry,) = entries_of(add_entry(tmp_path, "/data/sub-01_ses-2_T2w.nii.gz", "seg_cord", result, subject=subject))
    assert (entry["subject"], entry["session"], entry["contrast"]) == (*shown, "T2w")


def test_what_an_entry_holds(tmp_path):
    page = add(tmp_path / "new" / "report", "/data/sub-01/sub-01_T2star.nii.gz", date="2024-05-01")
    assert page == tmp_path / "new" / "report" / "index.html"
    (entry,) = entries_of(page)
    content = details_of(page, entry)
    assert content["details"] == {"Threshold": 0.5}
    assert set(content["volume"]["surfaces"]) == {"cord", "gray matter"}
    folder = page.parent / "entries"
    name = entry.pop("name")
    assert sorted(os.listdir(folder)) == [f"{name}.js", f"{name}.json", f"{name}_axial.png", f"{name}_axial.webp"]
    assert len(entry.pop("digest")) == 16
    assert 0 <= entry.pop("doubt") <= 1
    assert entry == {
        "title": "/data/sub-01/sub-01_T2star.nii.gz",
        "command": "seg_gm -i t2s.nii.gz",
        "version": spineseg_cli.__version__,
        "date": "2024-05-01",
        "subject": "01",
        "session": "",
        "contrast": "T2star",
        "step": "seg_gm",
        "state": "done",
        "area_mm2": 16.0,
        "z": None,
        "pictured": True,
        "reasons": ["the area of 16 mm2 is no cord's"],
        "masks": [
            {"name": "cord", "color": "rgb(80, 200, 255)", "volume_mm3": 128.0},
            {"name": "gray matter", "color": "rgb(255, 60, 60)", "volume_mm3": 32.0},
        ],
        "views": ["axial"],
        "outlined": ["axial"],
    }
    outlined, plain = VIEWS["axial"](IMAGE, {"cord": CORD, "gray matter": GRAY})
    overlay = np.asarray(Image.open(folder / f"{name}_axial.png").convert("RGBA"))
    drawn = overlay[..., 3] > 0
    np.testing.assert_array_equal(np.where(drawn[..., None], overlay[..., :3], plain), outlined)
    shown = np.asarray(Image.open(folder / f"{name}_axial.webp").convert("RGB"))
    assert np.abs(shown.astype(int) - plain).mean() < 4


def test_a_run_that_is_repeated_replaces_its_entry(tmp_path):
    page = add(tmp_path)
    before = content(tmp_path)
    add(tmp_path)
    assert content(tmp_path) == before, "equal runs give equal files"
    (old,) = entries_of(page)
    add(tmp_path, masks={"cord": CORD})
    (new,) = entries_of(page)
    assert new["digest"] != old["digest"], "a result that changed loses its mark"
    assert content(tmp_path).keys() == before.keys()


def test_other_inputs_and_commands_are_other_entries(tmp_path):
    add(tmp_path)
    add(tmp_path, title="/data/sub-02/t2s.nii.gz")
    add(tmp_path, command="seg_gm -i t2s.nii.gz --tta")
    page = add(tmp_path, command="get_centerline -i t2s.nii.gz", masks={"centerline": GRAY}, views=("axial", "sagittal"))
    entries = entries_of(page)
    assert [entry["title"][6:12] for entry in entries] == ["sub-01", "sub-01", "sub-01", "sub-02"]
    assert entries[0]["views"] == ["axial", "sagittal"]
    for entry in entries:
        for view in entry["views"]:
            assert (tmp_path / "entries" / f"{entry['name']}_{view}.webp").is_file()


def test_runs_at_the_same_time_are_all_listed(tmp_path):
    titles = [f"/data/sub-{number:02d}/t2s.nii.gz" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda title: add(tmp_path, title), titles))
    assert [entry["title"] for entry in entries_of(tmp_path / "index.html")] == titles
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".partial")]


def test_a_page_that_another_run_made_old_is_written_again(tmp_path, monkeypatch):
    """Another run adds an entry after this run has listed the entries and before it has written the page."""
    read = page_module.read_entries
    pending = ["/data/sub-02/t2s.nii.gz"]

    def read_then_add(folder):
        entries = read(folder)
        if pending:
            add(folder, pending.pop())
        return entries

    monkeypatch.setattr(page_module, "read_entries", read_then_add)
    assert len(entries_of(add(tmp_path))) == 2


def test_the_page_needs_no_network_and_no_text_breaks_it(tmp_path):
    title, command = '/data/</script><b>"é', "seg_gm -i '</script><!--'"
    page = add(tmp_path, title, command)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://|<link|<script src|@import", text), "the viewer is loaded from beside the page"
    assert text.count("</script>") == 2
    (entry,) = entries_of(page)
    assert (entry["title"], entry["command"]) == (title, command)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", entry["name"])


def test_a_full_disk_leaves_nothing_of_an_entry(tmp_path, monkeypatch):
    """But what an earlier run has written, and the page lists, stays."""
    add(tmp_path)
    before = content(tmp_path).keys()

    def full(*_):
        raise SpinesegError("is the disk full?")

    monkeypatch.setattr("spineseg_cli.reports.qc.entry.write_json", full)
    for title in ("/data/sub-02/t2s.nii.gz", "/data/sub-01/t2s.nii.gz"):
        with pytest.raises(SpinesegError, match="full"):
            add(tmp_path, title)
        assert content(tmp_path).keys() == before


def test_what_is_no_entry_is_left_out_with_a_warning(tmp_path, caplog):
    page = add(tmp_path)
    folder = tmp_path / "entries"
    good = json.loads(next(folder.glob("*.json")).read_text())
    bad = {
        "empty": "",
        "cut": json.dumps(good)[:-20],
        "no object": "[1]",
        "no fields": "{}",
        "no mask": json.dumps(good | {"masks": [{"name": "cord"}]}),
        "no number": json.dumps(good | {"masks": [good["masks"][0] | {"volume_mm3": float("nan")}]}),
        "no text": json.dumps(good | {"title": 7}),
        "no pictures": json.dumps(good | {"views": "axial"}),
        "old": json.dumps({key: value for key, value in good.items() if key != "form"} | {"version": "0.8.0"}),
        "nested": "[" * 100000,
    }
    for name, text in bad.items():
        (folder / f"{name}.json").write_text(text)
    (folder / "bytes.json").write_bytes(b"\xff\xfe\x00")
    (folder / "folder.json").mkdir()
    (folder / "gone.json").symlink_to("nowhere")
    add(tmp_path, title="/data/sub-02/t2s.nii.gz")
    assert [entry["title"][6:12] for entry in entries_of(page)] == ["sub-01", "sub-02"]
    warned = [record.getMessage() for record in caplog.records]
    assert len(warned) == len(bad) + 2
    assert all("is no entry of a report" in line and "left out: delete it, or repeat its run" in line for line in warned)
    assert any("no fields.json" in line and "its name, title," in line for line in warned)
    assert any("old.json" in line and "it is of spineseg 0.8.0, whose entries had another form" in line for line in warned)


def test_entries_that_another_program_has_written_again(tmp_path):
    """With a mark of their byte order, say, or with numbers that Python writes, and no browser reads."""
    add(tmp_path, command="seg_cord")
    (path,) = (tmp_path / "entries").glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"area_mm2": float("nan")}), encoding="utf-8-sig")
    assert [entry["area_mm2"] for entry in entries_of(add(tmp_path))] == [None, 16.0]


def test_the_date_of_a_scan(tmp_path):
    sidecar = tmp_path / "scan.json"
    assert acquisition_date(sidecar) == ""
    for text, date in (
        ('{"AcquisitionDateTime": "2024-05-01T10:11:12"}', "2024-05-01T10:11:12"),
        ('{"AcquisitionDate": "2024-05-01"}', "2024-05-01"),
        ('{"Modality": "MR"}', ""),
        ('\ufeff{"AcquisitionDate": "2024-05-01"}', "2024-05-01"),
        ("[1]", ""),
        ("{", ""),
        ("[" * 100000, ""),
    ):
        sidecar.write_text(text)
        assert acquisition_date(sidecar) == date


@pytest.mark.parametrize("slices", [4, 300])
def test_an_entry_takes_few_bytes(tmp_path, slices):
    """Of noise, which compresses worse than any scan; 120 kB at most."""
    rng = np.random.default_rng(0)
    image = Volume(rng.gamma(2, 50, (96, 96, slices)).astype(np.float32), np.diag([-0.8, 0.8, 1.0, 1.0]))
    x, y, z = np.indices(image.shape)
    cords = [(np.hypot(x - 48 - 6 * np.sin(z / 20), y - 48) < r).astype(np.uint8) for r in (6, 3)]
    add(tmp_path, masks={}, views=())
    before = sum(path.stat().st_size for path in (tmp_path / "entries").iterdir())
    masks = {name: image.with_data(cord) for name, cord in zip(("cord", "gray matter"), cords, strict=True)}
    write_entry(tmp_path, "one", ScanInfo("t"), "c", Result(image, masks, {}, views=("axial", "sagittal")))
    assert sum(path.stat().st_size for path in (tmp_path / "entries").iterdir()) - before < 120_000


def test_outliers_of_a_cohort_are_doubted(tmp_path):
    """Nine cords of about one size, and one of half of it."""
    for number in range(10):
        side = 14 if number == 3 else 20 + number % 2
        mask = np.zeros((40, 40, 2), np.uint8)
        mask[4 : 4 + side, 4 : 4 + side] = 1
        image = Volume(np.random.default_rng(number).random((40, 40, 2), np.float32), np.diag([-0.5, 0.5, 4.0, 1.0]))
        title = f"/data/sub-{number:02d}_T2w.nii.gz"
        page = add_entry(tmp_path, title, "seg_cord", Result(image, {"cord": image.with_data(mask)}, {}))
    entries = entries_of(page)
    doubtful = [entry["subject"] for entry in entries if entry["doubt"] >= 0.5]
    assert doubtful == ["03"]
    assert "robust standard deviations off the cohort's median" in entries[3]["reasons"][0]
