"""Training data, from files to batches.

find_scans, scan_tables, patterns  a user's labeled scans (`labeled_scans`), from a BIDS folder, a table or two globs
sources                            the scans and label maps that a configuration names
split                              subjects for training, validation and test
labeled_slices, stacks             labeled scans as slices and as stacks of slices; `nyul_scale` puts them on one scale
label_maps, phantoms               label maps from files and from phantoms, from which images are synthesized
augmentation, transforms           random changes of crops
crops, datasets                    batches of crops; the data of a run
preview                            a picture of crops
missing_cords, edge_targets        masks of the cord that are made for training
"""
