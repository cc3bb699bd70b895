"""Why no cord was found; networks are stand-ins."""

from dataclasses import replace

import numpy as np

from spineseg_cli.core.image.volume import Volume
from spineseg_cli.core.localization.localizer import NetworkLocalizer
from spineseg_cli.core.localization.location import CordLocation, ShownAs
from spineseg_cli.core.localization.notes import explain_absence, search_notes


def location(present, confidence=0.2):
    n = len(present)
    return CordLocation(np.zeros((n, 2)), np.full(n, confidence), np.array(present, bool))


def test_why_nothing_was_found():
    def reason(shape, locate=lambda volume: location([0] * volume.shape[2], 0.01), spacing_mm=1):
        scan = Volume(np.random.default_rng(0).random(shape, np.float32), np.diag([-spacing_mm, spacing_mm, 1.0, 1]))
        return explain_absence(scan, location([0] * shape[2]), locate)

    assert reason((50, 60, 40)).startswith("40 axial slices over 40 mm were looked at; the likeliest, slice 0 from below")
    assert reason((50, 60, 1)).startswith("1 axial slice was looked at; the likeliest")
    assert "have no cord" in reason((50, 60, 40))
    assert "Axial slices of 9 x 60 mm hardly hold a cord" in reason((9, 60, 40))
    small = reason((160, 150, 20), spacing_mm=0.1)
    assert "Axial slices of 16 x 15 mm are smaller than a neck: check the header's voxel size, or give its centerline" in small
    along_y = reason((50, 60, 40), lambda volume: location([1] * volume.shape[2], 0.97 if volume.shape[:2] == (50, 40) else 0.01))
    assert "runs along what the header calls the back-front axis: correct the header's orientation" in along_y
    assert "600 x 720 mm are larger than a body" in reason((50, 60, 3), spacing_mm=12)
    thin = reason((9, 60, 40), lambda volume: location([1] * volume.shape[2], 0.97 if volume.shape[:2] == (9, 40) else 0.01))
    assert "correct the header's orientation" in thin, "rather than that thin slices hold no cord"


def test_a_large_field_of_view_is_no_large_body():
    """Scans are padded by air; only if what they show is larger than a body, the header's voxel size is in doubt."""
    data = np.pad(np.random.default_rng(0).random((50, 60, 4), np.float32), ((40, 40), (30, 30), (0, 0)))
    for spacing_mm, is_said in ((5, False), (12, True)):
        scan = Volume(data, np.diag([-spacing_mm, spacing_mm, 4.0, 1]))
        notes = search_notes(scan, location([1] * 4, 1.0), NetworkLocalizer(search=None), is_found=True)
        assert bool(notes) == is_said


def test_a_cord_that_is_larger_or_smaller_than_by_the_header_is_said():
    scan = Volume(np.random.default_rng(0).random((50, 60, 4), np.float32), np.diag([-1.0, 1, 4, 1]))

    def note(factor):
        (said,) = search_notes(
            scan, replace(location([1] * 4, 1.0), shown_as=ShownAs(factor)), NetworkLocalizer(search=None), is_found=True
        )
        return said

    assert (
        "so small that voxels were taken to be twice as large: check the header's voxel size, unless this is an infant"
        in note(2.0)
    )
    assert note(0.5).endswith("so large that voxels were taken to be half as large: check the header's voxel size")


def test_slices_that_look_like_cord_beyond_its_ends_are_named():
    """As where half of a stack is missed; below 10 mm, and where the user says that the rest is brain, nothing is said."""
    scan = Volume(np.random.default_rng(0).random((50, 60, 6), np.float32), np.diag([-1.0, 1, 8, 1]))
    present = np.array([0, 0, 1, 1, 1, 0], bool)
    localizer = NetworkLocalizer(search=None)

    def notes(confidence, **changes):
        where = CordLocation(np.zeros((6, 2)), np.array(confidence), present)
        return search_notes(scan, where, replace(localizer, **changes), is_found=True)

    (note,) = notes([0.6, 0.7, 1, 1, 1, 0])
    assert "the axial slices 0-1 from below (16 mm)" in note
    assert notes([0.2, 0.7, 1, 1, 1, 0]) == ()
    assert notes([0.6, 0.7, 1, 1, 1, 0], brain=True) == ()


def test_what_looks_like_cord_without_being_found_is_said():
    scan = Volume(np.random.default_rng(0).random((50, 60, 40), np.float32), np.diag([-1.0, 1, 1, 1]))
    likely = location([0] * 40, 0.6)
    assert "Slices over 40 mm look like cord by themselves" in explain_absence(scan, likely, lambda _: likely)
