"""KEEPING HEALTHY: reading everything back and comparing it with what was saved.

What must always hold: nothing here changes shared storage without a plan that was shown first.
"""
