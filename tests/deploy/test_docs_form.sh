#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The form of the pages: every relative link, picture and anchor leads somewhere, every page stands in an
# index, words are spelt right, and Markdown is what it looks like. What is in their blocks:
# test_docs.sh.
# shellcheck source=tests/support/lib.sh
. "$1/tests/support/lib.sh"
cd "$root" || bail_out "no $root"

pages()
{
    printf '%s\n' README.md CONTRIBUTING.md CHANGELOG.md
    find docs deploy -name '*.md' | sort
}

# Pages of docs/ that no index leads to: the one of their folder, or else the one of docs/.
strays()
{
    local page index
    for page in $(find docs -name '*.md' ! -name README.md | sort); do
        index=$(dirname "$page")/README.md
        case $page in
        docs/runbooks/* | docs/reference/*) ;; # named by their alerts; Doxygen's
        *) grep -qF "($(basename "$page"))" "$index" 2>/dev/null || echo "$page" ;;
        esac
    done
}

# Queue files of recipes that no page shows, and so no test loads.
forgotten()
{
    local file
    for file in config/recipes/*; do
        grep -rqF "<!-- file: $file" docs/recipes || echo "$file"
    done
}

# shellcheck disable=SC2046 # words
run /usr/bin/python3 tests/deploy/page.py links $(pages)
assert_eq "$out" '' 'every link leads somewhere'
assert_eq "$(strays)" '' 'every page stands in the index of its folder'
assert_eq "$(forgotten)" '' 'every file of config/recipes stands on a page'

# shellcheck disable=SC2046 # words
run codespell $(pages) docs/*.svg config
assert_eq "$out" '' 'words are spelt right'

run /usr/bin/mdl -s tests/deploy/markdown.rb README.md docs deploy/rabbitmq/README.md
assert_eq "$out" '' 'Markdown is as tests/deploy/markdown.rb says'

lines=$(wc -l <bin/examples/hello/hello.c)
assert_eq "$((lines <= 25))" 1 "the README's first example has $lines lines, at most 25"
finish
