# end.sh - how a script ends: with TARGET in its place, or with nothing half-made; a part of lib.sh.

# shellcheck shell=bash disable=SC2034,SC2154  # lib.sh sets what is not set here, and uses the rest

# Ends what runs and removes what is half-made. No signal interrupts that.
clean() {
    set +e
    trap '' INT TERM HUP QUIT PIPE
    trap - EXIT
    if [[ $step_running ]]; then
        # All that a step makes is in the partial tree, so nothing is lost by the hardest signal.
        # It goes to the process, and to the session that it may have become just now.
        kill -KILL "$!"
        kill -KILL -- "-$!"
        wait "$!"
        step_running=''
    fi 2>/dev/null
    "$at_cleanup"
    [[ ! $partial ]] || remove_partial "$partial"
}

# Is there no room left beside TARGET? 1 MB is none: each step here writes more.
is_full() {
    local free size nodes all
    read -r free size nodes all < <(stat -f -c '%a %S %d %c' -- "$parent" 2>/dev/null) || return 1
    # A file system that makes them as it goes has 0 of 0 nodes.
    ((free * size < 1 << 20 || (all > 0 && nodes == 0)))
}

failed() {
    local status=$? full=''
    ! is_full || full=1 # before the half-made tree is gone
    clean
    [[ ! $full ]] || printf 'rootfs-scripts/%s: no room is left in "%s": see %s, and free some, or %s\n' \
        "$script" "$parent" "'df -h $(printf %q "$parent")' (and -i)" \
        'name a folder on another disk; nothing was left behind' >&2
    exit "$status"
}

stopped() {
    set +e
    trap '' INT TERM HUP QUIT PIPE
    say "stopped by SIG$1: removing what is half-made"
    clean
    # Its own end is by that signal too, so that a shell or a make that waits for it stops as well.
    trap - "$1"
    kill -s "$1" "$$"
}

# Puts the new tree in TARGET's place. $1: what it was made from, for the next run to compare;
# $2: an image's configuration (OCI image-spec config.md, the object "config"), if there is one.
finish() {
    local old_marker=''
    {
        printf '# This file tells rootfs-scripts/%s that it made the folder beside it.\n' "$script"
        printf '# Without it, or after a change by hand, the script leaves that folder alone.\n'
        printf 'script=%s\nfolder=%s\nsource=%s\n' "$script" "$(identity "$root")" "$1"
        [[ ! ${2-} ]] || printf 'config=%s\n' "$2"
    } >"$partial/marker"
    trap '' INT TERM HUP QUIT PIPE
    lock_parent
    look_at_target
    if [[ $state == made ]]; then
        old_marker=$(<"$marker")
        move "$target" "$partial/old"
    fi
    # The marker first: it speaks of the new tree's inode, so alone it says nothing.
    mv -fT -- "$partial/marker" "$marker"
    if ! move "$root" "$target"; then
        [[ $state != made ]] || move "$partial/old" "$target"
        [[ ! $old_marker ]] || printf '%s\n' "$old_marker" >"$marker"
        [[ $old_marker ]] || rm -f -- "$marker"
        die "\"$shown\" can't be put in its place"
    fi
    unlock_parent
    read_marker || :
    clean
    say "\"$shown\" is ready; enter it with"
    show_entry
}

remove_target() {
    case $state in
    empty) die "\"$shown\" was not made by a rootfs script: rmdir $(printf %q "$shown")" ;;
    absent)
        [[ ! -f $marker ]] || rm -f -- "$marker"
        say "there is no \"$shown\""
        ;;
    made)
        start_partial
        say "removing \"$shown\""
        trap '' INT TERM HUP QUIT PIPE
        lock_parent
        look_at_target
        move "$target" "$partial/old"
        rm -f -- "$marker"
        unlock_parent
        remove_partial "$partial"
        ;;
    esac
    exit 0
}

# Prints the command that enters TARGET; for an image, with the environment, folder, user and
# command that its configuration asks for.
show_entry() {
    local command=(./gocontainer parent --rootfs "$shown") line config=${made[config]-}
    local words=() variable folder user
    if [[ $config ]]; then
        while IFS= read -r -d '' variable; do
            command+=(-e "$variable")
        done < <(jq -j '.Env[]? + "\u0000"' <<<"$config")
        folder=$(jq -r '.WorkingDir // ""' <<<"$config")
        [[ ! $folder || $folder == / ]] || command+=(-w "$folder")
        user=$(jq -r '.User // ""' <<<"$config")
        [[ ! $user ]] || command+=(-u "$user")
        mapfile -d '' -t words < <(jq -j '(.Entrypoint // []) + (.Cmd // []) | .[] + "\u0000"' \
            <<<"$config")
    fi
    ((${#words[@]})) || words=(/bin/sh)
    printf -v line ' %q' "${command[@]}" "${words[@]}"
    printf '%s\n' "${line# }"
}
