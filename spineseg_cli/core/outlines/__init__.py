"""Outlines of the cord and of its gray matter in the slices of a scan, from the probabilities of networks.

cord            the cord: `section` reads its outline and the intensities around it on rays, `contour` fits it to the edge in the
                image, and `moved_section` draws it
gray_matter     the gray matter: `gray_matter_network` predicts it in the windows of slices, `tissue_evidence` reads it from
                intensities, and `symmetry` finds unreliable slices
postprocessing  objects, holes and slices of masks
"""
