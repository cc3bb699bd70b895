"""The pages of trainings: `run_report` of a fine-tuning, `comparison` and `comparison_page` of a study."""
