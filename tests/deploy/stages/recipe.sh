# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The folder that docs/recipes/README.md begins with.
mkdir -p queues
echo 'log: { format = "text"; };' >warren.cfg
