"""How far a result can be trusted, slice by slice: features of a segmentation, and a logistic model fitted to them."""
