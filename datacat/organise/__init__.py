"""Names and facts: aliases, tags, owners, messages, new names, and what came from what."""
