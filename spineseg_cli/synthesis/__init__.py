"""Images made from anatomy: a procedural phantom and a label-to-image generator."""
