"""Agreement of two masks: overlap, surfaces, skeletons, and their summaries.

The metrics are those of the gray matter challenge (Prados et al., NeuroImage 152, 2017) and of the papers that report on
it (Perone et al. 2017): DSC, JI, conformity, MSD, HSD, SHD, SMD, TPR, TNR and PPV; with HD95, accuracy, MCC and the
volume difference.

Empty masks follow one rule in every metric, for volumes and for slices:

========================  =========================================================================================
Both masks empty          every metric but the volumes is NaN (undefined): there was nothing to find. Counted as perfect
                          agreement, the empty slices above and below the cord would raise every mean.
One mask empty            overlap (DSC, JI, TPR, PPV, MCC) is 0, distances are +inf, conformity is -inf, the relative
                          volume difference is +inf (empty reference) or -100 (empty prediction). TNR, accuracy and the
                          volume difference in mm3 are what their formulas give.
Neither empty, disjoint   overlap is 0, conformity is -inf, distances are finite.
No background             TNR is NaN where the reference fills the image.
========================  =========================================================================================

Summaries use the finite values alone, and say how many they are (`n`) and how many were left out as undefined
(`n_undefined`, NaN) and infinite (`n_infinite`): a mean distance is to be read with `n_infinite` beside it.

Distances are in millimeters and respect anisotropic voxels. Those of a volume are in 3-D; those of a slice, and of a volume
of one slice, are in its plane. TNR and accuracy count the background of the whole field of view, and so depend on its size.
"""
