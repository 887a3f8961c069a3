#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The half of test_docs.sh that builds and runs most: the recipes, and the ways from other systems.
root=$(cd "${1:?the folder of the repository}" && pwd -P) || exit 1
cd "$root" || exit 1
PAGES="$(printf '%s ' docs/recipes/*.md docs/migrating-from-*.md)" exec bash tests/deploy/test_docs.sh "$root"
