"""The command line: parse, one `Store` call, render. The only package that imports click.

`main` is the entry; `commands` is the table of what exists; each command is a module of its name,
imported only when it runs, so that `datacat --help` costs little more than Python itself.
"""
