# A Linux to take the lessons in, for a Mac, for Windows, or for a machine that should stay as it is:
# `make docker-shell` builds it and opens a shell in it. lessons/ON-YOUR-MACHINE.md says what it needs.
#
#   docker build --tag gocontainer .
#   docker run --rm -it --privileged --cgroupns=private gocontainer
ARG BASE=debian:stable-slim
FROM ${BASE}

# What the lessons type, what is needed to build, and an ordinary user with ids to map. Where all of it
# is there, nothing is fetched. PACKAGES are groups of tools/install. As a setuid program newuidmap needs
# CAP_SYS_ADMIN, which a container without --privileged does not have; with a file capability, only that.
ARG PACKAGES="build shell lesson lab"
COPY tools/install /tmp/gocontainer/tools/
RUN /tmp/gocontainer/tools/install ${PACKAGES} \
    && rm -rf /tmp/gocontainer /var/lib/apt/lists/* \
    && touch /etc/subuid /etc/subgid \
    && useradd --create-home --shell /bin/bash learner \
    && chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap \
    && setcap cap_setuid=ep /usr/bin/newuidmap \
    && setcap cap_setgid=ep /usr/bin/newgidmap

COPY --chown=learner . /gocontainer
WORKDIR /gocontainer
RUN chown learner: . \
    && setpriv --reuid learner --regid learner --init-groups sh -c \
        '{ test -x gocontainer || make -j"$(nproc)"; } && rootfs-scripts/busybox rootfs'

# An image's own tree is an overlay, which can't be the upper one of another (lesson 14): volumes can.
# What is in the home stays when it has a name (--volume gocontainer-home:/home/learner).
VOLUME ["/gocontainer", "/home/learner"]
ENTRYPOINT ["/gocontainer/tools/docker-entry"]
