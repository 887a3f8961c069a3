#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The library's binary interface is the one that is written down, so that whatever was linked to
# libwarren.so.0, and each plugin, goes on; and deploy/packages/abi would see it if it weren't. No broker.
. "$1/tests/support/lib.sh"
. "$root/tests/support/built_packages.sh"

# Others describe the same types in other words.
if [[ $(gcc -dumpversion) != 12 || $(uname -m) != x86_64 ]]; then
    printf 'ok 1 - # SKIP what is written down is of gcc 12 on x86-64, this is gcc %s\n1..1\n' "$(gcc -dumpversion)"
    exit 0
fi

build_packages
folder=$root/build/package
run "$root/deploy/packages/abi" check "$folder"
assert_status 0 "the interface is the one that is written down"
((status == 0)) || printf '%s\n' "$out"

# written SED-COMMAND [SYMBOL]: as if that stood there instead, without that symbol.
written()
{
    rm -rf "$work/deploy"
    mkdir "$work/deploy"
    cp -r "$root/deploy/packages" "$work/deploy"
    sed -i "$1" "$work/deploy/packages/library"/*.abi
    [[ -z ${2:-} ]] || sed -i "/ $2@/d" "$work/deploy/packages/library/symbols"
    run "$work/deploy/packages/abi" check "$folder"
}

written "s/\(name='warren_error' size-in-bits='\)16416'/\18224'/"
assert_status 2 "a struct of another size is seen"
assert_contains "$out" "warren_error" "and named"
written "/name='warren_plugin' /s/size-in-bits='448'/size-in-bits='384'/"
assert_status 2 "and what a plugin shows"
assert_contains "$out" "warren_plugin" "by name, too"
written "s/\(name='WARREN_TIMEOUT' value='-\)5'/\16'/"
assert_status 2 "a constant with another value is seen"
written "s/warren_job_id/warren_job_identity/g"
assert_status 2 "a function that is gone is seen"
written "/elf-symbol name='warren_job_id'/d; /<function-decl name='warren_job_id'/,/<\/function-decl>/d" warren_job_id
assert_status 1 "a function that is new is to be written down"
assert_contains "$out" "+ warren_job_id@Base" "and named"
run "$work/deploy/packages/abi" renew "$folder"
assert_status 0 "which is one command"
run "$work/deploy/packages/abi" check "$folder"
assert_status 0 "and then it is as written down"
cp -r "$work/deploy" "$work/once"
run "$work/deploy/packages/abi" renew "$folder"
run diff -r "$work/once" "$work/deploy"
assert_status 0 "and again in the same words"
finish
