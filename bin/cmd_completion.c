// SPDX-License-Identifier: MIT
// DESIGN: `warren completion`: a few lines for each shell, that ask `warren completion words` at each
// tab (complete.c). They never change with the table, so an installed one doesn't age.
#include <stdio.h>

#include "args.h"
#include "command.h"
#include "complete.h"

static const char bash_script[] =
    "# bash completion of warren: the words come from `warren completion words`.\n"
    "_warren()\n"
    "{\n"
    "    local word _\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r word _; do\n"
    "        if [[ $word == " COMPLETE_FILES " ]]; then\n"
    "            compopt -o default\n"
    "        else\n"
    "            COMPREPLY+=(\"$word\")\n"
    "        fi\n"
    "    done < <(\"$1\" completion words -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _warren warren\n";

static const char zsh_script[] =
    "#compdef warren\n"
    "# zsh completion of warren: the words come from `warren completion words`.\n"
    "_warren()\n"
    "{\n"
    "    local -a found\n"
    "    local word sentence has_files\n"
    "    while IFS=$'\\t' read -r word sentence; do\n"
    "        if [[ $word == " COMPLETE_FILES " ]]; then\n"
    "            has_files=1\n"
    "        else\n"
    "            found+=(\"${word//:/\\\\:}${sentence:+:$sentence}\")\n"
    "        fi\n"
    "    done < <(\"${words[1]}\" completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    if [[ -n $has_files ]]; then\n"
    "        compset -P '--*='\n"
    "        _files\n"
    "    else\n"
    "        _describe -V warren found\n"
    "    fi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _warren ]]; then\n"
    "    _warren \"$@\"\n"
    "else\n"
    "    compdef _warren warren\n"
    "fi\n";

static const char fish_script[] =
    "# fish completion of warren: the words come from `warren completion words`.\n"
    "function __warren_words\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    set -l program $words[1]\n"
    "    set -e words[1]\n"
    "    for line in ($program completion words -- $words \"$current\" 2>/dev/null)\n"
    "        if test \"$line\" = " COMPLETE_FILES "\n"
    "            __fish_complete_path \"$current\"\n"
    "        else\n"
    "            printf '%s\\n' \"$line\"\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c warren -f -a '(__warren_words)'\n";

static int print(const char *script)
{
    fputs(script, stdout);
    return EXIT_DONE;
}

int cmd_completion_bash(const struct args *args)
{
    (void)args;
    return print(bash_script);
}

int cmd_completion_zsh(const struct args *args)
{
    (void)args;
    return print(zsh_script);
}

int cmd_completion_fish(const struct args *args)
{
    (void)args;
    return print(fish_script);
}

static void print_word(void *user, const char *word, const char *sentence)
{
    (void)user;
    printf("%s%s%s\n", word, sentence ? "\t" : "", sentence ? sentence : "");
}

int cmd_completion_words(const struct args *args)
{
    complete_words(args->operands, args->operand_count, print_word, NULL);
    return EXIT_DONE;
}
