"""Experiments, or studies: comparisons of several variants of a training. Each YAML file here repeats a publication.

config, variants   the content of a study, from YAML; `names` lists the studies without reading them
cohorts            phantoms for studies without data, described in the same YAML; `cohort_files` writes them
plan               the plans of all variants, made and checked before anything slow starts
runner             carrying out a study; `localizers` and `evaluations` evaluate its variants
summary            the results as a comparison for `reports.trainings.comparison_page`
"""
