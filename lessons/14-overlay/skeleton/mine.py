#!/usr/bin/python3
# Lesson 14: mine.py commit UPPER LAYER   make a layer, a tar archive, of an overlay's upper folder
#            mine.py apply LAYER FOLDER   unpack a layer over a folder
#
# in the upper folder                               in a layer
# NAME is a character device 0:0: it was deleted    an empty file .wh.NAME
# an extended attribute user.overlay.opaque (root:  an empty file .wh..wh..opq in the folder
#   trusted.overlay.opaque) is "y": the folder was
#   made anew, and what is below must not show
#
# os.walk, os.getxattr, tarfile
import sys
import tarfile

if sys.argv[1] == "commit":
    with tarfile.open(sys.argv[3], "w") as layer:
        layer.add(sys.argv[2], ".")
else:
    with tarfile.open(sys.argv[2]) as layer:
        layer.extractall(sys.argv[3])
