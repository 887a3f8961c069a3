#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# An installed copy serves a project that knows nothing of this tree: through find_package and
# through pkg-config, shared and static, from C and from C++, also after the copy was moved.
. "$1/tests/support/lib.sh"

prefix=$work/moved/warren
want="timeout 8"
# A library built for a sanitizer needs programs built for it, too.
flags=$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$BUILD_DIR/CMakeCache.txt" | tr ' ' '\n' |
    grep -E '^(-fsanitize=.*|--coverage)$' | tr '\n' ' ')

install_a_copy()
{
    run cmake --install "$BUILD_DIR" --prefix "$work/first"
    assert_status 0 "cmake --install"
    mkdir -p "$work/moved"
    mv "$work/first" "$prefix"
    libraries=$(dirname "$(find "$prefix" -name libwarren.a)")
}

# what_it_says PROGRAM NAME: runs it and compares.
what_it_says()
{
    LD_LIBRARY_PATH=$libraries run "$1"
    assert_eq "$out$err" "$want" "$2 runs"
}

# shellcheck disable=SC2317 # run by `run`
is_linked_to()
{
    readelf -d "$1" | grep -q 'NEEDED.*\[libwarren\.so\.0\]'
}

cmake_consumer()
{
    local program
    run cmake -S "$root/tests/consumer" -B "$work/consumer" -G Ninja \
        "-DCMAKE_PREFIX_PATH=$prefix" "-DCMAKE_C_FLAGS=$flags -Wall -Wextra -Werror" \
        "-DCMAKE_CXX_FLAGS=$flags -Wall -Wextra -Werror"
    assert_status 0 "find_package(Warren) finds it"
    run cmake --build "$work/consumer" -j 2
    assert_status 0 "the consumer builds with CMake"
    ((status == 0)) || printf '%s\n' "$out" | tail -n 20
    for program in c_shared c_static cpp_shared cpp_static; do
        what_it_says "$work/consumer/$program" "CMake's $program"
    done
    run is_linked_to "$work/consumer/c_shared"
    assert_status 0 "c_shared asks for libwarren.so.0"
    run is_linked_to "$work/consumer/c_static"
    assert_status 1 "c_static carries its own copy"
}

# shellcheck disable=SC2046,SC2086
pkg_config_consumer()
{
    export PKG_CONFIG_PATH=$libraries/pkgconfig
    run pkg-config --modversion warren
    assert_contains "$out" "." "pkg-config knows its version"
    run cc -std=c11 $flags -o "$work/shared" "$root/tests/consumer/main.c" \
        $(pkg-config --cflags --libs warren)
    assert_status 0 "the consumer builds with pkg-config, shared"
    what_it_says "$work/shared" "pkg-config's shared program"
    run cc -std=c11 $flags -o "$work/static" "$root/tests/consumer/main.c" \
        $(pkg-config --static --cflags --libs warren | sed 's/-lwarren/-l:libwarren.a/')
    assert_status 0 "the consumer builds with pkg-config, static"
    what_it_says "$work/static" "pkg-config's static program"
}

only_public_symbols()
{
    local strange
    strange=$(nm -D --defined-only "$libraries/libwarren.so" |
        awk '$2 ~ /[TDBRV]/ && $3 !~ /^warren_/ { print $3 }' |
        grep -vE '^(__(asan|ubsan|tsan|odr)|_(init|fini)|gcov|__gcov|mangle_path|_edata$|_end$|__bss_start$)')
    assert_eq "$strange" "" "the shared library exports warren_ names only"
}

install_a_copy
cmake_consumer
pkg_config_consumer
only_public_symbols
finish
