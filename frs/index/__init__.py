"""Templates -> candidates: exact galleries over FAISS. A cache: the database owns the templates."""
