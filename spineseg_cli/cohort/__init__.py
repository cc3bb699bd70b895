"""A cohort from end to end: a BIDS folder in, BIDS derivatives, tables and a page to judge them by out.

bids, selection     which scans there are, and which of them a run is about
settings            what a run does: the steps and their options, from YAML
steps               the work on one scan; the only module here that calls the tasks
ledger, session     what is done already, from which inputs; one session worked through
worker, pool        processes that load the networks once and take one session after the other
cluster             the same on a dask scheduler, or through SLURM, SGE and PBS
participant, group  the two levels of the BIDS App
dicom               scanners' files into a BIDS folder
"""
