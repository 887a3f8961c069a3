#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The form of the pages: every relative link, picture and anchor leads somewhere, every page stands in an
# index, words are spelt right, Markdown is what it looks like, and what test_docs.sh does not do with their
# blocks is written down: tests/deploy/page.py not-run README.md $(find docs -name '*.md' | sort) >tests/deploy/not_run.txt
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

# --- blocks that would go unseen, or are not run --------------------------------------------------

# refused WHAT WANT LINE...: test_docs.sh would stop at such a page.
refused()
{
    printf '%s\n' "${@:3}" >"$work/page.md"
    run /usr/bin/python3 tests/deploy/page.py cut "$work/page.md" "$work"
    if ((status)) && [[ $err == *"$2"* ]]; then ok "$1 is an error"; else fail "$1 is an error" "$status $out$err" "$2"; fi
}

refused 'a comment above a block that is no order' 'page.md:1: no order' '<!-- notrun: x -->' '```sh' 'false' '```'
refused 'also with a line between' 'no order' '<!-- for people -->' '' '```sh' 'false' '```'
refused 'a second comment above a block' 'page.md:2: a second' '<!-- again -->' '<!-- exit: 1 -->' '```sh' 'false' '```'
refused 'a fence of ~~~' 'page.md:1: want a fence' '~~~sh' 'false' '~~~'
refused 'a block in a quotation' 'want a fence' 'word' '> ```sh' '> false' '> ```'
refused 'a block behind the mark of a list' 'want a fence' '- ```sh' '  false' '  ```'
refused 'a block without an end' 'page.md:1: this block has no end' '```sh' 'false'

# shellcheck disable=SC2046 # words
/usr/bin/python3 tests/deploy/page.py not-run README.md $(find docs -name '*.md' | sort) >"$work/not_run"
run diff tests/deploy/not_run.txt "$work/not_run"
assert_eq "$out" '' 'tests/deploy/not_run.txt has the blocks that are not run as they stand, and no other'
missing=''
while read -r name; do
    [[ -n $(find tests -name "$name") ]] || missing+=" $name"
done < <(grep -oE 'test_[a-z_]+\.(sh|c)' "$work/not_run" | sort -u)
assert_eq "$missing" '' 'and the tests that they name are there'
assert_eq "$(sed -nE 's/.* but for ([0-9]+) blocks.*/\1/p' docs/README.md)" "$(wc -l <tests/deploy/not_run.txt)" 'docs/README.md says how many they are'

# shellcheck disable=SC2046 # words
run codespell $(pages) docs/*.svg config
assert_eq "$out" '' 'words are spelt right'

run /usr/bin/mdl -s tests/deploy/markdown.rb README.md docs deploy/rabbitmq/README.md
assert_eq "$out" '' 'Markdown is as tests/deploy/markdown.rb says'

# needed FILE: what its first `apt… install` names, one a line.
needed()
{
    sed -nE '/apt(-get)? .*install/,/[^\\]$/p' "$1" | sed -n '1,/libyaml-dev/p' | grep -oE '[a-z0-9-]+' |
        grep -vxE 'sudo|apt|apt-get|install|RUN|update|y|-y|--no-install-recommends' | sort
}
assert_eq "$(needed README.md)" "$(needed deploy/container/Containerfile)" "the README names what the image's packages are built with"
assert_contains "$(needed README.md)" librabbitmq-dev "(it names something)"

lines=$(wc -l <bin/examples/hello/hello.c)
assert_eq "$((lines <= 25))" 1 "the README's first example has $lines lines, at most 25"
finish
