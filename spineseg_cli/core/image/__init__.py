"""Images: volumes on their voxel grids, files, orientations, resampling, and slices.

volume, stored, cropped       an image, its voxels as the file stores them, and images stored as boxes
nifti                         reading and writing: `nifti_file`, `nifti_header`, `names` of files
values, non_finite            the checks of voxel values; `mask_check` tells masks from scans, `grid` compares grids
orientation, signal_part      axes in RPI, and slices without empty ones at the ends
intensity, standardization    preparation of scans, and of the windows that networks read; `nyul` for a learned scale
resampling, slice_windows     grids in mm, and windows around the cord; `split_voxels` divides large voxels
slabs, thin_slices, packed    long scans in little memory, averages of thin slices, masks of one bit
"""
