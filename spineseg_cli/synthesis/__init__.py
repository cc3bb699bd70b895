"""Synthetic images with exact labels, from two sources.

Phantoms: `phantom` (whole cords) and `exvivo` draw a scan from `anatomy` (tables of sizes), `subject` (one person's variation),
`curve`, `canal`, `gray_matter` and `surroundings`, by `sampling` and `scanner`. `example` writes a data set of them.

Training images: `generator` deforms label maps (`deformation`), draws them in any contrast (`contrasts`, `painting`), and
degrades them (`degradation`). `brainstem`, `roots` and `dorsal_horns` add what label maps lack.
"""
