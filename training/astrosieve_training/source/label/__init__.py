"""
Truth for real frames, from other exposures of the same sky.

What is called how, here and in what makes use of it:

label
    What one detection truly is, by the name of its class. What a network says it is, is
    its ``class_name``.
labels
    A table, or a file, of detections and the label of each, as
    `~astrosieve.source.labels.make_labels` makes it.
labelling
    What the procedure found of a set of exposures: peaks, places, clusters, labels.
detections
    Detections with their labels and what a network sees of them, in memory:
    `~astrosieve_training.source.datasets.detections.DetectionSet`.
dataset
    Such detections, split by region of the sky, in a folder that users keep.
examples
    What a network learns from: inputs and numbers of classes, and nothing else.
"""
