// Lesson 14: mine commit UPPER LAYER   make a layer, a tar archive, of an overlay's upper folder
//            mine apply LAYER FOLDER   unpack a layer over a folder
//
// in the upper folder                               in a layer
// NAME is a character device 0:0: it was deleted    an empty file .wh.NAME
// an extended attribute user.overlay.opaque (root:  an empty file .wh..wh..opq in the folder
//   trusted.overlay.opaque) is "y": the folder was
//   made anew, and what is below must not show
//
// <filesystem> walks and copies, getxattr(2) and lstat(2) look; tar(1) may pack and unpack.
#include <cstdio>
#include <cstring>

#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 4)
        return 2;
    if (strcmp(argv[1], "commit") == 0)
        execlp("tar", "tar", "-C", argv[2], "-cf", argv[3], ".", nullptr);
    else
        execlp("tar", "tar", "-C", argv[3], "-xf", argv[2], nullptr);
    perror("tar");
    return 127;
}
