"""The confidence in each slice of a result, by a logistic model of features of the segmentation."""
