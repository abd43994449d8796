"""Face recognisers: aligned faces -> embeddings."""
