"""The cord's morphometry: areas, diameters and angles along it, with their uncertainty.

    from spineseg_cli.core.image.nifti import read_volume
    from spineseg_cli.morphometry import measure_cord

    measures = measure_cord(read_volume("cord_seg.nii.gz", kind="mask"))
    measures.profile.values["area_mm2"], measures.profile.errors["area_mm2"]

All measures are of the section perpendicular to the cord, whose direction is that of a smooth curve through the centers of the
slices. Masks as they come are measured by these rules:

=====================  =====================================================================================================
Soft or binary         Fractions are shares of voxels; the diameters are corrected for them and for thick slices. In a binary
                       mask, a voxel is inside or outside. Where that matters, a voxel of at least one half is cord.
Labels                 Everything above 0 is cord.
Several pieces         In a slice, the largest is used, and the slice is flagged `several_pieces`. Along the cord, all are used;
                       gaps have no rows, but are included in the distance from the top.
Holes                  In a slice, they are filled, and the slice is flagged `holes_filled`.
Border of the image    Where the cord touches the edge of the slice, it may be cut: the slice is flagged `at_border`.
Ends of the mask       Slices that the end of the mask may cut, and that are smaller than those further in by more than 15 %,
                       are flagged `incomplete_end`. These and those at the border have rows of their own, but are excluded
                       from means and from the cord's direction. Length and volume are sums over all slices.
A single slice         It is assumed to be perpendicular to the cord within 10 degrees, which its errors include.
Slices below one half  Where no voxel is half filled, there is no section to measure, and no row.
=====================  =====================================================================================================

What is where:

measure        what a command calls; `profile` measures each slice
sections       the cord in each slice (`mask`), its direction (`frame`), the area and moments of its sections (`moments`), and
               where it lies in the long voxels of sagittal slices (`coarse_voxels`)
outline        the outline on rays, with measures of its shape (`polar`), and that of binary masks between the voxels (`binary`)
edge           the area inside the image's own edge, which hardly depends on the mask (`area`)
levels         vertebral and spinal levels, by labels (`labels`), or estimated from the cord alone (`segments`)
tables         columns, rows and files
comparison     with healthy people (`norms`), and with the same subject at another time (`change`)
smoothing      smooth curves along the cord; `uncertainty` gives the standard errors of measures
"""

from spineseg_cli.morphometry.measure import CordMeasures, measure_cord

__all__ = ["CordMeasures", "measure_cord"]
