"""Picture -> faces -> templates: decoding, model packs, detection, alignment, quality and batching."""
