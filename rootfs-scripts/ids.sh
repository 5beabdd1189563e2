# ids.sh - whose the files of a rootfs are; a part of lib.sh.
#
# A rootfs belongs to whom `gocontainer parent` will take its files for:
#
#            0 inside                     1, 2, … inside
#   ranges   the caller                   the caller's ranges in /etc/subuid and /etc/subgid
#            (root: its ranges' first id)  (root: the rest of them)
#   single   the caller                   nobody, so that every file is the caller's
#   all      0                            1, 2, …: root that has no ranges
#
# uid_map and gid_map hold it as newuidmap(1) takes it: INSIDE OUTSIDE COUNT, in a row.

# shellcheck shell=bash disable=SC2154  # lib.sh sets what is not set here

map='' uid_map='' gid_map=''

# Appends the ranges of the user $2 in the file $1 to the map in the variable $3.
append_ranges() {
    local -n map_of=$3
    local who start count inside=0 found=1
    [[ ! $map_of ]] || inside=1
    [[ -r $1 ]] || return 1
    while IFS=: read -r who start count; do
        [[ $who == "$2" || $who == "$EUID" ]] || continue
        map_of+=" $inside $start $count"
        inside=$((inside + count))
        found=0
    done <"$1"
    return "$found"
}

choose_map() {
    local name
    [[ ! $map ]] || return 0
    name=$(id -un 2>/dev/null) || name=$EUID
    map=ranges
    if ((EUID)); then
        uid_map="0 $EUID 1" gid_map="0 $(id -g) 1"
    fi
    if ! append_ranges /etc/subuid "$name" uid_map || ! append_ranges /etc/subgid "$name" gid_map; then
        map=single
        ((EUID)) || map=all
    elif ((EUID)) && ! type -P newuidmap newgidmap >/dev/null; then
        map=single
    fi
}

# The highest id that the map has inside: what is beyond can own no file.
last_id() {
    local words
    read -ra words <<<"$uid_map"
    echo $((words[-3] + words[-1] - 1))
}

# Turns this process into "$@", as uid 0 of a new user namespace with the map of ranges, if that is
# the map. It stays one process throughout, so that its status and its end are those of "$@".
in_userns() {
    local self=$BASHPID
    choose_map
    [[ $map == ranges ]] || exec "$@"
    # newuidmap is setuid root, which counts outside the new namespace only, and a process has no
    # capabilities in its namespace before it has an id there. So each waits for the other:
    #
    #   in the new namespace ── "ready" ──► outside: newuidmap, newgidmap ── "mapped" ──► exec "$@"
    #
    # shellcheck disable=SC2016,SC2086  # $@ is for the inner bash; a map is many words
    if ((EUID)); then
        # "$@" is exec'd as uid 0 of the namespace, which gives it all capabilities there.
        coproc helper {
            read -r _ && newuidmap "$self" $uid_map && newgidmap "$self" $gid_map && echo mapped
        }
        # Opened anew, because bash closes a coprocess's own descriptors on exec.
        exec 8<"/dev/fd/${helper[0]}" 9>"/dev/fd/${helper[1]}"
        exec unshare --user -- "$BASH" -c '
            echo ready >&9 && read -r _ <&8 || exit 125
            exec 8<&- 9>&-
            exec "$@"' bash "$@"
    fi
    # Root's own id is no id of the namespace, so it can't exec itself into being root there. It
    # enters a namespace that another process holds open for it, and takes the id in doing so.
    coproc helper { exec unshare --user -- "$BASH" -c 'echo ready && read -r _'; }
    # shellcheck disable=SC2086,SC2154  # as above; coproc sets helper_PID
    read -r _ <&"${helper[0]}" && newuidmap "$helper_PID" $uid_map &&
        newgidmap "$helper_PID" $gid_map && exec 8<"/proc/$helper_PID/ns/user" || exit 125
    exec nsenter --user=/proc/self/fd/8 --setuid=0 --setgid=0 -- "$@"
}

# Gives the trees $@ to what will be 0:0 inside.
give_to_root() {
    local uid gid
    choose_map
    ((EUID == 0)) && [[ $map == ranges ]] || return 0
    read -r _ uid _ <<<"$uid_map"
    read -r _ gid _ <<<"$gid_map"
    chown -hR -- "$uid:$gid" "$@"
}

# Ends the script with the reason when ranges can't be used on this host or in this folder.
check_map() {
    choose_map
    case $map in
    all) return ;;
    single)
        if [[ $gid_map == *' 1 1 '* ]]; then
            say "newuidmap or newgidmap is missing, so every file will be yours: apt install uidmap"
        else
            say "you have no ids in /etc/subuid and /etc/subgid, so every file will be yours"
        fi
        return
        ;;
    esac
    need unshare newuidmap newgidmap
    local probe=$partial/tmp/probe problem setting value good
    mkdir -- "$probe"
    give_to_root "$root" "$partial/tmp"
    ! problem=$(in_userns chown 1:1 -- "$probe" 2>&1) || return 0
    while read -r setting value good; do
        if [[ -r /proc/sys/${setting//./\/} && $(<"/proc/sys/${setting//./\/}") == "$value" ]]; then
            die "this host refuses user namespaces: sudo sysctl $setting=$good"
        fi
    done <<'END'
kernel.unprivileged_userns_clone 0 1
kernel.apparmor_restrict_unprivileged_userns 1 0
user.max_user_namespaces 0 10000
END
    if ! (in_userns true) 2>/dev/null; then
        die "no user namespace with your ids from /etc/subuid: ${problem##*$'\n'}"
    fi
    if ! (in_userns test -d "$probe"); then
        die "\"$parent\" can't be entered by root of a container: choose a folder that others can" \
            "enter, or chmod a+x the folders above it"
    fi
    die "files in \"$parent\" can't belong to other ids: choose a folder on a local file system"
}
