"""Reports: pages of pictures, tables and charts.

The page of `-qc` and of a cohort: `qc` writes the entry of a result (`pictures`, `encoding`, `doubt`, `entry_numbers`,
`volume_3d`), `entry` reads entries, and `page` makes the page of them (`bands`, `viewer`, page.html, page.css, page.js).

The pages of trainings: `run_report` of a fine-tuning, `comparison` and `comparison_page` of a study, by `rendering` and `charts`.

`cord_profile` draws a figure of measures along the cord, `surfaces` writes surfaces of masks.
"""
