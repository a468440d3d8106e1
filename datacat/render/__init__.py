"""Drawing: tables, JSON, progress and sentences. The only place that turns facts into text.

Nothing here asks the store anything. Whatever a person wrote, a name, a message, a path, goes
through `text.printable` before it is drawn. A table goes to a terminal as aligned columns and to a
pipe as tab-separated values; which one it is, is what `isatty()` of standard output says.
"""
