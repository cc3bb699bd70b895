"""The cord in each slice: the share of each voxel, the direction of the cord, and the area and moments of its sections."""
