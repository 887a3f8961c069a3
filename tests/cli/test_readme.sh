#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The README is true: every block of it stands behind a comment that says what it is, and this test
# does it. A `file:` block is that file, word for word. The others run in their order, as a reader
# would type them, in a copy of bin/examples/hello, with an installed copy of this build and a vhost of
# their own:
#
#     <!-- file: PATH -->              the block is the file, but for its licence line
#     <!-- run -->                     ends well, and the worker greets the one who is named in it
#     <!-- run in the background -->   a worker, up to the next one; then it ends well at SIGTERM
#     <!-- not run here: WHY -->
# shellcheck disable=SC2317 # Most functions are called by name, by wait_for.
. "$1/tests/support/lib.sh"

worker='' # the process group of the worker that runs now

stop_worker()
{
    [[ -n $worker ]] || return 0
    kill -TERM -- "-$worker"
    wait "$worker"
    assert_eq "$?" 0 'SIGTERM ends the worker, and ends it well'
    worker=''
}

# --- an installed copy ----------------------------------------------------------------------------

# The compiler that a reader has; it adds the sanitizer's flags when the library has them.
write_compiler()
{
    local flags
    flags=$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$BUILD_DIR/CMakeCache.txt" | tr ' ' '\n' |
        grep -E '^(-fsanitize=.*|--coverage)$' | tr '\n' ' ')
    printf '#!/bin/sh\nexec gcc -Wall -Wextra -Werror %s "$@"\n' "$flags" >"$1"
    chmod +x "$1"
}

install_copy()
{
    local library
    cmake --install "$BUILD_DIR" --prefix "$work/usr" >"$work/install.log" 2>&1 ||
        bail_out "cmake --install: $(tail -n 3 "$work/install.log")"
    write_compiler "$work/usr/bin/cc"
    library=$(dirname "$(find "$work/usr" -name libwarren.so)")
    export PATH=$work/usr/bin:$PATH LD_LIBRARY_PATH=$library PKG_CONFIG_PATH=$library/pkgconfig
    # stdbuf preloads a library before the sanitizer's own, which does no harm here.
    export ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}
}

# --- blocks ---------------------------------------------------------------------------------------

# Writes each block to blocks/NN, and the comment before it to blocks/NN.is.
cut_blocks()
{
    mkdir "$work/blocks"
    awk -v folder="$work/blocks" '
        /^```/ && inside { inside = 0; close(name); next }
        /^```/ {
            inside = 1
            name = sprintf("%s/%02d", folder, ++count)
            print is >(name ".is")
            close(name ".is")
            printf "" >name
            next
        }
        inside { print >name; next }
        { is = /^<!-- .* -->$/ ? substr($0, 6, length($0) - 9) : "" }' "$root/README.md"
}

compare_file()
{
    local difference
    difference=$(diff <(grep -v '^// SPDX-License-Identifier' "$root/$2") "$1")
    assert_eq "$difference" '' "the block of $2 is that file"
}

start_worker()
{
    stop_worker
    # The shell outlives the worker by a step, and ends as the worker ended.
    setsid stdbuf -oL bash -euc "trap : TERM; $(cat "$1")" >"$work/worker" 2>&1 </dev/null &
    worker=$!
    children+=("-$worker") # the whole group, when the test ends early
}

lives()
{
    kill -0 "$worker" 2>/dev/null
}

# Until the worker has declared its queue a publish is refused with exit code 5: worth another try.
is_decided()
{
    run bash -euc "$(cat "$1")"
    ((status != 5)) || ! lives
}

has_greeted()
{
    grep -q "^hello.*, $1\$" "$work/worker" || ! lives
}

run_block()
{
    local name
    name=$(sed -n 's/.*"name": "\([A-Za-z]*\)".*/\1/p' "$1")
    wait_for 60 is_decided "$1"
    assert_status 0 "$(head -n 1 "$1")"
    wait_for 30 has_greeted "$name"
    assert_contains "$(cat "$work/worker")" ", $name" "the worker greets $name"
}

do_block()
{
    local is
    is=$(<"$1.is")
    case $is in
    'file: '*) compare_file "$1" "${is#file: }" ;;
    'run') run_block "$1" ;;
    'run in the background') start_worker "$1" ;;
    'not run here: '*) ;;
    *) fail "a block says not what it is: $(head -n 1 "$1")" ;;
    esac
}

# Files that the pages of the root name, and that are not there.
broken_links()
{
    local page link
    for page in README.md CONTRIBUTING.md CHANGELOG.md; do
        while read -r link; do
            [[ $link == http* || -e $root/$link ]] || echo "$page: $link"
        done < <(grep -oE '\]\([^)]+\)' "$root/$page" | sed 's/^](//; s/)$//')
    done
}

# --- the story ------------------------------------------------------------------------------------

install_copy
fresh_vhost
export WARREN_AMQP_URL=$url
cut_blocks
cp -r "$root/bin/examples/hello" "$work/hello"
cd "$work/hello" || bail_out "no $work/hello"

for block in "$work"/blocks/??; do do_block "$block"; done
stop_worker
assert_eq "$(broken_links)" '' 'every link leads somewhere'
lines=$(wc -l <hello.c)
assert_eq "$((lines <= 25))" 1 "hello.c has $lines lines, at most 25"
finish
