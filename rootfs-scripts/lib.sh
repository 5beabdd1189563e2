# lib.sh - what the rootfs scripts share; each of them sources it, nobody runs it.
#
# A script takes its TARGET, starts a partial tree beside it, fills that by steps, and finishes:
#
#   take_target ─► start_partial ─► step … ─► finish
#                  TARGET.partial.XXXXXXXX/    ├─ TARGET.gocontainer   who made TARGET, from what
#                  └─ rootfs/  (being filled)  └─ TARGET               rootfs/, renamed
#
# Whatever ends a script earlier, a signal or a failed step, removes the partial tree and leaves
# TARGET as it was. TARGET.gocontainer is the marker by which a script knows its own work. It
# stands beside TARGET, not inside, so that no container and no image can write one.
#
# Two parts of it have files of their own: whose the files of a rootfs are (ids.sh), and how a script
# ends (end.sh).

# shellcheck shell=bash disable=SC2034  # the scripts use what is set here

set -euo pipefail
# The modes in a rootfs are the rootfs's own, not the caller's taste.
umask 022
unset CDPATH

lib=${BASH_SOURCE[0]}
[[ $lib == /* ]] || lib=$PWD/$lib
script=${0##*/}

quiet='' force='' remove=''
declare -A option=() made=()
arguments=()

shown=''  # TARGET, as the user wrote it
target='' # the same with all symlinks resolved
parent='' # the folder it stands in
marker=''
state=''   # of TARGET: absent, empty or made (by this script, before)
partial='' # where the new tree is being made
root=''    # the new tree: $partial/rootfs
step_running=''
at_cleanup=: # what a script itself has to undo for $partial, its own or a killed run's

# shellcheck source-path=SCRIPTDIR source=ids.sh
source "${lib%/*}/ids.sh"
# shellcheck source-path=SCRIPTDIR source=end.sh
source "${lib%/*}/end.sh"

# --- What a script says ---------------------------------------------------------------------------

say() {
    [[ $quiet ]] || printf 'rootfs-scripts/%s: %s\n' "$script" "$*" >&2
}

die() {
    printf 'rootfs-scripts/%s: %s\n' "$script" "$*" >&2
    exit 1
}

wrong_usage() {
    printf 'rootfs-scripts/%s: %s: see rootfs-scripts/%s --help\n' "$script" "$1" "$script" >&2
    exit 2
}

# The part of --help that is the same for every script.
common_help() {
    cat <<'END'
  --force          build TARGET again, even when it is up to date
  --remove         remove TARGET, which this script made, and its marker
  -q, --quiet      print nothing but errors and the command that enters TARGET
  -h, --help       print this text

TARGET is a new or an empty folder, or one that this script made before. The latter is built
again when what it is made from has changed, which throws away what was written into it since.
Its marker, by which the script knows it, is the text file TARGET.gocontainer beside it.
Messages go to stderr; the command that enters TARGET is the only line on stdout.
END
}

# Reads a script's options and arguments into option[] and arguments[].
# $1: the names of its own options, which all take a value.
read_options() {
    local known=" $1 " name
    shift
    while (($#)); do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        -q | --quiet) quiet=1 ;;
        --force) force=1 ;;
        --remove) remove=1 ;;
        --)
            shift
            arguments+=("$@")
            return
            ;;
        --?*)
            name=${1%%=*}
            name=${name#--}
            [[ $known == *" $name "* ]] || wrong_usage "unknown option \"$1\""
            if [[ $1 == *=* ]]; then
                option[$name]=${1#*=}
            elif (($# > 1)); then
                option[$name]=$2
                shift
            else
                wrong_usage "option \"$1\" needs a value"
            fi
            ;;
        -?*) wrong_usage "unknown option \"$1\"" ;;
        *) arguments+=("$1") ;;
        esac
        shift
    done
}

# --- Programs -------------------------------------------------------------------------------------

# Ends the script: program $1 is missing, or as $2 says; this package has it.
missing() {
    local apt program scripts dnf apk hints=()
    while read -r apt program scripts dnf apk; do
        [[ $program == "$1" ]] || continue
        [[ $apt == - ]] || hints+=("apt install $apt")
        [[ $dnf == - ]] || hints+=("dnf install $dnf")
        [[ $apk == - ]] || hints+=("apk add $apk")
    done <"${lib%/*}/PACKAGES"
    : "$scripts"
    printf -v hints ', or %s' "${hints[@]}"
    die "\"$1\" ${2:-is missing}: ${hints#, or }"
}

need() {
    local program
    for program in "$@"; do
        type -P "$program" >/dev/null || missing "$program"
    done
}

# --- TARGET ---------------------------------------------------------------------------------------

# Is something mounted on $1, or below it?
has_mounts() {
    local fields mounted
    while read -ra fields; do
        # Blanks and backslashes are octal there.
        printf -v mounted %b "${fields[4]//\\/\\0}"
        [[ $mounted != "$1" && $mounted != "$1"/* ]] || return 0
    done </proc/self/mountinfo
    return 1
}

# Removes the tree $1, whoever of the caller's ids its files belong to.
remove_tree() {
    [[ -e $1 ]] || return 0
    if ! has_mounts "$1"; then
        ! rm -rf -- "$1" 2>/dev/null || return 0
        choose_map
        ! (in_userns rm -rf -- "$1") 2>/dev/null || return 0
        chmod -R u+rwX -- "$1" 2>/dev/null || :
        ! rm -rf -- "$1" 2>/dev/null || return 0
    fi
    printf 'rootfs-scripts/%s: can'\''t remove "%s": unmount what is in it, then sudo rm -rf %q\n' \
        "$script" "$1" "$1" >&2
    return 1
}

# Removes the partial tree $1, its mark last: killed before, it is still known for one.
remove_partial() {
    local inner
    for inner in "$1"/* "$1"/.[!.]*; do
        [[ $inner == "$1/rootfs-script" ]] || remove_tree "$inner" || return
    done
    remove_tree "$1"
}

# Renames the folder $1 to $2, which may be an empty folder. Moving a folder to another parent
# changes its "..", for which its owner and mode may lack the right.
move() {
    local mode
    ! mv -fT -- "$1" "$2" 2>/dev/null || return 0
    choose_map
    ! (in_userns mv -fT -- "$1" "$2") 2>/dev/null || return 0
    mode=$(stat -c %a -- "$1")
    chmod u+w -- "$1" && mv -fT -- "$1" "$2" && chmod "$mode" -- "$2"
}

# A folder's inode and time of birth: what a rename keeps, and a copy or a new folder changes. Where
# stat or the file system knows no births, the inode could be a new folder's, so another goes along.
identity() {
    local number born inner=''
    read -r number born < <(stat -c '%i %W' -- "$1")
    [[ $born == [1-9]* ]] || inner=" $(stat -c %i -- "$1/etc" 2>/dev/null)" || :
    echo "$number $born$inner"
}

# Reads the marker into made[], if there is one and it speaks of this very folder.
read_marker() {
    local line
    made=()
    [[ -f $marker && -r $marker ]] || return 1
    while read -r line; do
        [[ $line != [a-z]*=* ]] || made[${line%%=*}]=${line#*=}
    done <"$marker"
    [[ ${made[folder]-} == "$(identity "$target")" && ${made[script]-} ]]
}

# Sets state, or refuses TARGET.
look_at_target() {
    local entries
    if [[ ! -e $target ]]; then
        state=absent
    elif [[ ! -d $target ]]; then
        die "\"$shown\" is not a folder"
    elif read_marker; then
        if [[ ${made[script]} != "$script" ]]; then
            die "\"$shown\" was made by rootfs-scripts/${made[script]}: name another folder," \
                "or first rootfs-scripts/${made[script]} --remove $(printf %q "$shown")"
        fi
        if [[ ! -O $marker ]] && ((EUID)); then
            die "\"$shown\" was made by $(stat -c %U -- "$marker"): name another folder"
        fi
        state=made
    else
        shopt -s nullglob dotglob
        entries=("$target"/*)
        shopt -u nullglob dotglob
        if ((${#entries[@]})) || [[ ! -r $target ]]; then
            die "\"$shown\" was not made by a rootfs script: name a new or an empty folder"
        fi
        state=empty
    fi
}

# Takes the script's argument TARGET, or refuses it; does what --remove asks.
take_target() {
    local path=$1 here
    [[ $path ]] || wrong_usage "TARGET is empty"
    while [[ $path == ?*/ ]]; do path=${path%/}; done
    shown=$path
    [[ $path == /* ]] || path=./$path
    if [[ -d $path ]]; then
        target=$(cd -P -- "$path" 2>/dev/null && pwd) || die "\"$shown\" can't be entered"
    elif [[ -L $path ]]; then
        die "\"$shown\" is a symlink that leads nowhere"
    else
        parent=${path%/*}
        [[ -d ${parent:-/} ]] || die "\"$parent\" is not a folder: mkdir -p $(printf %q "$parent")"
        target=$(cd -P -- "${parent:-/}" 2>/dev/null && pwd) || die "\"$parent\" can't be entered"
        target=${target%/}/${path##*/}
    fi
    [[ $target != / ]] || die "\"/\" is this system itself: name a new folder"
    # A new tree comes by a rename: who stood in the old one would stand in nothing.
    here=$(pwd -P 2>/dev/null) || here=''
    if [[ $here == "$target" || $here == "$target"/* ]]; then
        die "you are in \"$shown\": leave it first, as with 'cd $(printf %q "${target%/*}/")'"
    fi
    parent=${target%/*}
    parent=${parent:-/}
    marker=$target.gocontainer
    look_at_target
    [[ ! $remove ]] || remove_target
}

# Ends the script when TARGET was made from $1 already.
end_if_up_to_date() {
    if [[ $state == made && ! $force && ${made[source]-} == "$1" ]]; then
        say "\"$shown\" is up to date (--force builds it again)"
        show_entry
        exit 0
    fi
}

# --- The partial tree -----------------------------------------------------------------------------

# Two scripts with neighbouring targets meet here for milliseconds only: to make or sweep partial
# trees, and to rename. A partial tree itself is locked by its script and that one's steps for as
# long as any of them lives, which tells it from what a killed script left.
lock_parent() {
    exec {parent_lock}<"$parent"
    flock "$parent_lock"
}

unlock_parent() {
    exec {parent_lock}<&-
}

sweep() {
    local stale lock
    for stale in "$target".partial.????????; do
        [[ -d $stale && ! -L $stale && -O $stale ]] || continue
        [[ -f $stale/rootfs-script ]] || rmdir -- "$stale" 2>/dev/null || continue
        exec {lock}<"$stale" || continue
        if flock --nonblock "$lock"; then
            say "removing \"${stale##*/}\", left by a killed script"
            partial=$stale
            "$at_cleanup"
            remove_partial "$stale" || :
        fi
        exec {lock}<&-
    done
}

start_partial() {
    need flock setsid
    [[ -w $parent && -x $parent ]] || die "you can't write to \"$parent\""
    if [[ $state != absent ]] && has_mounts "$target"; then
        die "something is mounted in \"$shown\": unmount it first"
    fi
    trap failed EXIT
    local signal
    for signal in INT TERM HUP QUIT PIPE; do
        # shellcheck disable=SC2064  # the signal of now
        trap "stopped $signal" "$signal"
    done
    lock_parent
    sweep
    # Named before it is made, so that a signal between the two can't leave it behind.
    printf -v partial '%s.partial.%04x%04x' "$target" "$RANDOM" "$RANDOM"
    mkdir -m 711 -- "$partial" || die "no folder can be made in \"$parent\""
    exec {partial_lock}<"$partial"
    flock "$partial_lock"
    unlock_parent
    echo "$script" >"$partial/rootfs-script"
    # A setgid parent would hand its group down into the rootfs.
    [[ ! -g $partial ]] || { chgrp -- "${GROUPS[0]}" "$partial" && chmod g-s -- "$partial"; }
    root=$partial/rootfs
    mkdir -- "$root" "$partial/tmp"
}

# Runs "$@", a program or a function of this file, in a session of its own, where a signal to the
# script reaches it only through clean(), and then with all that it started. With --quiet, what it
# prints is shown only when it fails.
step() {
    local status=0 output=2
    [[ ! $quiet ]] || exec {output}>"$partial/output"
    step_running=1
    # shellcheck disable=SC2016  # for the inner bash
    TMPDIR=$partial/tmp setsid "$BASH" -c '
        source "$0"
        script=$1 quiet=$2 map=$3 uid_map=$4 gid_map=$5
        shift 5
        "$@"' "$lib" "$script" "$quiet" "$map" "$uid_map" "$gid_map" "$@" \
        </dev/null >&"$output" 2>&1 &
    wait "$!" || status=$?
    step_running=''
    [[ ! $quiet || $status == 0 ]] || cat -- "$partial/output" >&2
    return "$status"
}

# For step: unpacks the tar archive that "$@" prints into the folder $1. Nothing of its /dev: the
# kernel makes no device nodes in a user namespace, and gocontainer mounts a /dev of its own. Nodes
# elsewhere are left out one by one, for the same reason.
unpack_tar() {
    local into=$1 owner=--same-owner status=0 line others=''
    shift
    [[ $map != single ]] || owner=--no-same-owner
    "$@" | LC_ALL=C in_userns tar --extract --file=- --directory="$into" --numeric-owner \
        --same-permissions "$owner" --delay-directory-restore --xattrs --xattrs-include='user.*' \
        --xattrs-include=security.capability --anchored --exclude='dev/*' --exclude='./dev/*' \
        --exclude=.dockerenv 2>"$TMPDIR/tar-errors" || status=$?
    while IFS= read -r line; do
        if [[ $line =~ ^tar:\ (.*):\ Cannot\ mknod:\ Operation\ not\ permitted$ ]]; then
            say "left out \"${BASH_REMATCH[1]}\", a device node"
        elif [[ $line != 'tar: Exiting with failure status due to previous errors' ]]; then
            printf '%s\n' "$line" >&2
            others=1
        fi
    done <"$TMPDIR/tar-errors"
    # tar's status 2 with no other complaint was about nodes only.
    ((status == 0)) || [[ $status == 2 && -s $TMPDIR/tar-errors && ! $others ]]
}

# For step: runs "$@" in the folder $1.
in_folder() {
    cd -- "$1"
    shift
    "$@"
}

# Runs "$@", which writes into the folder $1, as whom that folder belongs to. Where there are no other
# ids, the caller is not root of a namespace, and a mode like 555, as Nix has everywhere, keeps it out.
write_in() {
    local folder=$1 mode=''
    shift
    if [[ $map == single && ! -w $folder ]]; then
        mode=$(stat -c %a -- "$folder")
        chmod u+w -- "$folder"
    fi
    step in_userns "$@" || die "\"${folder#"$root"}/\" can't be completed: nothing was left behind"
    [[ ! $mode ]] || chmod "$mode" -- "$folder"
}

# Adds what a container can't do without, where an image leaves it to its runtime: folders to mount
# on, a file for gocontainer to bind its resolv.conf over, a name for 127.0.0.1. Follows no symlink
# of the image.
complete_tree() {
    local folder wanted=() file
    for folder in dev proc sys etc; do
        [[ -e $root/$folder || -L $root/$folder ]] || wanted+=("$root/$folder")
    done
    ((${#wanted[@]} == 0)) || write_in "$root" mkdir -- "${wanted[@]}"
    [[ -d $root/etc && ! -L $root/etc ]] || return 0
    file=$root/etc/resolv.conf
    [[ -e $file || -L $file ]] || write_in "$root/etc" touch -- "$file"
    file=$root/etc/hosts
    if [[ ! -s $file && ! -L $file ]]; then
        printf '127.0.0.1 localhost\n::1       localhost\n' >"$partial/tmp/hosts"
        write_in "$root/etc" cp -f -- "$partial/tmp/hosts" "$file"
    fi
}
