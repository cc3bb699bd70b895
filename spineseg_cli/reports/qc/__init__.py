"""The page of `-qc DIR` and of a cohort, which needs no server and no network.

=================================  ==========================================================================
DIR/index.html                     the page, which every run of a command writes again from all entries
DIR/entries/NAME.json              one result, as the page lists it
DIR/entries/NAME.js                the details and the 3-D view, which the page loads when a result is chosen
DIR/entries/NAME_VIEW.webp         a picture of the scan
DIR/entries/NAME_VIEW.png          the outlines of the masks, as a transparent layer over the picture
DIR/niivue.js                      the viewer for the 3-D view, if the package ipyniivue is installed
=================================  ==========================================================================

Several runs, on a cluster for instance, may write to one folder at the same time, since their entries have different names.
NAME is made from the input and the command, so that a repeated run replaces its entry. Files do not contain times: equal runs
give equal files. Damaged entries and other files are left out with a warning.

`entry` writes the files of a result, with its `doubt`, its `numbers` and `volume_3d`; `page` makes the page of what `reading`
accepts, with the cohort's `bands` and the `viewer`.
"""
