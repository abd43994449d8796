"""Watchlists, subjects and enrolment: who may be searched for, on what authority, until when."""
