"""The cord's outline on rays, the measures of its shape, and the outlines of binary masks between the voxels."""
