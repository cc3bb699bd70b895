"""Where the cord is in a scan.

localizer                     the ways to find it; `location` is the answer, `choices` are those of users
search, heatmap, optic        the search by a network, and the best path through its heatmaps
view, neighbor_mean           the cord network along that path, and in the mean of neighbors
presence, extent              which slices hold cord, from evidence: `intensity_mismatch`, `lost_signal`
conus                         what is known of the cord above the conus
centers, curve_fit            centers of masks, and curves through centers (`smoothing_spline`)
notes, header_check           what users are told of a search
hough                         a start without a network
"""
