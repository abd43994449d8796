"""Face detectors: a picture -> boxes, scores and five landmarks."""
