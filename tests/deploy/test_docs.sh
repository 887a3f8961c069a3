#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The pages are true. Every block of README.md and docs/ has a language and is done here as a reader
# would do it: with an installed copy of this build, in a folder and a vhost of the page's own, from
# top to bottom. `tests/run deploy -- -R test_docs` runs it and its other half,
# test_docs_recipes.sh; PAGES="docs/signals.md" says which pages.
#
#     c              compiled with -Wall -Wextra -Werror; C++ as cpp
#     sh             run; variables and the folder stay from block to block
#     text           only with a comment: what the block before it prints, or <!-- drawing -->
#     cfg            loaded by `warren config check`, a queue file or a part of warren.cfg
#     json, jsonl, yaml, promql, python, ruby     read by their own readers
#
# A comment straight above a block says what else there is to do, several joined by "; ":
#
#     <!-- file: PATH -->        it is that file of the repository, but for its licence line
#     <!-- save: NAME -->        it is written to the folder in which the reader is
#     <!-- inside: FRAME -->     c: a part of frames/FRAME.c
#     <!-- background: NAME -->  sh: runs on until another one of that name, or <!-- stop: NAME -->, and
#                                then ends well at SIGTERM, or by itself: <!-- ends: NAME -->; with
#                                `helper` it is none of ours and may be killed
#     <!-- until: TEXT -->       sh: in the background, till it says so; else again and again, till it does
#     <!-- again -->             sh: again while it is refused (exit 5: no worker has declared yet)
#     <!-- exit: N -->           sh: ends so, and not with 0
#     <!-- says: TEXT -->        sh: what runs in the background says so afterwards
#     <!-- output -->            text: what the sh before it printed; `…` stands for any text. The sh
#                                is run again while it doesn't fit, if it has `again`
#     <!-- output: NAME -->      text: lines of what runs in the background under that name
#     <!-- not run: WHY -->      nothing is done; these are counted
#
# and on a line of its own, <!-- stage: NAME --> (stages/NAME.sh is sourced before the page) and
# <!-- ports: N M --> (free ones are used instead).
# shellcheck disable=SC2317 # Most functions are called by name, by wait_for.
. "$1/tests/support/lib.sh"
here=$root/tests/deploy
page_py=(/usr/bin/python3 "$here/page.py")
not_run=0 done_blocks=0

# --- an installed copy ----------------------------------------------------------------------------

# The compiler that a reader has, but for its warnings.
write_compiler()
{
    printf '#!/bin/sh\nexec %s -Wall -Wextra -Werror "$@"\n' "$2" >"$1"
    chmod +x "$1"
}

install_copy()
{
    local library
    cmake --install "$BUILD_DIR" --prefix "$work/usr" >"$work/install.log" 2>&1 ||
        bail_out "cmake --install: $(tail -n 3 "$work/install.log")"
    write_compiler "$work/usr/bin/cc" gcc
    write_compiler "$work/usr/bin/c++" g++
    # Debian's, whatever else a developer's machine has.
    ln -s /usr/bin/python3 /usr/bin/ruby "$work/usr/bin/"
    library=$(dirname "$(find "$work/usr" -name libwarren.so)")
    export PATH=$work/usr/bin:$PATH LD_LIBRARY_PATH=$library PKG_CONFIG_PATH=$library/pkgconfig
    promtool=$("$root/tests/support/prometheus")/promtool
}

# --- blocks that run ------------------------------------------------------------------------------

# A block in a shell of its own that takes on what the ones before have left.
reader()
{
    # shellcheck disable=SC2016 # expanded by that shell
    bash -ec '
        left=$1 block=$2
        [[ ! -f $left ]] || . "$left"
        cd "${PWD:-.}"
        trap "code=\$?; export -p >\"$left\"; exit \$code" EXIT
        set -a
        . "$block"' reader "$left" "$1"
}

run_block()
{
    reader "$1" >"$work/seen" 2>&1 </dev/null
    status=$?
}

is_decided()
{
    run_block "$1"
    ((status != 5))
}

has_said()
{
    run_block "$1"
    ((status == ${rule[exit]:-0})) && grep -qF -- "${rule[until]}" "$work/seen"
}

# How much each one in the background has said up to now.
note_sizes()
{
    local file
    sizes=()
    for file in "$folder"/.background.*; do
        [[ ! -f $file ]] || sizes[$file]=$(stat -c %s "$file")
    done
}

# Whether one of them has said it since.
background_says()
{
    local file
    for file in "${!sizes[@]}"; do
        grep -qF -- "$1" <(tail -c "+$((sizes[$file] + 1))" "$file") && return 0
    done
    return 1
}

