# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154
#
# The Debian packages of this source tree, for the tests that look at them. To be sourced behind lib.sh.
#
#     . "$1/tests/support/built_packages.sh"
#     build_packages           # $packages: a folder of this test's own with them
#
# What is built already is not compiled again, and one test builds at a time.

packages=$work/packages

build_packages()
{
    local lock
    mkdir -p "$root/build" "$packages"
    exec {lock}>"$root/build/package.lock"
    flock -w 500 "$lock" || bail_out "another test builds the packages"
    run "$root/deploy/packages/build"
    assert_status 0 "deploy/packages/build"
    ((status == 0)) || bail_out "no packages"
    cp "$root/build/package/packages"/*.deb "$packages"
    exec {lock}>&-
}
