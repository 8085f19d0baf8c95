"""Touches as many bytes of memory as it is told, and gives them back.

A virtual machine hands free memory back to its host, and the first touch of a page then costs up to ten times what
copying it does. Touched just before, pages are there for whoever comes next: the same for every contender.
"""

import sys

GIB = 1 << 30
size = int(sys.argv[1])
held = [bytearray(b"\x01") * min(GIB, size - start) for start in range(0, size, GIB)]
