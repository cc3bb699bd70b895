"""Reports: pages that a user opens in a browser, and the pictures in them.

qc         the page of `-qc` and of a cohort: a picture, the doubt and the numbers of each result
trainings  the pages of a fine-tuning, and of a study that compares several trainings
pictures   pictures of scans and masks, surfaces, charts, and the figure of measures along the cord
"""
