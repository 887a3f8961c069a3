#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A symbolic link in the sources stays in them: no absolute target, none above the root, none dangling.
# Of what git has, committed or about to be; without git, of the folder. check_links.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"
root=$PWD faults=0 links=0

fault()
{
    printf '%s\n' "$*" >&2
    faults=$((faults + 1))
}

# look_at LINK TARGET
look_at()
{
    local place
    links=$((links + 1))
    if [[ $2 == /* ]]; then
        fault "$1: links to $2, which is a path of one machine; want one inside the sources"
        return
    fi
    place=$(realpath -ms "$root/$(dirname "$1")/$2")
    if [[ $place/ != "$root"/* ]]; then
        fault "$1: links to $2, which is outside the sources"
    elif [[ ! -e $place ]]; then
        fault "$1: links to $2, which isn't there"
    fi
}

git_here()
{
    git -c "safe.directory=$root" "$@" 2>/dev/null
}

if git_here rev-parse --is-inside-work-tree >/dev/null && [[ $(git_here rev-parse --show-toplevel) == "$(realpath .)" ]]; then
    listing=$(git_here ls-files -s)
    while IFS=$' \t' read -r mode blob _ path; do
        [[ $mode != 120000 ]] || look_at "$path" "$(git_here cat-file blob "$blob")"
    done <<<"$listing"
else
    while IFS= read -r path; do
        look_at "${path#./}" "$(readlink "$path")"
    done < <(find . \( -path ./build -o -name .git \) -prune -o -type l -print)
fi
printf 'check_links: %d links, %d faults\n' "$links" "$faults"
((faults == 0))
