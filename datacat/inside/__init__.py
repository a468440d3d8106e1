"""Looking inside versions without pulling them: first rows, SQL."""