do_sh()
{
    local block=$1
    if [[ -v rule[background] ]]; then
        start_background "$block" "${rule[background]:-worker}"
        return
    fi
    last_sh=$block last_again=${rule[again]+yes}
    note_sizes
    if [[ -v rule[until] ]]; then
        wait_for 60 has_said "$block" || fail "$at says '${rule[until]}'" "$(cat "$work/seen")" "${rule[until]}" || return
    elif [[ -v rule[again] ]]; then
        wait_for 60 is_decided "$block"
    else
        run_block "$block"
    fi
    ((status == ${rule[exit]:-0})) ||
        fail "$at: $(head -n 1 "$block")" "exit $status: $(cat "$work/seen")" "exit ${rule[exit]:-0}" || return
    [[ ! -v rule[says] ]] || wait_for 60 background_says "${rule[says]}" ||
        fail "$at: then it is said: ${rule[says]}" "$(tail -n 5 "$folder"/.background.*)" "${rule[says]}"
}

# --- what runs in the background ------------------------------------------------------------------

declare -A groups helpers sizes

start_background()
{
    local name=$2 output=$folder/.background.$2
    stop_background "$name"
    : >"$output"
    # The shell outlives its command by a step, and ends as that ended.
    # shellcheck disable=SC2016 # expanded by that shell
    setsid stdbuf -oL bash -ec 'trap : TERM; [[ ! -f $1 ]] || . "$1"; cd "${PWD:-.}"; . "$2"' \
        background "$left" "$1" >"$output" 2>&1 </dev/null &
    groups[$name]=$!
    helpers[$name]=${rule[helper]+yes}
    children+=("-$!") # the whole group, when the test ends early
    [[ ! -v rule[until] ]] || wait_for 60 grep -qF -- "${rule[until]}" "$output" ||
        fail "$at says '${rule[until]}'" "$(cat "$output")" "${rule[until]}"
}

has_ended()
{
    ! kill -0 -- "-${groups[$1]}" 2>/dev/null
}

stop_background()
{
    local name=$1 group=${groups[$1]:-} code
    [[ -n $group ]] || return 0
    unset "groups[$name]"
    kill -TERM -- "-$group" 2>/dev/null
    wait "$group"
    code=$?
    [[ -n ${helpers[$name]} ]] || ((code == 0)) ||
        fail "$page: '$name' ends well at SIGTERM" "exit $code: $(tail -n 5 "$folder/.background.$name")" 0
}

stop_all()
{
    local name
    for name in "${!groups[@]}"; do stop_background "$name"; done
}

# --- blocks of each language ----------------------------------------------------------------------

compile()
{
    local source=$work/block.$2
    if [[ -v rule[inside] ]]; then
        sed -e "/@block@/{r $1" -e 'd}' "$here/frames/${rule[inside]}.c" >"$source"
    else
        cp "$1" "$source"
    fi
    # shellcheck disable=SC2046 # words
    "$3" -c -o /dev/null "-I$(reader_folder)" $(pkg-config --cflags warren json-c) "$source" >"$work/seen" 2>&1 ||
        fail "$at compiles" "$(cat "$work/seen")" 'no warning'
}

# A queue file stands alone; a part of warren.cfg has a queue beside it.
load_cfg()
{
    local config=$work/config
    rm -rf "$config" && mkdir -p "$config/queues"
    if grep -qE '^ *queue *[:=]' "$1"; then
        cp "$1" "$config/queues/page.cfg"
        : >"$config/warren.cfg"
    else
        cp "$1" "$config/warren.cfg"
        echo 'queue: { name = "page"; jobs: ( { type = "page"; } ); };' >"$config/queues/page.cfg"
    fi
    run warren config check --config "$config/warren.cfg"
    ((status == 0)) || fail "$at is loaded" "$out$err" 'a configuration without errors'
}

does_fit()
{
    "${page_py[@]}" match "$1" "$work/seen" >"$work/difference" && return
    [[ -n $last_again ]] && run_block "$last_sh"
    return 1
}

do_text()
{
    local name=${rule[output]:-}
    [[ ! -v rule[drawing] ]] || return 0
    if [[ ! -v rule[output] ]]; then
        fail "$at: a text block shows an output, or says why it isn't run"
    elif [[ -n $name ]]; then
        wait_for 60 "${page_py[@]}" holds "$1" "$folder/.background.$name" ||
            fail "$at: what '$name' prints" "$(cat "$folder/.background.$name")" "$(cat "$1")"
    elif [[ -n $last_again ]]; then
        wait_for 60 does_fit "$1" || fail "$at" "$(cat "$work/difference")" "$(cat "$1")"
    else
        does_fit "$1" || fail "$at: what was printed before" "$(cat "$work/difference")" "$(cat "$1")"
    fi
}

read_by()
{
    "$@" >"$work/seen" 2>&1 || fail "$at can be read" "$(tail -n 3 "$work/seen")" 'no error'
}

