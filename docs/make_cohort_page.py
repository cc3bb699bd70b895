"""Write docs/images/cohort_page_*.webp: the page of a cohort of phantoms, one of them damaged, in a real browser.

`PYTHONPATH=. python docs/make_cohort_page.py` needs playwright, and chromium; the 3-D view needs the extra `cohort`.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from spineseg_cli.core.image.nifti import write_volume
from spineseg_cli.synthesis.phantom import make_phantom

IMAGES = Path(__file__).resolve().parent / "images"
WINDOW = {"width": 1400, "height": 820}

# WebGL in software, as machines without a screen have it.
ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SUBJECTS = 6


def write_cohort(bids: Path) -> None:
    """Write a sagittal T2w and an axial T2*w scan of each subject, one of which is cut short."""
    for n in range(1, SUBJECTS + 1):
        size = 0.85 + 0.05 * n
        scans = {
            "T2w": make_phantom(
                contrast="t2", region=(20, 140), spacing_mm=(0.8, 0.8, 0.8), fov_mm=(60, 60), seed=n, size_scale=size
            ),
            "T2star": make_phantom(
                contrast="t2s", region=(20, 90), spacing_mm=(0.5, 0.5, 5.0), fov_mm=(80, 80), seed=n, size_scale=size
            ),
        }
        for suffix, phantom in scans.items():
            write_volume(bids / f"sub-0{n}/anat/sub-0{n}_{suffix}.nii.gz", phantom.image)
    damaged = bids / "sub-02/anat/sub-02_T2star.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:9000])


def run(*arguments: str) -> None:
    """Run `spineseg`; that a scan fails is expected."""
    subprocess.run([sys.executable, "-m", "spineseg_cli.cli.spineseg", *arguments], check=False)


def save(page: Page, name: str) -> None:
    """Save what the window shows."""
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(IMAGES / f"{name}.webp", quality=80)


def take_pictures(index: Path) -> None:
    """Open the page, and save its upper and its lower part."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport=WINDOW, color_scheme="dark")
        page.goto(f"file://{index}")
        page.fill("#rater", "anna")
        page.locator(".row", has_text="T2w").first.click()
        page.wait_for_selector("#open3d")
        page.keyboard.press("v")
        page.wait_for_selector("#canvas[data-volumes]", timeout=120_000)
        page.wait_for_timeout(3000)
        save(page, "cohort_page_a")
        page.keyboard.press("v")
        page.locator("#entry svg").first.evaluate("chart => chart.scrollIntoView({ block: 'end' })")
        page.wait_for_timeout(1000)
        save(page, "cohort_page_b")
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        bids, out = Path(name) / "bids", Path(name) / "out"
        write_cohort(bids)
        run(str(bids), str(out), "participant")
        run(str(bids), str(out), "group")
        take_pictures(out / "qc" / "index.html")
