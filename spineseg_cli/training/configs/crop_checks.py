"""What a recipe must say of the crops that it trains on: where they come from, and how they are cut and read."""

from __future__ import annotations

from spineseg_cli.core.expectations import expect, expect_one_of, is_count, is_number, is_texts
from spineseg_cli.core.image.intensity import NORMALIZATIONS
from spineseg_cli.core.inference.config import InferenceConfig
from spineseg_cli.core.inference.legacy_names import current_names
from spineseg_cli.errors import InputError, WeightsError
from spineseg_cli.synthesis.painting import CONTRAST_SHARES
from spineseg_cli.training.configs.choices import COMPLETE, GENERATED_MAPS, GENERATED_STACKS, KEEP_SCALE
from spineseg_cli.training.configs.recipe import Recipe

# Sources of labels that come from no file.
GENERATED = GENERATED_MAPS + GENERATED_STACKS


def check_sources(recipe: Recipe, where: str) -> None:
    """Raise InputError, its message starting with `where`, if a source of label maps or scans is wrong or lacking."""
    for name, known in (
        ("maps", ("cord", "gray", "csf", "image", "spine", "step", "weight", *GENERATED)),
        ("scans", ("image", "gray", "cord", "spine", "slices", "trim", "complete")),
    ):
        sources = getattr(recipe, name)
        expect(isinstance(sources, list), where, name, "a list of sources", sources)
        for source in sources:
            expect(isinstance(source, dict), where, name, f"sources with some of {', '.join(known)}", source)
            for part, value in source.items():
                expect_one_of(part, known, where, name)
                if part == "complete":
                    expect_one_of(value, COMPLETE, where, f"{part} in {name}")
                    continue
                whole = part in ("step", "slices", "trim", "weight", *GENERATED)
                fits = is_count(value, 1) if whole else isinstance(value, str) or (name == "scans" and is_texts(value))
                expect(fits, where, f"{part} in {name}", "a positive whole number" if whole else "a glob", value)
                several = isinstance(value, list) and part != "gray"
                expect(not several, where, f"{part} in {name}", "one glob (only gray may have several)", value)
    labels = {{"gray_matter": "gray"}.get(output, output) for output in recipe.outputs}
    for source in recipe.maps:
        complete = source.keys() & GENERATED or {"cord"} | labels <= source.keys()
        needed = " and ".join(sorted({"cord"} | labels))
        expect(complete, where, "maps", f"{needed}, or any of {', '.join(sorted(GENERATED))}, in each source", source)
    needed = {"image"} | labels
    for source in recipe.scans:
        expect(needed <= source.keys(), where, "scans", f"{', '.join(sorted(needed))} in each source", source)
    expect(recipe.maps or recipe.real_share == 1, where, "maps", "a source of labels, or a real_share of 1", recipe.maps)
    expect(recipe.scans or not recipe.real_share, where, "scans", "a source, since real_share is above 0", recipe.scans)
    shares, known = recipe.contrasts, ", ".join(CONTRAST_SHARES)
    fits = isinstance(shares, dict) and shares.keys() <= CONTRAST_SHARES.keys() and all(map(is_number, shares.values()))
    expect(fits and (not shares or sum(shares.values()) > 0), where, "contrasts", f"shares of {known}", shares)


def check_crops(recipe: Recipe, where: str) -> None:
    """Raise InputError, its message starting with `where`, if crops would not fit the network or the preprocessing."""
    expect(isinstance(recipe.preprocessing, dict), where, "preprocessing", "its fields", recipe.preprocessing)
    fields = current_names(recipe.preprocessing)
    expect_one_of(fields.get("normalization", "zscore"), NORMALIZATIONS, where, "preprocessing normalization")
    try:
        steps = InferenceConfig.from_dict(recipe.preprocessing)
    except WeightsError:
        known = ", ".join(InferenceConfig().to_dict())
        raise InputError(f"{where}: preprocessing must have some of {known}; got {recipe.preprocessing}") from None
    if steps.normalization == "minmax" and not steps.per_slice:
        raise InputError(f"{where}: preprocessing with normalization: minmax scales each slice; expected per_slice: true with it")
    spacing = steps.spacing_mm
    expect(is_number(spacing) and spacing > 0, where, "preprocessing spacing_mm", "a number above 0", spacing)
    fits = is_number(steps.outline_probability) and 0 < steps.outline_probability < 1
    expect(fits, where, "preprocessing outline_probability", "a number between 0 and 1, without these", steps.outline_probability)
    fits = is_number(steps.logit_scale) and steps.logit_scale > 0
    expect(fits, where, "preprocessing logit_scale", "a number above 0", steps.logit_scale)
    if not steps.per_slice and recipe.augmentation not in KEEP_SCALE:
        raise InputError(
            f"{where}: preprocessing with per_slice: false standardizes whole scans, which the augmentation "
            f"{recipe.augmentation} undoes; expected one of {', '.join(KEEP_SCALE)}"
        )
    sizes, largest = recipe.crop_sizes, int(recipe.surroundings_mm / spacing)
    fits = isinstance(sizes, list) and sizes and all(is_count(size, 8) and size <= largest for size in sizes)
    expect(fits, where, "crop_sizes", f"a list of whole numbers from 8 to {largest}", sizes)
    depth = recipe.crop_depth
    expect(is_count(depth, 0), where, "crop_depth", "a whole number of 0 or more", depth)
    solid = recipe.network["name"] == "unet3d" and recipe.network.get("dimensions", 3) == 3
    expect(bool(depth) == solid and depth % 2 == 0, where, "crop_depth", "even for a 3-D network, 0 for others", depth)
    for name in ("narrow_share", "masked_share", "level_jitter", "sagittal_share") if depth else ():
        expect(not getattr(recipe, name), where, name, "0 for a 3-D network", getattr(recipe, name))
    thinned = depth and any("slices" in source for source in recipe.scans)
    expect(not thinned, where, "slices in scans", "left out for a 3-D network, which takes neighboring slices", recipe.scans)
    factor = 2 ** recipe.network.get("depth", 3) if "unet" in recipe.network["name"] else 1
    expect(all(size % factor == 0 for size in sizes), where, "crop_sizes", f"multiples of {factor}", sizes)
