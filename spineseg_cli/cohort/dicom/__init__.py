"""Scanners' DICOM files into a BIDS folder, without anything that says who the subject is.

converted   what dcm2niix makes of a folder of DICOM files
naming      which subject, session and contrast each series is, by its header
table       the proposal, which a user may edit before it is followed
bids_import the images under their BIDS names, with what is known of them
"""
