"""What oversight and the public are told: statistics, the register, subject access."""
