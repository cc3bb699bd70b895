"""Conversion of DICOM files into a BIDS folder, without identifying information.

converted    the series that dcm2niix converts from a folder of DICOM files
naming       the subject, session and contrast of each series, from its header
table        the table of proposed BIDS names, which a user may edit before the import
bids_import  writing the images and their sidecars under their BIDS names
"""
