"""Local folders: what is in them, which version they hold, and how bytes get into them.

What must always hold:

* nothing outside the folder is read as part of it, and nothing outside it is ever written:
  symlinks are content, never a way;
* a path appears whole or not at all, and replaces only what the caller says it replaces;
* everything below `.datacat/` is ours and disposable: deleting it loses no data, only the
  knowledge of which version the folder is.
"""
