"""Between messages of the contract and the rooms' values: a module per resource, pure functions, nothing else."""
