# SPDX-License-Identifier: MIT
# What pages have in common, for Debian's mdl.
all
rule 'MD013', :line_length => 200, :ignore_code_blocks => true, :tables => false
rule 'MD024', :allow_different_nesting => true
rule 'MD026', :punctuation => '.,;:!' # a question may be a heading
rule 'MD029', :style => :ordered
exclude_rule 'MD031' # what a block is stands straight above it, for test_docs.sh
