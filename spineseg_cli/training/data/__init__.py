"""What a network is trained on: labeled scans and label maps, cut into windows, augmented, and put in batches."""
