"""What a network is trained on: labelled scans and label maps, cut into windows, augmented, and put in batches."""
