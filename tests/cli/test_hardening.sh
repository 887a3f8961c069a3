#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What is released defends itself: the preset release makes a library and a command whose files say,
# to readelf, that they are position independent, fully read-only after relocation, without an
# executable stack, and compiled with stack protector, fortified calls and, on x86-64, CET. Built
# beside the build that is tested, so that the second time is quick.
. "$1/tests/support/lib.sh"
build=$BUILD_DIR/hardened
cd "$root" || bail_out "no $root"

build_release()
{
    run cmake --preset release -B "$build" -DBUILD_TESTING=OFF
    assert_status 0 "the preset release is there"
    run cmake --build "$build" -j "${JOBS:-2}" --target warren warren_command
    assert_status 0 "it builds"
    ((status == 0)) || printf '%s\n' "$out" | tail -n 20
}

# says FILE OPTION PATTERN WHAT: a line of readelf is like that.
says()
{
    local lines
    lines=$(readelf -W "$2" "$1")
    if grep -qE "$3" <<<"$lines"; then ok "$4"; else
        fail "$4" "${lines:0:2000}" "a line like $3"
    fi
}

# lacks FILE OPTION PATTERN WHAT: none is.
lacks()
{
    assert_eq "$(readelf -W "$2" "$1" | grep -E "$3")" "" "$4"
}

check_file()
{
    local name
    name=$(basename "$1")
    says "$1" -h 'Type: +DYN ' "$name is position independent"
    says "$1" -l '^ +GNU_RELRO ' "$name is read-only after relocation"
    says "$1" -d '\(FLAGS\).*BIND_NOW|\(BIND_NOW\)' "$name binds everything at its start"
    says "$1" -d 'Flags:.*NOW' "$name tells the loader so"
    says "$1" -l '^ +GNU_STACK .* RW +0x' "$name has a stack that is no code"
    lacks "$1" -l '^ .*RWE' "$name has nothing that is both written and run"
    lacks "$1" -d 'TEXTREL' "$name has code that is never written"
    says "$1" --dyn-syms 'UND __stack_chk_fail' "$name has the stack protector"
    says "$1" --dyn-syms 'UND __(v?snprintf|v?fprintf|memcpy)_chk' "$name has fortified calls"
}

# The linker drops the note of a file in which one object lacks it, and Debian's own start files do.
# So it is looked for in our objects, and its work in the linked code.
check_cet()
{
    local object without=() targets
    while IFS= read -r -d '' object; do
        [[ $(readelf -nW "$object") == *"x86 feature: IBT, SHSTK"* ]] || without+=("$object")
    done < <(find "$build" -name '*.c.o' -print0)
    assert_eq "${without[*]}" "" "every object is built for IBT and shadow stacks"
    targets=$(objdump -d --no-show-raw-insn "$build/libwarren.so" | grep -c 'endbr64')
    if ((targets > 100)); then ok "the library's functions begin with endbr64"; else
        fail "the library's functions begin with endbr64" "$targets" "more than 100"
    fi
}

build_release
objects=$(find "$build" -name '*.c.o' | wc -l)
((objects > 50)) || bail_out "only $objects objects"
check_file "$build/libwarren.so"
check_file "$build/bin/warren"
says "$build/bin/warren" -d 'Flags:.*PIE' "warren is a position independent program"
[[ $(uname -m) != x86_64 ]] || check_cet
finish
