"""From images to features and words: decoding, classifiers, detectors, the captioner."""
