"""COPIES THAT LIE ABOUT: find them below any folder, and replace them by links.

What must always hold: a scan changes nothing but this user's cache, and never claims that bytes
are the same unless all of them were read. What it finds is a report, never a promise: whoever
replaces a file reads it again first.

A scan is a pipeline over the tables of one workspace: `listing` (names and sizes), `contents`
(which files hold the same), `trees` and `near` (which folders do), `groups` (what to report).
"""
