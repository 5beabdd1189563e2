# Reads what GoogleTest programs print, with guest-tests' and run's "== " lines between them. Prints
# what a failed test said, what was skipped in every lane and why, and one line of counts. Fails when
# a test did, when a program or a machine ended badly, and when a lane ran no test.

function finish() {
    test = said = ""
    fflush()
}
{ sub(/\r$/, "") }

/^== .*: [a-z]+$/ {
    lane = substr($2, 1, length($2) - 1)
    lanes[lane] += 0
    failures = failed
    print
    finish()
    next
}
/^== .* ended with [0-9]+$/ {
    # A program that ends badly without a failed test has crashed or was too slow.
    if ($NF != 0 && (failed == failures || test != "")) {
        failed++
        printf "%s", said
        print $0 (test != "" ? ", in " test : "")
    }
    failures = failed
    finish()
    next
}
/^\[ RUN      \]/ { test = $4; next }
/\[       OK \] .* ms\)$/ { passed++; lanes[lane]++; ran[test] = 1; finish(); next }
/\[  FAILED  \] .* ms\)$/ { failed++; lanes[lane]++; ran[test] = 1; printf "%s", said; print; finish(); next }
/\[  SKIPPED \] .* ms\)$/ { skipped++; reason[test] = said; finish(); next }
test != "" { said = said $0 "\n"; next }
# GoogleTest's own summary of each program.
/^(\[[-=]+\]|\[  (PASSED|FAILED|SKIPPED)  ?\]|Note: Google Test filter|Running main| *[0-9]+ FAILED TEST|$)/ { next }
{ print }

END {
    for (name in reason)
        if (!(name in ran)) {
            print "vm: skipped in every lane: " name
            printf "%s", reason[name]
        }
    for (name in lanes)
        if (!lanes[name]) {
            failed++
            print "vm: no test ran in lane '" name "'"
        }
    if (!passed && !failed) {
        failed++
        print "vm: no test ran"
    }
    printf "vm: %d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
}
