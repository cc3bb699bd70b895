"""Write docs/images/architecture.svg: the packages, in the order in which they may import each other."""

from __future__ import annotations

from pathlib import Path

PICTURE = Path(__file__).resolve().parent / "images" / "architecture.svg"

# From top to bottom; a package may import those below it. Each with what it is for.
LAYERS = [
    [("cli", "commands: options in, files and exit codes out")],
    [("cohort", "a BIDS App over sessions"), ("experiments", "variants of a training, compared")],
    [("training", "configuration, run, finetune")],
    [
        ("tasks", "cord, gray matter, centerline"),
        ("reports", "pages and charts"),
        ("synthesis", "phantoms, images from labels"),
        ("morphometry", "measures"),
    ],
    [("weights", "files, registry"), ("networks", "one file a network"), ("metrics", "agreement of masks")],
    [("core", "image, localization, inference: what all share")],
]
WIDTH, ROW, GAP = 920, 62, 10


def picture() -> str:
    """Return the picture as SVG."""
    height = len(LAYERS) * (ROW + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" text-anchor="middle">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for row, layer in enumerate(LAYERS):
        y, width = GAP + row * (ROW + GAP), (WIDTH - GAP) / len(layer)
        for column, (name, purpose) in enumerate(layer):
            x = GAP + column * width
            center = x + (width - GAP) / 2
            parts += [
                f'<rect x="{x:.0f}" y="{y}" width="{width - GAP:.0f}" height="{ROW}" rx="6" fill="#e8f0f8" stroke="#35608f"/>',
                f'<text x="{center:.0f}" y="{y + 26}" font-size="17" font-weight="bold" fill="#1d3f66">{name}</text>',
                f'<text x="{center:.0f}" y="{y + 47}" font-size="13" fill="#333">{purpose}</text>',
            ]
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
