"""`doctor`: look at this machine and at a store, and say how to mend what is wrong.

It is needed most when nothing else works. So what must always hold:

* each check stands for itself: one that fails, or hangs on a drive that does not answer, is a line
  of the answer and stops no other;
* nothing is written but probes that are removed, unless `fix` is asked for; and that does only what
  can harm nobody, and says what it did.
"""

from datacat.maintenance.doctor.examine import examine
from datacat.maintenance.doctor.visit import Subject

__all__ = ["Subject", "examine"]
