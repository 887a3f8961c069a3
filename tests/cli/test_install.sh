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

# asks_for WHAT [NAME=VALUE...]: a project whose find_package says WHAT and that shows what it has then.
asks_for()
{
    mkdir -p "$work/asks"
    cat >"$work/asks/CMakeLists.txt" <<PROJECT
cmake_minimum_required(VERSION 3.25)
project(Asks LANGUAGES C)
find_package(Warren 0.1 $1)
foreach(target warren warren_static)
  if(TARGET warren::\${target})
    message(STATUS "there is \${target}")
  endif()
endforeach()
PROJECT
    run env "${@:2}" cmake --fresh -S "$work/asks" -B "$work/asks/build" -G Ninja "-DCMAKE_PREFIX_PATH=$prefix"
}

# Components, and what is said where one can't be had.
components()
{
    local nothing=PKG_CONFIG_LIBDIR=$work/empty
    asks_for REQUIRED
    assert_contains "$out" $'there is warren\n-- there is warren_static' "without components both are there"
    asks_for 'REQUIRED COMPONENTS shared' "$nothing"
    assert_status 0 "the shared library needs no other package"
    assert_lacks "$out" "there is warren_static" "and the archive comes when it is asked for"
    asks_for REQUIRED "$nothing"
    assert_status 0 "without components the shared one is enough"
    asks_for 'REQUIRED COMPONENTS static' "$nothing"
    assert_status 1 "the archive needs the libraries in it"
    assert_contains "$(tr -s ' \n' ' ' <<<"$err")" \
        "component 'static' needs, and does not find: librabbitmq>=0.11 json-c>=0.15 libconfig>=1.5" "and says which"
    asks_for 'REQUIRED COMPONENTS shared dynamic'
    assert_status 1 "an unknown component is refused"
    assert_contains "$(tr -s ' \n' ' ' <<<"$err")" \
        "there is no component 'dynamic'. There are: shared (warren::warren), static (warren::warren_static)" \
        "with those that there are"
    asks_for 'REQUIRED COMPONENTS shared OPTIONAL_COMPONENTS dynamic'
    assert_status 0 "unless it is optional"
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
components
pkg_config_consumer
only_public_symbols
finish
