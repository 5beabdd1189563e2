#!/usr/bin/python3
# Lesson 14: mine.py commit UPPER LAYER   make a layer, a tar archive, of an overlay's upper folder
#            mine.py apply LAYER FOLDER   unpack a layer over a folder
import os
import shutil
import stat
import sys
import tarfile

OPAQUE = ".wh..wh..opq"


def is_opaque(folder):
    for name in "user.overlay.opaque", "trusted.overlay.opaque":
        try:
            return os.getxattr(folder, name) == b"y"
        except OSError:
            pass  # another one's, or none
    return False


def commit(upper, path):
    with tarfile.open(path, "w") as layer:
        for folder, folders, files in os.walk(upper):
            inside = os.path.relpath(folder, upper)
            layer.add(folder, inside, recursive=False)
            if folder != upper and is_opaque(folder):
                layer.addfile(tarfile.TarInfo(os.path.join(inside, OPAQUE)))
            # A link to a folder is told among the folders, and not walked.
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in files + links:
                full = os.path.join(folder, name)
                info = os.lstat(full)
                if stat.S_ISCHR(info.st_mode) and info.st_rdev == 0:
                    layer.addfile(tarfile.TarInfo(os.path.join(inside, ".wh." + name)))
                else:
                    layer.add(full, os.path.join(inside, name), recursive=False)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def apply(path, folder):
    with tarfile.open(path) as layer:
        members = layer.getmembers()
        # First what goes, since an opaque folder's new contents are in the same layer.
        for member in members:
            where, name = os.path.split(os.path.join(folder, member.name))
            if name == OPAQUE and os.path.isdir(where):
                for one in os.listdir(where):
                    remove(os.path.join(where, one))
            elif name.startswith(".wh."):
                remove(os.path.join(where, name[len(".wh.") :]))
        layer.extractall(
            folder,
            [one for one in members if not os.path.basename(one.name).startswith(".wh.")],
        )


if len(sys.argv) != 4 or sys.argv[1] not in ("commit", "apply"):
    sys.exit("usage: commit UPPER LAYER, or apply LAYER FOLDER")
(commit if sys.argv[1] == "commit" else apply)(sys.argv[2], sys.argv[3])
