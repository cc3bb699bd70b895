"""Applying a network to windows of a scan.

predictor, config             a loaded network, and how its input is made and its output is read (`legacy_names`)
runtime, litert               TensorFlow, and LiteRT on the CPU
stack, patching, tta          3-D networks, their patches, and test-time augmentation
probabilities, segmentation   from probabilities to filled fractions; the result
"""
