"""The BIDS App: from a BIDS folder to BIDS derivatives, tables, and a page of pictures to check the results by.

bids, selection     the scans of a BIDS folder, and the choice of some of them
labels              masks and labels that were made by hand
settings            the steps of a run and their options, from YAML
steps               the processing of one scan; only this package calls the tasks
ledger, session     what has been done from which inputs; the processing of one session
network_cache       networks that stay loaded from scan to scan
worker, pool        processes on this machine that process one session after another
cluster, queues     the same on a dask scheduler, or through SLURM, SGE and PBS
participant, group  the two levels of the BIDS App
dicom               the conversion of DICOM files into a BIDS folder
"""
