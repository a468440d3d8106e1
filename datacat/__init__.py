"""datacat: versioned datasets for a team, on the shared drive you already have."""

__version__ = "0.1.0"
