# SPDX-License-Identifier: MIT
#
# What Doxygen sees of a public header: the comment at its head stands for the file, and each function gets
# the parameters and the return value that go without saying here: those of conventions.txt, a status,
# a verdict, and a getter's first sentence. All others need a @param or @return in their docstring, or
# Doxygen complains and the reference isn't built. Lines stay where they are.
#
#     awk -f filter.awk conventions.txt HEADER
FNR == NR {
    if ($0 !~ /^#/ && (at = index($0, " = "))) {
        keys[++rules] = "^" substr($0, 1, at - 1) "$"
        sentences[rules] = substr($0, at + 3)
    }
    next
}

FNR == 1 {
    file = FILENAME
    sub(/.*\//, "", file)
}

FNR == 2 && $0 == "/*" {
    print "/** @file"
    next
}

/^\/\*\*/ { comment = ""; is_comment = 1 }

is_comment {
    comment = comment (comment == "" ? "" : "\n") $0
    if ($0 ~ /\*\/$/) {
        is_comment = 0
        is_held = 1
    }
    next
}

is_held && /^WARREN_API / { declaration = ""; is_declaration = 1 }

is_declaration {
    declaration = declaration (declaration == "" ? "" : "\n") $0
    if ($0 ~ /;$/) {
        print documented()
        print declaration
        is_declaration = is_held = 0
    }
    next
}

is_held {
    print comment
    is_held = 0
}

{ print }

END {
    if (is_held)
        print comment
}

# The comment with what is missing in it, on its last line.
function documented(    text, name, returned, list, count, i, parameter, word, more)
{
    text = declaration
    gsub(/[ \n]+/, " ", text)
    sub(/^WARREN_API /, "", text)
    sub(/ ?__attribute__.*/, "", text)
    sub(/\);?$/, "", text)
    count = split(substr(text, index(text, "(") + 1), list, ", ")
    name = substr(text, 1, index(text, "(") - 1)
    returned = name
    sub(/ ?[*]?warren_[a-z_]+$/, "", returned)
    for (i = 1; i <= count; i++) {
        parameter = list[i]
        word = parameter
        sub(/\[.*/, "", word)
        sub(/.*[ *]/, "", word)
        if (parameter != "void" && comment !~ ("@param " word "[ \n]"))
            more = more conventional(parameter, word)
    }
    if (comment !~ /@return /)
        more = more returns(returned)
    text = comment
    sub(/ *\*\/$/, "", text)
    return text more " */"
}

function conventional(parameter, word,    i)
{
    for (i = 1; i <= rules; i++)
        if ((file ":" parameter) ~ keys[i])
            return " @param " word " " sentences[i]
    return ""
}

# A getter says what it gives in its first sentence, which begins like a thing and not like a deed.
function returns(type,    text)
{
    if (type == "void")
        return ""
    if (type == "warren_status")
        return " @return WARREN_OK, or what went wrong"
    if (type == "warren_verdict")
        return " @return the verdict, for the handler to return"
    text = comment
    gsub(/\n \*/, " ", text)
    sub(/^\/\*\* */, "", text)
    sub(/\.( .*|\*\/)$/, ".", text)
    sub(/ *\*\/$/, "", text)
    if (type == "bool" ? text ~ /^(Whether|True) / : text ~ /^(The|A|One|How|Which|When|Where|What) /)
        return " @return " text
    return ""
}
