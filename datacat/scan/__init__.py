"""Copies that lie about on a drive: find them, and replace them by links."""
