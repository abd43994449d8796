"""The three modes: live, retrospective, operator-initiated. Thresholds, tracking, evidence and decisions."""