do_promql()
{
    {
        echo 'groups: [ { name: page, rules: ['
        sed "s/'/''/g; s/.*/{ record: page, expr: '&' },/" "$1"
        echo '] } ]'
    } >"$work/rules.yml"
    read_by "$promtool" check rules "$work/rules.yml"
}

do_language()
{
    case ${rule[language]} in
    c) compile "$1" c cc ;;
    cpp) compile "$1" cpp c++ ;;
    sh) do_sh "$1" ;;
    text) do_text "$1" ;;
    cfg) load_cfg "$1" ;;
    json) read_by /usr/bin/python3 -m json.tool "$1" ;;
    jsonl) read_by /usr/bin/python3 -m json.tool --json-lines "$1" ;;
    yaml) read_by /usr/bin/python3 -c 'import sys, yaml; list(yaml.safe_load_all(open(sys.argv[1])))' "$1" ;;
    python) read_by /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$1" ;;
    ruby) read_by ruby -c "$1" ;;
    promql) do_promql "$1" ;;
    *) fail "$at: nothing is known of a block of '${rule[language]}'" ;;
    esac
}

same_as_file()
{
    local difference
    difference=$(diff <(grep -v '^// SPDX-License-Identifier' "$root/${rule[file]}") "$1")
    [[ -z $difference ]] || fail "$at is ${rule[file]}" "$difference" 'no difference'
}

reader_folder()
{
    # shellcheck disable=SC2016 # expanded by that shell
    bash -c '[[ ! -f $1 ]] || . "$1"; echo "$PWD"' where "$left"
}

# Writes a file where the reader is.
keep_block()
{
    local place
    place=$(reader_folder)/$1
    mkdir -p "$(dirname "$place")"
    cat >"$place"
}

# --- pages ----------------------------------------------------------------------------------------

free_port()
{
    /usr/bin/python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

take_ports()
{
    local port
    for port in $1; do substitute "s/\\b$port\\b/$(free_port)/g"; done
}

# From here on each block is read with this change, a program for sed.
substitute()
{
    substitutions+=(-e "$1")
}

do_block()
{
    local block=$1 word value
    local -A rule=()
    while IFS=$'\t' read -r word value; do rule[$word]=$value; done <"$block.rule"
    at="$page:${rule[line]}"
    ((${#substitutions[@]} == 0)) || sed -i "${substitutions[@]}" "$block" "$block.rule"
    if [[ -v rule[stage] ]]; then
        # shellcheck disable=SC1090 # a stage
        . "$here/stages/${rule[stage]}.sh"
    elif [[ -v rule[stop] ]]; then
        stop_background "${rule[stop]}"
    elif [[ -v rule[ends] ]]; then
        wait_for 60 has_ended "${rule[ends]}" || fail "$at: '${rule[ends]}' ends by itself"
        stop_background "${rule[ends]}"
    elif [[ -v rule[ports] ]]; then
        take_ports "${rule[ports]}"
    elif [[ -v 'rule[not run]' ]]; then
        not_run=$((not_run + 1))
        printf '# not run: %s: %s\n' "$at" "${rule[not run]}"
    else
        done_blocks=$((done_blocks + 1))
        [[ ! -v rule[file] ]] || same_as_file "$block"
        [[ ! -v rule[save] ]] || keep_block "${rule[save]}" <"$block"
        do_language "$block"
    fi
}

do_page()
{
    local page=$1 blocks folder left last_sh='' last_again='' at='' block before=$test_failures begun=$SECONDS
    local substitutions=()
    folder=${page//\//-}
    folder=$work/pages/${folder%.md}
    blocks=$folder.blocks left=$folder.left
    mkdir -p "$folder" "$blocks"
    "${page_py[@]}" cut "$root/$page" "$blocks" || bail_out "page.py cut $page"
    compgen -G "$blocks/*.rule" >/dev/null || return 0
    cd "$folder" || bail_out "no $folder"
    if grep -q $'^language\tsh$' "$blocks"/*.rule; then
        fresh_vhost
        export WARREN_AMQP_URL=$url
    fi
    export HOME=$folder XDG_STATE_HOME=$folder/.state
    # What comes after a mistake mostly follows from it.
    for block in "$blocks"/???; do
        ((test_failures == before)) && do_block "$block"
    done
    stop_all
    [[ -z $vhost ]] || broker drop-vhost "$vhost" && vhost=''
    ((test_failures > before)) || ok "$page ($((SECONDS - begun)) s)"
}

# --- the story ------------------------------------------------------------------------------------

install_copy
# What test_docs_recipes.sh does is left to it.
pages=${PAGES:-$(cd "$root" && echo README.md &&
    find docs -name '*.md' ! -path 'docs/recipes/*' ! -name 'migrating-from-*' | sort)}
for page in $pages; do do_page "$page"; done
printf '# %d blocks done, %d not run\n' "$done_blocks" "$not_run"
finish
