"""Repair: find what is damaged in a store, find good copies of it, and put them in their places.

A plan first, always. What must hold:

* What is put under a name that is there already has the very bytes that belong there: a record by
  the chain of the log, other files by the digest that a record names. Content in containers is
  stored anew, under new names (INV names), and a record says that it is there as well.
* Every byte is compared with its digest before anybody can see it.
* Nothing is deleted. A damaged container stays as it is, set aside: what can be read of it may be
  all that is left.
* Interrupted at any call, the store is as it was, or mended in part: never worse.
"""
